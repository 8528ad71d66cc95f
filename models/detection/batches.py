"""Batches of pictures with what each anchor should say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.batches import SeededBatches
from models.detection.annotations import Annotations
from models.detection.augment import Example, mirror, random_crop
from models.detection.boxes import Boxes, to_corners
from models.detection.coder import encode
from models.detection.heads import BOXES, SCORES
from models.detection.matcher import BACKGROUND, IGNORED, match


class DetectionBatches(SeededBatches):
    """Batches of pictures as float32, augmented, with the targets of `models.detection.losses`.

    Args:
        x: uint8 [N, H, W, C].
        annotations: of the same pictures.
        anchors: [A, 4], centres.
        flip: mirror pictures left to right with even odds.
        crop: cut out parts of them as SSD does.
    """

    def __init__(
        self,
        x: NDArray[np.uint8],
        annotations: Annotations,
        anchors: NDArray[np.float32],
        *,
        batch_size: int,
        seed: int,
        flip: bool = False,
        crop: bool = False,
    ) -> None:
        super().__init__(len(x), batch_size=batch_size, seed=seed)
        self._x, self._annotations, self._anchors = x, annotations, anchors
        self._corners = to_corners(anchors)
        self._flip, self._crop = flip, crop

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], dict[str, Any]]:
        rng = self._rng(index)
        examples = [self._example(int(row), rng) for row in self._rows(index)]
        targets = [self._targets(example.boxes, example.classes, example.ignored) for example in examples]
        x = np.stack([example.image for example in examples]).astype(np.float32)
        boxes, classes = (np.stack(parts) for parts in zip(*targets, strict=True))
        return x, {BOXES: boxes, SCORES: classes}

    def _example(self, row: int, rng: np.random.Generator) -> Example:
        boxes, classes, ignored = self._annotations.of(row)
        example = Example(image=self._x[row], boxes=boxes, classes=classes, ignored=ignored)
        if self._crop:
            example = random_crop(example, rng)
        return mirror(example) if self._flip and rng.random() < 0.5 else example

    def _targets(
        self, boxes: Boxes, classes: NDArray[np.int64], ignored: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Codes and a 1 for matched anchors [A, 5]; classes [A], 0 for background and -1 for what is left out."""
        matches = match(self._corners, boxes, ignored)
        matched = matches >= 0
        codes = np.zeros((len(matches), 5), np.float32)
        codes[matched, :4] = encode(boxes[matches[matched]], self._anchors[matched])
        codes[matched, 4] = 1
        labels = np.zeros(len(matches), np.int32)
        labels[matches == IGNORED] = -1
        labels[matches == BACKGROUND] = 0
        labels[matched] = classes[matches[matched]] + 1
        return codes, labels
