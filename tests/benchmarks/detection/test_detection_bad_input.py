"""What can be wrong with annotated pictures: each an InputError that names the file and the row."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import tasks
from searchspaces.errors import InputError, MissingError

SIZE = (30, 40, 3)
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE bomb [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotation><filename>&b;</filename></annotation>"""
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&x;</filename></annotation>'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b"<xmax>", b"<xmax>9"), r"p0\.xml, object 1: expected a box within its picture, .* repair=true"),
        ((b"<name>cat", b"<name>"), r"p0\.xml, object 1: expected the name of its class"),
        ((b"<xmin>", b"<xmin>left"), r"p0\.xml, object 1: expected xmin as a number, got 'left"),
        ((b"<xmin>", b"<xmin>nan</xmin><xmin>"), r"p0\.xml, object 1: expected finite numbers"),
        ((b"<bndbox>", b"<box>"), r"p0\.xml: expected plain XML, got something else \(mismatched tag"),
        ((b"<width>80", b"<width>81"), r"p0\.xml: expected boxes for .* of 80 x 60 pixels, got .* 81 x 60"),
        ((b"<width>80", b"<width>wide"), r"p0\.xml, size: expected sides as a number, got 'wide'"),
        ((b"annotation>", b"notes>"), r"p0\.xml: expected a VOC annotation, got <notes>"),
    ],
)
def test_voc_file(change, words, rectangles, write) -> None:
    files = rectangles.voc()
    files["Annotations/p0.xml"] = files["Annotations/p0.xml"].replace(*change)
    with pytest.raises(InputError, match=words):
        tasks.create("voc", path=write(files), input_shape=SIZE)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"Annotations/p0.xml": b""}, r"p0\.xml: expected plain XML"),
        ({"Annotations/p0.xml": BOMB}, r"p0\.xml: expected plain XML, got something else \(DTDForbidden"),
        ({"Annotations/p0.xml": OUTSIDE}, r"p0\.xml: expected plain XML, got something else \(DTDForbidden"),
        ({"Annotations/p0.xml": b"\xff\xfe\x00"}, r"p0\.xml: expected plain XML"),
        ({"Annotations/p0.xml": b'<?xml version="1.0" encoding="nonsense"?><annotation/>'}, r"p0\.xml: expected plain"),
        (
            {"JPEGImages/p0.png": b"no picture"},
            r"'JPEGImages/p0\.png' \(Annotations/p0\.xml\): expected a whole",
        ),
        ({"Annotations/p99.xml": b"<annotation/>"}, r"p99\.xml: expected the picture '.*JPEGImages/p99"),
        (
            {"Annotations/q.xml": b"<annotation><filename>p3.png</filename></annotation>"},
            r"q\.xml: expected a picture",
        ),
        ({"old/Annotations/p0.xml": b"<annotation/>"}, "one folder of annotations"),
        ({"ImageSets/Main/train.txt": b"p0\np77\n"}, r"train\.txt, line 2: expected the name .* got 'p77'"),
        (
            {"ImageSets/Main/train.txt": b"p0\n\np0\n"},
            r"train\.txt, line 3: expected different pictures, got 'p0'",
        ),
        ({"ImageSets/Main/train.txt": b"\n"}, r"train\.txt: expected the names of pictures, got an empty list"),
        ({"ImageSets/Main/test.txt": b"p9\n"}, "test: expected a box in some of its 1 pictures"),
        ({"ImageSets/Main/train.txt": b"p0\n"}, "leave|expected at least one|expected enough"),
    ],
)
def test_voc_folder(files, words, rectangles, write) -> None:
    with pytest.raises(InputError, match=words):
        tasks.create("voc", path=write(rectangles.voc() | files), input_shape=SIZE)


def test_voc_options(rectangles, write, tmp_path) -> None:
    root = write(rectangles.voc())
    with pytest.raises(InputError, match=r"p0\.xml, object 1: class: expected one of 2 known names, got 'cat'"):
        tasks.create("voc", path=root, classes="dog|eel", input_shape=SIZE)
    assert tasks.create("voc", path=root, classes=["eel", "dog", "cat"], input_shape=SIZE).class_names[0] == "eel"
    with pytest.raises(InputError, match="different names"):
        tasks.create("voc", path=root, classes="dog|dog", input_shape=SIZE)
    with pytest.raises(InputError, match=r"class 'fox': expected at least one box .* got none \(0 in all\)"):
        tasks.create("voc", path=root, classes="cat|dog|eel|fox", input_shape=SIZE)
    with pytest.raises(InputError, match="repair: expected true or false"):
        tasks.create("voc", path=root, repair="yes", input_shape=SIZE)
    with pytest.raises(InputError, match="nothing there"):
        tasks.create("voc", path=root / "no", input_shape=SIZE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"one folder of annotations .* got none"):
        tasks.create("voc", path=tmp_path / "empty", input_shape=SIZE)
    (tmp_path / "broken.tar").write_bytes(b"no archive at all" * 100)
    with pytest.raises(InputError, match=r"uncompressed \.tar"):
        tasks.create("voc", path=tmp_path / "broken.tar", input_shape=SIZE)
    for stem in rectangles.shapes:
        rectangles.shapes[stem] = []
    with pytest.raises(InputError, match="expected boxes in some of 30 pictures"):
        tasks.create("voc", path=write(rectangles.voc()), input_shape=SIZE)


