"""BigNAS: golden figures counted once by hand from the paper's table (SE hidden width = input channels / 4)."""

from __future__ import annotations

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import ConvBlock, MBConv
from searchspaces.catalog import create_space, named_network

RESOLUTIONS = (192, 224, 256, 288, 320)

# Multiply-adds in millions at each resolution; parameters without batch-norm statistics, in millions.
GOLDEN = {
    "bignas-min": ((206.7, 280.8, 366.3, 463.1, 571.4), 3.747),
    "bignas-max": ((665.4, 904.6, 1180.6, 1493.4, 1843.0), 10.893),
    "efficientnet-b0": ((284.0, 385.8, 503.3, 636.5, 785.4), 5.289),
}

# BigNASModel-S to XL: published multiply-adds and parameters in millions.
FAMILY = {"S": (242, 4.5), "M": (418, 5.5), "L": (586, 6.4), "XL": (1040, 9.5)}

CASES = [(name, side, macs) for name, (row, _) in GOLDEN.items() for side, macs in zip(RESOLUTIONS, row, strict=True)]


@pytest.mark.parametrize(("name", "side", "macs"), CASES)
def test_multiply_adds_of_the_references_at_every_resolution(name, side, macs):
    spec = named_network(name, (side, side, 3), 1000).spec
    assert spec.input_shape == (side, side, 3)
    assert round(lower(spec).macs / 1e6, 1) == macs


@pytest.mark.parametrize("name", GOLDEN)
def test_parameters_of_the_references(name):
    spec = named_network(name).spec
    assert round(spec.trainable_params / 1e6, 3) == GOLDEN[name][1]


def test_exact_counts_of_efficientnet_b0():
    # keras.applications.EfficientNetB0 has 5,330,571 values; 7 of them are its normalisation layer's (3 + 3 + 1).
    spec = named_network("efficientnet-b0").spec
    assert spec.params == 5_330_571 - 7
    assert spec.trainable_params == 5_288_548
    assert spec.output_shape == (1000,)


@pytest.mark.parametrize("member", FAMILY)
def test_every_published_family_member_lies_between_the_ends(member):
    macs, params = FAMILY[member]
    smallest, biggest = (named_network(name).spec for name in ("bignas-min", "bignas-max"))
    assert smallest.input_shape == (192, 192, 3)
    assert biggest.input_shape == (320, 320, 3)
    assert lower(smallest).macs / 1e6 < macs < lower(biggest).macs / 1e6
    assert smallest.trainable_params / 1e6 < params < biggest.trainable_params / 1e6


def test_no_sample_is_outside_the_ends():
    space = create_space("bignas")
    sizes = [space.network(each).params for each in space.sample(np.random.default_rng(1), 60)]
    ends = [named_network(name).spec.params for name in ("bignas-min", "bignas-max")]
    assert ends[0] <= min(sizes) < max(sizes) <= ends[1]


def test_size_of_the_space():
    # 4 resolutions x 2 stems x 2 heads x the stages' widths, depths and kernels.
    stages = (2 * 2) * (2 * 2) * (2 * 2 * 2) * (2 * 3 * 2) * (3 * 5 * 2) * (4 * 5 * 2) * (2 * 2 * 2)
    assert create_space("bignas").size == 4 * 2 * 2 * stages == 235_929_600
    assert create_space("bignas", (32, 32, 3)).size == 2 * 2 * stages


def test_a_resolution_is_no_choice_where_the_input_is_given():
    space = create_space("bignas", (224, 224, 3), 1000)
    architecture = space.reference("efficientnet-b0")
    assert architecture.indices[0] == -1
    assert space.values(architecture)["resolution"] is None
    assert space.parse(architecture.id.replace("bignas:x", "bignas:3")) == architecture


def test_small_images_get_a_narrower_network_that_keeps_its_first_resolution():
    small = create_space("bignas", (32, 32, 3), 10)
    assert small.pins == {"width": 0.25, "stem_stride": 1}
    assert create_space("bignas", (96, 32, 3), 10).pins == {"width": 1.0, "stem_stride": 2}
    assert create_space("bignas", (32, 32, 3), 10, width=0.5).pins == {"width": 0.5, "stem_stride": 1}
    spec = small.network(small.architecture(**{**small.references["bignas-min"].values, **small.pins}))
    stem = spec.blocks[0]
    assert isinstance(stem, ConvBlock)
    assert (stem.filters, stem.stride) == (8, 1)


def test_squeeze_excite_is_a_quarter_of_the_block_input():
    spec = named_network("efficientnet-b0").spec
    blocks = [block for block in spec.blocks if isinstance(block, MBConv)]
    assert [block.se_filters for block in blocks] == [8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48]
    assert [block.stride for block in blocks] == [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
