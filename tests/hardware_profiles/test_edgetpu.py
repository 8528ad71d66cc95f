"""The Edge TPU's rules against what its compiler left in public files, and the compiler's words."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware_profiles import edgetpu_compiler
from hardware_profiles.edgetpu import CACHE_BYTES, parameter_bytes, plan_edgetpu
from hardware_profiles.edgetpu_compiler import MAPPED, compile_for_edgetpu, parse_report
from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph, OpGraphBuilder
from hardware_profiles.target import Target, load_target
from hardware_profiles.testing import check_target
from hardware_profiles.write_tflite import write_tflite
from searchspaces.catalog import named_network
from searchspaces.errors import InputError, MissingError, NoResultError

ConvGraph = Callable[..., OpGraph]

# MobileNetV1 (Howard et al., 2017, table 1): channels after each separable convolution, and its stride.
SEPARABLE = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def mobilenet_v1(width: float, side: int, classes: int | None) -> OpGraph:
    """Full int8, as one graph; without classes it ends in the map of its features."""
    out = OpGraphBuilder()
    channels = int(32 * width)
    source = out.tensor((1, side, side, 3), "int8")
    image = source

    def layer(kind: str, weights: tuple[int, ...], channels: int, side: int, stride: int = 1) -> int:
        kernel, bias = out.tensor(weights, "int8", constant=True), out.tensor((channels,), "int32", constant=True)
        result = out.tensor((1, side, side, channels), "int8")
        out.op(kind, [source, kernel, bias], [result], activation="RELU6", padding="SAME", stride=stride)
        return result

    side = -(-side // 2)
    source = layer("CONV_2D", (channels, 3, 3, 3), channels, side, 2)
    for wide, stride in SEPARABLE:
        side = -(-side // stride)
        source = layer("DEPTHWISE_CONV_2D", (1, 3, 3, channels), channels, side, stride)
        following = int(wide * width)
        source = layer("CONV_2D", (following, 1, 1, channels), following, side)
        channels = following
    if classes is not None:
        pooled = out.tensor((1, 1, 1, channels), "int8")
        out.op("AVERAGE_POOL_2D", [source], [pooled], activation="NONE", padding="VALID", stride=side, window=side)
        source = pooled
        source = layer("CONV_2D", (classes, 1, 1, channels), classes, 1)
    return out.build([image], [source])


@pytest.mark.parametrize(
    ("name", "width", "side", "classes"),
    [
        ("mobilenet_v1_0.25_128_quant", 0.25, 128, 1001),
        ("mobilenet_v1_0.5_160_quant", 0.5, 160, 1001),
        ("mobilenet_v1_0.75_192_quant", 0.75, 192, 1001),
        ("tools/mobilenet_quant_v1_224_feature_layers", 1.0, 224, None),
        ("mobilenet_v1_1.0_224_quant_embedding_extractor", 1.0, 224, None),
    ],
)
def test_cached_bytes_are_those_of_the_compiled_files(
    shared_data: Path, name: str, width: float, side: int, classes: int | None
) -> None:
    text = (shared_data / "published_latencies" / "coral_compiled.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    (row,) = [
        each for each in rows if each["model"] == f"{name}_edgetpu.tflite" and each["type"] == "PARAMETER_CACHING"
    ]
    plan = plan_edgetpu(mobilenet_v1(width, side, classes))
    assert plan.cached_bytes == pytest.approx(int(row["param_bytes"]), rel=0.05)
    assert plan.streamed_bytes == 0
    assert ";".join(plan.cpu_ops) == row["cpu_ops"] == ""


def test_what_does_not_fit_the_cache_is_streamed() -> None:
    graph = mobilenet_v1(1.0, 224, None)
    held = plan_edgetpu(graph).cached_bytes
    plan = plan_edgetpu(graph, cache_bytes=1_000_000)
    assert (plan.cached_bytes, plan.streamed_bytes) == (1_000_000, held - 1_000_000)
    assert held < CACHE_BYTES


def test_channels_come_in_groups_of_64() -> None:
    graph = mobilenet_v1(0.25, 128, None)
    first, depthwise, *_ = graph.ops
    assert parameter_bytes(graph, first) == 64 * (27 + 16)
    assert parameter_bytes(graph, depthwise) == 64 * (9 + 16)


def _branches() -> OpGraph:
    """A map with a gate that the Edge TPU lacks, and a convolution of it that comes later in the file."""
    out = OpGraphBuilder()
    image, swished = out.tensor((1, 8, 8, 16), "int8"), out.tensor((1, 8, 8, 16), "int8")
    first, second = out.tensor((1, 8, 8, 16), "int8"), out.tensor((1, 8, 8, 16), "int8")
    for source, result in ((image, first), (first, second)):
        kernel = out.tensor((16, 1, 1, 16), "int8", constant=True)
        bias = out.tensor((16,), "int32", constant=True)
        if source == first:
            out.op("HARD_SWISH", [first], [swished])
        out.op("CONV_2D", [source, kernel, bias], [result], activation="NONE", padding="SAME", stride=1)
    return out.build([image], [swished, second])


def test_all_after_the_first_unmapped_operator_stay_on_the_cpu() -> None:
    plan = plan_edgetpu(_branches())
    assert plan.mapped == (0,) and plan.cpu_ops == ("HARD_SWISH", "CONV_2D")
    assert [op.reason for op in plan.left] == [
        "not an operator of the Edge TPU",
        "comes after HARD_SWISH, which is not mapped",
    ]
    assert plan.cached_bytes == 64 * (16 + 16)


def test_a_float_network_is_not_mapped_at_all(conv_graph: ConvGraph) -> None:
    plan = plan_edgetpu(conv_graph(16))
    assert plan.mapped == () and plan.cached_bytes == plan.streamed_bytes == 0
    assert plan.left[0].reason == "works on float32; only 8-bit integers are mapped"


@pytest.mark.parametrize(
    ("kind", "source", "result", "attributes", "reason"),
    [
        ("SOFTMAX", (1, 16001), (1, 16001), {}, "has 16,001 values; 16,000 are taken"),
        ("SOFTMAX", (1, 4, 8), (1, 4, 8), {}, "has an input of 2 dimensions instead of one"),
        ("MEAN", (1, 4, 4, 6), (1, 4, 4, 1), {}, "takes the mean over 6 channels; their number must divide by 4"),
        ("MEAN", (2, 4, 4, 8), (1, 4, 4, 8), {}, "has a tensor of more than 3 dimensions besides leading ones"),
        ("MEAN", (2, 4, 8), (1, 4, 8), {}, "takes the mean over the batch"),
        ("MAX_POOL_2D", (1, 4, 4, 8), (1, 2, 2, 8), {"activation": "RELU"}, "has a fused RELU"),
        ("PAD", (2, 4, 8), (3, 4, 8), {}, "changes the batch"),
        ("RELU", (1, 0, 4, 8), (1, 0, 4, 8), {}, "has a tensor of unknown size"),
        ("ARG_MAX", (1, 4, 4, 8), (1, 4, 4), {}, "not an operator of the Edge TPU"),
    ],
)
def test_limits_of_single_operators(
    kind: str, source: tuple[int, ...], result: tuple[int, ...], attributes: dict[str, str], reason: str
) -> None:
    out = OpGraphBuilder()
    first, second = out.tensor(source, "int8"), out.tensor(result, "int8")
    out.op(kind, [first], [second], **attributes)
    (left,) = plan_edgetpu(out.build([first], [second])).left
    assert left.reason == reason


@pytest.mark.parametrize("name", ["mobilenet-v2", "mobilenet-multi-max", "mobiledet-edgetpu"])
def test_networks_made_for_it_are_mapped_whole(name: str) -> None:
    assert plan_edgetpu(lower(named_network(name).spec, precision="int8")).cpu_ops == ()


# -- the target --------------------------------------------------------------------------------------------------------


@pytest.fixture
def coral(monkeypatch: pytest.MonkeyPatch) -> Target:
    """Without the compiler, whether or not it is installed here."""
    monkeypatch.setattr("hardware_profiles.edgetpu_target.shutil.which", lambda name: None)
    return load_target("coral-edgetpu")


def test_the_target_passes_the_kit(coral: Target, conv_graph: ConvGraph) -> None:
    check_target(coral, [conv_graph(16, "int8"), conv_graph(128, "int8")])


def test_the_target_counts_and_says_by_what(coral: Target, tmp_path: Path) -> None:
    graph, path = _branches(), tmp_path / "network.tflite"
    path.write_bytes(write_tflite(graph))
    cached, streamed, left = coral.costs_of_file(path)
    assert (left.value, streamed.value, cached.value) == (2, 0, 64 * 32)
    assert left.runtime == "published rules" and "not installed" in left.note
    assert [row["unit"] for row in coral.per_op(path)] == ["Edge TPU", "CPU", "CPU"]


def test_the_target_refuses_float(coral: Target, conv_graph: ConvGraph) -> None:
    with pytest.raises(InputError, match=r"int8 network .* got precision float32"):
        coral.cost(conv_graph(16))


# -- the compiler's words ----------------------------------------------------------------------------------------------

UNSPECIFIED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
REPORT = f"""Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 212 ms.

