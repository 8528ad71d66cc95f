"""Searches that are killed by a signal, and the measure of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.kills import __main__ as command


def test_a_killed_search_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    path = tmp_path / "kills.csv"
    options = ["--controllers", "evolution", "--kills", "4", "--trials", "20", "--csv", str(path)]
    done = CliRunner().invoke(command.main, options)
    assert done.exit_code == 0, done.output
    with path.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert int(row["kills"]) >= 4
    assert row["equal"] == row["searches"]
    assert row["repeated"] == "0"


def test_a_search_that_differs_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def differing(name: str, *, kills: int, trials: int, seed: int) -> command.Row:
        return command.Row(controller=name, trials=trials, kills=kills, searches=2, equal=1, repeated=0)

    monkeypatch.setattr(command, "kill_and_compare", differing)
    done = CliRunner().invoke(command.main, ["--controllers", "random", "--csv", str(tmp_path / "kills.csv")])
    assert done.exit_code == 1
    assert "1 as undisturbed" in done.output
