"""The claims on made-up cells, at a size that only shows that the parts fit together, and the cells themselves."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.synthetic_cells import (
    COLUMNS,
    GOOD,
    SyntheticCells,
    accuracy_percent,
    drawn,
    found_accuracy,
    main,
    observed,
    problem_of,
)
from searchspaces.errors import InputError

SPACE = SyntheticCells()


def cell(*edges: str, **operations: str):
    values = {choice.name: choice.values[0] for choice in SPACE.choices}
    return SPACE.architecture(**{**values, **{f"edge_{edge}": 1 for edge in edges}, **operations})


def test_a_cell_is_what_lies_between_input_and_output():
    # 0 to 2 to 6, and 3, which leads nowhere.
    graphs = SPACE.architecture_graphs([cell("0_2", "2_6", "0_3", operation_2="maxpool3x3")])
    assert np.flatnonzero(graphs.present[0]).tolist() == [0, 2, 6]
    assert np.argwhere(graphs.adjacency[0]).tolist() == [[0, 2], [2, 6]]
    assert graphs.nodes[0].argmax(axis=1)[[0, 2, 6]].tolist() == [0, 4, 1]
    assert not SPACE.architecture_graphs([cell("0_2")]).present.any()


def test_cells_without_a_way_through_and_with_too_many_edges_are_infeasible():
    every = [f"{source}_{target}" for source in range(7) for target in range(source + 1, 7)]
    found = problem_of(SPACE).feasible([cell("0_6"), cell("0_2"), cell(*every)])
    assert found.tolist() == [True, False, False]
    with pytest.raises(InputError, match="made-up cells"):
        SPACE.network(cell("0_6"))


def test_accuracies_have_a_long_lower_tail():
    cells = drawn(problem_of(SPACE), 400, 0)
    truth = accuracy_percent(SPACE.architecture_graphs(cells))
    assert 10 <= truth.min() < 60
    assert 94 < truth.max() < 94.5
    assert 0.3 < (truth > GOOD).mean() < 0.7
    assert np.mean(truth) < np.median(truth) - 2
    seen = observed(SPACE, cells, 1)
    assert np.std(seen - truth) == pytest.approx(0.2, rel=0.2)
    assert (seen == observed(SPACE, cells, 1)).all()


def test_a_search_is_judged_by_the_truth():
    options = {"regressor": "gaussian_process", "initial": 20, "batch": 0, "candidates": 300}
    for name, each in (("random", {}), ("evolution", {"population": 8, "tournament": 4}), ("predictor", options)):
        assert 93.5 < found_accuracy(name, each, trials=40, seed=1) <= 94.5


@pytest.mark.slow
def test_a_small_proof_writes_its_figures(tmp_path):
    table = tmp_path / "cells.csv"
    options = [
        "--repeats",
        "2",
        "--examples",
        "30",
        "--asked",
        "60",
        "--trials",
        "20",
        "--share",
        "0.5",
        "--csv",
        str(table),
    ]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) == set(COLUMNS)
    assert [row["claim"] for row in rows] == ["a"] * 3 + ["b"] * 2 + ["b, c"]
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in rows)
