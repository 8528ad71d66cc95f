"""Every reader from search to export on the command line, and the card's word on how raw data becomes input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.tasks import create
from benchmarks.tasks.cifar10 import CLASSES
from hardware_profiles import litert

Raw = Sequence[Any]
Found = tuple[dict[str, Any], Raw, list[str]]
SHADES = {"bright": 200, "dark": 40}


def rows(rng: np.random.Generator, count: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows with a number that tells the class, one that is often missing, and a category."""
    names = [sorted(SHADES)[row % 2] for row in range(count)]
    return [
        {
            "tone": round(float(SHADES[name] + rng.normal(0, 20)), 3),
            "age": None if rng.random() < 0.2 else round(float(rng.normal(40, 10)), 2),
            "make": str(rng.choice(["north", "south"])),
        }
        for name in names
    ], names


def image_folder(folder: Path, rng: np.random.Generator) -> Found:
    raw, names = [], []
    for number in range(80):
        name = sorted(SHADES)[number % 2]
        pixels = (SHADES[name] + rng.integers(-40, 41, (20, 20, 3))).astype(np.uint8)
        path = folder / "data" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        raw.append(path)
        names.append(name)
    return {"name": "image-folder", "path": str(folder / "data"), "input_shape": [16, 16, 3]}, raw, names


def npz(folder: Path, rng: np.random.Generator) -> Found:
    names = [sorted(SHADES)[row % 2] for row in range(150)]
    x = rng.normal(0, 20, (150, 3)) + np.array([SHADES[name] for name in names])[:, None]
    np.savez(folder / "data.npz", x_train=x[:110], y_train=names[:110], x_test=x[110:], y_test=names[110:])
    return {"name": "npz", "path": str(folder / "data.npz")}, list(x), names


def tsv(folder: Path, rng: np.random.Generator) -> Found:
    raw, names = rows(rng, 150)
    with (folder / "data.tsv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.DictWriter(stream, [*raw[0], "shade"], delimiter="\t", lineterminator="\n")
        out.writeheader()
        out.writerows({**row, "shade": name} for row, name in zip(raw, names, strict=True))
    return {"name": "tsv", "path": str(folder / "data.tsv"), "label": "shade"}, raw, names


def parquet(folder: Path, rng: np.random.Generator) -> Found:
    import pyarrow
    from pyarrow import parquet as files

    raw, names = rows(rng, 150)
    table = pyarrow.Table.from_pylist([{**row, "shade": name} for row, name in zip(raw, names, strict=True)])
    files.write_table(table, folder / "data.parquet")
    return {"name": "parquet", "path": str(folder / "data.parquet"), "label": "shade"}, raw, names


def cifar10(folder: Path, rng: np.random.Generator) -> Found:
    """The packed form; each class has a colour of its own."""
    raw, names = [], []
    for part, count in (("train", 100), ("test", 20)):
        labels = np.arange(count) % 10
        noise = rng.integers(-10, 11, (count, 32, 32, 3))
        colours = 30 + 90 * np.stack([labels % 3, labels // 3 % 3, labels // 9], axis=1)
        x = (noise + colours[:, None, None]).clip(0, 255).astype(np.uint8)
        encoded = []
        for pixels in x:
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "JPEG", quality=95)
            encoded.append(stream.getvalue())
        offset = np.concatenate([[0], np.cumsum([len(each) for each in encoded])])
        jpeg = np.frombuffer(b"".join(encoded), np.uint8)
        np.savez(folder / f"cifar10_{part}.npz", jpeg=jpeg, offset=offset, label=labels, classes=np.array(CLASSES))
        raw += encoded
        names += [CLASSES[label] for label in labels]
    return {"name": "cifar10", "path": str(folder), "rows": 100, "input_shape": [16, 16, 3]}, raw, names


def prepare(host: Mapping[str, Any], example: Any) -> np.ndarray:
    """One raw example as the card's `task.preprocessing.host` tells, written without looking at the package's own."""
    if host.get("encoder") == "columns":
        values: list[float] = []
        for column in host["columns"]:
            cell = example[column["name"]]
            if column["kind"] == "numeric":
                number = column["fill"] if cell is None else cell
                values.append(float(np.clip((number - column["mean"]) / column["std"], -host["clip"], host["clip"])))
            else:
                values += [float(cell == category) for category in column["categories"]]
            if column["indicator"]:
                values.append(float(cell is None))
        return np.array(values, np.float32)
    if host.get("encoder") == "standardize":
        scaled = (example - np.array(host["mean"])) / np.array(host["std"])
        return np.clip(scaled, -host["clip"], host["clip"]).astype(np.float32)
    source = io.BytesIO(example) if isinstance(example, bytes) else example
    picture = Image.open(source).convert(host["colour"])
    if picture.size != (host["width"], host["height"]):
        picture = picture.resize((host["width"], host["height"]), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.uint8)


def answers(path: Path, card: Mapping[str, Any], x: np.ndarray) -> list[str]:
    """What the exported int8 file says of prepared examples, fed as its card tells."""
    interpreter, face = litert.open_interpreter(path), card["precisions"]["int8"]["input"]
    given, found = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    said = []
    for example in x:
        levels = np.clip(np.rint(example.astype(np.float64) / face["scale"]) + face["zero_point"], -128, 127)
        interpreter.set_tensor(given, levels[None].astype(np.int8))
        interpreter.invoke()
        said.append(card["task"]["class_names"][int(interpreter.get_tensor(found)[0].argmax())])
    return said


@pytest.mark.slow
@pytest.mark.parametrize("make", [image_folder, npz, tsv, parquet, cifar10], ids=lambda make: make.__name__)
def test_from_search_to_export(
    make: Callable[[Path, np.random.Generator], Found],
    answer: Callable[..., Any],
    write_yaml: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """The card alone says how raw data becomes the input the task had, and gives the accuracy the card promises."""
    task, raw, names = make(tmp_path, np.random.default_rng(0))
    images = task["name"] in ("image-folder", "cifar10")
    depths = {f"depth_{stage}": depth for stage, depth in enumerate((1, 2, 2, 2, 2, 2, 1), start=1)}
    config = {
        "space": {"name": "bignas", **depths} if images else {"name": "tabnas", "layers": 2},
        "task": task,
        "evaluator": {"name": "train", "epochs": 12, "batch_size": 8},
        "objectives": ["maximize accuracy", "minimize params"],
        "budget": {"trials": 1},
        "seed": 1,
    }
    done = answer("search", write_yaml(config), "--out", tmp_path / "run")
    assert done["trials"]["COMPLETE"] == 1
    out = tmp_path / "out" / "network.tflite"
    answer("export", tmp_path / "run", "--pick", "knee", "--precision", "int8", "--out", out)
    card = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert card["task"]["class_names"] == sorted(set(names), key=card["task"]["class_names"].index)

    host = card["task"]["preprocessing"]["host"]
    prepared = {prepare(host, example).tobytes(): row for row, example in enumerate(raw)}
    options = {key: value for key, value in task.items() if key != "name"}
    test = create(task["name"], seed=1, **options).split("test")
    found = [prepared[example.tobytes()] for example in test.x]
    said = answers(out, card, np.stack([prepare(host, raw[row]) for row in found]))
    share = np.mean([answer == names[row] for answer, row in zip(said, found, strict=True)])
    assert share == pytest.approx(card["metrics"]["test"]["accuracy"]["int8"]["value"])
    assert share > 0.5
