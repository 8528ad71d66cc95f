"""Statistics of a comparison over seeds: intervals that assume no distribution, and rank tests of pairs of columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError

CONFIDENCE = 0.95
_RESAMPLES = 2000

Values = NDArray[np.float64]


def median_interval(values: Values) -> tuple[Values, Values, Values]:
    """Median over the first axis (seeds), and the order statistics that bracket it with 95 % confidence.

    The interval takes no distribution and stands infinities (David and Nagaraja, "Order Statistics", 7.1). Under six
    seeds no pair of order statistics reaches 95 %: then it is the whole range.
    """
    from scipy.stats import binom

    count = len(values)
    if count == 0:
        raise InputError("median: expected values of one seed or more, got none; raise --repeats.")
    ordered = np.sort(values, axis=0)
    outside = max(int(binom.ppf((1 - CONFIDENCE) / 2, count, 0.5)), 1)
    # The k-th smallest and the k-th largest miss the median with twice the odds of fewer than k heads.
    while outside > 1 and 2 * binom.cdf(outside - 1, count, 0.5) > 1 - CONFIDENCE:
        outside -= 1
    return _middle(ordered), ordered[outside - 1], ordered[count - outside]


def mean_interval(values: Values, *, seed: int = 0) -> tuple[float, float, float]:
    """Mean of ``[seeds]`` and its 95 % bootstrap interval (percentiles of 2,000 resamples); NaN if one is infinite."""
    if not np.isfinite(values).all():
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = rng.choice(values, size=(_RESAMPLES, len(values)), replace=True).mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(values.mean()), float(low), float(high)


def paired_p(first: Values, second: Values) -> float:
    """Two-sided p of Wilcoxon's signed-rank test over seeds, equal pairs ranked too (Pratt, 1959).

    An infinite loss counts as worse than every finite one. Without any difference p is 1.
    """
    from scipy.stats import wilcoxon

    finite = np.concatenate([first, second])
    finite = finite[np.isfinite(finite)]
    worst = 2 * float(np.abs(finite).max(initial=1.0)) + 1.0
    difference = np.where(np.isfinite(first), first, worst) - np.where(np.isfinite(second), second, worst)
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference, zero_method="pratt", method="approx").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for so many comparisons; NaN (not tested) stays NaN and counts as none."""
    values = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    scaled = values[order] * np.arange(len(order), 0, -1)
    corrected = values.copy()
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in corrected]


def superiority(losses: Values, others: Values) -> float:
    """Chance that a seed of the first has a smaller loss than a seed of the second, ties half (Vargha and Delaney)."""
    below = (losses[:, None] < others[None, :]).mean()
    equal = (losses[:, None] == others[None, :]).mean()
    return float(below + equal / 2)


def _middle(ordered: Values) -> Values:
    """The median of sorted values; two infinite middles are infinite, not their difference."""
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(low == high, low, (low + high) / 2), dtype=np.float64)