Input model: /models/deeplab_int8.tflite
Input size: 2.81MiB
Output model: deeplab_int8_edgetpu.tflite
Output size: 2.93MiB
On-chip memory used for caching model parameters: 2.53MiB
On-chip memory remaining for caching model parameters: 4.91MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 74
Operation log: deeplab_int8_edgetpu.log

Operator                       Count      Status

CONV_2D                        38         Mapped to Edge TPU
DEPTHWISE_CONV_2D              17         Mapped to Edge TPU
ADD                            10         Mapped to Edge TPU
CONCATENATION                  1          More than one subgraph is not supported
CONV_2D                        2          More than one subgraph is not supported
RESIZE_BILINEAR                3          {UNSPECIFIED}
QUANTIZE                       2          Operation version not supported
ARG_MAX                        1          Operation not supported
See the operation log file for individual operation details.
"""


def test_a_report_is_read_row_by_row() -> None:
    report = parse_report(REPORT)
    assert (report.version, report.subgraphs, report.mapped_count) == ("16.0.384591198", 1, 65)
    assert report.cached_bytes == round(2.53 * 2**20) and report.streamed_bytes == 0
    assert report.cache_left_bytes == round(4.91 * 2**20)
    assert [(row.kind, row.count) for row in report.left] == [
        ("CONCATENATION", 1),
        ("CONV_2D", 2),
        ("RESIZE_BILINEAR", 3),
        ("QUANTIZE", 2),
        ("ARG_MAX", 1),
    ]
    assert report.left[2].status == UNSPECIFIED
    assert report.left[1].status == "More than one subgraph is not supported"
    assert {row.status for row in report.operators} - {row.status for row in report.left} == {MAPPED}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("On-chip memory used", "Memory used", "expected a line 'On-chip memory used"),
        ("2.53MiB", "2.53MB", "expected a size such as 3.81MiB, got '2.53MB'"),
        ("Operator  ", "Ops ", "expected a table of operators"),
    ],
)
def test_reports_of_another_form_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_report(REPORT.replace(old, new))


def _stand_in(folder: Path, body: str) -> Path:
    """A program with the compiler's name that prints what the compiler would."""
    program = folder / edgetpu_compiler.COMMAND
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return folder


