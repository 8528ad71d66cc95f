from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from nas.controllers.base import Controller
from nas.controllers.catalog import CONTROLLERS, create_controller
from nas.controllers.evolution import Evolution
from nas.controllers.random import RandomSearch
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.testing import ToySpace, check_controller
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture, SearchSpace
from searchspaces.tabnas import TabNAS

ACCURACY = (Objective.parse("maximize accuracy"),)
BOTH = (*ACCURACY, Objective.parse("minimize size"))


# Samplers of others are made anew for every suggestion: tests/nas/test_adapters.py runs the kit on less.
OF_OTHERS = ("optuna", "ray-searcher")


# Where a default would take the kit minutes.
LESS = {"ehvi": {"candidates": 32}, "predictor": {"batch": 20, "candidates": 64}}


@pytest.mark.parametrize("name", [name for name in CONTROLLERS if name not in OF_OTHERS])
def test_controllers_pass_the_kit(name: str) -> None:
    check_controller(lambda problem: CONTROLLERS[name](problem, **LESS.get(name, {})), space=TabNAS((4,), 3))


def test_evolution_with_crossover_passes_the_kit() -> None:
    check_controller(lambda problem: Evolution(problem, population=5, tournament=2, crossover=0.5))


# -- the kit itself: what it must refuse -------------------------------------------------------------------------------


class _Short(RandomSearch):
    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        return super().suggest(min(count, 20), rng)


class _Global(RandomSearch):
    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        random.random()
        return super().suggest(count, rng)


class _Drifting(RandomSearch):
    calls = 0

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        self.calls += 1
        return super().suggest(count, np.random.default_rng([int(rng.integers(9)), self.calls]))


class _Portions(RandomSearch):
    updates = 0

    def update(self, trials: Sequence[Trial]) -> None:
        self.updates += 1

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        return super().suggest(count, np.random.default_rng([int(rng.integers(9)), self.updates]))


class _Unpinned(RandomSearch):
    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        return type(self._space)().sample(rng, count)


class _Blanks(RandomSearch):
    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        found = super().suggest(count, rng)
        return [Architecture(each.space, tuple(max(0, index) for index in each.indices)) for each in found]


class _Instance(RandomSearch):
    """Differs from one object to the next, like a controller that seeds itself."""

    made = 0

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        _Instance.made += 1
        self._own = _Instance.made

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        return super().suggest(count, np.random.default_rng([int(rng.integers(9)), self._own]))


class _Counts(RandomSearch):
    """Takes NaN for a number and null for none."""

    good = 0

    def update(self, trials: Sequence[Trial]) -> None:
        self.good += sum(trial.metrics.get("accuracy") is not None for trial in trials)

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        return super().suggest(count, np.random.default_rng([int(rng.integers(9)), self.good]))


