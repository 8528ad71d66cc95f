"""`nas search`, `status`, `resume`, `report`, `train` and `export`: what they answer and what they leave behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hardware_profiles.read_tflite import read_tflite
from nas.pareto import Objective, non_dominated
from nas.run_folder import RunFolder, read_log, read_run

Nas = Callable[[Sequence[object]], tuple[int, str, str]]
Config = dict[str, Any]
SUMMARY = {"run", "state", "trials", "acceptance", "best", "front", "seconds"}
STATES = {"COMPLETE", "INFEASIBLE", "FAILED", "RUNNING", "PROPOSED"}


@pytest.fixture
def run(answer: Callable[..., Any], write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path) -> Path:
    """The folder of a finished search of 12 trials."""
    answer("search", write_yaml(table_config | {"budget": {"trials": 12}}), "--out", tmp_path / "run")
    return tmp_path / "run"


# -- search, status, resume --------------------------------------------------------------------------------------------


def test_search(
    answer: Callable[..., Any], write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path
) -> None:
    config = write_yaml(table_config | {"controller": {"name": "evolution", "population": 8, "tournament": 4}})
    found = answer("search", config, "--out", tmp_path / "run")
    assert set(found) >= SUMMARY
    assert (found["run"], found["state"]) == (str(tmp_path / "run"), "complete")
    assert set(found["trials"]) == STATES
    assert found["trials"]["COMPLETE"] == 30
    assert set(found["acceptance"]) == {"size <= 400", "latency_ms@toy <= 1.2"}
    assert all(0 < rate < 1 for rate in found["acceptance"].values())
    assert found["best"] == found["front"][0]
    for entry in found["front"]:
        assert set(entry) >= {"id", "metrics"}
        assert entry["metrics"]["size"] <= 400 and entry["metrics"]["latency_ms@toy"] <= 1.2
    accuracies = [entry["metrics"]["accuracy"] for entry in found["front"]]
    assert accuracies == sorted(accuracies, reverse=True)
    values = [[entry["metrics"]["accuracy"], entry["metrics"]["latency_ms@toy"]] for entry in found["front"]]
    assert non_dominated(values, ["maximize", "minimize"]).all()


def test_status_says_what_search_said(answer: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    found = answer("status", run)
    again = answer("search", tmp_path / "search.yaml", "--out", run)
    assert found == again
    assert {path.name for path in run.iterdir()} == set(before)
    assert found["state"] == "complete"


def test_resume_extends(answer: Callable[..., Any], run: Path) -> None:
    first = answer("resume", run)
    assert first["trials"]["COMPLETE"] == 12
    assert answer("status", run)["trials"]["COMPLETE"] == 12
    second = answer("resume", run, "--set", "budget.trials=20")
    assert second["trials"]["COMPLETE"] == 20
    assert read_run(run).budget.trials == 20


def test_status_of_a_run_that_stopped_and_of_one_that_is_driven(answer: Callable[..., Any], run: Path) -> None:
    assert answer("resume", run, "--set", "budget.trials=13", "--set", "budget.wall_clock_s=1e-9")["state"] == "stopped"
    assert answer("status", run)["state"] == "stopped"
    with RunFolder(run, read_run(run)):
        assert answer("status", run)["state"] == "running"


def test_a_search_without_out_goes_to_runs(
    nas: Nas,
    write_yaml: Callable[..., Path],
    table_config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_yaml(table_config | {"budget": {"trials": 3}}, "tables.yaml")
    assert nas(["search", config])[0] == 0
    with read_log(tmp_path / "runs" / "tables") as log:
        assert sum(trial.state == "COMPLETE" for trial in log.trials()) == 3


def test_set_changes_the_search(
    answer: Callable[..., Any], write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path
) -> None:
    options = ["--set", "budget.trials=4", "--set", "seed=9", "--set", "objectives=[minimize size]"]
    found = answer("search", write_yaml(table_config), "--out", tmp_path / "run", *options)
    assert found["trials"]["COMPLETE"] == 4
    config = read_run(tmp_path / "run")
    assert (config.seed, config.budget.trials, config.objectives) == (9, 4, (Objective.parse("minimize size"),))


def test_people_get_a_front_as_a_table(nas: Nas, run: Path) -> None:
    status, out, err = nas(["status", run])
    assert (status, err) == (0, "")
    assert "complete (12 complete" in out
    assert "size <= 400: kept by" in out
    assert "Pareto front (" in out


def test_a_table_used_up_is_said_on_stderr(
    nas: Nas, write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path
) -> None:
    config = write_yaml(table_config | {"budget": {"trials": 5000}})
    status, out, err = nas(["search", config, "--out", tmp_path / "run", "--json"])
    assert status == 0
    assert "search ended early: the space is used up" in err
    found = json.loads(out)
    assert found["state"] == "stopped"
    assert (found["trials"]["COMPLETE"], found["trials"]["INFEASIBLE"]) == (76, 324)


def test_as_a_process_stdout_holds_the_document_alone(
    write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path
) -> None:
    config = write_yaml(table_config | {"budget": {"trials": 5}})
    command = [
        sys.executable,
        "-c",
        "from nas.cli import main; main()",
        "search",
        str(config),
        "--out",
        "run",
        "--json",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0
    assert set(json.loads(done.stdout)) >= SUMMARY
    assert "5/5 trials" in done.stderr


def test_report_of_a_table_search(nas: Nas, run: Path, tmp_path: Path) -> None:
    status, out, err = nas(["report", run, "--no-measure", "--out", tmp_path / "report"])
    assert status == 0, err
    names = {"index.html", "pareto.png", "pareto.csv", "trials.csv"}
    assert {Path(line).name for line in out.split()} == names
    assert {path.name for path in (tmp_path / "report").iterdir()} >= names


# -- a search that trains, train, export -------------------------------------------------------------------------------


def test_a_search_that_trains(answer: Callable[..., Any], write_yaml: Callable[..., Path], tmp_path: Path) -> None:
    config = write_yaml(
        {
            "space": {"name": "tabnas", "layers": 2},
            "task": "iris",
            "evaluator": {"name": "train", "epochs": 1},
            "objectives": ["maximize accuracy", "minimize params"],
            "constraints": ["params <= 3000"],
            "budget": {"trials": 2},
        }
    )
    found = answer("search", config, "--out", tmp_path / "run")
    assert found["trials"]["COMPLETE"] == 2
    assert found["seconds"] > 0
    for entry in found["front"]:
        assert set(entry["metrics"]) >= {"accuracy", "params", "macs"}
        assert entry["metrics"]["params"] <= 3000


# Keras hands TensorFlow's variables to NumPy in a way that NumPy 2 wants otherwise.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_train_then_export(answer: Callable[..., Any], nas: Nas, tmp_path: Path) -> None:
    out = tmp_path / "trained"
    command = ("train", "tabnas:0-3-3-x-x", "--task", "iris", "--epochs", 5, "--out", out)
    record = answer(*command)
    assert record["architecture"] == "tabnas:0-3-3-x-x"
    assert (record["epochs"], record["stopped"]) == (5, "done")
    assert 0 <= record["validation_accuracy"] <= 1
    assert (out / "network.json").is_file() and Path(record["weights"]).is_file()
    weights = Path(record["weights"]).read_bytes()
    again = answer(*command)
    assert again["validation_accuracy"] == record["validation_accuracy"]
    assert len(Path(record["weights"]).read_bytes()) == len(weights)
    status, _, err = nas(["train", "tabnas:0-3-3-x-x", "--task", "iris", "--epochs", 6, "--out", out])
    assert status == 2
    assert "it holds another training" in err

    file = tmp_path / "net.tflite"
    exported = answer("export", out, "--out", file)
    assert exported["architecture"] == "tabnas:0-3-3-x-x"
    assert exported["precision"] == "float32"
    assert file.stat().st_size == exported["size_bytes"]
    graph = read_tflite(file.read_bytes())
    assert graph.op_counts == {"FULLY_CONNECTED": 3, "SOFTMAX": 1}
    assert exported["parity"]["float32"]["top1_agreement"]["value"] == 1
    for name in ("card", "readme", "labels"):
        assert Path(exported[name]).is_file()
