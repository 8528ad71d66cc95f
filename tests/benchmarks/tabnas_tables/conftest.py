"""A made-up table of all 400 two-layer networks, whose best within the limit is a wide layer after a narrow one."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from benchmarks.tabnas_tables.truth import read_truth
from searchspaces.tabnas import WIDTHS, TabNAS

INPUTS, CLASSES = 16, 4


@pytest.fixture(scope="session")
def full_table(tmp_path_factory):
    """Accuracy grows with every width, and faster with the second."""
    path = tmp_path_factory.mktemp("tables") / "made-up-2.csv"
    space = TabNAS((INPUTS,), CLASSES, layers=2)
    rng = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "params", "test_accuracy", "val_accuracy_0", "test_accuracy_0", "train_s"])
        for architecture in space.enumerate():
            first, second = (WIDTHS[index] for index in architecture.indices[1:3])
            worth = 0.95 - 1 / (first + 4) - 3 / (second + 4)
            on_test, seen = worth + rng.normal(0, 0.002, 2)
            row = [architecture.id, space.network(architecture).params]
            writer.writerow([*row, f"{on_test:.5f}", f"{seen:.5f}", f"{on_test:.5f}", "0.01"])
    about = {"space": {"name": "tabnas", "input": [INPUTS], "classes": CLASSES, "layers": 2}}
    path.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def truth(full_table):
    return read_truth(full_table)