class _Greedy(RandomSearch):
    """Trusts every trial to have its metric."""

    best = 0.0

    def update(self, trials: Sequence[Trial]) -> None:
        self.best = max([self.best, *(trial.metrics["accuracy"] for trial in trials)])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (_Short, r"suggest\(40\): gave 20 architectures"),
        (_Global, "draws from a global generator"),
        (_Drifting, "suggest: changed the controller"),
        (_Portions, "replay: shown 33 trials in portions of 34"),
        (_Unpinned, "which is pinned to"),
        (_Blanks, "is not canonical"),
        (_Instance, "disagree under one generator"),
        (_Counts, "counts otherwise when its bad metrics are null"),
    ],
)
def test_kit_refuses(kind: Callable[..., Controller], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_controller(kind)


def test_kit_finds_a_controller_that_trusts_metrics() -> None:
    with pytest.raises(KeyError, match="accuracy"):
        check_controller(_Greedy)


# -- what each one is --------------------------------------------------------------------------------------------------


def test_random_is_the_space_s_own_sample() -> None:
    space = ToySpace()
    found = RandomSearch(Problem(space=space, objectives=ACCURACY)).suggest(9, np.random.default_rng(3))
    assert found == space.sample(np.random.default_rng(3), 9)


def test_evolution_draws_at_random_until_its_population_is_complete() -> None:
    space = ToySpace()
    controller = Evolution(Problem(space=space, objectives=ACCURACY), population=4, tournament=4)
    trials = [_trial(number, space.sample(np.random.default_rng(number), 1)[0], 0.5) for number in range(4)]
    controller.update([*trials[:3], Trial(number=9, architecture=trials[0].architecture, state="FAILED")])
    assert controller.suggest(5, np.random.default_rng(0)) == space.sample(np.random.default_rng(0), 5)
    controller.update(trials[3:])
    assert controller.suggest(5, np.random.default_rng(0)) != space.sample(np.random.default_rng(0), 5)


def test_evolution_mutates_the_winner_of_a_tournament_over_all() -> None:
    space = ToySpace()
    best = space.architecture(width=16, layers=1, last=4)
    others = [each for each in space.enumerate() if each != best][:5]
    controller = Evolution(Problem(space=space, objectives=ACCURACY), population=6, tournament=6)
    controller.update([_trial(number, each, 0.1 * number) for number, each in enumerate(others)])
    controller.update([_trial(9, best, 0.9)])
    near = set(space.neighbours(best))
    found = controller.suggest(30, np.random.default_rng(0))
    opened = {space.architecture(width=16, layers=2, second=value, last=4) for value in (4, 8, 12)}
    assert set(found) <= near | opened
    assert len(set(found)) > 3


def test_evolution_forgets_the_oldest_even_if_it_is_the_best() -> None:
    space = ToySpace(layers=1)
    best, *others = list(space.enumerate())[::3]
    controller = Evolution(Problem(space=space, objectives=ACCURACY), population=3, tournament=3)
    controller.update([_trial(0, best, 1.0)])
    controller.update([_trial(1 + number, each, 0.5 - 0.1 * number) for number, each in enumerate(others[:3])])
    assert all(_distance(child, others[0]) == 1 for child in controller.suggest(20, np.random.default_rng(0)))


def test_evolution_minimises_where_it_is_told_to() -> None:
    space = ToySpace(layers=1)
    small, large = space.architecture(width=8, last=2), space.architecture(width=32, last=5)
    controller = Evolution(
        Problem(space=space, objectives=(Objective.parse("minimize size"),)), population=2, tournament=2
    )
    controller.update([_trial(0, small, 0.5, size=1.0), _trial(1, large, 0.9, size=9.0)])
    assert all(_distance(child, small) == 1 for child in controller.suggest(10, np.random.default_rng(0)))


def test_evolution_with_two_objectives_has_parents_all_along_the_front() -> None:
    space = ToySpace(layers=1)
    ends = space.architecture(width=8, last=2), space.architecture(width=32, last=5)
    dominated = space.architecture(width=16, last=3)
    controller = Evolution(Problem(space=space, objectives=BOTH), population=3, tournament=3)
    controller.update(
        [_trial(0, ends[0], 0.5, size=1), _trial(1, ends[1], 0.9, size=9), _trial(2, dominated, 0.4, size=10)]
    )
    nearest = dict.fromkeys(ends, 0)
    for child in controller.suggest(40, np.random.default_rng(0)):
        parents = [end for end in ends if _distance(child, end) == 1]
        assert parents, child
        for parent in parents:
            nearest[parent] += 1
    assert min(nearest.values()) >= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1, "tournament": 1}, "population 2 or more"),
        ({"tournament": 0}, "tournament of 1 to population"),
        ({"population": 4, "tournament": 5}, "got 4 and 5"),
        ({"crossover": 1.5}, "between 0 and 1, got 1.5"),
        ({"crossover": float("nan")}, "between 0 and 1, got nan"),
        ({"population": 8.0}, "expected population as int, got 8.0"),
        ({"popluation": 8}, "did you mean 'population'"),
    ],
)
def test_evolution_refuses(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_controller("evolution", Problem(space=ToySpace(), objectives=ACCURACY), options)


def test_an_unknown_controller_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'evolution'"):
        create_controller("evolutoin", Problem(space=ToySpace(), objectives=ACCURACY), {})


# -- evolution against random search -----------------------------------------------------------------------------------


class _MadeUp:
    """An accuracy that rises towards one corner of the space with a ripple on it."""

    def __init__(self, space: SearchSpace) -> None:
        self._sizes = [len(choice.values) for choice in space.choices]

    def accuracy(self, architecture: Architecture) -> float:
        pairs = zip(architecture.indices, self._sizes, strict=True)
        shares = [index / (size - 1) for index, size in pairs if index >= 0]
        return float(np.mean([share - 0.05 * np.sin(40 * share) for share in shares]))


def _best(name: str, seed: int, budget: int) -> float:
    space = TabNAS((4,), 3, layers=3)
    table = _MadeUp(space)
    options = {"population": 16, "tournament": 6} if name == "evolution" else {}
    problem = Problem(space=space, objectives=ACCURACY)
    controller = create_controller(name, problem, options)
    proposer = Proposer(problem, controller, seed=seed)
    best = 0.0
    for number in range(budget):
        proposal = proposer.next(number)
        assert proposal is not None
        accuracy = table.accuracy(proposal.architecture)
        controller.update([_trial(number, proposal.architecture, accuracy)])
        best = max(best, accuracy)
    return best


def test_evolution_beats_random_search_at_equal_budget() -> None:
    """Paired over 24 seeds; the mean gain lies 5 standard errors above 0 (by chance: once in three million)."""
    gains = np.array([_best("evolution", seed, 100) - _best("random", seed, 100) for seed in range(24)])
    standard_error = gains.std(ddof=1) / np.sqrt(len(gains))
    assert gains.mean() > 5 * standard_error
    assert gains.mean() > 0.02


def _trial(number: int, architecture: Architecture, accuracy: float, **metrics: float) -> Trial:
    values = {"accuracy": accuracy, **metrics}
    return Trial(number=number, architecture=architecture, state="COMPLETE", metrics=values)


def _distance(first: Architecture, second: Architecture) -> int:
    return sum(one != other for one, other in zip(first.indices, second.indices, strict=True))
