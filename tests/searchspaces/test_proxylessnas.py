"""ProxylessNAS and its enlargement: sizes and published networks to the digit (TuNAS; MobileNetV2 table)."""

from __future__ import annotations

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import ConvBlock, MBConv
from searchspaces.catalog import create_space, named_network
from searchspaces.space import Architecture

# Multiply-adds in millions at 224, trained parameters for 1000 classes.
GOLDEN = {
    "mobilenet-v2": (300.77, 3_504_872),
    "mnasnet-b1": (314.42, 4_383_312),
    "proxylessnas-mobile": (320.43, 4_080_512),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_published_networks_to_the_digit(name):
    spec = named_network(name).spec
    assert (round(lower(spec).macs / 1e6, 2), spec.trainable_params) == GOLDEN[name]


def test_mobilenet_v2_stores_what_keras_stores_and_scales_as_published():
    assert named_network("mobilenet-v2").spec.params == 3_538_984
    wide = named_network("mobilenet-v2-1.4x").spec
    assert round(lower(wide).macs / 1e6) == 582
    assert next(block.filters for block in wide.blocks if block.name == "head") == 1792
    # Keras's own builder, batch-norm statistics too.
    scaled = {factor: named_network(f"mobilenet-v2-{factor}x").spec.params for factor in (0.5, 1.4, 1.5, 2.0)}
    assert scaled == {0.5: 1_987_224, 1.4: 6_156_712, 1.5: 6_909_528, 2.0: 11_326_312}


def test_sizes_as_the_paper_counts_and_as_architectures():
    space = create_space("proxylessnas")
    assert space.index_count == 3 * 6**6 * 12**15 == pytest.approx(2.16e21, rel=2e-3)
    assert space.size == 3 * 6**6 * 7**15 == pytest.approx(6.65e17, rel=1e-3)
    widths = 4 * 4 * 4 * 6 * 7**5
    enlarged = create_space("proxylessnas-enlarged")
    assert enlarged.index_count == space.index_count * widths == pytest.approx(1.39e28, rel=2e-3)
    assert enlarged.size == space.size * widths


def test_the_blocks_of_mobilenet_v2():
    spec = named_network("mobilenet-v2").spec
    stem, separable, *bottlenecks = [block for block in spec.blocks if isinstance(block, ConvBlock | MBConv)][:-1]
    assert (stem.filters, stem.stride, separable.filters, separable.expanded_filters) == (32, 2, 16, 0)
    assert [block.filters for block in bottlenecks] == [24] * 2 + [32] * 3 + [64] * 4 + [96] * 3 + [160] * 3 + [320]
    assert [block.expanded_filters for block in bottlenecks[:4]] == [96, 144, 144, 192]
    assert {block.kernel for block in bottlenecks} == {3}
    assert {block.activation for block in bottlenecks} == {"relu6"}
    assert lower(spec).op_counts["ADD"] == 10


def test_what_a_skipped_layer_would_be_does_not_reach_the_network():
    space = create_space("proxylessnas")
    architecture = space.reference("proxylessnas-mobile")
    values = space.values(architecture)
    assert values["layer_1_3"] == values["layer_1_4"] == "skip"
    assert values["kernel_1_3"] is values["expansion_1_4"] is None
    filled = Architecture(space.name, tuple(max(0, index) for index in architecture.indices))
    assert space.parse(filled.id) == architecture


def test_the_first_layer_of_a_group_has_no_residual_even_where_widths_agree():
    space = create_space("proxylessnas-enlarged", stem=16, separable=16, width_3=64, width_4=64)
    (architecture,) = space.sample(np.random.default_rng(0), 1)
    blocks = {block.name: block for block in space.network(architecture).blocks}
    assert not blocks["group4_1"].residual
    assert not blocks["separable"].residual


def test_small_images_keep_their_resolution_and_get_a_quarter_of_the_width():
    small = create_space("proxylessnas", (32, 32, 3), 10)
    assert small.pins == {"width": 0.25, "stem_stride": 1}
    reference = {**small.references["proxylessnas-mobile"].values, **small.pins}
    spec = small.network(small.architecture(**reference))
    assert [block.filters for block in spec.blocks[:3]] == [8, 8, 8]
    # The layer before the classifier is never narrowed.
    assert next(block.filters for block in spec.blocks if block.name == "head") == 1280
    assert create_space("proxylessnas-enlarged", (32, 32, 3), 10).pins == {"width": 1.0, "stem_stride": 1}
