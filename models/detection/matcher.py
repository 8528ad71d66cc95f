"""Which anchor answers for which box."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.detection.boxes import Boxes, iou

BACKGROUND: Final = -1
IGNORED: Final = -2


def match(
    anchors: Boxes, boxes: Boxes, ignored: NDArray[np.bool_] | None = None, *, threshold: float = 0.5
) -> NDArray[np.int64]:
    """For each anchor [A, 4] the row of its box in [M, 4], BACKGROUND or IGNORED; all as corners.

    An anchor takes the box it overlaps most, from an IoU of `threshold` on. Then every box gets the anchor that
    overlaps it most, whatever the IoU, so that none is left without. Anchors that lie on an ignored box and on no
    other are IGNORED.
    """
    if not len(boxes):
        return np.full(len(anchors), BACKGROUND)
    counted = np.flatnonzero(~ignored) if ignored is not None else np.arange(len(boxes))
    found = np.full(len(anchors), BACKGROUND)
    overlaps = iou(anchors, boxes)
    if ignored is not None and ignored.any():
        found[overlaps[:, ignored].max(axis=1) >= threshold] = IGNORED
    if len(counted):
        wanted = overlaps[:, counted]
        best = wanted.argmax(axis=1)
        found = np.where(wanted.max(axis=1) >= threshold, counted[best], found)
        touched = wanted.max(axis=0) > 0
        found[wanted.argmax(axis=0)[touched]] = counted[touched]
    return found
