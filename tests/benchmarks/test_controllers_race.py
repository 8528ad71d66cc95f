"""The race of controllers on published tables: its rows, its verdicts, its command."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.controllers import __main__ as command
from benchmarks.controllers.race import Row
from benchmarks.controllers.verdicts import front_verdicts, regret_verdicts


def row(column: str, trials: int, median: float, charged: str = "feasible trials", measure: str = "regret") -> Row:
    return Row(
        device="all",
        limit_ms=None,
        column=column,
        charged=charged,
        measure=measure,
        trials=trials,
        seeds=30,
        median=median,
        low=median,
        high=median,
        mean=median,
    )


def test_ours_are_held_against_peers_with_more_trials() -> None:
    made = [row("predictor", 50, 0.4), row("random", 50, 2.0), row("predictor", 100, 0.3)]
    for name, values in (("tpe", (1.8, 0.5)), ("nsga2", (1.6, 0.8))):
        made += [row(name, trials, value, "every trial") for trials, value in zip((200, 400), values, strict=True)]
        made += [row(f"{name} (feasible only)", trials, 0.35) for trials in (100, 200)]
    first, second, third, fourth = regret_verdicts(made)
    assert first.startswith("predictor after 50: 0.40; best peer after 200 charged for every trial, nsga2: 1.60")
    assert first.endswith("holds")
    assert second.endswith("tpe (feasible only): 0.35; at most as much: does not hold")
    assert "best peer after 400 charged for every trial, tpe: 0.50" in third
    assert fourth.endswith("at most as much: holds")


def test_the_front_is_to_be_reached_in_half_the_trials() -> None:
    measure = "trials to 99% of the hypervolume"
    made = [row("nsga2", 800, 90, measure=measure), row("pymoo-nsga2", 800, 180, "every trial", measure)]
    assert list(front_verdicts(made)) == [
        "all: nsga2 takes 90 trials to 99% of the hypervolume, pymoo-nsga2 180; at most half: holds"
    ]
    (verdict,) = front_verdicts([row("nsga2", 800, 91, measure=measure), made[1]])
    assert verdict.endswith("does not hold")
    never = [
        row("nsga2", 800, float("inf"), measure=measure),
        row("pymoo-nsga2", 800, float("inf"), "every trial", measure),
    ]
    (verdict,) = front_verdicts(never)
    assert verdict.endswith("does not hold")
    for median, words in ((400, "holds"), (401, "not shown")):
        (verdict,) = front_verdicts([row("ehvi", 800, median, measure=measure), never[1]])
        assert verdict == f"all: ehvi takes {median} {measure}, pymoo-nsga2 more than 800; at most half: {words}"


def test_a_race_on_the_published_table(shared_data: Path, tmp_path: Path) -> None:
    options = ["--controllers", "evolution", "--dear", "local", "--dear-trials", "10", "--peers", "", "--trials", "60"]
    options += ["--repeats", "6", "--device", "pixel3", "--workers", "1", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(command.main, ["regret", str(shared_data), *options, "--csv", str(tmp_path / "f.csv")])
    assert done.exit_code == 0, done.output
    with (tmp_path / "f.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["device"] for row in rows} == {"pixel3", "all"}
    # The fastest 30 % of the 15,625 cells on a Pixel 3 take at most 7.5 ms.
    (limit,) = {float(row["limit_ms"]) for row in rows if row["device"] == "pixel3"}
    assert limit == pytest.approx(7.503, abs=0.01)
    shown = {(row["column"], row["trials"]): float(row["median"]) for row in rows if row["device"] == "all"}
    assert set(shown) == {("random", "50"), ("evolution", "50")}
    # Random search after 50 feasible draws of 4,700: far from the optimum, and no better than a mean can be.
    assert 0.5 < shown["random", "50"] < 5
    assert all(np.isfinite(float(row["low"])) for row in rows)
