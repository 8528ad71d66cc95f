"""Trials to equal accuracy: the arithmetic, and the command on a made-up table."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import neural_predictor
from benchmarks.neural_predictor import COLUMNS, METHODS, METRIC, best_so_far, fewer, figures, main, trials_to
from benchmarks.tabular import TabularBenchmark
from nas.evaluators.table_file import Table
from searchspaces.tabnas import TabNAS

SPACE = TabNAS((4,), 3, layers=2)
GAUSSIAN = "Gaussian process, in rounds"


@pytest.fixture(scope="module")
def made_up() -> TabularBenchmark:
    every = tuple(SPACE.enumerate())
    rows = np.array([each.indices[1:3] for each in every], dtype=float)
    values = 95 - ((rows - (12, 6)) ** 2).sum(axis=1) / 20
    return TabularBenchmark(
        space=SPACE, table=Table(architectures=every, metrics=(METRIC,), values=values[:, None]), complete=True
    )


def test_trials_are_counted_from_1_and_never_is_infinite():
    curves = np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 3.0], [1.0, 1.0, 1.0]])
    assert trials_to(curves, 3.0).tolist() == [3.0, 1.0, np.inf]


def test_the_ratio_of_equal_methods_is_1_and_lies_in_its_interval():
    value, low, high = fewer(np.full(20, 60.0), np.full(20, 30.0))
    assert (value, low, high) == (2.0, 2.0, 2.0)
    rng = np.random.default_rng(0)
    value, low, high = fewer(rng.uniform(50, 100, 40), rng.uniform(50, 100, 40))
    assert low <= value <= high
    assert 0.7 < low < 1 < high < 1.4
    assert fewer(np.full(5, 60.0), np.full(5, np.inf))[0] == 0


def test_best_so_far_never_falls_and_looks_at_nothing_twice(made_up):
    curve = best_so_far(made_up, METHODS[GAUSSIAN], 30, seed=0)
    assert curve.shape == (30,)
    assert (np.diff(curve) >= 0).all()


def test_a_predictor_needs_fewer_trials_than_evolution_on_a_smooth_table(made_up):
    rows = {
        (row["method"], row["quantity"]): float(row["value"])
        for row in figures(made_up, {"evolution": 0, "random": 0, GAUSSIAN: 0}, trials=200, repeats=3)
    }
    ratios = [value for (name, what), value in rows.items() if name == GAUSSIAN and what.startswith("times fewer")]
    assert len(ratios) == 3
    assert min(ratios[1:]) > 1
    assert rows["random", "regret after 100 trials"] >= rows["evolution", "regret after 100 trials"]


def test_the_command_writes_a_row_a_figure(made_up, tmp_path, monkeypatch):
    monkeypatch.setattr(neural_predictor, "load", lambda name, folder: made_up)
    out = tmp_path / "predictor.csv"
    options = ["--table", "nasbench-macro", "--method", "random", "--trials", "60", "--repeats", "2"]
    done = CliRunner().invoke(main, [str(tmp_path), *options, "--csv", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with out.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) == set(COLUMNS)
    assert {row["method"] for row in rows} == {"evolution", "random"}
    assert {row["seeds"] for row in rows} == {"2"}
