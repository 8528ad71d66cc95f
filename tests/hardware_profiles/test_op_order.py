"""The order of branches: depth first, in graphs and in files."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph, OpGraphBuilder
from hardware_profiles.op_order import depth_first, in_order, reorder_tflite
from hardware_profiles.read_tflite import read_tflite
from hardware_profiles.write_tflite import write_tflite
from searchspaces.blocks import ConvBlock, MBConv
from searchspaces.spec import NetworkSpec


def test_what_the_first_output_needs_comes_first():
    # 0 feeds 1 and 2; op 3 joins 2 and 1, in that order, and makes the second output.
    ops = [([0], [1]), ([1], [2]), ([1], [3]), ([3, 2], [4]), ([2], [5])]
    assert depth_first(ops, [5, 4]) == [0, 1, 4, 2, 3]
    assert depth_first(ops, [4, 5]) == [0, 2, 1, 3, 4]


def test_outputs_are_made_as_soon_as_they_can_be():
    # A chain 0, 1, 2 whose every value is also sliced off: op 3 + n reads what op n makes; op 6 reads what op 3 makes.
    chain = [([n], [n + 1]) for n in range(3)]
    slices = [([n + 1], [n + 11]) for n in range(3)]
    assert depth_first([*chain, *slices, ([11], [21])], [3, 11, 12, 13, 21]) == [0, 3, 6, 1, 2, 5, 4]


def test_what_no_output_needs_comes_last():
    assert depth_first([([0], [1]), ([0], [2]), ([], [])], [2]) == [1, 0, 2]
    assert depth_first([], [0]) == []


def test_long_chains_do_not_reach_a_limit():
    count = 5000
    assert depth_first([([n], [n + 1]) for n in range(count)], [count]) == list(range(count))


def random_graph(rng: np.random.Generator, count: int) -> OpGraph:
    """Sums of random earlier values, in a random order that runs."""
    out = OpGraphBuilder()
    values = [out.tensor((1, 8), "float32")]
    for _ in range(count):
        result = out.tensor((1, 8), "float32")
        out.op("ADD", rng.choice(values, 2).tolist(), [result], activation="NONE")
        values.append(result)
    return out.build(values[:1], [values[-1], int(rng.choice(values[1:]))][: 1 + count % 2])


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_the_order_runs_and_does_not_depend_on_the_one_before(seed, count):
    rng = np.random.default_rng(seed)
    graph = in_order(random_graph(rng, count))
    known = set(graph.inputs)
    for op in graph.ops:
        assert known.issuperset(op.inputs)
        known.update(op.outputs)
    shuffled = tuple(graph.ops[number] for number in rng.permutation(len(graph.ops)))
    again = in_order(OpGraph(graph.tensors, shuffled, graph.inputs, graph.outputs))
    # What no output needs stays as it was given, behind the rest.
    needed = set(graph.outputs)
    for op in reversed(graph.ops):
        needed.update(op.inputs if op.outputs[0] in needed else ())
    assert [op for op in again.ops if op.outputs[0] in needed] == [op for op in graph.ops if op.outputs[0] in needed]


def answers(data: bytes, image: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_a_file_is_put_in_order_and_answers_as_before():
    block = MBConv(name="b", filters=6, expanded_filters=12, kernel=3, activation="silu", se_filters=2)
    spec = NetworkSpec(name="n", input_shape=(9, 9, 3), blocks=(ConvBlock(name="c", filters=6, kernel=3), block))
    graph = lower(spec)
    backwards = OpGraph(graph.tensors, graph.ops[::-1], graph.inputs, graph.outputs)
    data = write_tflite(backwards)
    assert read_tflite(data).signature != graph.signature
    ordered = reorder_tflite(data)
    assert read_tflite(ordered).signature == graph.signature
    assert len(ordered) == len(data)
    image = np.random.default_rng(0).random((1, 9, 9, 3), dtype=np.float32)
    assert np.array_equal(answers(ordered, image), answers(write_tflite(graph), image))
    assert reorder_tflite(ordered) == ordered
