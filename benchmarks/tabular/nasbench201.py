"""NAS-Bench-201: accuracies as NATS-Bench queries give them, latencies of HELP and of nn-Meter where they are there.

`nats_bench.csv`: per cent after 200 epochs, the mean over the trained seeds, one row a labelled cell in the official
order. `nasbench201_latency_ms.csv.gz` (HELP, Lee et al. 2021): end-to-end milliseconds on 19 device settings, the batch
behind the name. `nasbench201-log.csv` (nn-Meter): milliseconds of some cells, by their official number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.tabular.record import TabularBenchmark, find_file, find_optional
from nas.evaluators.table_file import Table, join, read_frame, read_table
from searchspaces.errors import InputError
from searchspaces.nasbench201 import NASBench201, NASBench201Cells

ACCURACIES = {
    "cifar10_accuracy_percent": "CIFAR10TestAccuracy200Epochs",
    "cifar100_accuracy_percent": "CIFAR100TestAccuracy200Epochs",
    "imagenet16_accuracy_percent": "ImageNetTestAccuracy200Epochs",
}
LATENCY_FLOOR_MS = 0.05
_ACCURACY_FILE, _LATENCY_FILE, _NN_METER_FILE = "nats_bench.csv", "nasbench201_latency_ms.csv.gz", "nasbench201-log.csv"
_ID, _LATENCY_ID = "ArchitectureString", "arch_str"
_NN_METER_PREFIX = "nasbench201_"


def cells(folder: Path) -> TabularBenchmark:
    """All 15,625 rows apart, as in figures whose optimum is over all of them."""
    return _benchmark(NASBench201Cells(), folder)


def networks(folder: Path) -> TabularBenchmark:
    """The mean over the rows of each of the 5,260 networks."""
    return _benchmark(NASBench201(), folder)


def nn_meter(space: NASBench201Cells, folder: Path, device: str) -> Table:
    """nn-Meter's measurements on one of its devices (`cortexA76cpu_tflite21`, …), ``latency_ms@DEVICE``.

    Args:
        space: either of the two.
        folder: with `nats_bench.csv`, whose order gives the cells their numbers, and a folder named after the device.
        device: that folder.
    """
    numbered = _numbered(space, find_file(folder, _ACCURACY_FILE))
    found = [path for path in sorted(folder.rglob(_NN_METER_FILE)) if path.parent.name == device]
    if len(found) != 1:
        raise InputError(f"{folder}: expected one {device}/{_NN_METER_FILE}, got {len(found)}; check the device.")
    frame = read_frame(found[0], header=None, usecols=[1, 2], names=["name", "latency_ms"])
    numbers = frame["name"].str.removeprefix(_NN_METER_PREFIX)
    odd = ~(frame["name"].str.startswith(_NN_METER_PREFIX) & numbers.str.isdecimal())
    if odd.any() or not np.isfinite(frame["latency_ms"]).all():
        row = int(np.argmax(odd | ~np.isfinite(frame["latency_ms"]))) + 1
        raise InputError(f"{found[0]}, row {row}: expected {_NN_METER_PREFIX}NUMBER and milliseconds; mend the file.")
    sums: dict[object, list[float]] = {}
    for number, latency_ms in zip(numbers.astype(int), frame["latency_ms"], strict=True):
        if number >= len(numbered):
            raise InputError(f"{found[0]}: expected numbers below {len(numbered)}, got {number}; check the file.")
        sums.setdefault(numbered[number], []).append(latency_ms)
    values = np.array([[np.mean(each)] for each in sums.values()])
    return Table(architectures=tuple(sums), metrics=(f"latency_ms@{device}",), values=values)


def _benchmark(space: NASBench201Cells, folder: Path) -> TabularBenchmark:
    repeated = "mean" if space.folds else "refuse"
    table = read_table(space, find_file(folder, _ACCURACY_FILE), id=_ID, metrics=ACCURACIES, repeated=repeated)
    path = find_optional(folder, _LATENCY_FILE)
    if path is not None:
        columns = [name for name in read_frame(path, nrows=0).columns if name not in ("arch_index", _LATENCY_ID)]
        metrics = {f"latency_ms@{column}": column for column in columns}
        latencies = read_table(space, path, id=_LATENCY_ID, metrics=metrics, repeated=repeated)
        table = join(table, _floored(latencies), name=str(path))
    return TabularBenchmark(space=space, table=table, complete=len(table) == space.size)


def _floored(latencies: Table) -> Table:
    """Constant networks, which a converter cuts to nothing, took microseconds on a Pixel 3: no time to divide by."""
    values = np.maximum(latencies.values, LATENCY_FLOOR_MS)
    return Table(architectures=latencies.architectures, metrics=latencies.metrics, values=values)


def _numbered(space: NASBench201Cells, path: Path) -> list[object]:
    """The architectures in the official order."""
    return [space.parse(text) for text in read_frame(path)[_ID]]
