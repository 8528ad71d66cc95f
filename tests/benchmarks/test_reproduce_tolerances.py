"""What printed digits leave open, on figures that were made by printing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reproduce.tolerances import number_text, printed_tolerance, scaled, stated_tolerance
from searchspaces.errors import InputError

PLACES = st.integers(0, 4)
VALUES = st.decimals(Decimal("0.001"), Decimal("100000"), places=9)


@given(VALUES, PLACES)
def test_a_value_is_within_its_own_rounding(value: Decimal, places: int) -> None:
    published = round(value, places)
    assert printed_tolerance(published, "M").holds(value)


@given(VALUES, PLACES)
def test_a_value_that_prints_otherwise_is_not(value: Decimal, places: int) -> None:
    step = Decimal(1).scaleb(-places)
    published = round(value, places) + step
    allowed = printed_tolerance(published, "M")
    # The middle between two printed figures belongs to both, since papers round it either way.
    assert allowed.holds(value) == (value == published - step / 2)
    assert allowed.high - allowed.low == step


@given(st.integers(-(10**12), 10**12), st.integers(-3, 3))
def test_a_count_in_full_leaves_nothing_open(count: int, off: int) -> None:
    allowed = printed_tolerance(Decimal(count), "")
    assert allowed.text == "exact"
    assert allowed.holds(Decimal(count + off)) == (off == 0)


@pytest.mark.parametrize(
    ("published", "unit", "low", "high", "text"),
    [
        ("4.21", "M", "4.205", "4.215", "±0.005"),
        ("69.40", "%", "69.395", "69.405", "±0.005"),
        ("300", "M", "299.5", "300.5", "±0.5"),
        ("2.36e8", "", "235500000", "236500000", "±500,000"),
        ("160", "px", "160", "160", "exact"),
        ("84", "ms", "83.5", "84.5", "±0.5"),
    ],
)
def test_tolerances_of_printed_figures(published: str, unit: str, low: str, high: str, text: str) -> None:
    allowed = printed_tolerance(Decimal(published), unit)
    assert (allowed.low, allowed.high, allowed.text) == (Decimal(low), Decimal(high), text)


def test_a_bare_power_of_ten_is_an_order_of_magnitude() -> None:
    allowed = printed_tolerance(Decimal("1e21"), "")
    assert allowed.text == "power of ten"
    assert allowed.holds(Decimal("3.16e21")) and allowed.holds(Decimal("3.17e20"))
    assert not allowed.holds(Decimal("3.17e21")) and not allowed.holds(Decimal("3.16e20"))
    # With a digit behind the point it is a figure like any other.
    assert printed_tolerance(Decimal("1.0e21"), "").text == "±5e19"


def test_a_stated_tolerance_is_a_share_or_an_amount() -> None:
    share, amount = stated_tolerance(Decimal("2.7"), "4 %"), stated_tolerance(Decimal("2.7"), "±0.3")
    assert (share.low, share.high, share.text) == (Decimal("2.592"), Decimal("2.808"), "±4 %")
    assert (amount.low, amount.high, amount.text) == (Decimal("2.4"), Decimal("3.0"), "±0.3")


@pytest.mark.parametrize("text", ["4", "4%", "± 4", "±4 %", "-4 %", "4 percent", "nan %", "±", "±1e3", " 4 %"])
def test_a_tolerance_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected '4 %' or '±2'"):
        stated_tolerance(Decimal(1), text)


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_a_figure_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a finite number"):
        printed_tolerance(Decimal(text), "M")


@given(st.integers(0, 10**12), st.sampled_from(["", "M", "G", "MiB", "%", "ms"]))
def test_units_scale_without_loss(count: int, unit: str) -> None:
    factor = {"M": 10**6, "G": 10**9, "MiB": 2**20}.get(unit, 1)
    assert scaled(count, unit) * factor == count


def test_a_count_of_any_length_is_kept_whole() -> None:
    assert scaled(10**60 + 1, "") == Decimal(10**60 + 1)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("4205423", "4,205,423"),
        ("69.40", "69.40"),
        ("0.00005", "0.00005"),
        ("2.36e8", "236,000,000"),
        ("999999999999", "999,999,999,999"),
        ("1e21", "1e21"),
        ("2156489995751704756224", "2.156e21"),
        ("8.50e42", "8.5e42"),
    ],
)
def test_numbers_for_people(number: str, text: str) -> None:
    assert number_text(Decimal(number)) == text
