"""A task from one .npz archive: x and y, or x_train, y_train and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.archives import read_npz
from benchmarks.tasks.build import Source, array_task, image_task
from benchmarks.tasks.checks import check_count, check_flag, image_shape
from benchmarks.tasks.labels import encode_labels
from benchmarks.tasks.record import ArrayTask
from nas.task import Augmentation, Part
from searchspaces.errors import InputError

SUFFIXES: Final[Mapping[str, Part]] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}


def npz(
    *,
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    classes: int | None = None,
    shift: int = 0,
    flip: bool = False,
) -> ArrayTask:
    """Images or features from an .npz archive.

    Args:
        path: an archive with x and y, or x_train, y_train and, where the parts are set apart already, x_val, y_val,
            x_test, y_test. x: uint8 [N, H, W] or [N, H, W, 1 or 3] for images, numbers [N, F] for features.
        input_shape: images are resized to it; without it they stay as they are.
        seed: of the split.
        classes: with it, labels must be whole numbers in 0 … classes - 1.
        shift: pixels of random translation in training, for images.
        flip: left and right swapped at random in training, for images.
    """
    arrays = read_npz(Path(path))
    x, labels, given = _join(_parts(arrays, str(path)))
    y, class_names = encode_labels(labels.tolist(), classes=classes)
    source = Source(
        name="npz",
        origin=f"npz {path}",
        y=y,
        class_names=class_names,
        seed=seed,
        given=given,
    )
    augmentation = Augmentation(shift=check_count("shift", shift, least=0), flip=check_flag("flip", flip))
    if x.ndim == 2 and np.issubdtype(x.dtype, np.number) and not np.issubdtype(x.dtype, np.complexfloating):
        if augmentation != Augmentation():
            raise InputError("shift, flip: expected them for images only, got features [N, F]; leave them out.")
        return array_task(source, x, input_shape=input_shape)
    pixels = x[..., None] if x.ndim == 3 else x
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        raise InputError(
            "x: expected images as uint8 [N, H, W] or [N, H, W, 1 or 3], or features as numbers [N, F], got"
            f" {x.dtype} with shape {x.shape}; store pixels from 0 to 255 with astype('uint8')."
        )
    return image_task(source, pixels, shape=image_shape(input_shape, pixels.shape[1:]), augmentation=augmentation)


def _parts(arrays: Mapping[str, NDArray[Any]], path: str) -> dict[Part, tuple[NDArray[Any], NDArray[Any]]]:
    if "x" in arrays and "y" in arrays:
        found: dict[Part, str] = {"train": ""}
    else:
        found = {part: f"_{end}" for end, part in SUFFIXES.items() if f"x_{end}" in arrays and f"y_{end}" in arrays}
    if "train" not in found:
        raise InputError(
            f"path: expected the arrays x and y, or x_train and y_train, in {path!r}, got"
            f" {', '.join(sorted(arrays)) or 'none'}; rename them."
        )
    pairs: dict[Part, tuple[NDArray[Any], NDArray[Any]]] = {}
    for part, end in found.items():
        x, y = arrays[f"x{end}"], arrays[f"y{end}"]
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if x.ndim < 2 or y.ndim != 1 or len(x) != len(y) or not x.size:
            raise InputError(
                f"x{end}, y{end}: expected examples [N, …] and labels [N], got shapes {x.shape} and"
                f" {arrays[f'y{end}'].shape}; give one label for each example."
            )
        pairs[part] = (x, y)
    return pairs


def _join(
    pairs: Mapping[Part, tuple[NDArray[Any], NDArray[Any]]],
) -> tuple[NDArray[Any], NDArray[Any], dict[Part, NDArray[np.int64]]]:
    """One array of examples, one of labels, and the rows of each part, none where there is but one."""
    shapes = {(x.shape[1:], x.dtype) for x, _ in pairs.values()}
    if len(shapes) > 1:
        listed = ", ".join(f"{part} {x.dtype} {x.shape}" for part, (x, _) in pairs.items())
        raise InputError(f"x: expected examples of the same shape and type in every part, got {listed}; convert them.")
    given: dict[Part, NDArray[np.int64]] = {}
    start = 0
    for part, (x, _) in pairs.items():
        given[part] = np.arange(start, start + len(x))
        start += len(x)
    joined = np.concatenate([x for x, _ in pairs.values()])
    return joined, np.concatenate([y for _, y in pairs.values()]), given if len(given) > 1 else {}
