"""One folder for each class, and perhaps train/, val/ and test/ above them: what image-folder and clip-folder read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.labels import check_class_names
from nas.task import Part
from searchspaces.errors import InputError

Item = TypeVar("Item")
PART_FOLDERS: Final[Mapping[str, Part]] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found(Generic[Item]):
    """What lies in the class folders, in reading order: items, their class numbers, rows of the parts set apart."""

    items: tuple[Item, ...]
    y: NDArray[np.int64]
    class_names: tuple[str, ...]
    given: Mapping[Part, NDArray[np.int64]]


def read_class_folders(root: Path, of_class: Callable[[Path], list[Item]], noun: str) -> Found[Item]:
    """The items of every class folder below `root`.

    Args:
        of_class: the items of one class folder, sorted; raises an InputError where there are none.
        noun: what they are called in errors, such as "pictures".
    """
    found = _by_part(root, of_class)
    class_names = _class_names(root, {name for classes in found.values() for name in classes}, noun)
    items: list[Item] = []
    labels: list[int] = []
    given: dict[Part, NDArray[np.int64]] = {}
    for part, classes in found.items():
        start = len(items)
        for name, inside in sorted(classes.items()):
            items += inside
            labels += [class_names.index(name)] * len(inside)
        given[part] = np.arange(start, len(items))
    return Found(
        items=tuple(items),
        y=np.array(labels, np.int64),
        class_names=class_names,
        given=given if len(given) > 1 else {},
    )


def _by_part(root: Path, of_class: Callable[[Path], list[Item]]) -> dict[Part, dict[str, list[Item]]]:
    """Part → class folder → its items; a single part, train, where the folder has no train/."""
    inside = _folders(root)
    if "train" not in inside:
        return {"train": {name: of_class(place) for name, place in inside.items()}}
    strange = sorted(set(inside) - set(PART_FOLDERS))
    if strange:
        raise InputError(
            f"path: expected only train, val and test beside 'train' in {str(root)!r}, got also {strange[0]!r}; move it"
            " away, or rename 'train' if it is a class."
        )
    found: dict[Part, dict[str, list[Item]]] = {}
    for name, place in inside.items():
        if PART_FOLDERS[name] in found:
            raise InputError(f"path: expected one validation folder in {str(root)!r}, got several; merge them.")
        found[PART_FOLDERS[name]] = {inner: of_class(folder_) for inner, folder_ in _folders(place).items()}
    return found


def _folders(root: Path) -> dict[str, Path]:
    return {place.name: place for place in sorted(root.iterdir()) if place.is_dir() and place.name[0] != "."}


def _class_names(root: Path, names: set[str], noun: str) -> tuple[str, ...]:
    """Sorted, folders named by whole numbers by size."""
    if len(names) < 2:
        raise InputError(
            f"path: expected a folder for each of at least 2 classes in {str(root)!r}, got"
            f" {', '.join(sorted(names)) or 'none'}; sort the {noun} into one folder per class."
        )
    by_size = all(name.isdecimal() for name in names)
    return check_class_names(sorted(names, key=lambda name: (int(name), name) if by_size else (0, name)))
