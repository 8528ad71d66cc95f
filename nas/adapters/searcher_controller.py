"""Any search algorithm of Ray Tune that takes evaluated points, as a controller of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.adapters.optuna_space import ordered_values
from nas.problem import Problem
from nas.trial import Trial
from searchspaces.errors import InputError, MissingError
from searchspaces.space import Architecture, Choice, Value

_METRIC = "value"


class RaySearcher:
    """A searcher that is made anew for every suggestion and told all points so far, so that nothing lives but the log.

    Its space is flat: it is asked for every choice, and what an earlier choice closes is dropped. A closed choice is
    told back as its first value. Infeasible and failed trials are told as errors, where the searcher takes those.

    Args:
        problem: where to search; the first objective is what Ray's searchers know.
        searcher: a name of `ray.tune.create_searcher`, such as optuna.
    """

    learns = True

    def __init__(self, problem: Problem, *, searcher: str = "optuna") -> None:
        self._space, self._searcher = problem.space, searcher
        self._objective = problem.objectives[0]
        self._free = [choice for choice in problem.space.choices if choice.name not in problem.space.pins]
        self._points: list[tuple[dict[str, Any], float]] = []
        self._make(0)

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """What a fresh searcher suggests after all points so far."""
        made = self._make(int(rng.integers(2**31)))
        for point, value in self._points:
            made.add_evaluated_point(dict(point), value)
        return [self._architecture(made.suggest(f"trial {number}")) for number in range(count)]

    def update(self, trials: Sequence[Trial]) -> None:
        """Complete trials with a value are points; the others tell a searcher of Ray nothing."""
        for trial in trials:
            value = trial.metrics.get(self._objective.metric)
            if trial.state == "COMPLETE" and value is not None and math.isfinite(value):
                self._points.append((self._point(trial.architecture), float(value)))

    def _make(self, seed: int) -> Any:
        try:
            from ray import tune
            from ray.tune.search import Searcher

            space = {choice.name: tune.choice(list(range(len(choice.values)))) for choice in self._free}
            mode = "max" if self._objective.direction == "maximize" else "min"
            made = tune.search.create_searcher(self._searcher, seed=seed)
            made.set_search_properties(_METRIC, mode, space)
        except ValueError as error:
            raise InputError(f"ray-searcher: {' '.join(str(error).split())}; write for example optuna.") from error
        except (ImportError, AssertionError) as error:
            raise MissingError(
                f"ray-searcher: {self._searcher} is not installed ({error}); pip install its package."
            ) from error
        if getattr(type(made), "add_evaluated_point", Searcher.add_evaluated_point) is Searcher.add_evaluated_point:
            raise InputError(
                f"ray-searcher: {self._searcher} takes no evaluated points, so it cannot be brought back from a log; "
                "write for example optuna."
            )
        return made

    def _point(self, architecture: Architecture) -> dict[str, Any]:
        values = self._space.values(architecture)
        return {choice.name: self._position(choice, values[choice.name]) for choice in self._free}

    @staticmethod
    def _position(choice: Choice, value: Value | None) -> int:
        values = ordered_values(choice)
        return values.index(value) if value in values else 0

    def _architecture(self, suggested: dict[str, Any]) -> Architecture:
        return self._space.decide(lambda choice: ordered_values(choice)[int(suggested[choice.name])])
