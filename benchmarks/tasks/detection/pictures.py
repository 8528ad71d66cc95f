"""Annotated pictures, as a reader found them, to a `BoxTask`: opened, checked, split. Every reader ends here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.checks import check_count, check_flag
from benchmarks.tasks.detection.files import FileTree
from benchmarks.tasks.images import image_preprocessing
from benchmarks.tasks.record import BoxTask
from benchmarks.tasks.splits import Partition, Rows, partition, row_groups
from models.detection.annotations import Annotations
from nas.detection_task import DetectionAugmentation, DetectionSplit, class_counts
from nas.pictures import encode_sized
from nas.task import PARTS, Part
from searchspaces.errors import InputError, unknown_name

# A box that reaches beyond the picture by less is rounding: some tools write pixels with one decimal.
_ROUNDING_PIXELS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box as it was written, in pixels from the upper left corner; `where` names its file and row."""

    label: str
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    where: str
    ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture before it is opened.

    file: its name in the file tree.  size: (height, width) that the annotation was made for, None where it is silent.
    where: the file and row that name the picture.
    """

    file: str
    boxes: tuple[Box, ...]
    where: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSource:
    """What a reader found.

    class_names: in order, or None for those that occur, sorted.  given: rows of the parts already set apart.
    notes: more for the provenance.
    """

    name: str
    origin: str
    pictures: Sequence[Picture]
    files: FileTree
    seed: int
    class_names: tuple[str, ...] | None = None
    given: Mapping[Part, Rows] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)


def read_boxes(
    source: BoxSource, *, shape: tuple[int, int, int], augmentation: DetectionAugmentation, repair: bool
) -> BoxTask:
    """The task of a source, every picture stretched to `shape`.

    Args:
        repair: cut boxes at their picture's edge and leave out those without an area, where else they are refused; how
            many were, the provenance says.

    Raises:
        InputError: names the picture, or the file and row of the box, that cannot be used.
    """
    check_flag("repair", repair)
    check_count("seed", source.seed, least=0)
    if not source.pictures:
        raise InputError(f"path: expected pictures in {source.files.place!r}, got none; is it the right folder?")
    class_names = _class_names(source)
    host = image_preprocessing(shape).host
    x = np.empty((len(source.pictures), *shape), np.uint8)
    mended = {"cut": 0, "dropped": 0, "copies": 0}
    sha256, rows = hashlib.sha256(), []
    for row, picture in enumerate(source.pictures):
        data = source.files.read(picture.file)
        what = f"picture {picture.file!r} ({picture.where})"
        x[row], size = encode_sized(host, data, what=what)
        if picture.size is not None and picture.size != size:
            raise InputError(
                f"{picture.where}: expected boxes for {picture.file} of {size[1]} x {size[0]} pixels, got an annotation"
                f" made for {picture.size[1]} x {picture.size[0]}; annotate the picture in its present size."
            )
        boxes, labels, ignored = _checked(picture, size, class_names, repair=repair, mended=mended)
        rows.append((boxes, labels, ignored))
        sha256.update(hashlib.sha256(data).digest() + boxes.tobytes() + labels.tobytes() + ignored.tobytes())
    return box_task(
        source.name,
        source.origin,
        x,
        Annotations.join(rows),
        class_names,
        seed=source.seed,
        given=source.given,
        augmentation=augmentation,
        sha256=sha256.hexdigest(),
        notes={**source.notes, "mended_boxes": mended},
    )


def box_task(
    name: str,
    origin: str,
    x: NDArray[np.uint8],
    annotations: Annotations,
    class_names: tuple[str, ...],
    *,
    seed: int,
    given: Mapping[Part, Rows],
    augmentation: DetectionAugmentation,
    sha256: str,
    notes: Mapping[str, object],
    drawn: Sequence[Part] | None = None,
) -> BoxTask:
    """The task of pictures in memory; copies of a picture stay in one part.

    Args:
        drawn: the parts that follow from the seed; by default those that are not given, and train.
    """
    parts = _divide(annotations, row_groups(x), given, class_names, seed)
    splits: dict[Part, DetectionSplit] = {}
    for part in PARTS:
        taken = annotations.take(parts.rows[part])
        if taken.ignored.all():
            raise InputError(f"{part}: expected a box in some of its {len(taken)} pictures, got none; add pictures.")
        splits[part] = DetectionSplit(x=x[parts.rows[part]], annotations=taken)
    counts = class_counts(splits["train"].annotations, class_names)
    for label, count in counts.items():
        if not count:
            raise InputError(
                f"class {label!r}: expected at least one box of every class in training, got none"
                f" ({class_counts(annotations, class_names)[label]} in all); add pictures, or take another seed."
            )
    if drawn is None:
        drawn = [part for part in PARTS if part == "train" or part not in given]
    return BoxTask(
        name=name,
        input_shape=tuple(x.shape[1:]),
        class_names=class_names,
        preprocessing=image_preprocessing(x.shape[1:]),
        augmentation=augmentation,
        splits=splits,
        rows=parts.rows,
        provenance={
            "source": origin,
            "sha256": sha256,
            "seed": seed,
            "rows": {part: len(rows) for part, rows in parts.rows.items()},
            "boxes": {part: dict(class_counts(split.annotations, class_names)) for part, split in splits.items()},
            "copies_dropped": parts.dropped,
            "drawn_by_seed": list(drawn) if len(drawn) > 1 else [],
            **notes,
        },
    )


def parse_names(option: str, value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """A list of names, or a text with bars between them (``cat|dog``)."""
    if value is None:
        return None
    found = tuple(value.split("|")) if isinstance(value, str) else tuple(value)
    if not found or not all(isinstance(name, str) and name.strip() for name in found) or len(set(found)) != len(found):
        raise InputError(f"{option}: expected different names, got {value!r}; write {option}=cat|dog, or a list.")
    return tuple(name.strip() for name in found)


def _class_names(source: BoxSource) -> tuple[str, ...]:
    found: dict[str, Box] = {}
    for picture in source.pictures:
        for box in picture.boxes:
            found.setdefault(box.label, box)
    if source.class_names is None:
        if not found:
            raise InputError(
                f"path: expected boxes in some of {len(source.pictures)} pictures of {source.files.place!r}, got none;"
                " is it annotated?"
            )
        return tuple(sorted(found))
    for label, box in found.items():
        if label not in source.class_names:
            raise InputError(f"{box.where}: {unknown_name('class', label, source.class_names)}")
    return source.class_names


def _checked(
    picture: Picture, size: tuple[int, int], class_names: Sequence[str], *, repair: bool, mended: dict[str, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Boxes as shares, class numbers and flags; a box that is written twice counts once."""
    height, width = size
    found: dict[tuple[tuple[float, ...], str], Box] = {}
    for box in picture.boxes:
        written = (box.ymin, box.xmin, box.ymax, box.xmax)
        if not all(math.isfinite(side) for side in written):
            raise _refused(box, picture, size, "finite numbers", "correct them")
        inside = tuple(min(max(side, 0.0), end) for side, end in zip(written, (height, width) * 2, strict=True))
        ymin, xmin, ymax, xmax = inside
        beyond = max(abs(one - two) for one, two in zip(written, inside, strict=True)) > _ROUNDING_PIXELS
        if not repair and not (box.ymin < box.ymax and box.xmin < box.xmax):
            raise _refused(box, picture, size, "an area above 0", "correct it, or drop such boxes with repair=true")
        if not repair and (beyond or not (ymin < ymax and xmin < xmax)):
            raise _refused(box, picture, size, "a box within its picture", "correct it, or cut with repair=true")
        if not (ymin < ymax and xmin < xmax):
            mended["dropped"] += 1
            continue
        mended["cut"] += beyond
        mended["copies"] += (inside, box.label) in found
        found[inside, box.label] = box
    boxes = np.array([sides for sides, _ in found], np.float64).reshape(-1, 4) / (height, width, height, width)
    labels = np.array([class_names.index(label) for _, label in found], np.int64)
    return boxes.astype(np.float32), labels, np.array([box.ignored for box in found.values()], np.bool_)


