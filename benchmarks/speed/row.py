"""One line of the result: a figure, what it should reach, and what to know about it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import Final

from searchspaces.errors import InputError, unknown_name

_HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = MappingProxyType(
    {"≥": operator.ge, "≤": operator.le, "<": operator.lt}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a figure should reach; prints as ``≥ 30×``."""

    comparison: str
    bound: float
    unit: str = ""

    def __post_init__(self) -> None:
        if self.comparison not in _HOLDS:
            raise unknown_name("comparison of a target", self.comparison, _HOLDS)

    def holds(self, value: float) -> bool:
        """Whether a measured value reaches it; NaN never does."""
        return _HOLDS[self.comparison](value, self.bound)

    def __str__(self) -> str:
        unit = self.unit if self.unit in ("", "×") else f" {self.unit}"
        return f"{self.comparison} {self.bound:,g}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A measured figure.

    low, high: the range over the repeats, None where there was one value.  ratio: the value compares two ways of doing
    the same work, in turns, in this run; absolute figures hold for this machine alone.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    ratio: bool = False
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.target is None else self.target.holds(self.value)


def at_least(bound: float, unit: str = "") -> Target:
    """The target ``≥ bound``."""
    return Target(comparison="≥", bound=bound, unit=unit)


def at_most(bound: float, unit: str = "") -> Target:
    """The target ``≤ bound``."""
    return Target(comparison="≤", bound=bound, unit=unit)


def below(bound: float, unit: str = "") -> Target:
    """The target ``< bound``."""
    return Target(comparison="<", bound=bound, unit=unit)


def median_row(name: str, values: Sequence[float], unit: str, *, target: Target | None = None, note: str = "") -> Row:
    """The median of repeats, with their range."""
    if not values:
        raise InputError(f"{name}: expected one repeat or more, got none; raise the number of repeats.")
    return Row(name=name, value=median(values), unit=unit, low=min(values), high=max(values), target=target, note=note)


def ratio_row(
    name: str, dividends: Sequence[float], divisors: Sequence[float], *, target: Target | None = None, note: str = ""
) -> Row:
    """How many times as much: the median of the ratios of pairs that ran one after the other."""
    ratios = [left / right for left, right in zip(dividends, divisors, strict=True)]
    return Row(
        name=name,
        value=median(ratios),
        unit="×",
        low=min(ratios),
        high=max(ratios),
        ratio=True,
        target=target,
        note=note,
    )
