"""KerasTuner's (1.4) Bayesian oracle on our spaces: a Gaussian process with an upper confidence bound, one objective.

It has no word for a constraint: an architecture that breaks one is ended as INVALID, which is what its users do with a
`FailedTrialError`, and teaches it nothing. One seed gives one sequence as long as it draws at random; later its trials
count in the order of their names, which it draws without a seed.
"""

from __future__ import annotations

import tempfile
import warnings
from typing import Any

from nas.adapters.optuna_space import is_ordered, ordered_values
from nas.comparing.course import Course
from nas.frameworks import load_keras
from searchspaces.errors import InputError
from searchspaces.space import Choice, SearchSpace, Value

_NEVER = 10**9


def bayesian(course: Course, seed: int, *, initial: int = 0) -> None:
    """Ask, evaluate, tell; it ends by itself where it finds nothing new.

    Args:
        course: what is evaluated.
        seed: of the oracle.
        initial: random trials before the process; 0 takes its own default, three for every parameter.
    """
    load_keras()
    import keras_tuner

    if len(course.problem.objectives) > 1:
        raise InputError(
            "keras-tuner-bayesian: expected one objective, got several, which it would add up; leave it out."
        )
    direction = "max" if course.problem.objectives[0].direction == "maximize" else "min"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The process fits length scales that lie on a bound, and says so at every trial.
        warnings.filterwarnings("ignore", message="The optimal value found for dimension", category=UserWarning)
        oracle = keras_tuner.oracles.BayesianOptimizationOracle(
            objective=keras_tuner.Objective("value", direction),
            max_trials=_NEVER,
            max_consecutive_failed_trials=_NEVER,
            num_initial_points=initial or None,
            seed=seed,
            hyperparameters=_parameters(keras_tuner, course.problem.space),
            allow_new_entries=False,
        )
        oracle.verbose = 0
        oracle._set_project_dir(folder, "peer")
        while (trial := oracle.create_trial("peer")).status == "RUNNING":
            answer = course.evaluate(course.problem.space.decide(_picker(trial.hyperparameters.values)))
            if answer.feasible and answer.values is not None:
                oracle.update_trial(trial.trial_id, {"value": answer.values[0]})
                trial.status = "COMPLETED"
            else:
                trial.status = "INVALID"
            oracle.end_trial(trial)


def _parameters(keras_tuner: Any, space: SearchSpace) -> Any:
    """Every free choice as a `Choice` of positions, under its parent where it has a free one."""
    made, choices = keras_tuner.HyperParameters(), {choice.name: choice for choice in space.choices}
    for choice in space.choices:
        if choice.name in space.pins:
            continue
        options: dict[str, Any] = {}
        if choice.parent is not None and choice.parent not in space.pins:
            positions = ordered_values(choices[choice.parent])
            options = {"parent_name": choice.parent, "parent_values": [positions.index(value) for value in choice.when]}
        made.Choice(choice.name, list(range(len(choice.values))), ordered=is_ordered(choice), **options)
    return made


def _picker(values: dict[str, int]) -> Any:
    def pick(choice: Choice) -> Value:
        return ordered_values(choice)[int(values[choice.name])]

    return pick
