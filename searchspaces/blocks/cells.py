"""Blocks of cell networks: the cell of NAS-Bench-201, and the residual block between its stages."""

from __future__ import annotations

from dataclasses import dataclass

from searchspaces import layers
from searchspaces.blocks.base import Checked, activate
from searchspaces.errors import InputError, unknown_name
from searchspaces.graph import GraphBuilder

NONE, SKIP, CONV_1X1, CONV_3X3, POOL = "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"
CELL_OPS = (NONE, SKIP, CONV_1X1, CONV_3X3, POOL)
CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_LAST_NODE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CellBlock(Checked):
    """Four nodes, each the sum of what its edges bring (Dong and Yang 2020, section 2.1); node 3 is what comes out.

    `cell_ops` names the operation of every edge in the order of `CELL_EDGES`. A convolution is ReLU, convolution, batch
    norm, as published; those of one node share their ReLU. What does not reach node 3 is left out.
    """

    name: str
    cell_ops: tuple[str, ...]
    bn_epsilon: float = layers.BN_EPSILON

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        for op in self.cell_ops:
            if op not in CELL_OPS:
                raise unknown_name(f"cell_ops of block {self.name}", op, CELL_OPS)
        if len(self.cell_ops) != len(CELL_EDGES):
            raise InputError(
                f"cell_ops of block {self.name}: expected {len(CELL_EDGES)} operations, one an edge, got "
                f"{len(self.cell_ops)}; write none where an edge is empty."
            )
        if not live_edges(self.cell_ops):
            raise InputError(
                f"cell_ops of block {self.name}: expected a way from node 0 to node 3, got {self.cell_ops}; a network "
                "of such cells is constant, build a smaller one."
            )

    def expand(self, graph: GraphBuilder, x: int) -> int:
        live, nodes, made = live_edges(self.cell_ops), {0: x}, {}

        def once(name: str, layer: layers.Layer, *inputs: int) -> int:
            """A layer without weights over the same inputs is the same value, however many edges ask for it."""
            key = (layer, tuple(sorted(inputs)))
            if key not in made:
                made[key] = graph.add(name, layer, *inputs)
            return made[key]

        for number, ((source, target), op) in enumerate(zip(CELL_EDGES, self.cell_ops, strict=True)):
            if number not in live:
                continue
            name, value = f"edge{source}{target}", nodes[source]
            if op == POOL:
                value = once(f"{name}_pool", layers.AveragePool2D(kernel=3, stride=1), value)
            elif op != SKIP:
                value = once(f"{name}_act", layers.Activation(name="relu"), value)
                kernel = 1 if op == CONV_1X1 else 3
                value = graph.add(f"{name}_conv", layers.Conv2D(filters=graph.shape(x)[-1], kernel=kernel), value)
                value = graph.add(f"{name}_bn", layers.BatchNorm(epsilon=self.bn_epsilon), value)
            nodes[target] = once(f"{name}_add", layers.Add(), nodes[target], value) if target in nodes else value
        return nodes[_LAST_NODE]

    def label(self) -> str:
        return f"cell of {len(live_edges(self.cell_ops))} operations"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionBlock(Checked):
    """Pre-activated residual block that halves the map; a mean and a 1x1 convolution bring the way round to its shape.

    (Dong and Yang 2020, section 2.1.)
    """

    name: str
    filters: int
    bn_epsilon: float = layers.BN_EPSILON

    def expand(self, graph: GraphBuilder, x: int) -> int:
        norm, skip = layers.BatchNorm(epsilon=self.bn_epsilon), x
        for part, stride in (("a", 2), ("b", 1)):
            x = activate(graph, "relu", x, f"{part}_act")
            x = graph.add(f"{part}_conv", layers.Conv2D(filters=self.filters, kernel=3, stride=stride), x)
            x = graph.add(f"{part}_bn", norm, x)
        skip = graph.add("skip_pool", layers.AveragePool2D(kernel=2, stride=2), skip)
        skip = graph.add("skip_conv", layers.Conv2D(filters=self.filters, kernel=1), skip)
        return graph.add("add", layers.Add(), skip, x)

    def label(self) -> str:
        return f"residual s2 → {self.filters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NormBlock(Checked):
    """Batch norm and ReLU by themselves, at the end of a pre-activated network."""

    name: str
    bn_epsilon: float = layers.BN_EPSILON

    def expand(self, graph: GraphBuilder, x: int) -> int:
        return activate(graph, "relu", graph.add("bn", layers.BatchNorm(epsilon=self.bn_epsilon), x))

    def label(self) -> str:
        return "batch norm, ReLU"


def live_edges(ops: tuple[str, ...]) -> frozenset[int]:
    """Numbers of the edges that lie on a way from node 0 to node 3 over which something passes."""
    fed, needed = {0}, {_LAST_NODE}
    for (source, target), op in zip(CELL_EDGES, ops, strict=True):
        if op != NONE and source in fed:
            fed.add(target)
    for (source, target), op in reversed(tuple(zip(CELL_EDGES, ops, strict=True))):
        if op != NONE and target in needed:
            needed.add(source)
    return frozenset(
        number
        for number, ((source, target), op) in enumerate(zip(CELL_EDGES, ops, strict=True))
        if op != NONE and source in fed and target in needed
    )
