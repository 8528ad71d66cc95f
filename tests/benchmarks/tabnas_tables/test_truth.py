"""A table as arrays, and its limit."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tabnas_tables.build import read_rows
from benchmarks.tabnas_tables.truth import read_truth
from searchspaces.errors import InputError


def test_the_arrays_hold_what_the_rows_say(truth, full_table):
    rows = read_rows(full_table)
    for architecture in truth.space.sample(np.random.default_rng(0), 50):
        cell = truth.cells(np.array(architecture.indices))
        row = rows[architecture.id]
        assert (truth.params[cell], truth.seen[cell]) == (int(row["params"]), float(row["val_accuracy_0"]))
        assert truth.judged[cell] == float(row["test_accuracy"])
        assert truth.architecture(tuple(map(int, cell))) == architecture


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_the_limit_leaves_the_share_and_is_the_lowest_that_does(full_table, share):
    truth = read_truth(full_table, share=share)
    assert truth.feasible.mean() >= share
    assert (truth.params < truth.limit).mean() < share


def test_regret_is_in_points_and_only_within_the_limit(truth):
    assert np.nanmin(truth.regret) == 0
    assert np.array_equal(np.isnan(truth.regret), ~truth.feasible)
    worst = np.where(truth.feasible, truth.judged, 1).min()
    assert np.nanmax(truth.regret) == pytest.approx(100 * (truth.best - worst))
    assert truth.judged.max() > truth.best
    assert truth.seen_best_regret >= 0


def test_a_part_of_a_space_is_no_truth(full_table, tmp_path):
    part = tmp_path / "part-2.csv"
    part.write_text("".join(full_table.read_text(encoding="utf-8").splitlines(keepends=True)[:-3]), encoding="utf-8")
    part.with_suffix(".json").write_bytes(full_table.with_suffix(".json").read_bytes())
    with pytest.raises(InputError, match="all 400 networks of its space, got 397"):
        read_truth(part)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1, float("nan")])
def test_a_share_of_nothing_is_refused(full_table, share):
    with pytest.raises(InputError, match="share: expected"):
        read_truth(full_table, share=share)
