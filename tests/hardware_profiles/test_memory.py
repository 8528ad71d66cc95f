"""The arena plan against LiteRT's own, and the rules it follows one by one."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_profiles.lower import lower
from hardware_profiles.memory import peak_activation_bytes, plan_arena
from hardware_profiles.op_graph import OpGraph, OpGraphBuilder
from hardware_profiles.write_tflite import write_tflite
from searchspaces.blocks import ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.catalog import create_space, named_network
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


def real_offsets(graph: OpGraph) -> tuple[int, dict[int, int]]:
    """The size of LiteRT's arena and the offset of every tensor in it, kernel scratch included."""
    interpreter = Interpreter(
        model_content=write_tflite(graph),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    starts, ends = {}, []
    for details in interpreter.get_tensor_details():
        index = details["index"]
        if index < len(graph.tensors) and graph.tensors[index].constant:
            continue
        view = interpreter.tensor(index)()
        if view.nbytes:
            starts[index] = view.__array_interface__["data"][0]
            ends.append(starts[index] + view.nbytes)
    base = min(starts.values())
    return max(ends) - base, {index: start - base for index, start in starts.items()}


def random_specs(name, input_shape, classes, count, **pins):
    space = create_space(name, input_shape, classes, **pins)
    return [space.network(each).deployed for each in space.sample(np.random.default_rng(5), count)]


def hand_made(activation):
    block = MBConv(name="m", filters=6, expanded_filters=18, kernel=5, activation=activation, se_filters=2)
    blocks = (
        ConvBlock(name="c", filters=6, kernel=3, stride=2, activation=activation),
        block,
        ConvBlock(name="down", filters=6, kernel=1, stride=2, activation=activation),
        PoolBlock(),
        DenseBlock(name="d", units=7, activation="relu"),
        DenseBlock(name="classifier", units=3),
        SoftmaxBlock(),
    )
    return NetworkSpec(name=activation, input_shape=(33, 31, 3), blocks=blocks).with_rescale((0.5,), (0.1,))


NETWORKS = [
    *random_specs("tabnas", (13,), 3, 3),
    *random_specs("tabnas", (1027,), 1, 2),
    *random_specs("bignas", (33, 31, 3), 10, 3),
    *random_specs("bignas", (64, 48, 1), 5, 2, width=0.5),
    *random_specs("bignas", (128, 128, 3), 100, 1),
    *random_specs("mobiledet-ibn", (96, 96, 3), 4, 2),
    *random_specs("mobiledet-fused", (64, 50, 1), 2, 2),
    *random_specs("mobiledet-tdb", (96, 64, 3), 20, 3),
    *random_specs("mobiledet-tdb", (64, 64, 3), 1, 1, head="none"),
    *random_specs("movinet", (5, 40, 33, 3), 4, 2),
    *random_specs("movinet", (9, 33, 48, 3), 6, 2, form="stream"),
    *random_specs("movinet", (3, 100, 96, 3), 2, 1, form="stream", positional="sinusoidal"),
    *[hand_made(activation) for activation in ("relu", "relu6", "silu", "hard_silu", "hard_sigmoid")],
]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name[:24])
def test_the_plan_is_as_large_as_the_arena_of_the_runtime(spec, precision):
    graph = lower(spec, precision=precision)
    assert plan_arena(graph).size_bytes == real_offsets(graph)[0]


def test_a_batch_above_one_is_planned_too():
    graph = lower(NETWORKS[5], batch=3)
    assert plan_arena(graph).size_bytes == real_offsets(graph)[0]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("spec", NETWORKS[:5], ids=lambda spec: spec.name[:24])
def test_every_tensor_lies_where_the_runtime_puts_it(spec, precision):
    # Dense networks have no scratch, so nothing ties and every offset is determined.
    graph = lower(spec, precision=precision)
    offsets = plan_arena(graph).offsets
    assert {index: offset for index, offset in enumerate(offsets) if offset is not None} == real_offsets(graph)[1]


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    side=st.integers(1, 40),
    precision=st.sampled_from(["float32", "int8"]),
    alignment=st.sampled_from([1, 16, 64]),
)
def test_the_plan_is_sound(seed, side, precision, alignment):
    space = create_space("bignas", (side, side, 3), 4, width=0.25)
    graph = lower(space.network(space.sample(np.random.default_rng(seed), 1)[0]), precision=precision)
    plan = plan_arena(graph, alignment=alignment)
    assert peak_activation_bytes(graph) <= plan.size_bytes
    assert 0 <= plan.peak_op < len(graph.ops)
    for tensor, offset in zip(graph.tensors, plan.offsets, strict=True):
        assert (offset is None) == tensor.constant
        if offset is not None:
            assert offset % alignment == 0
            assert offset + tensor.size_bytes <= plan.size_bytes
    roots, spans = lifetimes(graph)
    for number, op in enumerate(graph.ops):
        needed = [index for index, (start, end) in spans.items() if start < number <= end]
        for first, second in combinations(needed, 2):
            assert not overlap(graph, plan.offsets, first, second)
        written = roots.get(op.outputs[0], op.outputs[0])
        for index in needed:
            # What op `number` reads for the last time it may write over.
            assert index == written or spans[index][1] == number or not overlap(graph, plan.offsets, index, written)


