"""Handwritten digits scattered on a canvas: the built-in detection task. The digits are real, their places drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.tasks.checks import check_count, check_flag, digest, image_shape
from benchmarks.tasks.detection.pictures import box_task
from benchmarks.tasks.record import BoxTask
from benchmarks.tasks.scikit_learn import digits
from benchmarks.tasks.splits import FRACTIONS
from models.detection.annotations import Annotations
from models.detection.boxes import iou
from nas.detection_task import DetectionAugmentation
from nas.task import PARTS, Part, Split
from searchspaces.errors import InputError

# Side of a digit's square, as shares of the canvas's shorter side, and digits on a canvas.
SIDES: Final = (0.2, 0.45)
DIGITS: Final = (1, 4)
MOST_OVERLAP: Final = 0.05
_TRIES: Final = 20
_PARTS: Final = {part: number for number, part in enumerate(PARTS)}


def digits_canvas(
    *,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    pictures: int = 600,
    flip: bool = False,
    crop: bool = False,
) -> BoxTask:
    """Canvases with one to four of scikit-learn's digits each, the boxes drawn around their ink.

    A digit is a fifth to nearly half of the canvas; no two boxes overlap by more than an IoU of 0.05. Each part is made
    from digits of its own: those that the task `digits` has in that part with the same seed.

    Args:
        input_shape: of a canvas; 96 x 96 x 1 by default.
        seed: of digits, places, sizes and shades.
        pictures: canvases in all, 64 % of them to train on and 20 % to test.
        flip: left and right swapped at random in training; digits have a side, so it is off.
        crop: parts cut out at random in training, as SSD does.
    """
    shape = image_shape(input_shape, (96, 96, 1))
    if min(shape[:2]) < 32:
        raise InputError(f"input_shape: expected sides of 32 or more for a canvas of digits, got {shape}; try 96x96x1.")
    check_count("pictures", pictures, least=50)
    check_count("seed", seed, least=0)
    augmentation = DetectionAugmentation(flip=check_flag("flip", flip), crop=check_flag("crop", crop))
    source = digits(seed=seed)
    canvases: list[NDArray[np.uint8]] = []
    labelled = []
    given: dict[Part, NDArray[np.int64]] = {}
    for part, share in FRACTIONS.items():
        rng = np.random.default_rng([seed, _PARTS[part]])
        count = round(share * pictures)
        given[part] = np.arange(len(canvases), len(canvases) + count)
        for _ in range(count):
            canvas, boxes, labels = _canvas(source.split(part), shape, rng)
            canvases.append(canvas)
            labelled.append((boxes, labels, np.zeros(len(boxes), np.bool_)))
    x, annotations = np.stack(canvases), Annotations.join(labelled)
    return box_task(
        "digits-canvas",
        "scikit-learn load_digits (UCI optical recognition of handwritten digits), scattered on canvases",
        x,
        annotations,
        source.class_names,
        seed=seed,
        given=given,
        augmentation=augmentation,
        sha256=digest(x, annotations.boxes, annotations.classes, annotations.starts),
        notes={"synthetic": "places, sizes and shades of real digits are drawn from the seed"},
        drawn=PARTS,
    )


def _canvas(
    digits: Split, shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    height, width, channels = shape
    ink = np.zeros((height, width))
    boxes: list[NDArray[np.float32]] = []
    labels = []
    for _ in range(int(rng.integers(DIGITS[0], DIGITS[1] + 1))):
        row, side = int(rng.integers(len(digits))), round(min(height, width) * rng.uniform(*SIDES))
        digit = _enlarged(digits.x[row, ..., 0], side)
        for _ in range(_TRIES):
            top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            box = _ink_box(digit, top, left) / np.array([height, width, height, width])
            if not boxes or iou(box[None].astype(np.float32), np.stack(boxes)).max() <= MOST_OVERLAP:
                place = ink[top : top + side, left : left + side]
                np.maximum(place, digit * rng.uniform(0.6, 1), out=place)
                boxes.append(box.astype(np.float32))
                labels.append(int(digits.y[row]))
                break
    paper = rng.uniform(0, 60) + rng.normal(0, 8, ink.shape)
    grey = np.clip(np.rint(paper + ink * (255 - paper)), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], channels, axis=-1), np.stack(boxes), np.array(labels, np.int64)


def _enlarged(digit: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """The digit's ink from 0 to 1, [side, side]."""
    picture = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float64) / 255


def _ink_box(digit: NDArray[np.float64], top: int, left: int) -> NDArray[np.float64]:
    """Corners in pixels of what is darker than a quarter."""
    rows, columns = np.nonzero(digit > 0.25)
    return np.array(
        [top + rows.min(), left + columns.min(), top + rows.max() + 1, left + columns.max() + 1], np.float64
    )
