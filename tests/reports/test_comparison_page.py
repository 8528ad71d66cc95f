"""The report of a comparison: its answer, its files, its styles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas.tables import ComparisonTables
from reports.anytime import Curve
from reports.comparison_figures import column_styles, comparison_blocks, measure_curves, settled_range
from reports.comparison_page import answer, write_comparison
from reports.palette import GREY
from searchspaces.errors import InputError

Make = Callable[..., ComparisonTables]


def test_the_answer_says_who_is_ahead_and_whether_that_is_chance(make_comparison: Make) -> None:
    tables = make_comparison()
    text = answer(tables)
    assert text.startswith("evolution is ahead after 64 trials: median regret ")
    assert "over 20 seeds is more than chance (p < 0.0001)" in text
    assert text.endswith("Not told apart from it: random, optuna-tpe, optuna-tpe (feasible only).")
    columns = tables.columns.assign(is_best=tables.columns["label"] == "random")
    assert "No controller is better than random search here" in answer(replace(tables, columns=columns))


@pytest.mark.parametrize("objectives", [("maximize accuracy",), ("maximize accuracy", "minimize latency_ms@x")])
def test_the_files(make_comparison: Make, objectives: tuple[str, ...], tmp_path: Path) -> None:
    tables = make_comparison(objectives=objectives, seeds=5)
    files = write_comparison(tables, tmp_path / "one")
    assert [path.name for path in files] == ["index.html", "comparison.png", "summary.csv", "curves.csv", "seeds.csv"]
    again = write_comparison(tables, tmp_path / "two")
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
    page = files[0].read_text("utf-8")
    assert "5 seeds say little" in page
    assert "https://" not in page.partition("<script>")[0]
    assert len(pd.read_csv(files[4])) == 5 * 4
    measure = "regret" if len(objectives) == 1 else "hypervolume"
    assert [block.id for block in comparison_blocks(tables)] == [f"plot-{measure}", "plot-best", "plot-seeds"]


def test_a_peer_has_one_colour_and_two_dashes(make_comparison: Make) -> None:
    (random, own, peer, second) = column_styles(make_comparison())
    assert random == (GREY, "dash")
    assert own[1] == peer[1] == "solid"
    assert second == (peer[0], "dot")
    assert len({GREY, own[0], peer[0]}) == 3


def test_the_first_few_trials_do_not_flatten_the_rest() -> None:
    trained = np.array([1, 3, 30, 60])
    values = np.array([70.0, 20.0, 2.0, 1.0])
    curve = Curve(controller="a", runs=5, trained=trained, median=values, low=values - 0.5, high=values + 0.5)
    low, high = settled_range([curve]) or (np.nan, np.nan)
    assert (low, high) == pytest.approx((0.5 - 0.1, 2.5 + 0.1))
    assert settled_range([]) is None
    flat = replace(curve, median=np.ones(4), low=np.ones(4), high=np.ones(4))
    assert settled_range([flat]) is None


def test_what_is_not_there_yet_is_not_drawn(make_comparison: Make) -> None:
    curve = measure_curves(make_comparison(), "regret")[2]
    for bound in (curve.median, curve.low, curve.high):
        assert pd.isna(bound[:5]).all()
        assert pd.notna(bound[5:]).all()


def test_tables_without_their_columns_are_refused(make_comparison: Make) -> None:
    tables = make_comparison()
    with pytest.raises(InputError, match="comparison: seeds: expected columns label, seed"):
        replace(tables, seeds=tables.seeds.drop(columns="seed"))


def test_a_folder_that_cannot_be_written(make_comparison: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="expected a folder that can be written"):
        write_comparison(make_comparison(), tmp_path / "file")
