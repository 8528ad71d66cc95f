"""What a user can give wrongly: each an InputError that says what came, what was expected and what to do."""

from __future__ import annotations

import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import tasks
from benchmarks.tasks import TASKS
from benchmarks.tasks.cifar10 import CLASSES
from benchmarks.tasks.images import encode_image, image_preprocessing
from searchspaces.errors import InputError

GOOD = "a,b,label\n" + "".join(f"{row},{row % 5},{'xy'[row % 2]}\n" for row in range(40))


def table(content: str | bytes, **options: object) -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        path = folder / "t.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tasks.create("csv", path=path, **{"label": "label", **options})

    return make


def archive(options: dict[str, object] | None = None, **arrays: object) -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        np.savez(folder / "a.npz", **arrays)
        return tasks.create("npz", path=folder / "a.npz", **(options or {}))

    return make


def named(name: str, **options: object) -> Callable[[Path], object]:
    return lambda folder: tasks.create(name, **options)


def inside(name: str, files: dict[str, bytes], **options: object) -> Callable[[Path], object]:
    """The task on a folder with these files."""

    def make(folder: Path) -> object:
        for file, content in files.items():
            path = folder / "data" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tasks.create(name, path=folder / "data", **options)

    return make


def single(name: str, content: bytes, **options: object) -> Callable[[Path], object]:
    """The task on one file of this content."""

    def make(folder: Path) -> object:
        (folder / "file").write_bytes(content)
        return tasks.create(name, path=folder / "file", **options)

    return make


def picture(shade: int, size: int = 4) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def pictures(*extra: tuple[str, bytes]) -> dict[str, bytes]:
    found = {f"{label}/{number}.png": picture(10 * number + ord(label)) for label in "ab" for number in range(5)}
    return found | dict(extra)


def batches(**changed: bytes) -> dict[str, bytes]:
    records = np.random.default_rng(0).integers(0, 256, (120, 3073), np.uint8)
    records[:, 0] = np.arange(120) % 10
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    files = {f"{name}.bin": records[20 * index : 20 * index + 20].tobytes() for index, name in enumerate(names)}
    return files | {f"{name}.bin": content for name, content in changed.items()}


def packed(folder: Path, **changed: object) -> object:
    data = picture(3, 32)
    arrays = {
        "jpeg": np.frombuffer(data * 20, np.uint8),
        "offset": np.arange(21) * len(data),
        "label": (np.arange(20) % 10).astype(np.uint8),
        "classes": np.array(CLASSES),
    }
    for part in ("train", "test"):
        kept = {name: value for name, value in {**arrays, **changed}.items() if value is not None}
        np.savez(folder / f"cifar10_{part}.npz", **kept)
    return tasks.create("cifar10", path=folder)


def parquet(column: object) -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        import pyarrow as pa
        import pyarrow.parquet

        content = pa.table({"x": pa.array(column), "label": pa.array(["a", "b"] * 10)})
        pyarrow.parquet.write_table(content, folder / "t.parquet")
        return tasks.create("parquet", path=folder / "t.parquet", label="label")

    return make


X, Y = np.arange(120, dtype=np.float32).reshape(40, 3), np.arange(40) % 2
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), np.uint8)
WITH_GAP = np.where(np.arange(120).reshape(40, 3) == 50, np.nan, X)

ONE_OF = f"task: expected one of {len(TASKS)}"

CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    # Names and options.
    "unknown task": (named("digit"), rf"{ONE_OF} known names, got 'digit'; did you mean 'digits'\?"),
    "task is a list": (named(["digits"]), rf"{ONE_OF} known names, got \['digits'\]"),  # type: ignore
    "unknown option": (named("csv", path="x", lable="y"), r"option of task 'csv': .* did you mean 'label'\?"),
    "option of another": (named("digits", path="x"), r"option of task 'digits': .*got 'path'; known: none"),
    "lacking option": (named("csv", path="x"), r"task 'csv': expected the option 'label', got path; add label"),
    "negative seed": (named("digits", seed=-1), r"seed: expected a whole number from 0, got -1"),
    "seed in words": (named("iris", seed="one"), r"seed: expected a whole number from 0, got 'one'"),
    "two channels": (named("digits", input_shape=[8, 8, 2]), r"input_shape: expected height, width and 1 or 3"),
    "flat image": (named("digits", input_shape=[64]), r"input_shape: .*got \[64\]; try \[8, 8, 1\]"),
    "empty side": (named("digits", input_shape=[0, 8, 1]), r"input_shape: .*all positive, got \[0, 8, 1\]"),
    "shape in words": (named("digits", input_shape="8x8"), r"input_shape: .*got '8x8'"),
    "wrong features": (named("iris", input_shape=[5]), r"input_shape: expected \[4\].*got \[5\]; leave it out"),
    # Files of tables.
    "no file": (named("csv", path="/no/such.csv", label="y"), r"path: expected a file, got '/no/such.csv' \(nothing"),
    "path is no text": (named("csv", path=3, label="y"), r"path: expected a path, got 3"),
    "a folder": (inside("csv", {"x": b"1"}, label="y"), r"path: expected a file, got .*\(a folder\)"),
    "empty file": (table(""), r"path: expected a file with data, got .* of 0 bytes"),
    "header alone": (table("a,b,label\n"), r"expected rows below the header of .*, got none"),
    "one column": (table("label\nx\ny\n"), r"expected a header of at least 2 columns .* got \['label'\]"),
    "other delimiter": (table(GOOD.replace(",", ";")), r"header of at least 2 columns.*it looks separated by ';'"),
    "long delimiter": (table(GOOD, delimiter="||"), r"delimiter: expected one character, got '\|\|'"),
    "column twice": (table(GOOD.replace("b", "a", 1)), r"expected different column names .* got 'a' twice"),
    "nameless column": (table(GOOD.replace("a", "", 1)), r"expected a name for every column .* got none for 1"),
    "ragged line": (table(GOOD + "1,2\n"), r"expected 3 values in every line .* got 2 in line 42"),
    "open quote": (table(GOOD + '1,"2,x\n'), r"expected quotes in pairs .*, got line 42"),
    "latin-1": (table(GOOD.encode() + b"\xe4,1,x\n"), r"expected text in UTF-8, got .*byte"),
    "cut gzip": (table(gzip.compress(GOOD.encode())[:-9]), r"expected a whole gzip file, got"),
    "no gzip": (table(b"\x1f\x8b nothing"), r"expected a whole gzip file, got"),
    # Columns and labels.
    "unknown label": (table(GOOD, label="labels"), r"label column: .*did you mean 'label'\?"),
    "unknown ignore": (table(GOOD, ignore=["c"]), r"ignore column: expected one of 3 known names, got 'c'"),
    "unknown codes": (table(GOOD, categorical="bb"), r"categorical column: .*got 'bb'; did you mean 'b'\?"),
    "ignore is a number": (table(GOOD, ignore=3), r"ignore: expected a column name or a list of them, got 3"),
    "label ignored": (table(GOOD, ignore="label"), r"ignore: expected feature columns, got the label 'label'"),
    "all ignored": (table(GOOD, ignore=["a", "b"]), r"expected a feature column beside the label 'label', got 3"),
    "infinite cell": (table(GOOD + "inf,1,x\n"), r"column 'a': expected finite numbers .* got inf in data row 41"),
    "huge cell": (table(GOOD + "1,1e39,x\n"), r"column 'b': expected finite numbers .* got 1e\+39 in data row 41"),
    "empty column": (table("a,label\n" + ",x\n,y\n" * 9), r"column 'a': expected some values, got only missing ones"),
    "gap in label": (table(GOOD + "1,2,\n"), r"label: expected a class in every row, got none in data row 41"),
    "NaN in label": (table(GOOD + "1,2,NaN\n"), r"label: expected a class in every row, got none in data row 41"),
    "a quantity": (table("a,label\n1,0.5\n2,1.5\n"), r"label: expected classes .* got '0.5' in data row 1"),
    "prices": (
        table("a,label\n" + "".join(f"{row},{5000 * row}\n" for row in range(300))),
        r"label: expected classes, got 300 whole numbers from 0 to 1495000 with wide gaps",
    ),
    "one class": (table(GOOD.replace(",y", ",x")), r"label: expected 2 to 10000 classes, got 1 \(x\)"),
    "too many classes": (
        table("a,label\n" + "".join(f"{row},c{row}\n" for row in range(10_001))),
        r"label: expected 2 to 10000 classes, got 10001",
    ),
    "label out of range": (
        table("a,label\n" + "".join(f"{row},{row % 3}\n" for row in range(30)), classes=2),
        r"label: expected whole numbers from 0 to 1 \(classes=2\), got '2' in data row 3",
    ),
    "absent class": (
        table("a,label\n" + "".join(f"{row},{row % 3}\n" for row in range(30)), classes=4),
        r"class '3': expected at least one training example of every class, got none",
    ),
    "classes in words": (
        table("a,label\n1,0\n2,1\n", classes="2"),
        r"classes: expected a whole number from 2, got '2'",
    ),
    "other count": (table(GOOD, classes=3), r"label: expected 3 classes, got 2 \(x, y"),
    "too few rows": (table("a,label\n1,x\n2,y\n"), r"rows: expected enough for .* got 2 rows \(2 distinct\)"),
    "all rows equal": (table("a,label\n" + "1,x\n1,y\n" * 50), r"rows: .* got 100 rows \(1 distinct\)"),
    "no parquet": (single("parquet", b"PAR1 or not", label="y"), r"path: expected a whole parquet file, got"),
    "dates": (parquet(np.arange(20).astype("datetime64[s]")), r"column 'x': expected numbers.*got timestamp"),
    "lists": (parquet([[1]] * 20), r"column 'x': expected numbers, truth values or strings, got list"),
    # Archives.
    "objects": (archive(x=X, y=np.array([{}] * 40, object)), r"expected an .npz archive of plain arrays, got"),
    "a pickle": (single("npz", pickle.dumps({"x": 1})), r"expected an .npz archive of plain arrays, got"),
    "no zip": (single("npz", b"PK\x03\x04 no more"), r"expected an .npz archive of plain arrays, got"),
    "one array": (single("npz", npy(np.zeros(3))), r"path: expected an .npz archive, got a single array in"),
    "other names": (archive(data=X, target=Y), r"expected the arrays x and y, or x_train .* got data, target"),
    "lengths differ": (archive(x=X, y=Y[:-1]), r"x, y: expected examples .* got shapes \(40, 3\) and \(39,\)"),
    "one-hot labels": (archive(x=X, y=np.eye(2)[Y]), r"x, y: expected examples .* and \(40, 2\)"),
    "NaN feature": (archive(x=WITH_GAP, y=Y), r"column 'x\[:, 2\]': expected finite numbers .* in data row 17"),
    "float pixels": (archive(x=IMAGES / 255, y=Y), r"x: expected images as uint8 .* got float64 .*astype\('uint8'\)"),
    "text features": (archive(x=X.astype(str), y=Y), r"x: expected images as uint8 .* or features as numbers"),
    "five channels": (archive(x=np.repeat(IMAGES, 2, 3), y=Y), r"x: expected images as uint8 .*\(40, 4, 4, 6\)"),
    "parts differ": (
        archive(x_train=X, y_train=Y, x_test=X[:, :2], y_test=Y),
        r"x: expected examples of the same shape .* test float32 \(40, 2\)",
    ),
    "labels from 1": (archive({"classes": 2}, x=X, y=Y + 1), r"label: expected whole numbers from 0 to 1 .* got 2"),
    "flip of features": (archive({"flip": True}, x=X, y=Y), r"shift, flip: expected them for images only"),
    "flip in words": (archive({"flip": "yes"}, x=IMAGES, y=Y), r"flip: expected true or false, got 'yes'"),
    "negative shift": (archive({"shift": -1}, x=IMAGES, y=Y), r"shift: expected a whole number from 0, got -1"),
    # Pictures in folders.
    "no folder": (named("image-folder", path="/no/such"), r"path: expected a folder, got '/no/such' \(nothing there"),
    "a file": (single("image-folder", b"x"), r"path: expected a folder, got .*\(a file\)"),
    "no class": (inside("image-folder", {"x.png": picture(1)}), r"at least 2 classes in .*, got none"),
    "one folder": (inside("image-folder", {"a/x.png": picture(1)}), r"at least 2 classes in .*, got a; sort"),
    "empty class": (inside("image-folder", pictures(("c/x.txt", b"x"))), r"class folder '.*c', got none"),
    "corrupt picture": (
        inside("image-folder", pictures(("b/9.png", picture(1, 64)[:80]))),
        r"picture '.*b/9.png': expected a whole png, jpeg, webp or bmp picture, got one that cannot be decoded",
    ),
    "text as picture": (inside("image-folder", pictures(("b/9.jpg", b"hello"))), r"picture '.*9.jpg'.*Unidentified"),
    "gif": (inside("image-folder", pictures(("b/9.gif", b"GIF89a"))), r"picture .* got .gif; convert it"),
    "class beside train": (
        inside("image-folder", {f"train/{name}": data for name, data in pictures(("../c/1.png", b"x")).items()}),
        r"expected only train, val and test beside 'train' .* got also 'c'",
    ),
    "class in test alone": (
        inside(
            "image-folder", {f"train/{name}": data for name, data in pictures(("../test/z/1.png", picture(7))).items()}
        ),
        r"class 'z': expected at least one training example",
    ),
    # CIFAR-10.
    "no cifar10": (inside("cifar10", {"x": b"1"}), r"path: expected CIFAR-10 .* got neither"),
    "pickled cifar10": (
        inside("cifar10", {"cifar-10-batches-py/data_batch_1": pickle.dumps({})}),
        r"got the pickled 'python version' in .* a pickle can run any code; download the 'binary version'",
    ),
    "cut batch": (inside("cifar10", batches(data_batch_2=b"123")), r"records of 3073 bytes in .*data_batch_2.bin"),
    "empty batch": (inside("cifar10", batches(data_batch_5=b"")), r"expected a file with data, got .*data_batch_5"),
    "cifar100 labels": (
        inside("cifar10", batches(test_batch=b"\x63" * 3073)),
        r"expected 0 to 9 .* got 99 for image 0",
    ),
    "rows below classes": (inside("cifar10", batches(), rows=9), r"rows: expected a whole number from 10, got 9"),
    "rows beyond": (inside("cifar10", batches(), rows=101), r"rows: expected between 10 .* and 100 \(all\), got 101"),
    "packed without label": (lambda folder: packed(folder, label=None), r"expected the arrays jpeg, .* add label"),
    "packed offsets": (lambda folder: packed(folder, offset=np.zeros(21, int)), r"expected 21 rising offsets from 0"),
    "packed classes": (lambda folder: packed(folder, classes=np.array(["a"] * 10)), r"expected the classes airplane"),
    "packed label": (lambda folder: packed(folder, label=np.full(20, 10)), r"expected 0 to 9 in .* got 10"),
    "packed picture": (
        lambda folder: packed(folder, jpeg=np.zeros(20 * len(picture(3, 32)), np.uint8)),
        r"image 0 of .*cifar10_train.npz': expected a whole png",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_in_words(case: str, tmp_path: Path) -> None:
    make, message = CASES[case]
    with pytest.raises(InputError, match=message) as caught:
        make(tmp_path)
    assert "expected" in str(caught.value) and "\n" not in str(caught.value)


def test_the_good_inputs_of_these_cases_are_taken(tmp_path: Path) -> None:
    """Each case above changes one thing of these."""
    table(GOOD)(tmp_path)
    archive(x=X, y=Y)(tmp_path)
    archive(x=IMAGES, y=Y)(tmp_path)
    parquet(list(range(20)))(tmp_path)
    inside("image-folder", pictures())(tmp_path)
    inside("cifar10", batches(), rows=100)(tmp_path / "binary")


def test_many_cases_are_tried() -> None:
    assert len(CASES) >= 60


def good_file(name: str, folder: Path) -> bytes:
    """A sound file of the kind that the task reads."""
    if name == "csv":
        return GOOD.encode()
    if name == "tsv":
        return gzip.compress(GOOD.replace(",", "\t").encode())
    if name == "npz":
        np.savez_compressed(folder / "good", x=X, y=Y)
        return (folder / "good.npz").read_bytes()
    import pyarrow as pa
    import pyarrow.parquet

    columns = {"a": ["u", "v"] * 20, "b": list(range(40)), "label": ["x", "y"] * 20}
    pyarrow.parquet.write_table(pa.table(columns), folder / "good.parquet")
    return (folder / "good.parquet").read_bytes()


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, and sometimes the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        changed[rng.integers(len(changed))] = rng.integers(256)
    return bytes(changed[: rng.integers(1, len(changed))] if rng.random() < 0.3 else changed)


@pytest.mark.parametrize("name", ["csv", "tsv", "npz", "parquet"])
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    data, rng = good_file(name, tmp_path), np.random.default_rng(0)
    options = {} if name == "npz" else {"label": "label"}
    assert tasks.create(name, path=write(tmp_path / "t", data), **options)
    refused = 0
    for _ in range(60):
        try:
            tasks.create(name, path=write(tmp_path / "t", damaged(data, rng)), **options)
        except InputError:
            refused += 1
    assert refused


@pytest.mark.filterwarnings("ignore:(Image size|Corrupt EXIF|Metadata)")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_damaged_picture_is_decoded_or_refused(kind: str) -> None:
    file, rng = io.BytesIO(), np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(file, kind)
    host = image_preprocessing((8, 8, 3)).host
    refused = 0
    for _ in range(150):
        try:
            assert encode_image(host, damaged(file.getvalue(), rng), what="it").shape == (8, 8, 3)
        except InputError as error:
            assert str(error).startswith("it: expected a whole png")
            refused += 1
    assert refused


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
