"""The portable audit: published networks that suit every device, those that do not, and the rules one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph, OpGraphBuilder
from hardware_profiles.portability import audit, is_portable, op_sets
from searchspaces.blocks import ConvBlock, MBConv
from searchspaces.catalog import named_network
from searchspaces.spec import NetworkSpec


def counts(graph: OpGraph) -> dict[str, dict[str, int]]:
    return {kind: {each.what: each.count for each in found} for kind, found in audit(graph).items() if found}


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet-multi-avg",
        "mobilenet-multi-avg-1.5x",
        "mobilenet-multi-max",
        "mobilenet-multi-max-1.5x",
        "mobilenet-v2",
        "mobilenet-v3-large-minimalistic",
        "proxylessnas-mobile",
    ],
)
def test_networks_for_every_device(name: str) -> None:
    found = audit(lower(named_network(name).spec))
    assert list(found) == ["cpu", "gpu", "dsp", "edgetpu"]
    assert is_portable(found)


def test_the_multi_hardware_networks_hold_plain_ops_alone() -> None:
    for name in ("mobilenet-multi-avg", "mobilenet-multi-max"):
        kinds = set(lower(named_network(name).spec).op_counts)
        assert kinds == {"ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX"}


def test_mobilenet_v3_is_not_portable_for_its_hard_swish_and_squeeze_excite() -> None:
    graph = lower(named_network("mobilenet-v3-large").spec)
    gates = {"squeeze-excite": 8}
    assert counts(graph) == {"gpu": gates, "dsp": gates, "edgetpu": {"HARD_SWISH": 21, **gates}}
    assert not is_portable(audit(graph))
    (refused, _) = audit(graph)["edgetpu"]
    assert refused.reason == "not on the list of the Coral Edge TPU compiler"


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_audit_is_the_same_in_either_precision(precision: str) -> None:
    assert counts(lower(named_network("efficientnet-b0").spec, precision=precision)) == {  # type: ignore[arg-type]
        kind: {"squeeze-excite": 16} for kind in ("gpu", "dsp", "edgetpu")
    }


def test_a_product_of_equal_maps_or_with_a_constant_is_no_squeeze_excite() -> None:
    blocks = (
        ConvBlock(name="c", filters=4, kernel=3, activation="silu"),
        MBConv(name="m", filters=4, expanded_filters=8, kernel=3, activation="hard_sigmoid"),
    )
    spec = NetworkSpec(name="made-up", input_shape=(8, 8, 3), blocks=blocks).with_rescale((0.5, 0.2, 0.1), (-1.0,))
    graph = lower(spec)
    assert graph.op_counts["MUL"] >= 2
    assert is_portable(audit(graph))


def made_up(kind: str, shape: tuple[int, ...]) -> OpGraph:
    out = OpGraphBuilder()
    source, result = out.tensor(shape, "int8"), out.tensor(shape, "int8")
    out.op(kind, [source], [result])
    return out.build([source], [result])


@pytest.mark.parametrize(
    ("kind", "shape", "refusing"),
    [
        ("RELU", (1, 8, 8, 3), []),
        ("RELU", (2, 8, 8, 3), ["edgetpu"]),
        ("RELU", (1, 1, 8, 8, 3), ["dsp"]),
        ("RELU", (1, 4, 8, 8, 3), ["dsp", "edgetpu"]),
        ("CONV_3D", (1, 4, 8, 8, 3), ["gpu", "dsp", "edgetpu"]),
        ("CUSTOM:Mine", (1, 8), ["cpu", "gpu", "dsp", "edgetpu"]),
    ],
)
def test_each_device_refuses_what_it_does_not_declare(kind: str, shape: tuple[int, ...], refusing: list[str]) -> None:
    found = audit(made_up(kind, shape))
    assert [device for device, reasons in found.items() if reasons] == refusing
    assert is_portable(found) == (not refusing)


def test_an_op_is_named_once_with_its_count() -> None:
    graph = made_up("CUSTOM:Mine", (1, 8))
    (finding,) = audit(replace(graph, ops=graph.ops * 3))["cpu"]
    assert (finding.what, finding.count, finding.reason) == ("CUSTOM:Mine", 3, "no op of TFLite's built-in kernels")


def test_every_declared_name_is_a_builtin_of_the_runtime() -> None:
    from hardware_profiles.litert import builtin_ops

    for kind, op_set in op_sets().items():
        assert (op_set.ops or frozenset()) <= builtin_ops(), kind
