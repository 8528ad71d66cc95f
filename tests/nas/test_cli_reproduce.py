"""`nas reproduce`: its JSON, its tables in windows of every width, and what it refuses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benchmarks.reproduce.figures import load_system, system_names
from benchmarks.reproduce.rows import VERDICTS

Nas = Callable[[Sequence[object]], tuple[int, str, str]]
KEYS = {"system", "quantity", "published", "source", "confidence", "ours", "tolerance", "verdict"}


def test_rows_as_json(answer: Callable[..., Any]) -> None:
    rows = answer("reproduce")
    assert all(set(row) >= KEYS for row in rows)
    assert {row["verdict"] for row in rows} <= set(VERDICTS)
    assert {row["system"] for row in rows} == set(system_names())
    assert len(rows) == sum(len(load_system(name).figures) for name in system_names())
    assert all(row["verdict"] == "unconfirmed" for row in rows if row["confidence"] == "unconfirmed")


def test_one_system_or_some(answer: Callable[..., Any]) -> None:
    assert {row["system"] for row in answer("reproduce", "--system", "tabnas")} == {"tabnas"}
    both = answer("reproduce", "--system", "tabnas", "--system", "bignas", "--system", "tabnas")
    assert list(dict.fromkeys(row["system"] for row in both)) == ["tabnas", "bignas"]
    assert len(both) == len(answer("reproduce", "--system", "bignas", "--system", "tabnas"))


@pytest.mark.parametrize("width", [60, 80, 200])
def test_tables_keep_to_the_window(
    nas: Nas, answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    status, out, err = nas(["reproduce"])
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= width
    text = " ".join(out.split())
    assert "tabnas-criteo 41,153 41,153" in text
    assert "BigNASModel-XL 80.9 %: not reproducible here" in text
    counts = Counter(row["verdict"] for row in answer("reproduce", "--system", "tabnas"))
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    assert counts["equal"] >= 20 and f"TabNAS: {told}" in text
    assert f"All {len(system_names())} systems: " in text


def test_columns_stand_below_each_other(nas: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = nas(["reproduce", "--system", "bignas"])
    lines = [line for line in out.splitlines() if line.rstrip().endswith(("  within", "  verdict"))]
    assert len(lines) == 23
    assert len({line.rstrip().rfind("  ") for line in lines}) == 1
    assert "All" not in out.splitlines()[-1]


def test_long_words_do_not_take_the_tolerance_from_numbers(nas: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = nas(["reproduce", "--system", "multi-hardware"])
    text = " ".join(out.split())
    assert "mobilenet-multi-max 349.18 M 349.1764 M ±0.005 within" in text
    assert "mobilenet-multi-max 224-112-56-28-14-14-7 224-112-56-28-14-14-7 equal" in text


def test_what_chance_has_a_part_in_is_printed_with_its_interval(nas: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = nas(["reproduce", "--system", "tunas"])
    assert re.search(r"absolute +84 ms +84\.\d ±0\.\d ms +±2 % +within", out)


def test_an_unknown_system_is_answered_with_the_nearest(refused: Callable[..., str]) -> None:
    refused(["reproduce", "--system", "bignsa"], "system: expected one of", "did you mean 'bignas'")
    refused(["reproduce", "--system", "bignas", "--system", ""], "system: expected one of")
