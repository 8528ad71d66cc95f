"""What a seed had after 1, 2, … charged trials: the judged value of its best so far, and its share of the front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nas.comparing.record import SeedRecord
from nas.comparing.truth import Truth
from nas.pareto import Objective, hypervolume, non_dominated

# What is charged for: every evaluation, or the feasible ones alone.
Charge = Literal["every trial", "feasible trials"]
CHARGES: tuple[Charge, ...] = get_args(Charge)

Curve = NDArray[np.float64]


def charged_rows(record: SeedRecord, charge: Charge) -> NDArray[np.int64]:
    """The evaluations that count, in order."""
    rows = np.arange(len(record)) if charge == "every trial" else np.flatnonzero(record.feasible)
    return np.asarray(rows, dtype=np.int64)


def best_curve(record: SeedRecord, objective: Objective, charge: Charge, trials: int) -> Curve:
    """Judged first objective of the feasible architecture that was *seen* to be best, ``[trials]``; NaN before any.

    So a lucky validation figure is paid for, as it is in earnest.
    """
    rows = charged_rows(record, charge)[:trials]
    sign = 1.0 if objective.direction == "maximize" else -1.0
    seen = np.where(record.feasible[rows], sign * record.seen[rows, 0], np.nan)
    seen = np.where(np.isfinite(seen), seen, -np.inf)
    best = np.maximum.accumulate(seen) if len(seen) else seen
    improves = np.isfinite(seen) & (seen > np.concatenate([[-np.inf], best[:-1]]))
    holder = np.maximum.accumulate(np.where(improves, np.arange(len(rows)), -1)) if len(rows) else np.empty(0, int)
    values = np.where(holder >= 0, record.judged[rows, 0][holder], np.nan) if len(rows) else np.empty(0)
    return _extended(values, trials)


def loss_curve(record: SeedRecord, truth: Truth, charge: Charge, trials: int) -> Curve:
    """How much worse than the optimum the best so far is, ``[trials]``; infinite before any."""
    best = best_curve(record, truth.objectives[0], charge, trials)
    sign = 1.0 if truth.objectives[0].direction == "maximize" else -1.0
    return np.where(np.isnan(best), np.inf, sign * (truth.best - best))


def volume_curve(record: SeedRecord, truth: Truth, charge: Charge, trials: int) -> Curve:
    """Share of the true front's hypervolume that the judged values of the *seen* front dominate, ``[trials]``."""
    signs = np.array([-1.0 if objective.direction == "maximize" else 1.0 for objective in truth.objectives])
    directions: Sequence[Literal["maximize", "minimize"]] = ["minimize"] * len(signs)
    seen_front, judged_front = np.empty((0, len(signs))), np.empty((0, len(signs)))
    shares, share = [], 0.0
    for row in charged_rows(record, charge)[:trials]:
        point, judged = record.seen[row] * signs, record.judged[row] * signs
        if record.feasible[row] and np.isfinite(point).all() and not (seen_front <= point).all(axis=1).any():
            seen_front, judged_front = np.vstack([seen_front, point]), np.vstack([judged_front, judged])
            kept = non_dominated(seen_front, directions)
            seen_front, judged_front = seen_front[kept], judged_front[kept]
            share = hypervolume(judged_front, directions, truth.reference * signs) / truth.volume
        shares.append(share)
    return _extended(np.array(shares), trials)


def first_at(curve: Curve, target: float, *, at_most: bool) -> float:
    """Trials until a curve reaches a target, infinite where it never does."""
    reached = curve <= target if at_most else curve >= target
    return float(np.argmax(reached)) + 1 if reached.any() else float("inf")


def _extended(values: Curve, trials: int) -> Curve:
    """A seed that ended early, its space used up, keeps what it has."""
    last = values[-1] if len(values) else np.nan
    return np.concatenate([values, np.full(max(0, trials - len(values)), last)])
