"""The box coder of Faster R-CNN (Ren et al. 2015, §3.1.2): where a box lies as seen from its anchor."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.detection.boxes import Boxes, to_centers, to_corners

# Of y, x, height and width: they bring the four numbers to like sizes.
SCALES: Final = (10.0, 10.0, 5.0, 5.0)
# Of a logarithm of sides. No anchor is so small, and a network that says more must not give infinities.
_LARGEST: Final = 20.0


def encode(boxes: Boxes, anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(ty, tx, th, tw) [M, 4] of boxes (corners) [M, 4] at anchors (centres) [M, 4]."""
    centers = to_centers(boxes)
    offsets = (centers[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    ratios = np.log(centers[..., 2:] / anchors[..., 2:])
    return np.asarray(np.concatenate([offsets, ratios], -1) * np.array(SCALES), np.float32)


def decode(codes: NDArray[np.float32], anchors: NDArray[np.float32]) -> Boxes:
    """Boxes (corners) [..., A, 4] of codes [..., A, 4]; they may reach beyond the picture."""
    plain = codes / np.array(SCALES, np.float32)
    centers = plain[..., :2] * anchors[..., 2:] + anchors[..., :2]
    return to_corners(np.concatenate([centers, np.exp(np.minimum(plain[..., 2:], _LARGEST)) * anchors[..., 2:]], -1))
