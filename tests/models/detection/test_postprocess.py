"""Suppression against the plain rule, and mean average precision against hand-made cases and a second reckoning."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detection.annotations import Annotations
from models.detection.boxes import iou
from models.detection.mean_ap import map_interval, mean_ap
from models.detection.postprocess import Detections, PostProcessing, detect, probabilities, suppress
from searchspaces.errors import InputError, MissingError

BOX = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32)


def random_boxes(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    low = rng.uniform(0, 0.6, (count, 2))
    return np.concatenate([low, low + rng.uniform(0.1, 0.4, (count, 2))], axis=1).astype(np.float32)


def plain_nms(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], config: PostProcessing
) -> list[tuple[float, int, int]]:
    """Class by class, the best first, then the best of all: the definition."""
    kept = []
    for label in range(scores.shape[1]):
        left = [
            row for row in np.argsort(-scores[:, label], kind="stable") if scores[row, label] >= config.score_threshold
        ]
        own: list[int] = []
        while left and len(own) < config.max_per_class:
            own.append(int(left.pop(0)))
            left = [row for row in left if iou(boxes[[own[-1]]], boxes[[row]])[0, 0] <= config.iou_threshold]
        kept += [(-float(scores[row, label]), row, label) for row in own]
    return sorted(kept)[: config.max_detections]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 12), st.integers(1, 6), st.integers(0, 10**6))
def test_suppression_is_that_of_each_class_by_itself(count, classes, most, per_class, seed) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng, count), rng.random((count, classes), np.float32)
    config = PostProcessing(max_detections=most, max_per_class=per_class, iou_threshold=0.4, score_threshold=0.2)
    found = suppress(boxes, scores, config)
    expected = plain_nms(boxes, scores, config)
    assert [(-score, label) for score, label in zip(found.scores.tolist(), found.classes.tolist(), strict=True)] == [
        (score, label) for score, _, label in expected
    ]
    np.testing.assert_array_equal(found.boxes, boxes[[row for _, row, _ in expected]].reshape(-1, 4))


def test_detect_reads_raw_heads() -> None:
    anchors = np.array([[0.5, 0.5, 0.4, 0.4], [0.9, 0.9, 0.4, 0.4]], np.float32)
    codes = np.zeros((2, 4), np.float32)
    logits = np.array([[9.0, -2.0, 3.0], [9.0, 1.0, -9.0]], np.float32)
    found = detect(codes, logits, anchors, PostProcessing(score_threshold=0.5))
    assert found.classes.tolist() == [1, 0]
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-3)), 1 / (1 + np.exp(-1))], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[0.3, 0.3, 0.7, 0.7], [0.7, 0.7, 1, 1]], atol=1e-6)
    assert len(detect(codes, np.full_like(logits, np.nan), anchors)) == 0


def test_probabilities_do_not_overflow() -> None:
    assert probabilities(np.array([-1e4, 0, 1e4], np.float32)).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("options", [{"max_detections": 0}, {"iou_threshold": 1.1}, {"score_threshold": -0.1}])
def test_post_processing_refuses(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        PostProcessing(**options)


# -- mean average precision --------------------------------------------------------------------------------------------


def truth(*pictures: tuple[NDArray[np.float32], list[int], list[bool]]) -> Annotations:
    return Annotations.join([(boxes, np.array(labels), np.array(ignored)) for boxes, labels, ignored in pictures])


def found(boxes: NDArray[np.float32], labels: list[int], scores: list[float]) -> Detections:
    return Detections(boxes=boxes, classes=np.array(labels), scores=np.array(scores, np.float32))


NOTHING = found(np.zeros((0, 4), np.float32), [], [])


def test_perfect_detections_are_worth_one() -> None:
    pictures = truth((BOX, [1], [False]), (np.zeros((0, 4), np.float32), [], []), (BOX / 2, [3], [False]))
    value = mean_ap(pictures, [found(BOX, [1], [0.9]), NOTHING, found(BOX / 2, [3], [0.1])], (96, 64))
    assert (value.map, value.map_50, value.map_75) == pytest.approx((1, 1, 1))
    assert value.per_class == pytest.approx({1: 1, 3: 1})


def test_by_hand_half_the_classes_and_an_overlap_of_070() -> None:
    pictures = truth((BOX, [0], [False]), (BOX, [1], [False]))
    near = np.array([[0.1, 0.1, 0.5, 0.1 + 0.4 * 0.72]], np.float32)  # IoU 0.72
    value = mean_ap(pictures, [found(near, [0], [0.9]), NOTHING], (100, 100))
    assert value.map == pytest.approx(5 / 10 / 2)  # IoU 0.50 to 0.70 of ten, one class of two
    assert (value.map_50, value.map_75) == pytest.approx((0.5, 0.0))
    assert mean_ap(pictures, [NOTHING, NOTHING], (100, 100)).map == 0


def test_a_false_alarm_before_the_find_halves_precision() -> None:
    far = BOX + np.float32(0.45)
    both = np.concatenate([far, BOX])
    value = mean_ap(truth((BOX, [0], [False])), [found(both, [0, 0], [0.9, 0.8])], (100, 100))
    assert value.map == pytest.approx(0.5)
    ignored = truth((both, [0, 0], [True, False]))
    assert mean_ap(ignored, [found(both, [0, 0], [0.9, 0.8])], (100, 100)).map == pytest.approx(1)


def second_reckoning(pictures: Annotations, detections: list[Detections]) -> float:
    """COCO's mAP written down anew: greedy matching by score, precision made monotone, 101 recalls."""
    values = []
    for label in np.unique(pictures.classes):
        for threshold in np.linspace(0.5, 0.95, 10):
            rows, total = [], 0
            for picture, each in enumerate(detections):
                boxes, labels, _ = pictures.of(picture)
                own = boxes[labels == label].astype(float)
                total += len(own)
                free = np.ones(len(own), bool)
                for row in np.flatnonzero(each.classes == label):
                    overlaps = iou(each.boxes[[row]].astype(float), own)[0] * free if len(own) else np.zeros(1)
                    hit = overlaps.max(initial=0) >= min(threshold, 1 - 1e-10)
                    if hit:
                        free[overlaps.argmax()] = False
                    rows.append((-each.scores[row], hit))
            hits = np.array([hit for _, hit in sorted(rows, key=lambda pair: pair[0])])
            precision = np.maximum.accumulate((hits.cumsum() / np.arange(1, len(hits) + 1))[::-1])[::-1]
            recall = hits.cumsum() / total
            places = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
            values.append(np.mean([precision[place] if place < len(precision) else 0 for place in places]))
    return float(np.mean(values))


