from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nas.pareto import Objective, hypervolume, knee, non_dominated, tied_with_front
from searchspaces.errors import InputError

MIN2 = ("minimize", "minimize")
matrices = st.integers(1, 4).flatmap(
    lambda columns: hnp.arrays(
        np.float64,
        st.tuples(st.integers(0, 12), st.just(columns)),
        # Few levels, so that ties and duplicates are common.
        elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0, np.nan, np.inf]),
    )
)


def slow_front(costs: np.ndarray) -> list[bool]:
    finite = np.isfinite(costs).all(axis=1)

    def dominates(one: int, other: int) -> bool:
        return bool((costs[one] <= costs[other]).all() and (costs[one] < costs[other]).any())

    rows = range(len(costs))
    return [bool(finite[i]) and not any(finite[j] and dominates(j, i) for j in rows) for i in rows]


@pytest.mark.parametrize("text", ["maximize accuracy", "minimize latency_ms@host-cpu"])
def test_objective_round_trip(text: str) -> None:
    assert str(Objective.parse(text)) == text


@pytest.mark.parametrize("text", ["accuracy", "maximize", "maximize a b", "", "minimise x", "Maximize x"])
def test_objective_refuses(text: str) -> None:
    with pytest.raises(InputError, match=r"objective.*expected"):
        Objective.parse(text)


def test_objective_names_the_nearest_direction() -> None:
    with pytest.raises(InputError, match="did you mean 'minimize'"):
        Objective.parse("minimise latency_ms")


@given(matrices)
def test_front_equals_definition(costs: np.ndarray) -> None:
    assert non_dominated(costs, ["minimize"] * costs.shape[1]).tolist() == slow_front(costs)


@given(matrices)
def test_front_of_negated_values_is_the_same(costs: np.ndarray) -> None:
    mirrored = non_dominated(-costs, ["maximize"] * costs.shape[1])
    assert mirrored.tolist() == non_dominated(costs, ["minimize"] * costs.shape[1]).tolist()


def test_front_keeps_duplicates_and_drops_nan() -> None:
    values = [[0.9, 2.0], [0.9, 2.0], [0.8, 2.0], [np.nan, 1.0], [0.7, 1.0]]
    assert non_dominated(values, ["maximize", "minimize"]).tolist() == [True, True, False, False, True]


def test_front_takes_extreme_floats() -> None:
    values = [[1e308, -1e308], [-1e308, 1e308], [1e308, 1e308]]
    assert non_dominated(values, MIN2).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("values", "directions", "message"),
    [
        ([1.0, 2.0], MIN2, "one column for each of 2"),
        ([[1.0]], MIN2, "one column for each of 2"),
        ([[1.0, 2.0]], (), "one column"),
        ([[1.0, 2.0]], ("minimize", "maximise"), "did you mean 'maximize'"),
    ],
)
def test_front_refuses(values: Any, directions: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        non_dominated(values, directions)


def test_hypervolume_by_hand() -> None:
    # Reference (4, 4): a staircase of 3 + 2 + 1 unit squares.
    assert hypervolume([[1, 3], [2, 2], [3, 1]], MIN2, [4, 4]) == pytest.approx(6.0)
    # A 2×2×2 cube at the corner (3, 3, 3), and a 3×1×1 bar of which 2×1×1 lies inside it.
    assert hypervolume([[1, 1, 1], [0, 2, 2]], ["minimize"] * 3, [3, 3, 3]) == pytest.approx(9.0)
    assert hypervolume([[0.25], [0.5]], ["maximize"], [0.0]) == pytest.approx(0.5)
    assert hypervolume([[5, 0], [0, 4], [np.nan, 0]], MIN2, [4, 4]) == 0.0
    assert hypervolume(np.empty((0, 2)), MIN2, [4, 4]) == 0.0


@settings(deadline=None)
@given(hnp.arrays(np.int64, st.tuples(st.integers(0, 8), st.integers(1, 4)), elements=st.integers(0, 5)))
def test_hypervolume_counts_unit_cubes(costs: np.ndarray) -> None:
    columns = costs.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(5)] * columns, indexing="ij"), axis=-1).reshape(-1, columns)
    dominated = (costs[:, None, :] <= cells[None, :, :]).all(axis=2).any(axis=0)
    volume = hypervolume(costs.astype(float), ["minimize"] * columns, [5.0] * columns)
    assert volume == pytest.approx(float(dominated.sum()))


def test_hypervolume_refuses_an_infinite_reference() -> None:
    with pytest.raises(InputError, match="reference: expected 2 finite numbers"):
        hypervolume([[1.0, 1.0]], MIN2, [np.inf, 1.0])


def test_knee_is_the_bend() -> None:
    # Accuracy against latency: the third row gives nearly all accuracy for a tenth of the latency.
    values = [[0.70, 1.0], [0.80, 1.5], [0.95, 2.0], [0.96, 10.0], [0.97, 20.0], [0.5, 30.0]]
    assert knee(values, ["maximize", "minimize"]) == 2


def test_knee_does_not_depend_on_units() -> None:
    values = np.array([[0.70, 1.0], [0.90, 2.0], [0.97, 20.0]])
    assert knee(values, ["maximize", "minimize"]) == knee(values * [100, 1000], ["maximize", "minimize"]) == 1


@pytest.mark.parametrize(
    ("values", "expected"), [([[0.9, 5.0], [0.8, 1.0]], 0), ([[0.1, 1.0]], 0), ([[0.5, 2.0], [0.9, 1.0]], 1)]
)
def test_knee_of_few_points_is_the_best(values: Any, expected: int) -> None:
    assert knee(values, ["maximize", "minimize"]) == expected


def test_knee_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="at least one row of finite values"):
        knee([[np.nan, 1.0]], MIN2)


def test_ties_need_overlap_on_every_objective() -> None:
    low = [[0.90, 1.0], [0.89, 1.1], [0.89, 3.0], [0.70, 1.0], [np.nan, 1.0]]
    high = [[0.94, 1.2], [0.93, 1.3], [0.93, 3.1], [0.75, 1.2], [0.9, 1.2]]
    assert tied_with_front(low, high, [True, False, False, False, False]) == ((), (0,), (), (), ())


def test_front_members_tie_with_each_other() -> None:
    assert tied_with_front([[0.0], [0.5]], [[1.0], [1.5]], [True, True]) == ((1,), (0,))


def test_ties_refuse_swapped_bounds() -> None:
    with pytest.raises(InputError, match="low <= high, got the opposite in row 1"):
        tied_with_front([[0.0], [2.0]], [[1.0], [1.0]], [True, True])


def test_ties_refuse_other_shapes() -> None:
    with pytest.raises(InputError, match="expected low and high of one shape"):
        tied_with_front([[0.0]], [[1.0], [1.0]], [True])
