"""What the search was promised about its winners, and what was measured afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nas.tables import RunTables, Winner
from reports.words import format_interval, format_value, metric_label

MOST_OP_KINDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One cost of one winner, before and after; `ratio` is measured over promised."""

    winner: str
    metric: str
    precision: str
    promised: str
    promised_interval: str
    method: str
    measured: str
    measured_interval: str
    ratio: float
    ratio_low: float
    ratio_high: float
    promised_low: float
    promised_high: float
    verdict: str

    @property
    def kept(self) -> bool:
        return self.verdict == "as promised"


def winner_name(runs: Sequence[RunTables], run: RunTables, winner: Winner) -> str:
    """How a winner is called throughout the page; its run is named where there are several."""
    return f"{run.name + ' ' if len(runs) > 1 else ''}#{winner.number} ({winner.label})"


def promises(runs: Sequence[RunTables]) -> tuple[Promise, ...]:
    """A row per promised cost of every winner; those never measured again say so."""
    rows = []
    for run in runs:
        for winner in run.winners:
            measured = {_key(cost): cost for cost in winner.measured}
            name = winner_name(runs, run, winner)
            rows += [_promise(name, cost, measured.get(_key(cost))) for cost in winner.promised]
    return tuple(rows)


def op_latencies(runs: Sequence[RunTables]) -> pd.DataFrame:
    """Per winner and kind of op: winner, kind, latency_us, ops, fallback; the small kinds under `other ops`.

    An op that runs on the CPU while others of its network are delegated is a fallback and stands apart.
    """
    rows = []
    for run in runs:
        for winner in run.winners:
            if len(winner.ops) == 0:
                continue
            delegated = winner.ops["delegated"].astype(bool)
            fallback = ~delegated if delegated.any() else delegated
            sums = winner.ops.groupby([winner.ops["kind"].astype(str), fallback])["latency_us"]
            for (kind, fell_back), times in sums:
                rows.append((winner_name(runs, run, winner), kind, float(times.sum()), len(times), bool(fell_back)))
    table = pd.DataFrame(rows, columns=["winner", "kind", "latency_us", "ops", "fallback"])
    totals = table.groupby("kind")["latency_us"].sum().sort_values(ascending=False, kind="stable")
    kept = set(totals.index[:MOST_OP_KINDS])
    table["kind"] = [kind if kind in kept else "other ops" for kind in table["kind"]]
    return table.groupby(["winner", "kind", "fallback"], as_index=False, sort=False).sum()


def result_rows(winner: Winner) -> list[tuple[str, str, str]]:
    """Results on the test split: metric, precision, value."""
    rows = []
    for metric, value in winner.test.items():
        cells = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [
            (metric_label(metric), str(precision), format_value(metric, _number(cell))) for precision, cell in cells
        ]
    return rows


def _promise(name: str, promised: Mapping[str, Any], measured: Mapping[str, Any] | None) -> Promise:
    metric = _metric(promised)
    value, low, high = _bounds(promised)
    again, again_low, again_high = _bounds(measured or {})
    scale = 1 / value if value and math.isfinite(value) else math.nan
    return Promise(
        winner=name,
        metric=metric,
        precision=str(promised.get("precision") or "–"),
        promised=format_value(metric, value),
        promised_interval=format_interval(metric, low, high),
        method=str(promised.get("method") or "–"),
        measured=format_value(metric, again),
        measured_interval=format_interval(metric, again_low, again_high),
        ratio=again * scale,
        ratio_low=again_low * scale,
        ratio_high=again_high * scale,
        promised_low=low * scale,
        promised_high=high * scale,
        verdict=_verdict(promised, measured),
    )


def _verdict(promised: Mapping[str, Any], measured: Mapping[str, Any] | None) -> str:
    if measured is None or not math.isfinite(_number(measured.get("value"))):
        return "not measured again"
    before, after = promised.get("fingerprint"), measured.get("fingerprint")
    if before and after and before != after:
        return "another machine"
    value, low, high = _bounds(promised)
    again, again_low, again_high = _bounds(measured)
    if again_low <= high and again_high >= low:
        return "as promised"
    change = again / value - 1 if value else math.nan
    return f"{abs(change):.0%} {'more' if change > 0 else 'less'}"


def _metric(cost: Mapping[str, Any]) -> str:
    metric, target = str(cost["metric"]), cost.get("target")
    return f"{metric}@{target}" if target and "@" not in metric else metric


def _key(cost: Mapping[str, Any]) -> tuple[str, str]:
    return _metric(cost), str(cost.get("precision") or "")


def _bounds(cost: Mapping[str, Any]) -> tuple[float, float, float]:
    """Value, low and high; an unknown bound is the value."""
    value = _number(cost.get("value"))
    low, high = _number(cost.get("low")), _number(cost.get("high"))
    return value, low if math.isfinite(low) else value, high if math.isfinite(high) else value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
