"""Intervals and tests of a comparison, against SciPy, by hand, and by their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from nas.comparing.statistics import holm, mean_interval, median_interval, paired_p, superiority
from searchspaces.errors import InputError

INF = float("inf")


@pytest.mark.parametrize(("seeds", "below"), [(5, 1), (6, 1), (9, 2), (20, 6), (30, 10), (100, 40)])
def test_the_interval_is_that_of_the_tables(seeds: int, below: int) -> None:
    """The ranks are those of tables of the sign test at 5 % (20: 6th and 15th of 20; 100: 40th and 61st)."""
    values = np.arange(1.0, seeds + 1)
    median, low, high = median_interval(values)
    assert (float(low), float(high)) == (below, seeds + 1 - below)
    assert float(median) == (seeds + 1) / 2


@given(seeds=st.integers(6, 200))
def test_no_narrower_pair_of_ranks_would_do(seeds: int) -> None:
    _, low, _ = median_interval(np.arange(1.0, seeds + 1))
    rank = int(low)
    assert 2 * binom.cdf(rank - 1, seeds, 0.5) <= 0.05
    assert 2 * binom.cdf(rank, seeds, 0.5) > 0.05


def test_the_interval_covers_the_median() -> None:
    """2,000 samples of 20 from a skewed distribution; the standard error of the share is 0.5 points."""
    samples = np.random.default_rng(0).exponential(size=(20, 2000))
    _, low, high = median_interval(samples)
    covered = ((low <= np.log(2)) & (np.log(2) <= high)).mean()
    assert 0.95 - 0.015 <= covered <= 0.98


def test_the_bootstrap_covers_the_mean() -> None:
    """400 samples of 30; percentiles fall a little short of 95 %, and four standard errors are 4 points."""
    samples = np.random.default_rng(1).normal(size=(400, 30))
    intervals = [mean_interval(sample) for sample in samples]
    covered = np.mean([low <= 0 <= high for _, low, high in intervals])
    assert 0.89 <= covered <= 0.98
    assert mean_interval(samples[0]) == mean_interval(samples[0])


def test_infinite_losses_have_a_rank_and_no_mean() -> None:
    values = np.array([[1.0, INF], [2.0, INF], [INF, INF]])
    median, low, high = median_interval(values)
    assert median.tolist() == [2.0, INF]
    assert (low.tolist(), high.tolist()) == ([1.0, INF], [INF, INF])
    assert all(np.isnan(mean_interval(values[:, 0])))
    with pytest.raises(InputError, match="expected values of one seed"):
        median_interval(np.empty(0))


def test_the_rank_test_finds_a_difference_and_no_difference() -> None:
    rng = np.random.default_rng(2)
    losses = rng.random(20)
    assert paired_p(losses, losses) == 1.0
    assert paired_p(losses, losses + 0.5 + 0.1 * rng.random(20)) < 1e-3
    assert paired_p(losses, np.full(20, INF)) < 1e-3
    assert paired_p(losses, rng.permutation(losses)) > 0.05
    # Equal pairs speak against a difference: two of twenty that differ are no finding.
    assert paired_p(losses, losses + np.where(np.arange(20) < 2, 0.5, 0.0)) > 0.1


def test_the_rank_test_keeps_its_level() -> None:
    """Of 1,000 pairs of equal columns 5 % are called different; three standard errors are 2 points."""
    rng = np.random.default_rng(3)
    calls = [paired_p(rng.random(20), rng.random(20)) < 0.05 for _ in range(1000)]
    assert 0.03 <= np.mean(calls) <= 0.07


def test_holm_by_hand() -> None:
    corrected = holm([0.01, float("nan"), 0.04, 0.03])
    assert corrected[0] == pytest.approx(0.03)
    assert np.isnan(corrected[1])
    assert corrected[2:] == [pytest.approx(0.06), pytest.approx(0.06)]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_superiority_by_hand() -> None:
    assert superiority(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == (3 + 0.5) / 4
    assert superiority(np.array([INF]), np.array([INF])) == 0.5
