"""Costs of single ops by hand, and how two graphs are compared."""

from __future__ import annotations

import re

import pytest

from hardware_profiles.op_graph import OpGraphBuilder, Tensor, difference


def single(kind, input_shape, weight_shape, output_shape, dtype="float32", **attributes):
    out = OpGraphBuilder()
    x = out.tensor(input_shape, dtype)
    weights = out.tensor(weight_shape, dtype, constant=True)
    y = out.tensor(output_shape, dtype)
    out.op(kind, [x, weights], [y], **attributes)
    return out.build([x], [y])


@pytest.mark.parametrize(
    ("kind", "shapes", "attributes", "macs"),
    [
        ("CONV_2D", [(1, 8, 8, 3), (16, 3, 3, 3), (1, 4, 4, 16)], {}, 4 * 4 * 16 * 27),
        ("CONV_2D", [(2, 8, 8, 3), (16, 3, 3, 3), (2, 4, 4, 16)], {}, 2 * 4 * 4 * 16 * 27),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 6), (1, 5, 5, 6), (1, 8, 8, 6)], {}, 8 * 8 * 6 * 25),
        ("CONV_3D", [(1, 4, 8, 8, 3), (2, 3, 3, 3, 16), (1, 4, 8, 8, 16)], {}, 4 * 8 * 8 * 16 * 2 * 27),
        ("FULLY_CONNECTED", [(1, 20), (5, 20), (1, 5)], {}, 100),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5), (2, 3, 5)], {}, 2 * 3 * 4 * 5),
        ("BATCH_MATMUL", [(2, 4, 3), (2, 4, 5), (2, 3, 5)], {"adj_x": True}, 2 * 3 * 4 * 5),
        ("ADD", [(1, 8), (8,), (1, 8)], {}, 0),
        ("TRANSPOSE_CONV", [(4,), (3, 2, 2, 8), (1, 8, 8, 3)], {}, 0),
    ],
)
def test_multiply_adds_by_hand(kind, shapes, attributes, macs):
    graph = single(kind, *shapes, **attributes)
    assert graph.macs == graph.macs_of(graph.ops[0]) == macs


def test_multiply_adds_of_a_transposed_convolution_follow_its_input():
    out = OpGraphBuilder()
    shape = out.tensor((4,), "int32", constant=True)
    weights = out.tensor((3, 2, 2, 8), "float32", constant=True)
    x, y = out.tensor((1, 4, 4, 8), "float32"), out.tensor((1, 8, 8, 3), "float32")
    out.op("TRANSPOSE_CONV", [shape, weights, x], [y])
    assert out.build([x], [y]).macs == (4 * 4 * 8) * (3 * 2 * 2)


@pytest.mark.parametrize(
    ("dtype", "size_bytes"), [("float32", 24), ("float16", 12), ("int8", 6), ("int64", 48), ("bool", 6), ("int4", 3)]
)
def test_tensor_sizes(dtype, size_bytes):
    assert Tensor((2, 3), dtype).size_bytes == size_bytes


def test_a_scalar_has_one_value():
    assert Tensor((), "float32").size_bytes == 4


def test_weights_that_two_ops_share_count_once():
    out = OpGraphBuilder()
    x = out.tensor((1, 4), "float32")
    weights, bias = out.tensor((4, 4), "float32", constant=True), out.tensor((4,), "float32", constant=True)
    y, z = out.tensor((1, 4), "float32"), out.tensor((1, 4), "float32")
    out.op("FULLY_CONNECTED", [x, weights, bias], [y])
    out.op("FULLY_CONNECTED", [y, weights, -1], [z])
    graph = out.build([x], [z])
    assert graph.weight_bytes == 4 * (16 + 4)
    assert graph.params == 20
    assert graph.macs == 32


def test_precision_is_that_of_what_the_ops_write():
    assert single("CONV_2D", (1, 8, 8, 3), (4, 1, 1, 3), (1, 8, 8, 4)).precision == "float32"
    assert single("CONV_2D", (1, 8, 8, 3), (4, 1, 1, 3), (1, 8, 8, 4), "int8").precision == "int8"


def test_op_counts_come_with_the_most_frequent_first():
    out = OpGraphBuilder()
    x = out.tensor((1, 4), "float32")
    for kind in ("ADD", "MUL", "MUL", "MUL", "ADD", "RELU"):
        out.op(kind, [x], [x])
    assert list(out.build([x], [x]).op_counts.items()) == [("MUL", 3), ("ADD", 2), ("RELU", 1)]


def test_attributes_are_sorted_and_read_by_name():
    op = single("CONV_2D", (1, 8, 8, 3), (4, 1, 1, 3), (1, 8, 8, 4), stride=2, padding="SAME").ops[0]
    assert op.attributes == (("padding", "SAME"), ("stride", 2))
    assert op.attribute("stride") == 2
    assert op.attribute("dilation") is None


def test_equal_graphs_with_other_tensor_numbers_have_no_difference():
    first = single("ADD", (1, 8), (8,), (1, 8))
    out = OpGraphBuilder()
    out.tensor((7,), "int8")
    y, weights, x = (
        out.tensor((1, 8), "float32"),
        out.tensor((8,), "float32", constant=True),
        out.tensor((1, 8), "float32"),
    )
    out.op("ADD", [x, weights], [y])
    assert difference(first, out.build([x], [y])) is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (single("MUL", (1, 8), (8,), (1, 8)), "op 0: .*ADD.* against .*MUL"),
        (single("ADD", (1, 8), (1,), (1, 8)), r"op 0: .*\(8,\).* against .*\(1,\)"),
        (single("ADD", (1, 8), (8,), (1, 8), "int8"), "op 0: .*float32.* against .*int8"),
        (single("ADD", (1, 8), (8,), (1, 8), activation="RELU"), "op 0: .* against .*RELU"),
    ],
)
def test_the_difference_names_the_op_and_both_sides(other, message):
    found = difference(single("ADD", (1, 8), (8,), (1, 8)), other)
    assert found is not None
    assert re.search(message, found)


def test_a_graph_that_goes_on_differs_by_its_next_op():
    short = single("ADD", (1, 8), (8,), (1, 8))
    out = OpGraphBuilder()
    x, weights, y = (
        out.tensor((1, 8), "float32"),
        out.tensor((8,), "float32", constant=True),
        out.tensor((1, 8), "float32"),
    )
    out.op("ADD", [x, weights], [y])
    out.op("RELU", [y], [x])
    for pair in ((short, out.build([x], [x])), (out.build([x], [x]), short)):
        found = difference(*pair)
        assert found is not None
        assert "the first one more is ('RELU'" in found
