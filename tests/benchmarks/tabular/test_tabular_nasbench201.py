"""NAS-Bench-201's files as tables: rows, joins, floors, and what is refused."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tabular import load
from benchmarks.tabular.nasbench201 import LATENCY_FLOOR_MS, nn_meter
from nas.evaluators.table_file import join
from searchspaces.errors import InputError
from searchspaces.nasbench201 import NASBench201, NASBench201Cells


def test_latencies_are_joined_by_architecture_and_floored(nb201_folder):
    benchmark = load("nasbench201-cells", nb201_folder())
    assert isinstance(benchmark.space, NASBench201Cells)
    assert not benchmark.complete
    assert len(benchmark.table) == 400
    accuracy = benchmark.table.column("cifar100_accuracy_percent")
    np.testing.assert_allclose(benchmark.table.column("latency_ms@titanx_1"), 5 + (accuracy - 60) * 10)
    expected = np.maximum((accuracy - 60) / 10, LATENCY_FLOOR_MS)
    np.testing.assert_allclose(benchmark.table.column("latency_ms@pixel3"), expected)


def test_networks_have_the_mean_of_their_rows(nb201_folder):
    folder = nb201_folder()
    cells, networks = load("nasbench201-cells", folder), load("nasbench201", folder)
    assert len(networks.table) < len(cells.table)
    values: dict[str, list[float]] = {}
    for cell, row in cells.table.rows.items():
        values.setdefault(networks.space.parse(cells.space.native(cell)).id, []).append(row["cifar10_accuracy_percent"])
    for network, row in networks.table.rows.items():
        assert row["cifar10_accuracy_percent"] == pytest.approx(np.mean(values[network.id]))


def test_latencies_may_be_missing(nb201_folder):
    table = load("nasbench201", nb201_folder(latencies=False)).table
    assert table.metrics == (
        "cifar10_accuracy_percent",
        "cifar100_accuracy_percent",
        "imagenet16_accuracy_percent",
    )


def test_measurements_of_nn_meter_go_by_official_numbers(nb201_folder):
    folder = nb201_folder(phone="phone_tflite")
    benchmark = load("nasbench201-cells", folder)
    found = nn_meter(benchmark.space, folder, "phone_tflite")
    cells = [benchmark.space.parse(f"nasbench201-cells:0-0-0-0-{number // 5}-{number % 5}") for number in (3, 7)]
    assert found.rows == {cell: {"latency_ms@phone_tflite": value} for cell, value in zip(cells, (13, 17), strict=True)}
    assert len(join(benchmark.table, found, name="nn-Meter", missing="drop")) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (",nasbench101_3,5.0,0.1", "row 1: expected nasbench201_NUMBER"),
        (",nasbench201_x,5.0,0.1", "row 1: expected nasbench201_NUMBER"),
        (",nasbench201_3,,0.1", "row 1: expected nasbench201_NUMBER"),
        (",nasbench201_400,5.0,0.1", "expected numbers below 400, got 400"),
    ],
)
def test_measurements_that_are_refused(nb201_folder, line, words):
    folder = nb201_folder(phone="phone")
    (folder / "phone" / "nasbench201-log.csv").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=words):
        nn_meter(NASBench201Cells(), folder, "phone")
    with pytest.raises(InputError, match=r"expected one tablet/nasbench201-log.csv, got 0"):
        nn_meter(NASBench201Cells(), folder, "tablet")


def test_files_that_are_missing_doubled_or_cut_off(nb201_folder, tmp_path: Path):
    with pytest.raises(InputError, match=r"expected a folder with nats_bench.csv, got no folder"):
        load("nasbench201", tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"expected one file nats_bench.csv in it, got none"):
        load("nasbench201", tmp_path)
    with pytest.raises(InputError, match=r"tabular benchmark: .* did you mean 'nasbench201'"):
        load("nasbench-201", tmp_path)
    folder = nb201_folder()
    path = folder / "nasbench201_latency_ms.csv.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"nasbench201_latency_ms.csv.gz: expected a readable .csv file"):
        load("nasbench201-cells", folder)
    lines = gzip.decompress(whole).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join(lines[:-1]).encode()))
    with pytest.raises(InputError, match=r"1 of 400 are missing, nasbench201-cells:"):
        load("nasbench201-cells", folder)
    (folder / "nats_bench.csv").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected one file nats_bench.csv in it, got 2 of them"):
        load("nasbench201-cells", folder)


def test_the_published_rows(shared_data: Path):
    """All 15,625 rows with 19 latencies each; the best of CIFAR-100, and a row read by hand."""
    with (shared_data / "nb201_accuracy" / "nats_bench.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    benchmark = load("nasbench201-cells", shared_data)
    table = benchmark.table
    assert benchmark.complete
    assert table.values.shape == (15_625, 22)
    assert table.column("cifar100_accuracy_percent").max() == pytest.approx(73.5133, abs=1e-4)
    assert benchmark.space.native(table.architectures[0]) == rows[0]["ArchitectureString"]
    assert table.values[0, 1] == pytest.approx(52.9133, abs=1e-4)
    assert table.rows[table.architectures[1]]["latency_ms@samsung_s7"] == 62
    assert table.column("latency_ms@pixel3").min() == LATENCY_FLOOR_MS
    assert NASBench201().size == 5_260
