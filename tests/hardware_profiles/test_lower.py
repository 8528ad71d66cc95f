"""Lowering of single blocks, op by op; whole networks are held against the converter in tests/models."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces import layers
from searchspaces.blocks import ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.catalog import create_space, named_network
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


def network(*blocks, input_shape=(9, 7, 3)):
    return NetworkSpec(name="made-up", input_shape=input_shape, blocks=blocks)


def kinds(spec, **options):
    return [(op.kind, op.attribute("activation")) for op in lower(spec, **options).ops]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (None, [("CONV_2D", "NONE")]),
        ("relu", [("CONV_2D", "RELU")]),
        ("relu6", [("CONV_2D", "RELU6")]),
        ("silu", [("CONV_2D", "NONE"), ("LOGISTIC", None), ("MUL", "NONE")]),
        ("hard_silu", [("CONV_2D", "NONE"), ("HARD_SWISH", None)]),
        ("sigmoid", [("CONV_2D", "NONE"), ("LOGISTIC", None)]),
        ("hard_sigmoid", [("CONV_2D", "RELU6"), ("MUL", "NONE")]),
    ],
)
def test_batch_norm_folds_and_activations_fuse_or_stand(activation, expected):
    assert kinds(network(ConvBlock(name="c", filters=4, kernel=3, activation=activation))) == expected


def test_mbconv_with_squeeze_excite_and_residual():
    block = MBConv(name="b", filters=3, expanded_filters=6, kernel=3, activation="relu", se_filters=1, drop_connect=0.2)
    assert kinds(network(block)) == [
        ("CONV_2D", "RELU"),
        ("DEPTHWISE_CONV_2D", "RELU"),
        ("MEAN", None),
        ("CONV_2D", "RELU"),
        ("CONV_2D", "NONE"),
        ("LOGISTIC", None),
        ("MUL", "NONE"),
        ("CONV_2D", "NONE"),
        ("ADD", "NONE"),
    ]


def test_mbconv_as_mobilenet_v3_has_it():
    block = MBConv(
        name="b",
        filters=3,
        expanded_filters=0,
        kernel=3,
        activation="hard_silu",
        se_filters=1,
        se_activation="relu",
        se_gate="hard_sigmoid",
        residual=False,
    )
    assert kinds(network(block)) == [
        ("DEPTHWISE_CONV_2D", "NONE"),
        ("HARD_SWISH", None),
        ("MEAN", None),
        ("CONV_2D", "RELU"),
        ("CONV_2D", "RELU6"),
        ("MUL", "NONE"),
        ("MUL", "NONE"),
        ("CONV_2D", "NONE"),
    ]


def test_dropout_vanishes_and_dense_layers_keep_their_bias():
    spec = network(DenseBlock(name="d", units=4, activation="relu", dropout=0.5), SoftmaxBlock(), input_shape=(6,))
    graph = lower(spec)
    assert [op.kind for op in graph.ops] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert [graph.tensors[index].shape for index in graph.ops[0].inputs] == [(1, 6), (4, 6), (4,)]


def test_shapes_carry_the_batch_and_work_grows_with_it():
    spec = network(ConvBlock(name="c", filters=4, kernel=3, stride=2), PoolBlock(), DenseBlock(name="d", units=2))
    one, five = lower(spec), lower(spec, batch=5)
    assert five.tensors[five.inputs[0]].shape == (5, 9, 7, 3)
    assert five.tensors[five.outputs[0]].shape == (5, 2)
    assert five.macs == 5 * one.macs
    assert (five.params, five.weight_bytes, five.op_counts) == (one.params, one.weight_bytes, one.op_counts)


def test_int8_has_the_same_ops_with_bytes_for_weights_and_words_for_biases():
    spec = named_network("efficientnet-b0", (64, 48, 3), 10).spec
    float32, int8 = lower(spec), lower(spec, precision="int8")
    assert int8.op_counts == float32.op_counts
    assert (int8.macs, int8.params) == (float32.macs, float32.params)
    assert (float32.precision, int8.precision) == ("float32", "int8")
    convolution = next(op for op in int8.ops if op.kind == "CONV_2D")
    assert [int8.tensors[index].dtype for index in convolution.inputs] == ["int8", "int8", "int32"]


def test_multiply_adds_of_dense_networks_are_their_weights():
    graph = lower(named_network("tabnas-criteo").spec)
    assert graph.macs == 1027 * 32 + 32 * 144 + 144 * 24 + 24
    assert graph.params == 41_153


def test_every_block_is_marked_on_its_ops():
    spec = named_network("bignas-min", (32, 32, 3), 10).spec
    blocks = [op.block for op in lower(spec).ops]
    assert sorted(set(blocks)) == list(range(len(spec.blocks)))
    assert blocks == sorted(blocks)


@pytest.mark.parametrize(
    ("scale", "offset", "expected"),
    [
        ((0.5,), (-1.0,), ["MUL", "ADD"]),
        ((1.0,), (-1.0,), ["ADD"]),
        ((0.5,), (0.0,), []),
        ((0.5, 2.0, 3.0), (0.0,), ["MUL"]),
        ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), []),
        ((1.0, 2.0, 1.0), (0.0, 0.0, 0.1), ["MUL", "ADD"]),
    ],
)
def test_a_rescale_that_does_nothing_or_folds_is_left_out(scale, offset, expected):
    graph = lower(network(ConvBlock(name="c", filters=4, kernel=1)).with_rescale(scale, offset))
    assert [op.kind for op in graph.ops] == [*expected, "CONV_2D"]


def test_weights_are_counted_as_folded():
    # 3x3x3x4 weights and the bias that the batch norm folds into.
    assert lower(network(ConvBlock(name="c", filters=4, kernel=3))).params == 108 + 4


def test_random_networks_keep_their_multiply_adds_when_resized():
    space, larger = create_space("bignas", (32, 32, 3), 10), create_space("bignas", (64, 64, 3), 10)
    for architecture in space.sample(np.random.default_rng(0), 5):
        small, large = lower(space.network(architecture)), lower(larger.network(architecture))
        assert small.params == large.params
        assert 3.5 < large.macs / small.macs < 4.1


@dataclass(frozen=True)
class Made:
    """A block of given layers in a row."""

    name: str
    made: tuple[object, ...]

    def expand(self, graph, x):
        for number, layer in enumerate(self.made):
            x = graph.add(f"l{number}", layer, x)
        return x

    def label(self):
        return self.name


@dataclass(frozen=True)
class Fork:
    """A convolution whose output two activations read."""

    name: str = "fork"

    def expand(self, graph, x):
        x = graph.add("conv", layers.Conv2D(filters=3, kernel=1), x)
        gate = graph.add("gate", layers.Activation(name="sigmoid"), x)
        return graph.add("add", layers.Add(), gate, graph.add("act", layers.Activation(name="relu"), x))

    def label(self):
        return self.name


def test_an_activation_does_not_fuse_into_what_others_read_too():
    assert kinds(network(Fork())) == [
        ("CONV_2D", "NONE"),
        ("LOGISTIC", None),
        ("RELU", None),
        ("ADD", "NONE"),
    ]


class Strange(layers._SameShape):
    """A layer without a rule."""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lower(network(PoolBlock()), batch=0), "batch: expected 1 or more, got 0; phones run 1."),
        (lambda: lower(network(Made("m", (Strange(),)))), "layer m_l0: no rule to lower a Strange; add one here."),
        (lambda: lower(network(PoolBlock()), precision="int4"), "precision: expected one of 2 known names, got 'int4'"),
        (
            lambda: lower(network(Made("m", (layers.Activation(name="tanh"),)))),
            "layer m_l0: no rule to lower the activation",
        ),
    ],
)
def test_what_cannot_be_lowered_is_refused_by_name(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()


def test_batch_norm_that_no_convolution_precedes_is_a_factor_and_an_offset():
    made = Made("m", (layers.BatchNorm(), layers.Activation(name="relu")))
    assert kinds(network(made)) == [("MUL", "NONE"), ("ADD", "RELU")]
    twice = Made("m", (layers.Conv2D(filters=2, kernel=1), layers.BatchNorm(), layers.BatchNorm()))
    assert kinds(network(twice)) == [("CONV_2D", "NONE")]


def test_a_hard_sigmoid_that_no_convolution_precedes_is_two_ops():
    graph = lower(network(Made("m", (layers.Activation(name="hard_sigmoid"),)), input_shape=(5,)))
    assert [(op.kind, op.attribute("activation")) for op in graph.ops] == [("ADD", "RELU6"), ("MUL", "NONE")]


@pytest.mark.parametrize("name", ["relu", "relu6", "softmax"])
def test_an_activation_that_nothing_precedes_stands_alone(name):
    graph = lower(network(Made("m", (layers.Activation(name=name),)), input_shape=(5,)))
    assert [op.kind for op in graph.ops] == [name.upper()]
