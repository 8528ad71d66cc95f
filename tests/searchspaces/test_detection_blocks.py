"""Fused and Tucker bottlenecks, extra maps and heads, by hand."""

from __future__ import annotations

import re
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_profiles.lower import lower
from searchspaces.blocks import ConvBlock, Endpoints, ExtraMap, FusedMBConv, MBConv, SSDLiteHead, TuckerConv
from searchspaces.errors import InputError
from searchspaces.layers import Concat, Reshape
from searchspaces.spec import NetworkSpec

widths, kernels = st.integers(1, 40), st.sampled_from([1, 3, 5])
shapes = {"side": st.integers(1, 12), "channels": widths, "filters": widths, "kernel": kernels}


def network(block, side, channels):
    return NetworkSpec(name="one", input_shape=(side, side + 1, channels), blocks=(block,))


def has_residual(spec):
    return spec.graph.nodes[-1].name.endswith("_add")


@settings(deadline=None, max_examples=40)
@given(expansion=st.integers(1, 8), **shapes)
def test_multiply_adds_of_an_inverted_bottleneck(side, channels, filters, kernel, expansion):
    expanded = channels * expansion
    spec = network(MBConv(name="b", filters=filters, expanded_filters=expanded, kernel=kernel), side, channels)
    per_pixel = channels * expanded + kernel**2 * expanded + expanded * filters
    assert lower(spec).macs == side * (side + 1) * per_pixel
    assert has_residual(spec) == (channels == filters)


@settings(deadline=None, max_examples=40)
@given(expansion=st.integers(1, 8), residual=st.booleans(), **shapes)
def test_multiply_adds_of_a_fused_bottleneck(side, channels, filters, kernel, expansion, residual):
    expanded = channels * expansion
    block = FusedMBConv(name="b", filters=filters, expanded_filters=expanded, kernel=kernel, residual=residual)
    spec = network(block, side, channels)
    per_pixel = kernel**2 * channels * expanded + expanded * filters
    assert lower(spec).macs == side * (side + 1) * per_pixel
    assert has_residual(spec) == (residual and channels == filters)
    assert spec.params == per_pixel + 4 * (expanded + filters)


@settings(deadline=None, max_examples=40)
@given(squeezed=widths, inner=widths, residual=st.booleans(), **shapes)
def test_multiply_adds_of_a_tucker_bottleneck(side, channels, filters, kernel, squeezed, inner, residual):
    block = TuckerConv(
        name="b", filters=filters, squeezed_filters=squeezed, inner_filters=inner, kernel=kernel, residual=residual
    )
    spec = network(block, side, channels)
    per_pixel = channels * squeezed + kernel**2 * squeezed * inner + inner * filters
    assert lower(spec).macs == side * (side + 1) * per_pixel
    assert has_residual(spec) == (residual and channels == filters)
    assert spec.params == per_pixel + 4 * (squeezed + inner + filters)


@pytest.mark.parametrize(
    "block",
    [
        FusedMBConv(name="b", filters=4, expanded_filters=8, kernel=3, stride=2),
        TuckerConv(name="b", filters=4, squeezed_filters=2, inner_filters=3, kernel=3, stride=2),
    ],
)
def test_strides_halve_and_take_the_residual_away(block):
    spec = network(block, 7, 4)
    assert spec.output_shape == (4, 4, 4)
    assert not has_residual(spec)


def test_squeeze_excite_of_a_fused_bottleneck():
    block = FusedMBConv(name="b", filters=4, expanded_filters=12, kernel=3, se_filters=5)
    plain = FusedMBConv(name="b", filters=4, expanded_filters=12, kernel=3)
    assert network(block, 8, 3).params - network(plain, 8, 3).params == (12 * 5 + 5) + (5 * 12 + 12)


def test_an_extra_map_by_hand():
    spec = network(ExtraMap(name="e", filters=10), 5, 6)
    assert spec.output_shape == (3, 3, 10)
    assert spec.params == 6 * 5 + 9 * 5 + 5 * 10 + 4 * (5 + 5 + 10)
    assert lower(spec).macs == 5 * 6 * (6 * 5) + 3 * 3 * (9 * 5 + 5 * 10)


