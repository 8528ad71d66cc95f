"""Accel-NASBench: short ImageNet trainings of a sample of its space, and how fast the networks are on six devices."""

from __future__ import annotations

from pathlib import Path

from benchmarks.tabular.record import TabularBenchmark, find_file
from nas.evaluators.table_file import read_table
from searchspaces.accel_nasbench import AccelNASBench

_FILE = "accel_nasbench_dev.csv.gz"
_DEVICES = ("a100", "3090", "tpuv2", "tpuv3", "zcu102", "vck190")
COLUMNS = {
    "top1_percent": "val_top1",
    "top5_percent": "val_top5",
    "train_time_s": "train_time",
    "published_mega_macs": "macs",
    "published_mega_params": "params",
    "latency_ms@zcu102": "latency_zcu102_mean",
    "latency_ms@vck190": "latency_vck190_mean",
    **{f"images_per_s@{device}": f"throughput_{device}_mean" for device in _DEVICES},
}


def rows(folder: Path) -> TabularBenchmark:
    """The networks measured on every device; ten stand twice in the file, and count once with their mean."""
    space = AccelNASBench()
    table = read_table(
        space, find_file(folder, _FILE), by_choice=True, metrics=COLUMNS, repeated="mean", incomplete="drop"
    )
    return TabularBenchmark(space=space, table=table, complete=False)
