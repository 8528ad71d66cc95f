"""MobileDets against the published figures: the networks at 320x320, their heads, and the spaces they are points of."""

from __future__ import annotations

import re
from math import prod

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import ExtraMap, FusedMBConv, MBConv, SSDLiteHead, TuckerConv
from searchspaces.catalog import create_space, named_network
from searchspaces.detection import anchors_per_location, feature_maps
from searchspaces.errors import InputError
from searchspaces.mobiledet import round8

NETS = ("cpu", "dsp", "edgetpu", "gpu")

# Multiply-adds in millions: backbone, extra maps, predictors, all; parameters without and with batch-norm statistics,
# and the backbone's without.
COUNTS = {
    "cpu": (408.0, 9.47, 26.75, 444.2, 4_165_055, 4_205_423, 3_006_440),
    "dsp": (2763.4, 11.93, 41.12, 2816.4, 7_102_079, 7_159_343, 5_839_952),
    "edgetpu": (1473.8, 15.61, 43.77, 1533.2, 4_146_543, 4_196_095, 2_777_040),
    "gpu": (5009.9, 15.61, 47.65, 5073.2, 13_069_247, 13_109_151, 11_689_920),
}
# Multiply-adds and parameters as printed beside the released networks; the CPU network's 0.45B counts more than
# multiply-adds, or is rounded up.
PUBLISHED = {"cpu": (0.45, 4.21), "dsp": (2.82, 7.16), "edgetpu": (1.53, 4.20), "gpu": (5.07, 13.11)}
CHANNELS = {
    "cpu": (8, 16, 32, 72, 144),
    "dsp": (24, 32, 64, 144, 240),
    "edgetpu": (16, 16, 40, 96, 384),
    "gpu": (16, 32, 64, 128, 384),
}
MAP_SIDES = (20, 10, 5, 3, 2, 1)


def macs_by_part(spec):
    """Multiply-adds of backbone, extra maps and predictors, in millions."""
    graph, parts = lower(spec), {"backbone": 0, "extra": 0, "head": 0}
    for op in graph.ops:
        name = spec.blocks[op.block].name.partition("_")[0]
        parts[name if name in parts else "backbone"] += graph.macs_of(op)
    assert sum(parts.values()) == graph.macs
    return {part: macs / 1e6 for part, macs in parts.items()}


@pytest.mark.parametrize("net", NETS)
def test_multiply_adds_of_the_parts(net):
    parts = macs_by_part(named_network(f"mobiledet-{net}").spec)
    backbone, extra, head, total = COUNTS[net][:4]
    assert round(parts["backbone"], 1) == backbone
    assert (round(parts["extra"], 2), round(parts["head"], 2)) == (extra, head)
    assert round(sum(parts.values()), 1) == total


@pytest.mark.parametrize("net", NETS)
def test_parameters(net):
    detector, backbone = (named_network(f"mobiledet-{net}{suffix}").spec for suffix in ("", "-backbone"))
    assert (detector.trainable_params, detector.params, backbone.trainable_params) == COUNTS[net][4:]


@pytest.mark.parametrize("net", NETS)
def test_published_figures(net):
    spec = named_network(f"mobiledet-{net}").spec
    macs, params = PUBLISHED[net]
    assert round(spec.params / 1e6, 2) == params
    assert lower(spec).macs / 1e9 == pytest.approx(macs, abs=0.006 if net == "cpu" else 0.005)


@pytest.mark.parametrize("net", NETS)
def test_endpoints_of_the_backbones(net):
    spec = named_network(f"mobiledet-{net}-backbone").spec
    sides = (160, 80, 40, 20, 10)
    expected = {f"C{n}": (side, side, CHANNELS[net][n - 1]) for n, side in enumerate(sides, start=1)}
    assert spec.output_shapes == expected
    graph = lower(spec)
    assert graph.output_shapes == tuple((1, *shape) for shape in expected.values())
    assert round(graph.macs / 1e6, 1) == COUNTS[net][0]