def detector(**head):
    blocks = (
        ConvBlock(name="wide", filters=6, kernel=3, stride=2),
        ExtraMap(name="extra", filters=8),
        SSDLiteHead(**{"maps": ("wide", "extra"), "anchors": (3, 6), "classes": 2, **head}),
    )
    return NetworkSpec(name="small", input_shape=(8, 6, 3), blocks=blocks)


def test_a_head_by_hand():
    spec = detector()
    anchors = 4 * 3 * 3 + 2 * 2 * 6
    assert spec.output_shapes == {"boxes": (anchors, 4), "scores": (anchors, 3)}
    head = [node for node in spec.graph.nodes if node.name.startswith("head")]
    # Two depthwise convolutions with batch norm for each map, and 4 + 3 values an anchor with their biases.
    expected = 2 * (9 + 4) * (6 + 8) + 7 * 3 * (6 + 1) + 7 * 6 * (8 + 1)
    weights = [weight for node in head for weight in node.layer.weights(*spec.graph.input_shapes(node))]
    counted = sum(prod(weight.shape) for weight in weights)
    assert counted == expected
    assert NetworkSpec.from_dict(spec.to_dict()) == spec


def test_a_head_over_one_map_needs_no_concatenation():
    spec = detector(maps=("extra",), anchors=(6,))
    assert spec.output_shapes == {"boxes": (24, 4), "scores": (24, 3)}
    assert "CONCATENATION" not in lower(spec).op_counts


def test_labels_tell_the_numbers():
    labels = [block.label() for block in detector().blocks[1:]]
    assert labels == ["extra map s2 → 8", "SSDLite head: 2 maps → boxes, 3 scores"]
    assert Endpoints(maps=("a", "b")).label() == "endpoints C1 to C2"
    fused = FusedMBConv(name="b", filters=24, expanded_filters=96, kernel=5, stride=2, se_filters=8)
    assert fused.label() == "fused 96 k5 s2 SE → 24"
    tucker = TuckerConv(name="b", filters=24, squeezed_filters=8, inner_filters=16, kernel=3)
    assert tucker.label() == "Tucker 8/16 k3 → 24"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detector(anchors=(3,)), "anchors of block head: expected one number for each of 2 maps, got 1"),
        (
            lambda: detector(anchors=(3, 0)),
            "anchors of block head: expected a list of whole numbers above 0, got (3, 0)",
        ),
        (lambda: detector(maps=(), anchors=()), "maps of block head: expected a list of names, got ()"),
        (lambda: detector(maps=("wide", "")), "maps of block head: expected a list of names, got ('wide', '')"),
        (lambda: detector(classes=0), "classes of block head: expected a whole number above 0, got 0"),
        (
            lambda: detector(maps=("wide", "extr")).graph,
            "input of block head: expected one of 2 known names, got 'extr'",
        ),
        (
            lambda: FusedMBConv(name="b", filters=4, expanded_filters=0, kernel=3),
            "expanded_filters of block b: expected a whole number above 0, got 0; a fused block is its expansion.",
        ),
        (
            lambda: TuckerConv(name="b", filters=4, squeezed_filters=0, inner_filters=1, kernel=3),
            "squeezed_filters of block b: expected a whole number above 0, got 0",
        ),
        (
            lambda: Concat(axis=0).output_shape((3, 4), (5, 6)),
            "Concat: expected shapes that differ in axis 0 only, got ((3, 4), (5, 6)); mend the block.",
        ),
        (
            lambda: Reshape(shape=(5, 4)).output_shape((3, 4)),
            "Reshape: expected a shape of 12 values as (3, 4) has, got (5, 4); mend the block.",
        ),
    ],
)
def test_bad_blocks_are_refused_in_words(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()


def test_concatenation_along_any_axis():
    assert Concat().output_shape((3, 4), (3, 6)) == (3, 10)
    assert Concat(axis=0).output_shape((3, 4), (2, 4), (1, 4)) == (6, 4)
