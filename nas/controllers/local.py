"""Local search: from what is best so far to its neighbours, and somewhere else once none of them is better.

White et al., "Exploring the loss landscape in neural architecture search", UAI 2021, for one objective; for several,
Pareto local search (Paquete et al., "Pareto local optimum sets in the biobjective travelling salesman problem", 2004).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nas.controllers.rejection import draw_feasible
from nas.pareto import non_dominated
from nas.problem import Problem
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture

# Neighbours whose limits are checked at a time: one that keeps them is often among the first.
_CHUNK = 8


class LocalSearch:
    """A climb holds the non-dominated trials since it began; with one objective that is the best, or those equal to it.

    Feasible neighbours of a climb's members are tried in random order, and a better one takes its place at once. Where
    every neighbour is known the climb is over, and the next begins at a random architecture. Neighbours that break a
    limit which is cheap to check are passed over and cost nothing.

    Args:
        problem: where to search, what to improve, and which limits are hard.
        initial: random trials before the first climb, which begins at the best of them.
    """

    learns = True

    def __init__(self, problem: Problem, *, initial: int = 10) -> None:
        if initial < 1:
            raise InputError(f"local: expected initial 1 or more, got {initial}; try 10.")
        self._problem, self._initial = problem, initial
        self._known: set[Architecture] = set()
        self._complete = 0
        self._climb: dict[Architecture, tuple[float, ...]] = {}

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """Unknown neighbours of the climb's members, or random ones where a climb has to begin."""
        found: dict[Architecture, None] = {}
        if self._complete >= self._initial:
            members = list(self._climb)
            while len(found) < count and members:
                member = members[int(rng.integers(len(members)))]
                step = next((each for each in self._steps(member, rng) if each not in found), None)
                if step is None:
                    members.remove(member)
                else:
                    found[step] = None
        if len(found) < count:
            return [*found, *draw_feasible(self._problem, count - len(found), rng, self._known | found.keys())]
        return list(found)

    def update(self, trials: Sequence[Trial]) -> None:
        """A complete trial joins the climb if nothing in it is better, and begins a new one where it was over."""
        for trial in trials:
            if trial.state == "COMPLETE":
                over = self._complete >= self._initial and not any(
                    True for member in self._climb for _ in self._steps(member, None)
                )
                self._complete += 1
                losses = tuple(objective.loss(trial.metrics) for objective in self._problem.objectives)
                if all(map(math.isfinite, losses)):
                    self._join(trial.architecture, losses, afresh=over)
            self._known.add(trial.architecture)

    def _join(self, architecture: Architecture, losses: tuple[float, ...], *, afresh: bool) -> None:
        climb = {**({} if afresh else self._climb), architecture: losses}
        kept = non_dominated(list(climb.values()), ["minimize"] * len(losses))
        self._climb = {member: values for (member, values), keep in zip(climb.items(), kept, strict=True) if keep}

    def _steps(self, member: Architecture, rng: np.random.Generator | None) -> Iterator[Architecture]:
        """The neighbours that are feasible and not known; in random order if a generator is given."""
        neighbours = [each for each in self._problem.space.neighbours(member) if each not in self._known]
        if rng is not None:
            neighbours = [neighbours[int(row)] for row in rng.permutation(len(neighbours))]
        for start in range(0, len(neighbours), _CHUNK):
            chunk = neighbours[start : start + _CHUNK]
            for each, keeps in zip(chunk, self._problem.feasible(chunk), strict=True):
                if keeps:
                    yield each
