from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.constraints import Constraint
from searchspaces.errors import InputError


@pytest.mark.parametrize(
    ("text", "metric", "comparison", "bound"),
    [
        ("params <= 3e5", "params", "<=", 3e5),
        ("latency_ms@host-cpu<2", "latency_ms@host-cpu", "<", 2.0),
        ("  accuracy  >=  .5 ", "accuracy", ">=", 0.5),
        ("latency_ms@pixel4-edgetpu > -1", "latency_ms@pixel4-edgetpu", ">", -1.0),
        ("a.b_c@d-e.f <= 1_000", "a.b_c@d-e.f", "<=", 1000.0),
    ],
)
def test_parse(text: str, metric: str, comparison: str, bound: float) -> None:
    assert Constraint.parse(text) == Constraint(metric=metric, comparison=comparison, bound=bound)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "params",
        "params <=",
        "<= 3",
        "params = 3",
        "params == 3",
        "params => 3",
        "params <= many",
        "params <= nan",
        "params <= inf",
        "params <= 3 MB",
        "params <= 3 and macs <= 4",
        "3 <= params",
        "größe <= ",
        7,
        None,
        {"params": 3},
    ],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InputError, match=r"constraint: expected a metric, a comparison .* got .*; write for example"):
        Constraint.parse(text)


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [("<=", True, True, False), ("<", True, False, False), (">=", False, True, True), (">", False, False, True)],
)
def test_holds(comparison: str, below: bool, equal: bool, above: bool) -> None:
    constraint = Constraint(metric="params", comparison=comparison, bound=10.0)
    assert [constraint.holds(value) for value in (9.0, 10.0, 11.0)] == [below, equal, above]
    assert not constraint.holds(math.nan)


@pytest.mark.parametrize(("bound", "text"), [(3e5, "300000"), (1234567.0, "1234567.0"), (1e-9, "1e-09"), (6, "6")])
def test_text(bound: float, text: str) -> None:
    assert str(Constraint(metric="params", comparison="<=", bound=bound)) == f"params <= {text}"


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["<=", "<", ">=", ">"]))
def test_text_reads_back_as_the_same_bound(bound: float, comparison: str) -> None:
    constraint = Constraint(metric="latency_ms@host-cpu", comparison=comparison, bound=bound)
    assert Constraint.parse(str(constraint)) == constraint


@pytest.mark.parametrize(
    ("text", "value", "excess"),
    [
        ("params <= 100", 150.0, 0.5),
        ("params >= 100", 80.0, 0.2),
        ("params <= 100", 100.0, 0.0),
        ("latency_ms <= 0", 2.0, 2.0),
        ("params <= 100", float("nan"), 0.0),
    ],
)
def test_by_how_much_a_value_misses_its_bound(text: str, value: float, excess: float) -> None:
    constraint = Constraint.parse(text)
    assert constraint.excess({constraint.metric: value}) == pytest.approx(excess)
    assert constraint.excess({}) == 0


def test_an_excluded_bound_is_missed_by_a_trifle() -> None:
    assert 0 < Constraint.parse("params < 100").excess({"params": 100.0}) < 1e-300
