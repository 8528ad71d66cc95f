"""The problems: NAS-Bench-201 on CIFAR-100, with the latencies that HELP measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tabular import load
from benchmarks.tabular.record import write_csv
from nas.evaluators.table_file import Table

SPACE = "nasbench201-cells"
ACCURACY = "cifar100_accuracy_percent"
# Two graphics cards, two server processors, two telephones.
DEVICES = ("1080ti_32", "titanx_256", "gold_6240", "silver_4114", "pixel3", "samsung_s7")
QUANTILE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProblem:
    """A search of the table, as `nas compare` takes it. `limit_ms` is None without a limit."""

    device: str
    limit_ms: float | None
    config: dict[str, Any]


def read_table(folder: Path, out: Path) -> tuple[Table, Path]:
    """The published files as one table, and where it was written."""
    table = load(SPACE, folder).table
    path = out / "nasbench201.csv"
    out.mkdir(parents=True, exist_ok=True)
    write_csv(table, path)
    return table, path


def limited(table: Table, path: Path, *, trials: int, devices: tuple[str, ...] = DEVICES) -> Iterator[TableProblem]:
    """Best accuracy where the latency on a device is at most that of its fastest 30 %."""
    for device in devices:
        metric = f"latency_ms@{device}"
        limit_ms = float(np.quantile(table.values[:, table.metrics.index(metric)], QUANTILE))
        constraints = [f"{metric} <= {limit_ms!r}"]
        metrics = {ACCURACY: ACCURACY, metric: metric}
        yield TableProblem(
            device=device,
            limit_ms=limit_ms,
            config=_config(path, [f"maximize {ACCURACY}"], constraints, metrics, trials),
        )


def fronts(path: Path, *, trials: int, devices: tuple[str, ...] = DEVICES) -> Iterator[TableProblem]:
    """The front of accuracy against latency on a device."""
    for device in devices:
        metric = f"latency_ms@{device}"
        objectives = [f"maximize {ACCURACY}", f"minimize {metric}"]
        metrics = {ACCURACY: ACCURACY, metric: metric}
        yield TableProblem(device=device, limit_ms=None, config=_config(path, objectives, [], metrics, trials))


def _config(
    path: Path, objectives: list[str], constraints: list[str], metrics: dict[str, str], trials: int
) -> dict[str, Any]:
    return {
        "space": SPACE,
        "evaluator": {"name": "table", "path": str(path), "metrics": metrics},
        "objectives": objectives,
        "constraints": constraints,
        "budget": {"trials": trials},
    }
