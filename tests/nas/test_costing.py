from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from hardware_profiles.lower import lower
from hardware_profiles.memory import plan_arena
from hardware_profiles.op_graph import OpGraph
from hardware_profiles.target import load_target
from nas.constraints import Constraint
from nas.costing import STATIC_METRICS, NetworkCosts, check_gates
from searchspaces.errors import InputError, NoResultError
from searchspaces.proxylessnas import ProxylessNAS
from searchspaces.tabnas import TabNAS

SPACE = TabNAS((4,), 3)
ONE = SPACE.architecture(layers=2, width_1=8, width_2=16)
# 4·8+8, 8·16+16 and 16·3+3 values.
PARAMS = 40 + 144 + 51


@dataclass
class FakeCost:
    value: float
    key: str

    def to_dict(self) -> dict[str, Any]:
        return {"metric": "latency_ms", "value": self.value}


@dataclass
class FakeTarget:
    """A target that costs what it is told, and counts how often it is asked."""

    name: str
    value: float
    refuses: tuple[str, ...] = ()
    graphs: list[OpGraph] = field(default_factory=list)

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        return self.refuses

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("latency_ms",)

    def costs(self, graph: OpGraph) -> tuple[FakeCost, ...]:
        self.graphs.append(graph)
        return (FakeCost(self.value, f"latency_ms@{self.name}"),)


def costs(*targets: FakeTarget, precision: Any = "float32") -> NetworkCosts:
    named: dict[str, Any] = {target.name: target for target in targets}
    return NetworkCosts(SPACE, named, precision, lambda spec: spec)


def parsed(*texts: str) -> Sequence[Constraint]:
    return [Constraint.parse(text) for text in texts]


def test_static_metrics_are_those_of_the_network() -> None:
    found = costs().assess(ONE, list(STATIC_METRICS), ())
    graph = lower(SPACE.network(ONE))
    assert found.metrics == {
        "params": PARAMS,
        "trainable_params": PARAMS,
        "macs": 4 * 8 + 8 * 16 + 16 * 3,
        "ops": 4,
        "state_bytes": 0,
        "weight_bytes": 4 * PARAMS,
        "peak_activation_bytes": found.metrics["peak_activation_bytes"],
        "arena_bytes": plan_arena(graph).size_bytes,
    }
    assert 4 * (8 + 16) <= found.metrics["peak_activation_bytes"] <= found.metrics["arena_bytes"]
    assert (found.checked, found.violated, found.reason) == ((), (), None)


def test_precision_reaches_the_network_and_the_target() -> None:
    target = FakeTarget("phone", 1.0)
    found = costs(target, precision="int8").assess(ONE, ["weight_bytes", "latency_ms@phone"], ())
    assert found.metrics["weight_bytes"] < 2 * PARAMS
    assert target.graphs[0].precision == "int8"


def test_what_the_task_adds_is_counted() -> None:
    prepared = NetworkCosts(SPACE, {}, "float32", lambda spec: spec.with_rescale((2.0,), (0.5,)))
    assert prepared.assess(ONE, ["ops"], ()).metrics["ops"] > costs().assess(ONE, ["ops"], ()).metrics["ops"]


def test_a_violated_bound_names_its_metric_and_spares_the_target() -> None:
    target = FakeTarget("phone", 1.0)
    constraints = parsed("params <= 100", "macs <= 1e9", "macs >= 1e6", "latency_ms@phone <= 5")
    found = costs(target).assess(ONE, ["params", "macs", "latency_ms@phone"], constraints)
    assert found.reason == "params, macs"
    assert found.violated == (constraints[0], constraints[2])
    assert found.checked == tuple(constraints[:3])
    assert set(found.metrics) == {"params", "macs"}
    assert target.graphs == []


