"""Compound scaling: work grows as its factors say, and drawn scalings meet their target."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_profiles.lower import lower
from searchspaces.blocks import VideoMBConv
from searchspaces.catalog import named_network
from searchspaces.compound_scaling import CompoundScaling, random_scalings
from searchspaces.errors import InputError, NoResultError

CLIP = named_network("movinet-a0", (6, 64, 64, 3), 10).spec
FACTORS = st.floats(0.5, 2.0)


def macs(spec):
    return lower(spec).macs


def depths(spec):
    names = [block.name.partition("_")[0] for block in spec.blocks if isinstance(block, VideoMBConv)]
    return [names.count(f"block{number}") for number in range(1, 6)]


def test_factors_of_one_change_nothing():
    assert CompoundScaling().apply(CLIP) == CLIP


@settings(deadline=None, max_examples=20)
@given(width=FACTORS, depth=FACTORS, resolution=FACTORS, frame_rate=FACTORS)
def test_any_scaling_makes_a_network_of_the_shape_it_says(width, depth, resolution, frame_rate):
    scaled = CompoundScaling(width=width, depth=depth, resolution=resolution, frame_rate=frame_rate).apply(CLIP)
    frames, height, *_ = CLIP.input_shape
    assert scaled.input_shape == (round(frames * frame_rate), *2 * (round(height * resolution),), 3)
    assert depths(scaled) == [math.ceil(old * depth - 1e-9) for old in depths(CLIP)]
    assert scaled.output_shape == CLIP.output_shape
    assert all(block.filters % 8 == 0 for block in scaled.blocks if isinstance(block, VideoMBConv))
    assert macs(scaled) > 0


def test_work_grows_with_frames_and_with_the_square_of_the_sides():
    base = macs(CLIP)
    assert macs(CompoundScaling(frame_rate=2).apply(CLIP)) / base == pytest.approx(2, rel=0.1)
    assert macs(CompoundScaling(resolution=2).apply(CLIP)) / base == pytest.approx(4, rel=0.15)
    assert macs(CompoundScaling(width=2).apply(CLIP)) / base == pytest.approx(4, rel=0.35)


def test_an_added_layer_keeps_the_map():
    scaled = CompoundScaling(depth=2).apply(CLIP)
    strided = [block.name for block in scaled.blocks if isinstance(block, VideoMBConv) and block.stride == 2]
    assert strided == ["block1_1", "block2_1", "block3_1", "block5_1"]


def test_drawn_scalings_meet_the_work_aimed_at():
    target = 3 * macs(CLIP)
    found = random_scalings(CLIP, macs, target, np.random.default_rng(0), count=4, attempts=300)
    assert len(found) == 4
    assert all(abs(macs(spec) / target - 1) <= 0.05 for _, spec in found)
    assert len({scaling for scaling, _ in found}) == 4
    again = random_scalings(CLIP, macs, target, np.random.default_rng(0), count=4, attempts=300)
    assert found == again


def test_images_scale_too_but_have_no_frame_rate():
    image = named_network("efficientnet-b0", (64, 64, 3), 10).spec
    assert CompoundScaling(depth=1.5, width=1.2).apply(image).params > image.params
    with pytest.raises(InputError, match="expected one for clips to scale"):
        CompoundScaling(frame_rate=2).apply(image)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: CompoundScaling(width=0), InputError, "width: expected a factor above 0, got 0"),
        (lambda: CompoundScaling(depth=math.nan), InputError, "depth: expected a factor above 0"),
        (
            lambda: CompoundScaling().apply(named_network("tabnas-higgs").spec),
            InputError,
            "expected one for images or clips to scale",
        ),
        (
            lambda: random_scalings(CLIP, macs, 1e15, np.random.default_rng(0), attempts=5),
            NoResultError,
            "none of 5 draws came within 5% of 1e.15",
        ),
    ],
)
def test_what_cannot_be_scaled_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
