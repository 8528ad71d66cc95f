"""Synthetic clips: scikit-learn's handwritten digits in motion over a canvas, and the motion is the label.

The canvas is a torus: what leaves on one side comes in on the other. A digit starts anywhere with equal odds, so it is
anywhere with equal odds in every frame of every motion; every digit is shown once in each motion; and no pixel is ever
lost. A single frame therefore tells nothing of the label: only the order of frames does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.build import Source, clip_task
from benchmarks.tasks.checks import check_count, clip_shape
from benchmarks.tasks.clips import clip_preprocessing
from benchmarks.tasks.images import image_preprocessing, resize_images
from benchmarks.tasks.record import ArrayTask
from benchmarks.tasks.scikit_learn import digit_images
from benchmarks.tasks.splits import row_groups
from nas.task import Augmentation
from nas.video.sampling import Sampling
from searchspaces.errors import InputError

MOTIONS: Final = ("still", "left", "right", "up", "down", "clockwise", "counterclockwise")
DEFAULT_SHAPE: Final = (8, 32, 32, 1)
DIGIT_SIDE: Final = 8
LEAST_SIDE: Final = 16
# Pixels a frame for digits of 8 x 8; larger canvases have larger digits that move as much faster.
SPEEDS: Final = (1, 2)
CIRCLE_RADIUS: Final = 4
CIRCLE_FRAMES: Final = 8
_DIRECTIONS: Final = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}


def moving_digits(
    *,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    frames: int | None = None,
    examples: int = 1400,
) -> ArrayTask:
    """Synthetic: real digits (UCI optdigits) moved by a rule; 7 motions. Splits are disjoint by digit image.

    Args:
        input_shape: frames, height, width and channels (or the last three); 8 x 32 x 32 x 1 by default. A digit takes
            a quarter of the shorter side.
        seed: of places, speeds and the split.
        frames: at least 3, where `input_shape` does not say.
        examples: clips in all, seven of each digit image.
    """
    shape = clip_shape(input_shape, frames, DEFAULT_SHAPE)
    if shape[0] < 3 or min(shape[1:3]) < LEAST_SIDE:
        raise InputError(
            f"input_shape: expected at least 3 frames of {LEAST_SIDE} x {LEAST_SIDE} pixels, got {shape[0]} of"
            f" {shape[1]} x {shape[2]}; fewer do not tell the motions apart, try {list(DEFAULT_SHAPE)}."
        )
    number = np.arange(check_count("examples", examples, least=len(MOTIONS)))
    pictures = _sized_digits(shape)
    digit, y = number // len(MOTIONS) % len(pictures), number % len(MOTIONS)
    rng = np.random.default_rng([check_count("seed", seed, least=0), 1])
    digit = rng.permutation(len(pictures))[digit]
    rows, columns = trajectories(y, shape, rng)
    x = draw(pictures[digit], rows, columns, shape)
    source = Source(
        name="moving-digits (synthetic)",
        origin="synthetic: digits of scikit-learn load_digits (UCI optdigits) moved over a canvas by a rule",
        y=y,
        class_names=MOTIONS,
        seed=seed,
    )
    preprocessing = clip_preprocessing(shape, Sampling(frames=shape[0], stride=1))
    return clip_task(
        source,
        x[:, np.newaxis],
        preprocessing=preprocessing,
        augmentation=Augmentation(),
        origins=row_groups(pictures)[digit],
    )


def trajectories(
    motions: NDArray[np.int64], shape: tuple[int, int, int, int], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column (int64 [N, T], on the torus) of the digit's corner in every frame of clips of these motions."""
    frames, height, width, _ = shape
    scale = _digit_side(shape) / DIGIT_SIDE
    time = np.arange(frames)
    speeds, phases = rng.choice(SPEEDS, len(motions)), rng.uniform(0, 2 * np.pi, len(motions))
    starts = rng.integers(0, [height, width], size=(len(motions), 2))
    path = np.zeros((len(motions), frames, 2))
    for label, motion in enumerate(MOTIONS):
        own = motions == label
        if motion in _DIRECTIONS:
            path[own] = scale * speeds[own, None, None] * time[:, None] * np.array(_DIRECTIONS[motion])
        elif motion != "still":
            turn = 2 * np.pi / CIRCLE_FRAMES * time * (1 if motion == "clockwise" else -1)
            angle = phases[own, None] + turn
            # Rows run downwards: a growing angle then goes clockwise.
            path[own] = scale * CIRCLE_RADIUS * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    places = (starts[:, None] + np.rint(path).astype(np.int64)) % [height, width]
    return places[..., 0], places[..., 1]


def draw(
    pictures: NDArray[np.uint8],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    shape: tuple[int, int, int, int],
) -> NDArray[np.uint8]:
    """uint8 [N, T, H, W, C]: each picture [N, side, side, C] at its places [N, T], wrapped round the canvas."""
    x = np.zeros((len(pictures), *shape), np.uint8)
    clip, time = np.ogrid[: len(pictures), : shape[0]]
    for row in range(pictures.shape[1]):
        for column in range(pictures.shape[2]):
            place = ((rows + row) % shape[1], (columns + column) % shape[2])
            x[clip, time, place[0], place[1]] = pictures[:, None, row, column]
    return x


def _digit_side(shape: tuple[int, int, int, int]) -> int:
    return max(DIGIT_SIDE, min(shape[1:3]) // 4)


def _sized_digits(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    side = _digit_side(shape)
    images, _ = digit_images()
    return resize_images(image_preprocessing((side, side, shape[3])).host, images)
