"""Boxes, their codes and their anchors: what a network is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detection.anchors import ssd_anchors
from models.detection.annotations import Annotations
from models.detection.batches import DetectionBatches
from models.detection.boxes import areas, iou, to_centers, to_corners
from models.detection.coder import decode, encode
from models.detection.matcher import BACKGROUND, IGNORED, match
from searchspaces.errors import InputError


def random_boxes(count: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.9, (count, 2))
    high = low + rng.uniform(0.02, 1.0, (count, 2)) * (1 - low)
    return np.concatenate([low, high], axis=1).astype(np.float32)


ANCHORS = ssd_anchors([(4, 4), (2, 2)], (32, 32))
CORNERS = to_corners(ANCHORS)


# -- boxes -------------------------------------------------------------------------------------------------------------


def test_iou_by_hand() -> None:
    first = np.array([[0, 0, 0.5, 0.5], [0, 0, 0, 0]], np.float32)
    second = np.array([[0, 0, 0.5, 0.5], [0.25, 0, 0.75, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(iou(first, second), [[1, 1 / 3, 0, 0], [0, 0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(areas(second), [0.25, 0.25, 0.25, 0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 10**6))
def test_iou_is_symmetric_within_bounds_and_blind_to_stretching(count: int, seed: int) -> None:
    first, second = random_boxes(count, seed), random_boxes(3, seed + 1)
    overlaps = iou(first, second)
    assert (overlaps >= 0).all() and (overlaps <= 1 + 1e-6).all()
    np.testing.assert_array_equal(overlaps, iou(second, first).T)
    np.testing.assert_allclose(np.diag(iou(first, first)), 1, rtol=1e-5)
    stretch = np.array([3, 0.5, 3, 0.5], np.float32)
    np.testing.assert_allclose(iou(first * stretch, second * stretch), overlaps, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 10**6))
def test_codes_give_the_boxes_back(count: int, seed: int) -> None:
    boxes, anchors = random_boxes(count, seed), to_centers(random_boxes(count, seed + 1))
    np.testing.assert_allclose(decode(encode(boxes, anchors), anchors), boxes, atol=2e-5)
    np.testing.assert_allclose(to_corners(to_centers(boxes)), boxes, atol=1e-6)


def test_codes_by_hand() -> None:
    anchor = np.array([[0.5, 0.5, 0.2, 0.4]], np.float32)
    box = to_corners(np.array([[0.52, 0.46, 0.4, 0.4]], np.float32))
    np.testing.assert_allclose(encode(box, anchor), [[1.0, -1.0, 5 * np.log(2), 0.0]], atol=1e-5)
    assert np.isfinite(decode(np.full((1, 4), 1e6, np.float32), anchor)).all()


# -- annotations -------------------------------------------------------------------------------------------------------


def test_annotations_are_ragged_and_can_be_taken() -> None:
    boxes = random_boxes(3, 0)
    made = Annotations(
        boxes=boxes, classes=np.array([0, 1, 2]), ignored=np.zeros(3, bool), starts=np.array([0, 2, 2, 3])
    )
    assert len(made) == 3
    assert [len(made.of(picture)[0]) for picture in range(3)] == [2, 0, 1]
    taken = made.take([2, 1])
    np.testing.assert_array_equal(taken.boxes, boxes[2:])
    assert taken.starts.tolist() == [0, 1, 1]
    assert len(made.take([1]).boxes) == 0
    with pytest.raises(ValueError, match="read-only"):
        made.boxes[0] = 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"boxes": np.array([[0.5, 0.5, 0.5, 0.9]])}, "got .* in row 0"),
        ({"boxes": np.array([[0.5, 0.5, 0.6, 1.01]])}, "cut at its edge"),
        ({"boxes": np.array([[np.nan, 0, 1, 1]])}, "row 0"),
        ({"boxes": np.zeros((1, 3))}, "one class for each box"),
        ({"classes": np.array([0, 1])}, "one class for each box"),
        ({"classes": np.array([-1])}, "from 0"),
        ({"starts": np.array([0, 2])}, "rise from 0 to 1"),
        ({"starts": np.array([0, 1, 0])}, "rise from 0 to 1"),
    ],
)
def test_annotations_refuse(changed: dict[str, NDArray[np.float64]], words: str) -> None:
    good = {
        "boxes": np.array([[0.1, 0.1, 0.2, 0.2]]),
        "classes": np.array([0]),
        "ignored": np.array([False]),
        "starts": np.array([0, 1]),
    }
    with pytest.raises(InputError, match=words):
        Annotations(**(good | changed))


# -- matching ----------------------------------------------------------------------------------------------------------


def test_every_box_gets_its_best_anchor_even_below_the_threshold() -> None:
    tiny = np.array([[0.40, 0.40, 0.41, 0.41]], np.float32)
    found = match(CORNERS, tiny)
    assert (found >= 0).sum() == 1
    assert iou(CORNERS, tiny)[found >= 0] == iou(CORNERS, tiny).max()


def test_an_anchor_takes_the_box_it_overlaps_most() -> None:
    boxes = CORNERS[[5, 20]]
    found = match(CORNERS, boxes)
    assert found[5] == 0 and found[20] == 1
    assert set(found.tolist()) <= {0, 1, BACKGROUND}
    assert (match(CORNERS, boxes[:0]) == BACKGROUND).all()


def test_ignored_boxes_take_anchors_out_but_never_from_a_box() -> None:
    boxes = CORNERS[[5, 5, 20]]
    found = match(CORNERS, boxes, np.array([True, False, True]))
    assert found[5] == 1 and found[20] == IGNORED
    assert (match(CORNERS, boxes, np.array([True, True, True])) < 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_matching_keeps_its_two_rules(count: int, seed: int) -> None:
    boxes = random_boxes(count, seed)
    found, overlaps = match(CORNERS, boxes), iou(CORNERS, boxes)
    forced = np.isin(np.arange(len(CORNERS)), overlaps.argmax(axis=0))
    free = ~forced
    np.testing.assert_array_equal(found[free] >= 0, overlaps[free].max(axis=1) >= 0.5)
    matched = free & (found >= 0)
    np.testing.assert_array_equal(found[matched], overlaps[matched].argmax(axis=1))
    best = overlaps.argmax(axis=0)
    alone = [row for row in range(count) if (best == best[row]).sum() == 1]
    assert all(found[best[row]] == row for row in alone)


# -- batches -----------------------------------------------------------------------------------------------------------


def test_targets_decode_to_the_boxes_they_stand_for() -> None:
    boxes = CORNERS[[3, 50]].clip(0, 1)
    annotations = Annotations(
        boxes=boxes, classes=np.array([2, 0]), ignored=np.zeros(2, bool), starts=np.array([0, 2, 2])
    )
    x = np.zeros((2, 32, 32, 3), np.uint8)
    pictures, targets = DetectionBatches(x, annotations, ANCHORS, batch_size=2, seed=0)[0]
    assert pictures.dtype == np.float32
    labels, codes = targets["scores"], targets["boxes"]
    shown = int(labels.any(axis=1).argmax())  # the other picture has no boxes
    assert set(labels[shown].tolist()) == {0, 1, 3} and not labels[1 - shown].any()
    assert not codes[1 - shown].any()
    matched = labels[shown] > 0
    np.testing.assert_array_equal(codes[shown, :, 4], matched)
    decoded = decode(codes[shown, matched, :4], ANCHORS[matched])
    np.testing.assert_allclose(decoded, boxes[np.where(labels[shown][matched] == 3, 0, 1)], atol=1e-5)


def test_batches_follow_from_seed_and_epoch() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 32, 32, 1), np.uint8)
    annotations = Annotations.join([(random_boxes(2, seed), np.array([0, 1]), np.zeros(2, bool)) for seed in range(6)])

    def make(epoch: int, seed: int = 3) -> list[NDArray[np.float32]]:
        batches = DetectionBatches(x, annotations, ANCHORS, batch_size=2, seed=seed, flip=True, crop=True)
        batches.begin(epoch)
        return [batches[index][0] for index in range(len(batches))]

    assert all(map(np.array_equal, make(1), make(1)))
    assert not all(map(np.array_equal, make(1), make(2)))
    assert not all(map(np.array_equal, make(1), make(1, seed=4)))
