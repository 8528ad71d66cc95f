"""The comparison as figures: a column for each entrant and way of charging, its curves, its seeds, its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.comparing.curves import CHARGES, Charge, best_curve, first_at, loss_curve, volume_curve
from nas.comparing.entrant import BASELINE, Entrant
from nas.comparing.record import SeedRecord
from nas.comparing.statistics import holm, mean_interval, median_interval, paired_p, superiority
from nas.comparing.truth import Truth

# What differs by less than rounding in a file is the optimum.
_EQUAL = 1e-9
VOLUME_TARGET = 0.99


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """An entrant under one way of charging: S seeds over T trials.

    `best`, `loss` and `volume` are [S, T], the first two infinitely bad before anything feasible; `volume` is empty
    with one objective.
    """

    entrant: Entrant
    charge: Charge
    peer: bool
    truth: Truth
    records: tuple[SeedRecord, ...]
    trials: int

    @property
    def label(self) -> str:
        """The entrant's, with the charge where a peer has two columns."""
        is_second = self.peer and self.charge == "feasible trials"
        return f"{self.entrant.label} (feasible only)" if is_second else self.entrant.label

    @cached_property
    def best(self) -> NDArray[np.float64]:
        """Judged value of the best so far."""
        first = self.truth.objectives[0]
        curves = np.array([best_curve(record, first, self.charge, self.trials) for record in self.records])
        return np.where(np.isnan(curves), -np.inf if first.direction == "maximize" else np.inf, curves)

    @cached_property
    def loss(self) -> NDArray[np.float64]:
        """Distance to the optimum."""
        return np.array([loss_curve(record, self.truth, self.charge, self.trials) for record in self.records])

    @cached_property
    def volume(self) -> NDArray[np.float64]:
        """Share of the true front's hypervolume."""
        if len(self.truth.objectives) == 1:
            return np.empty((0, self.trials))
        return np.array([volume_curve(record, self.truth, self.charge, self.trials) for record in self.records])

    @property
    def deficit(self) -> NDArray[np.float64]:
        """What the tests rank, smaller is better, [S, T]: regret, or with several objectives the volume missing."""
        return 1.0 - self.volume if len(self.volume) else self.loss

    def trials_to(self, target: float) -> NDArray[np.float64]:
        """Trials until the regret is at most `target`, [S]; with several objectives, the volume at least."""
        if len(self.volume):
            return np.array([first_at(curve, target, at_most=False) for curve in self.volume])
        return np.array([first_at(curve, target + _EQUAL, at_most=True) for curve in self.loss])


def make_columns(
    entrants: Sequence[Entrant],
    records: Mapping[str, Sequence[SeedRecord]],
    truth: Truth,
    *,
    peers: Sequence[str],
    trials: int,
) -> list[Column]:
    """One column a controller, two a peer: charged for every trial, and for feasible ones alone."""
    columns = []
    for entrant in entrants:
        peer = entrant.name in peers
        charges: Sequence[Charge] = CHARGES if peer else ("feasible trials",)
        columns += [
            Column(
                entrant=entrant,
                charge=charge,
                peer=peer,
                truth=truth,
                records=tuple(records[entrant.label]),
                trials=trials,
            )
            for charge in charges
        ]
    return columns


def checkpoints(trials: int) -> tuple[int, ...]:
    """Where columns are compared: eighth, quarter, half and whole of the budget."""
    return tuple(sorted({max(1, trials // part) for part in (8, 4, 2, 1)}))


def summarise(columns: Sequence[Column], *, target: float, at: Sequence[int]) -> list[dict[str, Any]]:
    """A record a column, as `nas compare --json` prints it.

    Args:
        columns: of one comparison.
        target: regret to reach, or with several objectives the share of the hypervolume.
        at: numbers of trials, the last of which is the budget.
    """
    final = {column.label: column.deficit[:, -1] for column in columns}
    base = next(column.label for column in columns if column.entrant.name == BASELINE)
    leader = min(final, key=lambda label: (np.median(_finite(final[label])), np.mean(_finite(final[label]))))
    against_base = holm([np.nan if c.label == base else paired_p(final[c.label], final[base]) for c in columns])
    against_best = holm([np.nan if c.label == leader else paired_p(final[c.label], final[leader]) for c in columns])
    return [
        _record(column, target, at)
        | {
            "is_best": column.label == leader,
            "p_against_random": against_base[row],
            "p_against_best": against_best[row],
            "superiority_over_random": superiority(final[column.label], final[base]),
        }
        for row, column in enumerate(columns)
    ]


def _record(column: Column, target: float, at: Sequence[int]) -> dict[str, Any]:
    regret, reached = column.loss, column.trials_to(target)
    optimum = column.loss[:, -1] <= _EQUAL
    record: dict[str, Any] = {
        "label": column.label,
        "controller": column.entrant.name,
        "options": dict(column.entrant.options),
        "peer": column.peer,
        "charged": column.charge,
        "seeds": len(column.records),
        "best": _interval(column.best[:, -1]),
        "regret": _interval(regret[:, -1]),
        "regret_at": {str(trials): _interval(regret[:, trials - 1]) for trials in at},
        "found_optimum": float(optimum.mean()),
        "trials_to_target": {**_interval(reached), "reached": float(np.isfinite(reached).mean())},
        "looked_at": float(np.median([record.looked_at[-1] if len(record) else 0 for record in column.records])),
    }
    if len(column.volume):
        record["hypervolume"] = _interval(column.volume[:, -1])
        record["hypervolume_at"] = {str(trials): _interval(column.volume[:, trials - 1]) for trials in at}
    return record


def _interval(values: NDArray[np.float64]) -> dict[str, float]:
    """Median with its rank interval, mean with its bootstrap interval."""
    median, low, high = median_interval(values)
    mean, mean_low, mean_high = mean_interval(values)
    return {
        "median": float(median),
        "low": float(low),
        "high": float(high),
        "mean": mean,
        "mean_low": mean_low,
        "mean_high": mean_high,
    }


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Infinite losses as a number that is larger than any other."""
    return np.where(np.isfinite(values), values, np.finfo(np.float64).max / 1e6)
