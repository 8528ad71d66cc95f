"""Detection tasks from every format: what comes out is what was written, split without leaks."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import tasks
from benchmarks.tasks.detection.digits_canvas import MOST_OVERLAP
from benchmarks.tasks.testing import check_task
from models.detection.annotations import Annotations
from models.detection.boxes import iou
from nas.detection_task import DetectionSplit
from nas.task import PARTS
from searchspaces.errors import InputError

SIZE = (30, 40, 3)
FORMATS = ("voc", "coco", "csv")


def made(kind, rectangles, write, **options):
    root = write(getattr(rectangles, kind)())
    if kind == "voc":
        return tasks.create("voc", path=root, **({"input_shape": SIZE} | options))
    if kind == "coco":
        return tasks.create("coco", path=root / "boxes.json", **({"input_shape": SIZE} | options))
    return tasks.create("boxes-csv", path=root / "boxes.csv", **({"input_shape": SIZE} | options))


def content(task) -> set[tuple]:
    """Every picture with its boxes in pixels, whatever the part and order."""
    found = set()
    for part in PARTS:
        split = task.split(part)
        for row in range(len(split)):
            boxes, labels, _ = split.annotations.of(row)
            pixels = np.rint(boxes * (60, 80, 60, 80)).astype(int).tolist()
            names = [task.class_names[label] for label in labels]
            found.add((split.x[row].tobytes(), tuple(sorted(zip(names, map(tuple, pixels), strict=True)))))
    return found


@pytest.mark.parametrize("kind", FORMATS)
def test_conformance(kind, rectangles, write) -> None:
    check_task(lambda seed: made(kind, rectangles, write, seed=seed))


def test_digits_canvas_conforms() -> None:
    check_task(lambda seed: tasks.create("digits-canvas", seed=seed, pictures=60, input_shape=(48, 64, 3)))


def test_all_formats_say_the_same(rectangles, write) -> None:
    first, second, third = (made(kind, rectangles, write) for kind in FORMATS)
    assert first.class_names == second.class_names == third.class_names == ("cat", "dog", "eel")
    assert content(first) == content(second) == content(third)
    assert sum(len(first.split(part)) for part in PARTS) == 30
    boxes = {(name, tuple(box)) for shapes in rectangles.shapes.values() for name, *box in shapes}
    told = {(name, (x1, y1, x2, y2)) for _, shapes in content(first) for name, (y1, x1, y2, x2) in shapes}
    assert told == boxes


def test_gaps_in_category_ids_close_and_unused_categories_are_named(rectangles, write) -> None:
    task = made("coco", rectangles, write)
    assert task.class_names == ("cat", "dog", "eel")
    assert task.provenance["categories_without_boxes"] == ["fox"]
    assert set(np.concatenate([task.split(part).annotations.classes for part in PARTS]).tolist()) == {0, 1, 2}


def test_every_part_gets_its_share_of_a_rare_class(rectangles, write) -> None:
    for number, stem in enumerate(rectangles.shapes):
        rectangles.shapes[stem] = [("cat", 2, 2, 20, 20), *([("eel", 40, 2, 60, 20)] if number % 6 == 0 else [])]
    task = made("voc", rectangles, write)
    assert [task.provenance["boxes"][part]["eel"] for part in PARTS] == [3, 1, 1]


def test_lists_set_the_parts_apart(rectangles, write) -> None:
    stems = list(rectangles.shapes)
    lists = {"train": stems[:15], "val": stems[15:20], "test": stems[20:29], "cat_train": ["p0  1"]}
    root = write(
        rectangles.voc() | {f"ImageSets/Main/{name}.txt": "\n".join(own).encode() for name, own in lists.items()}
    )
    task = tasks.create("voc", path=root, input_shape=SIZE)
    assert task.provenance["rows"] == {"train": 15, "validation": 5, "test": 9}
    assert task.provenance["unlisted_pictures"] == 1
    assert task.provenance["drawn_by_seed"] == []
    for name in ("train", "val"):
        (root / f"ImageSets/Main/{name}.txt").unlink()
    task = tasks.create("voc", path=root, input_shape=SIZE)
    assert task.provenance["rows"] == {"train": 17, "validation": 4, "test": 9}


def test_a_tar_and_a_folder_are_read_alike_and_pictures_may_lie_beside_their_xml(rectangles, write, tmp_path) -> None:
    root = write(rectangles.voc())
    with tarfile.open(tmp_path / "data.tar", "w") as archive:
        archive.add(root, arcname="VOC")
    flat = tmp_path / "flat"
    flat.mkdir()
    for name, data in rectangles.voc().items():
        (flat / Path(name).name).write_bytes(data)
    found = [tasks.create("voc", path=path, input_shape=SIZE) for path in (root, tmp_path / "data.tar", flat)]
    assert len({task.provenance["sha256"] for task in found}) == 1
    assert content(found[0]) == content(found[1]) == content(found[2])


def test_identical_pictures_stay_in_one_part(rectangles, write) -> None:
    files = rectangles.voc()
    for number in range(6):
        files[f"JPEGImages/p{number}.png"] = files["JPEGImages/p0.png"]
    task = tasks.create("voc", path=write(files), input_shape=SIZE)
    rows = {part: [row.tobytes() for row in task.split(part).x] for part in PARTS}
    together = [row for own in rows.values() for row in own]
    copied = max(together, key=together.count)
    assert sorted(own.count(copied) for own in rows.values()) == [0, 0, 6]


def test_difficult_objects_and_crowds_are_ignored(rectangles, write) -> None:
    files = rectangles.voc()
    files["Annotations/p1.xml"] = files["Annotations/p1.xml"].replace(b"<difficult>0", b"<difficult>1", 1)
    crowd = rectangles.coco()
    crowd["boxes.json"] = crowd["boxes.json"].replace(b'"iscrowd": 0', b'"iscrowd": 1', 1)
    voc = tasks.create("voc", path=write(files), input_shape=SIZE)
    coco = tasks.create("coco", path=write(crowd) / "boxes.json", input_shape=SIZE)
    for task in (voc, coco):
        assert sum(task.split(part).annotations.ignored.sum() for part in PARTS) == 1


def test_repair_cuts_drops_and_says_so(rectangles, write) -> None:
    rectangles.shapes["p1"] = [("cat", -4, 2, 20, 20), ("dog", 30, 30, 30, 40), ("eel", 70, 10, 200, 30)]
    rectangles.shapes["p2"] = [("cat", 5, 5, 20, 20)] * 2
    with pytest.raises(InputError, match=r"p1\.xml, object 1: expected a box within its picture, got x -4 to 20"):
        made("voc", rectangles, write)
    rectangles.png = lambda stem: b""  # the pictures are written already
    files = {name: data for name, data in rectangles.voc().items() if name.endswith("xml")}
    root = write(files)
    task = tasks.create("voc", path=root, input_shape=SIZE, repair=True)
    assert task.provenance["mended_boxes"] == {"cut": 2, "dropped": 1, "copies": 1}
    boxes = np.concatenate([task.split(part).annotations.boxes for part in PARTS])
    assert boxes.min() == 0 and boxes.max() == 1


def test_the_order_of_columns_does_not_matter_and_names_can_be_given(rectangles, write) -> None:
    task = made("csv", rectangles, write)
    files = rectangles.csv()
    head, *lines = files["boxes.csv"].decode().splitlines()
    moved = [";".join(reversed(line.split(","))) for line in [head.replace("class", "kind"), *lines]]
    root = write(files | {"boxes.csv": "\n".join(moved).encode()})
    other = tasks.create("boxes-csv", path=root / "boxes.csv", label="kind", delimiter=";", input_shape=SIZE)
    assert content(other) == content(task)


def test_options_from_text_have_their_types() -> None:
    texts = {"path": "1", "repair": "true", "classes": "cat|dog"}
    assert tasks.typed_options("voc", texts) == {"path": "1", "repair": True, "classes": "cat|dog"}
    assert tasks.typed_options("image-folder", {"shift": "3", "flip": "False"}) == {"shift": 3, "flip": False}
    assert tasks.typed_options("csv", {"label": "3", "nonsense": "3"}) == {"label": "3", "nonsense": "3"}


# -- digits on a canvas ------------------------------------------------------------------------------------------------


def test_digits_on_a_canvas_hardly_overlap_and_are_bright_in_their_boxes() -> None:
    task = tasks.create("digits-canvas", pictures=50)
    split = task.split("train")
    for row in range(len(split)):
        boxes, _, _ = split.annotations.of(row)
        assert 1 <= len(boxes) <= 4
        overlaps = iou(boxes, boxes)
        assert overlaps[~np.eye(len(boxes), dtype=bool)].max(initial=0) <= MOST_OVERLAP
        inside = np.zeros(task.input_shape[:2], bool)
        for ymin, xmin, ymax, xmax in np.rint(boxes * 96).astype(int):
            inside[ymin:ymax, xmin:xmax] = True
        picture = split.x[row, ..., 0].astype(float)
        assert picture[inside].mean() > picture[~inside].mean() + 30


@pytest.mark.parametrize("options", [{"input_shape": (16, 96, 1)}, {"pictures": 3}, {"input_shape": (96, 96, 2)}])
def test_digits_on_a_canvas_refuse(options) -> None:
    with pytest.raises(InputError):
        tasks.create("digits-canvas", **options)


# -- the split ---------------------------------------------------------------------------------------------------------


def test_a_split_needs_pictures_with_annotations_and_a_box_that_counts() -> None:
    task = tasks.create("digits-canvas", pictures=50)
    split = task.split("test")
    with pytest.raises(InputError, match="annotations of each of 9 pictures"):
        DetectionSplit(x=split.x[:9], annotations=split.annotations)
    with pytest.raises(InputError, match="uint8"):
        DetectionSplit(x=split.x.astype(np.float32), annotations=split.annotations)
    found = split.annotations
    ignored = Annotations(
        boxes=found.boxes, classes=found.classes, ignored=np.ones(len(found.boxes), bool), starts=found.starts
    )
    with pytest.raises(InputError, match="none that counts"):
        DetectionSplit(x=split.x, annotations=ignored)
    with pytest.raises(InputError, match="name every class"):
        replace(task, class_names=task.class_names[:3])


# -- real data ---------------------------------------------------------------------------------------------------------


def test_blood_cells_from_a_tar(shared_data) -> None:
    path = shared_data / "bccd_detection" / "bccd.tar"
    with pytest.raises(InputError, match=r"BloodImage_00338\.xml, object 13: expected an area above 0"):
        tasks.create("voc", path=path, input_shape=(48, 64, 3))
    task = tasks.create("voc", path=path, input_shape=(48, 64, 3), repair=True)
    assert task.class_names == ("Platelets", "RBC", "WBC")
    assert task.provenance["rows"] == {"train": 205, "validation": 87, "test": 72}
    assert task.provenance["mended_boxes"] == {"cut": 0, "dropped": 2, "copies": 0}
    totals = {name: sum(task.provenance["boxes"][part][name] for part in PARTS) for name in task.class_names}
    assert totals == {"RBC": 4155 - 2, "WBC": 372, "Platelets": 361}


# -- the kit -----------------------------------------------------------------------------------------------------------


def broken(**changed):
    """A task factory whose tasks differ from sound ones in some field."""

    def make(seed: int):
        task = tasks.create("digits-canvas", pictures=50, seed=seed)
        return replace(task, **{name: change(task) for name, change in changed.items()})

    return make


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (
            broken(provenance=lambda task: {**task.provenance, "boxes": task.provenance["boxes"] | {"test": {}}}),
            "boxes",
        ),
        (broken(provenance=lambda task: {**task.provenance, "rows": {}}), "rows of each part"),
        (broken(splits=lambda task: task.splits | {"test": task.splits["validation"]}), "rows of each part"),
        (
            broken(
                splits=lambda task: task.splits | {"test": task.splits["validation"]},
                provenance=lambda task: {
                    **task.provenance,
                    "rows": task.provenance["rows"] | {"test": task.provenance["rows"]["validation"]},
                    "boxes": task.provenance["boxes"] | {"test": task.provenance["boxes"]["validation"]},
                },
            ),
            "validation and test: expected no example in both",
        ),
        (broken(class_names=lambda task: (*task.class_names, "ten")), "provenance: expected|lacks|every class"),
        (lambda seed: tasks.create("digits-canvas", pictures=50, seed=0), "is the seed used"),
    ],
)
def test_the_kit_finds_what_is_wrong(factory, words) -> None:
    with pytest.raises(AssertionError, match=words):
        check_task(factory)
