from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.tasks import create
from benchmarks.tasks.record import ArrayTask
from nas.cli.assemble import make_parts
from nas.config import parse_config
from nas.constraints import Constraint
from nas.costing import Assessment, NetworkCosts
from nas.evaluators.base import Request
from nas.evaluators.table import NOT_IN_TABLE, TableCosts, TableEvaluator
from nas.evaluators.train import TrainEvaluator, prepared
from nas.task import Part, Split
from nas.trial import Outcome
from searchspaces.errors import InputError
from searchspaces.space import Architecture
from searchspaces.tabnas import TabNAS

SPACE = TabNAS((4,), 3)
ONE = SPACE.architecture(layers=2, width_1=16, width_2=8)
TWO = SPACE.architecture(layers=2, width_1=8, width_2=8)
ABSENT = SPACE.architecture(layers=2, width_1=24, width_2=8)


def request(architecture: Architecture = ONE, **fields: Any) -> Request:
    return Request(**({"number": 0, "architecture": architecture, "seed": 1} | fields))


def table(tmp_path: Path, **options: Any) -> TableEvaluator:
    frame = pd.DataFrame(
        {
            "id": [ONE.id, TWO.id],
            "accuracy": [0.9, 0.8],
            "size": [20, 10],
            "latency_ms@raspi5": [2.5, 1.5],
            "note": ["a", "b"],
        }
    )
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return TableEvaluator(SPACE, **({"path": str(path)} | options))


# -- the table as evaluator --------------------------------------------------------------------------------------------


def test_by_default_every_column_of_numbers_is_a_metric(tmp_path: Path) -> None:
    evaluator = table(tmp_path)
    assert evaluator.cheap
    assert evaluator.metrics == ("accuracy", "size", "latency_ms@raspi5")
    outcomes = evaluator.evaluate([request(TWO), request(ONE), request(ABSENT)])
    assert outcomes == [
        Outcome(state="COMPLETE", metrics={"accuracy": 0.8, "size": 10.0, "latency_ms@raspi5": 1.5}),
        Outcome(state="COMPLETE", metrics={"accuracy": 0.9, "size": 20.0, "latency_ms@raspi5": 2.5}),
        Outcome(state="FAILED", reason=NOT_IN_TABLE),
    ]


def test_columns_can_be_renamed(tmp_path: Path) -> None:
    evaluator = table(tmp_path, metrics={"latency_ms@pi": "latency_ms@raspi5"})
    assert evaluator.metrics == ("latency_ms@pi",)
    assert evaluator.row(ONE) == {"latency_ms@pi": 2.5}
    assert evaluator.row(ABSENT) is None


def test_ids_are_canonical(tmp_path: Path) -> None:
    """An id with a value in a layer that is not there names the same network."""
    path = tmp_path / "table.csv"
    path.write_text("id,accuracy\ntabnas:0-1-2-7-9,0.5\n", encoding="utf-8")
    assert TableEvaluator(SPACE, path=str(path)).row(SPACE.parse("tabnas:0-1-2-x-x")) == {"accuracy": 0.5}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"net": [ONE.id], "accuracy": [0.25]})
    path = tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".csv.gz":
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    assert TableEvaluator(SPACE, path=str(path), id="net").row(ONE) == {"accuracy": 0.25}


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("id,accuracy\n", {}, "expected rows, got an empty table"),
        ("id,accuracy\n", {"metrics": {"accuracy": "accuracy"}}, "expected (rows|numbers)"),
        ("", {}, "expected a readable .csv file"),
        ("arch,accuracy\ntabnas:0-1-2-x-x,0.5\n", {}, "id column: .* got 'id'"),
        ("id,acc\ntabnas:0-1-2-x-x,0.5\n", {"metrics": {"accuracy": "ac"}}, "metric accuracy: .* did you mean 'acc'"),
        ("id,accuracy\ntabnas:0-1-2-x-x,\n", {}, r"finite numbers for accuracy, got nan in data row 1"),
        ("id,accuracy\ntabnas:0-1-2-x-x,inf\n", {}, "got inf in data row 1"),
        ("id,accuracy\ntabnas:0-1-2-x-x,good\n", {"metrics": {"accuracy": "accuracy"}}, "expected numbers in column"),
        ("id,name\ntabnas:0-1-2-x-x,good\n", {}, "expected metrics as metric: column pairs"),
        ("id,a\ntabnas:0-1-2-x-x,1\ntabnas:0-1-2-x-x,2\n", {}, "data row 2: .* stands there twice"),
        ("id,a\ntabnas:0-1-2-3-x,1\ntabnas:0-1-2-x-x,2\n", {}, "data row 2: .* stands there twice"),
        ("id,a\ntabnas:0-1-2-x-x,1\nbignas:0-1,2\n", {}, "data row 2: architecture id: expected tabnas"),
        ("id,a\ntabnas:0-1-99-x-x,1\n", {}, "data row 1: .* expected x or 0 to 19 for width_2, got '99'"),
        ("id,a\n,1\n", {}, "data row 1: architecture id"),
        ("id,a\ntabnas:0-1-2-x-x,1\n", {"metrics": ["a"]}, "expected metrics as metric: column pairs, got"),
        ("id,a\ntabnas:0-1-2-x-x,1\n", {"metrics": {}}, "name one column at least"),
        ('id,a\n"tabnas:0-1-2-x-x,1\n', {}, "expected a readable .csv file"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, options: Mapping[str, Any], words: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        TableEvaluator(SPACE, path=str(path), **options)


@pytest.mark.parametrize("name", ["table.xlsx", "table", "table.gz"])
def test_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"id,a\n")
    with pytest.raises(InputError, match=r"expected a .csv, .tsv or .parquet file"):
        TableEvaluator(SPACE, path=str(tmp_path / name))


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "table.csv.gz"])
def test_bytes_that_are_no_table_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(range(256)) * 9)
    with pytest.raises(InputError, match="expected a readable"):
        TableEvaluator(SPACE, path=str(tmp_path / name))


