"""Arithmetic of boxes (ymin, xmin, ymax, xmax), and their other form (y, x, height, width) about the centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Areas [M] of boxes [M, 4]; none is below zero."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersections(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Areas [M, N] in which boxes [M, 4] and [N, 4] overlap."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Intersection over union [M, N]; 0 where neither box has an area."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def to_centers(boxes: Boxes) -> Boxes:
    """(ymin, xmin, ymax, xmax) as (y, x, height, width)."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return np.concatenate([boxes[..., :2] + sides / 2, sides], axis=-1)


def to_corners(centers: Boxes) -> Boxes:
    """(y, x, height, width) as (ymin, xmin, ymax, xmax)."""
    half = centers[..., 2:] / 2
    return np.concatenate([centers[..., :2] - half, centers[..., :2] + half], axis=-1)