@pytest.mark.parametrize("net", NETS)
def test_the_head(net):
    spec = named_network(f"mobiledet-{net}").spec
    assert feature_maps(spec) == tuple((side, side) for side in MAP_SIDES)
    assert anchors_per_location(spec) == (3, 6, 6, 6, 6, 6)
    assert spec.output_shapes == {"boxes": (2034, 4), "scores": (2034, 91)}
    assert sum(side**2 * count for side, count in zip(MAP_SIDES, anchors_per_location(spec), strict=True)) == 2034
    predictors = [node.shape for node in spec.graph.nodes if node.name.endswith("_predict")]
    boxes = [(side, side, 4 * (3 if side == 20 else 6)) for side in MAP_SIDES]
    scores = [(side, side, 91 * (3 if side == 20 else 6)) for side in MAP_SIDES]
    assert predictors == boxes + scores
    extras = [block.filters for block in spec.blocks if isinstance(block, ExtraMap)]
    assert extras == [512, 256, 256, 128]


def test_activations_and_squeeze_excite_are_the_cpu_networks_alone():
    for net in NETS:
        spec = named_network(f"mobiledet-{net}-backbone").spec
        blocks = [block for block in spec.blocks if isinstance(block, MBConv | FusedMBConv)]
        assert {block.activation for block in blocks} == {"hard_silu" if net == "cpu" else "relu6"}
        assert {block.se_filters > 0 for block in blocks} == {net == "cpu"}
        assert {block.bn_epsilon for block in blocks} == {0.01}
    first, second = blocks_of("cpu")[:2]
    assert (first.expanded_filters, first.se_filters) == (0, round8(0.25 * 16))
    assert (second.expanded_filters, second.se_filters) == (8 * 4, round8(0.25 * 32))


def blocks_of(net):
    return [block for block in named_network(f"mobiledet-{net}").spec.blocks if block.name.startswith("group")]


@pytest.mark.parametrize("net", NETS)
def test_residuals_are_in_all_but_the_first_layers_of_groups(net):
    nodes = named_network(f"mobiledet-{net}-backbone").spec.graph.nodes
    added = {node.name.removesuffix("_add") for node in nodes if node.name.endswith("_add")}
    assert added == {block.name for block in blocks_of(net) if not block.name.endswith("_1")}


def test_layers_of_the_edgetpu_network_one_by_one():
    blocks = blocks_of("edgetpu")
    assert blocks[0] == TuckerConv(
        name="group1_1", filters=16, squeezed_filters=8, inner_filters=16, kernel=3, residual=False, bn_epsilon=0.01
    )
    kinds = "".join({MBConv: "I", FusedMBConv: "F", TuckerConv: "T"}[type(block)] for block in blocks)
    assert kinds == "T" + "FFFF" + "FFFF" + "IIFF" + "IIII" + "IIII" + "I"
    assert [block.kernel for block in blocks] == [3, 3, 3, 3, 3, 5, 3, 3, 3, 3, 3, 3, 3, 5, 5, 3, 3, 5, 3, 5, 3, 5]
    assert [block.stride for block in blocks if block.name.endswith("_1")] == [1, 2, 2, 2, 1, 2, 1]


@pytest.mark.parametrize(("width", "rounded"), [(1, 8), (11.9, 8), (12, 16), (20, 24), (100, 104), (60, 64), (36, 40)])
def test_widths_round_to_multiples_of_8_halves_up(width, rounded):
    assert round8(width) == rounded


def test_width_options_hold_every_released_width():
    widths = {choice.name: choice.values for choice in create_space("mobiledet-ibn").choices if "width" in choice.name}
    assert widths["width_1"] == (8, 16, 24, 32)
    assert widths["width_3"] == (24, 32, 40, 48, 64, 72, 96)
    assert widths["width_4"] == widths["width_5"] == (48, 64, 72, 96, 120, 128, 144, 192)
    assert widths["width_6"] == (80, 104, 120, 128, 160, 200, 240, 320)
    assert widths["width_7"] == (96, 120, 144, 192, 240, 288, 384)
    tdb = {choice.name: choice.values for choice in create_space("mobiledet-tdb").choices}
    assert tdb["width_1"] == (16, 24, 32)


def test_sizes_of_the_spaces():
    # Ways to make a layer: kernels times expansions, or two ratios of a Tucker bottleneck; group 1 has an inverted
    # bottleneck without expansion.
    ibn, fused, tucker = 2 * 2, 2 * 2, 2 * 2 * 2
    for name, first, later, first_widths in (
        ("ibn", 2, ibn, 4),
        ("fused", 2 + fused, ibn + fused, 4),
        ("tdb", 2 + fused + tucker, ibn + fused + tucker, 3),
    ):
        group = sum(later**depth for depth in (1, 2, 3, 4))
        widths = prod((6, first_widths, 6, 7, 8, 8, 8, 7))
        assert create_space(f"mobiledet-{name}").size == widths * first * group**5 * later


