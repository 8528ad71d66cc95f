"""Curves, truths and records of a comparison, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.comparing.curves import best_curve, first_at, loss_curve, volume_curve
from nas.comparing.record import SeedRecord, load_record, save_record
from nas.comparing.truth import truth_of_records, truth_of_table
from nas.constraints import Constraint
from nas.pareto import Objective
from searchspaces.errors import InputError, NoResultError
from searchspaces.space import Architecture

ACCURACY = Objective(metric="accuracy", direction="maximize")
LATENCY = Objective(metric="latency_ms", direction="minimize")
NAN = float("nan")


def record(seen: list[list[float]], judged: list[list[float]] | None = None, feasible: str | None = None) -> SeedRecord:
    count = len(seen)
    return SeedRecord(
        label="x",
        seed=0,
        ids=tuple(f"toy:{row}" for row in range(count)),
        looked_at=np.arange(1, count + 1),
        feasible=np.array([mark == "1" for mark in feasible or "1" * count]),
        seen=np.array(seen, dtype=float),
        judged=np.array(judged or seen, dtype=float),
    )


def table() -> dict[Architecture, dict[str, float]]:
    """Three on the front of accuracy and latency, one dominated, one too slow."""
    rows = [(0.5, 1.0), (0.7, 2.0), (0.8, 4.0), (0.6, 3.0), (0.9, 9.0)]
    return {
        Architecture("toy", (index,)): {"accuracy": accuracy, "latency_ms": latency, "test": accuracy - 0.1 * index}
        for index, (accuracy, latency) in enumerate(rows)
    }


def test_an_infeasible_trial_is_charged_or_not() -> None:
    made = record([[0.9], [0.2], [0.8], [0.4]], feasible="0101")
    assert np.array_equal(best_curve(made, ACCURACY, "every trial", 5), [NAN, 0.2, 0.2, 0.4, 0.4], equal_nan=True)
    assert best_curve(made, ACCURACY, "feasible trials", 3).tolist() == [0.2, 0.4, 0.4]


def test_the_best_seen_is_judged_by_another_column() -> None:
    """The third is seen to be best, and is judged to be worse than the first: no controller may know."""
    made = record([[0.5], [0.4], [0.6], [0.6]], judged=[[0.55], [0.9], [0.3], [0.8]])
    assert best_curve(made, ACCURACY, "every trial", 4).tolist() == [0.55, 0.55, 0.3, 0.3]


def test_a_failed_trial_counts_and_gives_nothing() -> None:
    made = record([[NAN], [0.4], [NAN]])
    assert np.array_equal(best_curve(made, ACCURACY, "feasible trials", 3), [NAN, 0.4, 0.4], equal_nan=True)
    assert np.isnan(best_curve(_empty(), ACCURACY, "every trial", 3)).all()


def _empty() -> SeedRecord:
    return SeedRecord(
        label="x",
        seed=0,
        ids=(),
        looked_at=np.empty(0, np.int64),
        feasible=np.empty(0, np.bool_),
        seen=np.empty((0, 1)),
        judged=np.empty((0, 1)),
    )


@pytest.mark.parametrize(
    ("objective", "values", "regrets"),
    [(ACCURACY, [0.5, 0.7, 0.6], [0.3, 0.1, 0.1]), (LATENCY, [4.0, 2.0, 3.0], [3.0, 1.0, 1.0])],
)
def test_regret_counts_from_the_feasible_optimum(
    objective: Objective, values: list[float], regrets: list[float]
) -> None:
    limit = Constraint.parse("latency_ms <= 5")
    truth = truth_of_table(table(), [objective], [objective.metric], [limit])
    assert (truth.complete, truth.rows) == (True, 4)
    curve = loss_curve(record([[value] for value in values]), truth, "every trial", 3)
    assert curve == pytest.approx(regrets)
    assert np.isinf(loss_curve(_empty(), truth, "every trial", 2)).all()


def test_the_hypervolume_is_a_share_of_the_true_one() -> None:
    """Front (0.5, 1), (0.7, 2), (0.8, 4); a tenth of the spans beyond its worst is (0.47, 4.3)."""
    truth = truth_of_table(
        table(), [ACCURACY, LATENCY], ["accuracy", "latency_ms"], [Constraint.parse("latency_ms <= 5")]
    )
    assert truth.reference == pytest.approx([0.47, 4.3])
    assert truth.volume == pytest.approx(0.03 * 3.3 + 0.2 * 2.3 + 0.1 * 0.3)
    made = record([[0.7, 2.0], [0.6, 3.0], [0.5, 1.0], [0.8, 4.0]])
    first = 0.23 * 2.3
    expected = np.array([first, first, first + 0.03 * 1.0, truth.volume]) / truth.volume
    assert volume_curve(made, truth, "every trial", 4) == pytest.approx(expected)
    assert volume_curve(record([[0.7, 2.0]], feasible="0"), truth, "every trial", 2).tolist() == [0.0, 0.0]


def test_without_a_table_the_best_seen_stands_in() -> None:
    made = record([[0.5], [0.9], [0.7]], feasible="101")
    truth = truth_of_records([made], [ACCURACY])
    assert (truth.complete, truth.best, truth.best_id, truth.rows) == (False, 0.7, "toy:2", 2)
    with pytest.raises(NoResultError, match="no entrant has a feasible evaluation"):
        truth_of_records([_empty()], [ACCURACY])


def test_a_table_without_a_feasible_row_has_no_optimum() -> None:
    with pytest.raises(NoResultError, match="none of the table's 5 architectures keeps latency_ms < 1"):
        truth_of_table(table(), [ACCURACY], ["accuracy"], [Constraint.parse("latency_ms < 1")])


def test_trials_to_a_target() -> None:
    assert first_at(np.array([np.inf, 0.3, 0.1]), 0.3, at_most=True) == 2
    assert first_at(np.array([0.1, 0.5]), 0.9, at_most=False) == np.inf


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    made = record([[0.1 + 0.2, NAN], [1e-30, 2.0]], feasible="01")
    path = tmp_path / "x" / "0.csv"
    save_record(made, [ACCURACY, LATENCY], path)
    again = load_record("x", 0, [ACCURACY, LATENCY], path)
    assert again.ids == made.ids
    for name in ("looked_at", "feasible", "seen", "judged"):
        assert np.array_equal(getattr(again, name), getattr(made, name), equal_nan=name in ("seen", "judged")), name
    assert [file.name for file in path.parent.iterdir()] == ["0.csv"]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "looked_at,feasible,id,accuracy,judged accuracy\nx,1,a,1,1\n"])
def test_a_damaged_record_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "0.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"0\.csv: expected the evaluations of seed 0 .*delete the file"):
        load_record("x", 0, [ACCURACY], path)
