"""Pascal VOC (Everingham et al. 2010): one XML file a picture, lists of pictures for the parts."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from benchmarks.tasks.checks import check_flag, image_shape
from benchmarks.tasks.detection.files import FileTree, open_tree, require
from benchmarks.tasks.detection.pictures import Box, BoxSource, Picture, parse_names, read_boxes
from benchmarks.tasks.image_folder import READ
from benchmarks.tasks.record import BoxTask
from benchmarks.tasks.splits import Rows
from nas.detection_task import DetectionAugmentation
from nas.task import Part
from searchspaces.errors import InputError, MissingError

SHAPE: Final = (320, 320, 3)
# Lists that set parts apart; trainval is the pool that train and validation are drawn from where they have no lists.
LISTS: Final[Mapping[Part, Sequence[str]]] = {"train": ("train", "trainval"), "validation": ("val",), "test": ("test",)}


def voc(
    *,
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    classes: str | Iterable[str] | None = None,
    repair: bool = False,
    flip: bool = True,
    crop: bool = True,
) -> BoxTask:
    """Annotations/*.xml with JPEGImages/ and, where they are, ImageSets/Main/*.txt; or XML files beside the pictures.

    Coordinates are taken as they are written. Objects marked difficult are neither trained on nor counted, as in VOC's
    own evaluation. Pictures that no list names are left out, where there are lists; the provenance says how many.

    Args:
        path: the folder, one above it, or a .tar of either.
        input_shape: every picture is stretched to it; 320 x 320 x 3 by default.
        seed: of the split, as far as there are no lists.
        classes: the classes in order (a list, or cat|dog); by default those that occur, sorted. Others are refused.
        repair: cut boxes at the edge and drop those without an area, instead of refusing them.
        flip: left and right swapped at random in training.
        crop: parts cut out at random in training, as SSD does.
    """
    shape = image_shape(input_shape, SHAPE)
    augmentation = DetectionAugmentation(flip=check_flag("flip", flip), crop=check_flag("crop", crop))
    files = open_tree(path)
    annotations = _annotation_files(files)
    found = {PurePosixPath(name).stem: name for name in annotations}
    root = PurePosixPath(annotations[0]).parent
    has_layout = root.name == "Annotations"
    base = root.parent if has_layout else root
    given = _parts(files, base, set(found)) if has_layout else {}
    listed = {stem for stems in given.values() for stem in stems}
    stems = sorted(listed or found)
    place = {stem: row for row, stem in enumerate(stems)}
    rows: dict[Part, Rows] = {part: np.array([place[stem] for stem in own], np.int64) for part, own in given.items()}
    folder = base / "JPEGImages" if has_layout else base
    source = BoxSource(
        name="voc",
        origin=f"voc {path}",
        pictures=_unique([_picture(files, found[stem], folder) for stem in stems]),
        files=files,
        seed=seed,
        class_names=parse_names("classes", classes),
        given=rows,
        notes={"unlisted_pictures": len(found) - len(stems)},
    )
    return read_boxes(source, shape=shape, augmentation=augmentation, repair=repair)


def _annotation_files(files: FileTree) -> list[str]:
    """All XML files of the one folder that has them."""
    found = [name for name in files.names if name.lower().endswith(".xml")]
    proper = [name for name in found if PurePosixPath(name).parent.name == "Annotations"]
    chosen = proper or found
    folders = sorted({PurePosixPath(name).parent.as_posix() for name in chosen})
    if len(folders) != 1:
        what = f"several: {', '.join(folders[:4])}" if folders else "none"
        raise InputError(
            f"path: expected one folder of annotations (*.xml) in {files.place!r}, got {what}; give the folder that"
            " holds Annotations and JPEGImages."
        )
    return chosen


def _parts(files: FileTree, base: PurePosixPath, known: set[str]) -> dict[Part, list[str]]:
    """Part → stems, from the lists that are there; without one for training it gets what the others leave."""
    given: dict[Part, list[str]] = {}
    for part, names in LISTS.items():
        lists = [(base / "ImageSets" / "Main" / f"{name}.txt").as_posix() for name in names]
        present = [name for name in lists if name in files]
        if present:
            given[part] = _listed(files, present[0], known)
    if given and "train" not in given:
        given["train"] = sorted(known.difference(*given.values()))
    return given


def _listed(files: FileTree, name: str, known: set[str]) -> list[str]:
    stems: dict[str, None] = {}
    for number, line in enumerate(files.read(name).decode("utf-8", "replace").splitlines(), start=1):
        stem = line.strip()
        if not stem:
            continue
        if stem not in known:
            raise InputError(
                f"{name}, line {number}: expected the name of an annotated picture, got {stem!r}; add"
                f" Annotations/{stem}.xml or remove the line."
            )
        if stem in stems:
            raise InputError(f"{name}, line {number}: expected different pictures, got {stem!r} again; remove it.")
        stems[stem] = None
    if not stems:
        raise InputError(f"{name}: expected the names of pictures, got an empty list; fill it or remove the file.")
    return list(stems)


def _picture(files: FileTree, name: str, folder: PurePosixPath) -> Picture:
    root = _parsed(files.read(name), name)
    if root.tag != "annotation":
        raise InputError(f"{name}: expected a VOC annotation, got <{root.tag}>; move other XML files away.")
    objects = root.findall("object")
    return Picture(
        file=_picture_file(files, root, name, folder),
        boxes=tuple(_box(each, f"{name}, object {number}") for number, each in enumerate(objects, start=1)),
        where=name,
        size=_size(root, name),
    )


def _parsed(data: bytes, name: str) -> Any:
    """The root of an XML file; a document type is refused, so that no entity can grow or reach for files."""
    try:
        reader = importlib.import_module("defusedxml.ElementTree")
    except ImportError as error:
        raise MissingError(
            "defusedxml: expected it to read XML, found none; install it with `pip install 'paretonas[detection]'`."
        ) from error
    try:
        return reader.fromstring(data, forbid_dtd=True)
    except (SyntaxError, ValueError, LookupError, RecursionError) as error:
        raise InputError(f"{name}: expected plain XML, got something else ({error}); write it again.") from error


def _picture_file(files: FileTree, root: Any, name: str, folder: PurePosixPath) -> str:
    """The picture that the annotation names or, where it is not there, the one that has the annotation's own name."""
    stem = PurePosixPath(name).stem
    written = (root.findtext("filename") or "").strip().replace("\\", "/")
    named = (folder / PurePosixPath(written).name).as_posix() if written else ""
    if named in files:
        return named
    alike = [(folder / f"{stem}{suffix}").as_posix() for ending in sorted(READ) for suffix in (ending, ending.upper())]
    same = [candidate for candidate in alike if candidate in files]
    return same[0] if same else require(files, named or alike[0], name)


def _size(root: Any, name: str) -> tuple[int, int] | None:
    """(height, width); some tools leave it out or write zeros."""
    texts = [root.findtext(f"size/{side}") for side in ("height", "width")]
    if any(text is None or not text.strip() for text in texts):
        return None
    sides = [_number(text, f"{name}, size") for text in texts]
    return (int(sides[0]), int(sides[1])) if min(sides) > 0 else None


def _box(each: Any, where: str) -> Box:
    label = (each.findtext("name") or "").strip()
    if not label:
        raise InputError(f"{where}: expected the name of its class, got none; write it into <name>.")
    sides = {side: _number(each.findtext(f"bndbox/{side}"), where, side) for side in ("xmin", "ymin", "xmax", "ymax")}
    return Box(label=label, where=where, ignored=(each.findtext("difficult") or "").strip() == "1", **sides)


def _number(text: str | None, where: str, side: str = "sides") -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise InputError(f"{where}: expected {side} as a number, got {text!r}; correct it.") from error


def _unique(pictures: list[Picture]) -> list[Picture]:
    seen: dict[str, str] = {}
    for picture in pictures:
        if picture.file in seen:
            raise InputError(
                f"{picture.where}: expected a picture of its own, got {picture.file}, which {seen[picture.file]} has;"
                " remove one of the two annotations."
            )
        seen[picture.file] = picture.where
    return pictures
