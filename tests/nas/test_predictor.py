"""Search by a predictor: what it learns from, what it ranks, and what it passes over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas.constraints import Constraint
from nas.controllers.predictor import Predictor
from nas.costing import Assessment, NoCosts, check
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.testing import ToySpace, check_determinism, check_replay
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture, SearchSpace
from searchspaces.tabnas import TabNAS

SPACE = TabNAS((4,), 3, layers=2)
BEST = (Objective.parse("maximize accuracy"),)
BOTH = (*BEST, Objective.parse("minimize size"))


def accuracy(architecture: Architecture) -> float:
    _, first, second, *_ = architecture.indices
    return 1 - ((first - 12) / 20) ** 2 - ((second - 6) / 20) ** 2


def size(architecture: Architecture) -> float:
    return float(sum(architecture.indices[1:3]))


class SizeCosts(NoCosts):
    """The size is cheap to know; counts how often it is asked for."""

    asked = 0

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        self.asked += 1
        return check({"size": size(architecture)}, constraints)


def trial(number: int, architecture: Architecture, **metrics: float) -> Trial:
    found = {"accuracy": accuracy(architecture), "size": size(architecture), **metrics}
    return Trial(number=number, architecture=architecture, state="COMPLETE", metrics=found)


def tried(count: int, space: SearchSpace = SPACE) -> list[Trial]:
    drawn = list(dict.fromkeys(space.sample(np.random.default_rng(5), 4 * count)))[:count]
    return [trial(number, each) for number, each in enumerate(drawn)]


def make(objectives: tuple[Objective, ...] = BEST, problem: dict[str, Any] | None = None, **options: Any) -> Predictor:
    return Predictor(Problem(space=SPACE, objectives=objectives, **(problem or {})), **options)


def searched(controller: Predictor, count: int, *, problem: Problem, seed: int = 0) -> list[Architecture]:
    proposer, found = Proposer(problem, controller, seed=seed), []
    for number in range(count):
        proposal = proposer.next(number)
        assert proposal is not None
        found.append(proposal.architecture)
        controller.update([trial(number, proposal.architecture)])
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"regressor": "trees", "batch": 0, "acquisition": "mean"},
        {"regressor": "ensemble", "batch": 60, "acquisition": "upper_bound"},
        {"stages": 2, "batch": 30, "acquisition": "thompson", "targets": "values"},
    ],
)
def test_every_kind_is_brought_back_by_its_trials(options: dict[str, Any]) -> None:
    def factory(problem: Problem) -> Predictor:
        return Predictor(problem, initial=12, **options)

    check_replay(factory, ToySpace(), BEST)
    check_determinism(factory, ToySpace(), BEST)


def test_graph_networks_draw_from_what_they_are_given_alone() -> None:
    check_determinism(lambda problem: Predictor(problem, initial=12, regressor="graph", batch=0), ToySpace(), BEST)


def test_it_draws_at_random_until_it_has_enough_to_learn_from() -> None:
    controller, trials = make(initial=8), tried(8)
    controller.update(trials[:7])
    spread = {each.indices for each in controller.suggest(40, np.random.default_rng(0))}
    assert len(spread) == 40
    assert make(initial=8).suggest(5, np.random.default_rng(0)) != controller.suggest(5, np.random.default_rng(1))
    controller.update(trials[7:])
    # From here on the generator has no say.
    assert controller.suggest(3, np.random.default_rng(0)) == controller.suggest(3, np.random.default_rng(1))


def test_it_finds_the_best_of_400_in_30_trials() -> None:
    for seed in range(5):
        problem = Problem(space=SPACE, objectives=BEST)
        found = searched(Predictor(problem), 30, problem=problem, seed=seed)
        assert max(map(accuracy, found)) >= 0.99 - 1e-9, "13 of 400 are that good"
        assert len(set(found)) == 30


def test_with_a_batch_of_0_it_is_fitted_once_and_goes_down_its_list() -> None:
    controller, trials = make(initial=20, batch=0, acquisition="mean"), tried(60)
    controller.update(trials[:20])
    ranking = controller.suggest(50, np.random.default_rng(0))
    assert len(set(ranking)) == 50
    for number, each in enumerate(ranking[:10]):
        # Results that would change any regressor's mind.
        controller.update([trial(100 + number, each, accuracy=-5.0)])
    assert controller.suggest(40, np.random.default_rng(1)) == ranking[10:]


def test_a_batch_is_the_top_of_one_fit() -> None:
    controller, trials = make(initial=20, batch=5, acquisition="mean"), tried(20)
    controller.update(trials)
    ranking = controller.suggest(5, np.random.default_rng(0))
    for number, each in enumerate(ranking):
        assert controller.suggest(1, np.random.default_rng(number)) == [each]
        controller.update([trial(100 + number, each, accuracy=-5.0)])
    assert not set(controller.suggest(5, np.random.default_rng(0))) & set(ranking)


def test_what_breaks_a_cheap_limit_is_passed_over_and_asked_about_from_the_top() -> None:
    costs = SizeCosts()
    limits = (Constraint.parse("size <= 12"),)
    problem = Problem(space=SPACE, objectives=BEST, constraints=limits, costs=costs, cost_metrics=("size",))
    controller = Predictor(problem, initial=10)
    first = controller.suggest(20, np.random.default_rng(0))
    assert all(size(each) <= 12 for each in first)
    controller.update([trial(number, each) for number, each in enumerate(first)])
    costs.asked = 0
    assert all(size(each) <= 12 for each in controller.suggest(10, np.random.default_rng(0)))
    assert costs.asked < SPACE.size


def test_a_space_without_a_feasible_architecture_ends_in_what_there_is() -> None:
    limits = (Constraint.parse("size <= -1"),)
    problem = Problem(space=SPACE, objectives=BEST, constraints=limits, costs=SizeCosts(), cost_metrics=("size",))
    controller = Predictor(problem, initial=4)
    assert len(controller.suggest(9, np.random.default_rng(0))) == 9
    controller.update(tried(6))
    assert len(controller.suggest(9, np.random.default_rng(0))) == 9


def test_several_in_flight_are_all_different() -> None:
    problem = Problem(space=SPACE, objectives=BEST)
    controller = Predictor(problem, initial=10, batch=0)
    controller.update(tried(20))
    proposer = Proposer(problem, controller, seed=0)
    for each in tried(20):
        proposer.saw(each)
    ahead = [proposer.next(20 + number) for number in range(16)]
    found = [proposal.architecture for proposal in ahead if proposal is not None]
    assert found == controller.suggest(16, np.random.default_rng(0))


def test_with_two_objectives_it_spreads_over_the_front() -> None:
    problem = Problem(space=SPACE, objectives=BOTH)
    found = searched(Predictor(problem, batch=2), 60, problem=problem)[10:]
    sizes = np.array([size(each) for each in found])
    assert max(map(accuracy, found)) > 0.98
    assert sizes.min() <= 2
    assert len(set(sizes[sizes < 18])) >= 8


def test_a_large_space_is_searched_around_its_best() -> None:
    space = TabNAS((4,), 3)
    problem = Problem(space=space, objectives=BEST)
    controller = Predictor(problem, candidates=200)
    drawn = tried(40, space)
    controller.update(drawn)
    found = controller.suggest(20, np.random.default_rng(0))
    assert np.mean([accuracy(each) for each in found]) > np.quantile(
        [accuracy(each.architecture) for each in drawn], 0.8
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial": 1}, "expected initial 2 or more"),
        ({"batch": -1}, "batch 0 or more"),
        ({"candidates": 0}, "candidates 1 or more"),
        ({"stages": 3}, "expected stages 1 or 2"),
        ({"good": 1.0}, "good between 0 and 1"),
        ({"acquisition": "thomson"}, "did you mean 'thompson'"),
        ({"regressor": "tree"}, "did you mean 'trees'"),
        ({"targets": "rank"}, "did you mean 'ranks'"),
    ],
)
def test_it_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(**options)
