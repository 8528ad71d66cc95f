"""The training on blood cells: a small one runs to the end, and what is recorded of the real one holds together."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest

from benchmarks import tasks
from benchmarks.detection_bccd import COLUMNS, RESULT, figures
from models.train_config import TrainConfig
from searchspaces.spec import NetworkSpec


def test_every_figure_of_a_small_training_is_told(
    tiny_detector: Callable[..., NetworkSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    task = tasks.create("digits-canvas", pictures=50, input_shape=(32, 32, 1))
    spec = tiny_detector(task, filters=4)
    rows = list(figures(spec, task, TrainConfig(epochs=2, batch_size=16), seed=0))
    assert all(set(row) < set(COLUMNS) for row in rows)
    curve = [row for row in rows if row["state"] == "training" and row["quantity"] == "map"]
    assert [(row["epoch"], row["part"]) for row in curve] == [(1, "validation"), (2, "validation")]
    worth = [row for row in rows if row["quantity"] in ("map", "map_50", "map_75") and row["state"] != "training"]
    assert len(worth) == 2 * 2 * 3
    assert {float(row["value"]) <= 1 for row in worth} == {True}
    assert "seed 0, epoch 2" in capsys.readouterr().out


def test_the_recorded_training_learned() -> None:
    with RESULT.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {
        (row["seed"], row["state"], row["part"], row["quantity"]): float(row["value"])
        for row in rows
        if row["state"] in ("untrained", "trained")
    }
    for seed in {row["seed"] for row in rows}:
        for part in ("validation", "test"):
            untrained, trained = (found[seed, state, part, "map"] for state in ("untrained", "trained"))
            assert untrained < 0.01 < 0.10 < trained
        curve = [float(row["value"]) for row in rows if row["seed"] == seed and _is_curve(row)]
        assert max(curve) == found[seed, "trained", "validation", "map"]
        assert len(curve) >= 10
    assert {row["command"].startswith("python -m benchmarks.detection_bccd") for row in rows} == {True}


def _is_curve(row: dict[str, str]) -> bool:
    return (row["state"], row["part"], row["quantity"]) == ("training", "validation", "map")
