"""A search space in Optuna's words: a parameter for each choice, asked for where its parent leaves it open.

Numbers are steps of their order, anything else categories. So neighbours stay neighbours, and one architecture has one
set of parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from searchspaces.errors import MissingError
from searchspaces.space import Architecture, Choice, SearchSpace, Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def load_optuna() -> Any:
    """The package, quiet; a `MissingError` says what to install."""
    try:
        import optuna
    except ImportError as error:
        raise MissingError(
            "Optuna: expected the package optuna, which is not installed; pip install 'paretonas[peers]'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def suggested(space: SearchSpace, trial: Any) -> Architecture:
    """The architecture that a trial suggests, choice by choice; pinned and closed choices are not asked for.

    Use it in an objective function: ``architecture = suggested(space, trial)``.
    """

    def pick(choice: Choice) -> Value:
        values = ordered_values(choice)
        if is_ordered(choice):
            index = trial.suggest_int(choice.name, 0, len(values) - 1)
        else:
            index = trial.suggest_categorical(choice.name, list(range(len(values))))
        return values[int(index)]

    return space.decide(pick)


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Of every free choice, as `suggested` asks for it."""
    optuna = load_optuna()
    found: dict[str, BaseDistribution] = {}
    for choice in space.choices:
        if choice.name in space.pins:
            continue
        last = len(choice.values) - 1
        found[choice.name] = (
            optuna.distributions.IntDistribution(0, last)
            if is_ordered(choice)
            else optuna.distributions.CategoricalDistribution(range(last + 1))
        )
    return found


def parameters(space: SearchSpace, architecture: Architecture) -> dict[str, int]:
    """What `suggested` would have been told: a number for each free choice that reaches the network."""
    values = space.values(architecture)
    return {
        choice.name: ordered_values(choice).index(value)
        for choice in space.choices
        if choice.name not in space.pins and (value := values[choice.name]) is not None and value in choice.values
    }


def is_ordered(choice: Choice) -> bool:
    """Whether the values are numbers, three or more."""
    return len(choice.values) > 2 and all(isinstance(value, int | float) for value in choice.values)


def ordered_values(choice: Choice) -> tuple[Value, ...]:
    """Numbers from small to large, anything else as it stands."""
    return tuple(sorted(choice.values, key=float)) if is_ordered(choice) else choice.values
