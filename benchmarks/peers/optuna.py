"""Optuna (5.0) on our spaces: ask, suggest choice by choice, tell. Constraints go by `Trial.set_constraint`."""

from __future__ import annotations

from typing import Any

import optuna

from nas.comparing.course import Course
from searchspaces.space import Architecture, Choice, SearchSpace, Value


def tpe(course: Course, seed: int, *, startup: int = 10) -> None:
    """The tree-structured Parzen estimator, multivariate, which ranks infeasible trials behind feasible ones.

    Args:
        course: what is evaluated.
        seed: of the sampler.
        startup: random trials before it models anything (its own default).
    """
    _optimise(course, optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup))


def nsga2(course: Course, seed: int, *, population: int = 50) -> None:
    """NSGA-II with constrained domination; the population is its own default."""
    _optimise(course, optuna.samplers.NSGAIISampler(seed=seed, population_size=population))


def _optimise(course: Course, sampler: optuna.samplers.BaseSampler) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    objectives = course.problem.objectives
    study = optuna.create_study(sampler=sampler, directions=[objective.direction for objective in objectives])
    while True:
        trial = study.ask()
        answer = course.evaluate(suggested(course.problem.space, trial))
        for index, violation in enumerate(answer.violations):
            trial.set_constraint(f"constraint {index}", violation)
        if answer.values is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, list(answer.values))


def suggested(space: SearchSpace, trial: Any) -> Architecture:
    """An architecture drawn choice by choice; a choice that its parent closes is not asked for.

    Numbers are suggested as steps of their order, anything else as categories.
    """

    def pick(choice: Choice) -> Value:
        values = choice.values
        if len(values) > 2 and all(isinstance(value, int | float) for value in values):
            return sorted(values, key=float)[trial.suggest_int(choice.name, 0, len(values) - 1)]
        return values[trial.suggest_categorical(choice.name, list(range(len(values))))]

    return space.decide(pick)
