from __future__ import annotations

import math

import pytest

from reports.words import axis_label, flatten, format_duration, format_interval, format_percent, format_value, shorten


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("accuracy", 0.97834, "97.83 %"),
        ("top1_accuracy", 1.0, "100.00 %"),
        ("latency_ms@pi5", 1.2345, "1.23 ms"),
        ("latency_ms", 0.00012, "0.00012 ms"),
        ("energy_mj", 123.456, "123 mJ"),
        ("params", 244_300, "244 k"),
        ("params", 812, "812"),
        ("macs", 5_612_000, "5.61 M"),
        ("size_bytes", 1_204_000, "1.20 MB"),
        ("loss", -0.5, "-0.500"),
        ("loss", 0.0, "0"),
        ("latency_ms", math.nan, "–"),
    ],
)
def test_values(metric: str, value: float, expected: str) -> None:
    assert format_value(metric, value) == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("latency_ms@host-cpu", "latency on host-cpu (ms)"),
        ("macs", "multiply-adds"),
        ("peak_ram_bytes", "peak memory (B)"),
        ("accuracy", "accuracy"),
    ],
)
def test_axis_labels(metric: str, expected: str) -> None:
    assert axis_label(metric) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(4.25, "4.2 s"), (59.0, "59 s"), (725, "12 min 5 s"), (1800, "30 min"), (12_000, "3 h 20 min"), (math.nan, "–")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert format_duration(seconds) == expected


def test_shares_keep_digits_when_small() -> None:
    assert [format_percent(share) for share in (0.838, 0.044, 0.00042, 0.0)] == ["83.8 %", "4.4 %", "0.042 %", "0.0 %"]


def test_an_interval_without_width_is_not_shown() -> None:
    assert format_interval("params", 5.0, 5.0) == ""
    assert format_interval("latency_ms", 1.0, 1.1) == "1.00 ms to 1.10 ms"


def test_flatten_names_nested_values() -> None:
    rows = flatten({"a": {"b": 1, "c": [1, 2]}, "started": 0.0, "seed": None})
    assert rows == [("a.b", "1"), ("a.c", "1, 2"), ("started", "1970-01-01 00:00:00 UTC"), ("seed", "None")]


def test_shorten_makes_one_line() -> None:
    assert shorten("a\n b", 10) == "a b"
    assert shorten("x" * 20, 5) == "xxxx…"
