"""Optuna (5.0) on our spaces: ask, suggest choice by choice, tell. Constraints go by `Trial.set_constraint`."""

from __future__ import annotations

import optuna

from nas.adapters.optuna_space import suggested
from nas.comparing.course import Course


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
