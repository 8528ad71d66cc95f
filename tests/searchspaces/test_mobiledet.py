"""MobileDets against the published figures: the networks at 320x320, their heads, and the spaces they are points of."""

from __future__ import annotations

import re
from math import prod

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import ExtraMap, FusedMBConv, MBConv, SSDLiteHead, TuckerConv
from searchspaces.catalog import create_space, named_network
from searchspaces.detection import anchors_per_place, feature_maps
from searchspaces.errors import InputError
from searchspaces.widths import scale_filters

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
    assert anchors_per_place(spec) == (3, 6, 6, 6, 6, 6)
    assert spec.output_shapes == {"boxes": (2034, 4), "scores": (2034, 91)}
    assert sum(side**2 * count for side, count in zip(MAP_SIDES, anchors_per_place(spec), strict=True)) == 2034
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
    assert (first.expanded_filters, first.se_filters) == (0, 8)
    assert (second.expanded_filters, second.se_filters) == (8 * 4, 8)


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


def test_width_options_hold_every_released_width():
    choices = {choice.name: choice for choice in create_space("mobiledet-ibn").choices}
    assert choices["width_1"].values == (8, 16, 24, 32)
    assert choices["width_3"].values == (24, 32, 40, 48, 64, 72, 96)
    assert choices["width_4"].values == choices["width_5"].values == (48, 64, 72, 96, 120, 144, 192)
    assert choices["width_6"].values == (80, 104, 120, 160, 200, 240, 320)
    assert choices["width_7"].values == (96, 120, 144, 192, 240, 288, 384)


def test_widths_of_tucker_bottlenecks_are_distinct():
    tdb = {choice.name: choice for choice in create_space("mobiledet-tdb").choices}
    assert tdb["width_1"].values == (16, 24, 32)
    for name in ("stem", *(f"width_{group}" for group in range(1, 8))):
        for width in tdb[name].every_value:
            assert scale_filters(width, 0.25) < scale_filters(width, 0.75)


def test_the_gpu_networks_widths_are_multiples_of_32():
    values = create_space("mobiledet-tdb").references["mobiledet-gpu"].values
    widths = [values[f"width_{group}"] for group in range(2, 8)]
    assert all(width % 32 == 0 for width in widths)
    unsearched = {choice.name: choice.unsearched for choice in create_space("mobiledet-tdb").choices}
    assert {name for name, given in unsearched.items() if "width_" in name and given} == {
        "width_4",
        "width_5",
        "width_6",
    }
    assert widths[2:5] == [128, 128, 128]


def test_sizes_of_the_spaces():
    # Ways to make a layer: kernels times expansions, or two ratios of a Tucker bottleneck; group 1 has an inverted
    # bottleneck without expansion.
    ibn, fused, tucker = 2 * 2, 2 * 2, 2 * 2 * 2
    for name, first, later, first_widths in (
        ("ibn", 2, ibn, 4),
        ("fused", 2 + fused, ibn + fused, 4),
        ("tdb", 2 + fused + tucker, ibn + fused + tucker, 3),
    ):
        group = later * (1 + later) ** 3
        widths = prod((6, first_widths, 6, 7, 7, 7, 7, 7))
        assert create_space(f"mobiledet-{name}").size == widths * first * group**5 * later


@pytest.mark.parametrize("name", ["mobiledet-ibn", "mobiledet-fused", "mobiledet-tdb"])
def test_skipped_layers_have_no_choices(name):
    space = create_space(name, (64, 64, 3), 3)
    for architecture in space.sample(np.random.default_rng(0), 20):
        values = space.values(architecture)
        blocks = {block.name for block in space.network(architecture).blocks}
        for place in (f"{group}_{layer}" for group in range(2, 7) for layer in range(2, 5)):
            chosen = [value for key, value in values.items() if key.endswith(f"_{place}") and value is not None]
            is_skipped = values[f"layer_{place}"] == "skip"
            assert (len(chosen) == 1) == is_skipped == (f"group{place}" not in blocks)


def test_a_narrower_network_rounds_every_width_to_8():
    space = create_space("mobiledet-tdb", width=0.25)
    spec = space.network(space.architecture(**{**space.references["mobiledet-gpu"].values, "width": 0.25}))
    assert spec.output_shapes == named_network("mobiledet-gpu").spec.output_shapes
    filters = [block.filters for block in spec.blocks if isinstance(block, FusedMBConv | TuckerConv | ExtraMap)]
    assert set(filters) == {8, 16, 32, 64, 128}
    assert [block.filters for block in spec.blocks if isinstance(block, ExtraMap)] == [128, 64, 64, 32]


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
    anchors = sum(h * w * count for (h, w), count in zip(expected, anchors_per_place(spec), strict=True))
    assert spec.output_shapes == {"boxes": (anchors, 4), "scores": (anchors, 21)}


def test_rows_run_over_maps_then_locations_then_anchors():
    nodes = named_network("mobiledet-cpu", (96, 64, 3), 2).spec.graph.nodes
    concat = next(node for node in nodes if node.name == "head_boxes")
    rows = [nodes[index] for index in concat.inputs]
    assert [node.name for node in rows] == [f"head_boxes_{number}_rows" for number in (1, 2, 3, 4)]
    assert [node.shape for node in rows] == [(6 * 4 * 3, 4), (3 * 2 * 6, 4), (2 * 1 * 6, 4), (1 * 1 * 6, 4)]
    # A location's channels hold its anchors one after another, so that reshaping alone lays them out.
    assert [nodes[node.inputs[0]].shape for node in rows] == [(6, 4, 12), (3, 2, 24), (2, 1, 24), (1, 1, 24)]


@pytest.mark.parametrize(
    ("input_shape", "maps"),
    [((64, 64, 3), ((8, 8), (4, 4), (2, 2), (1, 1))), ((64, 96, 3), ((4, 6), (2, 3), (1, 2), (1, 1)))],
)
def test_small_images_keep_the_resolution_of_the_stem(input_shape, maps):
    space = create_space("mobiledet-fused", input_shape, 3)
    assert feature_maps(space.network(space.sample(np.random.default_rng(0), 1)[0])) == maps


def test_styles_can_be_pinned_and_are_not_drawn():
    pinned = create_space("mobiledet-tdb", (64, 64, 3), 3, activation="hard_silu", se_ratio=0.25)
    for space, has_se in ((pinned, True), (create_space("mobiledet-tdb"), False)):
        for architecture in space.sample(np.random.default_rng(0), 5):
            blocks = space.network(architecture).blocks
            gated = [block.se_filters > 0 for block in blocks if isinstance(block, MBConv | FusedMBConv)]
            assert all(gated) if has_se else not any(gated)
            assert isinstance(blocks[-1], SSDLiteHead)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: create_space("mobiledet-tdb", (54,), 3),
            "input of space mobiledet-tdb: expected an image such as 32x32x3, got (54,); use space tabnas for tables.",
        ),
        (
            lambda: feature_maps(named_network("mobiledet-dsp-backbone").spec),
            "expected an output boxes, got C1, C2, C3, C4, C5; take a detector such as mobiledet-cpu.",
        ),
        (lambda: create_space("mobiledet-ibn", head="fpn"), "choice head: expected one of ['ssdlite', 'none']"),
        (lambda: create_space("mobiledet-ibn", layer_2_1="fused"), "option of space mobiledet-ibn: expected one of"),
        (lambda: named_network("mobiledet-tpu"), "did you mean"),
    ],
)
def test_bad_input_is_refused_in_words(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()
