from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hardware_profiles import litert
from hardware_profiles.cost import Cost, utc_now
from hardware_profiles.host_target import HostTarget
from hardware_profiles.op_graph import OpGraph
from hardware_profiles.target import Target, list_targets, load_target
from hardware_profiles.testing import HeldOut, check_target
from searchspaces.errors import InputError, MissingError, unknown_name

TinyModel = Callable[..., bytes]
ConvGraph = Callable[..., OpGraph]

HOST = """
name = "mine"
kind = "cpu"
method = "measured"
runner = "host"
runtime = "litert"
precisions = ["float32", "int8"]
threads = 1
supported_ops = ["CONV_2D"]
description = "for tests"

[measurement]
runs = 3
passes = 1
time_limit_s = 1
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def _write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return _write


@pytest.fixture
def mine(write: Callable[[str], Path]) -> Target:
    return load_target(write(HOST))


@pytest.mark.parametrize("name", list_targets())
def test_every_shipped_target_loads_under_its_own_name(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert target.precisions


def test_the_host_is_a_measured_cpu() -> None:
    host = load_target("host-cpu")
    assert "host-cpu" in list_targets()
    assert (host.kind, host.method, host.precisions) == ("cpu", "measured", ("float32", "int8"))
    assert (host.runtime, host.validated) == ("litert", None)


def test_an_unknown_target_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'host-cpu'"):
        load_target("host-gpu")


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_host_measured_passes_the_conformance_kit(
    precision: str, conv_graph: ConvGraph, write: Callable[[str], Path]
) -> None:
    """64-fold MACs, so that no disturbance can turn the order."""
    quick = load_target(write(HOST.replace('["CONV_2D"]', '"all builtin"')))
    check_target(quick, [conv_graph(4, precision), conv_graph(256, precision)])


def test_a_graph_is_measured_with_full_provenance(mine: Target, conv_graph: ConvGraph) -> None:
    cost = mine.cost(conv_graph(8, "int8"), precision="int8", threads=2, runs=2, seed=5)
    assert (cost.target, cost.precision, cost.threads, cost.runs) == ("mine", "int8", 2, 2)
    assert len(cost.fingerprint) == 12
    assert cost.runtime == str(litert.find_runtime())


def test_a_file_is_measured_with_its_own_precision(mine: Target, tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model("int8"))
    assert mine.cost_of_file(path).precision == "int8"
    assert mine.cost_of_file(path, precision="int8", threads=1, runs=2).runs == 2
    with pytest.raises(InputError, match=r"precision: expected int8.*model\.tflite, got 'float32'"):
        mine.cost_of_file(path, precision="float32")


@pytest.mark.parametrize("content", [None, b"", b"some text that is no model"])
def test_bad_files_are_refused_by_name(content: bytes | None, mine: Target, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.tflite"):
        mine.cost_of_file(path)


def test_ops_outside_the_list_are_named(mine: Target, tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model(relu=True))
    with pytest.raises(InputError, match="unsupported op RELU"):
        mine.cost_of_file(path)


def test_a_graph_of_the_wrong_precision_is_refused(
    mine: Target, write: Callable[[str], Path], conv_graph: ConvGraph
) -> None:
    with pytest.raises(InputError, match=r"precision: expected float32.*got 'int8'"):
        mine.cost(conv_graph(4), precision="int8")
    int8_only = load_target(write(HOST.replace('["float32", "int8"]', '["int8"]')))
    with pytest.raises(InputError, match="precision of mine"):
        int8_only.cost(conv_graph(4))


def test_all_builtin_refuses_custom_and_invented_ops(conv_graph: ConvGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    host, graph = load_target("host-cpu"), conv_graph(4)
    (op,) = graph.ops
    kinds = ("RESIZE_BILINEAR", "CUSTOM:Mine", "NO_SUCH_OP", "CUSTOM:Mine")
    strange = replace(graph, ops=(op, *(op._replace(kind=kind) for kind in kinds)))
    assert host.unsupported(strange) == ("unsupported op CUSTOM:Mine", "unsupported op NO_SUCH_OP")

    def no_list() -> frozenset[str]:
        raise MissingError("runtime: no schema; install ai-edge-litert.")

    monkeypatch.setattr(litert, "builtin_ops", no_list)
    assert host.unsupported(strange) == ("unsupported op CUSTOM:Mine",)


REQUIRED = ["name", "kind", "method", "runner", "runtime", "description", "precisions", "threads", "supported_ops"]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named_with_its_file(key: str, write: Callable[[str], Path]) -> None:
    lines = [line for line in HOST.splitlines() if not line.startswith(f"{key} =")]
    path = write("\n".join(lines))
    with pytest.raises(InputError, match=f"key {key}: expected .* got 'nothing'") as raised:
        load_target(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', "name = mine", "expected a TOML file"),
        ('name = "mine"', 'name = ""', "key name: expected text"),
        ('kind = "cpu"', 'kind = "cpus"', "did you mean 'cpu'"),
        ('method = "measured"', 'method = "mesured"', "did you mean 'measured'"),
        ('runner = "host"', 'runner = "hosts"', "did you mean 'host'"),
        ("threads = 1", "threads = 0", "key threads: .* got 0"),
        ("threads = 1", "threads = true", "key threads"),
        ('["float32", "int8"]', "[]", "key precisions"),
        ('["float32", "int8"]', '"int8"', "key precisions"),
        ('["CONV_2D"]', '"everything"', "key supported_ops: .* or 'all builtin'"),
        ('["CONV_2D"]', "[3]", "key supported_ops"),
        ("threads = 1", "threads = 1\nthread = 2", "did you mean 'threads'"),
        ("runs = 3", 'runs = "3"', r"key measurement\.runs: expected a number"),
        ("runs = 3", "run = 3", "did you mean 'runs'"),
        ("[measurement]", "[validated]", r"key in \[validated\]"),
        ("[measurement]\n", "measurement = 3\n[validated]\n", "key measurement: expected a table"),
    ],
)
def test_a_malformed_file_is_named_with_its_key(old: str, new: str, message: str, write: Callable[[str], Path]) -> None:
    path = write(HOST.replace(old, new))
    with pytest.raises(InputError, match=message) as raised:
        load_target(path)
    assert str(path) in str(raised.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: .*No such file"):
        load_target(str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="directory"):
        load_target(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(InputError, match=r"latin\.toml: expected a TOML file"):
        load_target(tmp_path / "latin.toml")


def test_an_option_out_of_range_is_named_when_it_is_used(write: Callable[[str], Path], conv_graph: ConvGraph) -> None:
    target = load_target(write(HOST.replace("passes = 1", "passes = 0")))
    with pytest.raises(InputError, match="passes: expected"):
        target.cost(conv_graph(4))


class PredictedTarget(HostTarget):
    """A predictor in proportion to MACs, with a bound of a tenth; its flaws can be chosen."""

    name, kind, method, precisions, runtime = "model", "npu", "predicted", ("float32",), "none"  # type: ignore[assignment]
    validated: Mapping[str, float] | None = {"rows": 2, "mape": 0.02}  # type: ignore[assignment]
    may_gate = True  # type: ignore[assignment]

    def __init__(self, *, blind: bool = False, sign: int = 1, width: float = 0.1, **record: Any) -> None:
        self.blind, self.sign, self.width, self.record = blind, sign, width, record

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        return () if self.blind else tuple(f"unsupported op {op.kind}" for op in graph.ops if op.kind != "CONV_2D")

    def cost(self, graph: OpGraph, **_: Any) -> Cost:
        if self.unsupported(graph):
            raise unknown_name("op", self.unsupported(graph)[0], ["CONV_2D"])
        value = float(graph.macs) ** self.sign
        fields: dict[str, Any] = {"target": "model", "method": "predicted", "precision": "float32"}
        fields |= {"low": value * (1 - self.width), "high": value * (1 + self.width), "spread": 0.0, **self.record}
        return Cost(
            metric="latency_ms",
            value=value,
            unit="ms",
            batch=1,
            threads=1,
            delegate="none",
            runtime="none",
            fingerprint="f",
            runs=0,
            warmup=0,
            at=utc_now(),
            **fields,
        )


def check(target: Target, conv_graph: ConvGraph, *, error: float = 0.05) -> None:
    graphs = [conv_graph(4), conv_graph(64)]
    held_out = [HeldOut(graph=graph, value=graph.macs * (1 + error)) for graph in graphs]
    check_target(target, graphs, held_out=held_out)


def test_a_sound_predictor_passes_the_kit(conv_graph: ConvGraph) -> None:
    check(PredictedTarget(), conv_graph)


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ({"blind": True}, "does not name"),
        ({"sign": -1}, "MACs cost at most"),
        ({"target": "other"}, "cost of target 'other'"),
        ({"precision": "int8"}, "int8 cost"),
        ({"width": 0.01}, "intervals hold 0%"),
        ({"low": None, "high": None, "spread": None}, "an interval of None to None, where it is known"),
    ],
)
def test_the_kit_finds_each_flaw(flaw: dict[str, Any], message: str, conv_graph: ConvGraph) -> None:
    with pytest.raises(AssertionError, match=message):
        check(PredictedTarget(**flaw), conv_graph)


class UnvalidatedTarget(PredictedTarget):
    """A predictor that nobody held against measurements, and says so."""

    validated, may_gate = None, False  # type: ignore[assignment]


def test_an_unvalidated_predictor_states_no_interval_and_gates_nothing(conv_graph: ConvGraph) -> None:
    graphs = [conv_graph(4), conv_graph(64)]
    unknown = {"low": None, "high": None, "spread": None}
    check_target(UnvalidatedTarget(**unknown), graphs)
    with pytest.raises(AssertionError, match="where it is not known how far the target is off"):
        check_target(UnvalidatedTarget(), graphs)
    bold = UnvalidatedTarget(**unknown)
    bold.may_gate = True  # type: ignore[misc]
    with pytest.raises(AssertionError, match="predicted and not validated, yet it may rule architectures out"):
        check_target(bold, graphs)


def test_the_kit_asks_for_what_it_needs(conv_graph: ConvGraph) -> None:
    with pytest.raises(AssertionError, match="held-out rows"):
        check_target(PredictedTarget(), [conv_graph(4), conv_graph(64)])
    with pytest.raises(AssertionError, match="4-fold apart"):
        check_target(PredictedTarget(), [conv_graph(4), conv_graph(8)])
