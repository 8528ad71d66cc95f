"""A task from pictures in folders: one folder for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.tasks.build import Source, image_task
from benchmarks.tasks.checks import check_count, check_flag, folder, image_shape
from benchmarks.tasks.class_folders import read_class_folders
from benchmarks.tasks.images import encode_image, image_preprocessing
from benchmarks.tasks.record import ArrayTask
from nas.task import Augmentation
from searchspaces.errors import InputError

READ: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
# Pictures that would be left out without a word if only the above were looked for.
REFUSED: Final = frozenset({".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".svg"})


def image_folder(
    *,
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    shift: int | None = None,
    flip: bool = False,
) -> ArrayTask:
    """Pictures from one folder per class, read whole into memory (N x H x W x C bytes).

    Args:
        path: the folder of the class folders, or of train/ with test/ and val/ (either or both) that hold them.
            Pictures deeper inside a class folder count too; hidden files and other kinds of file do not.
        input_shape: every picture is stretched to it; 64 x 64 x 3 by default.
        seed: of the split.
        shift: pixels of random translation in training, by default 1/16 of the shorter side.
        flip: left and right swapped at random in training; off by default, because signs and letters have a side.
    """
    root = folder(path)
    shape = image_shape(input_shape, (64, 64, 3))
    default_shift = min(shape[:2]) // 16
    augmentation = Augmentation(
        shift=default_shift if shift is None else check_count("shift", shift, least=0), flip=check_flag("flip", flip)
    )
    found = read_class_folders(root, _of_class, "pictures")
    source = Source(
        name="image-folder",
        origin=f"image-folder {path}",
        y=found.y,
        class_names=found.class_names,
        seed=seed,
        given=found.given,
    )
    host = image_preprocessing(shape).host
    x = np.stack([encode_image(host, file, what=f"picture {str(file)!r}") for file in found.items])
    return image_task(source, x, shape=shape, augmentation=augmentation)


def _of_class(place: Path) -> list[Path]:
    pictures = []
    for file in sorted(place.rglob("*")):
        hidden = any(name.startswith(".") for name in file.relative_to(place).parts)
        if hidden or not file.is_file():
            continue
        if file.suffix.lower() in REFUSED:
            raise InputError(
                f"picture {str(file)!r}: expected png, jpg, webp or bmp, got {file.suffix}; convert it or move it away."
            )
        if file.suffix.lower() in READ:
            pictures.append(file)
    if not pictures:
        raise InputError(
            f"path: expected pictures (png, jpg, webp or bmp) in the class folder {str(place)!r}, got none; remove the"
            " folder or fill it."
        )
    return pictures
