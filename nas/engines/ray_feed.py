"""Between Ray Tune and our search: what Tune asks for next, and what it says became of it.

Tune writes its searcher and callbacks to disk for a restore that we do not use; here they are written empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from nas.engines.base import Progress
from nas.metrics import TRAINED
from nas.search import Search
from nas.trial import Outcome, Trial


class Feed(Searcher):  # type: ignore[misc]
    """Hands out what the search proposes, left-over trials first, and takes back how each ended."""

    def __init__(self, search: Search, progress: Progress) -> None:
        super().__init__(metric=None, mode=None)
        self._search, self._progress = search, progress
        self._left = search.pending()
        self._numbers: dict[str, int] = {}
        self._last: dict[str, Mapping[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def set_search_properties(self, metric: Any, mode: Any, config: Any, **spec: Any) -> bool:
        """Tune's own space, metric and mode play no part."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration, or that there is none."""
        trial = self._left.pop(0) if self._left else None
        if trial is None and self._search.wants_more():
            trial = self._search.propose()
            self._progress(self._search)
        if trial is None:
            return Searcher.FINISHED
        self._search.flush()
        self._numbers[trial_id] = trial.number
        return _config(self._search, trial)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Remember the last report, which is all there is when early stopping ends a trial."""
        self._last[trial_id] = result

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Write down how a trial ended, unless the wall clock cut it."""
        number = self._numbers.pop(trial_id)
        last = self._last.pop(trial_id, None)
        outcome = _outcome(result or last or {}, error, self._search)
        if outcome is not None:
            self._search.finished({number: outcome})
            self._progress(self._search)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the trial log holds all there is."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a new searcher is fed from the trial log."""


class Started(TrialProgressCallback):  # type: ignore[misc]
    """Logs the start of trials, in the place of Tune's own printer, which would keep every trial it printed."""

    def __init__(self, search: Search, progress: Progress) -> None:
        super().__init__()
        self._search, self._progress = search, progress

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Called again when a trial is started anew; the log keeps its first start."""
        number = trial.config["number"]
        if self._search.trials[number].state == "PROPOSED":
            self._search.started(number)
            self._progress(self._search)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Nothing: the feed is told."""

    def log_result(self, trial: Any, result: Any, error: bool = False) -> None:
        """Nothing: the command line shows progress."""


class OutOfTime(Stopper):  # type: ignore[misc]
    """Ends everything when the search's wall clock has run out, by the clock that the search itself goes by."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """No trial is stopped for itself."""
        return False

    def stop_all(self) -> bool:
        """Asked once a step of Tune's loop."""
        return self._search.out_of_time()


def _config(search: Search, trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "space": trial.architecture.space,
        "indices": list(trial.architecture.indices),
        "seed": search.trial_seed(trial.number),
        "time_limit_s": search.budget.trial_s,
    }


def _outcome(last: Mapping[str, Any], error: bool, search: Search) -> Outcome | None:
    """How a trial ended; None when the wall clock cut it, so that it stays to be resumed."""
    if "outcome" in last:
        return Outcome(**json.loads(last["outcome"]))
    if error:
        return Outcome(state="FAILED", reason="the trial's process died, again and again", seconds=_seconds(last))
    if search.out_of_time():
        return None
    metrics = {name: float(last[name]) for name in TRAINED if name in last}
    if not metrics:
        return Outcome(state="FAILED", reason="ended without a result", seconds=_seconds(last))
    return Outcome(
        state="COMPLETE",
        metrics=metrics,
        seconds=_seconds(last),
        details={"epochs": int(last.get("epoch", 0)), "stopped": "asha"},
    )


def _seconds(last: Mapping[str, Any]) -> float:
    return float(last.get("time_total_s", 0.0))
