"""Hard constraints: a bound on a cost that is known before anything is trained."""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from searchspaces.errors import InputError

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_PATTERN = re.compile(r"^\s*([A-Za-z_][\w@.\-]*)\s*(<=|>=|<|>)\s*(\S+)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """``metric comparison bound``, such as ``params <= 3e5`` or ``latency_ms@host-cpu <= 2``."""

    metric: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read a constraint as a person writes it."""
        match = _PATTERN.match(text) if isinstance(text, str) else None
        try:
            bound = float(match[3]) if match else math.nan
        except ValueError:
            bound = math.nan
        if match is None or not math.isfinite(bound):
            raise InputError(
                f"constraint: expected a metric, a comparison (<=, <, >=, >) and a number, got {text!r}; "
                'write for example "params <= 3e5".'
            )
        return cls(metric=match[1], comparison=match[2], bound=bound)

    def holds(self, value: float) -> bool:
        """Whether a value keeps the bound; NaN keeps none."""
        return _COMPARE[self.comparison](value, self.bound)

    def excess(self, metrics: Mapping[str, float]) -> float:
        """By what share of the bound a value misses it; 0 where it is kept or nothing is known.

        A value that lies on an excluded bound misses it by the least there is.
        """
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value) or self.holds(value):
            return 0.0
        return max(abs(value - self.bound) / (abs(self.bound) or 1.0), sys.float_info.min)

    def __str__(self) -> str:
        # Written short where that loses nothing: the text is read back when a run is continued.
        short = f"{self.bound:g}"
        return f"{self.metric} {self.comparison} {short if float(short) == self.bound else repr(self.bound)}"
