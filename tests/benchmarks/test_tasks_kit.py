"""Every built-in task passes the shipped kit, and the kit notices what is broken."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import tasks
from benchmarks.tasks.cifar10 import CLASSES
from benchmarks.tasks.record import ArrayTask
from benchmarks.tasks.splits import row_groups
from benchmarks.tasks.testing import check_task
from nas.task import Augmentation, Split, Task
from searchspaces.errors import InputError

Options = dict[str, object]


def table_rows() -> list[list[str]]:
    """Numbers with gaps, a rare category, codes, an id and a label; two pairs of equal rows."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(120):
        age = "" if number % 11 == 0 else f"{rng.normal(40, 12):.2f}"
        colour = "NA" if number % 17 == 0 else str(rng.choice(["red", "green", "blue"]))
        rows.append([str(number), age, colour, str(rng.integers(1, 4)), ("no", "yes")[number % 2]])
    rows[10][2] = "mauve"
    rows[20][1:] = rows[22][1:]
    rows[30][1:] = rows[32][1:]
    return rows


HEADER = ["id", "age", "colour", "code", "bought"]


def write_csv(folder: Path) -> Options:
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *table_rows()])
    return {"path": folder / "table.csv", "label": "bought", "ignore": "id", "categorical": ["code"]}


def write_tsv(folder: Path) -> Options:
    lines = ["\t".join(row) for row in [HEADER, *table_rows()]]
    (folder / "table.tsv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return {"path": str(folder / "table.tsv.gz"), "label": "bought", "ignore": ["id"]}


def write_parquet(folder: Path) -> Options:
    import pyarrow as pa
    import pyarrow.parquet

    number, age, colour, code, bought = zip(*table_rows(), strict=True)
    table = pa.table(
        {
            "id": pa.array([int(value) for value in number]),
            "age": pa.array([float(value) if value else None for value in age]),
            "colour": pa.array([None if value == "NA" else value for value in colour]).dictionary_encode(),
            "code": pa.array([int(value) for value in code], pa.int8()),
            "bought": pa.array([value == "yes" for value in bought]),
        }
    )
    pyarrow.parquet.write_table(table, folder / "table.parquet")
    return {"path": folder / "table.parquet", "label": "bought", "ignore": ["id"]}


def write_npz_images(folder: Path) -> Options:
    rng = np.random.default_rng(0)
    np.savez(folder / "images.npz", x=rng.integers(0, 256, (60, 9, 7), np.uint8), y=np.arange(60) % 3)
    return {"path": folder / "images.npz", "input_shape": [8, 8, 3], "shift": 1}


def write_npz_features(folder: Path) -> Options:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, size in (("train", 40), ("val", 12), ("test", 12)):
        arrays[f"x_{part}"] = rng.normal(5, 3, (size, 6)).astype(np.float32)
        arrays[f"y_{part}"] = np.array(["a", "b"])[np.arange(size) % 2]
    np.savez(folder / "features.npz", **arrays)
    return {"path": folder / "features.npz"}


def write_pictures(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 12) -> None:
    rng = np.random.default_rng(len(folder.name))
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            suffix = ("png", "jpg", "webp", "bmp")[number % 4]
            pixels = rng.integers(0, 256, (10, 14, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.{suffix}")


def write_image_folder(folder: Path) -> Options:
    write_pictures(folder / "all")
    return {"path": folder / "all", "input_shape": (8, 8, 1), "flip": True}


def write_image_parts(folder: Path) -> Options:
    for part in ("train", "test"):
        write_pictures(folder / "parts" / part)
    return {"path": folder / "parts"}


def write_clips(folder: Path, count: int = 8, frames: int = 9) -> None:
    """Two classes of clips as folders of frames, some deeper than others; two of them are equal."""
    for name in ("fall", "jump"):
        for number in range(count):
            rng = np.random.default_rng([len(folder.name), ord(name[0]), max(number, 1)])
            place = folder / name / ("deep" if number % 2 else "") / f"clip{number}"
            place.mkdir(parents=True)
            for frame in range(frames):
                pixels = rng.integers(0, 256, (10, 14, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{frame}.{('png', 'bmp')[number % 2]}")


def write_clip_folder(folder: Path) -> Options:
    write_clips(folder / "clips")
    return {"path": folder / "clips", "input_shape": [4, 8, 8, 1], "stride": 2, "windows": 3}


def write_clip_parts(folder: Path) -> Options:
    for part in ("train", "test"):
        write_clips(folder / "parts" / part)
    return {"path": folder / "parts", "frames": 5, "flip": True}


def write_clip_list(folder: Path) -> Options:
    write_clips(folder / "clips", count=12)
    places = sorted({file.parent.relative_to(folder) for file in folder.rglob("*.*")})
    lines = [f"{place} {start} {start + 4} {place.parts[1]}" for place in places for start in (1, 3)]
    (folder / "list.txt").write_text("# path start end class\n" + "\n".join(lines) + "\n")
    return {"path": folder / "list.txt", "input_shape": [8, 8, 3], "frames": 4}


def write_cifar10_binary(folder: Path) -> Options:
    rng = np.random.default_rng(0)
    place = folder / "cifar-10-batches-bin"
    place.mkdir()
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        records = rng.integers(0, 256, (20, 3073), np.uint8)
        records[:, 0] = np.arange(20) % 10
        (place / name).write_bytes(records.tobytes())
    return {"path": folder, "rows": 60, "test_rows": 10}


def write_cifar10_packed(folder: Path) -> Options:
    import io

    rng = np.random.default_rng(0)
    for part, size in (("train", 60), ("test", 20)):
        pictures = []
        for _ in range(size):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(file, "JPEG")
            pictures.append(file.getvalue())
        np.savez(
            folder / f"cifar10_{part}.npz",
            jpeg=np.frombuffer(b"".join(pictures), np.uint8),
            offset=np.cumsum([0, *map(len, pictures)]),
            label=(np.arange(size) % 10).astype(np.uint8),
            classes=np.array(CLASSES),
        )
    return {"path": folder}


WRITERS: dict[str, tuple[str, Callable[[Path], Options]]] = {
    "cifar10-binary": ("cifar10", write_cifar10_binary),
    "cifar10-packed": ("cifar10", write_cifar10_packed),
    "clip-folder": ("clip-folder", write_clip_folder),
    "clip-folder-parts": ("clip-folder", write_clip_parts),
    "clip-list": ("clip-list", write_clip_list),
    "csv": ("csv", write_csv),
    "image-folder": ("image-folder", write_image_folder),
    "image-folder-parts": ("image-folder", write_image_parts),
    "npz-features": ("npz", write_npz_features),
    "npz-images": ("npz", write_npz_images),
    "parquet": ("parquet", write_parquet),
    "tsv": ("tsv", write_tsv),
}
BUILT_IN = ("breast_cancer", "digits", "iris", "moving-digits", "wine")
# Put to it in tests/benchmarks/detection.
DETECTION = ("boxes-csv", "coco", "digits-canvas", "voc")


def test_every_task_is_put_to_the_kit() -> None:
    assert {name for name, _ in WRITERS.values()} | {*BUILT_IN, *DETECTION} == set(tasks.TASKS)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_data_conform(name: str) -> None:
    check_task(lambda seed: tasks.create(name, seed=seed))


@pytest.mark.parametrize("case", WRITERS)
def test_readers_conform(case: str, tmp_path: Path) -> None:
    name, write = WRITERS[case]
    options = write(tmp_path)
    check_task(lambda seed: tasks.create(name, seed=seed, **options))


def test_digits_of_another_size_conform() -> None:
    check_task(lambda seed: tasks.create("digits", input_shape=[32, 32, 3], seed=seed))


def test_moving_digits_of_another_size_conform() -> None:
    options = {"input_shape": [4, 20, 24, 3], "examples": 147}
    check_task(lambda seed: tasks.create("moving-digits", seed=seed, **options))


def test_real_cifar10_conforms(shared_data: Path) -> None:
    options = {"path": shared_data / "cifar10_jpeg", "rows": 300, "test_rows": 100}
    check_task(lambda seed: tasks.create("cifar10", seed=seed, **options))


@pytest.mark.parametrize("name", ["nursery", "phoneme", "letter", "shuttle"])
def test_real_tables_conform(name: str, shared_data: Path) -> None:
    path = shared_data / "tabular_pmlb" / f"{name}.tsv.gz"
    check_task(lambda seed: tasks.create("tsv", path=path, label="target", seed=seed))


def digits(seed: int) -> ArrayTask:
    task = tasks.create("digits", seed=seed)
    assert isinstance(task, ArrayTask)
    return task


def leaking(seed: int) -> Task:
    task = digits(seed)
    train, test = task.split("train"), task.split("test")
    leak = Split(x=np.concatenate([test.x[:-1], train.x[:1]]), y=np.append(test.y[:-1], train.y[:1]))
    return replace(task, splits={**task.splits, "test": leak})


def seedless(seed: int) -> Task:
    return digits(0)


def drifting() -> Callable[[int], Task]:
    """A factory that does not repeat itself for the same seed."""
    seeds = iter(range(10))
    return lambda seed: replace(digits(next(seeds)), provenance=digits(0).provenance)


def without_a_class(seed: int) -> Task:
    task = digits(seed)
    train = task.split("train")
    kept = train.y != 7
    rows = {**task.provenance["rows"], "train": int(kept.sum())}
    fewer = Split(x=train.x[kept], y=train.y[kept])
    return replace(task, splits={**task.splits, "train": fewer}, provenance={**task.provenance, "rows": rows})


def fitted_on_everything(seed: int) -> Task:
    """Standardised again with the deviation of all rows, as a careless reader would."""
    task = tasks.create("wine", seed=seed)
    assert isinstance(task, ArrayTask)
    every = np.concatenate([task.split(part).x for part in ("train", "validation", "test")])
    mean, std = every.mean(axis=0), every.std(axis=0)
    parts = {part: Split(x=((split.x - mean) / std), y=split.y) for part, split in task.splits.items()}
    return replace(task, splits=parts)


def moving(seed: int, **host: object) -> ArrayTask:
    """Clips, whose description says something else of them."""
    task = tasks.create("moving-digits", input_shape=[4, 16, 16, 1], examples=70, seed=seed)
    assert isinstance(task, ArrayTask)
    changed = replace(task.preprocessing, host={**task.preprocessing.host, **host})
    return replace(task, preprocessing=changed)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (lambda seed: moving(seed, frames=5), "host: expected 4 frames, got 5"),
        (lambda seed: moving(seed, width=15), "encode_clip: expected frames of the right size to come out unchanged"),
        (lambda seed: replace(moving(seed), augmentation=Augmentation(shift=16)), "shift below the image's 16 pixels"),
        (leaking, "train and test: expected no example in both, got 1"),
        (seedless, "validation: expected another split from another seed"),
        (drifting(), "train: expected the same arrays from the same seed"),
        (without_a_class, "train: expected every class, lacks \\['7'\\]"),
        (fitted_on_everything, "expected mean 0 and deviation 1 over the training rows"),
        (lambda seed: replace(digits(seed), augmentation=Augmentation(shift=8)), "shift below the image's 8 pixels"),
        (lambda seed: replace(digits(seed), provenance={"source": "x"}), "lacks \\['rows', 'seed', 'sha256'\\]"),
        (lambda seed: replace(digits(seed), class_names=("a",) * 10), "class_names: expected different names"),
    ],
)
def test_the_kit_notices(factory: Callable[[int], Task], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_task(factory)


def test_a_search_that_reads_test_examples_is_caught() -> None:
    view = digits(0).without_test()
    assert len(view.split("train")) == 1150
    assert "test" not in view.splits and "test" not in view.rows
    with pytest.raises(InputError, match=r"split 'test': the test examples are withheld.*use 'train' or 'validation'"):
        view.split("test")


def test_rows_lead_back_to_the_source() -> None:
    task = digits(5)
    together = np.concatenate([task.rows[part] for part in ("train", "validation", "test")])
    assert sorted(together) == list(range(1797))
    assert len(np.unique(row_groups(task.split("train").x))) <= 1150