def test_the_compiler_is_asked_where_it_is_installed(
    tmp_path: Path, conv_graph: ConvGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.txt").write_text(REPORT)
    monkeypatch.setenv("PATH", str(_stand_in(tmp_path, f"echo $@ > {tmp_path}/asked; /bin/cat {tmp_path}/report.txt")))
    cached, streamed, left = load_target("coral-edgetpu").costs(conv_graph(16, "int8"))
    assert (left.value, streamed.value, cached.value) == (9, 0, round(2.53 * 2**20))
    assert left.runtime == "edgetpu_compiler 16.0.384591198" and left.note == ""
    assert "--show_operations" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    "body", ["echo Internal compiler error. Aborting! >&2; exit 1", "echo Internal compiler error. Aborting!"]
)
def test_a_compiler_that_gives_up_is_quoted(
    tmp_path: Path, conv_graph: ConvGraph, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(write_tflite(conv_graph(16, "int8")))
    monkeypatch.setenv("PATH", str(_stand_in(tmp_path, body)))
    with pytest.raises(NoResultError, match=r"was not compiled: Internal compiler error\. Aborting!"):
        compile_for_edgetpu(path)
    with pytest.raises(InputError, match=r"absent\.tflite: expected a \.tflite file"):
        compile_for_edgetpu(tmp_path / "absent.tflite")


def test_without_the_compiler_it_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="not on the PATH"):
        compile_for_edgetpu(tmp_path / "network.tflite")
