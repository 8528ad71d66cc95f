"""Regularised evolution (Real et al., AAAI 2019): tournaments over the youngest, the oldest dies."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from nas.pareto import non_dominated
from nas.problem import Problem
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture


class Evolution:
    """The first `population` complete trials are random; then the winner of a tournament is mutated.

    With several objectives the winner is drawn among the tournament's non-dominated members, so that the population
    spreads along the front rather than to one end of it. Infeasible and failed trials never enter the population.

    Args:
        problem: where to search, and what to improve.
        population: how many of the youngest complete trials live.
        tournament: how many of them are drawn for each parent.
        crossover: probability that a child takes its choices from two parents before it is mutated.
    """

    learns = True

    def __init__(
        self,
        problem: Problem,
        *,
        population: int = 32,
        tournament: int = 8,
        crossover: float = 0.0,
    ) -> None:
        if population < 2 or not 1 <= tournament <= population:
            raise InputError(
                f"evolution: expected population 2 or more and a tournament of 1 to population, "
                f"got {population} and {tournament}; try population 32 and tournament 8."
            )
        if not 0 <= crossover <= 1:
            raise InputError(f"evolution: expected crossover between 0 and 1, got {crossover}; it is a probability.")
        self._space, self._objectives = problem.space, problem.objectives
        self._tournament, self._crossover = tournament, crossover
        self._population: deque[tuple[Architecture, tuple[float, ...]]] = deque(maxlen=population)
        self._complete, self._warmup = 0, population

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """Random until the population is full, then mutants of tournament winners."""
        if self._complete < self._warmup or not self._population:
            return self._space.sample(rng, count)
        return [self._child(rng) for _ in range(count)]

    def update(self, trials: Sequence[Trial]) -> None:
        """Complete trials join as the youngest; the oldest leave."""
        for trial in trials:
            if trial.state != "COMPLETE":
                continue
            self._complete += 1
            scores = tuple(-objective.loss(trial.metrics) for objective in self._objectives)
            if not any(math.isnan(score) for score in scores):
                self._population.append((trial.architecture, scores))

    def _child(self, rng: np.random.Generator) -> Architecture:
        child = self._parent(rng)
        if self._crossover and rng.random() < self._crossover:
            child = self._space.crossover(child, self._parent(rng), rng)
        return self._space.mutate(child, rng)

    def _parent(self, rng: np.random.Generator) -> Architecture:
        count = min(self._tournament, len(self._population))
        rows = rng.permutation(len(self._population))[:count].tolist()
        members = [self._population[row] for row in rows]
        if len(self._objectives) == 1:
            return max(members, key=lambda member: member[1])[0]
        front = np.flatnonzero(non_dominated([member[1] for member in members], ["maximize"] * len(self._objectives)))
        return members[int(front[int(rng.integers(len(front)))])][0]
