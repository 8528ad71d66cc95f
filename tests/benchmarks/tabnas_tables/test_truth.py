"""A table as arrays, and its limit."""

from __future__ import annotations

import zlib

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


def without(table, folder, leave_out):
    """A copy of a table that lacks the rows that are to be left out."""
    part = folder / "part-2.csv"
    header, *lines = table.read_text(encoding="utf-8").splitlines()
    part.write_text("\n".join([header, *(line for line in lines if not leave_out(line))]) + "\n", encoding="utf-8")
    part.with_suffix(".json").write_bytes(table.with_suffix(".json").read_bytes())
    return part


def test_large_networks_that_were_not_trained_are_predicted(full_table, truth, tmp_path):
    pytest.importorskip("sklearn")
    part = without(
        full_table, tmp_path, lambda line: int(line.split(",")[1]) > 60_000 and zlib.crc32(line.encode()) % 2
    )
    found = read_truth(part)
    assert found.limit == truth.limit
    lacking = 400 - len(read_rows(part))
    assert found.filling.count == lacking > 20
    assert (found.seen != truth.seen).sum() == (found.judged != truth.judged).sum() == lacking
    np.testing.assert_allclose(found.judged, truth.judged, atol=0.01)
    assert found.filling.error < 0.5
    np.testing.assert_array_equal(found.regret, truth.regret)


def test_a_network_within_the_limit_must_have_been_trained(full_table, truth, tmp_path):
    part = without(full_table, tmp_path, lambda line: line.startswith("tabnas:0-0-0-"))
    with pytest.raises(InputError, match=f"all {truth.feasible.sum()} networks within {truth.limit} parameters, got 1"):
        read_truth(part)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1, float("nan")])
def test_a_share_of_nothing_is_refused(full_table, share):
    with pytest.raises(InputError, match="share: expected"):
        read_truth(full_table, share=share)
