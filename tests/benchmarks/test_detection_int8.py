"""The proof that a detector keeps its worth in int8, at a size that only shows that its parts fit together."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection_int8 import FILES, RESULT, figures, half_width_edgetpu
from searchspaces.catalog import named_network


def test_the_network_is_the_published_one_at_half_its_widths() -> None:
    half = named_network(half_width_edgetpu().id, (96, 96, 1), 10).spec
    whole = named_network("mobiledet-edgetpu", (96, 96, 1), 10).spec
    assert len(half.blocks) == len(whole.blocks)
    assert half.output_shapes == whole.output_shapes
    assert 0.2 < half.params / whole.params < 0.35


def card(precision: str) -> dict[str, Any]:
    test = {metric: {"keras": 0.4, precision: 0.39} for metric in ("map", "map_low", "map_high", "map_50")}
    parity = {"compared": 9, "agreement": {"value": 1.0, "low": 0.7, "high": 1.0}}
    return {
        "precision": precision,
        "metrics": {"test": {"pictures": 20, **test}},
        "precisions": {precision: {"parity": parity}},
        "size_bytes": 1000,
    }


def test_every_epoch_and_every_file_has_its_rows(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    curve = {f"h{quantity}": np.array([1.0, 2.0]) for quantity in ("loss", "val_map", "val_map_50")}
    np.savez(tmp_path / "checkpoint" / "training.npz", **curve)
    for file in FILES:
        (tmp_path / f"{file}.json").write_text(json.dumps(card("int8")), "utf-8")
    rows = list(figures(tmp_path))
    assert len([row for row in rows if row["part"] == "training"]) == 6
    found = {(row["file"], row["quantity"]): row["value"] for row in rows}
    for file in FILES:
        assert found[file, "map of LiteRT"] == "0.39" and found[file, "found again, low"] == "0.7"


def test_what_was_measured_is_of_this_network() -> None:
    with RESULT.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["network"] for row in rows} == {half_width_edgetpu().id}
    assert {row["file"] for row in rows} == {"", *FILES}
