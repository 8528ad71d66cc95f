"""Rounding of channel counts, against hand-made figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.widths import WIDTH_MULTIPLIERS, make_divisible, scale_filters, width_options


@pytest.mark.parametrize(
    ("filters", "multiplier", "base", "expected"),
    [
        (160, 0.625, 8, 104),
        (48, 0.625, 8, 32),
        (16, 0.25, 8, 8),
        (16, 0.75, 8, 16),
        (96, 1.25, 32, 128),
        (8, 0.1, 8, 8),
    ],
)
def test_scaled_filters_go_to_the_nearest_multiple_halves_upwards(filters, multiplier, base, expected):
    assert scale_filters(filters, multiplier, base) == expected


@pytest.mark.parametrize(
    ("filters", "divisor", "expected"), [(18, 8, 24), (12, 8, 16), (10, 8, 16), (60, 8, 64), (147.2, 8, 144), (3, 8, 8)]
)
def test_divisible_filters_lose_at_most_a_tenth(filters, divisor, expected):
    assert make_divisible(filters, divisor) == expected


@given(filters=st.integers(1, 4000), factor=st.floats(0.2, 3.0), divisor=st.sampled_from([1, 4, 8, 32]))
def test_roundings_are_multiples_near_what_they_round(filters, factor, divisor):
    scaled, divisible = scale_filters(filters, factor, divisor), make_divisible(filters * factor, divisor)
    assert scaled % divisor == divisible % divisor == 0
    assert abs(scaled - max(divisor, filters * factor)) <= divisor / 2 + 1e-6
    assert divisible >= 0.9 * filters * factor


@pytest.mark.parametrize(
    ("filters", "base", "expected"),
    [
        (16, 8, (8, 16, 24, 32)),
        (32, 8, (16, 24, 32, 40, 48, 64)),
        (256, 8, (128, 160, 192, 256, 320, 384, 512)),
        (16, 32, (32,)),
        (64, 32, (32, 64, 96, 128)),
    ],
)
def test_equal_widths_are_one_option(filters, base, expected):
    assert width_options(filters, base) == expected
    assert len(expected) <= len(WIDTH_MULTIPLIERS)
