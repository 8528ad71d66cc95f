"""Conformance kit for controllers: what any controller has to hold, built-in or a user's own.

    from nas.testing import check_controller

    def test_my_controller():
        check_controller(lambda problem: MyController(problem))

Each check ends in an `AssertionError` that says what the controller did. Everything is drawn from fixed seeds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias

import numpy as np

from nas.constraints import Constraint
from nas.controllers.base import Controller
from nas.costing import Assessment, NoCosts, check
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.trial import State, Trial
from searchspaces.blocks import Block, DenseBlock, SoftmaxBlock
from searchspaces.errors import InputError
from searchspaces.space import Architecture, Choice, SearchSpace
from searchspaces.spec import NetworkSpec

Factory: TypeAlias = Callable[[Problem], Controller]

_OBJECTIVES = (
    Objective(metric="accuracy", direction="maximize"),
    Objective(metric="latency_ms", direction="minimize"),
    Objective(metric="energy_mj", direction="minimize"),
)
_COUNTS = (0, 1, 2, 7, 40)
_TRIALS = 120
_BAD_VALUES = (float("nan"), float("inf"), float("-inf"))


class ToySpace(SearchSpace):
    """A small space with a choice that hangs on another one: 3 × (1 + 3) × 4 = 48 architectures."""

    name: ClassVar[str] = "toy"
    choices = (
        Choice(name="width", values=(8, 16, 32)),
        Choice(name="layers", values=(1, 2)),
        Choice(name="second", values=(4, 8, 12), parent="layers", when=(2,)),
        Choice(name="last", values=(2, 3, 4, 5)),
    )
    references = {}  # noqa: RUF012 (a constant of the space)

    def network(self, architecture: Architecture) -> NetworkSpec:
        """Two or three dense layers over four features."""
        values = self.values(architecture)
        widths = [int(values[name] or 0) for name in ("width", "second", "last") if values[name] is not None]
        blocks: list[Block] = [DenseBlock(name=f"hidden_{index}", units=units) for index, units in enumerate(widths)]
        blocks += [DenseBlock(name="classifier", units=3), SoftmaxBlock()]
        return NetworkSpec(name=architecture.id, input_shape=(4,), blocks=tuple(blocks))


# Pins that leave 1, 2, 3, 4, 4 and 12 architectures.
_SMALL: tuple[dict[str, Any], ...] = (
    {"width": 8, "layers": 1, "last": 2},
    {"width": 8, "second": 4, "last": 2},
    {"layers": 1, "last": 2},
    {"width": 8, "last": 2},
    {"width": 16, "layers": 2, "second": 12},
    {"layers": 1},
)


def check_controller(factory: Factory, *, space: SearchSpace | None = None, seed: int = 0) -> None:
    """Run every check on one, two and three objectives.

    Args:
        factory: a fresh controller for a problem.
        space: to search in addition to the kit's own toy space.
        seed: of everything that is drawn.
    """
    spaces = [ToySpace(), ToySpace(layers=2, last=3), *([] if space is None else [space])]
    for count in range(1, len(_OBJECTIVES) + 1):
        objectives = _OBJECTIVES[:count]
        for each in spaces:
            check_suggestions(factory, each, objectives, seed=seed)
            check_determinism(factory, each, objectives, seed=seed)
            check_replay(factory, each, objectives, seed=seed)
            check_fruitless_trials(factory, each, objectives, seed=seed)
            check_bad_metrics(factory, each, objectives, seed=seed)
            check_any_order(factory, each, objectives, seed=seed)
        for pins in _SMALL:
            check_exhausted(factory, ToySpace(**pins), objectives, seed=seed)
            check_limits(factory, ToySpace(**pins), objectives, seed=seed)


def made_up_trials(
    space: SearchSpace, objectives: Sequence[Objective], *, count: int = _TRIALS, seed: int = 0
) -> list[Trial]:
    """Finished trials of random architectures: two thirds complete, the others infeasible or failed."""
    rng = np.random.default_rng(seed)
    states: tuple[State, ...] = ("COMPLETE", "COMPLETE", "COMPLETE", "COMPLETE", "INFEASIBLE", "FAILED")
    trials = []
    for number, architecture in enumerate(space.sample(rng, count)):
        state = states[int(rng.integers(len(states)))]
        metrics = {objective.metric: float(rng.random()) for objective in objectives} if state == "COMPLETE" else {}
        reason = None if state == "COMPLETE" else "made up"
        trials.append(Trial(number=number, architecture=architecture, state=state, metrics=metrics, reason=reason))
    return trials


def check_suggestions(factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0) -> None:
    """Any count of canonical members of the space, pins kept, at any time of a search."""
    controller = factory(Problem(space=space, objectives=tuple(objectives)))
    trials = made_up_trials(space, objectives, seed=seed)
    for seen, chunk in _chunks(trials, 40):
        for count in _COUNTS:
            found = controller.suggest(count, np.random.default_rng([seed, seen, count]))
            _require(len(found) == count, f"suggest({count}): gave {len(found)} architectures after {seen} trials")
            for architecture in found:
                _require_member(space, architecture, f"suggest({count}) after {seen} trials")
        controller.update(chunk)
    for architecture in controller.suggest(40, np.random.default_rng(seed)):
        _require_member(space, architecture, f"suggest(40) after {len(trials)} trials")


def check_determinism(factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0) -> None:
    """The same trials and generator give the same; `suggest` changes nothing, and nothing else is drawn from."""
    trials = made_up_trials(space, objectives, seed=seed)
    problem = Problem(space=space, objectives=tuple(objectives))
    first, second = factory(problem), factory(problem)
    for seen, chunk in _chunks(trials, 30):
        outside = _global_states()
        expected = _suggested(first, seed, seen)
        _require(_global_states() == outside, "suggest: draws from a global generator; use the one that is passed")
        for distraction in range(5):
            first.suggest(3, np.random.default_rng(distraction))
        _require(_suggested(first, seed, seen) == expected, f"suggest: changed the controller after {seen} trials")
        _require(
            _suggested(second, seed, seen) == expected,
            f"suggest: two controllers that saw the same {seen} trials disagree under one generator",
        )
        first.update(chunk)
        second.update(chunk)


def check_replay(factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0) -> None:
    """A fresh controller shown the same trials, in any portions, goes on as the old one would have."""
    trials = made_up_trials(space, objectives, seed=seed)
    problem = Problem(space=space, objectives=tuple(objectives))
    for length in (0, 1, 33, 64, len(trials)):
        old = factory(problem)
        for trial in trials[:length]:
            old.update([trial])
            _suggested(old, seed, trial.number)
        expected = _suggested(old, seed, length)
        for size in (length + 1, 7):
            fresh = factory(problem)
            for _, chunk in _chunks(trials[:length], size):
                fresh.update(chunk)
            _require(
                _suggested(fresh, seed, length) == expected,
                f"replay: shown {length} trials in portions of {size}, a fresh controller suggests something else",
            )


def check_fruitless_trials(
    factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0
) -> None:
    """Trials that are all infeasible or failed, with and without metrics, leave it able to suggest."""
    trials = made_up_trials(space, objectives, seed=seed)
    fruitless: tuple[State, State] = ("INFEASIBLE", "FAILED")
    for metrics in ({}, {"params": 1.0}):
        controller = factory(Problem(space=space, objectives=tuple(objectives)))
        for trial in trials:
            state = fruitless[trial.number % 2]
            controller.update([replace(trial, state=state, metrics=metrics, reason="made up")])
        for architecture in controller.suggest(20, np.random.default_rng(seed)):
            _require_member(space, architecture, "suggest after nothing but infeasible and failed trials")


def check_bad_metrics(factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0) -> None:
    """NaN, infinite, missing and null metrics are survived; the log holds null for what is not finite."""
    trials = made_up_trials(space, objectives, seed=seed)
    problem = Problem(space=space, objectives=tuple(objectives))
    for share in (2, 1):
        live, logged = factory(problem), factory(problem)
        for trial in trials:
            if trial.state == "COMPLETE" and trial.number % share == 0:
                live.update([_spoilt(trial, objectives, null=False)])
                logged.update([_spoilt(trial, objectives, null=True)])
            else:
                live.update([trial])
                logged.update([trial])
            _require(
                _suggested(live, seed, trial.number) == _suggested(logged, seed, trial.number),
                f"update: trial {trial.number} counts otherwise when its bad metrics are null, as the log has them",
            )
        for architecture in live.suggest(20, np.random.default_rng(seed)):
            _require_member(space, architecture, "suggest after metrics that are no numbers")


def check_exhausted(factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0) -> None:
    """A space is searched to its end: every architecture once, then no more."""
    problem = Problem(space=space, objectives=tuple(objectives))
    controller = factory(problem)
    proposer = Proposer(problem, controller, seed=seed)
    rng = np.random.default_rng(seed)
    seen: list[Architecture] = []
    while (proposal := proposer.next(len(seen))) is not None:
        architecture = proposal.architecture
        _require(architecture not in seen, f"proposals: {architecture.id} came twice")
        seen.append(architecture)
        _require(len(seen) <= space.size, f"proposals: {len(seen)} of a space of {space.size}")
        metrics = {objective.metric: float(rng.random()) for objective in objectives}
        controller.update([Trial(number=len(seen) - 1, architecture=architecture, state="COMPLETE", metrics=metrics)])
    _require(len(seen) == space.size, f"proposals: ended after {len(seen)} of {space.size} architectures")


def check_any_order(factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0) -> None:
    """Results that come out of order, and some of them twice, are survived, and order is all that tells them apart."""
    trials = made_up_trials(space, objectives, seed=seed)
    rng = np.random.default_rng(seed)
    rows = [*rng.permutation(len(trials)), *rng.integers(len(trials), size=len(trials) // 3)]
    shuffled = [trials[int(row)] for row in rows]
    first, second = (factory(Problem(space=space, objectives=tuple(objectives))) for _ in range(2))
    for seen, chunk in _chunks(shuffled, 40):
        first.update(chunk)
        for trial in chunk:
            second.update([trial])
        found = _suggested(first, seed, seen)
        for architecture in found:
            _require_member(space, architecture, f"suggest after {seen} results out of order")
        _require(
            found == _suggested(second, seed, seen),
            f"update: shown {seen} results out of order one by one, it suggests something else than shown all at once",
        )


def check_limits(factory: Factory, space: SearchSpace, objectives: Sequence[Objective], *, seed: int = 0) -> None:
    """Where all, some or none of a space keeps a limit, everything that does is proposed before the end."""
    for bound in (-1.0, 1.0, 3.0, 9.0):
        limit = Constraint(metric="weight", comparison="<=", bound=bound)
        problem = Problem(
            space=space,
            objectives=tuple(objectives),
            constraints=(limit,),
            costs=_Weights(),
            cost_metrics=("weight",),
        )
        controller = factory(problem)
        proposer = Proposer(problem, controller, seed=seed)
        rng = np.random.default_rng(seed)
        seen: dict[Architecture, bool] = {}
        while (proposal := proposer.next(len(seen))) is not None:
            _require(
                proposal.architecture not in seen, f"proposals under {limit}: {proposal.architecture.id} came twice"
            )
            number, known = len(seen), dict(proposal.assessment.metrics)
            seen[proposal.architecture] = proposal.feasible
            results = {objective.metric: float(rng.random()) for objective in objectives} if proposal.feasible else {}
            controller.update(
                [
                    Trial(
                        number=number,
                        architecture=proposal.architecture,
                        state="COMPLETE" if proposal.feasible else "INFEASIBLE",
                        metrics={**known, **results},
                        reason=proposal.assessment.reason,
                    )
                ]
            )
        wanted = sum(_weight(architecture) <= bound for architecture in space.enumerate())
        found = sum(seen.values())
        _require(found == wanted, f"proposals under {limit}: ended with {found} of {wanted} feasible architectures")


# -- what the checks share ---------------------------------------------------------------------------------------------


def _weight(architecture: Architecture) -> float:
    """A made-up cost that is known without a measurement."""
    return float(sum(max(index, 0) for index in architecture.indices))


class _Weights(NoCosts):
    """Costs of `_weight`."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """The one cost, and the constraints on it."""
        return check({"weight": _weight(architecture)}, constraints)


def _spoilt(trial: Trial, objectives: Sequence[Objective], *, null: bool) -> Trial:
    """A complete trial whose metric is NaN, infinite or absent; null as the log gives it back."""
    spoilt: dict[str, float] = dict(trial.metrics)
    metric = objectives[trial.number % len(objectives)].metric
    kind = trial.number % (len(_BAD_VALUES) + 1)
    if kind == len(_BAD_VALUES):
        del spoilt[metric]
    else:
        spoilt[metric] = _BAD_VALUES[kind]
        if null:
            spoilt[metric] = None  # type: ignore[assignment]
    return replace(trial, metrics=spoilt)


def _suggested(controller: Controller, seed: int, number: int) -> list[Architecture]:
    return controller.suggest(5, np.random.default_rng([seed, number]))


def _chunks(trials: Sequence[Trial], size: int) -> list[tuple[int, Sequence[Trial]]]:
    return [(start, trials[start : start + size]) for start in range(0, len(trials), size)]


def _global_states() -> tuple[object, ...]:
    """Of the generators that code reaches without being given one."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return (random.getstate(), kind, np.asarray(keys).tobytes(), *rest)


def _require_member(space: SearchSpace, architecture: Architecture, what: str) -> None:
    """It reads back as itself from its id, which blanks what does not reach the network, and keeps the pins."""
    try:
        canonical = space.parse(architecture.id)
    except InputError as error:
        raise AssertionError(f"{what}: {error}") from error
    _require(architecture == canonical, f"{what}: {architecture.id} is not canonical; that is {canonical.id}")
    for name, value in space.values(architecture).items():
        pinned = space.pins.get(name)
        _require(
            value is None or pinned is None or value == pinned,
            f"{what}: {architecture.id} has {name} {value}, which is pinned to {pinned}",
        )


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise AssertionError(text)
