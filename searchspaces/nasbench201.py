"""NAS-Bench-201 (Dong and Yang, ICLR 2020): one searched cell, stacked five times in each of three stages.

Two spaces over the same networks. `nasbench201` knows a network by one id, whatever its nodes are called: 5,260
networks. `nasbench201-cells` holds the 15,625 labelled cells apart, as the benchmark's rows do, which were trained and
measured separately: for comparisons with figures whose optimum is over all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from searchspaces.architecture_graph import ArchitectureGraphs, edge_cells
from searchspaces.blocks import Block, CellBlock, ConvBlock, DenseBlock, PoolBlock, RescaleBlock, SoftmaxBlock
from searchspaces.blocks.cells import CELL_EDGES, CELL_OPS, NONE, NormBlock, ReductionBlock, live_edges
from searchspaces.errors import InputError
from searchspaces.layers import Shape
from searchspaces.nasbench201_cell import EXAMPLE, Cell, cell_text, network_classes, parse_cell
from searchspaces.space import Architecture, Choice, Indices, Reference, SearchSpace, Value
from searchspaces.spec import NetworkSpec

_CELLS = 5
_WIDTHS = (16, 32, 64)
_CLASSES = 10
_NETWORKS = 5_260
_BN_EPSILON = 1e-5
_PLACES = len(CELL_OPS) ** np.arange(len(CELL_EDGES) - 1, -1, -1)


class NASBench201Cells(SearchSpace):
    """The 15,625 labelled cells; different ids may stand for one network."""

    name: ClassVar[str] = "nasbench201-cells"
    native_example: ClassVar[str | None] = EXAMPLE
    choices = tuple(Choice(name=f"edge_{source}_{target}", values=CELL_OPS) for source, target in CELL_EDGES)
    references: ClassVar[dict[str, Reference]] = {}

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if input_shape is not None and len(input_shape) != 3:
            raise InputError(
                f"input of space {self.name}: expected an image such as 32x32x3, got {input_shape}; "
                "use space tabnas for tables."
            )
        super().__init__(input_shape, classes, **pins)

    def cell(self, architecture: Architecture) -> Cell:
        """The operation of every edge, in the order of `CELL_EDGES`."""
        return tuple(str(value) for value in self.values(architecture).values())

    def native(self, architecture: Architecture) -> str:
        """The benchmark's own string of an architecture."""
        return cell_text(self.cell(architecture))

    def network_key(self, architecture: Architecture) -> int:
        """The number of its network among the 5,260."""
        self._check_space(architecture)
        return int(network_classes()[np.array(architecture.indices) @ _PLACES])

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The published skeleton around the cell, without what reaches no output.

        Where nothing passes through the cell the network is constant, and no more of it is built than the classifier.
        """
        cell = self.cell(architecture)
        body = (
            self._stages(cell)
            if live_edges(cell)
            else [PoolBlock(), RescaleBlock(name="nothing", scale=(0.0,), offset=(0.0,))]
        )
        head = (DenseBlock(name="classifier", units=self.classes or _CLASSES), SoftmaxBlock())
        return NetworkSpec(name=architecture.id, input_shape=self.input_shape or (32, 32, 3), blocks=(*body, *head))

    def _stages(self, cell: Cell) -> list[Block]:
        epsilon = _BN_EPSILON
        stem = ConvBlock(name="stem", filters=_WIDTHS[0], kernel=3, activation=None, bn_epsilon=epsilon)
        blocks: list[Block] = [stem]
        for stage, width in enumerate(_WIDTHS, start=1):
            if stage > 1:
                blocks.append(ReductionBlock(name=f"reduction{stage}", filters=width, bn_epsilon=epsilon))
            names = [f"cell{stage}_{number}" for number in range(1, _CELLS + 1)]
            blocks += [CellBlock(name=name, cell_ops=cell, bn_epsilon=epsilon) for name in names]
        return [*blocks, NormBlock(name="last", bn_epsilon=epsilon), PoolBlock()]

    def architecture_graphs(self, architectures: Sequence[Architecture]) -> ArchitectureGraphs:
        """One node an operation, and two for the cell's input and output; what reaches no output is left out."""
        rows = np.array([architecture.indices for architecture in architectures], dtype=np.int64)
        rows = rows.reshape(len(architectures), len(CELL_EDGES))
        return edge_cells(rows, CELL_EDGES, none=CELL_OPS.index(NONE), count=len(CELL_OPS))

    def representatives(self, architectures: Sequence[Architecture]) -> list[Architecture]:
        """The first of all cells that are the same network."""
        rows = np.array([architecture.indices for architecture in architectures], dtype=np.int64)
        classes = network_classes()
        _, first = np.unique(classes, return_index=True)
        return self.from_indices(_digits(first[classes[rows.reshape(-1, len(CELL_EDGES)) @ _PLACES]]))

    def _native_indices(self, text: str) -> tuple[int, ...] | None:
        return tuple([CELL_OPS.index(op) for op in parse_cell(text)]) if text.startswith("|") else None


