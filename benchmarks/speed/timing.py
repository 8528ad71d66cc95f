"""Repeats that take turns, and the slope of a series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from searchspaces.errors import InputError

Result = TypeVar("Result")


def in_turns(ways: Mapping[str, Callable[[], Result]], repeats: int) -> dict[str, list[Result]]:
    """Call every way once a repeat, A B A B …, so that a disturbance does not fall on one of them alone."""
    if repeats < 1:
        raise InputError(f"repeats: expected 1 or more, got {repeats}; 3 gives a median.")
    results: dict[str, list[Result]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            results[name].append(way())
    return results


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through points by least squares; `error` is the slope's standard error.

    The error takes the residuals as independent. Those of memory are not quite (a block that is taken stays taken), so
    read it as the least the error can be.
    """

    slope: float
    error: float
    first: float
    last: float


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Fit y over x; three points or more, not all at one x."""
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(xs) < 3 or len(xs) != len(ys) or np.ptp(xs) == 0:
        raise InputError(f"line: expected three points or more at different x, got {len(xs)}; measure more trials.")
    centred = xs - xs.mean()
    spread = float(centred @ centred)
    slope = float(centred @ ys) / spread
    residuals = ys - ys.mean() - slope * centred
    error = float(np.sqrt(residuals @ residuals / (len(xs) - 2) / spread))
    return Line(slope=slope, error=error, first=float(ys[0]), last=float(ys[-1]))
