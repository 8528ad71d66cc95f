from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.constraints import Constraint
from nas.costing import Assessment, check
from nas.pareto import Objective
from nas.problem import Problem
from nas.testing import ToySpace
from searchspaces.space import Architecture

OBJECTIVES = (Objective.parse("maximize accuracy"), Objective.parse("minimize latency_ms@host-cpu"))
CONSTRAINTS = tuple(map(Constraint.parse, ("width <= 1", "latency_ms@host-cpu <= 0")))


class Counted:
    """`width` is counted, the latency measured; both are the first index. Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Architecture, tuple[str, ...]]] = []

    def is_cheap(self, metric: str) -> bool:
        return metric == "width"

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        self.asked.append((architecture, tuple(metrics)))
        return check({metric: float(architecture.indices[0]) for metric in metrics}, constraints)


def problem(costs: Counted) -> Problem:
    return Problem(
        space=ToySpace(),
        objectives=OBJECTIVES,
        constraints=CONSTRAINTS,
        costs=costs,
        cost_metrics=("width", "latency_ms@host-cpu"),
    )


def test_candidates_are_screened_without_a_measurement_and_asked_about_once() -> None:
    costs = Counted()
    asked, every = problem(costs), list(ToySpace().enumerate())
    expected = [each.indices[0] <= 1 for each in every]
    for _ in range(2):
        assert asked.feasible(every).tolist() == expected
    assert costs.asked == [(each, ("width",)) for each in every]


def test_known_are_counted_costs_and_neither_measured_ones_nor_results() -> None:
    every = list(ToySpace().enumerate())
    found = problem(Counted()).known(every, ["accuracy", "width", "latency_ms@host-cpu"])
    assert found.shape == (len(every), 3)
    assert np.isnan(found[:, [0, 2]]).all()
    assert found[:, 1].tolist() == [each.indices[0] for each in every]


def test_an_assessment_finds_everything() -> None:
    costs = Counted()
    narrow, wide = next(ToySpace().enumerate()), ToySpace().architecture(width=16, layers=1, last=2)
    assert problem(costs).assess(narrow).checked == CONSTRAINTS
    assert problem(costs).assess(wide).violated == CONSTRAINTS[1:]
    assert costs.asked[0][1] == ("width", "latency_ms@host-cpu")


def test_without_costs_everything_is_feasible_and_nothing_known() -> None:
    free, every = Problem(space=ToySpace(), objectives=OBJECTIVES), list(ToySpace().enumerate())
    assert free.feasible(every).all() and free.feasible([]).shape == (0,)
    assert np.isnan(free.known(every, ["params"])).all() and free.known([], ["params", "macs"]).shape == (0, 2)
