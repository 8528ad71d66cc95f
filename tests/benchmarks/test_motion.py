"""The proof that a stream learns motion, at a size that only shows that its parts fit together."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

from benchmarks.motion import COLUMNS, main, small_movinet


@pytest.mark.slow
def test_a_small_proof_writes_its_figures(tmp_path):
    table = tmp_path / "motion.csv"
    options = ["--examples", "70", "--epochs", "1", "--precision", "float32", "--csv", str(table)]
    done = CliRunner().invoke(main, ["--out", str(tmp_path / "run"), *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) == set(COLUMNS)
    assert {row["network"] for row in rows} == {small_movinet().id}
    values = {row["quantity"]: float(row["value"]) for row in rows}
    assert values["largest error of a probability at any frame, float32"] < 1e-4
    assert values["share of frames with the same top class, float32"] > 0.99
