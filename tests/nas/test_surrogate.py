"""Regressors in place of a table: what they learn, what they admit, and a search that goes by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nas.evaluators.base import Request
from nas.evaluators.surrogate import SurrogateEvaluator, _held_out_rows, fit_surrogate
from nas.evaluators.table_file import Table
from nas.store import TrialStore
from searchspaces.errors import InputError
from searchspaces.nasbench201 import NASBench201Cells
from searchspaces.tabnas import TabNAS

SPACE = TabNAS((4,), 3)


def made_up_table(rows: int = 300, *, noise: float = 0.0, shift: float = 0.0) -> Table:
    """A smooth accuracy, and a latency that spans two orders of magnitude."""
    rng = np.random.default_rng(0)
    architectures = tuple(dict.fromkeys(SPACE.sample(rng, rows)))
    totals = np.array([[max(index, 0) for index in each.indices] for each in architectures]).sum(axis=1)
    accuracy = totals / 80 + noise * rng.standard_normal(len(totals)) + shift
    return Table(
        architectures=architectures,
        metrics=("accuracy", "latency_ms@toy"),
        values=np.stack([accuracy, np.exp(totals / 12)], axis=1),
    )


def test_what_can_be_learned_is_learned_and_what_cannot_is_admitted():
    table = made_up_table()
    learned = fit_surrogate(SPACE, table, "accuracy", trees=200).held_out
    assert learned.rows == round(0.2 * len(table))
    assert learned.spearman > 0.95
    shuffled = np.random.default_rng(1).permutation(table.values)
    noise = Table(architectures=table.architectures, metrics=table.metrics, values=shuffled)
    assert abs(fit_surrogate(SPACE, noise, "accuracy", trees=200).held_out.spearman) < 0.4


def test_errors_are_those_on_rows_the_trees_never_saw():
    """Changing the held-out rows changes the errors, and no prediction."""
    table = made_up_table()
    first = fit_surrogate(SPACE, table, "accuracy", trees=30, seed=5)
    unseen = np.random.default_rng(5).permutation(len(table))[: first.held_out.rows]
    values = table.values.copy()
    values[unseen, 0] += 1.0
    spoilt = Table(architectures=table.architectures, metrics=table.metrics, values=values)
    second = fit_surrogate(SPACE, spoilt, "accuracy", trees=30, seed=5)
    np.testing.assert_array_equal(first.predict(table.architectures), second.predict(table.architectures))
    assert second.held_out != first.held_out
    assert first.fitted_rows == len(table) - len(unseen)


def test_rows_of_one_network_are_held_out_together():
    """Of labelled cells many are one network: what is known of one must not be asked of its twin."""
    space = NASBench201Cells(edge_0_1="none")
    cells = tuple(space.enumerate())
    keys = [space.network_key(each) for each in cells]
    table = Table(architectures=cells, metrics=("a",), values=np.arange(len(cells), dtype=float)[:, np.newaxis])
    unseen = _held_out_rows(space, table, 600, seed=0)
    assert 600 <= unseen.sum() < 1100
    assert len(set(keys)) < len(keys)
    held = {key for key, out in zip(keys, unseen, strict=True) if out}
    assert held.isdisjoint(key for key, out in zip(keys, unseen, strict=True) if not out)
    assert not _held_out_rows(space, table, 0, seed=0).any()


def test_the_seed_decides_everything():
    table = made_up_table(100)
    first, second, other = (fit_surrogate(SPACE, table, "accuracy", trees=20, seed=seed) for seed in (1, 1, 2))
    assert first.held_out == second.held_out
    np.testing.assert_array_equal(first.predict(table.architectures), second.predict(table.architectures))
    assert (first.predict(table.architectures) != other.predict(table.architectures)).any()


def test_latencies_stay_above_zero_and_values_that_do_not_are_fitted_as_they_are():
    table = made_up_table(100, shift=-0.5)
    everything = SPACE.sample(np.random.default_rng(3), 500)
    assert (fit_surrogate(SPACE, table, "latency_ms@toy", trees=50).predict(everything) > 0).all()
    assert (fit_surrogate(SPACE, table, "accuracy", trees=50).predict(everything) < 0).any()
    assert fit_surrogate(SPACE, table, "accuracy", trees=5).predict([]).shape == (0,)


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (10, {}, "expected 20 rows or more, .* got 10 rows of which 2 are held out"),
        (100, {"held_out": 0.001}, "of which 0 are held out"),
        (100, {"held_out": 0.999}, "got 98 rows of which 98 are held out"),
        (100, {"held_out": 1.5}, "held_out: expected a share above 0 and below 1, got 1.5"),
        (100, {"trees": 0}, "expected trees of 1 or more, got 0"),
    ],
)
def test_fits_that_are_refused(rows: int, options: Mapping[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        fit_surrogate(SPACE, made_up_table(rows), "accuracy", **options)
    with pytest.raises(InputError, match=r"metric of the table: .* did you mean 'accuracy'"):
        fit_surrogate(SPACE, made_up_table(100), "acuracy")


# -- as evaluator and in a search --------------------------------------------------------------------------------------


@pytest.fixture
def sample_csv(tmp_path: Path) -> Path:
    table = made_up_table()
    lines = ["id,top1,ms"]
    for architecture, (accuracy, latency_ms) in zip(table.architectures, table.values, strict=True):
        lines.append(f"{architecture.id},{accuracy},{latency_ms}")
    path = tmp_path / "sample.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


METRICS = {"accuracy": "top1", "latency_ms@toy": "ms"}


def test_outcomes_are_marked_as_predicted_and_equal_the_rows(sample_csv: Path):
    evaluator = SurrogateEvaluator(SPACE, path=str(sample_csv), metrics=METRICS, trees=20)
    requests = [
        Request(number=number, architecture=each, seed=0)
        for number, each in enumerate(SPACE.sample(np.random.default_rng(9), 5))
    ]
    outcomes = evaluator.evaluate(requests)
    for request, outcome in zip(requests, outcomes, strict=True):
        assert outcome.details == {"method": "predicted"}
        row = evaluator.row(request.architecture)
        assert set(row) == set(METRICS)
        assert outcome.metrics == pytest.approx(dict(row))
        with pytest.raises(InputError, match="predicted metric"):
            row["size"]
    assert evaluator.evaluate([]) == []
    assert set(evaluator.errors) == set(METRICS)


@pytest.fixture
def surrogate_config(sample_csv: Path) -> dict[str, Any]:
    return {
        "space": "tabnas",
        "evaluator": {"name": "surrogate", "path": str(sample_csv), "metrics": METRICS, "trees": 20},
        "controller": "random",
        "objectives": ["maximize accuracy"],
        "constraints": ["latency_ms@toy <= 20"],
        "budget": {"trials": 8},
    }


def test_a_search_prints_and_keeps_how_far_off_it_is(
    surrogate_config: dict[str, Any],
    write_yaml: Callable[..., Path],
    tmp_path: Path,
    answer: Callable[..., Any],
    nas: Any,
):
    path, run = write_yaml(surrogate_config), tmp_path / "run"
    plan = answer("plan", path, "--samples", 20)
    found = answer("search", path, "--out", run)
    assert plan["held_out"] == found["held_out"] == answer("status", run)["held_out"]
    assert set(found["held_out"]["accuracy"]) == {"rows", "spearman", "kendall", "mape", "within_5pct", "within_10pct"}
    assert found["trials"]["COMPLETE"] == 8
    _, out, _ = nas(["status", run])
    assert "accuracy is predicted: Spearman" in out
    assert "rows held out" in " ".join(nas(["plan", path, "--samples", 20])[1].split())
    with TrialStore(run / "trials.sqlite", read_only=True) as log:
        complete = [trial for trial in log.trials() if trial.state == "COMPLETE"]
    assert all(trial.details["method"] == "predicted" for trial in complete)
    assert all(trial.metrics["latency_ms@toy"] <= 20 for trial in complete)
    assert nas(["report", run])[0] == 0
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert page.count("accuracy is predicted, not measured: Spearman") == 1
    again = answer("resume", run, "--set", "budget.trials=10")
    assert again["held_out"] == found["held_out"]


def test_metrics_of_a_surrogate_are_named(surrogate_config: dict[str, Any], write_yaml: Any, refused: Any):
    del surrogate_config["evaluator"]["metrics"]
    path = write_yaml(surrogate_config)
    refused(["plan", path], "evaluator surrogate: expected the option metrics")


def test_a_spoilt_record_of_errors_is_named(
    surrogate_config: dict[str, Any], write_yaml: Callable[..., Path], tmp_path: Path, answer: Any, refused: Any
):
    run = tmp_path / "run"
    answer("search", write_yaml(surrogate_config), "--out", run)
    (run / "held_out.json").write_text("{", encoding="utf-8")
    refused(["status", run], "held_out.json: expected a JSON file")


def test_paths_of_joined_tables_are_looked_up_beside_the_file(
    sample_csv: Path, tmp_path: Path, write_yaml: Callable[..., Path], answer: Any, refused: Any
):
    lines = sample_csv.read_text(encoding="utf-8").splitlines()
    (tmp_path / "left.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in lines), encoding="utf-8")
    config = {
        "space": "tabnas",
        "evaluator": {"name": "table", "path": "left.csv", "join": [{"path": "sample.csv", "metrics": {"ms": "ms"}}]},
        "objectives": ["maximize top1", "minimize ms"],
        "budget": {"trials": 3},
    }
    path = write_yaml(config)
    run = tmp_path / "run"
    assert answer("search", path, "--out", run)["trials"]["COMPLETE"] == 3
    stored = yaml.safe_load((run / "search.yaml").read_text(encoding="utf-8"))
    assert stored["evaluator"]["join"][0]["path"] == str(sample_csv.resolve())
    config["evaluator"]["join"][0]["path"] = "other.csv"
    refused(["plan", write_yaml(config)], "evaluator.join 1: path: no such file or folder: other.csv")
