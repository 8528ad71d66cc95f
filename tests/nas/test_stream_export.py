"""The .tflite of a stream: fed frame by frame it says what Keras says of the whole clip, for any length."""

from __future__ import annotations

import numpy as np
import pytest

from hardware_profiles.litert import open_interpreter
from hardware_profiles.lower import lower
from hardware_profiles.memory import plan_arena
from hardware_profiles.op_graph import difference
from hardware_profiles.read_tflite import read_tflite
from models.builder import build, deployed_model
from models.testing import randomise_vectors
from nas.export.convert import convert
from nas.streaming.classifier import StreamingClassifier
from searchspaces.blocks import ClipPoolBlock, ConvBlock, DenseBlock, SoftmaxBlock, VideoMBConv
from searchspaces.spec import NetworkSpec

LENGTHS = (8, 64, 512)


def network(frames):
    """A small stream with every kind of state, and with frame numbers in its gates."""
    common = {"activation": "hard_silu", "se_filters": 8, "se_gate": "hard_sigmoid", "causal": True}
    blocks = (
        ConvBlock(name="stem", filters=4, kernel=3, stride=2, activation="hard_silu"),
        VideoMBConv(name="a", filters=4, expanded_filters=8, kernel_frames=3, kernel=3, positional=True, **common),
        VideoMBConv(name="b", filters=6, expanded_filters=8, kernel_frames=5, kernel=3, stride=2, **common),
        ClipPoolBlock(),
        DenseBlock(name="classifier", units=5),
        SoftmaxBlock(),
    )
    return NetworkSpec(name="stream", input_shape=(frames, 9, 8, 3), blocks=blocks).with_rescale((1 / 255,), (-0.5,))


@pytest.fixture(scope="module")
def model():
    """Of the longest clip; weights do not depend on the length."""
    made = build(network(max(LENGTHS)))
    randomise_vectors(made, np.random.default_rng(0))
    return made


@pytest.fixture(scope="module")
def files(model):
    spec = network(max(LENGTHS))
    clips = np.random.default_rng(1).integers(0, 256, (6, 40, 9, 8, 3)).astype(np.uint8)
    running = deployed_model(spec, model)
    return {precision: convert(running, precision=precision, calibration=clips) for precision in ("float32", "int8")}


def clip(frames):
    return np.random.default_rng(frames).integers(0, 256, (frames, 9, 8, 3)).astype(np.uint8)


@pytest.mark.parametrize("frames", LENGTHS)
def test_the_stream_says_of_a_clip_what_keras_says_of_it_whole(frames, model, files):
    whole = build(network(frames))
    whole.set_weights(model.get_weights())
    expected = np.asarray(whole(clip(frames)[np.newaxis].astype(np.float32)))[0]
    *_, found = StreamingClassifier(files["float32"]).run(clip(frames))
    assert expected.max() - expected.min() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_file_runs_what_was_foretold(precision, files):
    assert difference(lower(network(8).deployed, precision=precision), read_tflite(files[precision])) is None


def test_int8_keeps_its_answer_over_a_long_stream(files):
    """Running sums stay in float: what eight bits would lose grows with the number of frames."""
    for frames in LENGTHS:
        float32, int8 = (list(StreamingClassifier(files[each]).run(clip(frames)))[-1] for each in ("float32", "int8"))
        np.testing.assert_allclose(int8, float32, atol=0.05)


def test_states_go_round_as_they_are(files):
    states = StreamingClassifier(files["int8"]).signature.states
    assert len(states) == 6
    assert all(state.is_same_type for state in states)
    kinds = {state.name: np.dtype(state.source["dtype"]).name for state in states}
    assert {name for name, kind in kinds.items() if kind == "int8"} == {"state_a_buffer", "state_b_buffer"}
    assert {kind for name, kind in kinds.items() if not name.endswith("buffer")} == {"float32"}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_what_a_stream_carries_does_not_depend_on_the_clip(precision, files):
    graphs = [lower(network(frames).deployed, precision=precision) for frames in LENGTHS]
    assert {graph.state_bytes for graph in graphs} == {StreamingClassifier(files[precision]).state_bytes}
    assert len({plan_arena(graph).size_bytes for graph in graphs}) == 1


def test_the_signature_names_the_frame_the_states_and_the_answer(files):
    interpreter = open_interpreter(files["float32"])
    (names,) = interpreter.get_signature_list().values()
    states = {
        "state_a_buffer",
        "state_a_se_sum",
        "state_b_buffer",
        "state_b_se_sum",
        "state_frames",
        "state_pool_clip_sum",
    }
    assert set(names["inputs"]) == states | {"input"}
    assert set(names["outputs"]) == states | {"probabilities"}
