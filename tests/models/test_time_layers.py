"""Causal networks give frame by frame what they give for the whole clip; several clips at once are as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.builder import build, deployed_model
from models.testing import randomise_vectors
from models.time_layers import encoding_angles
from searchspaces.blocks import ClipPoolBlock, ConvBlock, DenseBlock, VideoMBConv
from searchspaces.spec import NetworkSpec


def network(frames, *, causal, kernel_frames=3, positional=False):
    """Logits of clips of 9 x 8 frames."""
    common = {"se_filters": 8, "causal": causal, "positional": positional, "drop_connect": 0.1}
    blocks = (
        ConvBlock(name="stem", filters=4, kernel=3, activation="hard_silu"),
        VideoMBConv(
            name="down", filters=6, expanded_filters=8, kernel_frames=kernel_frames, kernel=3, stride=2, **common
        ),
        VideoMBConv(name="keep", filters=6, expanded_filters=12, kernel_frames=5, kernel=1, **common),
        VideoMBConv(name="flat", filters=6, expanded_filters=8, kernel_frames=1, kernel=5, **common),
        ClipPoolBlock(),
        DenseBlock(name="classifier", units=5),
    )
    return NetworkSpec(name="made-up", input_shape=(frames, 9, 8, 3), blocks=blocks)


def built(spec, seed=0):
    model = build(spec)
    randomise_vectors(model, np.random.default_rng(seed))
    return model


def stream_over(spec, running, clips):
    """The answers of a stream after each frame, [T, N, classes]."""
    count = len(clips)
    held = {name: shape[1:] if len(shape) == 4 else shape for name, shape in spec.deployed.state_shapes.items()}
    states = {name: np.zeros((count, *shape), np.float32) for name, shape in held.items()}
    answers = []
    for number in range(clips.shape[1]):
        found = {name: np.asarray(value) for name, value in running({"input": clips[:, [number]], **states}).items()}
        answers.append(found["logits"])
        states = {name: found[name] for name in states}
    return np.stack(answers)


@settings(deadline=None, max_examples=6)
@given(
    frames=st.integers(1, 9),
    count=st.integers(1, 3),
    kernel_frames=st.sampled_from([1, 3, 7]),
    positional=st.booleans(),
)
def test_frame_by_frame_is_the_whole_clip_for_any_length(frames, count, kernel_frames, positional):
    spec = network(frames, causal=True, kernel_frames=kernel_frames, positional=positional)
    model = built(spec)
    clips = np.random.default_rng(frames).random((count, *spec.input_shape), dtype=np.float32)
    whole = np.asarray(model(clips))
    last = stream_over(spec, deployed_model(spec, model), clips)[-1]
    assert np.abs(whole).max() > 0.1
    np.testing.assert_allclose(last, whole, atol=1e-4 * np.abs(whole).max())


def test_a_causal_network_does_not_look_ahead():
    """The running answer to the first frames of a clip is that to a clip which ends there."""
    spec, short = network(6, causal=True), network(4, causal=True)
    model = built(spec)
    clips = np.random.default_rng(1).random((2, 6, 9, 8, 3), dtype=np.float32)
    answers = stream_over(spec, deployed_model(spec, model), clips)
    cut = build(short)
    cut.set_weights(model.get_weights())
    np.testing.assert_allclose(answers[3], np.asarray(cut(clips[:, :4])), rtol=1e-3, atol=1e-4)
    assert np.abs(answers[5] - answers[3]).max() > 1e-3


@pytest.mark.parametrize("causal", [False, True])
def test_several_clips_at_once_are_as_one_by_one(causal):
    spec = network(5, causal=causal, positional=causal)
    model = built(spec)
    clips = np.random.default_rng(2).random((3, *spec.input_shape), dtype=np.float32)
    together = np.asarray(model(clips))
    alone = np.concatenate([np.asarray(model(clips[[row]])) for row in range(3)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_depthwise_volumes_are_convolutions_in_three_dimensions():
    from scipy.ndimage import correlate

    spec = network(6, causal=False)
    model = built(spec)
    layer = model.get_layer("down_depthwise")
    maps = np.random.default_rng(3).random((6, 9, 8, 8), dtype=np.float32)
    kernel = np.asarray(layer.kernel)
    found = np.asarray(layer(maps))
    whole = np.stack([correlate(maps[..., c], kernel[..., c], mode="constant") for c in range(8)], axis=-1)
    # Stride 2 with 'same' padding keeps the odd rows of an odd side, and the even ones of an even side shifted by one.
    np.testing.assert_allclose(found, whole[:, 0::2, 1::2], rtol=1e-4, atol=1e-5)


def test_the_encoding_is_sines_then_cosines_of_the_frame_number():
    channels, number = 12, 5
    rate, phase = encoding_angles(channels)
    found = np.sin(number * rate + phase)
    angles = number / 10_000 ** (2 * (np.arange(channels) // 2) / channels)
    np.testing.assert_allclose(found, np.concatenate([np.sin(angles[0::2]), np.cos(angles[1::2])]), atol=1e-6)


def test_a_block_begins_as_its_skip():
    """The learnt factor starts at zero, so that a fresh block passes on what it is given."""
    from keras import Model

    model = build(network(3, causal=False))
    kept = Model(model.input, [model.get_layer(name).output for name in ("down_add", "keep_add")])
    before, after = kept(np.random.default_rng(4).random((1, 3, 9, 8, 3), dtype=np.float32))
    np.testing.assert_array_equal(np.asarray(before), np.asarray(after))


def test_training_drops_a_branch_for_all_frames_of_an_example_at_once():
    from models.time_layers import DropClip

    layer = DropClip(0.5, (4, 2, 3, 5), seed=0)
    maps = np.ones((6 * 4, 2, 3, 5), np.float32)
    dropped = np.asarray(layer(maps, training=True)).reshape(6, -1)
    assert set(dropped.min(axis=1)) == set(dropped.max(axis=1)) == {0.0, 2.0}
    np.testing.assert_array_equal(np.asarray(layer(maps, training=False)), maps)