def coco_error(rectangles, write, change) -> str:
    files = rectangles.coco()
    data = json.loads(files["boxes.json"])
    data = change(data) or data
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    with pytest.raises(InputError) as caught:
        tasks.create("coco", path=write(files | {"boxes.json": text}) / "boxes.json", input_shape=SIZE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: b"{", "expected JSON, got something else"),
        (lambda data: b"[" * 100_000, "expected JSON, got something else"),
        (lambda data: [1], "expected an object with the lists images, annotations, categories, got list"),
        (lambda data: {"images": []}, "got images"),
        (lambda data: data | {"annotations": []}, "expected entries in annotations, got an empty list"),
        (lambda data: data | {"images": []}, "expected entries in images, got an empty list"),
        (lambda data: data["annotations"].append("x"), ": expected an object, got 'x'"),
        (lambda data: data["annotations"][3].update(bbox=[1, 2, 3]), "annotations[3]: expected bbox as [x, y, width"),
        (lambda data: data["annotations"][3].update(bbox=[1, 2, 0, 3]), "annotations[3]: expected an area above 0"),
        (lambda data: data["annotations"][3].update(bbox=[70, 2, 30, 3]), "annotations[3]: expected a box within"),
        (lambda data: data["annotations"][3].update(bbox=[1, 2, float("nan"), 3]), "annotations[3]: expected finite"),
        (lambda data: data["annotations"][3].update(category_id=5), "annotations[3]: expected category_id of one of"),
        (lambda data: data["annotations"][3].update(image_id=11), "annotations[3]: expected image_id of one of images"),
        (lambda data: data["annotations"][3].pop("image_id"), "annotations[3]: expected image_id"),
        (lambda data: data["images"][2].update(id=10), "images[2]: expected an id and a file of"),
        (
            lambda data: data["images"][2].update(file_name="images/p0.png"),
            "images[2]: expected an id and a file of",
        ),
        (lambda data: data["images"][2].update(file_name="p.png"), "images[2]: expected the picture 'p.png'"),
        (lambda data: data["images"][2].update(file_name="../../etc/passwd"), "images[2]: expected the picture"),
        (lambda data: data["images"][2].pop("file_name"), "images[2]: expected file_name as text, got None"),
        (lambda data: data["images"][2].update(width=40), "images[2]: expected boxes for images/p2.png of 80 x 60"),
        (lambda data: data["categories"][1].update(id=3), "categories[1]: expected an id and a name of its own"),
        (lambda data: data["categories"][1].update(name="cat"), "categories[1]: expected an id and a name of its own"),
        (lambda data: data["categories"][1].update(name=7), "categories[1]: expected name as text, got 7"),
        (lambda data: data["categories"][1].update(id="3"), "categories[1]: expected id as a whole number, got '3'"),
    ],
)
def test_coco(change, words, rectangles, write) -> None:
    def changed(data):
        found = change(data)
        return found if isinstance(found, (bytes, list)) or (isinstance(found, dict) and "images" in found) else data

    assert words in coco_error(rectangles, write, changed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("p0.png,cat", "p0.png,"), r"boxes\.csv, data row 1: expected a class in 'class', got none"),
        (("p0.png,cat,", "p0.png,cat,x"), r"boxes\.csv, data row 1: expected a number in 'xmin', got 'x"),
        (("p0.png,", ","), r"boxes\.csv, data row 1: expected the name of a picture"),
        (("p0.png,", "zero.png,"), r"boxes\.csv, data row 1: expected the picture 'zero\.png'"),
        (("xmin,", "left,"), r"xmin column of .*boxes\.csv: expected one of 6 known names, got 'xmin'"),
        (("p0.png,cat,", "p0.png,cat,9"), r"boxes\.csv, data row 1: expected an area above 0, got x 9"),
        (("p0.png,cat,", "p0.png,cat,-"), r"boxes\.csv, data row 1: expected a box within"),
        (("p0.png,cat,", "p0.png,cat,1,2,"), "expected 6 values in every line"),
    ],
)
def test_csv(change, words, rectangles, write) -> None:
    rectangles.shapes["p0"] = [("cat", 3, 3, 20, 20)]
    files = rectangles.csv()
    files["boxes.csv"] = files["boxes.csv"].decode().replace(*change, 1).encode()
    with pytest.raises(InputError, match=words):
        tasks.create("boxes-csv", path=write(files) / "boxes.csv", input_shape=SIZE)


def test_without_the_reader_of_xml_the_extra_is_named(rectangles, write, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "defusedxml.ElementTree", None)
    with pytest.raises(MissingError, match=r"pip install 'paretonas\[detection\]'"):
        tasks.create("voc", path=write(rectangles.voc()), input_shape=SIZE)
