"""Tables of trained networks: what a row holds, going on after a stop, and what must not be mixed."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.tabnas_tables.build import Plan, build_table, read_about, read_rows
from benchmarks.tabnas_tables.data import read_data
from benchmarks.tabnas_tables.mlp import Recipe
from nas.evaluators.base import Request
from nas.evaluators.table import TableEvaluator
from searchspaces.errors import InputError
from searchspaces.tabnas import TabNAS

PLAN = Plan(layers=2, seeds=2, networks=8, recipe=Recipe(epochs=2, batch_size=32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set `rings` as PMLB would have it: 300 rows, two features, three classes."""
    path = tmp_path_factory.mktemp("data")
    x = np.random.default_rng(0).normal(size=(300, 2))
    y = np.digitize(np.hypot(*x.T), [0.8, 1.5])
    with gzip.open(path / "rings.tsv.gz", "wt", encoding="utf-8") as stream:
        stream.write("a\tb\ttarget\n")
        stream.writelines(f"{a:.6f}\t{b:.6f}\t{label}\n" for (a, b), label in zip(x, y, strict=True))
    return path


@pytest.fixture(scope="module")
def table(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "rings-2.csv"
    build_table(read_data("rings", folder), PLAN, path, command="a command")
    return path


def without_seconds(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return [{name: value for name, value in row.items() if name != "train_s"} for row in csv.DictReader(stream)]


def test_a_row_says_what_a_network_is_and_what_each_training_came_to(table):
    rows = read_rows(table)
    space = TabNAS((2,), 3, layers=2)
    assert len(rows) == PLAN.networks
    for text, row in rows.items():
        assert int(row["params"]) == space.network(space.parse(text)).params
        on_test = [float(row[f"test_accuracy_{seed}"]) for seed in range(2)]
        assert float(row["test_accuracy"]) == pytest.approx(np.mean(on_test), abs=1e-5)
        assert 0 <= float(row["val_accuracy_1"]) <= 1
    about = read_about(table)
    assert about["space"] == {"name": "tabnas", "input": [2], "classes": 3, "layers": 2}
    assert about["data"]["rows"] == {"train": 192, "validation": 48, "test": 60}
    assert [build["command"] for build in about["builds"]] == ["a command"]


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_build_that_was_stopped_goes_on(folder, table, tmp_path, cut):
    path = tmp_path / table.name
    path.write_bytes(table.read_bytes()[:-cut])
    path.with_suffix(".json").write_bytes(table.with_suffix(".json").read_bytes())
    trained = []
    build_table(read_data("rings", folder), PLAN, path, command="again", tell=lambda done, of: trained.append(done))
    assert 0 < len(trained) < PLAN.networks
    assert without_seconds(path) == without_seconds(table)
    assert [build["command"] for build in read_about(path)["builds"]] == ["a command", "again"]


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (Plan(layers=2, seeds=1, networks=8, recipe=PLAN.recipe), "seeds"),
        (Plan(layers=3, seeds=2, networks=8, recipe=PLAN.recipe), "space"),
        (Plan(layers=2, seeds=2, networks=8, recipe=Recipe(epochs=3)), "recipe"),
    ],
)
def test_rows_of_another_plan_are_not_mixed_in(folder, table, plan, what):
    before = table.read_bytes()
    with pytest.raises(InputError, match=f"expected the .*{what}"):
        build_table(read_data("rings", folder), plan, table, command="other")
    assert table.read_bytes() == before


def test_a_table_grows_from_one_of_fewer_networks(folder, table, tmp_path):
    path = tmp_path / table.name
    for networks in (3, PLAN.networks, 5):
        build_table(read_data("rings", folder), replace(PLAN, networks=networks), path, command="")
    assert without_seconds(path) == without_seconds(table)
    build_table(read_data("rings", folder), replace(PLAN, networks=60, most_params=2000), path, command="")
    added = {text: row for text, row in read_rows(path).items() if text not in read_rows(table)}
    assert added
    assert all(int(row["params"]) <= 2000 for row in added.values())


def test_any_search_can_read_it(table):
    space = TabNAS((2,), 3, layers=2)
    evaluator = TableEvaluator(space, path=str(table), metrics={"accuracy": "val_accuracy_0"})
    text, row = next(iter(read_rows(table).items()))
    (outcome,) = evaluator.evaluate([Request(number=0, architecture=space.parse(text), seed=0)])
    assert outcome.metrics == {"accuracy": float(row["val_accuracy_0"])}


def test_splits_have_no_row_in_common_and_are_cut_alike(folder):
    data = read_data("rings", folder, train_rows=50)
    again = read_data("rings", folder, train_rows=50)
    rows = [{tuple(row) for row in split.x.tolist()} for split in data.splits.values()]
    assert len(set.union(*rows)) == sum(map(len, rows)) == 50 + 48 + 60
    assert np.array_equal(data.splits["train"].x, again.splits["train"].x)
    assert set(np.unique(data.splits["train"].y)) == {0, 1, 2}


def test_bad_input_is_refused_in_words(folder, table, tmp_path):
    with pytest.raises(InputError, match="rings"):
        read_data("ring", folder)
    with pytest.raises(InputError, match="expected files"):
        read_data("rings", tmp_path)
    with pytest.raises(InputError, match="one seed"):
        Plan(layers=2, seeds=0)
    lone = tmp_path / "lone.csv"
    lone.write_bytes(table.read_bytes())
    with pytest.raises(InputError, match="JSON file"):
        build_table(read_data("rings", folder), PLAN, lone, command="")
    lone.with_suffix(".json").write_text(json.dumps({}), encoding="utf-8")
    with pytest.raises(InputError, match="expected the space, data, recipe"):
        build_table(read_data("rings", folder), PLAN, lone, command="")
