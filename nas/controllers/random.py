"""Random search: the baseline every other controller has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.problem import Problem
from nas.trial import Trial
from searchspaces.space import Architecture


class RandomSearch:
    """Independent uniform draws; learns nothing."""

    learns = False

    def __init__(self, problem: Problem) -> None:
        self._space = problem.space

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """Uniform over the values of every choice."""
        return self._space.sample(rng, count)

    def update(self, trials: Sequence[Trial]) -> None:
        """Random search does not look back."""
