"""What the figures say of ours against peers, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from benchmarks.controllers.race import POOLED, Row


def regret_verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """Our best after n trials against the best peer after 4n, and after 2n when it is charged for feasible ones."""
    pooled = [row for row in rows if row.device == POOLED]
    peers = _peers(pooled)
    for trials in (50, 100):
        ours = [row for row in pooled if row.column not in peers and row.trials == trials]
        for factor, charged in ((4, "every trial"), (2, "feasible trials")):
            theirs = [
                row
                for row in pooled
                if row.column in peers and row.charged == charged and row.trials == factor * trials
            ]
            if ours and theirs:
                yield _sentence(min(ours, key=_median), min(theirs, key=_median), charged)


def front_verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """Trials of ours to the target against half of those of pymoo's NSGA-II, device by device and over all."""
    goals = [row for row in rows if row.measure.startswith("trials to")]
    peers = _peers(goals)
    for device in dict.fromkeys(row.device for row in goals):
        here = [row for row in goals if row.device == device]
        ours = min((row for row in here if row.column not in peers), key=_median, default=None)
        theirs = min((row for row in here if row.column in peers), key=_median, default=None)
        if ours is not None and theirs is not None:
            is_half = math.isfinite(ours.median) and 2 * ours.median <= _at_least(theirs)
            is_open = math.isinf(theirs.median) and ours.median < theirs.trials
            verdict = "holds" if is_half else "not shown" if is_open else "does not hold"
            yield (
                f"{device}: {ours.column} takes {_words(ours)} {ours.measure}, {theirs.column} {_words(theirs)}; "
                f"at most half: {verdict}"
            )


def _at_least(row: Row) -> float:
    """How many trials a column takes at least: all it was given, where it did not get there."""
    return row.median if math.isfinite(row.median) else row.trials


def _words(row: Row) -> str:
    return f"{row.median:g}" if math.isfinite(row.median) else f"more than {row.trials}"


def _peers(rows: Sequence[Row]) -> set[str]:
    """Columns of peers: they are charged for every trial, and have another column besides."""
    names = {row.column for row in rows if row.charged == "every trial"}
    return names | {f"{name} (feasible only)" for name in names}


def _sentence(ours: Row, theirs: Row, charged: str) -> str:
    verdict = "holds" if ours.median <= theirs.median else "does not hold"
    return (
        f"{ours.column} after {ours.trials}: {ours.median:.2f}; best peer after {theirs.trials} charged for {charged}, "
        f"{theirs.column}: {theirs.median:.2f}; at most as much: {verdict}"
    )


def _median(row: Row) -> float:
    return row.median
