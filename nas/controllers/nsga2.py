"""NSGA-II (Deb et al. 2002) on the choices of a space, one survivor at a time, feasible parents first.

Textbook constraint handling spends evaluations on infeasible points and lets feasible ones win. Here limits are
checked before a trial is spent, which changes two things. A limit that is cheap to check turns children down while
they are bred, so that it costs no trial at all. A limit that takes a measurement still lets infeasible points
through; those are remembered with how far they miss it, stand behind every feasible one in each tournament, and are
parents only while there are too few of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.controllers.rejection import accepted, draw_feasible
from nas.problem import Problem
from nas.ranking import crowded_order
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """`losses` has an entry an objective, less is better; `violation` is 0 where every limit is kept."""

    architecture: Architecture
    losses: tuple[float, ...]
    violation: float = 0.0


class NSGA2:
    """The first `population` complete trials are random; then children of tournament winners, by front and crowding.

    A child joins as soon as it is complete, and the last of the population leaves (steady state; Durillo et al., "On
    the effect of the steady-state selection scheme in multi-objective genetic algorithms", 2009): a search of a few
    hundred trials has no generations to wait for, and workers none to wait at.

    Args:
        problem: where to search, what to improve, and which limits are hard.
        population: how many survive.
        crossover: probability that a child takes its choices from two parents.
        mutation: probability that one choice of such a child is changed; a child of one parent always is.
    """

    learns = True

    def __init__(
        self, problem: Problem, *, population: int = 24, crossover: float = 0.9, mutation: float = 0.5
    ) -> None:
        if population < 2:
            raise InputError(f"nsga2: expected a population of 2 or more, got {population}; try 24.")
        for name, value in (("crossover", crossover), ("mutation", mutation)):
            if not 0 <= value <= 1:
                raise InputError(f"nsga2: expected {name} between 0 and 1, got {value}; it is a probability.")
        self._problem, self._size = problem, population
        self._crossover, self._mutation = crossover, mutation
        self._known: set[Architecture] = set()
        self._complete = 0
        # Best first.
        self._population: list[_Member] = []

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """Random until the population is full, then children of it."""
        if self._complete < self._size or len(self._population) < 2:
            return draw_feasible(self._problem, count, rng, self._known)
        return accepted(self._problem, count, lambda number: [self._child(rng) for _ in range(number)], self._known)

    def update(self, trials: Sequence[Trial]) -> None:
        """Complete trials join, and infeasible ones of which it is known by how much; the last leave."""
        for trial in trials:
            self._known.add(trial.architecture)
            self._complete += trial.state == "COMPLETE"
            member = self._member(trial)
            if member is not None:
                self._population = self._survivors([*self._population, member])

    def _child(self, rng: np.random.Generator) -> Architecture:
        space, child = self._problem.space, self._parent(rng)
        if rng.random() < self._crossover:
            child = space.crossover(child, self._parent(rng), rng)
            if rng.random() >= self._mutation:
                return child
        return space.mutate(child, rng)

    def _parent(self, rng: np.random.Generator) -> Architecture:
        """The winner of a tournament of two; the population is in order."""
        count = len(self._population)
        return self._population[min(int(rng.integers(count)), int(rng.integers(count)))].architecture

    def _survivors(self, members: list[_Member]) -> list[_Member]:
        feasible = [member for member in members if not member.violation]
        infeasible = sorted((member for member in members if member.violation), key=lambda member: member.violation)
        losses = np.array([member.losses for member in feasible]).reshape(-1, len(self._problem.objectives))
        order = crowded_order(losses, ["minimize"] * losses.shape[1])
        return [*(feasible[row] for row in order), *infeasible][: self._size]

    def _member(self, trial: Trial) -> _Member | None:
        if trial.state == "COMPLETE":
            losses = tuple(objective.loss(trial.metrics) for objective in self._problem.objectives)
            if all(map(math.isfinite, losses)):
                return _Member(architecture=trial.architecture, losses=losses)
        if trial.state == "INFEASIBLE":
            violation = sum(constraint.excess(trial.metrics) for constraint in self._problem.constraints)
            if 0 < violation < math.inf:
                return _Member(architecture=trial.architecture, losses=(), violation=violation)
        return None