def test_targets_are_asked_one_after_the_other_until_one_says_no() -> None:
    first, second, third = FakeTarget("a", 1.0), FakeTarget("b", 9.0), FakeTarget("c", 1.0)
    constraints = parsed("params <= 1e6", "latency_ms@a <= 5", "latency_ms@b <= 5", "latency_ms@c <= 5")
    metrics = ["params", "latency_ms@a", "latency_ms@b", "latency_ms@c"]
    found = costs(first, second, third).assess(ONE, metrics, constraints)
    assert found.reason == "latency_ms@b"
    assert found.checked == tuple(constraints[:3])
    assert found.violated == (constraints[2],)
    assert found.metrics == {"params": PARAMS, "latency_ms@a": 1.0, "latency_ms@b": 9.0}
    assert [record["value"] for record in found.costs] == [1.0, 9.0]
    assert third.graphs == []


def test_a_target_that_cannot_run_the_network_says_which_op() -> None:
    target = FakeTarget("edgetpu", 1.0, refuses=("unsupported op SOFTMAX", "unsupported op ADD"))
    found = costs(target).assess(ONE, ["params", "latency_ms@edgetpu"], parsed("params <= 1e6"))
    assert found.reason == "unsupported op SOFTMAX on edgetpu"
    assert found.violated == ()
    assert found.metrics == {"params": PARAMS}
    assert target.graphs == []


def test_a_cost_without_bound_is_found_and_kept() -> None:
    found = costs(FakeTarget("phone", 2.5)).assess(ONE, ["latency_ms@phone"], ())
    assert found.metrics == {"latency_ms@phone": 2.5}
    assert found.reason is None


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("parms", "did you mean 'params'"),
        ("latency_ms@fone", "did you mean 'latency_ms@phone'"),
        ("accuracy", "got 'accuracy'"),
        ("latency_ms", "got 'latency_ms'"),
        ("energy_mj@phone", "got 'energy_mj@phone'"),
    ],
)
def test_unknown_names_are_refused(metric: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        costs(FakeTarget("phone", 1.0)).check_names(["params", metric])


def test_a_network_that_a_device_cannot_run_is_infeasible_with_the_device_s_words() -> None:
    class Refusing(FakeTarget):
        def costs(self, graph: OpGraph) -> tuple[FakeCost, ...]:
            raise NoResultError("phone: the gpu delegate runs none of the network")

    found = costs(Refusing("phone", 1.0)).assess(ONE, ["params", "latency_ms@phone"], ())
    assert found.reason == "latency_ms@phone: phone: the gpu delegate runs none of the network"
    assert found.metrics == {"params": PARAMS}


def test_known_names_pass() -> None:
    costs(FakeTarget("phone", 1.0)).check_names([*STATIC_METRICS, "latency_ms@phone"])


def test_a_table_of_choices_costs_its_space_and_says_why_it_refuses_others() -> None:
    metric, named = "latency_ms@pixel1-cpu", {"pixel1-cpu": load_target("pixel1-cpu")}
    for shape, classes, value in (((224, 224, 3), 1000, pytest.approx(84.42, abs=0.01)), ((96, 96, 3), 10, None)):
        space = ProxylessNAS(shape, classes)
        source = NetworkCosts(space, named, "float32", lambda spec: spec)
        found = source.assess(space.reference("proxylessnas-mobile"), [metric], ())
        assert found.metrics.get(metric) == value
        assert (found.reason is None) == (value is not None)
    assert found.reason == (
        "a network other than those of space proxylessnas at 224x224x3 with 1000 classes on pixel1-cpu"
    )


def test_a_target_that_was_never_checked_gates_nothing() -> None:
    named = {"pixel1-cpu": load_target("pixel1-cpu"), "host-cpu": load_target("host-cpu")}
    check_gates(parsed("params <= 3e5", "latency_ms@host-cpu <= 3"), named)
    with pytest.raises(InputError, match=r"latency_ms@pixel1-cpu <= 84: expected a target .* make .* an objective"):
        check_gates(parsed("params <= 3e5", "latency_ms@pixel1-cpu <= 84"), named)
