"""Controllers for several objectives, and the local search they are held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nas.constraints import Constraint
from nas.controllers.catalog import create_controller
from nas.controllers.ehvi import EHVI
from nas.controllers.local import LocalSearch
from nas.controllers.nsga2 import NSGA2
from nas.controllers.rejection import accepted, draw_feasible
from nas.costing import Assessment, check
from nas.pareto import Objective, hypervolume
from nas.problem import Problem
from nas.proposing import Proposer
from nas.testing import ToySpace, check_controller
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture
from searchspaces.tabnas import TabNAS

ACCURACY = (Objective.parse("maximize accuracy"),)
BOTH = (*ACCURACY, Objective.parse("minimize latency_ms"))
NAMES = ("local", "nsga2", "ehvi")


class Widths:
    """Two costs, counted or measured: the sum of the indices, and how far they are from the other end."""

    def __init__(self, *, cheap: bool = True) -> None:
        self._cheap = cheap

    def is_cheap(self, metric: str) -> bool:
        return self._cheap

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        total = float(sum(index for index in architecture.indices if index > 0))
        values = {"latency_ms": 1 + total, "spare": 60 - total}
        return check({metric: values[metric] for metric in metrics}, constraints)


def limited(*constraints: str, cheap: bool = True, objectives: Sequence[Objective] = BOTH) -> Problem:
    limits = tuple(map(Constraint.parse, constraints))
    return Problem(
        space=TabNAS((4,), 3, layers=2),
        objectives=tuple(objectives),
        constraints=limits,
        costs=Widths(cheap=cheap),
        cost_metrics=("latency_ms", *dict.fromkeys(limit.metric for limit in limits if limit.metric != "latency_ms")),
    )


def trial(number: int, architecture: Architecture, state: str = "COMPLETE", **metrics: float) -> Trial:
    return Trial(number=number, architecture=architecture, state=state, metrics=metrics)  # type: ignore[arg-type]


def test_controllers_on_conditional_choices_pass_the_kit_with_other_options() -> None:
    check_controller(lambda problem: NSGA2(problem, population=4, crossover=0.3, mutation=0))
    check_controller(lambda problem: LocalSearch(problem, initial=1))


# -- rejection ---------------------------------------------------------------------------------------------------------


def test_feasible_draws_are_uniform_over_what_is_feasible_and_unknown() -> None:
    problem = limited("latency_ms <= 9")
    every = list(problem.space.enumerate())
    feasible = [each for each, keeps in zip(every, problem.feasible(every), strict=True) if keeps]
    known = set(feasible[::3])
    left = [each for each in feasible if each not in known]
    drawn = draw_feasible(problem, 20, np.random.default_rng(0), known)
    assert len(set(drawn)) == 20 and set(drawn) <= set(left)
    counts = dict.fromkeys(left, 0)
    for seed in range(900):
        (one,) = draw_feasible(problem, 1, np.random.default_rng(seed), known)
        counts[one] += 1
    # Chi-square with len(left) - 1 degrees of freedom, within four of its standard deviations.
    expected = 900 / len(left)
    statistic = sum((count - expected) ** 2 / expected for count in counts.values())
    assert abs(statistic - (len(left) - 1)) < 4 * (2 * (len(left) - 1)) ** 0.5


def test_draws_end_where_nothing_is_feasible_or_everything_is_known() -> None:
    problem = limited("latency_ms <= 0")
    asked: list[int] = []

    def draw(count: int) -> list[Architecture]:
        asked.append(count)
        return problem.space.sample(np.random.default_rng(len(asked)), count)

    assert len(accepted(problem, 5, draw, set())) == 5
    assert sum(asked) <= 5 + 512
    asked.clear()
    assert len(accepted(limited(), 5, draw, set(problem.space.enumerate()))) == 5
    assert sum(asked) <= 5 + 5 + 32
    assert accepted(problem, 0, draw, set()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_that_is_cheap_to_check_costs_no_trial(name: str) -> None:
    problem = limited("latency_ms <= 12")
    controller, rng = create_controller(name, problem, {}), np.random.default_rng(0)
    for number in range(60):
        (one,) = controller.suggest(1, rng)
        assert problem.feasible([one])[0]
        controller.update([trial(number, one, accuracy=rng.random(), **problem.assess(one).metrics)])


# -- NSGA-II -----------------------------------------------------------------------------------------------------------


def member(problem: Problem, number: int, **metrics: float) -> Trial:
    return trial(number, list(problem.space.enumerate())[7 * number], **metrics)


def survivors(controller: NSGA2) -> list[Architecture]:
    return [each.architecture for each in controller._population]


def test_survival_is_by_front_then_by_crowding() -> None:
    problem = limited()
    controller = NSGA2(problem, population=4)
    figures = [(0.9, 9.0), (0.5, 1.0), (0.7, 3.0), (0.69, 2.9), (0.3, 8.0)]
    trials = [member(problem, n, accuracy=a, latency_ms=ms) for n, (a, ms) in enumerate(figures)]
    controller.update(trials)
    assert survivors(controller) == [trials[row].architecture for row in (0, 1, 2, 3)]
    # Better than the crowded pair together, and as far from both ends.
    newcomer = member(problem, 9, accuracy=0.75, latency_ms=2.5)
    controller.update([newcomer])
    assert survivors(controller)[:3] == [trials[0].architecture, trials[1].architecture, newcomer.architecture]


def test_feasible_before_infeasible_and_less_infeasible_first() -> None:
    problem = limited("latency_ms <= 10", "spare >= 40", cheap=False)
    controller = NSGA2(problem, population=3)
    space = list(problem.space.enumerate())
    far = trial(0, space[0], "INFEASIBLE", latency_ms=30.0, spare=31.0)
    near = trial(1, space[1], "INFEASIBLE", latency_ms=11.0, spare=50.0)
    unknown = trial(2, space[2], "INFEASIBLE")
    poor = trial(3, space[3], accuracy=0.1, latency_ms=10.0)
    controller.update([far, near, unknown, poor])
    assert survivors(controller) == [poor.architecture, near.architecture, far.architecture]
    controller.update([trial(4, space[4], accuracy=0.2, latency_ms=10.0), trial(5, space[5], "FAILED")])
    assert survivors(controller) == [space[4], poor.architecture, near.architecture]


def test_children_keep_to_their_parents_choices() -> None:
    problem = Problem(space=ToySpace(), objectives=ACCURACY)
    space = problem.space
    first, second = space.architecture(width=8, layers=1, last=2), space.architecture(width=32, layers=1, last=5)
    controller = NSGA2(problem, population=2, crossover=1, mutation=0)
    controller.update([trial(0, first, accuracy=0.5), trial(1, second, accuracy=0.6)])
    mixed = {space.architecture(width=8, layers=1, last=5), space.architecture(width=32, layers=1, last=2)}
    assert set(controller.suggest(2, np.random.default_rng(0))) == mixed


# -- local search ------------------------------------------------------------------------------------------------------


def distance(one: Architecture, other: Architecture) -> int:
    return sum(a != b for a, b in zip(one.indices, other.indices, strict=True))


def test_a_climb_goes_on_from_the_better_neighbour_and_ends_at_a_local_optimum() -> None:
    problem = Problem(space=ToySpace(layers=1), objectives=ACCURACY)
    controller, rng = LocalSearch(problem, initial=1), np.random.default_rng(1)
    height = {each: sum(each.indices[column] for column in (0, 3)) for each in problem.space.enumerate()}
    best, places = None, []
    for number in range(len(height)):
        (one,) = controller.suggest(1, rng)
        places.append((one, best))
        controller.update([trial(number, one, accuracy=height[one])])
        if best is None or height[one] > height[best]:
            best = one
        if height[best] == max(height.values()) and set(problem.space.neighbours(best)) <= {p for p, _ in places}:
            break
    assert all(distance(one, before) == 1 for one, before in places[1:])
    assert len(places) < len(height)
    # Every neighbour is known: the next climb begins elsewhere, and stays there though it is lower.
    (start,) = controller.suggest(1, rng)
    assert distance(start, best) == 2
    controller.update([trial(99, start, accuracy=height[start])])
    known = {p for p, _ in places}
    around = set(problem.space.neighbours(start)) - known
    assert set(controller.suggest(len(around), rng)) == around


def test_with_two_objectives_every_member_of_the_front_is_climbed_from() -> None:
    problem = Problem(space=ToySpace(layers=1), objectives=BOTH)
    ends = problem.space.architecture(width=8, last=2), problem.space.architecture(width=32, last=5)
    controller = LocalSearch(problem, initial=1)
    controller.update([trial(n, end, accuracy=0.4 + n, latency_ms=1.0 + n) for n, end in enumerate(ends)])
    around = {each for end in ends for each in problem.space.neighbours(end)}
    assert len(around) == 8
    found = controller.suggest(8, np.random.default_rng(0))
    assert set(found) == around
    assert {end for end in ends for each in found[:5] if distance(end, each) == 1} == set(ends)


# -- expected hypervolume improvement ----------------------------------------------------------------------------------


def told(controller: EHVI, problem: Problem, count: int = 12, **metrics: float) -> list[Architecture]:
    """Shows it trials whose accuracy grows with the first index; gives them."""
    known = problem.space.sample(np.random.default_rng(5), count)
    controller.update(
        [
            trial(number, each, accuracy=each.indices[1] / 20, **problem.assess(each).metrics, **metrics)
            for number, each in enumerate(known)
        ]
    )
    return known


def test_a_cost_that_is_cheap_to_know_is_taken_and_not_predicted() -> None:
    problem = limited()
    controller = EHVI(problem, initial=4)
    known = told(controller, problem)
    pool = [each for each in problem.space.enumerate() if each not in known]
    mean, deviation, losses = controller._predicted(pool)
    assert mean[:, 1].tolist() == problem.known(pool, ["latency_ms"])[:, 0].tolist()
    assert not deviation[:, 1].any() and deviation[:, 0].all()
    assert losses[:, 1].tolist() == problem.known(known, ["latency_ms"])[:, 0].tolist()


def test_a_measured_cost_is_predicted() -> None:
    problem = limited(cheap=False)
    controller = EHVI(problem, initial=4)
    told(controller, problem)
    mean, deviation, _ = controller._predicted(list(problem.space.enumerate()))
    assert deviation.all()
    truth = [problem.assess(each).metrics["latency_ms"] for each in problem.space.enumerate()]
    assert np.corrcoef(mean[:, 1], truth)[0, 1] > 0.5


def test_of_equal_latency_the_likelier_accuracy_is_tried_first() -> None:
    problem = Problem(space=TabNAS((4,), 3, layers=2), objectives=ACCURACY)
    controller = EHVI(problem, initial=4)
    known = told(controller, problem, count=60)
    best = max(each.indices[1] for each in known)
    assert np.mean([each.indices[1] for each in controller.suggest(5, np.random.default_rng(0))]) > best - 3


def test_a_space_too_large_to_list_is_searched_among_mutants_and_draws() -> None:
    problem = Problem(space=TabNAS((4,), 3), objectives=ACCURACY)
    assert problem.space.size > 100_000
    controller = EHVI(problem, initial=4, candidates=50)
    known = told(controller, problem)
    found = controller.suggest(20, np.random.default_rng(0))
    assert len(set(found) - set(known)) == 20


# -- against each other ------------------------------------------------------------------------------------------------


def volume(name: str, options: dict[str, int], seed: int, budget: int) -> float:
    space = TabNAS((4,), 3, layers=2)
    problem = Problem(space=space, objectives=BOTH, costs=Widths(), cost_metrics=("latency_ms",))
    controller = create_controller(name, problem, options)
    proposer, values = Proposer(problem, controller, seed=seed), []
    for number in range(budget):
        proposal = proposer.next(number)
        assert proposal is not None
        # The first layer is what counts, and the second should be narrower.
        _, first, second, *_ = proposal.architecture.indices
        accuracy = 1 - np.exp(-first / 6) - 0.02 * abs(second - first / 4)
        values.append((accuracy, proposal.assessment.metrics["latency_ms"]))
        metrics = {"accuracy": accuracy, **proposal.assessment.metrics}
        controller.update([trial(number, proposal.architecture, **metrics)])
    return hypervolume(values, ["maximize", "minimize"], [0.0, 61.0])


@pytest.mark.parametrize(
    ("name", "options", "trials"), [("local", {}, 90), ("nsga2", {"population": 12}, 90), ("ehvi", {}, 30)]
)
def test_more_volume_than_random_search_at_equal_budget(name: str, options: dict[str, int], trials: int) -> None:
    ours = [volume(name, options, seed, trials) for seed in range(3)]
    random = [volume("random", {}, seed, trials) for seed in range(3)]
    assert np.median(ours) > np.median(random)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nsga2", {"population": 1}, "population of 2 or more, got 1"),
        ("nsga2", {"crossover": 1.5}, "crossover between 0 and 1, got 1.5"),
        ("nsga2", {"mutation": float("nan")}, "mutation between 0 and 1, got nan"),
        ("nsga2", {"popluation": 8}, "did you mean 'population'"),
        ("local", {"initial": 0}, "initial 1 or more, got 0"),
        ("ehvi", {"initial": 1}, "initial 2 or more, got 1"),
        ("ehvi", {"candidates": 1}, "candidates 2 or more, got 1"),
    ],
)
def test_options_that_make_no_sense(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_controller(name, limited(), options)
