from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.cli.assemble import make_parts, make_problem
from nas.config import parse_config
from nas.derived import DerivedMetric
from searchspaces.errors import InputError
from searchspaces.tabnas import TabNAS

# Two networks on five devices against MobileNetV2, from the MobileNetV4 paper's table.
V2 = {"cpu": 5.0, "edgetpu": 0.7, "hexagon": 3.9, "mali": 13.6, "adreno": 2.5}
MULTI_MAX = {"cpu": 9.8, "edgetpu": 1.0, "hexagon": 5.7, "mali": 23.2, "adreno": 4.1}
MULTI_AVG = {"cpu": 12.0, "edgetpu": 1.1, "hexagon": 6.1, "mali": 20.3, "adreno": 4.5}


@pytest.mark.parametrize(("latencies", "average", "worst"), [(MULTI_MAX, 1.64, 1.96), (MULTI_AVG, 1.77, 2.40)])
def test_published_networks(latencies: dict[str, float], average: float, worst: float) -> None:
    mean, most = (DerivedMetric.parse(case, {"case": case, "reference": V2}) for case in ("average", "worst"))
    assert (round(mean.value(latencies), 2), round(most.value(latencies), 2)) == (average, worst)


def test_weights_are_one_where_none_is_given() -> None:
    metric = DerivedMetric.parse("mean", {"case": "average", "reference": {"a": 1, "b": 2}, "weights": {"a": 3}})
    assert metric.value({"a": 5.0, "b": 4.0}) == pytest.approx((3 * 5 + 1 * 2) / 4)
    assert DerivedMetric.parse("mean", metric.to_dict()) == metric


@pytest.fixture
def devices_csv(tmp_path: Path) -> Path:
    """Networks on two devices of which one likes the first layer narrow and the other the second."""
    lines = ["id,accuracy,latency_ms@one,latency_ms@two"]
    for architecture in TabNAS((4,), 3, layers=2).enumerate():
        _, first, second, *_ = architecture.indices
        accuracy = 1 - np.exp(-(first + second) / 10)
        lines.append(f"{architecture.id},{accuracy},{2 + 2 * first + 0.1 * second},{10 + first + 6 * second}")
    path = tmp_path / "devices.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def config(path: Path, **changes: Any) -> dict[str, Any]:
    reference = {"latency_ms@one": 20, "latency_ms@two": 60}
    return {
        "space": {"name": "tabnas", "layers": 2, "input": [4], "classes": 3},
        "evaluator": {"name": "table", "path": str(path)},
        "derived": {
            "latency_worst": {"case": "worst", "reference": reference},
            "latency_mean": {"case": "average", "reference": reference, "weights": {"latency_ms@two": 3}},
        },
        "objectives": ["maximize accuracy", "minimize latency_mean"],
        "constraints": ["latency_worst <= 1.1"],
        "budget": {"trials": 20},
        "controller": {"name": "nsga2", "population": 6},
        **changes,
    }


def test_a_search_minimises_the_average_and_keeps_the_worst_case(
    devices_csv: Path, write_yaml: Callable[..., Path], answer: Callable[..., Any], tmp_path: Path
) -> None:
    found = answer("search", write_yaml(config(devices_csv)), "--out", tmp_path / "run")
    assert found["trials"]["COMPLETE"] == 20
    assert 0 < found["acceptance"]["latency_worst <= 1.1"] <= 1
    for entry in found["front"]:
        metrics = entry["metrics"]
        one, two = metrics["latency_ms@one"] / 20, metrics["latency_ms@two"] / 60
        assert metrics["latency_worst"] == pytest.approx(max(one, two)) and max(one, two) <= 1.1
        assert metrics["latency_mean"] == pytest.approx((one + 3 * two) / 4)
    again = answer("search", write_yaml(config(devices_csv)), "--out", tmp_path / "run")
    assert again["front"] == found["front"]


def test_a_derived_limit_is_cheap_where_its_parts_are(devices_csv: Path) -> None:
    checked = parse_config(config(devices_csv))
    assert parse_config(checked.to_dict()) == checked
    problem = make_problem(checked, make_parts(checked))
    wide, narrow = (problem.space.architecture(layers=2, **units(problem.space, index)) for index in (19, 0))
    assert problem.feasible([wide, narrow]).tolist() == [False, True]
    assert problem.known([narrow], ["latency_worst"]).tolist() == [[pytest.approx(10 / 60)]]


