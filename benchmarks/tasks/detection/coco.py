"""COCO's instances (Lin et al. 2014): one JSON file for all pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tasks import checks
from benchmarks.tasks.detection.files import open_tree, require
from benchmarks.tasks.detection.pictures import Box, BoxSource, Picture, read_boxes
from benchmarks.tasks.detection.voc import SHAPE
from benchmarks.tasks.record import BoxTask
from nas.detection_task import DetectionAugmentation
from searchspaces.errors import InputError

Record = Mapping[str, Any]


def coco(
    *,
    path: str | Path,
    images: str | Path | None = None,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    repair: bool = False,
    flip: bool = True,
    crop: bool = True,
) -> BoxTask:
    """A JSON file with `images`, `annotations` and `categories`.

    Category ids may have gaps; classes are numbered in the order of the ids. Categories without a box are left out (the
    provenance names them), pictures without a box stay. Crowds are neither trained on nor counted.

    Args:
        path: the JSON file.
        images: the folder, or .tar, that `file_name` counts from; by default the folder of the JSON file.
        input_shape: every picture is stretched to it; 320 x 320 x 3 by default.
        seed: of the split.
        repair: cut boxes at the edge and drop those without an area, instead of refusing them.
        flip: left and right swapped at random in training.
        crop: parts cut out at random in training, as SSD does.
    """
    file = checks.file(path)
    shape = checks.image_shape(input_shape, SHAPE)
    augmentation = DetectionAugmentation(flip=checks.check_flag("flip", flip), crop=checks.check_flag("crop", crop))
    data = _read(file)
    files = open_tree(file.parent if images is None else images, "images")
    names = _categories(data["categories"], str(file))
    named = _images(data["images"], str(file))
    boxes = _boxes(data["annotations"], names, set(named), str(file))
    pictures = [
        Picture(
            file=require(files, each["file_name"], where),
            boxes=tuple(boxes.get(number, ())),
            where=where,
            size=_size(each),
        )
        for number, (where, each) in named.items()
    ]
    used = {box.label for picture in pictures for box in picture.boxes}
    source = BoxSource(
        name="coco",
        origin=f"coco {path}",
        pictures=pictures,
        files=files,
        seed=seed,
        class_names=tuple(name for name in names.values() if name in used) if used else None,
        notes={"categories_without_boxes": [name for name in names.values() if name not in used]},
    )
    return read_boxes(source, shape=shape, augmentation=augmentation, repair=repair)


def _read(file: Path) -> dict[str, list[Record]]:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: expected JSON, got something else ({error}); write it again.") from error
    keys = ("images", "annotations", "categories")
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in keys):
        got = ", ".join(sorted(data)) if isinstance(data, dict) else type(data).__name__
        raise InputError(
            f"{file}: expected an object with the lists {', '.join(keys)}, got {got}; give an instances file."
        )
    for key in keys:
        if not data[key]:
            raise InputError(f"{file}: expected entries in {key}, got an empty list; give an annotated set.")
        for row, each in enumerate(data[key]):
            if not isinstance(each, dict):
                raise InputError(f"{file}, {key}[{row}]: expected an object, got {each!r:.80}; correct it.")
    return data


def _id(each: Record, key: str, row: int, file: str) -> int:
    found = each.get("id")
    if isinstance(found, bool) or not isinstance(found, int):
        raise InputError(f"{file}, {key}[{row}]: expected id as a whole number, got {found!r}; number the {key}.")
    return found


def _images(entries: Sequence[Record], file: str) -> dict[int, tuple[str, Record]]:
    """Id → where it stands, and the entry, which has a file name of its own."""
    found: dict[int, tuple[str, Record]] = {}
    names: set[str] = set()
    for row, each in enumerate(entries):
        where = f"{file}, images[{row}]"
        number, name = _id(each, "images", row, file), each.get("file_name")
        if not isinstance(name, str) or not name:
            raise InputError(f"{where}: expected file_name as text, got {name!r}; name the picture's file.")
        if number in found or name in names:
            raise InputError(
                f"{where}: expected an id and a file of its own, got {number} {name}, which stands there already;"
                " remove one."
            )
        names.add(name)
        found[number] = (where, each)
    return found


def _categories(entries: Sequence[Record], file: str) -> dict[int, str]:
    """Id → name, by id."""
    names: dict[int, str] = {}
    for row, each in enumerate(entries):
        number, name = _id(each, "categories", row, file), each.get("name")
        if not isinstance(name, str) or not name:
            raise InputError(f"{file}, categories[{row}]: expected name as text, got {name!r}; name the class.")
        if number in names or name in names.values():
            raise InputError(
                f"{file}, categories[{row}]: expected an id and a name of its own, got {number} {name!r}, which stands"
                " there already; remove one."
            )
        names[number] = name
    return dict(sorted(names.items()))


def _boxes(entries: Sequence[Record], names: Mapping[int, str], pictures: set[int], file: str) -> dict[int, list[Box]]:
    """Picture id → its boxes."""
    found: dict[int, list[Box]] = {}
    for row, each in enumerate(entries):
        where = f"{file}, annotations[{row}]"
        picture, category = each.get("image_id"), each.get("category_id")
        if not isinstance(picture, int) or picture not in pictures:
            raise InputError(f"{where}: expected image_id of one of images, got {picture!r}; add it to images.")
        if not isinstance(category, int) or category not in names:
            known = ", ".join(map(str, list(names)[:5]))
            raise InputError(
                f"{where}: expected category_id of one of categories ({known}, …), got {category!r}; add it there."
            )
        sides = each.get("bbox")
        numbers = isinstance(sides, list) and all(
            isinstance(side, (int, float)) and not isinstance(side, bool) for side in sides
        )
        if not numbers or len(sides) != 4:
            raise InputError(f"{where}: expected bbox as [x, y, width, height], got {sides!r:.80}; correct it.")
        left, top, width, height = map(float, sides)
        found.setdefault(picture, []).append(
            Box(
                label=names[category],
                xmin=left,
                ymin=top,
                xmax=left + width,
                ymax=top + height,
                where=where,
                ignored=each.get("iscrowd") == 1,
            )
        )
    return found


def _size(each: Record) -> tuple[int, int] | None:
    """(height, width), where both are there."""
    sides = each.get("height"), each.get("width")
    if not all(isinstance(side, int) and side > 0 for side in sides):
        return None
    return sides  # type: ignore[return-value]
