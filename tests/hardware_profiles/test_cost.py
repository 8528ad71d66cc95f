from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_profiles.cost import Cost, check_one_fingerprint, comparable, utc_now
from searchspaces.errors import InputError

# The keys of the record that other tools read.
CONTRACT_KEYS = [
    *("metric", "value", "unit", "low", "high", "method", "target", "batch", "precision", "threads", "delegate"),
    *("runtime", "fingerprint", "runs", "warmup", "spread", "at"),
]


def make_cost(**changes: Any) -> Cost:
    fields: dict[str, Any] = {
        "metric": "latency_ms",
        "value": 2.0,
        "unit": "ms",
        "low": 1.9,
        "high": 2.1,
        "method": "measured",
        "target": "host-cpu",
        "batch": 1,
        "precision": "int8",
        "threads": 1,
        "delegate": "xnnpack",
        "runtime": "ai-edge-litert 2.3.0",
        "fingerprint": "0123456789ab",
        "runs": 40,
        "warmup": 6,
        "spread": 0.1,
        "at": "2026-01-02T03:04:05+00:00",
    }
    return Cost(**{**fields, **changes})


def test_the_record_has_every_key_of_the_contract() -> None:
    assert list(make_cost().to_dict())[: len(CONTRACT_KEYS)] == CONTRACT_KEYS


@given(
    numbers=st.lists(st.floats(0, 1e12), min_size=3, max_size=3).map(sorted),
    spread=st.floats(0, 10),
    note=st.text(max_size=20),
    median=st.none() | st.floats(0, 1e12),
)
def test_json_keeps_every_record(numbers: list[float], spread: float, note: str, median: float | None) -> None:
    low, value, high = numbers
    cost = make_cost(low=low, value=value, high=high, spread=spread, note=note, median=median)
    assert Cost.from_dict(json.loads(json.dumps(cost.to_dict()))) == cost


def test_the_time_now_is_a_valid_time() -> None:
    assert make_cost(at=utc_now()).at.endswith("+00:00")


def test_the_extras_may_be_left_out() -> None:
    data = {key: value for key, value in make_cost().to_dict().items() if key in CONTRACT_KEYS}
    assert Cost.from_dict(data) == make_cost()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", math.nan),
        ("value", math.inf),
        ("value", 2.2),
        ("value", True),
        ("value", "2.0"),
        ("low", 2.05),
        ("low", -0.1),
        ("high", math.inf),
        ("spread", -0.1),
        ("median", math.nan),
        ("method", "guessed"),
        ("method", None),
        ("target", ""),
        ("fingerprint", " "),
        ("precision", 8),
        ("note", None),
        ("batch", 0),
        ("threads", 1.0),
        ("runs", 0),
        ("runs", True),
        ("warmup", -1),
        ("passes", 0),
        ("at", "yesterday"),
        ("at", "2026-01-02T03:04:05"),
        ("at", "2026-01-02T03:04:05+01:00"),
        ("at", 5),
    ],
)
def test_a_record_without_meaning_is_refused(field: str, value: object) -> None:
    # A bound that crosses the value is reported as the value's fault.
    named = "value" if (field, value) == ("low", 2.05) else field
    with pytest.raises(InputError, match=f"cost {named}: expected .*got "):
        make_cost(**{field: value})


def test_a_predicted_cost_has_no_runs() -> None:
    assert make_cost(method="predicted", runs=0, warmup=0).runs == 0


UNKNOWN: dict[str, Any] = {"low": None, "high": None, "spread": None}


def test_a_prediction_never_held_against_measurements_has_no_interval() -> None:
    cost = make_cost(method="predicted", runs=0, warmup=0, **UNKNOWN)
    assert cost.bounds == (cost.value, cost.value)
    assert Cost.from_dict(json.loads(json.dumps(cost.to_dict()))) == cost


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (UNKNOWN, "low"),
        ({"method": "compiled", **UNKNOWN, "high": 2.1}, "low"),
        ({"method": "predicted", **UNKNOWN, "low": 1.9}, "high"),
        ({"method": "predicted", "spread": None}, "spread"),
        ({"method": "predicted", **UNKNOWN, "value": None}, "value"),
    ],
)
def test_a_measurement_has_an_interval_and_others_lack_it_only_as_a_whole(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=f"cost {named}: expected a finite number"):
        make_cost(**changes)


def test_a_misspelt_field_is_answered_with_the_right_one() -> None:
    with pytest.raises(InputError, match="did you mean 'fingerprint'"):
        Cost.from_dict({**make_cost().to_dict(), "fingerprnt": "x"})


def test_missing_fields_are_named() -> None:
    data = make_cost().to_dict()
    del data["unit"], data["at"]
    with pytest.raises(InputError, match="unit, at"):
        Cost.from_dict(data)


def test_only_a_mapping_is_a_record() -> None:
    with pytest.raises(InputError, match="mapping"):
        Cost.from_dict([1, 2])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fingerprint", "ffffffffffff"),
        ("target", "pixel4"),
        ("precision", "float32"),
        ("threads", 2),
        ("batch", 8),
        ("metric", "peak_ram_bytes"),
        ("unit", "us"),
    ],
)
def test_costs_are_comparable_only_under_equal_conditions(field: str, value: object) -> None:
    cost = make_cost()
    assert comparable(cost, make_cost(value=2.05, at="2026-02-02T00:00:00+00:00"))
    assert not comparable(cost, make_cost(**{field: value}))


def test_a_front_of_two_machines_is_refused_and_names_both() -> None:
    first, second = make_cost(), make_cost(fingerprint="ffffffffffff")
    with pytest.raises(InputError, match=r"latency_ms@host-cpu.*0123456789ab.*ffffffffffff"):
        check_one_fingerprint([first, first, second])


def test_a_front_may_hold_two_targets() -> None:
    first = make_cost()
    check_one_fingerprint([first, replace(first, target="pixel4", fingerprint="ffffffffffff"), first])