def units(space: Any, index: int) -> dict[str, Any]:
    """The first two layers at one width."""
    return {choice.name: choice.values[index] for choice in space.choices[1:3]}


def test_counted_costs_may_be_derived_from_too(devices_csv: Path) -> None:
    derived = {"size": {"case": "worst", "reference": {"params": 1000, "macs": 2000}}}
    checked = parse_config(
        config(devices_csv, derived=derived, constraints=["size <= 3"], objectives=["minimize size"])
    )
    problem = make_problem(checked, make_parts(checked))
    (one,) = problem.space.sample(np.random.default_rng(0), 1)
    found = problem.assess(one).metrics
    assert found["size"] == max(found["params"] / 1000, found["macs"] / 2000)


GOOD = {"case": "worst", "reference": {"latency_ms@one": 1.0}}


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        ([], None),
        ("worst", "derived: expected a mapping"),
        ({"a b": GOOD}, "letters, digits"),
        ({"latency@x": GOOD}, "letters, digits"),
        ({"latency_worst": 3}, r"derived\.latency_worst: expected \{case"),
        ({"latency_worst": {"case": "wurst", "reference": {"a": 1}}}, "did you mean 'worst'"),
        ({"latency_worst": {"case": "worst"}}, r"reference: expected a number above 0 for each cost, got None"),
        ({"latency_worst": {"case": "worst", "reference": {"latency_ms@one": 0}}}, "above 0 for latency_ms@one, got 0"),
        ({"latency_worst": {**GOOD, "reference": {"latency_ms@one": float("nan")}}}, "got nan"),
        ({"latency_worst": {**GOOD, "reference": {"latency_ms@one": True}}}, "got True"),
        ({"latency_worst": {**GOOD, "refernce": {}}}, "did you mean 'reference'"),
        ({"latency_worst": {**GOOD, "weights": {"latency_ms@one": 1}}}, "drop the weights"),
        (
            {"latency_worst": {**GOOD, "case": "average", "weights": {"latency_ms@oen": 1}}},
            "did you mean 'latency_ms@one'",
        ),
        ({"latency_worst": {**GOOD, "case": "average", "weights": {"latency_ms@one": 0}}}, "expected one above 0"),
        ({"latency_worst": {**GOOD, "case": "average", "weights": {"latency_ms@one": -1}}}, "got -1"),
        ({"latency_worst": {"case": "worst", "reference": {"latency_ms@oen": 1}}}, "latency_ms@oen"),
        ({"latency_worst": GOOD, "accuracy": GOOD}, "a metric of that name exists already"),
        ({"latency_worst": GOOD, "params": GOOD}, "a metric of that name exists already"),
    ],
)
def test_what_makes_no_metric(devices_csv: Path, derived: Any, message: str | None) -> None:
    data = config(devices_csv, derived=derived, objectives=["maximize accuracy"])
    if message is None:
        data["constraints"] = []
        make_parts(parse_config(data))
        return
    with pytest.raises(InputError, match=message):
        make_parts(parse_config(data))


def test_a_cost_of_zero_is_refused_by_name(devices_csv: Path) -> None:
    metric = DerivedMetric.parse("latency_worst", GOOD)
    with pytest.raises(InputError, match="latency_ms@one: expected milliseconds above 0, got 0"):
        metric.value({"latency_ms@one": 0.0})


def test_a_target_that_may_not_gate_does_not_gate_by_way_of_an_average() -> None:
    data = {
        "space": {"name": "proxylessnas", "input": [224, 224, 3]},
        "task": None,
        "evaluator": {"name": "train"},
        "derived": {"mean": {"case": "average", "reference": {"latency_ms@pixel1-cpu": 80, "params": 4e6}}},
        "objectives": ["minimize mean"],
    }
    from nas.cli.assemble import _plain_constraints, _targets
    from nas.costing import check_gates

    data["task"] = {"name": "digits"}
    checked = parse_config({**data, "constraints": ["mean <= 1"]})
    with pytest.raises(InputError, match="pixel1-cpu, which is predicted"):
        check_gates(_plain_constraints(checked), _targets(checked))