def _refused(box: Box, picture: Picture, size: tuple[int, int], expected: str, advice: str) -> InputError:
    sides = f"x {box.xmin:g} to {box.xmax:g}, y {box.ymin:g} to {box.ymax:g}"
    return InputError(
        f"{box.where}: expected {expected}, got {sides} in {picture.file} of {size[1]} x {size[0]} pixels; {advice}."
    )


def _divide(
    annotations: Annotations, groups: Rows, given: Mapping[Part, Rows], class_names: Sequence[str], seed: int
) -> Partition:
    """The split of the pictures; each counts for the rarest of its classes, so that rare ones get their share."""
    counts = list(class_counts(annotations, tuple(class_names)).values())
    none = len(class_names)
    pool = given.get("train", np.arange(len(annotations)))
    rarest = np.full(len(annotations), none)
    for row in pool:
        _, labels, ignored = annotations.of(int(row))
        rarest[row] = min(labels[~ignored].tolist(), key=lambda label: counts[label], default=none)
    found, strata = np.unique(rarest[pool], return_inverse=True)
    numbered = np.zeros(len(annotations), np.int64)
    numbered[pool] = strata
    names = [*class_names, "pictures without boxes"]
    return partition(numbered, groups, [names[label] for label in found], seed=seed, given=given)
