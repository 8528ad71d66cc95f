"""Proposals a second: new, checked architectures from a controller that learns of each result; peers' ask and tell.

Seconds are those of the process's own processor time, so that a busy machine does not slow a controller down.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from benchmarks.speed.row import Row, at_least, at_most, median_row, ratio_row
from benchmarks.speed.timing import in_turns
from nas.comparing.course import Course, run_peer
from nas.comparing.entrant import Entrant
from nas.constraints import Constraint
from nas.controllers.catalog import CONTROLLERS, create_controller
from nas.costing import Assessment, NoCosts, check
from nas.evaluators.base import Request
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.trial import Outcome, Trial
from searchspaces.space import Architecture
from searchspaces.tabnas import TabNAS

_TARGETS: Final[Mapping[str, float]] = MappingProxyType({"random": 10_000, "evolution": 10_000})
# What drives a sampler of others is measured as their own loop.
_OF_OTHERS = ("optuna", "ray-searcher")
# One suggestion of so many at once, where a batch shares the work.
_BATCH, _BATCH_TARGET = 1024, 3_000
_ACCEPTANCE = 0.1
# Results behind the predictor's ranking.
_KNOWN = 100
_PEERS = ("optuna-tpe", "optuna-nsga2", "pymoo-nsga2")


def measure(*, trials: int = 2000, dear_trials: int = 200, ranked: int = 100_000, repeats: int = 3) -> list[Row]:
    """Proposals of every controller on the 168,400 networks of TabNAS, each shown its result before the next.

    Args:
        trials: of the controllers that have a target.
        dear_trials: of the others, and of peers, whose every proposal looks back at all before it.
        ranked: architectures that the predictor ranks for one suggestion.
        repeats: of each, in turns.
    """
    names = [name for name in CONTROLLERS if name not in _OF_OTHERS]
    ways: dict[str, Callable[[], float]] = {
        name: partial(_rate, name, trials if name in _TARGETS else dear_trials) for name in names
    }
    ways["reinforce, a batch under rejection"] = partial(_rejection_rate, _BATCH)
    if importlib.util.find_spec("optuna") is not None and importlib.util.find_spec("pymoo") is not None:
        ways |= {name: partial(_peer_rate, name, dear_trials) for name in _PEERS}
    rates = in_turns(ways, repeats)
    made = []
    for name, found in rates.items():
        bound = _TARGETS.get(name)
        target = None if bound is None else at_least(bound, "proposals/s")
        note = f"{trials if bound else dear_trials} trials, each shown before the next"
        if name.startswith("reinforce,"):
            target = at_least(_BATCH_TARGET, "proposals/s")
            note = f"{_BATCH} distinct ones in one suggestion; {_ACCEPTANCE:.0%} of the space keeps the limit"
        made.append(median_row(name, found, "proposals/s", target=target, note=note))
    seconds = _ranking_seconds(ranked)
    note = f"{_KNOWN} results learned from, then {ranked:,} new architectures drawn, featured and ranked"
    made.append(Row(name="predictor, one ranking", value=seconds, unit="s", target=at_most(5, "s"), note=note))
    if "optuna-tpe" in rates:
        made.append(ratio_row("evolution against Optuna's TPE", rates["evolution"], rates["optuna-tpe"]))
    return made


def smooth(architecture: Architecture) -> float:
    """A made-up accuracy that many architectures share, so that no search stands still at once."""
    return float(np.cos(sum(max(index, 0) * place for place, index in enumerate(architecture.indices, start=1))))


class Weights(NoCosts):
    """A made-up cost, with a bound that one in ten architectures keeps."""

    def __init__(self, space: TabNAS) -> None:
        drawn = [_weight(architecture) for architecture in space.sample(np.random.default_rng(0), 4000)]
        self.bound = float(np.quantile(drawn, _ACCEPTANCE))

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """The weight, and the constraints on it."""
        return check({"weight": _weight(architecture)}, constraints)


def _weight(architecture: Architecture) -> float:
    return float(sum((max(index, 0) + 1) * place for place, index in enumerate(architecture.indices, start=1)))


def _problem(*, limited: bool) -> Problem:
    space = TabNAS((54,), 7)
    objectives = (Objective.parse("maximize accuracy"),)
    if not limited:
        return Problem(space=space, objectives=objectives)
    costs = Weights(space)
    limit = Constraint.parse(f"weight <= {costs.bound}")
    return Problem(space=space, objectives=objectives, constraints=(limit,), costs=costs, cost_metrics=("weight",))


def _rate(name: str, trials: int) -> float:
    problem = _problem(limited=False)
    controller = create_controller(name, problem, {})
    proposer = Proposer(problem, controller, seed=0)
    start = time.process_time()
    for number in range(trials):
        proposal = proposer.next(number)
        if proposal is None:
            break
        metrics = {"accuracy": smooth(proposal.architecture)}
        trial = Trial(number=number, architecture=proposal.architecture, state="COMPLETE", metrics=metrics)
        controller.update([trial])
    return trials / (time.process_time() - start)


def _rejection_rate(count: int) -> float:
    """One suggestion of many, by a policy that has learned a little."""
    problem = _problem(limited=True)
    controller = create_controller("reinforce", problem, {})
    for number, architecture in enumerate(controller.suggest(16, np.random.default_rng(0))):
        metrics = {"accuracy": smooth(architecture), "weight": _weight(architecture)}
        controller.update([Trial(number=number, architecture=architecture, state="COMPLETE", metrics=metrics)])
    start = time.process_time()
    found = controller.suggest(count, np.random.default_rng(1))
    rate = len(set(found)) / (time.process_time() - start)
    return rate if problem.feasible(found).all() else 0.0


class _Smooth:
    cheap = True
    metrics = ("accuracy",)

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One made-up accuracy a request."""
        return [Outcome(state="COMPLETE", metrics={"accuracy": smooth(each.architecture)}) for each in requests]


def _ranking_seconds(candidates: int) -> float:
    """From results to a suggestion: the fit, and the ranking of so many candidates."""
    problem = _problem(limited=False)
    controller = create_controller("predictor", problem, {"initial": _KNOWN, "candidates": candidates})
    for number, architecture in enumerate(problem.space.sample(np.random.default_rng(0), _KNOWN)):
        metrics = {"accuracy": smooth(architecture)}
        controller.update([Trial(number=number, architecture=architecture, state="COMPLETE", metrics=metrics)])
    start = time.process_time()
    controller.suggest(1, np.random.default_rng(1))
    return time.process_time() - start


def _peer_rate(name: str, trials: int) -> float:
    from benchmarks.peers.catalog import find_peer

    evaluator: Any = _Smooth()
    course = Course(problem=_problem(limited=False), evaluator=evaluator, judged_by=("accuracy",), trials=trials)
    loop = find_peer(Entrant(label=name, name=name))
    start = time.process_time()
    made = run_peer(loop, course, label=name, seed=0)
    return len(made) / (time.process_time() - start)