class NASBench201(NASBench201Cells):
    """The 5,260 networks of the benchmark: of equal cells the first, counted in operations, stands for all.

    Drawing and moving work on labelled cells, where every operation of every edge is equally likely, so a network with
    more labellings comes more often.
    """

    name: ClassVar[str] = "nasbench201"
    folds: ClassVar[bool] = True

    @cached_property
    def size(self) -> int:
        """Distinct networks; the published key counts 6,466 (see `published_key`)."""
        return len(np.unique(self._folded[self._codes])) if self._pins else _NETWORKS

    def labellings(self, architecture: Architecture) -> list[Architecture]:
        """All cells of this network that the pins allow."""
        self._check_space(architecture)
        return self.from_indices(_digits(self._members(self._code(architecture))))

    def enumerate(self) -> Iterator[Architecture]:
        """Every network once, by its first cell."""
        yield from self.from_indices(_digits(np.unique(self._folded[self._codes])))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One operation of one of its labellings changed, uniformly among such changes that make another network."""
        moves = self._moves(architecture)
        return self._of_code(int(moves[rng.integers(len(moves))])) if len(moves) else architecture

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """All other networks that some labelling is one operation away from."""
        return [self._of_code(int(code)) for code in np.unique(self._moves(architecture))]

    def _canonical(self, rows: Indices) -> Indices:
        complete = (rows >= 0).all(axis=1)
        rows[complete] = _digits(self._folded[rows[complete] @ _PLACES])
        return rows

    def _completed(self, indices: list[int], rng: np.random.Generator | None) -> Architecture:
        return self._of_code(int(self._folded[np.array(indices) @ _PLACES]))

    @cached_property
    def _codes(self) -> NDArray[np.int64]:
        """Numbers of the cells that the pins allow, in order."""
        allowed = [self._reachable(column) for column in range(len(self.choices))]
        return np.stack(np.meshgrid(*allowed, indexing="ij"), axis=-1).reshape(-1, len(allowed)) @ _PLACES

    @cached_property
    def _folded(self) -> NDArray[np.int64]:
        """For every cell the one that stands for its network: the first that the pins allow, or else the first."""
        classes = network_classes()
        first = np.full(classes.max() + 1, len(classes), dtype=np.int64)
        np.minimum.at(first, classes[self._codes], self._codes)
        rest = np.full_like(first, len(classes))
        np.minimum.at(rest, classes, np.arange(len(classes)))
        folded: NDArray[np.int64] = np.where(first < len(classes), first, rest)[classes]
        return folded

    @cached_property
    def _moves_of(self) -> dict[int, NDArray[np.int64]]:
        return {}

    def _members(self, code: int) -> NDArray[np.int64]:
        members: NDArray[np.int64] = self._codes[self._folded[self._codes] == self._folded[code]]
        return members

    def _moves(self, architecture: Architecture) -> NDArray[np.int64]:
        """Codes of the networks one changed operation away, once for every such change."""
        self._check_space(architecture)
        code = int(self._folded[self._code(architecture)])
        if code not in self._moves_of:
            members = self._members(code)
            found = [
                self._folded[members + (index - members // place % len(CELL_OPS)) * place]
                for column, place in enumerate(_PLACES)
                if column not in self._pins
                for index in range(len(CELL_OPS))
            ]
            codes = np.concatenate(found) if found else members[:0]
            self._moves_of[code] = codes[codes != code]
        return self._moves_of[code]

    def _code(self, architecture: Architecture) -> int:
        return int(np.array(architecture.indices) @ _PLACES)

    def _of_code(self, code: int) -> Architecture:
        return Architecture(self.name, tuple(code // place % len(CELL_OPS) for place in _PLACES.tolist()))


def _digits(codes: NDArray[np.int64]) -> Indices:
    """Index rows ``[N, edges]`` of cells by their numbers."""
    rows: Indices = codes[:, np.newaxis] // _PLACES % len(CELL_OPS)
    return rows
