"""NAS-Bench-Macro's JSON and Accel-NASBench's columns as tables, and all of them written as one clean file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.tabular import load
from benchmarks.tabular.__main__ import main
from benchmarks.tabular.accel_nasbench import COLUMNS
from nas.evaluators.table_file import read_table
from searchspaces.accel_nasbench import AccelNASBench
from searchspaces.errors import InputError

MACRO = "nas-bench-macro_cifar10.json"
RECORD = {"test_acc": [90.0, 91.0, 92.0], "mean_acc": 91.0, "std": 0.5, "params": 100, "flops": 1000}


def test_macro_rows_go_by_their_digits(tmp_path: Path):
    rows = {"01201201": RECORD, "00000000": {**RECORD, "mean_acc": 40.0}}
    (tmp_path / MACRO).write_text(json.dumps(rows), encoding="utf-8")
    benchmark = load("nasbench-macro", tmp_path)
    assert not benchmark.complete
    assert benchmark.table.rows[benchmark.space.parse("00000000")]["cifar10_accuracy_percent"] == 40.0
    assert benchmark.table.rows[benchmark.space.parse("01201201")]["published_macs"] == 1000.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", r"expected a JSON file \("),
        ("[]", "expected a mapping of architectures, got list"),
        ("{}", "expected a mapping of architectures, got dict"),
        (json.dumps({"0120120": RECORD}), "architecture id: expected nasbench-macro:… or 01201201, got '0120120'"),
        (json.dumps({"01201201": {"mean_acc": 1.0}}), "expected numbers mean_acc, std, params, flops for 01201201"),
        (json.dumps({"01201201": {**RECORD, "std": float("nan")}}), "for 01201201, got .*nan"),
        (json.dumps({"01201201": 7}), "for 01201201, got"),
    ],
)
def test_macro_files_that_are_refused(tmp_path: Path, text: str, words: str):
    (tmp_path / MACRO).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        load("nasbench-macro", tmp_path)


def write_accel(folder: Path, rows: list[dict[str, object]]) -> Path:
    pd = pytest.importorskip("pandas")
    path = folder / "accel_nasbench_dev.csv.gz"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def accel_row(number: int, **changes: object) -> dict[str, object]:
    values = {choice.name: choice.values[number % len(choice.values)] for choice in AccelNASBench.choices}
    return {"id": f"result_{number}", **values, **{column: float(number) for column in COLUMNS.values()}, **changes}


def test_accel_rows_go_by_their_choices(tmp_path: Path):
    rows = [accel_row(0), accel_row(1), accel_row(1, val_top1=3.0), accel_row(2, throughput_tpuv3_mean=None)]
    write_accel(tmp_path, rows)
    benchmark = load("accel-nasbench", tmp_path)
    assert len(benchmark.table) == 2
    twice = benchmark.space.architecture(**{choice.name: rows[1][choice.name] for choice in AccelNASBench.choices})
    assert benchmark.table.rows[twice]["top1_percent"] == 2.0
    assert benchmark.table.rows[twice]["latency_ms@zcu102"] == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"block3_k": 7}, r"data row 1: choice block3_k: expected one of \[3, 5\], got 7"),
        ({"block0_se": None}, "data row 1: .* expected a value for block0_se, got none"),
        ({"val_top1": "high"}, "expected numbers in column 'val_top1'"),
    ],
)
def test_accel_rows_that_are_refused(tmp_path: Path, change: dict[str, object], words: str):
    write_accel(tmp_path, [accel_row(0, **change)])
    with pytest.raises(InputError, match=words):
        load("accel-nasbench", tmp_path)


def test_accel_files_without_a_choice_are_refused(tmp_path: Path):
    row = accel_row(0)
    del row["block6_l"]
    write_accel(tmp_path, [row])
    with pytest.raises(InputError, match=r"column of choice: .* got 'block6_l'"):
        load("accel-nasbench", tmp_path)


def test_the_published_tables(shared_data: Path):
    macro, accel = load("nasbench-macro", shared_data), load("accel-nasbench", shared_data)
    assert macro.complete
    assert macro.table.column("cifar10_accuracy_percent").max() == pytest.approx(93.13, abs=0.005)
    assert len(accel.table) == 4572
    assert accel.table.column("top1_percent").max() == pytest.approx(67.052)


# -- one clean file ----------------------------------------------------------------------------------------------------


def test_the_command_writes_what_a_search_reads(nb201_folder, tmp_path: Path):
    out = tmp_path / "clean.csv.gz"
    folder = nb201_folder()
    done = CliRunner().invoke(main, ["nasbench201", str(folder), str(out)])
    assert done.exit_code == 0, done.output
    table = load("nasbench201", folder).table
    assert f"{len(table)} architectures, a sample of 5,260" in done.output
    read = read_table(load("nasbench201", folder).space, out)
    assert read.metrics == table.metrics
    assert read.rows == table.rows


@pytest.mark.parametrize(
    ("out", "words"),
    [("clean.txt", "expected a name that ends in .csv"), ("no/such/clean.csv", "expected a file that can be written")],
)
def test_the_command_refuses_names_it_cannot_write(nb201_folder, tmp_path: Path, out: str, words: str):
    done = CliRunner().invoke(main, ["nasbench201", str(nb201_folder()), str(tmp_path / out)])
    assert done.exit_code == 2
    assert words in done.output