Pictures = list[tuple[NDArray[np.float32], list[int], list[bool]]]


def random_pictures(rng: np.random.Generator) -> tuple[Pictures, list[Detections]]:
    """Twelve pictures of four boxes and six detections, most of them nearly right."""
    pictures: Pictures = []
    detections = []
    for _ in range(12):
        boxes = random_boxes(rng, 4)
        labels = rng.integers(0, 3, 4)
        pictures.append((boxes, labels.tolist(), [False] * 4))
        moved = np.clip(np.concatenate([boxes, boxes[:2]]) + rng.normal(0, 0.02, (6, 4)), 0, 1).astype(np.float32)
        again = np.where(rng.random(6) < 0.8, np.concatenate([labels, labels[:2]]), rng.integers(0, 3, 6))
        order = np.argsort(-(scores := rng.random(6)))
        detections.append(found(moved[order], again[order].tolist(), scores[order].tolist()))
    return pictures, detections


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_second_reckoning(seed: int) -> None:
    pictures, detections = random_pictures(np.random.default_rng(seed))
    value = mean_ap(truth(*pictures), detections, (1000, 1000)).map
    assert 0.05 < value < 0.95
    assert value == pytest.approx(second_reckoning(truth(*pictures), detections), abs=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_is_that_of_pictures_drawn_anew(seed: int) -> None:
    pictures, detections = random_pictures(np.random.default_rng(seed))
    pictures[0] = (pictures[0][0], pictures[0][1], [True, False, False, True])
    found_interval = map_interval(truth(*pictures), detections, (1000, 1000), np.random.default_rng(7), draws=5)
    rng, values = np.random.default_rng(7), []
    for _ in range(5):
        rows = rng.integers(len(pictures), size=len(pictures))
        drawn = mean_ap(truth(*(pictures[row] for row in rows)), [detections[row] for row in rows], (1000, 1000))
        values.append(drawn.map)
    assert found_interval == pytest.approx(tuple(np.quantile(values, (0.025, 0.975))), abs=1e-9)


def test_pictures_that_are_all_alike_leave_no_doubt() -> None:
    alike = truth(*[(BOX, [0], [False])] * 5)
    options = {"image": (100, 100), "rng": np.random.default_rng(0)}
    assert map_interval(alike, [found(BOX, [0], [0.9])] * 5, **options) == (1, 1)
    assert map_interval(alike, [NOTHING] * 5, **options) == (0, 0)


def test_without_boxes_or_with_other_pictures_it_has_no_value() -> None:
    empty = truth((np.zeros((0, 4), np.float32), [], []))
    with pytest.raises(InputError, match="a box in at least one picture"):
        mean_ap(empty, [NOTHING], (10, 10))
    with pytest.raises(InputError, match="those of 1 pictures, got 2"):
        mean_ap(truth((BOX, [0], [False])), [NOTHING, NOTHING], (10, 10))


def test_without_the_tool_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(MissingError, match=r"pip install 'paretonas\[detection\]'"):
        mean_ap(truth((BOX, [0], [False])), [found(BOX, [0], [0.5])], (10, 10))
