"""The multi-hardware space: its two networks to the digit, plain and at 1.5 times the width."""

from __future__ import annotations

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import DenseBlock, MBConv
from searchspaces.catalog import create_space, named_network

# Multiply-adds in millions at 224, trained parameters for 1000 classes.
GOLDEN = {"mobilenet-multi-avg": (432.45, 4_947_592), "mobilenet-multi-max": (349.18, 4_421_640)}
# Multiply-adds in millions, trained parameters in millions; the MobileNetV4 paper prints 1.0 G, 10.0 M, 0.8 G, 8.9 M.
WIDE = {"mobilenet-multi-avg-1.5x": (948.2, 10.06), "mobilenet-multi-max-1.5x": (764.0, 8.90)}
EXPANDED = {
    "mobilenet-multi-avg": [96, 64, 160, 192, 128, 192, 384, 384, 384, 384, 768, 640, 960, 768, 768, 768],
    "mobilenet-multi-max": [96, 192, 128, 128, 384, 512, 384, 384, 768, 384, 768, 640, 800, 640],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_published_networks_to_the_digit(name):
    spec = named_network(name).spec
    assert (round(lower(spec).macs / 1e6, 2), spec.trainable_params) == GOLDEN[name]


@pytest.mark.parametrize("name", WIDE)
def test_networks_at_one_and_a_half_times_the_width(name):
    spec = named_network(name).spec
    assert (round(lower(spec).macs / 1e6, 1), round(spec.trainable_params / 1e6, 2)) == WIDE[name]
    assert spec.params - spec.trainable_params > 2 * 1920  # the last layer but one is normalised


@pytest.mark.parametrize("name", EXPANDED)
def test_expanded_widths_are_those_of_the_published_code(name):
    blocks = [block for block in named_network(name).spec.blocks if isinstance(block, MBConv)]
    assert [block.expanded_filters for block in blocks] == EXPANDED[name]


@pytest.mark.parametrize(("name", "channels"), [("mobilenet-multi-avg", 192), ("mobilenet-multi-max", 160)])
def test_sides_of_the_feature_maps(name, channels):
    spec = named_network(name).spec
    shapes = [node.shape for node in spec.graph.nodes if len(node.shape) == 3]
    assert list(dict.fromkeys(shape[0] for shape in shapes)) == [224, 112, 56, 28, 14, 7]
    assert (7, 7, channels) in shapes


def test_only_layers_after_the_first_of_a_group_have_a_residual():
    blocks = {block.name: block for block in named_network("mobilenet-multi-max").spec.blocks}
    assert (blocks["group3_4"].filters, blocks["group4_1"].filters, blocks["group4_1"].stride) == (128, 128, 1)
    assert not blocks["group4_1"].residual
    assert lower(named_network("mobilenet-multi-max").spec).op_counts["ADD"] == 0 + 2 + 3 + 1 + 3


def test_every_width_is_a_multiple_of_32():
    space = create_space("multi-hardware", (64, 64, 3), 10)
    for architecture in space.sample(np.random.default_rng(0), 20):
        blocks = [block for block in space.network(architecture).blocks if not isinstance(block, DenseBlock)]
        widths = [getattr(block, name, 32) for block in blocks for name in ("filters", "expanded_filters")]
        assert all(width % 32 == 0 for width in widths)


def test_size():
    widths = 1 * 2 * 4 * 6 * 7
    space = create_space("multi-hardware")
    assert space.index_count == (2 * 5) ** 5 * (2 * 2 * 5) ** 15 * widths
    assert space.size == (2 * 5) ** 5 * (2 * 5 + 1) ** 15 * widths
