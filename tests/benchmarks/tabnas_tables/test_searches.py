"""Whole searches on a made-up table, and the files the two comparisons write."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.tabnas_tables.__main__ import main
from benchmarks.tabnas_tables.compare import write_rows
from benchmarks.tabnas_tables.searches import CONTENDERS, EVOLUTION, RANDOM, REJECTION, Field, shaped
from benchmarks.tabnas_tables.truth import read_truth


@pytest.fixture(scope="module")
def field(truth):
    return Field(truth)


@pytest.mark.parametrize("contender", [RANDOM, EVOLUTION, REJECTION], ids=lambda each: each.label)
def test_all_networks_within_the_limit_hold_the_best_to_see(full_table, contender):
    field = Field(read_truth(full_table, share=0.03))
    within = int(field.truth.feasible.sum())
    regrets = field.run(contender, trained=within, seed=0)
    assert np.isfinite(regrets).all()
    assert regrets[-1] == pytest.approx(field.truth.seen_best_regret)


def test_a_shaped_reward_pays_for_what_it_trains_over_the_limit(field):
    regrets = field.run(shaped("absolute", -0.01), trained=30, seed=1)
    assert np.isnan(regrets[0])
    assert len(regrets) == 30


def test_a_seed_decides_everything(field):
    for contender in CONTENDERS:
        one, again = (field.run(contender, trained=8, seed=2) for _ in range(2))
        np.testing.assert_array_equal(one, again)


def test_the_commands_write_what_they_found(full_table, tmp_path):
    policies, searches = tmp_path / "policies.csv", tmp_path / "searches.csv"
    small = ["--steps", "20", "--runs", "3", "--learning-rate", "0.1"]
    done = CliRunner().invoke(main, ["policies", str(full_table), *small, "--csv", str(policies)])
    assert done.exit_code == 0, done.output
    options = ["--trained", "2", "--trained", "5", "--seeds", "2"]
    done = CliRunner().invoke(main, ["searches", str(full_table), *options, "--csv", str(searches)])
    assert done.exit_code == 0, done.output
    found = {path: list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) for path in (policies, searches)}
    assert [row["reward"] for row in found[policies]].count("absolute") == 12
    assert {row["extra_samples"] for row in found[policies]} == {"", "0", "1", "4", "16", "64"}
    assert len(found[searches]) == 2 * len(CONTENDERS)
    for row in found[policies]:
        assert 0 <= float(row["mode_feasible_low"]) <= float(row["mode_feasible"]) <= 1
        assert float(row["mode_regret_low"]) <= float(row["mode_regret"]) <= float(row["mode_regret_high"])


def test_rows_take_the_place_of_older_ones_of_their_table(tmp_path):
    path, columns = tmp_path / "rows.csv", ("at", "table", "value")
    write_rows(path, columns, {"at": "then"}, [{"table": "b", "value": 1}, {"table": "a", "value": 2}])
    assert write_rows(path, columns, {"at": "now"}, [{"table": "a", "value": 3}, {"table": "a", "value": 4}]) == 2
    assert path.read_text(encoding="utf-8").split() == ["at,table,value", "now,a,3", "now,a,4", "then,b,1"]