@pytest.mark.parametrize("name", ["mobiledet-ibn", "mobiledet-fused", "mobiledet-tdb"])
def test_layers_that_a_depth_leaves_out_have_no_choices(name):
    space = create_space(name, (64, 64, 3), 3)
    for architecture in space.sample(np.random.default_rng(0), 20):
        values = space.values(architecture)
        for group in range(2, 7):
            for layer in range(1, 5):
                chosen = [v for key, v in values.items() if key.endswith(f"_{group}_{layer}") and v is not None]
                assert bool(chosen) == (layer <= values[f"depth_{group}"])


@pytest.mark.parametrize(
    ("input_shape", "expected"),
    [
        ((320, 320, 3), ((20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1))),
        ((640, 480, 3), ((40, 30), (20, 15), (10, 8), (5, 4), (3, 2), (2, 1))),
        ((96, 96, 1), ((6, 6), (3, 3), (2, 2), (1, 1))),
        ((64, 64, 3), ((4, 4), (2, 2), (1, 1))),
        ((33, 97, 3), ((3, 7), (2, 4), (1, 2), (1, 1))),
        ((32, 32, 3), ((2, 2), (1, 1))),
        ((1, 1, 1), ((1, 1), (1, 1))),
    ],
)
def test_maps_of_other_inputs_end_at_a_single_location(input_shape, expected):
    spec = named_network("mobiledet-edgetpu", input_shape, 20).spec
    assert feature_maps(spec) == expected
    anchors = sum(h * w * count for (h, w), count in zip(expected, anchors_per_location(spec), strict=True))
    assert spec.output_shapes == {"boxes": (anchors, 4), "scores": (anchors, 21)}


def test_rows_run_over_maps_then_locations_then_anchors():
    nodes = named_network("mobiledet-cpu", (96, 64, 3), 2).spec.graph.nodes
    concat = next(node for node in nodes if node.name == "head_boxes")
    rows = [nodes[index] for index in concat.inputs]
    assert [node.name for node in rows] == [f"head_boxes_{number}_rows" for number in (1, 2, 3, 4)]
    assert [node.shape for node in rows] == [(6 * 4 * 3, 4), (3 * 2 * 6, 4), (2 * 1 * 6, 4), (1 * 1 * 6, 4)]
    # A location's channels hold its anchors one after another, so that reshaping alone lays them out.
    assert [nodes[node.inputs[0]].shape for node in rows] == [(6, 4, 12), (3, 2, 24), (2, 1, 24), (1, 1, 24)]


def test_a_space_takes_other_styles_by_pins():
    space = create_space("mobiledet-tdb", (64, 64, 3), 3, activation="hard_silu", se_ratio=0.25)
    spec = space.network(space.sample(np.random.default_rng(0), 1)[0])
    assert all(block.se_filters for block in spec.blocks if isinstance(block, MBConv | FusedMBConv))
    assert any(isinstance(block, SSDLiteHead) for block in spec.blocks)
    assert create_space("mobiledet-ibn").pins == {"head": "ssdlite", "activation": "hard_silu", "se_ratio": 0.25}
    assert create_space("mobiledet-fused").pins == {"head": "ssdlite", "activation": "relu6", "se_ratio": 0.0}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: create_space("mobiledet-tdb", (54,), 3),
            "input of space mobiledet-tdb: expected an image such as 320x320x3, got (54,); use space tabnas for",
        ),
        (
            lambda: feature_maps(named_network("mobiledet-dsp-backbone").spec),
            "expected a detector with an SSDLite head, got outputs C1, C2, C3, C4, C5; take one such as mobiledet-cpu.",
        ),
        (lambda: create_space("mobiledet-ibn", head="fpn"), "choice head: expected one of ['ssdlite', 'none']"),
        (lambda: create_space("mobiledet-ibn", kind_2_1="fused"), "option of space mobiledet-ibn: expected one of"),
        (lambda: named_network("mobiledet-tpu"), "did you mean"),
    ],
)
def test_bad_input_is_refused_in_words(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()
