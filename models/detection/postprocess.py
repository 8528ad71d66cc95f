"""From the raw heads of a detector to detections: decoding, and non-maximum suppression class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.boxes import Boxes, iou
from models.detection.coder import decode
from searchspaces.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class PostProcessing:
    """What is kept of the anchors' answers.

    max_detections: of a picture.  max_per_class: of one class in it.  iou_threshold: of two boxes of a class that
    overlap more, the lower score goes.  score_threshold: lower scores go first of all.
    """

    max_detections: int = 100
    max_per_class: int = 100
    iou_threshold: float = 0.6
    score_threshold: float = 1e-8

    def __post_init__(self) -> None:
        counts = (self.max_detections, self.max_per_class)
        shares = (self.iou_threshold, self.score_threshold)
        if min(counts) < 1 or not all(0 <= share <= 1 for share in shares):
            raise InputError(
                f"post-processing: expected counts from 1 and thresholds from 0 to 1, got {self}; see the defaults."
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """What was found in one picture, the highest score first.

    boxes: float32 [D, 4], corners, within the picture.  classes: int64 [D], from 0.  scores: float32 [D], 0 to 1.
    """

    boxes: Boxes
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sigmoid, without overflow."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small), np.float32)


def detect(
    codes: NDArray[np.float32],
    logits: NDArray[np.float32],
    anchors: NDArray[np.float32],
    config: PostProcessing | None = None,
) -> Detections:
    """The detections of one picture.

    Args:
        codes: [A, 4], the head `boxes`.
        logits: [A, classes + 1], the head `scores`, background first.
        anchors: [A, 4], centres.
    """
    return suppress(decode(codes, anchors), probabilities(logits)[:, 1:], config or PostProcessing())


def suppress(boxes: Boxes, scores: NDArray[np.float32], config: PostProcessing) -> Detections:
    """Greedy non-maximum suppression of boxes [A, 4] by their scores [A, classes], class by class.

    All classes are gone through at once, from the highest score down: what is kept is the same as of each class by
    itself, and the search ends with the last detection that there is room for.
    """
    count, classes = scores.shape
    flat = scores.reshape(-1)
    candidates = np.flatnonzero(flat >= config.score_threshold)
    order = candidates[np.argsort(-flat[candidates], kind="stable")]
    gone = np.zeros((classes, count), np.bool_)
    kept: list[int] = []
    per_class = [0] * classes
    for candidate in order.tolist():
        row, label = divmod(candidate, classes)
        if gone[label, row] or per_class[label] == config.max_per_class:
            continue
        kept.append(candidate)
        per_class[label] += 1
        if len(kept) == config.max_detections:
            break
        gone[label] |= iou(boxes[row : row + 1], boxes)[0] > config.iou_threshold
    rows, labels = np.divmod(np.array(kept, np.int64), classes)
    return Detections(boxes=np.clip(boxes[rows], 0, 1), classes=labels, scores=flat[kept])
