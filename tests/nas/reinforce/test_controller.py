"""The REINFORCE controller: the kit for every reward, its limits, and repeats that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas.constraints import Constraint
from nas.controllers.catalog import create_controller
from nas.controllers.reinforce import Reinforce
from nas.controllers.reinforce.learner import Learner
from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from nas.costing import Assessment, check
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.testing import ToySpace, check_controller
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture
from searchspaces.tabnas import TabNAS

ACCURACY = (Objective.parse("maximize accuracy"),)
SOFT = {"cost": "latency_ms", "target": 0.5}


class Units:
    """One cheap cost, the units of all layers, and one that takes a measurement: the units of the last."""

    asked = 0

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        self.asked += 1
        values = ToySpace().values(architecture)
        known = {"units": float(sum(int(values[name] or 0) for name in ("width", "second", "last")))}
        known["last"] = float(values["last"] or 0)
        return check({name: known[name] for name in metrics}, constraints)

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def is_cheap(self, metric: str) -> bool:
        return metric == "units"


def problem(*limits: str, space: ToySpace | None = None) -> Problem:
    constraints = tuple(map(Constraint.parse, limits))
    return Problem(
        space=space or ToySpace(),
        objectives=ACCURACY,
        constraints=constraints,
        costs=Units(),
        cost_metrics=tuple(dict.fromkeys(["units", *(each.metric for each in constraints)])),
    )


def complete(number: int, architecture: Architecture, accuracy: float, **metrics: float) -> Trial:
    values = {"accuracy": accuracy, **metrics}
    return Trial(number=number, architecture=architecture, state="COMPLETE", metrics=values)


def searched(
    controller: Reinforce, problem: Problem, accuracy: Callable[[Architecture], float], trials: int, seed: int = 0
) -> list[Trial]:
    """A search as the engines run it: infeasible proposals are told and cost no trial."""
    proposer, log, spent = Proposer(problem, controller, seed=seed), [], 0
    while spent < trials and (proposal := proposer.next(len(log))) is not None:
        trial = complete(len(log), proposal.architecture, 0.0, **proposal.assessment.metrics)
        if proposal.feasible:
            value = accuracy(proposal.architecture)
            trial, spent = replace(trial, metrics={**trial.metrics, "accuracy": value}), spent + 1
        else:
            trial = replace(trial, state="INFEASIBLE", metrics=proposal.assessment.metrics, reason="units")
        controller.update([trial])
        log.append(trial)
    return log


@pytest.mark.parametrize(
    "options",
    [
        {"reward": "absolute", **SOFT},
        {"reward": "mnas_soft", **SOFT, "beta": -0.5, "batch": 3},
        {"reward": "mnas_hard", **SOFT, "entropy": 0.1, "steps": 40, "delay": 0.25, "growth": 10.0},
        {"reward": "rejection", "batch": 4, "extra_samples": 8, "adam_beta1": 0.0, "baseline_momentum": 0.95},
    ],
    ids=lambda options: options["reward"],
)
def test_every_reward_passes_the_kit(options: dict[str, Any]) -> None:
    check_controller(lambda problem: Reinforce(problem, **options))


def test_it_stands_in_the_catalog() -> None:
    found = create_controller("reinforce", problem(), {"reward": "absolute", "cost": "units", "target": 20})
    assert isinstance(found, Reinforce)
    assert found.learns


# -- hard limits -------------------------------------------------------------------------------------------------------


def test_rejection_never_suggests_what_is_known_to_break_a_limit() -> None:
    limited = problem("units <= 24", "units >= 15")
    controller = Reinforce(limited)
    log = searched(controller, limited, lambda each: float(sum(each.indices)), 14)
    assert {trial.state for trial in log} == {"COMPLETE"}
    assert len(log) == 14 == len({trial.architecture for trial in log})


def test_it_goes_on_to_the_end_of_the_feasible_set_and_then_takes_the_rest() -> None:
    limited = problem("units <= 13")
    log = searched(Reinforce(limited), limited, lambda each: 0.5, 99)
    feasible = sum(limited.feasible(list(limited.space.enumerate())))
    assert [trial.state for trial in log[:feasible]] == ["COMPLETE"] * int(feasible)
    assert len(log) == limited.space.size


def test_what_a_measurement_ruled_out_is_not_in_the_feasible_set() -> None:
    """The limit on `last` is seen only once a trial has measured it; a draw of it is then discarded."""
    limited = problem("last <= 3")
    controller = Reinforce(limited)
    log = searched(controller, limited, lambda each: 0.5, 20)
    broken = {trial.architecture for trial in log if trial.state == "INFEASIBLE"}
    assert broken
    assert not set(controller.suggest(60, np.random.default_rng(0))[:4]) & broken


def test_costs_are_asked_for_once() -> None:
    limited = problem("units <= 24")
    searched(Reinforce(limited), limited, lambda each: 0.5, 20)
    assert isinstance(limited.costs, Units)
    # The proposer asks about each of its twenty proposals anew.
    assert limited.costs.asked <= limited.space.size + 20


def test_a_soft_reward_takes_the_first_upper_limit_as_its_target() -> None:
    limited = problem("units >= 3", "units <= 24", "last <= 4")
    given = Reinforce(limited, reward="absolute", cost="units", target=24.0)
    implied = Reinforce(limited, reward="absolute")
    for controller in (given, implied):
        searched(controller, limited, lambda each: float(each.indices[0]), 10)
    rng = np.random.default_rng
    assert given.suggest(9, rng(0)) == implied.suggest(9, rng(0))


def test_a_cost_that_is_in_no_trial_is_found_by_the_problem() -> None:
    told, untold = (Reinforce(problem(), reward="absolute", cost="units", target=24) for _ in range(2))
    for number, architecture in enumerate(ToySpace().sample(np.random.default_rng(0), 30)):
        units = problem().known([architecture], ["units"])[0, 0]
        told.update([complete(number, architecture, 0.5, units=units)])
        untold.update([complete(number, architecture, 0.5)])
    assert told.suggest(9, np.random.default_rng(1)) == untold.suggest(9, np.random.default_rng(1))


# -- learning ----------------------------------------------------------------------------------------------------------


def test_it_finds_the_corner_of_a_large_space() -> None:
    """8,000 networks, the best of which has the widest layers; 400 trials find the corner that random search misses."""
    space = TabNAS((4,), 3, layers=3)
    task = Problem(space=space, objectives=ACCURACY)
    controller = Reinforce(task)
    proposer = Proposer(task, controller, seed=0)
    for number in range(400):
        proposal = proposer.next(number)
        assert proposal is not None
        controller.update([complete(number, proposal.architecture, float(sum(proposal.architecture.indices)))])
    final = controller.most_probable()
    assert sum(index for index in final.indices[1:4]) >= 50


def test_minimising_is_maximising_the_negative() -> None:
    space = ToySpace()
    up = Reinforce(Problem(space=space, objectives=ACCURACY))
    down = Reinforce(Problem(space=space, objectives=(Objective.parse("minimize loss"),)))
    for number, architecture in enumerate(space.sample(np.random.default_rng(0), 40)):
        value = float(np.random.default_rng(number).random())
        up.update([complete(number, architecture, value)])
        down.update([complete(number, architecture, 0.0, loss=-value)])
    assert up.suggest(9, np.random.default_rng(1)) == down.suggest(9, np.random.default_rng(1))


def test_repeats_teach_as_if_they_cost_nothing() -> None:
    """What it has learned from seven distinct networks is what plain REINFORCE, drawing with repeats, has learned.

    Means over 300 runs of the probabilities of every value, just before the eighth is drawn; within 5 standard errors.
    """
    space = ToySpace(layers=1)
    every = {architecture.indices: float(value) for value, architecture in enumerate(space.enumerate())}
    runs, distinct = 300, 7
    ours, plain, unrepeated = np.zeros((3, runs, 4, 4))
    for run in range(runs):
        task = Problem(space=space, objectives=ACCURACY)
        controller = Reinforce(task)
        searched(controller, task, lambda each: every[each.indices], distinct, seed=run)
        ours[run] = controller._policy.probabilities
        plain[run] = _plain_reinforce(space, every, distinct, np.random.default_rng([run, 1]), learn_again=True)
        unrepeated[run] = _plain_reinforce(space, every, distinct, np.random.default_rng([run, 2]), learn_again=False)
    assert _apart(ours, plain) <= 5
    # The test can tell: repeats that teach nothing leave another policy.
    assert _apart(unrepeated, plain) > 10


def _apart(one: Floats, other: Floats) -> float:
    """The largest difference of means over runs, in its standard errors."""
    error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / len(one))
    return float((np.abs(one.mean(axis=0) - other.mean(axis=0)) / np.where(error > 0, error, 1)).max())


def _plain_reinforce(
    space: ToySpace,
    rewards: dict[tuple[int, ...], float],
    distinct: int,
    rng: np.random.Generator,
    *,
    learn_again: bool,
) -> Floats:
    policy = FactorisedPolicy(space)
    learner = Learner(policy, momentum=0.9, beta1=0.9)
    seen: set[tuple[int, ...]] = set()
    for _ in range(1000):
        rows = policy.sample(rng, 1)
        (row,) = map(tuple, rows.tolist())
        if row not in seen and len(seen) == distinct:
            break
        if row not in seen or learn_again:
            learner.step(rows, np.array([rewards[row]]), 0.1)
        seen.add(row)
    return policy.probabilities


# -- what it refuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": "absolut"}, "did you mean 'absolute'"),
        ({"reward": "absolute"}, "reward absolute: expected a cost and its target above 0, got none and 0; write"),
        ({"reward": "mnas_soft", "cost": "units"}, "got units and 0"),
        ({"reward": "mnas_hard", "cost": "units", "target": -4.0}, "got units and -4"),
        ({"reward": "absolute", **SOFT, "beta": 0.1}, "beta: expected 0 or less"),
        ({"batch": 0}, "batch: expected 1 or more, got 0"),
        ({"extra_samples": 0}, "extra_samples: expected 1 or more, got 0"),
        ({"learning_rate": 0.0}, "a learning_rate and a growth above 0, .* got 0.0, 1.0, 0.0 and 0"),
        ({"delay": 1.0, "steps": 5}, "a delay from 0 to below 1"),
        ({"delay": 0.25}, "steps: expected how many there will be"),
        ({"growth": 10.0}, "steps: expected how many there will be"),
        ({"adam_beta1": 1.0}, "adam_beta1: expected 0 or more and below 1, got 1.0"),
        ({"entropy": -0.1}, "entropy: expected a weight of 0 or more"),
        ({"batch": 1.5}, "expected batch as int, got 1.5"),
        ({"extra_sample": 3}, "did you mean 'extra_samples'"),
    ],
)
def test_it_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_controller("reinforce", problem(), options)


def test_a_multiplied_reward_needs_a_quality_to_maximise() -> None:
    task = Problem(space=ToySpace(), objectives=(Objective.parse("minimize loss"),))
    with pytest.raises(InputError, match=r"mnas_soft: expected a quality to maximize, .* got minimize loss; take abs"):
        Reinforce(task, reward="mnas_soft", cost="params", target=100.0)
    Reinforce(task, reward="absolute", cost="params", target=100.0)
