"""What changes over a search with shared weights: TuNAS's own numbers."""

from __future__ import annotations

import pytest

from nas.schedules import TUNAS_GROWTH, TUNAS_LEARNING_RATE, controller_learning_rate, warm_up_probability


@pytest.mark.parametrize(
    ("progress", "rate"),
    [(0, 0), (0.1, 0), (0.2499, 0), (0.25, 4.8e-3), (0.625, 4.8e-3 * 10**0.5), (1, 4.8e-2), (1.5, 4.8e-2)],
)
def test_the_learning_rate_waits_and_then_grows_tenfold(progress: float, rate: float) -> None:
    base = TUNAS_LEARNING_RATE * 4096 / 256
    assert controller_learning_rate(progress, base, growth=TUNAS_GROWTH) == pytest.approx(rate)


def test_without_delay_and_growth_it_is_constant() -> None:
    assert [controller_learning_rate(each, 0.3, delay=0) for each in (-1, 0, 0.5, 1, 2)] == [0.3] * 5


@pytest.mark.parametrize(("progress", "probability"), [(0, 1), (0.125, 0.5), (0.25, 0), (0.9, 0), (-0.1, 1)])
def test_the_warm_up_ends_with_the_first_quarter(progress: float, probability: float) -> None:
    assert warm_up_probability(progress) == pytest.approx(probability)
