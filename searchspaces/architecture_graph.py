"""Architectures as graphs of their operations: what a predictor looks at.

A space of cells offers its own graphs by having the method of `GraphSpace`. Any other space is a chain: one node a
choice, in order, each joined to the next that reaches the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError
from searchspaces.space import Architecture, SearchSpace, Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArchitectureGraphs:
    """N graphs of up to n nodes with F features; a node whose features are all zero is not there.

    nodes: float32 ``[N, n, F]``, a one-hot row for each node.
    adjacency: float32 ``[N, n, n]``; 1 at [i, j] where an edge leads from node i to node j.
    """

    nodes: NDArray[np.float32]
    adjacency: NDArray[np.float32]

    def __post_init__(self) -> None:
        graphs, count = self.nodes.shape[:2] if self.nodes.ndim == 3 else (-1, -1)
        if self.adjacency.shape != (graphs, count, count):
            raise InputError(
                f"graphs: expected nodes [N, n, F] and adjacency [N, n, n], got {self.nodes.shape} and "
                f"{self.adjacency.shape}; give one row and one column of the adjacency for each node."
            )

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> ArchitectureGraphs:
        """Some of the graphs."""
        return ArchitectureGraphs(nodes=self.nodes[rows], adjacency=self.adjacency[rows])

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which nodes are there, ``[N, n]``."""
        return np.asarray(self.nodes.any(axis=2))


@runtime_checkable
class GraphSpace(Protocol):
    """A space that knows the graphs of its architectures."""

    def architecture_graphs(self, architectures: Sequence[Architecture]) -> ArchitectureGraphs:
        """One graph an architecture, all padded to the same number of nodes."""
        ...


def architecture_graphs(space: SearchSpace, architectures: Sequence[Architecture]) -> ArchitectureGraphs:
    """The space's own graphs, or else chains of its choices."""
    if isinstance(space, GraphSpace):
        return space.architecture_graphs(architectures)
    return choice_chains(space, architectures)


def architecture_vectors(space: SearchSpace, architectures: Sequence[Architecture]) -> NDArray[np.float32]:
    """Features ``[N, F]`` for regressors that know no graphs.

    Of a space with graphs the nodes in a row, so what reaches no output is zero; of any other the one-hot choices.
    """
    if isinstance(space, GraphSpace):
        nodes = space.architecture_graphs(architectures).nodes
        return nodes.reshape(len(nodes), nodes.shape[1] * nodes.shape[2])
    return space.one_hot(architectures)


def choice_chains(space: SearchSpace, architectures: Sequence[Architecture]) -> ArchitectureGraphs:
    """One node a choice, joined to the next one that is not blank.

    A node's features are its value, shared by choices that differ in their numbers alone (`kernel_1_2` and
    `kernel_3_1`), and its place in the chain: pooled over, equal layers at different depths would look the same, and
    where a layer stands is much of what it is worth.
    """
    rows = np.array([architecture.indices for architecture in architectures], dtype=np.int64)
    rows = rows.reshape(len(architectures), len(space.choices))
    value_of, count = _shared_values(space)
    nodes = np.zeros((*rows.shape, count + rows.shape[1]), dtype=np.float32)
    graph, choice = np.nonzero(rows >= 0)
    nodes[graph, choice, value_of[choice, rows[graph, choice]]] = 1
    nodes[graph, choice, count + choice] = 1
    adjacency = np.zeros((*rows.shape, rows.shape[1]), dtype=np.float32)
    # Nodes that are there come in order, graph by graph: each leads to the next of its own graph.
    same = graph[:-1] == graph[1:]
    adjacency[graph[:-1][same], choice[:-1][same], choice[1:][same]] = 1
    return ArchitectureGraphs(nodes=nodes, adjacency=adjacency)


def _shared_values(space: SearchSpace) -> tuple[NDArray[np.int64], int]:
    """The feature of every choice's every value, ``[choices, most values]``, and how many features that makes."""
    known: dict[tuple[str, Value], int] = {}
    table = np.zeros((len(space.choices), max(len(choice.every_value) for choice in space.choices)), dtype=np.int64)
    for row, choice in enumerate(space.choices):
        kind = choice.name.rstrip("0123456789_")
        for column, value in enumerate(choice.every_value):
            table[row, column] = known.setdefault((kind, value), len(known))
    return table, len(known)


def edge_cells(
    operations: NDArray[np.int64], edges: Sequence[tuple[int, int]], *, none: int, count: int
) -> ArchitectureGraphs:
    """Cells with their operations on edges, turned inside out: a node an operation, and one each for input and output.

    Operations that no path from the input to the output runs through are left out, so cells that compute the same by
    what is left of them have the same graph.

    Args:
        operations: ``[N, edges]``, which operation is on each edge, from 0 to count - 1.
        edges: from and to which node of the cell each leads; the first node is the input and the last the output.
        none: the operation that passes nothing on.
        count: how many operations there are.
    """
    sources, targets = np.array(edges, dtype=np.int64).T
    live = _live(operations != none, sources, targets)
    places = len(edges) + 2
    nodes = np.zeros((len(operations), places, count + 2), dtype=np.float32)
    nodes[:, 0, 0] = nodes[:, -1, 1] = 1
    row, edge = np.nonzero(live)
    nodes[row, edge + 1, operations[row, edge] + 2] = 1
    wiring = np.zeros((places, places), dtype=np.float32)
    wiring[1:-1, 1:-1] = targets[:, None] == sources[None, :]
    wiring[0, 1:-1] = sources == 0
    wiring[1:-1, -1] = targets == targets.max()
    present = np.asarray(nodes.any(axis=2))
    adjacency = wiring * present[:, :, None] * present[:, None, :]
    return ArchitectureGraphs(nodes=nodes, adjacency=adjacency.astype(np.float32))


def _live(passes: NDArray[np.bool_], sources: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which edges lie on a path from the first to the last node, ``[N, edges]``."""
    count = int(targets.max()) + 1
    reached = np.zeros((len(passes), count), dtype=np.bool_)
    leads_out = reached.copy()
    reached[:, 0] = leads_out[:, -1] = True
    for node in range(1, count):
        reached[:, node] = (passes & reached[:, sources] & (targets == node)).any(axis=1)
    for node in range(count - 2, -1, -1):
        leads_out[:, node] = (passes & leads_out[:, targets] & (sources == node)).any(axis=1)
    return np.asarray(passes & reached[:, sources] & leads_out[:, targets])
