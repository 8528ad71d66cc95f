"""The MobileNetV3-like space: sizes, and the published networks, which stand beyond its searched values."""

from __future__ import annotations

import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import MBConv
from searchspaces.catalog import create_space, named_network

# Multiply-adds in millions at 224, trained parameters for 1000 classes.
GOLDEN = {"mobilenet-v3-large": (216.59, 5_483_032)}

# Multiply-adds and parameters in millions, as the README of slim prints them.
PUBLISHED = {
    "mobilenet-v3-large": (217, 5.4),
    # From the MobileNetV4 paper; Keras, which keeps the stem at 16 channels, stores 416 values more.
    "mobilenet-v3-large-0.5x": (None, 2.7),
    "mobilenet-v3-large-0.75x": (155, 4.0),
    "mobilenet-v3-large-minimalistic": (209, 3.9),
    "mobilenet-v3-small-minimalistic": (None, 2.0),
}

# All values Keras's own builders store, batch-norm statistics too; read off keras.applications 3.15.
KERAS_PARAMS = {
    "mobilenet-v3-large": 5_507_432,
    "mobilenet-v3-large-0.75x": 4_012_616,
    "mobilenet-v3-large-minimalistic": 3_948_688,
    "mobilenet-v3-small": 2_554_968,
    "mobilenet-v3-small-minimalistic": 2_056_848,
}


@pytest.mark.parametrize("name", GOLDEN)
def test_published_networks_to_the_digit(name):
    spec = named_network(name).spec
    assert (round(lower(spec).macs / 1e6, 2), spec.trainable_params) == GOLDEN[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_to_the_printed_figures(name):
    spec = named_network(name).spec
    macs, params = PUBLISHED[name]
    assert macs in (round(lower(spec).macs / 1e6), None)
    # The printed 5.4 stands for 5.48.
    assert abs(spec.trainable_params / 1e6 - params) < 0.1


@pytest.mark.parametrize("name", KERAS_PARAMS)
def test_published_networks_store_what_keras_stores(name):
    assert named_network(name).spec.params == KERAS_PARAMS[name]


def test_the_small_networks_are_the_table_not_the_printed_multiply_adds():
    """The README of slim prints 66 M and 65 M for them; the table, as Keras builds it, has these."""
    names = ("mobilenet-v3-small", "mobilenet-v3-small-minimalistic")
    assert [round(lower(named_network(name).spec).macs / 1e6, 2) for name in names] == [56.51, 52.29]


def test_sizes_as_the_paper_counts_and_as_architectures():
    space, widths = create_space("mobilenet-v3"), 4 * 4 * 6 * 7**5
    assert space.index_count == 2 * (3 * 2) * 36**5 * 72**15 * widths == pytest.approx(8.5e42, rel=5e-3)
    assert space.size == 2 * (3 + 1) * 36**5 * 37**15 * widths == pytest.approx(2.6e38, rel=5e-3)


def test_expanded_widths_of_the_large_table():
    spec = named_network("mobilenet-v3-large").spec
    blocks = [block for block in spec.blocks if isinstance(block, MBConv)]
    expanded = [0, 64, 72, 72, 120, 120, 240, 200, 184, 184, 480, 672, 672, 960, 960]
    assert [block.expanded_filters for block in blocks] == expanded
    assert [block.se_filters for block in blocks] == [0, 0, 0, 24, 32, 32, 0, 0, 0, 0, 120, 168, 168, 240, 240]
    assert [block.activation for block in blocks] == ["relu"] * 6 + ["hard_silu"] * 9
    assert [block.stride for block in blocks] == [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1]
    assert blocks[0].residual
    assert {(block.se_activation, block.se_gate) for block in blocks if block.se_filters} == {("relu", "hard_sigmoid")}


def test_expanded_widths_of_the_small_table():
    spec = named_network("mobilenet-v3-small").spec
    blocks = [block for block in spec.blocks if isinstance(block, MBConv)]
    assert [block.expanded_filters for block in blocks] == [0, 72, 88, 96, 240, 240, 120, 144, 288, 576, 576]
    assert [block.filters for block in blocks] == [16, 24, 24, 40, 40, 40, 48, 48, 96, 96, 96]


def test_minimalistic_networks_have_relu_small_kernels_and_no_squeeze_excite():
    for name in ("large", "small"):
        spec = named_network(f"mobilenet-v3-{name}-minimalistic").spec
        assert {"HARD_SWISH", "MUL", "LOGISTIC"}.isdisjoint(lower(spec).op_counts)
        assert {block.kernel for block in spec.blocks if isinstance(block, MBConv)} == {3}


def test_published_numbers_are_never_drawn():
    space = create_space("mobilenet-v3")
    reference = space.reference("mobilenet-v3-large")
    beyond = [
        choice.name
        for choice, index in zip(space.choices, reference.indices, strict=True)
        if index >= len(choice.values)
    ]
    assert beyond == ["expansion_3_2", "expansion_3_3", "expansion_3_4", "width_4", "head"]
