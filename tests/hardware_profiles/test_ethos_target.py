"""Ethos-U NPUs through their compiler: the published figures of MobileNetV2, what is refused, and reports that lie."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware_profiles import vela
from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph, OpGraphBuilder
from hardware_profiles.target import Target, load_target
from hardware_profiles.testing import check_target
from hardware_profiles.vela import VelaSettings, compile_with_vela, read_report, vela_version
from hardware_profiles.write_tflite import write_tflite
from nas.constraints import Constraint
from nas.costing import NetworkCosts
from searchspaces.catalog import create_space, named_network
from searchspaces.errors import InputError, MissingError

ConvGraph = Callable[..., OpGraph]
SETTINGS = VelaSettings(
    accelerator="ethos-u55-128", system_config="Ethos_U55_High_End_Embedded", memory_mode="Shared_Sram"
)

needs_vela = pytest.mark.skipif(importlib.util.find_spec("ethosu") is None, reason="Vela is the extra `ethos`")


@pytest.fixture(scope="module")
def u55() -> Target:
    return load_target("ethos-u55")


@needs_vela
@pytest.mark.parametrize("name", ["ethos-u55", "ethos-u65", "ethos-u85"])
def test_ethos_targets_pass_the_kit(name: str, conv_graph: ConvGraph) -> None:
    check_target(load_target(name), [conv_graph(16, "int8"), conv_graph(128, "int8")])


@needs_vela
def test_mobilenet_v2_is_what_vela_says_of_the_published_file(u55: Target) -> None:
    """The published int8 file takes 7,860,707 cycles or 15.72 ms and 1,474 KiB of SRAM.

    Ours differs in its weights, which are random and compress less, and in a softmax at its end.
    """
    graph = lower(named_network("mobilenet-v2").spec, precision="int8")
    latency, cycles, sram, dram, flash = u55.costs(graph)
    assert latency.value == pytest.approx(15.72, rel=0.01)
    assert cycles.value == pytest.approx(7_860_707, rel=0.01) and latency.value * 500e3 == pytest.approx(cycles.value)
    assert sram.value == pytest.approx(1474 * 1024, rel=0.001)
    assert flash.value == pytest.approx(3393 * 1024, rel=0.08) and dram.value == 0
    assert (latency.method, latency.low, latency.high, latency.runs) == ("compiled", None, None, 0)


@needs_vela
def test_a_file_and_its_graph_cost_the_same(u55: Target, conv_graph: ConvGraph, tmp_path: Path) -> None:
    graph, path = conv_graph(32, "int8"), tmp_path / "network.tflite"
    path.write_bytes(write_tflite(graph))
    assert [cost.value for cost in u55.costs_of_file(path)] == [cost.value for cost in u55.costs(graph)]
    rows = u55.per_op(path)
    assert [row["unit"] for row in rows] == ["NPU"] * len(rows) and rows[0]["kind"] == "Conv2D"
    assert sum(row["macs"] for row in rows) == graph.macs


@needs_vela
def test_memories_and_cycles_are_costs_that_a_search_may_bound() -> None:
    space = create_space("bignas", (32, 32, 3), 10)
    costs = NetworkCosts(space, {"ethos-u55": load_target("ethos-u55")}, "int8", lambda spec: spec)
    metrics = ["latency_ms@ethos-u55", "sram_bytes@ethos-u55", "flash_bytes@ethos-u55"]
    costs.check_names(metrics)
    bound = Constraint.parse("flash_bytes@ethos-u55 <= 1000")
    found = costs.assess(space.reference("bignas-min"), metrics, [bound])
    assert found.reason == "flash_bytes@ethos-u55" and list(found.metrics) == metrics
    assert not costs.is_cheap(metrics[0])
    with pytest.raises(InputError, match="did you mean 'sram_bytes@ethos-u55'"):
        costs.check_names(["sram_byte@ethos-u55"])


@needs_vela
def test_ops_that_no_ethos_runs_are_refused_by_name(u55: Target) -> None:
    stream = lower(named_network("movinet-a0-stream").spec.deployed, precision="int8")
    assert "unsupported op DEQUANTIZE" in u55.unsupported(stream)


@needs_vela
def test_an_op_that_the_compiler_leaves_to_the_cpu_is_refused(u55: Target) -> None:
    """A depthwise convolution may have a stride of 3 at most: the list of ops alone would let one of 7 pass."""
    out = OpGraphBuilder()
    image = out.tensor((1, 28, 28, 8), "int8")
    weights, biases = out.tensor((1, 3, 3, 8), "int8", constant=True), out.tensor((8,), "int32", constant=True)
    result = out.tensor((1, 4, 4, 8), "int8")
    options = {"activation": "NONE", "padding": "SAME", "stride": 7, "depth_multiplier": 1}
    out.op("DEPTHWISE_CONV_2D", [image, weights, biases], [result], **options)
    graph = out.build([image], [result])
    assert [op.unit for op in compile_with_vela(write_tflite(graph), SETTINGS).cpu_ops] == ["CPU"]
    assert u55.unsupported(graph) == ("DepthwiseConv2D left to the CPU",)
    with pytest.raises(InputError, match="runs whole, got DepthwiseConv2D left to the CPU"):
        u55.cost(graph)


@needs_vela
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "float32"}, "expected .*int8"),
        ({"threads": 4}, "threads: expected none"),
        ({"runs": 9}, "runs: expected none"),
    ],
)
def test_options_that_a_compiler_does_not_have_are_refused(
    u55: Target, conv_graph: ConvGraph, options: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        u55.cost(conv_graph(16, "int8"), **options)  # type: ignore[arg-type]


@needs_vela
def test_float_networks_and_broken_files_are_refused(u55: Target, conv_graph: ConvGraph, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"int8 network .* got precision float32"):
        u55.cost(conv_graph(16))
    path = tmp_path / "network.tflite"
    path.write_bytes(write_tflite(conv_graph(16)))
    with pytest.raises(InputError, match="got precision float32"):
        u55.cost_of_file(path)
    path.write_bytes(b"no model at all")
    with pytest.raises(InputError, match=r"network\.tflite"):
        u55.cost_of_file(path)


@needs_vela
def test_settings_that_vela_does_not_know_come_back_with_its_words(conv_graph: ConvGraph) -> None:
    settings = VelaSettings(accelerator="ethos-u55-128", system_config="Ethos_U99", memory_mode="Shared_Sram")
    with pytest.raises(InputError, match=r"ethos-u-vela .*: .*Ethos_U99"):
        compile_with_vela(write_tflite(conv_graph(16, "int8")), settings)


def test_without_the_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vela.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'paretonas\[ethos\]'"):
        vela_version()


SUMMARY = "inference_time,cycles_total,cycles_npu,sram_memory_used,dram_memory_used,{}nn_macs\n"
FLASH = "on_chip_flash_memory_used,off_chip_flash_memory_used,"
OPS = "Original Operator,Name,Target,Op Cycles,MAC Count\nConv2D,a,NPU,10,100\nSoftmax,b,CPU,0,0\n"


def test_a_report_keeps_the_cpu_apart(tmp_path: Path) -> None:
    summary, per_layer = tmp_path / "summary.csv", tmp_path / "per_layer.csv"
    summary.write_text(SUMMARY.format(FLASH) + "0.002,1000,800,1.5,0,0,2,100\n")
    per_layer.write_text(OPS)
    report = read_report(summary, per_layer, "5.2.0")
    assert (report.latency_ms, report.sram_bytes, report.flash_bytes) == (2.0, 1536, 2048)
    assert [op.name for op in report.cpu_ops] == ["b"]


@pytest.mark.parametrize(
    ("header", "row", "column"),
    [
        (SUMMARY.format(""), "0.002,1000,800,1.5,0,100\n", "on_chip_flash_memory_used"),
        (SUMMARY.format(FLASH), "nan,1000,800,1.5,0,0,2,100\n", "inference_time"),
        (SUMMARY.format(FLASH), "0.002,many,800,1.5,0,0,2,100\n", "cycles_total"),
        ("", "", "inference_time"),
    ],
)
def test_reports_of_another_form_are_refused(tmp_path: Path, header: str, row: str, column: str) -> None:
    summary, per_layer = tmp_path / "summary.csv", tmp_path / "per_layer.csv"
    summary.write_text(header + row)
    per_layer.write_text(OPS)
    with pytest.raises(InputError, match=rf"summary.csv: expected a number in column '{column}'"):
        read_report(summary, per_layer, "5.2.0")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('accelerator = "ethos-u55-128"\nsystem_config = "a"', "key compiler.memory_mode: expected a name"),
        ('accelerater = "ethos-u55-128"', "did you mean 'accelerator'"),
        ("accelerator = 3", "key compiler.accelerator: expected a name, got 3"),
    ],
)
def test_compiler_tables_are_checked(tmp_path: Path, table: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nkind = "npu"\nmethod = "compiled"\nrunner = "vela"\nruntime = "ethos-u-vela"\n'
        f'precisions = ["int8"]\nthreads = 1\nsupported_ops = ["CONV_2D"]\ndescription = "x"\n\n[compiler]\n{table}\n'
    )
    with pytest.raises(InputError, match=message):
        load_target(path)
