"""Predictor-driven Pareto search: try next what is expected to widen the front most."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.controllers.rejection import accepted, draw_feasible
from nas.gaussian_process import Kernel, encode, fit_kernel, normal_scores, predict
from nas.improvement import expected_improvement
from nas.problem import Problem
from nas.ranking import crowded_order
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture

Floats = NDArray[np.float64]

# A space up to this size is looked at as a whole.
_LISTED = 20_000
# Trials a process is fitted to; beyond, those far behind the front are left out.
_FITTED = 512
# Architectures asked for at once are picked in so many rounds, each believing what is predicted of those before.
_ROUNDS = 16


class EHVI:
    """The first `initial` trials are random; then the candidate of the highest expected hypervolume improvement.

    Each objective that only an evaluation finds gets a Gaussian process over the choices, fitted to the normal scores
    of its values; volumes are measured on these, so that no unit and no outlier decides what counts as wide. A cost
    that is cheap to know is not predicted but taken as it is. Candidates are the whole space where it can be listed,
    otherwise random draws and mutants of the front; all feasible, as far as that is cheap to know. Several suggestions
    at once believe the predictions of those before them.

    Args:
        problem: where to search, what to improve, and which limits are hard.
        initial: random trials before the first prediction.
        candidates: how many are looked at for a suggestion, where the space is too large to list.
    """

    learns = True

    def __init__(self, problem: Problem, *, initial: int = 10, candidates: int = 1000) -> None:
        for name, value, least in (("initial", initial, 2), ("candidates", candidates, 2)):
            if value < least:
                raise InputError(f"ehvi: expected {name} {least} or more, got {value}; leave it out.")
        self._problem, self._initial, self._count = problem, initial, candidates
        self._metrics = [objective.metric for objective in problem.objectives]
        self._known: set[Architecture] = set()
        self._complete = 0
        self._tried: list[Architecture] = []
        self._losses: list[tuple[float, ...]] = []
        # What follows from the trials and the problem alone, found when it is first asked for.
        self._listed: tuple[Architecture, ...] | None = None
        self._kernels: dict[int, tuple[int, Kernel]] = {}

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """Random until `initial` trials are complete, then the candidates that promise most."""
        pool = self._pool(rng) if self._complete >= self._initial and len(self._tried) > 1 and count else []
        best = [pool[row] for row in self._best(pool, count, rng)] if pool else []
        if len(best) == count:
            return best
        return [*best, *draw_feasible(self._problem, count - len(best), rng, self._known.union(best))]

    def update(self, trials: Sequence[Trial]) -> None:
        """Complete trials are learned from; no trial is suggested again."""
        for trial in trials:
            self._known.add(trial.architecture)
            if trial.state == "COMPLETE":
                self._complete += 1
                losses = tuple(objective.loss(trial.metrics) for objective in self._problem.objectives)
                if all(map(math.isfinite, losses)):
                    self._tried.append(trial.architecture)
                    self._losses.append(losses)

    def _pool(self, rng: np.random.Generator) -> list[Architecture]:
        space = self._problem.space
        if space.size <= _LISTED:
            if self._listed is None:
                every = list(space.enumerate())
                kept = self._problem.feasible(every)
                self._listed = tuple(each for each, keeps in zip(every, kept, strict=True) if keeps)
            return [each for each in self._listed if each not in self._known]
        order = crowded_order(self._losses, ["minimize"] * len(self._metrics))
        parents = [self._tried[row] for row in order[: max(8, len(order) // 4)]]

        def mutants(count: int) -> list[Architecture]:
            return [self._mutant(parents, rng) for _ in range(count)]

        drawn = draw_feasible(self._problem, self._count // 2, rng, self._known)
        drawn += accepted(self._problem, self._count - len(drawn), mutants, self._known.union(drawn))
        kept = self._problem.feasible(drawn)
        new = (each for each, keeps in zip(drawn, kept, strict=True) if keeps and each not in self._known)
        return list(dict.fromkeys(new))

    def _mutant(self, parents: Sequence[Architecture], rng: np.random.Generator) -> Architecture:
        """One to four choices away from a parent, fewer more often."""
        child = parents[int(rng.integers(len(parents)))]
        for _ in range(min(int(rng.geometric(0.5)), 4)):
            child = self._problem.space.mutate(child, rng)
        return child

    def _best(self, pool: Sequence[Architecture], count: int, rng: np.random.Generator) -> list[int]:
        mean, deviation, front = self._predicted(pool)
        reference = np.maximum(front.max(axis=0), np.where(deviation > 0, -np.inf, mean).max(axis=0))
        left, picked = np.arange(len(pool)), list[int]()
        while len(picked) < min(count, len(pool)):
            gain = expected_improvement(mean[left], deviation[left], front, reference)
            wanted = min(-(-count // _ROUNDS), count - len(picked), len(left))
            # The generator settles ties.
            chosen = left[np.lexsort((rng.random(len(left)), -gain))[:wanted]]
            picked += chosen.tolist()
            front = np.concatenate([front, mean[chosen]])
            left = np.setdiff1d(left, chosen)
        return picked

    def _predicted(self, pool: Sequence[Architecture]) -> tuple[Floats, Floats, Floats]:
        """Mean and deviation of the pool's losses, [N, M] each, and the losses of trials in the same units, [T, M]."""
        rows, queries = (encode(self._problem.space, each) for each in (self._tried, pool))
        seen = np.array(self._losses)
        exact = self._problem.known(pool, self._metrics)
        mean, deviation, losses = np.zeros(exact.shape), np.zeros(exact.shape), seen.copy()
        for column, objective in enumerate(self._problem.objectives):
            if np.isfinite(exact[:, column]).all():
                mean[:, column] = exact[:, column] * (-1.0 if objective.direction == "maximize" else 1.0)
                continue
            losses[:, column] = normal_scores(seen[:, column])
            fitted = self._fitted(seen)
            mean[:, column], deviation[:, column] = predict(
                self._kernel(column, rows, seen[:, column]), rows[fitted], losses[fitted, column], queries
            )
        return mean, deviation, losses

    def _fitted(self, losses: Floats) -> NDArray[np.int64]:
        if len(losses) <= _FITTED:
            return np.arange(len(losses))
        return np.sort(crowded_order(losses, ["minimize"] * losses.shape[1])[:_FITTED])

    def _kernel(self, column: int, rows: Floats, losses: Floats) -> Kernel:
        """From the trials up to the last 2, 3, 4, 6, 8, 12, 16, … of them: what matters changes slowly."""
        most = min(len(rows), _FITTED)
        power = 1 << (most.bit_length() - 1)
        count = power + power // 2 if most >= power + power // 2 else power
        if self._kernels.get(column, (0, None))[0] != count:
            self._kernels[column] = (count, fit_kernel(rows[:count], normal_scores(losses[:count])))
        return self._kernels[column][1]
