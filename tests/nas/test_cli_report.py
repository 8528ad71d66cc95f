"""From a run folder to a report: what the front door gathers is what the run's log holds."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from nas.cli import run
from nas.cli.evidence import run_tables

SEARCH = """
space: {name: tabnas, layers: 2}
task: {name: iris}
evaluator: {name: train, epochs: 2}
controller: {name: random}
objectives: [maximize accuracy, minimize latency_ms@host-cpu]
constraints: ["params <= 20000"]
budget: {trials: 4}
seed: 2
"""


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "search.yaml").write_text(SEARCH)
    assert run(["search", str(folder / "search.yaml"), "--out", str(folder / "run"), "--json"]) == 0
    return folder / "run"


def test_tables_hold_every_trial_with_its_costs_and_intervals(trained_run: Path) -> None:
    tables = run_tables(trained_run, measure=False)
    complete = tables.trials[tables.trials["state"] == "COMPLETE"]
    assert len(complete) == 4
    assert complete[["accuracy", "latency_ms@host-cpu", "params", "macs"]].notna().all().all()
    infeasible = tables.trials[tables.trials["state"] == "INFEASIBLE"]
    assert set(infeasible["reason"]) <= {"params"}
    assert len(tables.trials) == len(complete) + len(infeasible)
    assert set(tables.costs["metric"]) == {"latency_ms@host-cpu"}
    intervals = tables.uncertainty.set_index("number")
    for row in complete.itertuples():
        low, high = intervals.loc[row.number, ["low", "high"]]
        assert low <= row.accuracy <= high
    rate = tables.acceptance.set_index("constraint").loc["params <= 20000"]
    assert rate["accepted"] == 4
    assert rate["checked"] == len(tables.trials)


def test_winners_are_measured_again_and_drawn(trained_run: Path) -> None:
    tables = run_tables(trained_run, measure=True)
    assert tables.winners
    assert tables.winners[0].label == "best"
    for winner in tables.winners:
        assert [cost["metric"] for cost in winner.measured] == ["latency_ms@host-cpu"]
        assert set(winner.ops["kind"]) >= {"FULLY_CONNECTED"}
        assert [block["kind"] for block in winner.blocks] == ["DenseBlock", "DenseBlock", "DenseBlock", "SoftmaxBlock"]
        row = tables.trials.set_index("number").loc[winner.number]
        assert sum(block["params"] for block in winner.blocks) == row["params"]
        assert sum(block["macs"] for block in winner.blocks) == row["macs"]


def test_the_command_writes_the_four_files(trained_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = trained_run.parent / "report"
    assert run(["report", str(trained_run), "--out", str(out), "--no-measure"]) == 0
    written = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in written] == ["index.html", "pareto.png", "pareto.csv", "trials.csv"]
    assert all(path.stat().st_size > 0 for path in written)
    front = pd.read_csv(out / "pareto.csv")
    assert run(["status", str(trained_run), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert set(front["id"]) == {entry["id"] for entry in summary["front"]}


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(tmp_path)]) == 2
    assert "expected the folder of a search" in " ".join(capsys.readouterr().err.split())
