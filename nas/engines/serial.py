"""One trial after the other in this process: the simplest engine, and the one whose order is fixed."""

from __future__ import annotations

from pathlib import Path

from nas.engines.base import Progress
from nas.engines.batches import run_batches
from nas.evaluators.base import Evaluator, Request
from nas.search import Search
from nas.trial import Trial
from searchspaces.errors import InputError

_AHEAD = 32


class SerialEngine:
    """Args:
    batch: how many proposals a cheap evaluator gets at once; they are made without knowing each other's result.
        By default one, or many where the controller does not look at results anyway.
    """

    def __init__(self, *, batch: int | None = None) -> None:
        if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
            raise InputError(f"engine serial: expected batch 1 or more, got {batch}; leave it out.")
        self._batch = batch

    def run(self, search: Search, evaluator: Evaluator, folder: Path, progress: Progress) -> None:
        """Evaluate until the budget is spent; the trial that the wall clock cuts is left to be resumed."""
        progress(search)
        if evaluator.cheap:
            batch = self._batch or (1 if search.learns else _AHEAD)
            run_batches(search, evaluator, batch, progress)
            return
        queue = search.pending()
        while queue or search.wants_more():
            trial = queue.pop(0) if queue else search.propose()
            if trial is None or search.out_of_time():
                break
            search.started(trial.number)
            progress(search)
            if not self._evaluate(search, evaluator, folder, trial):
                break
            progress(search)
        search.flush()

    @staticmethod
    def _evaluate(search: Search, evaluator: Evaluator, folder: Path, trial: Trial) -> bool:
        """Run one trial; False when the wall clock, not the trial's own limit, cut it short."""
        own, left = search.budget.trial_s, search.seconds_left()
        limits = [limit for limit in (own, left) if limit is not None]
        request = Request(
            number=trial.number,
            architecture=trial.architecture,
            seed=search.trial_seed(trial.number),
            time_limit_s=min(limits, default=None),
            report=lambda epoch, metrics: search.reported(trial.number, epoch, metrics),
        )
        (outcome,) = evaluator.evaluate([request])
        cut = outcome.state == "FAILED" and search.out_of_time() and (own is None or outcome.seconds < own)
        if not cut:
            search.finished({trial.number: outcome})
        return not cut
