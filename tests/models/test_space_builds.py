"""Keras and the converter against the network's plain data: parameters, and ops one by one.

Conversions take a second or two each, hence the tiny inputs and the few examples.
"""

from __future__ import annotations

import numpy as np
import pytest

from hardware_profiles.lower import lower
from hardware_profiles.read_tflite import read_tflite
from models.testing import check_network_builds, check_space_builds
from nas.export.convert import convert
from searchspaces.blocks import ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.catalog import SPACES, create_space
from searchspaces.spec import NetworkSpec

TOOLS = {"lower": lower, "convert": convert, "read_tflite": read_tflite}

# Pinned to few layers, which keeps a conversion short.
SHALLOW = {f"depth_{number}": 2 for number in range(2, 7)} | {"depth_1": 1, "depth_7": 1}
SKIPS = {f"layer_{group}_{layer}": "skip" for group in range(1, 6) for layer in range(2, 5)}
FLAT = {f"layer_{group}_{layer}": "skip" for group in range(2, 7) for layer in range(2, 5)}
FLAT |= {"width_5": 48, "width_6": 80, "width_7": 96}
FEW_LAYERS = SKIPS | {"layer_2_2": "bottleneck", "layer_5_3": "bottleneck"}
FEW_BOTTLENECKS = {f"depth_{number}": 1 for number in (1, 2, 4, 5)} | {"depth_3": 2}
ONE_EACH = {f"block{group}_l": 1 for group in range(7)}
CASES = [
    ("accel-nasbench", (33, 31, 3), 3, ONE_EACH | {"block1_se": True, "block2_l": 2}),
    ("bignas", (33, 31, 3), 10, SHALLOW),
    ("bignas", (16, 20, 1), 2, SHALLOW | {"width": 0.5, "stem_stride": 2}),
    ("mobiledet-ibn", (64, 64, 3), 3, FLAT),
    ("mobiledet-ibn", (33, 50, 1), 1, FLAT | {"activation": "relu6", "se_ratio": 0.0}),
    ("mobiledet-fused", (64, 40, 3), 2, FLAT),
    ("mobiledet-tdb", (64, 64, 3), 3, FLAT | {"layer_3_2": "tucker"}),
    ("mobiledet-tdb", (17, 20, 3), 2, FLAT | {"head": "none", "stem_stride": 2}),
    ("mobilenet-v3", (33, 31, 3), 10, FEW_LAYERS | {"separable": "convolution"}),
    ("mobilenet-v3", (12, 9, 1), 2, FEW_LAYERS | {"expansion_5_3": 1, "se_5_3": 0.25}),
    ("movinet", (5, 17, 20, 3), 4, FEW_BOTTLENECKS),
    ("movinet", (5, 17, 20, 3), 4, FEW_BOTTLENECKS | {"form": "stream", "positional": "sinusoidal"}),
    ("movinet", (1, 8, 8, 1), 2, FEW_BOTTLENECKS | {"form": "stream", "stem_stride": 2}),
    ("multi-hardware", (40, 24, 3), 10, FEW_LAYERS | {"features_norm": "batch_norm"}),
    ("nasbench201", (8, 8, 3), 3, {}),
    ("nasbench201-cells", (9, 12, 1), 2, {}),
    ("nasbench-macro", (9, 8, 3), 3, {}),
    ("proxylessnas", (32, 32, 3), 10, FEW_LAYERS),
    ("proxylessnas-enlarged", (8, 8, 3), 3, FEW_LAYERS | {"activation": "relu6"}),
    ("tabnas", (13,), 3, {}),
    ("tabnas", (1,), 1, {}),
]


@pytest.mark.parametrize(("name", "input_shape", "classes", "pins"), CASES)
def test_random_networks_convert_to_what_they_lower_to(name, input_shape, classes, pins):
    check_space_builds(create_space(name, input_shape, classes, **pins), count=1, **TOOLS)


def test_every_space_of_the_catalogue_is_in_the_table_above():
    assert {case[0] for case in CASES} == set(SPACES)


def hand_made(activation, input_shape, **options):
    """A stem, a residual block, one that halves the map, and a head with dropout."""
    common = {"activation": activation, "expanded_filters": 8, "kernel": 3, **options}
    blocks = (
        ConvBlock(name="stem", filters=4, kernel=3, stride=2, activation=activation),
        MBConv(name="residual", filters=4, drop_connect=0.2, zero_gamma=True, **common),
        MBConv(name="down", filters=6, stride=2, **common),
        ConvBlock(name="plain", filters=5, kernel=1, activation=None),
        PoolBlock(),
        DenseBlock(name="hidden", units=6, activation=activation, dropout=0.3),
        DenseBlock(name="classifier", units=3),
        SoftmaxBlock(),
    )
    return NetworkSpec(name=f"hand-made-{activation}", input_shape=input_shape, blocks=blocks)


