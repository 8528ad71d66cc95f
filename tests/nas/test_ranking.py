from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nas.pareto import non_dominated
from nas.ranking import crowded_order, crowding_distances, front_ranks

MATRICES = arrays(np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.integers(0, 5).map(float))
BOTH = ("maximize", "minimize")


def test_ranks_of_a_drawn_example() -> None:
    values = [[9, 9], [5, 1], [9, 3], [5, 5], [4, 5], [np.nan, 0], [8, 2]]
    assert front_ranks(values, BOTH).tolist() == [1, 0, 0, 1, 2, 3, 0]


@given(MATRICES)
def test_ranks_are_fronts_peeled_one_after_the_other(values: np.ndarray) -> None:
    ranks, left = front_ranks(values, BOTH), np.arange(len(values))
    for rank in range(len(values)):
        front = non_dominated(values[left], BOTH) if len(left) else np.zeros(0, bool)
        assert (ranks[left] == rank).tolist() == front.tolist()
        left = left[~front]


def test_crowding_of_a_drawn_example() -> None:
    # In units of the spans, 10 and 100: (4 - 0) / 10 + (100 - 20) / 100 for the second row.
    values = [[0, 100], [1, 40], [4, 20], [10, 0]]
    assert crowding_distances(values) == pytest.approx([np.inf, 0.4 + 0.8, 0.9 + 0.4, np.inf])
    assert crowding_distances([[3.0, 3.0], [3.0, 3.0]]).tolist() == [0, 0]
    assert crowding_distances(np.zeros((0, 2))).tolist() == []


@given(MATRICES)
def test_the_order_is_by_front_then_by_crowding(values: np.ndarray) -> None:
    order, ranks = crowded_order(values, BOTH), front_ranks(values, BOTH)
    assert sorted(order.tolist()) == list(range(len(values)))
    assert (np.diff(ranks[order]) >= 0).all()
    for rank in np.unique(ranks):
        rows = np.flatnonzero(ranks == rank)
        crowding = dict(zip(rows.tolist(), crowding_distances(values[rows]).tolist(), strict=True))
        along = [crowding[row] for row in order.tolist() if ranks[row] == rank]
        assert along == sorted(along, reverse=True)


def test_one_objective_is_a_plain_sort_and_what_is_not_finite_is_last() -> None:
    values = [[3.0], [np.nan], [1.0], [2.0], [np.inf]]
    assert crowded_order(values, ["minimize"]).tolist() == [2, 3, 0, 1, 4]
    assert crowded_order(values, ["maximize"]).tolist() == [0, 3, 2, 1, 4]
