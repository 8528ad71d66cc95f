"""Searches in this process, put together by the code behind `nas search`, and what their logs tell about time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from nas.cli.assemble import make_engine, make_parts, make_search
from nas.config import parse_config
from nas.evaluators.base import Evaluator
from nas.run_folder import RunFolder, read_log
from nas.search import Search
from nas.store import Event
from nas.trial import Trial
from searchspaces.errors import NoResultError


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSearch:
    """A search that spent its budget; `seconds` is the engine's wall time, `start` when it began (Unix time)."""

    start: float
    seconds: float
    trials: Sequence[Trial]
    events: Sequence[Event]

    @property
    def first_start(self) -> float:
        """Seconds until the first trial ran."""
        return self._times("RUNNING")[0] - self.start

    @property
    def trials_span(self) -> float:
        """Seconds from the first proposal to the end of the last trial: the first one's placement counts."""
        return self._times("COMPLETE")[-1] - self._times("PROPOSED")[0]

    @property
    def turnaround(self) -> float:
        """Seconds from one trial's end to the next one's, the median; with one worker that is all a trial costs."""
        ends = self._times("COMPLETE")
        return median(after - before for before, after in pairwise(ends))

    @property
    def work(self) -> float:
        """Seconds the evaluator itself took for a trial, the median."""
        return median(trial.seconds or 0.0 for trial in self.trials)

    def _times(self, state: str) -> list[float]:
        return [event.at for event in self.events if event.state == state]


def run_search(
    data: Mapping[str, Any],
    folder: Path,
    *,
    wrap: Callable[[Evaluator], Evaluator] = lambda evaluator: evaluator,
    progress: Callable[[Search], None] = lambda search: None,
) -> FinishedSearch:
    """Run a configuration in a new folder, then read its log back from the disk.

    Args:
        data: as in a configuration file.
        folder: must not exist.
        wrap: puts another evaluator around, or in place of, the configured one.
        progress: told after every change.

    Raises:
        NoResultError: a trial failed, or the log does not hold every trial.
    """
    config = parse_config(dict(data))
    engine, parts = make_engine(config), make_parts(config)
    if parts.evaluator is None:
        raise NoResultError("search: expected an evaluator, got none; name one in the configuration.")
    evaluator = wrap(parts.evaluator)
    with RunFolder(folder, config) as run:
        search = make_search(config, run, parts)
        start, tick = time.time(), time.perf_counter()
        engine.run(search, evaluator, folder, progress)
        seconds = time.perf_counter() - tick
    with read_log(folder) as log:
        trials, events = log.trials(), list(log.events())
    complete = [trial for trial in trials if trial.state == "COMPLETE"]
    if len(complete) != config.budget.trials:
        reasons = sorted({trial.reason or trial.state for trial in trials if trial.state != "COMPLETE"})
        raise NoResultError(
            f"search in {folder}: expected {config.budget.trials} complete trials in the log, got {len(complete)} "
            f"({', '.join(reasons) or 'no others'}); run that search alone to see why."
        )
    return FinishedSearch(start=start, seconds=seconds, trials=complete, events=events)
