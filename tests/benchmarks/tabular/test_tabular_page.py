"""The searches of docs/tables.md run as they stand, on made-up files and, where they are, on the real ones."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from nas.cli import run

PAGE = Path(__file__).parents[3] / "docs" / "tables.md"
FILES = ("nb201_accuracy/nats_bench.csv", "help_latency/nasbench201_latency_ms.csv.gz")


def search_of_page(number: int) -> str:
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[number]


def summary(capsys: pytest.CaptureFixture[str], folder: Path, *overrides: str) -> Any:
    options = [part for override in overrides for part in ("--set", override)]
    status = run(["search", str(folder / "page.yaml"), "--out", str(folder / "run"), "--json", *options])
    out, err = capsys.readouterr()
    assert status == 0, err
    return json.loads(out)


def test_the_search_over_a_table(nb201_folder, tmp_path: Path, capsys):
    folder = nb201_folder()
    shutil.move(folder / "accuracy" / "nats_bench.csv", folder)
    (folder / "page.yaml").write_text(search_of_page(0), encoding="utf-8")
    found = summary(capsys, folder, "constraints=latency_ms@pixel3 <= 0.2", "budget.trials=20")
    assert found["trials"]["COMPLETE"] == 20
    # Made up: accuracy grows with latency, of which a thousandth is a row.
    assert found["best"]["metrics"]["latency_ms@pixel3"] <= 0.2


def test_the_search_over_the_published_table(shared_data: Path, tmp_path: Path, capsys):
    for file in FILES:
        (tmp_path / Path(file).name).symlink_to(shared_data / file)
    (tmp_path / "page.yaml").write_text(search_of_page(0), encoding="utf-8")
    found = summary(capsys, tmp_path)
    assert found["trials"]["COMPLETE"] == 100
    assert found["best"]["metrics"]["accuracy_percent"] > 69
    assert found["best"]["metrics"]["latency_ms@pixel3"] <= 10


def test_the_search_over_a_surrogate(shared_data: Path, tmp_path: Path, capsys):
    """Fewer trees than the page says, for time; the page's are closer yet."""
    name = "accel_nasbench_dev.csv.gz"
    (tmp_path / name).symlink_to(shared_data / "accel_nasbench" / name)
    (tmp_path / "page.yaml").write_text(search_of_page(1), encoding="utf-8")
    found = summary(capsys, tmp_path, "evaluator.trees=100", "budget.trials=20")
    assert found["trials"]["COMPLETE"] == 20
    assert found["held_out"]["top1_percent"]["rows"] == 923
    assert found["held_out"]["top1_percent"]["spearman"] > 0.95
    assert found["held_out"]["latency_ms@zcu102"]["within_10pct"] > 0.7
