"""MoViNets: golden counts of the released networks, base and stream, and the clips they take."""

from __future__ import annotations

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import VideoMBConv
from searchspaces.catalog import create_space, named_network
from searchspaces.errors import InputError
from searchspaces.movinet_released import RELEASED

# Of the base form with 600 classes: trained, batch-norm statistics, and trained without the two dense layers.
BASE_PARAMS = {
    "a0": (3_111_799, 14_272, 897_311),
    "a1": (4_690_296, 27_616, 2_230_048),
    "a2": (5_249_562, 31_360, 2_707_394),
    "a3": (7_397_545, 45_744, 4_642_385),
    "a4": (11_349_463, 73_264, 8_364_927),
    "a5": (18_650_523, 112_832, 15_387_459),
}
STREAM_PARAMS = {
    "a0": 3_748_031,
    "a1": 6_447_352,
    "a2": 7_326_962,
    "a3": 10_986_618,
    "a4": 18_136_182,
    "a5": 31_495_934,
}
# Multiply-adds of the evaluation clip in G: base, stream; of a stream's frame in M.
MACS = {
    "a0": (2.631, 2.426, 50.7),
    "a1": (5.866, 5.540, 113.2),
    "a2": (11.558, 10.700, 216.5),
    "a3": (55.593, 52.134, 437.2),
    "a4": (103.339, 96.741, 1212.2),
    "a5": (276.334, 261.710, 2184.1),
}
# The release's state tensors, and the elements of its stream buffers.
STATES = {
    "a0": (43, 670_944),
    "a1": (67, 1_214_416),
    "a2": (73, 2_700_096),
    "a3": (124, 4_558_848),
    "a4": (178, 12_334_016),
    "a5": (222, 18_748_800),
}
LAYERS = {"a0": 15, "a1": 24, "a2": 26, "a3": 33, "a4": 47, "a5": 59}
SIDES = {
    "a0": (86, 43, 22, 11, 11, 6),
    "a1": (86, 43, 22, 11, 11, 6),
    "a2": (112, 56, 28, 14, 14, 7),
    "a3": (128, 64, 32, 16, 16, 8),
    "a4": (145, 73, 37, 19, 19, 10),
    "a5": (160, 80, 40, 20, 20, 10),
}


@pytest.mark.parametrize("name", BASE_PARAMS)
def test_parameters_of_the_base_networks(name):
    spec = named_network(f"movinet-{name}").spec
    trained, statistics, backbone = BASE_PARAMS[name]
    assert spec.trainable_params == trained
    assert spec.params - spec.trainable_params == statistics
    tail = {len(spec.blocks) - place for place in (3, 2, 1)}
    weights = [
        np.prod(weight.shape, dtype=int)
        for node in spec.graph.nodes
        if node.block in tail
        for weight in node.layer.weights(*spec.graph.input_shapes(node))
        if weight.trainable
    ]
    assert backbone == trained - sum(weights)


@pytest.mark.parametrize("name", STREAM_PARAMS)
def test_parameters_of_the_streams_in_both_their_forms(name):
    spec = named_network(f"movinet-{name}-stream").spec
    assert spec.trainable_params == spec.deployed.trainable_params == STREAM_PARAMS[name]
    assert spec.params == spec.deployed.params


@pytest.mark.parametrize("name", MACS)
def test_multiply_adds_of_a_clip_and_of_a_frame(name):
    base, stream = (named_network(f"movinet-{name}{form}").spec for form in ("", "-stream"))
    assert round(lower(base).macs / 1e9, 3) == MACS[name][0]
    assert round(lower(stream).macs / 1e9, 3) == MACS[name][1]
    assert round(lower(stream.deployed).macs / 1e6, 1) == MACS[name][2]


@pytest.mark.parametrize("name", STATES)
def test_states_of_the_streams(name):
    states = named_network(f"movinet-{name}-stream").spec.deployed.state_shapes
    buffers = [shape for state, shape in states.items() if state.endswith("buffer")]
    sums = [state for state in states if state.endswith("sum")]
    positional = LAYERS[name] if RELEASED[name].positional else 0
    # The release counts the frames once for each sum and each encoding; here one count serves all.
    assert len(buffers) + 2 * len(sums) + positional == STATES[name][0]
    assert len(states) == len(buffers) + len(sums) + 1
    assert sum(int(np.prod(shape)) for shape in buffers) == STATES[name][1]


@pytest.mark.parametrize("name", LAYERS)
def test_layers_and_map_sizes(name):
    spec = named_network(f"movinet-{name}").spec
    assert sum(isinstance(block, VideoMBConv) for block in spec.blocks) == LAYERS[name]
    ends = {node.block: node.shape for node in spec.graph.nodes}
    last = {block.name[:6]: ends[number] for number, block in enumerate(spec.blocks)}
    shapes = [last["stem"], *(last[f"block{number}"] for number in range(1, 6))]
    assert tuple(shape[1] for shape in shapes) == tuple(shape[2] for shape in shapes) == SIDES[name]
    assert {shape[0] for shape in shapes} == {spec.input_shape[0]}


# What the largest convolution reads and writes: MB of the evaluation clip in float32, elements of a frame in M.
LARGEST = {
    "a0": (47, 0.24),
    "a1": (83, 0.41),
    "a2": (141, 0.70),
    "a3": (440, 0.92),
    "a4": (592, 1.85),
    "a5": (1081, 2.25),
}


@pytest.mark.parametrize("name", LARGEST)
def test_what_the_largest_convolution_of_a_clip_holds(name):
    spec = named_network(f"movinet-{name}").spec
    graph = lower(spec)
    held = [
        sum(graph.tensors[index].size_bytes for index in (op.inputs[0], op.outputs[0]))
        for op in graph.ops
        if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    ]
    megabytes, elements_m = LARGEST[name]
    assert max(held) / 1e6 == pytest.approx(megabytes, abs=0.6)
    assert max(held) / 4e6 / spec.input_shape[0] == pytest.approx(elements_m, abs=0.006)


def test_the_small_one_that_is_not_in_the_paper():
    spec = named_network("movinet-t0").spec
    assert spec.blocks[-5].filters == 240
    assert spec.blocks[-3].units == 1024


@pytest.mark.parametrize("form", ["base", "stream"])
def test_memory_of_a_stream_does_not_grow_with_the_clip(form):
    space = create_space("movinet", (8, 32, 32, 3), 5, form=form)
    architecture = space.sample(np.random.default_rng(0), 1)[0]
    graphs = [
        lower(create_space("movinet", (frames, 32, 32, 3), 5, form=form).network(architecture).deployed)
        for frames in (8, 64, 512)
    ]
    sizes = {max(tensor.size_bytes for tensor in graph.tensors if not tensor.constant) for graph in graphs}
    assert len(sizes) == (1 if form == "stream" else 3)


def test_only_causal_networks_run_frame_by_frame():
    base, stream = (named_network(f"movinet-a0{form}").spec for form in ("", "-stream"))
    assert base.deployed is base
    assert not base.is_causal
    assert stream.is_causal
    assert stream.deployed.input_shape == (1, 172, 172, 3)
    assert stream.deployed.deployed == stream.deployed


@pytest.mark.parametrize("shape", [(32, 32, 3), (54,)])
def test_an_input_that_is_no_clip_is_refused(shape):
    with pytest.raises(InputError, match=r"input of space movinet: expected a clip such as 50x172x172x3"):
        create_space("movinet", shape, 3)
