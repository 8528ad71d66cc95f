"""Search by a predictor of what an architecture is worth (Wen et al., ECCV 2020), once or in rounds."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from nas.controllers.rejection import draw_feasible
from nas.gaussian_process import normal_scores
from nas.problem import Problem
from nas.regressors.acquisition import ACQUISITIONS
from nas.regressors.base import Features, Prediction, Regressor
from nas.regressors.catalog import create_regressor
from nas.regressors.two_stage import TwoStage
from nas.trial import Trial
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture

_TARGETS = ("ranks", "values")
# A fit waits for one in so many results more, where that is more than `batch`.
_GROWTH = 20
# A space up to this size is looked at as a whole.
_LISTABLE = 20_000
# How many of the best a large space's candidates are mutated from, and how often each.
_PARENTS, _CHILDREN = 16, 32
# Feasibility is asked from the top of the ranking down, and no further than this.
_MOST_CHECKED = 4096
_PORTION = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class _Round:
    """What was learned from the first `examples` results: candidates, and a prediction of each for every objective."""

    examples: int
    candidates: list[Architecture]
    predictions: tuple[Prediction, ...]
    best: float


class Predictor:
    """The first `initial` results are of random architectures; then come those that a regressor ranks highest.

    It is fitted anew on all results after every `batch` of them, or after 5 % more where that is more. With a batch of
    0 it is fitted once, as in the paper: N random architectures, then the top K. Candidates are the whole space where
    that has up to 20,000 architectures, and else a random sample with mutants of the best. What breaks a limit that is
    cheap to check is passed over.

    With several objectives each has its regressor, and every suggestion goes by a weighting of its own: the largest
    weighted distance from the best prediction of each objective (Knowles 2006, with upper bounds).

    Args:
        problem: where to search, and what to improve.
        initial: how many results to learn from first.
        batch: how many results until the next fit; 0 fits once.
        regressor: `gaussian_process`, `trees`, `ensemble` (of trees, with their spread), `graph` or `graph_ensemble`.
        acquisition: `expected_improvement`, `mean`, `upper_bound` or `thompson`, for one objective.
        stages: 1, or 2 for a classifier before the regressor.
        good: share of the results seen that the classifier takes for good.
        targets: what is learned: `ranks`, spread like a normal distribution, or `values`.
        candidates: how many architectures of a larger space are ranked at a time.
    """

    learns = True

    def __init__(
        self,
        problem: Problem,
        *,
        initial: int = 10,
        batch: int = 1,
        regressor: str = "gaussian_process",
        acquisition: str = "expected_improvement",
        stages: int = 1,
        good: float = 0.5,
        targets: str = "ranks",
        candidates: int = 2_000,
    ) -> None:
        if initial < 2 or batch < 0 or candidates < 1:
            raise InputError(
                f"predictor: expected initial 2 or more, batch 0 or more and candidates 1 or more, got {initial}, "
                f"{batch} and {candidates}; try initial 10, batch 1 and candidates 2000."
            )
        if stages not in (1, 2) or not 0 < good < 1:
            raise InputError(
                f"predictor: expected stages 1 or 2 and good between 0 and 1, got {stages} and {good}; "
                "try stages 2 and good 0.5."
            )
        if acquisition not in ACQUISITIONS:
            raise unknown_name("acquisition", acquisition, ACQUISITIONS)
        if targets not in _TARGETS:
            raise unknown_name("targets", targets, _TARGETS)
        self._problem, self._space = problem, problem.space
        self._initial, self._batch, self._count = initial, batch, candidates
        self._regressor, self._acquisition = create_regressor(regressor), ACQUISITIONS[acquisition]
        self._stages, self._good, self._targets = stages, good, targets
        self._seen: set[Architecture] = set()
        self._results: list[tuple[Architecture, tuple[float, ...]]] = []
        self._round: _Round | None = None

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """The highest ranked that are feasible and were never seen; random ones before the first fit."""
        found: list[Architecture] = []
        if len(self._results) >= self._initial:
            found = self._top(self._current(), count, rng)
        missing = count - len(found)
        return found + (draw_feasible(self._problem, missing, rng, self._seen) if missing else [])

    def update(self, trials: Sequence[Trial]) -> None:
        """Complete trials whose objectives are all finite are learned from; none is suggested again."""
        for trial in trials:
            self._seen.add(trial.architecture)
            if trial.state == "COMPLETE":
                values = [trial.metrics.get(objective.metric) for objective in self._problem.objectives]
                if all(value is not None and math.isfinite(value) for value in values):
                    signed = (
                        float(value or 0.0) * (1 if objective.direction == "maximize" else -1)
                        for value, objective in zip(values, self._problem.objectives, strict=True)
                    )
                    self._results.append((trial.architecture, tuple(signed)))

    # -- learning ----------------------------------------------------------------------------------------------

    def _current(self) -> _Round:
        """The round that the results seen belong to; found again from them alone where it is not at hand."""
        examples, step = self._initial, self._batch
        while step and examples + step <= len(self._results):
            examples += step
            step = max(self._batch, examples // _GROWTH)
        if self._round is None or self._round.examples != examples:
            self._round = self._learn(self._results[:examples])
        return self._round

    def _learn(self, results: Sequence[tuple[Architecture, tuple[float, ...]]]) -> _Round:
        tried = [architecture for architecture, _ in results]
        seed = zlib.crc32("\n".join(each.id for each in tried).encode())
        targets = np.array([values for _, values in results])
        if self._targets == "ranks":
            targets = np.stack([normal_scores(column) for column in targets.T], axis=1)
        known = self._regressor.encode(self._space, tried)
        candidates, portions = self._candidates(tried, targets, np.random.default_rng([seed, len(results)]))
        fitted = [self._staged(column).fit(known, column, seed=seed) for column in targets.T]
        parts = [[each.predict(portion) for each in fitted] for portion in portions]
        predictions = (
            Prediction(
                mean=np.concatenate([part[number].mean for part in parts]),
                std=np.concatenate([part[number].std for part in parts]),
            )
            for number in range(len(fitted))
        )
        return _Round(
            examples=len(results),
            candidates=candidates,
            predictions=tuple(predictions),
            best=float(targets[:, 0].max()),
        )

    def _staged(self, targets: NDArray[np.float64]) -> Regressor:
        if self._stages == 1:
            return self._regressor
        return TwoStage(self._regressor, good=float(np.quantile(targets, 1 - self._good)))

    @cached_property
    def _every(self) -> tuple[list[Architecture], list[Features]]:
        """All of a small space."""
        every = list(self._space.enumerate())
        return every, [self._regressor.encode(self._space, every)]

    def _candidates(
        self, tried: Sequence[Architecture], targets: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[list[Architecture], Iterable[Features]]:
        """Candidates, and their features a portion at a time: graphs of a hundred thousand would fill the memory."""
        if self._space.size <= _LISTABLE:
            return self._every
        found = dict.fromkeys(self._space.sample(rng, self._count))
        # With several objectives the parents are spread over them.
        for column in targets.T:
            for row in np.argsort(-column, kind="stable")[: max(1, _PARENTS // targets.shape[1])]:
                found.update(dict.fromkeys(self._space.mutate(tried[int(row)], rng) for _ in range(_CHILDREN)))
        candidates = list(found)
        return candidates, (
            self._regressor.encode(self._space, candidates[start : start + _PORTION])
            for start in range(0, len(candidates), _PORTION)
        )

    # -- choosing ----------------------------------------------------------------------------------------------

    def _top(self, learned: _Round, count: int, rng: np.random.Generator) -> list[Architecture]:
        score = self._score(learned, rng)
        order = (learned.candidates[int(row)] for row in np.argsort(-score, kind="stable"))
        fresh = (each for each in order if each not in self._seen)
        found: list[Architecture] = []
        checked, portion = 0, max(16, 2 * count)
        while len(found) < count and checked < _MOST_CHECKED and (asked := list(islice(fresh, portion))):
            kept = self._problem.feasible(asked)
            found += [each for each, keeps in zip(asked, kept, strict=True) if keeps]
            checked, portion = checked + len(asked), 2 * portion
        return found[:count]

    def _score(self, learned: _Round, rng: np.random.Generator) -> NDArray[np.float64]:
        if len(learned.predictions) == 1:
            return self._acquisition(learned.predictions[0], learned.best, rng)
        weights = rng.dirichlet(np.ones(len(learned.predictions)))
        bounds = np.stack([each.mean + each.std for each in learned.predictions])
        spread = np.maximum(bounds.std(axis=1, keepdims=True), 1e-12)
        short = (bounds.max(axis=1, keepdims=True) - bounds) / spread * weights[:, None]
        return np.asarray(-short.max(axis=0) - 0.05 * short.sum(axis=0), dtype=np.float64)
