"""`NetworkSpec`, its blocks and layers: shapes, parameters, JSON, and what bad specs are told."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchspaces.blocks import ConvBlock, DenseBlock, MBConv, PoolBlock, RescaleBlock, SoftmaxBlock
from searchspaces.blocks.codec import KINDS
from searchspaces.catalog import SPACES, named_network, parse_shape, reference_names
from searchspaces.errors import InputError
from searchspaces.layers import BatchNorm, Conv2D, Dense, DepthwiseConv2D
from searchspaces.spec import NetworkSpec

HEAD = (PoolBlock(), DenseBlock(name="classifier", units=3), SoftmaxBlock())


def image_network(*blocks, input_shape=(9, 7, 3)):
    return NetworkSpec(name="made-up", input_shape=input_shape, blocks=(*blocks, *HEAD))


activations = st.sampled_from(["relu", "relu6", "silu", "hard_silu", "hard_sigmoid"])
mbconvs = st.builds(
    dict,
    filters=st.integers(1, 8),
    expanded_filters=st.integers(0, 4),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    activation=activations,
    se_filters=st.integers(0, 3),
    se_activation=st.none() | activations,
    se_gate=st.sampled_from(["sigmoid", "hard_sigmoid"]),
    residual=st.booleans(),
    drop_connect=st.sampled_from([0.0, 0.2]),
    zero_gamma=st.booleans(),
    bn_epsilon=st.sampled_from([1e-3, 0.01]),
)


@settings(deadline=None, max_examples=60)
@given(
    options=st.lists(mbconvs, min_size=1, max_size=4),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)),
)
def test_specs_survive_json_and_keep_their_counts(options, shape):
    spec = image_network(*(MBConv(name=f"b{n}", **each) for n, each in enumerate(options)), input_shape=shape)
    again = NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert (again.params, again.trainable_params) == (spec.params, spec.trainable_params)
    assert spec.output_shape == (3,)


@settings(deadline=None)
@given(side=st.integers(1, 300), stride=st.integers(1, 4))
def test_same_padding_rounds_sides_up(side, stride):
    spec = NetworkSpec(
        name="one", input_shape=(side, 2 * side, 1), blocks=(ConvBlock(name="c", filters=2, kernel=3, stride=stride),)
    )
    assert spec.output_shape == ((side + stride - 1) // stride, (2 * side + stride - 1) // stride, 2)


def test_parameters_of_an_mbconv_by_hand():
    block = MBConv(name="b", filters=4, expanded_filters=24, kernel=5, se_filters=2)
    spec = NetworkSpec(name="one", input_shape=(8, 8, 4), blocks=(block,))
    expand, depthwise, project = 4 * 24, 5 * 5 * 24, 24 * 4
    squeeze = (24 * 2 + 2) + (2 * 24 + 24)
    norms = 24 + 24 + 4
    assert spec.params == expand + depthwise + project + squeeze + 4 * norms
    assert spec.trainable_params == expand + depthwise + project + squeeze + 2 * norms


@pytest.mark.parametrize(
    ("stride", "filters", "residual", "has_residual"),
    [(1, 3, True, True), (1, 3, False, False), (2, 3, True, False), (1, 4, True, False), (2, 4, True, False)],
)
def test_the_residual_is_where_shape_allows_it_and_the_block_has_one(stride, filters, residual, has_residual):
    common = {"kernel": 3, "drop_connect": 0.1, "zero_gamma": True}
    block = MBConv(name="b", filters=filters, expanded_filters=6, stride=stride, residual=residual, **common)
    nodes = image_network(block).graph.nodes
    assert any(node.name == "b_add" for node in nodes) == has_residual
    assert any(node.name == "b_drop" for node in nodes) == has_residual
    gammas = [node.layer.zero_gamma for node in nodes if isinstance(node.layer, BatchNorm)]
    assert gammas == [False, False, has_residual]


def test_without_an_expanding_convolution_the_depthwise_one_takes_the_input():
    block = MBConv(name="b", filters=5, expanded_filters=0, kernel=3)
    spec = NetworkSpec(name="one", input_shape=(8, 8, 4), blocks=(block,))
    assert spec.trainable_params == 3 * 3 * 4 + 4 * 5 + 2 * (4 + 5)
    assert block.label() == "separable k3 → 5"


def test_batch_norm_takes_the_epsilon_of_its_block():
    blocks = (
        ConvBlock(name="c", filters=4, kernel=3, bn_epsilon=0.01),
        MBConv(name="m", filters=4, expanded_filters=8, kernel=3, bn_epsilon=0.02),
        PoolBlock(),
        DenseBlock(name="d", units=4, batch_norm=True, bn_epsilon=0.03),
    )
    nodes = NetworkSpec(name="epsilons", input_shape=(8, 8, 3), blocks=blocks).graph.nodes
    found = [node.layer.epsilon for node in nodes if isinstance(node.layer, BatchNorm)]
    assert found == [0.01, 0.02, 0.02, 0.02, 0.03]


def test_batch_norm_of_a_dense_layer_takes_the_place_of_its_bias():
    spec = NetworkSpec(name="one", input_shape=(7,), blocks=(DenseBlock(name="d", units=5, batch_norm=True),))
    assert (spec.params, spec.trainable_params) == (7 * 5 + 4 * 5, 7 * 5 + 2 * 5)


def test_layer_weights_are_in_the_order_of_keras():
    assert [weight.name for weight in BatchNorm().weights((4,))] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert Conv2D(filters=8, kernel=3, use_bias=True).weights((5, 5, 4))[0].shape == (3, 3, 4, 8)
    assert DepthwiseConv2D(kernel=3, use_bias=True).weights((5, 5, 4))[0].shape == (3, 3, 4, 1)
    assert [weight.shape for weight in Dense(units=8).weights((4,))] == [(4, 8), (8,)]


def test_without_softmax_ends_in_logits():
    spec = image_network()
    logits = spec.without_softmax()
    assert [block.name for block in logits.blocks] == ["pool", "classifier"]
    assert logits.without_softmax() == logits
    assert logits.params == spec.params


def test_rescale_comes_first_and_costs_no_parameters():
    spec = image_network()
    scaled = spec.with_rescale((0.5,), (-1.0, 0.0, 1.0))
    assert scaled.blocks[0] == RescaleBlock(scale=(0.5,), offset=(-1.0, 0.0, 1.0))
    assert scaled.blocks[1:] == spec.blocks
    assert scaled.params == spec.params
    assert NetworkSpec.from_dict(json.loads(json.dumps(scaled.to_dict()))) == scaled


def test_labels_tell_the_numbers():
    block = MBConv(name="b", filters=24, expanded_filters=48, kernel=5, stride=2, se_filters=4)
    labels = [each.label() for each in image_network(ConvBlock(name="c", filters=8, kernel=3), block).blocks]
    assert labels == [
        "conv 3×3 → 8",
        "MBConv 48 k5 s2 SE → 24",
        "global average pool",
        "dense → 3",
        "softmax",
    ]
    assert RescaleBlock(scale=(1.0,), offset=(0.0,)).label() == "rescale"


@pytest.mark.parametrize("name", reference_names())
def test_references_build_for_other_inputs_and_classes(name):
    published = named_network(name)
    shape = {4: (3, 48, 40, 1), 3: (48, 40, 1), 1: (17,)}[len(published.spec.input_shape)]
    other = named_network(name, shape, 5)
    assert other.spec.input_shape == shape
    assert other.spec.output_shapes.keys() == published.spec.output_shapes.keys()
    if len(other.spec.output_shapes) == 1:
        assert other.spec.output_shape == (5,)
    values, given = other.space.values(other.architecture), published.space.values(published.architecture)
    assert {name for name, value in values.items() if value != given[name]} <= {"frames", "resolution"}


def test_a_network_is_named_by_its_id_too():
    by_id = named_network("tabnas:0-1-2-x-x", (13,), 3)
    assert by_id.spec.name == by_id.architecture.id == by_id.name == "tabnas:0-1-2-x-x"
    assert by_id.spec.output_shape == (3,)


@pytest.mark.parametrize(("text", "shape"), [("32x32x3", (32, 32, 3)), ("54", (54,)), ("224X160X1", (224, 160, 1))])
def test_shapes_as_written_on_the_command_line(text, shape):
    assert parse_shape(text) == shape


def _spec_data(**changes):
    return {**image_network().to_dict(), **changes}


BAD_SPECS = [
    (
        lambda: NetworkSpec(name="n", input_shape=(), blocks=HEAD),
        "input_shape of n: expected (height, width, channels)",
    ),
    (lambda: NetworkSpec(name="n", input_shape=(3, 3), blocks=HEAD), "got (3, 3); write for example 32x32x3, 8x64"),
    (lambda: NetworkSpec(name="n", input_shape=(0,), blocks=HEAD), "of positive numbers, got (0,)"),
    (lambda: NetworkSpec(name="n", input_shape=(3,), blocks=()), "blocks of n: expected at least one, got none"),
    (lambda: NetworkSpec(name="n", input_shape=(3,), blocks=HEAD + HEAD[:1]), "blocks of n: expected distinct names"),
    (
        lambda: NetworkSpec(name="n", input_shape=(3,), blocks=(ConvBlock(name="c", filters=2, kernel=3),)).params,
        "convolution: expected an image (height, width, channels) or a clip (frames, height, width, channels), got",
    ),
    (
        lambda: NetworkSpec(name="n", input_shape=(3, 3, 3), blocks=(DenseBlock(name="d", units=2),)).graph,
        "Dense: expected a vector (features,), got shape (3, 3, 3)",
    ),
    (lambda: image_network().with_rescale((1.0, 2.0), (0.0,)), "scale: expected 1 or 3 numbers for input (9, 7, 3)"),
    (lambda: image_network().with_rescale((1.0,), ()), "offset: expected 1 or 3 numbers for input (9, 7, 3), got 0"),
    (lambda: NetworkSpec.from_dict({"name": "n"}), "expected keys name, input_shape and blocks, ['blocks', 'input"),
    (lambda: NetworkSpec.from_dict(_spec_data(blocks=[{"kind": "MBConvv"}])), "did you mean 'MBConv'?"),
    (
        lambda: NetworkSpec.from_dict(_spec_data(blocks=[{}])),
        f"block kind: expected one of {len(KINDS)} known names, got None",
    ),
    (
        lambda: NetworkSpec.from_dict(_spec_data(blocks=[{"kind": "PoolBlock", "axis": 1}])),
        "block PoolBlock: expected fields ['name'], got ['axis']",
    ),
    (
        lambda: NetworkSpec.from_dict(_spec_data(blocks=[{"kind": "DenseBlock", "name": "d"}])),
        "block DenseBlock: expected fields ['units'], which are missing",
    ),
    (lambda: NetworkSpec.from_dict(_spec_data(blocks="none")), "expected blocks as a list of mappings"),
    (lambda: NetworkSpec.from_dict(_spec_data(input_shape=32)), "expected input_shape as a list of whole numbers"),
    (lambda: NetworkSpec.from_dict(_spec_data(input_shape=["a", 2, 3])), "input_shape as a list of whole numbers"),
    (lambda: ConvBlock(name="c", filters=0, kernel=3), "filters of block c: expected a whole number above 0, got 0"),
    (lambda: ConvBlock(name="c", filters=4, kernel=-3), "kernel of block c: expected a whole number above 0, got -3"),
    (lambda: ConvBlock(name="c", filters=4, kernel=3, stride=0), "stride of block c"),
    (
        lambda: MBConv(name="m", filters=4, kernel=3, expanded_filters=-8),
        "expanded_filters of block m: expected a whole number, 0 or more, got -8",
    ),
    (lambda: MBConv(name="m", filters=4, kernel=3, expanded_filters=4, se_filters=-1), "se_filters of block m"),
    (lambda: MBConv(name="m", filters=4, kernel=3, expanded_filters=4, drop_connect=1.0), "drop_connect of block m"),
    (lambda: MBConv(name="m", filters=4, kernel=3, expanded_filters=4, activation="swish"), "activation of block m"),
    (lambda: DenseBlock(name="d", units=2.5), "units of block d: expected a whole number above 0, got 2.5"),
    (
        lambda: MBConv(name="m", filters=4, kernel=3, expanded_filters=4, se_gate="relu"),
        "se_gate of block m: expected sigmoid or hard_sigmoid, got 'relu'",
    ),
    (lambda: MBConv(name="m", filters=4, kernel=3, expanded_filters=4, residual=1), "residual of block m"),
    (
        lambda: ConvBlock(name="c", filters=4, kernel=3, bn_epsilon=0),
        "bn_epsilon of block c: expected a number above 0",
    ),
    (lambda: DenseBlock(name="d", units=2, dropout=-0.1), "dropout of block d: expected 0 to below 1, got -0.1"),
    (
        lambda: parse_shape("32x32x"),
        "--input: expected sizes such as 32x32x3, 8x64x64x3 for clips, or 54, got '32x32x'",
    ),
    (lambda: parse_shape(""), "--input: expected sizes"),
    (lambda: parse_shape("9" * 5000), "--input: expected sizes"),
    (
        lambda: NetworkSpec.from_dict(_spec_data(blocks=[3])),
        "block: expected a mapping with its kind and numbers, got 3",
    ),
    (lambda: ConvBlock(name="", filters=4, kernel=3), "name of block : expected a name, got ''"),
    (lambda: parse_shape("0"), "--input: expected sizes"),
    (lambda: parse_shape("-1x3"), "--input: expected sizes"),
    (lambda: parse_shape("32,32,3"), "got '32,32,3'; separate them by x."),
    (lambda: named_network("bignas-mni"), "network: expected one of"),
    (lambda: named_network("bignas-mni"), "did you mean 'bignas-min'?"),
    (lambda: named_network("bigna:0-1"), f"space: expected one of {len(SPACES)} known names, got 'bigna'"),
    (lambda: named_network("bignas:0-1"), "expected 24 indices for space bignas"),
    (lambda: named_network("tabnas:0-1-2-x-x"), "input and classes of space tabnas"),
]


@pytest.mark.parametrize(("call", "message"), BAD_SPECS, ids=range(len(BAD_SPECS)))
def test_bad_specs_are_refused_in_words(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()
