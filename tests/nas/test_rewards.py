"""Rewards: the examples worked out by hand, their shapes around the target, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_profiles.multi_hardware import average_case, relative_latencies, worst_case
from nas.rewards import BETA, REWARDS, absolute, mnas_hard, mnas_soft
from searchspaces.errors import InputError

# TabNAS's toy example: quality and parameters over 25; rows are the first layer's 2, 3, 4 units, columns the second's.
QUALITY = 1 - np.array([[0.9, 0.9, 0.66], [0.9, 0.66, 0.3], [0.6, 0.3, 0.1]])
RATIO = np.array([[15, 19, 23], [20, 25, 30], [25, 31, 37]]) / 25

qualities = st.floats(0.01, 1)
ratios = st.floats(0.05, 20)
betas = st.floats(-3, -0.01)


def test_ten_per_cent_over_the_target() -> None:
    assert BETA == -0.10
    assert absolute(0.5, 92.4 / 84) == pytest.approx(0.49)
    assert mnas_soft(0.5, 92.4 / 84) == pytest.approx(0.4953, abs=5e-5)
    assert mnas_hard(0.5, 92.4 / 84) == pytest.approx(0.4953, abs=5e-5)


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (-1, [[-0.30, -0.14, 0.26], [-0.10, 0.34, 0.50], [0.40, 0.46, 0.42]]),
        (-2, [[-0.70, -0.38, 0.18], [-0.30, 0.34, 0.30], [0.40, 0.22, -0.06]]),
    ],
)
def test_absolute_rewards_of_the_toy_example(beta: float, expected: list[list[float]]) -> None:
    assert absolute(QUALITY, RATIO, beta) == pytest.approx(np.array(expected))


@given(qualities, ratios, betas)
def test_they_agree_where_they_should(quality: float, ratio: float, beta: float) -> None:
    for reward in REWARDS.values():
        assert reward(quality, 1.0, beta) == pytest.approx(quality)
        assert reward(quality, ratio, 0.0) == pytest.approx(quality)
    hard, soft = mnas_hard(quality, ratio, beta), mnas_soft(quality, ratio, beta)
    assert hard == pytest.approx(soft if ratio > 1 else quality)
    # Symmetric about the target, where it is largest.
    assert absolute(quality, 1 + 0.3, beta) == pytest.approx(absolute(quality, 1 - 0.3, beta))
    assert absolute(quality, ratio, beta) <= quality


@given(st.lists(st.tuples(qualities, ratios), min_size=1, max_size=5), betas)
def test_arrays_are_taken_entry_by_entry(pairs: list[tuple[float, float]], beta: float) -> None:
    quality, ratio = np.array(pairs).T
    for reward in REWARDS.values():
        assert reward(quality, ratio, beta).tolist() == [float(reward(*pair, beta)) for pair in pairs]


def test_over_several_devices_the_average_or_the_worst_is_weighed() -> None:
    relative = relative_latencies({"cpu": 12.0, "dsp": 3.0}, {"cpu": 10.0, "dsp": 4.0})
    assert absolute(0.7, average_case(relative)) == pytest.approx(0.7 - 0.1 * abs((1.2 + 0.75) / 2 - 1))
    assert absolute(0.7, average_case(relative, {"cpu": 3, "dsp": 1})) == pytest.approx(0.7 - 0.1 * 0.0875)
    assert absolute(0.7, worst_case(relative)) == pytest.approx(0.7 - 0.1 * 0.2)


def test_what_is_no_number_gives_none() -> None:
    for reward in REWARDS.values():
        assert np.isnan(reward([np.nan, 0.5], [1.0, np.nan], BETA)).all()


@pytest.mark.parametrize("reward", REWARDS.values())
def test_they_refuse(reward: Callable[..., object]) -> None:
    with pytest.raises(InputError, match=r"beta: expected 0 or less, .* got 0.1; TuNAS has -0.1"):
        reward(0.5, 1.0, 0.1)
    with pytest.raises(InputError, match=r"beta: .* got nan"):
        reward(0.5, 1.0, float("nan"))
    with pytest.raises(InputError, match=r"ratio: expected costs over their target, above 0, got -2\.0"):
        reward(0.5, [1.0, -2.0], -0.1)
