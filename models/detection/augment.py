"""Random changes of a training picture and its boxes: mirroring, and SSD's crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.detection.boxes import Boxes, iou

# Liu et al. 2016, §2.2: how much of some object a crop has to overlap, its area and its sides' ratio.
MIN_OVERLAPS: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
AREAS: Final = (0.1, 1.0)
RATIOS: Final = (0.5, 2.0)
TRIES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """One picture uint8 [H, W, C] with its boxes [M, 4], classes [M] and ignored flags [M]."""

    image: NDArray[np.uint8]
    boxes: Boxes
    classes: NDArray[np.int64]
    ignored: NDArray[np.bool_]


def mirror(example: Example) -> Example:
    """Left and right swapped."""
    ymin, xmin, ymax, xmax = example.boxes.T
    return Example(
        image=example.image[:, ::-1],
        boxes=np.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=1),
        classes=example.classes,
        ignored=example.ignored,
    )


def random_crop(example: Example, rng: np.random.Generator) -> Example:
    """A crop brought back to the picture's size, or the whole picture.

    With even odds: the whole, a crop that overlaps some object by at least one of MIN_OVERLAPS (IoU), or any crop.
    Boxes whose centre lies in the crop stay, cut at its edge. A crop that would leave nothing is not taken.
    """
    rule = int(rng.integers(len(MIN_OVERLAPS) + 2))
    if rule == 0 or not len(example.boxes):
        return example
    least = 0.0 if rule > len(MIN_OVERLAPS) else MIN_OVERLAPS[rule - 1]
    for _ in range(TRIES):
        window = _window(rng)
        if least and iou(window[None], example.boxes).max() < least:
            continue
        cut = crop(example, window)
        if len(cut.boxes):
            return cut
    return example


def crop(example: Example, window: Boxes) -> Example:
    """The part of the picture within `window` (corners, shares), in the picture's size."""
    height, width, channels = example.image.shape
    ymin, xmin, ymax, xmax = (window * (height, width, height, width)).tolist()
    picture = Image.fromarray(example.image[..., 0] if channels == 1 else example.image)
    resized = picture.resize((width, height), Image.Resampling.BILINEAR, box=(xmin, ymin, xmax, ymax))
    centers = (example.boxes[:, :2] + example.boxes[:, 2:]) / 2
    inside = ((centers > window[:2]) & (centers < window[2:])).all(axis=1)
    origin, size = np.tile(window[:2], 2), np.tile(window[2:] - window[:2], 2)
    return Example(
        image=np.asarray(resized, np.uint8).reshape(height, width, channels),
        boxes=np.clip((example.boxes[inside] - origin) / size, 0, 1).astype(np.float32),
        classes=example.classes[inside],
        ignored=example.ignored[inside],
    )


def _window(rng: np.random.Generator) -> Boxes:
    """Corners of a random part of the picture."""
    area = rng.uniform(*AREAS)
    root = np.sqrt(np.exp(rng.uniform(*np.log(RATIOS))))
    sides = np.minimum(np.sqrt(area) * np.array([1 / root, root]), 1)
    low = rng.uniform(0, 1 - sides)
    return np.concatenate([low, np.minimum(low + sides, 1)]).astype(np.float32)
