"""Boxes in a table: one row a box, with named columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.tasks import checks
from benchmarks.tasks.detection.files import open_tree, require
from benchmarks.tasks.detection.pictures import Box, BoxSource, Picture, parse_names, read_boxes
from benchmarks.tasks.detection.voc import SHAPE
from benchmarks.tasks.record import BoxTask
from benchmarks.tasks.table_reading import Cells, read_delimited
from benchmarks.tasks.values import is_missing, number, text
from nas.detection_task import DetectionAugmentation
from searchspaces.errors import InputError, unknown_name

SIDES = ("xmin", "ymin", "xmax", "ymax")


def boxes_csv(
    *,
    path: str | Path,
    images: str | Path | None = None,
    file: str = "filename",
    label: str = "class",
    xmin: str = "xmin",
    ymin: str = "ymin",
    xmax: str = "xmax",
    ymax: str = "ymax",
    delimiter: str = ",",
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    classes: str | Iterable[str] | None = None,
    repair: bool = False,
    flip: bool = True,
    crop: bool = True,
) -> BoxTask:
    """A table with a header line; columns count by their names, in any order. Coordinates are pixels.

    A row whose class and sides are all empty says that its picture has no box.

    Args:
        path: the table (UTF-8, also gzipped).
        images: the folder, or .tar, of the pictures; by default the folder of the table.
        file: the column of the pictures' names.
        label: the column of the classes.
        xmin, ymin, xmax, ymax: the columns of the sides.
        delimiter: the one character between values.
        input_shape: every picture is stretched to it; 320 x 320 x 3 by default.
        seed: of the split.
        classes: the classes in order (a list, or cat|dog); by default those that occur, sorted. Others are refused.
        repair: cut boxes at the edge and drop those without an area, instead of refusing them.
        flip: left and right swapped at random in training.
        crop: parts cut out at random in training, as SSD does.
    """
    table = checks.file(path)
    shape = checks.image_shape(input_shape, SHAPE)
    augmentation = DetectionAugmentation(flip=checks.check_flag("flip", flip), crop=checks.check_flag("crop", crop))
    cells = read_delimited(table.read_bytes(), str(path), delimiter)
    columns = {"file": file, "label": label, "xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}
    for option, column in columns.items():
        if column not in cells:
            raise unknown_name(f"{option} column of {table}", column, cells)
    files = open_tree(table.parent if images is None else images, "images")
    boxes: dict[str, list[Box]] = {}
    first: dict[str, str] = {}
    for row in range(len(cells[file])):
        where = f"{table}, data row {row + 1}"
        name = str(cells[file][row]).strip()
        if not name:
            raise InputError(f"{where}: expected the name of a picture in {file!r}, got none; fill it.")
        first.setdefault(name, where)
        boxes.setdefault(name, []).extend(_box(cells, columns, row, where))
    source = BoxSource(
        name="boxes-csv",
        origin=f"boxes-csv {path}, label {label}",
        pictures=[
            Picture(file=require(files, name, first[name]), boxes=tuple(own), where=first[name])
            for name, own in sorted(boxes.items())
        ],
        files=files,
        seed=seed,
        class_names=parse_names("classes", classes),
    )
    return read_boxes(source, shape=shape, augmentation=augmentation, repair=repair)


def _box(cells: Cells, columns: dict[str, str], row: int, where: str) -> list[Box]:
    """The box of a row, or none where the row says so."""
    values = {name: cells[column][row] for name, column in columns.items() if name != "file"}
    if all(is_missing(value) for value in values.values()):
        return []
    label = text(values["label"])
    if label is None:
        raise InputError(f"{where}: expected a class in {columns['label']!r}, got none; fill it, or empty the row.")
    sides = {name: number(values[name]) for name in SIDES}
    for name, side in sides.items():
        if side is None or side != side:
            raise InputError(f"{where}: expected a number in {columns[name]!r}, got {values[name]!r}; correct it.")
    return [Box(label=label, where=where, **sides)]
