"""How far predictions lie from measurements that the predictor never saw."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError

_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Errors over held-out rows.

    rows: how many there are.
    spearman, kendall: rank correlations; None where either side is one value throughout.
    mape: mean of |predicted - measured| / |measured|; None, as the two after it, where a measured value is zero.
    within_5pct, within_10pct: share of the rows predicted as close as that.
    """

    rows: int
    spearman: float | None
    kendall: float | None
    mape: float | None
    within_5pct: float | None
    within_10pct: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        ranks = [f"{name} {_show(value)}" for name, value in (("Spearman", self.spearman), ("Kendall", self.kendall))]
        close = "no relative error, for a measured value is zero"
        if self.mape is not None:
            close = f"MAPE {self.mape:.2%}, within 5 %: {self.within_5pct:.1%}, within 10 %: {self.within_10pct:.1%}"
        return f"{', '.join(ranks)}, {close} ({self.rows} rows held out)"


def held_out_errors(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> HeldOut:
    """Errors of predictions ``[N]`` of what was measured ``[N]``.

    Raises:
        InputError: fewer than two rows, or numbers that are not finite.
    """
    if len(measured) < _FEWEST or len(predicted) != len(measured):
        raise InputError(
            f"held-out rows: expected {_FEWEST} or more of both kinds, got {len(predicted)} and {len(measured)}; "
            "hold out more."
        )
    if not (np.isfinite(predicted).all() and np.isfinite(measured).all()):
        raise InputError("held-out rows: expected finite numbers, got some that are not; look at the table.")
    from scipy.stats import kendalltau, spearmanr

    ranked = len(np.unique(predicted)) > 1 and len(np.unique(measured)) > 1
    errors = None if (measured == 0).any() else np.abs(predicted - measured) / np.abs(measured)
    return HeldOut(
        rows=len(measured),
        spearman=float(spearmanr(predicted, measured).statistic) if ranked else None,
        kendall=float(kendalltau(predicted, measured).statistic) if ranked else None,
        mape=None if errors is None else float(errors.mean()),
        within_5pct=None if errors is None else float((errors <= 0.05).mean()),
        within_10pct=None if errors is None else float((errors <= 0.10).mean()),
    )


def _show(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
