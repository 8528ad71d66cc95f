"""Metrics and numbers in words: `latency_ms@host-cpu`, 1.234 → "latency on host-cpu", "1.23 ms"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

UNITS = {"ms": "ms", "us": "µs", "s": "s", "bytes": "B", "mj": "mJ", "mw": "mW"}
NAMES = {
    "macs": "multiply-adds",
    "params": "parameters",
    "size": "file size",
    "peak_ram": "peak memory",
    "map": "mAP",
    "map_50": "mAP at IoU 0.5",
}
SHARES = ("accuracy", "top1", "top5", "recall", "precision", "f1", "auc", "map", "map_50", "map_75")
TEXT_LIMIT = 160


def metric_label(metric: str) -> str:
    """A metric's name as prose: `latency_ms@host-cpu` → `latency on host-cpu`."""
    quantity, _, target = metric.partition("@")
    stem, _ = _stem_and_unit(quantity)
    words = NAMES.get(stem, stem.replace("_", " "))
    return f"{words} on {target}" if target else words


def axis_label(metric: str) -> str:
    """The label of an axis: the metric's name with its unit."""
    _, unit = _stem_and_unit(metric.partition("@")[0])
    return f"{metric_label(metric)} ({unit})" if unit else metric_label(metric)


def is_share(metric: str) -> bool:
    """Whether the metric lies between 0 and 1 and reads best in per cent."""
    quantity = metric.partition("@")[0].lower()
    return quantity.split("_")[-1] in SHARES or quantity in SHARES


def format_value(metric: str, value: float) -> str:
    """A value with its unit, rounded for reading: `97.83 %`, `1.23 ms`, `244 k`; `–` where there is none."""
    if not math.isfinite(value):
        return "–"
    if is_share(metric) and 0 <= value <= 1:
        return f"{100 * value:.2f} %"
    stem, unit = _stem_and_unit(metric.partition("@")[0])
    if unit == "B" or stem in ("macs", "params"):
        return _with_prefix(value, unit)
    return f"{_digits(value)} {unit}".rstrip()


def format_interval(metric: str, low: float, high: float) -> str:
    """`1.20 ms to 1.31 ms`, or nothing where the interval is unknown or has no width."""
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return ""
    return f"{format_value(metric, low)} to {format_value(metric, high)}"


def format_duration(seconds: float) -> str:
    """`42 s`, `12 min 5 s` or `3 h 20 min`; `–` where it is unknown."""
    if not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")


def format_percent(share: float) -> str:
    """`4.2 %`, with more digits for small shares; `–` where there is none."""
    if not math.isfinite(share):
        return "–"
    return f"{100 * share:.1f} %" if share >= 0.01 or share == 0 else f"{100 * share:.2g} %"


def format_instant(value: Any) -> str:
    """Unix seconds as a UTC time; anything else as it stands."""
    if isinstance(value, int | float) and math.isfinite(value):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return str(value)


def shorten(text: object, limit: int = TEXT_LIMIT) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested mappings as rows of (dotted name, value), in order."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows.extend(flatten(value, f"{prefix}{name}."))
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{name}", ", ".join(map(str, value))))
        elif name in ("started", "ended", "started_at", "ended_at"):
            rows.append((f"{prefix}{name}", format_instant(value)))
        else:
            rows.append((f"{prefix}{name}", str(value)))
    return rows


def _stem_and_unit(quantity: str) -> tuple[str, str]:
    stem, _, suffix = quantity.rpartition("_")
    return (stem, UNITS[suffix]) if stem and suffix in UNITS else (quantity, "")


def _digits(value: float) -> str:
    """Three significant digits, without an exponent in the usual range."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
        return f"{value:.{decimals}f}"
    return f"{value:.3g}"


def _with_prefix(value: float, unit: str) -> str:
    """`244 k`, `5.61 M`, `1.20 MB`: powers of 1000."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{_digits(value / factor)} {prefix}{unit}"
    return f"{value:,.0f} {unit}".rstrip()
