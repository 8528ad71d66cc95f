"""A task from pictures in folders: one folder for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.build import Source, image_task
from benchmarks.tasks.checks import check_count, check_flag, folder, image_shape
from benchmarks.tasks.images import encode_image, image_preprocessing
from benchmarks.tasks.labels import check_class_names
from benchmarks.tasks.record import ArrayTask
from nas.task import Augmentation, Part
from searchspaces.errors import InputError

READ: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
# Pictures that would be left out without a word if only the above were looked for.
REFUSED: Final = frozenset({".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".svg"})
PART_FOLDERS: Final[Mapping[str, Part]] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


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
    found = _pictures(root)
    class_names = _class_names(root, {name for classes in found.values() for name in classes})
    files: list[Path] = []
    labels: list[int] = []
    given: dict[Part, NDArray[np.int64]] = {}
    for part, classes in found.items():
        start = len(files)
        for name, pictures in sorted(classes.items()):
            files += pictures
            labels += [class_names.index(name)] * len(pictures)
        given[part] = np.arange(start, len(files))
    source = Source(
        name="image-folder",
        origin=f"image-folder {path}",
        y=np.array(labels, np.int64),
        class_names=class_names,
        seed=seed,
        given=given if len(given) > 1 else {},
    )
    host = image_preprocessing(shape).host
    x = np.stack([encode_image(host, file, what=f"picture {str(file)!r}") for file in files])
    return image_task(source, x, shape=shape, augmentation=augmentation)


def _pictures(root: Path) -> dict[Part, dict[str, list[Path]]]:
    """Part → class folder → its pictures, sorted; a single part, train, where the folder has no train/."""
    inside = _folders(root)
    if "train" not in inside:
        return {"train": {name: _of_class(place) for name, place in inside.items()}}
    strange = sorted(set(inside) - set(PART_FOLDERS))
    if strange:
        raise InputError(
            f"path: expected only train, val and test beside 'train' in {str(root)!r}, got also {strange[0]!r}; move it"
            " away, or rename 'train' if it is a class."
        )
    found: dict[Part, dict[str, list[Path]]] = {}
    for name, place in inside.items():
        if PART_FOLDERS[name] in found:
            raise InputError(f"path: expected one validation folder in {str(root)!r}, got several; merge them.")
        found[PART_FOLDERS[name]] = {inner: _of_class(folder_) for inner, folder_ in _folders(place).items()}
    return found


def _folders(root: Path) -> dict[str, Path]:
    return {place.name: place for place in sorted(root.iterdir()) if place.is_dir() and place.name[0] != "."}


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


def _class_names(root: Path, names: set[str]) -> tuple[str, ...]:
    """Sorted, folders named by whole numbers by size."""
    if len(names) < 2:
        raise InputError(
            f"path: expected a folder for each of at least 2 classes in {str(root)!r}, got"
            f" {', '.join(sorted(names)) or 'none'}; sort the pictures into one folder per class."
        )
    by_size = all(name.isdecimal() for name in names)
    return check_class_names(sorted(names, key=lambda name: (int(name), name) if by_size else (0, name)))
