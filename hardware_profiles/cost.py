"""A cost is a record, not a float: what was found, where, how, and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from searchspaces.errors import InputError, unknown_name

METHODS = ("measured", "compiled", "predicted")

_TEXTS = ("metric", "unit", "target", "precision", "delegate", "runtime", "fingerprint")
_NUMBERS = ("value", "low", "high", "spread")
_INTERVAL = ("low", "high", "spread")
_COUNTS = {"batch": 1, "threads": 1, "runs": 0, "warmup": 0, "passes": 1}
_OPTIONAL = ("passes", "median", "note")


def utc_now() -> str:
    """The present time as ISO 8601 in UTC, to the second: the form of `Cost.at`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One cost of one network on one target.

    `low` and `high` bound the value: for a measured cost the smallest and largest pass minimum, for a predicted one
    the error interval found on held-out rows. `spread` is (high - low) / value. All three are None for a prediction or
    a compiler's estimate that was never held against measurements. `runs` were timed in each of `passes`; a cost that
    was not measured has none.
    `median` is the median over all runs, which unlike the minimum carries the disturbance by other work; `note` says
    what a reader has to know.

    Raises:
        InputError: a field is missing its meaning: not finite, outside its interval, of an unknown method.
    """

    metric: str
    value: float
    unit: str
    low: float | None
    high: float | None
    method: str
    target: str
    batch: int
    precision: str
    threads: int
    delegate: str
    runtime: str
    fingerprint: str
    runs: int
    warmup: int
    spread: float | None
    at: str
    passes: int = 1
    median: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        _check_texts(self)
        _check_numbers(self)
        for name, least in _COUNTS.items():
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < least:
                raise _wrong(self, name, f"a whole number, {least} or more")
        if self.method == "measured" and self.runs < 1:
            raise _wrong(self, "runs", "1 or more for a measured cost")
        _check_time(self)

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high; the value itself where no interval is known."""
        return (
            self.value if self.low is None else self.low,
            self.value if self.high is None else self.high,
        )

    @property
    def key(self) -> str:
        """The metric with its target, as in constraints and objectives: `latency_ms@host-cpu`."""
        return f"{self.metric}@{self.target}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, in the order of the fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cost:
        """The record of `to_dict`; `passes`, `median` and `note` may be left out.

        Raises:
            InputError: `data` is no mapping, a field is missing or unknown, or its value is refused.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"cost record: expected a mapping of fields, got {data!r}; give one JSON object.")
        names = [item.name for item in fields(cls)]
        for name in data:
            if name not in names:
                raise unknown_name("cost record field", name, names)
        missing = [name for name in names if name not in data and name not in _OPTIONAL]
        if missing:
            raise InputError(
                f"cost record: expected the field {', '.join(missing)}, got {', '.join(data) or 'no field'}; "
                "write records with Cost.to_dict."
            )
        return cls(**data)


def comparable(first: Cost, second: Cost) -> bool:
    """Whether two costs may stand in one column: same device, metric, target, precision, threads and batch."""
    names = ("fingerprint", "metric", "unit", "target", "precision", "threads", "batch")
    return all(getattr(first, name) == getattr(second, name) for name in names)


def check_one_fingerprint(costs: Iterable[Cost]) -> None:
    """Refuse a front whose costs of one `metric@target` come from different devices, runtimes or units.

    Raises:
        InputError: names the metric and the two fingerprints.
    """
    first: dict[str, Cost] = {}
    for cost in costs:
        known = first.setdefault(cost.key, cost)
        if (cost.fingerprint, cost.unit) != (known.fingerprint, known.unit):
            raise InputError(
                f"front: expected all {cost.key} from one device fingerprint and in one unit, got "
                f"{known.fingerprint} ({known.runtime}, {known.unit}) and {cost.fingerprint} ({cost.runtime}, "
                f"{cost.unit}); measure all networks again on one device, or report them as separate fronts."
            )


def _wrong(cost: Cost, name: str, expected: str) -> InputError:
    return InputError(
        f"cost {name}: expected {expected}, got {getattr(cost, name)!r}; correct the record of "
        f"{cost.metric} on {cost.target}."
    )


def _check_texts(cost: Cost) -> None:
    for name in _TEXTS:
        text = getattr(cost, name)
        if not isinstance(text, str) or not text.strip():
            raise _wrong(cost, name, "a word")
    if not isinstance(cost.note, str):
        raise _wrong(cost, "note", "text, which may be empty")
    if cost.method not in METHODS:
        raise unknown_name("cost method", cost.method, METHODS)


def _check_numbers(cost: Cost) -> None:
    unknown = cost.method != "measured" and all(getattr(cost, name) is None for name in _INTERVAL)
    names = ["value"] if unknown else list(_NUMBERS)
    for name in names if cost.median is None else [*names, "median"]:
        number = getattr(cost, name)
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or number < 0:
            raise _wrong(cost, name, "a finite number, 0 or more")
    low, high = cost.bounds
    if not low <= cost.value <= high:
        raise _wrong(cost, "value", f"a number from low to high ({low} to {high})")


def _check_time(cost: Cost) -> None:
    try:
        offset = datetime.fromisoformat(cost.at).utcoffset()
    except (TypeError, ValueError) as error:
        raise _wrong(cost, "at", "an ISO 8601 time in UTC") from error
    if offset != timedelta(0):
        raise _wrong(cost, "at", "an ISO 8601 time in UTC")
