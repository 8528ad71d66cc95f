"""Cheap evaluations, in batches in the driver's own process: a look-up is faster than any hand-over."""

from __future__ import annotations

from collections.abc import Sequence

from nas.engines.base import Progress
from nas.evaluators.base import Evaluator, Request
from nas.search import Search
from nas.trial import Trial


def run_batches(search: Search, evaluator: Evaluator, batch: int, progress: Progress) -> None:
    """Propose, evaluate and write down `batch` trials at a time."""
    left = search.pending()
    if left:
        _evaluate(search, evaluator, left)
    while search.wants_more():
        trials: list[Trial] = []
        while len(trials) < batch and search.wants_more():
            trial = search.propose()
            if trial is None:
                break
            trials.append(trial)
        if trials:
            _evaluate(search, evaluator, trials)
        progress(search)
    search.flush()


def _evaluate(search: Search, evaluator: Evaluator, trials: Sequence[Trial]) -> None:
    requests = [
        Request(number=trial.number, architecture=trial.architecture, seed=search.trial_seed(trial.number))
        for trial in trials
    ]
    outcomes = evaluator.evaluate(requests)
    search.finished({trial.number: outcome for trial, outcome in zip(trials, outcomes, strict=True)})