def lifetimes(graph):
    """What each reshaped tensor is; for the others the op that writes it (-1: the caller) and the last to read it."""
    roots = {}
    spans = dict.fromkeys(graph.inputs, (-1, len(graph.ops)))
    for number, op in enumerate(graph.ops):
        for index in (roots.get(index, index) for index in op.inputs):
            if index in spans and index not in graph.inputs:
                spans[index] = (spans[index][0], number)
        if op.kind == "RESHAPE":
            roots[op.outputs[0]] = roots.get(op.inputs[0], op.inputs[0])
        else:
            spans[op.outputs[0]] = (number, len(graph.ops))
    return roots, spans


def overlap(graph, offsets, first, second):
    starts = offsets[first], offsets[second]
    ends = [start + graph.tensors[index].size_bytes for start, index in zip(starts, (first, second), strict=True)]
    return starts[0] < ends[1] and starts[1] < ends[0]


def chain(*steps, sides=(64,)):
    """An input and ops in a row: each step is (kind, inputs, side), inputs being numbers of earlier values."""
    out = OpGraphBuilder()
    values = [out.tensor((1, side), "int8") for side in sides]
    given = list(values)
    for kind, inputs, side in steps:
        values.append(out.tensor((side,) if kind == "RESHAPE" else (1, side), "int8"))
        shape = [out.tensor((1,), "int32", constant=True)] if kind == "RESHAPE" else []
        activation = {"activation": "NONE"} if kind in ("ADD", "MUL") else {}
        out.op(kind, [*(values[index] for index in inputs), *shape], [values[-1]], **activation)
    return out.build(given, values[-1:])


def test_inputs_and_outputs_are_held_through_the_run():
    # Two maps between input and output of 64 bytes: the third reuses the first's place, the input stays.
    graph = chain(("TANH", [0], 64), ("TANH", [1], 64), ("TANH", [2], 64), ("TANH", [3], 64))
    plan = plan_arena(graph)
    assert plan.size_bytes == 3 * 64
    assert plan.offsets[0] == 0
    assert plan.offsets[1] == plan.offsets[3]
    assert peak_activation_bytes(graph) == 3 * 64


@pytest.mark.parametrize(
    ("kind", "shared"),
    [("ADD", True), ("SUB", True), ("MUL", True), ("SOFTMAX", True), ("LOGISTIC", False), ("RELU", False)],
)
def test_some_ops_write_over_an_input_that_nobody_else_reads(kind, shared):
    graph = chain(("TANH", [0], 64), (kind, [1], 64), ("TANH", [2], 64))
    offsets = plan_arena(graph).offsets
    assert (offsets[1] == offsets[2]) == shared


@pytest.mark.parametrize(("bytes_", "shared"), [(4, False), (5, True)])
def test_tensors_of_a_few_bytes_are_not_shared(bytes_, shared):
    offsets = plan_arena(chain(("TANH", [0], bytes_), ("ADD", [1], bytes_), ("TANH", [2], 64))).offsets
    assert (offsets[1] == offsets[2]) == shared


def test_an_input_that_is_read_again_is_not_written_over():
    graph = chain(("TANH", [0], 64), ("ADD", [1], 64), ("ADD", [2, 1], 64), ("TANH", [3], 64))
    offsets = plan_arena(graph).offsets
    assert offsets[1] != offsets[2]
    assert offsets[2] == offsets[3]


def test_neither_graph_inputs_nor_graph_outputs_are_shared():
    offsets = plan_arena(chain(("ADD", [0], 64), ("TANH", [1], 64), ("ADD", [2], 64))).offsets
    assert offsets[0] != offsets[1]
    assert offsets[2] != offsets[3]


def test_a_reshape_shares_also_what_others_read_and_keeps_it_alive():
    graph = chain(("TANH", [0], 64), ("RESHAPE", [1], 64), ("TANH", [1], 64), ("ADD", [2, 3], 64), ("TANH", [4], 8))
    offsets = [offset for offset in plan_arena(graph).offsets if offset is not None]
    assert offsets[1] == offsets[2]
    assert offsets[3] != offsets[1]
    # Value 4 adds to the reshaped one, but may not write over it: its owner was read by another op as well.
    assert offsets[4] != offsets[1]


