"""NAS-Bench-Macro: test accuracies on CIFAR-10, the mean of three trainings, from the authors' JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tabular.record import TabularBenchmark, find_file
from nas.evaluators.table_file import Table
from searchspaces.errors import InputError
from searchspaces.nasbench_macro import NASBenchMacro

FIELDS = {
    "cifar10_accuracy_percent": "mean_acc",
    "cifar10_accuracy_std": "std",
    "published_params": "params",
    "published_macs": "flops",
}
_FILE = "nas-bench-macro_cifar10.json"


def rows(folder: Path) -> TabularBenchmark:
    """All 6,561 networks. What the file calls flops are multiply-adds; its parameters leave out running statistics."""
    path, space = find_file(folder, _FILE), NASBenchMacro()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a JSON file ({error}); fetch it again.") from error
    if not isinstance(data, dict) or not data:
        raise InputError(f"{path}: expected a mapping of architectures, got {type(data).__name__}; check the file.")
    table = Table(
        architectures=tuple(space.parse(key) for key in data),
        metrics=tuple(FIELDS),
        values=np.array([_numbers(path, key, record) for key, record in data.items()]),
    )
    return TabularBenchmark(space=space, table=table, complete=len(table) == space.size)


def _numbers(path: Path, key: str, record: Any) -> list[float]:
    found = [record.get(field) if isinstance(record, dict) else None for field in FIELDS.values()]
    if not all(type(number) in (int, float) and np.isfinite(number) for number in found):
        raise InputError(
            f"{path}: expected numbers {', '.join(FIELDS.values())} for {key}, got {found}; mend the file."
        )
    return found
