"""Optuna's samplers as a controller: its models, our hard limits, our log."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from nas.adapters.optuna_space import distributions, load_optuna, parameters, suggested
from nas.constraints import Constraint
from nas.problem import Problem
from nas.trial import Trial
from searchspaces.errors import unknown_name
from searchspaces.space import Architecture

# Generations of a genetic sampler, which Optuna writes down as it asks: here they are counted again.
_POPULATION = 50
_SAMPLERS: Final[Mapping[str, Callable[[Any, int], Any]]] = {
    "tpe": lambda samplers, seed: samplers.TPESampler(seed=seed),
    "nsga2": lambda samplers, seed: samplers.NSGAIISampler(seed=seed, population_size=_POPULATION),
    "random": lambda samplers, seed: samplers.RandomSampler(seed=seed),
}


class OptunaSampler:
    """A sampler that is made anew for every suggestion and shown all trials, so that nothing lives but the log.

    Infeasible trials carry by how much they break their limits, as far as that is known, and no value.

    Args:
        problem: where to search, and what to improve.
        sampler: `tpe`, `nsga2` (generations of 50) or `random`.
    """

    learns = True

    def __init__(self, problem: Problem, *, sampler: str = "tpe") -> None:
        if sampler not in _SAMPLERS:
            raise unknown_name("sampler of Optuna", sampler, _SAMPLERS)
        self._optuna, self._problem, self._sampler = load_optuna(), problem, sampler
        self._distributions = distributions(problem.space)
        self._trials: list[Any] = []
        self._complete = 0

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """What a fresh sampler asks for after all trials so far."""
        sampler = _SAMPLERS[self._sampler](self._optuna.samplers, int(rng.integers(2**31)))
        directions = [objective.direction for objective in self._problem.objectives]
        study = self._optuna.create_study(sampler=sampler, directions=directions)
        study.add_trials(self._trials)
        return [suggested(self._problem.space, study.ask()) for _ in range(count)]

    def update(self, trials: Sequence[Trial]) -> None:
        """Complete trials with their values, infeasible ones with their violations; failed ones tell nothing."""
        for trial in trials:
            values = [trial.metrics.get(objective.metric) for objective in self._problem.objectives]
            known = [float(value) for value in values if value is not None and math.isfinite(value)]
            states = self._optuna.trial.TrialState
            if trial.state == "COMPLETE" and len(known) == len(values):
                self._trials.append(self._frozen(trial, state=states.COMPLETE, values=known))
                self._complete += 1
            elif trial.state == "INFEASIBLE":
                self._trials.append(self._frozen(trial, state=states.PRUNED, values=None))

    def _frozen(self, trial: Trial, *, state: Any, values: list[float] | None) -> Any:
        told = parameters(self._problem.space, trial.architecture)
        generation = {"NSGAIISampler:generation": self._complete // _POPULATION} if values is not None else {}
        return self._optuna.trial.create_trial(
            state=state,
            values=values,
            params=told,
            distributions={name: self._distributions[name] for name in told},
            system_attrs=generation,
            constraints=self._violations(trial),
        )

    def _violations(self, trial: Trial) -> dict[str, float]:
        """Above 0 where a limit is broken; a refusal without a known value is a violation by the whole bound."""
        if trial.state != "INFEASIBLE":
            return {"refused": 0.0}
        found = {str(each): _violation(trial.metrics.get(each.metric), each) for each in self._problem.constraints}
        is_known = any(value > 0 for value in found.values())
        return {**found, "refused": 0.0 if is_known else 1.0}


def _violation(value: float | None, constraint: Constraint) -> float:
    if value is None or not math.isfinite(value) or constraint.holds(value):
        return 0.0
    return abs(value - constraint.bound) / max(abs(constraint.bound), 1e-12)
