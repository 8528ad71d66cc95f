"""Graphs of architectures: chains of choices, cells turned inside out, and what they have to tell apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.architecture_graph import (
    ArchitectureGraphs,
    architecture_graphs,
    architecture_vectors,
    choice_chains,
    edge_cells,
)
from searchspaces.bignas import BigNAS
from searchspaces.blocks.cells import CELL_EDGES, CELL_OPS, live_edges
from searchspaces.catalog import SPACES
from searchspaces.errors import InputError
from searchspaces.nasbench201 import NASBench201Cells
from searchspaces.tabnas import TabNAS

CELLS = NASBench201Cells()
cells = st.tuples(*[st.integers(0, len(CELL_OPS) - 1)] * len(CELL_EDGES))


def cell_graph(*indices: int) -> ArchitectureGraphs:
    return architecture_graphs(CELLS, CELLS.from_indices(np.array([indices])))


def test_a_chain_leads_from_choice_to_choice_past_those_that_are_blank() -> None:
    space = TabNAS((4,), 3)
    graphs = choice_chains(space, [space.parse("tabnas:0-3-4-x-x"), space.parse("tabnas:2-0-1-2-3")])
    assert graphs.nodes.shape == (2, 5, 3 + 20 + 5)
    assert graphs.present.tolist() == [[True, True, True, False, False], [True] * 5]
    assert np.argwhere(graphs.adjacency[0]).tolist() == [[0, 1], [1, 2]]
    assert np.argwhere(graphs.adjacency[1]).tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    # The value of a width, whichever layer it is of, and the place.
    assert np.flatnonzero(graphs.nodes[0, 1]).tolist() == [3 + 3, 23 + 1]
    assert np.flatnonzero(graphs.nodes[1, 4]).tolist() == [3 + 3, 23 + 4]


def test_a_blank_in_the_middle_of_a_chain_is_stepped_over() -> None:
    space = BigNAS((32, 32, 3), 10)
    graphs = choice_chains(space, space.sample(np.random.default_rng(0), 3))
    assert not graphs.present[:, 0].any(), "the resolution is given by the input"
    assert graphs.adjacency[:, 1, 2].all()
    assert graphs.adjacency.sum() == 3 * (len(space.choices) - 2)


@pytest.mark.parametrize("name", SPACES)
def test_graphs_and_vectors_tell_all_architectures_of_a_chain_apart(name: str) -> None:
    space = SPACES[name]()
    rows = dict.fromkeys(space.sample(np.random.default_rng(0), 40))
    graphs, vectors = choice_chains(space, list(rows)), space.one_hot(list(rows))
    assert len(np.unique(graphs.nodes.reshape(len(rows), -1), axis=0)) == len(rows)
    assert len(np.unique(vectors, axis=0)) == len(rows)
    assert (graphs.nodes.sum(axis=2) == 2 * graphs.present).all()


def test_a_cell_becomes_a_graph_of_its_operations() -> None:
    # |conv3~0|+|none~0|skip~1|+|conv1~0|none~1|pool~2|
    graphs = cell_graph(3, 0, 1, 2, 0, 4)
    assert graphs.present[0].tolist() == [True, True, False, True, True, False, True, True]
    assert [int(row.argmax()) for row in graphs.nodes[0][graphs.present[0]]] == [0, 5, 3, 4, 6, 1]
    # Input to conv3 and conv1; conv3 to skip to pool; conv1 and pool to the output.
    edges = [[0, 1], [0, 4], [1, 3], [3, 6], [4, 7], [6, 7]]
    assert np.argwhere(graphs.adjacency[0]).tolist() == edges


def test_what_reaches_no_output_leaves_no_trace() -> None:
    # Node 1 feeds nothing but node 2, and node 2 nothing at all.
    with_dead, without = cell_graph(3, 2, 4, 3, 0, 0), cell_graph(0, 0, 0, 3, 0, 0)
    assert (with_dead.nodes == without.nodes).all()
    assert (with_dead.adjacency == without.adjacency).all()
    assert cell_graph(0, 0, 0, 0, 0, 0).present.sum() == 2


@given(cells)
def test_live_operations_are_those_the_network_is_built_from(indices: tuple[int, ...]) -> None:
    live = live_edges(tuple(CELL_OPS[index] for index in indices))
    assert np.flatnonzero(cell_graph(*indices).present[0, 1:-1]).tolist() == sorted(live)


def test_vectors_of_cells_are_their_nodes_in_a_row_and_of_others_the_one_hot_choices() -> None:
    architectures = CELLS.sample(np.random.default_rng(1), 5)
    graphs = architecture_graphs(CELLS, architectures)
    assert (architecture_vectors(CELLS, architectures) == graphs.nodes.reshape(5, -1)).all()
    space = TabNAS((4,), 3)
    found = space.sample(np.random.default_rng(1), 5)
    assert (architecture_vectors(space, found) == space.one_hot(found)).all()


def test_rows_are_picked_and_none_are_no_trouble() -> None:
    architectures = CELLS.sample(np.random.default_rng(1), 6)
    graphs = architecture_graphs(CELLS, architectures)
    odd = graphs[np.arange(6) % 2 == 1]
    assert len(odd) == 3
    assert (odd.nodes[1] == graphs.nodes[3]).all()
    for space in (CELLS, TabNAS((4,), 3)):
        assert len(architecture_graphs(space, [])) == len(architecture_vectors(space, [])) == 0


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    nodes = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(InputError, match=r"got \(2, 3, 4\) and \(2, 4, 4\)"):
        ArchitectureGraphs(nodes=nodes, adjacency=np.zeros((2, 4, 4), np.float32))
    with pytest.raises(InputError, match="expected nodes"):
        ArchitectureGraphs(nodes=nodes[0], adjacency=np.zeros((2, 3, 3), np.float32))


def test_a_cell_of_another_wiring() -> None:
    graphs = edge_cells(np.array([[1, 1, 0]]), [(0, 1), (1, 2), (0, 2)], none=0, count=2)
    assert np.argwhere(graphs.adjacency[0]).tolist() == [[0, 1], [1, 2], [2, 4]]
