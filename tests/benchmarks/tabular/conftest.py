"""Made-up files in the form of the published ones."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from searchspaces.nasbench201 import NASBench201Cells

CELLS = 400


@pytest.fixture
def nb201_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes `nats_bench.csv` and, if asked, HELP's and nn-Meter's files for the first cells of the space."""

    def write(*, cells: int = CELLS, latencies: bool = True, phone: str = "") -> Path:
        rng = np.random.default_rng(0)
        space = NASBench201Cells()
        texts = [space.native(each) for each, _ in zip(space.enumerate(), range(cells), strict=False)]
        rows = [
            f"{80 + number / 100},{60 + number / 100},{30 + number / 100},{text},key"
            for number, text in enumerate(texts)
        ]
        header = "CIFAR10TestAccuracy200Epochs,CIFAR100TestAccuracy200Epochs,ImageNetTestAccuracy200Epochs"
        folder = tmp_path / "data"
        (folder / "accuracy").mkdir(parents=True)
        (folder / "accuracy" / "nats_bench.csv").write_text(
            "\n".join([f"{header},ArchitectureString,UniqueString", *rows]) + "\n", encoding="utf-8"
        )
        if latencies:
            order = rng.permutation(cells)
            lines = [f"{number},{texts[number]},{number / 1000},{5 + number / 10}" for number in order]
            text = "\n".join(["arch_index,arch_str,pixel3,titanx_1", *lines]) + "\n"
            (folder / "nasbench201_latency_ms.csv.gz").write_bytes(gzip.compress(text.encode()))
        if phone:
            (folder / phone).mkdir()
            lines = [f",nasbench201_{number},{10 + number},0.1" for number in (3, 7, 3)]
            (folder / phone / "nasbench201-log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return write