# -- the table as costs ------------------------------------------------------------------------------------------------


class NoNetwork:
    """A network nobody should have to build."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        raise AssertionError(f"the network of {architecture} was built for {metrics}")

    def check_names(self, metrics: Sequence[str]) -> None:
        raise InputError(f"unknown: {metrics}")

    def is_cheap(self, metric: str) -> bool:
        raise AssertionError(f"somebody asked whether {metric} is cheap")


def test_a_network_the_table_lacks_is_infeasible(tmp_path: Path) -> None:
    found = TableCosts(table(tmp_path), NoNetwork()).assess(ABSENT, ["size"], [Constraint.parse("size <= 1")])
    assert (found.reason, found.checked, dict(found.metrics)) == (NOT_IN_TABLE, (), {})


def test_bounds_on_columns_need_no_network(tmp_path: Path) -> None:
    costs = TableCosts(table(tmp_path), NoNetwork())
    constraints = [Constraint.parse("size <= 15"), Constraint.parse("latency_ms@raspi5 <= 2")]
    found = costs.assess(ONE, ["size", "latency_ms@raspi5", "params"], constraints)
    assert found.reason == "size, latency_ms@raspi5"
    assert found.violated == found.checked == tuple(constraints)
    found = costs.assess(TWO, ["size", "latency_ms@raspi5"], constraints)
    assert (found.reason, found.violated) == (None, ())
    assert found.metrics == {"size": 10.0, "latency_ms@raspi5": 1.5}


def test_what_the_table_lacks_is_found_from_the_network(tmp_path: Path) -> None:
    costs = TableCosts(table(tmp_path), NetworkCosts(SPACE, {}, "float32", lambda spec: spec))
    constraints = [Constraint.parse("size <= 30"), Constraint.parse("params <= 150")]
    small, large = (costs.assess(each, ["size", "params"], constraints) for each in (TWO, ONE))
    assert small.metrics == {"size": 10.0, "params": 40 + 72 + 27}
    assert small.reason is None and small.checked == tuple(constraints)
    assert (large.reason, large.violated) == ("params", (constraints[1],))


def test_names_are_columns_or_costs(tmp_path: Path) -> None:
    costs = TableCosts(table(tmp_path), NetworkCosts(SPACE, {}, "float32", lambda spec: spec))
    costs.check_names(["accuracy", "latency_ms@raspi5", "params"])
    with pytest.raises(InputError, match=r"metric: .* did you mean 'latency_ms@raspi5'"):
        costs.check_names(["latency_ms@raspi"])
    with pytest.raises(InputError, match="did you mean 'params'"):
        costs.check_names(["parms"])


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iris() -> ArrayTask:
    task = create("iris")
    assert isinstance(task, ArrayTask)
    return task


def scaled(task: ArrayTask, scale: float) -> ArrayTask:
    """The task with its features multiplied."""
    splits: dict[Part, Split] = {
        part: Split(x=(split.x * scale).astype(np.float32), y=split.y) for part, split in task.splits.items()
    }
    return replace(task, splits=splits)


def trainer(task: ArrayTask, **options: Any) -> TrainEvaluator:
    return TrainEvaluator(SPACE, task.without_test(), **({"epochs": 2, "batch_size": 16} | options))


def test_a_search_is_given_a_task_without_test_rows() -> None:
    config = parse_config({"space": "tabnas", "task": "iris", "evaluator": {"name": "train", "epochs": 1}})
    parts = make_parts(config)
    assert parts.task is not None
    assert len(parts.task.split("train")) and len(parts.task.split("validation"))
    with pytest.raises(InputError, match="withheld until the search has ended"):
        parts.task.split("test")


def test_training_reads_no_test_rows(iris: ArrayTask) -> None:
    (outcome,) = trainer(iris).evaluate([request()])
    assert outcome.state == "COMPLETE"
    assert 0 <= outcome.metrics["accuracy"] <= 1
    assert outcome.seconds > 0
    low, high = outcome.details["intervals"]["accuracy"]
    assert low <= outcome.metrics["accuracy"] <= high
    assert outcome.details["epochs"] == 2
    assert outcome.details["train"]["batch_size"] == 16
    assert len(outcome.details["history"]["val_accuracy"]) == 2


def test_the_seed_of_a_trial_decides_its_accuracy(iris: ArrayTask) -> None:
    evaluator = trainer(iris)
    requests = [request(seed=4), request(seed=4), request(seed=5), request(seed=6)]
    histories = [outcome.details["history"] for outcome in evaluator.evaluate(requests)]
    assert histories[0] == histories[1]
    assert histories[0]["loss"] != histories[2]["loss"] != histories[3]["loss"]


@pytest.mark.parametrize(("scale", "options"), [(1.0, {"learning_rate": 1e38}), (3e37, {})])
def test_a_loss_that_is_no_number_fails_the_trial(iris: ArrayTask, scale: float, options: Mapping[str, Any]) -> None:
    (outcome,) = trainer(scaled(iris, scale), **options).evaluate([request()])
    assert (outcome.state, outcome.reason) == ("FAILED", "loss is not a number")
    assert outcome.metrics == {}


def test_a_trial_over_its_time_fails(iris: ArrayTask) -> None:
    (outcome,) = trainer(iris, epochs=10**6).evaluate([request(time_limit_s=0.25)])
    assert (outcome.state, outcome.reason) == ("FAILED", "over 0.25 s")
    assert outcome.seconds >= 0.25


def test_whoever_listens_can_stop_a_trial_which_then_counts_as_it_stands(iris: ArrayTask) -> None:
    heard: list[tuple[int, list[str]]] = []

    def report(epoch: int, metrics: Mapping[str, float]) -> bool:
        heard.append((epoch, sorted(metrics)))
        return epoch < 3

    (outcome,) = trainer(iris, epochs=50).evaluate([request(report=report)])
    assert heard == [(epoch, ["accuracy", "loss"]) for epoch in (1, 2, 3)]
    assert outcome.state == "COMPLETE"
    assert (outcome.details["epochs"], outcome.details["stopped"]) == (3, "caller")


def test_patience_ends_a_training_that_gets_no_better(iris: ArrayTask) -> None:
    (outcome,) = trainer(iris, epochs=500, learning_rate=1e-12, weight_decay=0.0, patience=2).evaluate([request()])
    assert (outcome.state, outcome.details["stopped"]) == ("COMPLETE", "patience")
    assert outcome.details["epochs"] == 3


def test_bad_input_is_not_a_failed_trial(iris: ArrayTask, tmp_path: Path) -> None:
    """A checkpoint of another network says that the set-up is wrong, which no further trial would mend."""
    evaluator, deeper = trainer(iris), SPACE.architecture(layers=3, width_1=8, width_2=8, width_3=8)
    evaluator.evaluate([request(ONE, checkpoint=tmp_path)])
    with pytest.raises(InputError, match="expected the checkpoint of this network"):
        evaluator.evaluate([request(deeper, checkpoint=tmp_path)])


def test_what_the_framework_refuses_fails_one_trial(iris: ArrayTask, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    from models import training

    errors = [
        tf.errors.ResourceExhaustedError(None, None, "out of memory\n allocating tensor"),
        ValueError("shapes differ"),
        MemoryError("no room"),
    ]

    def refuse(*arguments: object, **options: object) -> None:
        raise errors[0]

    monkeypatch.setattr(training, "train", refuse)
    expected = ["ResourceExhaustedError: out of memory allocating tensor", "ValueError: shapes differ"]
    for reason in [*expected, "MemoryError: no room"]:
        (outcome,) = trainer(iris).evaluate([request()])
        assert (outcome.state, outcome.reason) == ("FAILED", reason)
        errors.pop(0)


def test_preprocessing_goes_inside_the_network(iris: ArrayTask) -> None:
    spec = SPACE.network(ONE)
    assert prepared(spec, iris) == spec
    digits = create("digits")
    with_rescale = prepared(replace(spec), digits)
    assert len(with_rescale.blocks) == len(spec.blocks) + 1