@pytest.mark.parametrize(
    ("activation", "input_shape", "options"),
    [
        ("relu", (33, 31, 1), {"se_filters": 2}),
        ("relu6", (12, 12, 3), {"kernel": 5}),
        ("silu", (9, 14, 2), {"se_filters": 1, "expanded_filters": 0}),
        ("hard_silu", (20, 11, 3), {"se_filters": 2, "se_activation": "relu", "se_gate": "hard_sigmoid"}),
        ("hard_sigmoid", (11, 12, 3), {"residual": False, "bn_epsilon": 0.01}),
    ],
)
def test_every_activation_and_what_vanishes(activation, input_shape, options):
    check_network_builds(hand_made(activation, input_shape, **options), **TOOLS)


@pytest.mark.parametrize("input_shape", [(2, 2, 3), (1, 1, 3), (8, 3, 1)])
def test_maps_that_shrink_to_one_position(input_shape):
    check_network_builds(hand_made("silu", input_shape, se_filters=2), **TOOLS)
    check_network_builds(hand_made("hard_silu", input_shape, se_filters=2, se_gate="hard_sigmoid"), **TOOLS)


@pytest.mark.parametrize("scale", [(0.5,), (0.5, 0.2, 0.3)])
def test_a_rescale_without_offset(scale):
    spec = NetworkSpec(name="scaled", input_shape=(4, 4, 3), blocks=(ConvBlock(name="c", filters=2, kernel=3),))
    check_network_builds(spec.with_rescale(scale, (0.0,)), **TOOLS)


@pytest.mark.parametrize("activation", ["hard_silu", "relu", "hard_sigmoid"])
def test_a_dense_layer_with_batch_norm(activation):
    hidden = DenseBlock(name="hidden", units=6, activation=activation, batch_norm=True)
    check_network_builds(
        NetworkSpec(name="dense", input_shape=(5,), blocks=(hidden, DenseBlock(name="classifier", units=3))), **TOOLS
    )


def small_network():
    return hand_made("relu", (9, 9, 3)).with_rescale((0.5,), (0.5,)).without_softmax()


class Renamed:
    """An op graph in which the first op is another one."""

    def __init__(self, graph):
        self.output_shapes = graph.output_shapes
        self.signature = (("RESIZE_BILINEAR", *graph.signature[0][1:]), *graph.signature[1:])


class Shortened:
    """An op graph without its last op."""

    def __init__(self, graph):
        self.signature, self.output_shapes = graph.signature[:-1], graph.output_shapes


class Swapped:
    """An op graph whose first output is another one."""

    def __init__(self, graph):
        self.signature, self.output_shapes = graph.signature, ((1, 7), *graph.output_shapes[1:])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Renamed, "op 0 of .* in float32: expected .*RESIZE_BILINEAR.*, got .*FULLY_CONNECTED"),
        (Shortened, "op count of .* in float32"),
        (Swapped, r"outputs of .* in float32: expected \(\(1, 7\),\), got \(\(1, 2\),\)"),
    ],
)
def test_the_kit_says_where_ops_differ(changed, message):
    spec = NetworkSpec(name="short", input_shape=(3,), blocks=(DenseBlock(name="d", units=2), SoftmaxBlock()))
    tools = {**TOOLS, "lower": lambda spec, *, precision: changed(lower(spec, precision=precision))}
    with pytest.raises(AssertionError, match=message):
        check_network_builds(spec, precisions=("float32",), **tools)


def test_the_kit_says_where_parameters_differ():
    class Miscounted(NetworkSpec):
        @property
        def params(self):
            return super().params + 1

    spec = Miscounted(name="miscounted", input_shape=(3,), blocks=(DenseBlock(name="d", units=2),))
    with pytest.raises(AssertionError, match="params of miscounted: expected 9, got 8"):
        check_network_builds(spec, **TOOLS)


def test_weights_are_drawn_from_the_seed():
    from models.builder import build
    from models.testing import randomise_vectors

    model = build(small_network())
    randomise_vectors(model, np.random.default_rng(0))
    vectors = [weight for weight in model.get_weights() if weight.ndim == 1]
    assert vectors
    assert all((weight >= 0.5).all() and (weight < 1.5).all() for weight in vectors)