@pytest.mark.parametrize(
    "steps",
    [
        [("LOGISTIC", [0], 64), ("RESHAPE", [1], 64), ("LOGISTIC", [1], 64), ("ADD", [2, 3], 64), ("RELU", [4], 64)],
        [("LOGISTIC", [0], 64), ("RESHAPE", [1], 64), ("LOGISTIC", [1], 64), ("ADD", [3, 2], 64), ("RELU", [4], 64)],
        [("LOGISTIC", [0], 64), ("RESHAPE", [1], 64), ("ADD", [2, 2], 64), ("LOGISTIC", [3], 64)],
        [("RESHAPE", [0], 64), ("LOGISTIC", [1], 64), ("RESHAPE", [2], 64)],
        [("LOGISTIC", [0], 64), ("ADD", [1, 0], 64), ("MUL", [2, 1], 64), ("ADD", [3, 3], 64), ("RELU", [4], 64)],
        [("LOGISTIC", [0], 64), ("SOFTMAX", [1], 64), ("RESHAPE", [2], 64), ("ADD", [3, 2], 64), ("RELU", [4], 64)],
        [("LOGISTIC", [0], 4), ("ADD", [1, 1], 4), ("RELU", [2], 4)],
        [("LOGISTIC", [0], 5), ("ADD", [1, 0], 5), ("RELU", [2], 5)],
    ],
)
def test_sharing_is_that_of_the_runtime(steps):
    graph = chain(*steps, sides=(steps[0][2],))
    offsets = plan_arena(graph).offsets
    assert {index: offset for index, offset in enumerate(offsets) if offset is not None} == real_offsets(graph)[1]


def test_the_tightest_gap_is_taken():
    # At op 5 values 1 (512 bytes) and 3 (256) are free; the 128 bytes of value 6 go into the smaller gap.
    graph = chain(
        ("TANH", [0], 512),
        ("TANH", [0], 448),
        ("TANH", [0], 256),
        ("TANH", [0], 192),
        ("CONCATENATION", [1, 3], 64),
        ("TANH", [5], 128),
        ("CONCATENATION", [6, 2, 4], 64),
    )
    offsets = plan_arena(graph).offsets
    assert offsets[1:5] == (64, 64 + 512, 64 + 512 + 448, 64 + 512 + 448 + 256)
    assert offsets[6] == offsets[3]


def test_im2col_and_sums_of_means_are_part_of_the_arena():
    spec = NetworkSpec(name="one", input_shape=(8, 8, 3), blocks=(ConvBlock(name="c", filters=2, kernel=3),))
    graph = lower(spec)
    assert plan_arena(graph).size_bytes == 4 * 8 * 8 * (3 + 2 + 27)
    assert peak_activation_bytes(graph) == 4 * 8 * 8 * (3 + 2)
    pointwise = NetworkSpec(name="one", input_shape=(8, 8, 3), blocks=(ConvBlock(name="c", filters=2, kernel=1),))
    assert plan_arena(lower(pointwise)).size_bytes == 4 * 8 * 8 * (3 + 2)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_scratch_of_a_mean_is_that_of_the_runtime(precision):
    graph = lower(NetworkSpec(name="pool", input_shape=(2, 2, 1000), blocks=(PoolBlock(),)), precision=precision)
    assert plan_arena(graph).size_bytes == real_offsets(graph)[0]


def test_the_peak_op_is_where_most_bytes_are_live():
    graph = chain(("TANH", [0], 64), ("TANH", [1], 512), ("TANH", [2], 512), ("TANH", [3], 64))
    assert plan_arena(graph).peak_op == 2


def test_alignment_rounds_every_offset_up():
    graph = chain(("TANH", [0], 3), ("TANH", [1], 5), sides=(7,))
    assert plan_arena(graph).offsets == (0, 128, 64)
    assert plan_arena(graph, alignment=1).size_bytes == 7 + 5 + 3


def test_a_graph_without_ops_holds_its_input():
    out = OpGraphBuilder()
    x = out.tensor((1, 100), "float32")
    graph = out.build([x], [x])
    plan = plan_arena(graph)
    assert (plan.size_bytes, plan.offsets, plan.peak_op) == (400, (0,), -1)
    assert peak_activation_bytes(graph) == 400


def test_known_peaks():
    # 112x112 maps of the first two stages: 32 channels in, and the input and output that stay.
    graph = lower(named_network("efficientnet-b0").spec)
    expand = 112 * 112 * 96 * 4
    assert peak_activation_bytes(graph) == 224 * 224 * 3 * 4 + 2 * expand
    assert peak_activation_bytes(lower(named_network("efficientnet-b0").spec, precision="int8")) * 4 == (
        224 * 224 * 3 * 4 + 2 * expand
    )


def test_a_senseless_alignment_is_refused():
    with pytest.raises(
        InputError, match=re.escape("alignment: expected bytes above 0, got 0; the runtime aligns to 64.")
    ):
        plan_arena(chain(("TANH", [0], 64)), alignment=0)
