"""The conformance kit for tasks: what every task must hold, ours and yours.

from benchmarks.tasks.testing import check_task

def test_my_task():
    check_task(lambda seed: my_task(seed=seed))
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.tasks.detection.testing import check_boxes
from benchmarks.tasks.encoding import encode_array, encode_row
from benchmarks.tasks.images import encode_image
from nas.detection_task import DetectionSplit, DetectionTask
from nas.task import PARTS, Preprocessing, Split, Task
from nas.video.clips import encode_clip
from searchspaces.errors import InputError

AnyTask = Task | DetectionTask


def check_task(factory: Callable[[int], AnyTask]) -> None:
    """Raises AssertionError, saying what is wrong, unless the tasks that `factory` makes from a seed conform."""
    task, again, other = factory(0), factory(0), factory(1)
    check_description(task)
    check_augmentation(task)
    if isinstance(task.split("train"), DetectionSplit):
        check_boxes(task)
    else:
        check_arrays(task)
    check_disjoint(task)
    check_seed(task, again, other)
    check_preprocessing(task)
    check_test_is_guarded(task)


def check_description(task: AnyTask) -> None:
    """Names are usable, and what is said of the task can be written as JSON and matches it."""
    assert task.name and isinstance(task.name, str), f"name: expected text, got {task.name!r}"
    names = task.class_names
    least = 1 if isinstance(task.split("train"), DetectionSplit) else 2
    enough = isinstance(names, tuple) and len(names) >= least
    assert enough, f"class_names: expected a tuple of at least {least}, got {names!r}"
    assert len(set(names)) == len(names), f"class_names: expected different names, got {names}"
    assert all(isinstance(name, str) and name for name in names), f"class_names: expected text, got {names}"
    absent = {"source", "rows", "seed", "sha256"} - set(task.provenance)
    assert not absent, f"provenance: expected source, rows, seed and sha256, lacks {sorted(absent)}"
    json.dumps(task.provenance, allow_nan=False)
    counted = {part: len(task.split(part)) for part in PARTS}
    told = task.provenance["rows"]
    assert told == counted, f"provenance: expected the rows of each part as they are, {counted}, got {told}"
    sha256 = str(task.provenance["sha256"])
    assert len(sha256) == 64 and not sha256.strip("0123456789abcdef"), f"provenance: expected a sha256, got {sha256}"


def check_augmentation(task: AnyTask) -> None:
    """What is changed at random suits what the examples are."""
    if isinstance(task.split("train"), DetectionSplit):
        return
    shift = task.augmentation.shift
    if task.preprocessing.kind in ("image", "video"):
        smaller = min(task.input_shape[-3:-1])
        assert shift < smaller, f"augmentation: expected a shift below the image's {smaller} pixels, got {shift}"
    else:
        assert not shift and not task.augmentation.flip, "augmentation: expected none, since this is no image task"


def check_arrays(task: Task) -> None:
    """Types, shapes and labels of every part; a training example of every class."""
    wanted = "uint8" if task.preprocessing.kind in ("image", "video") else "float32"
    for part in PARTS:
        x, y = task.split(part).x, task.split(part).y
        assert x.dtype.name == wanted, f"{part} x: expected {wanted}, got {x.dtype}"
        assert x.shape[1:] == task.input_shape, f"{part} x: expected {task.input_shape} each, got {x.shape[1:]}"
        assert y.dtype == np.int64, f"{part} y: expected int64, got {y.dtype}"
        assert y.shape == (len(x),) and len(x), f"{part}: expected a label for each example, got {y.shape}, {x.shape}"
        assert np.isfinite(x).all(), f"{part} x: expected finite values"
        classes = len(task.class_names)
        assert y.min() >= 0 and y.max() < classes, f"{part} y: expected 0 to {classes - 1}, got {y.min()} to {y.max()}"
    unseen = set(range(len(task.class_names))) - set(task.split("train").y.tolist())
    assert not unseen, f"train: expected every class, lacks {[task.class_names[label] for label in sorted(unseen)]}"


def check_disjoint(task: AnyTask) -> None:
    """No example of one part is, byte for byte, in another."""
    seen = {part: {row.tobytes() for row in task.split(part).x} for part in PARTS}
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = len(seen[first] & seen[second])
        assert not shared, f"{first} and {second}: expected no example in both, got {shared}"


def check_seed(task: AnyTask, again: AnyTask, other: AnyTask) -> None:
    """The same seed gives the same arrays; another gives another split, unless the source sets all parts apart."""
    for part in PARTS:
        one, two = task.split(part), again.split(part)
        same = map(np.array_equal, _arrays(one), _arrays(two))
        assert all(same), f"{part}: expected the same arrays from the same seed"
    assert task.provenance == again.provenance, "provenance: expected the same from the same seed"
    same_classes = task.class_names == other.class_names
    assert same_classes, f"class_names: expected the same from every seed, got {task.class_names}, {other.class_names}"
    if task.provenance.get("drawn_by_seed", PARTS):
        moved = not np.array_equal(task.split("validation").x, other.split("validation").x)
        assert moved, "validation: expected another split from another seed; is the seed used?"


def _arrays(split: Split | DetectionSplit) -> tuple[NDArray[Any], ...]:
    if isinstance(split, Split):
        return split.x, split.y
    found = split.annotations
    return split.x, found.boxes, found.classes, found.ignored, found.starts


def check_preprocessing(task: AnyTask) -> None:
    """It survives JSON, its numbers fit the input, and it encodes a raw example as the split was encoded."""
    preprocessing = task.preprocessing
    copy = Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict(), allow_nan=False)))
    assert copy == preprocessing, "preprocessing: expected the same after JSON"
    if preprocessing.scale is not None:
        channels = task.input_shape[-1]
        length = len(preprocessing.scale)
        assert length in (1, channels), f"scale: expected 1 or {channels} numbers, got {length}"
    x = task.split("train").x
    host = copy.host
    if preprocessing.kind == "image":
        _check_picture(host, x[0])
    elif preprocessing.kind == "video":
        _check_clip(host, x[0])
    elif host.get("encoder") == "columns":
        _check_columns(host, x)
    elif host.get("encoder") == "standardize":
        # A raw example at the training mean must come out as zeros.
        zeros = encode_array(host, np.array(host["mean"]))
        assert not zeros.any(), f"encode_array: expected zeros at the training mean, got {zeros}"
        for index in range(x.shape[1]):
            _check_standard(f"feature {index}", x[:, index], host["clip"])


def _check_picture(host: dict[str, Any] | Any, pixels: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    decoded = encode_image(host, file.getvalue())
    assert np.array_equal(decoded, pixels), "encode_image: expected a picture of the right size to come out unchanged"


def _check_clip(host: dict[str, Any] | Any, frames: NDArray[np.uint8]) -> None:
    """Frames of the right size come out unchanged: the middle one of each that stride or rate stand for."""
    assert host["frames"] == len(frames), f"host: expected {len(frames)} frames, got {host['frames']}"
    if host["fps"] is not None:
        return  # Pictures in a folder have no rate.
    with tempfile.TemporaryDirectory() as folder:
        shown = np.repeat(frames, host["stride"] or 1, axis=0)
        for number, frame in enumerate(shown):
            Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame).save(Path(folder) / f"{number}.png")
        encoded = encode_clip(host, Path(folder))
    assert np.array_equal(encoded, frames), "encode_clip: expected frames of the right size to come out unchanged"


def _check_columns(host: dict[str, Any] | Any, x: NDArray[np.float32]) -> None:
    """The width is what the columns say, and numbers are standardised by the training rows and no others."""
    row = encode_row(host, {column["name"]: None for column in host["columns"]})
    assert row.shape == x.shape[1:], f"encode_row: expected {x.shape[1]} features, got {row.shape}"
    place = 0
    for column in host["columns"]:
        if column["kind"] == "numeric":
            _check_standard(f"column {column['name']!r}", x[:, place], host["clip"])
            place += 1 + column["indicator"]
        else:
            width = len(column["categories"]) + column["indicator"]
            codes = set(x[:, place : place + width].sum(axis=1).tolist())
            assert codes <= {0.0, 1.0}, f"column {column['name']!r}: expected at most one category in a row"
            assert width == 0 or x[:, place : place + width].any(axis=0).all(), (
                f"column {column['name']!r}: expected categories of the training rows only, got one that none has"
            )
            place += width
    assert place == x.shape[1], f"preprocessing.host: expected columns for {x.shape[1]} features, got {place}"


def _check_standard(what: str, feature: NDArray[np.float32], clip: float) -> None:
    """Mean 0 and deviation 1 over the training rows, or all 0; not asked where values were cut."""
    values = feature.astype(np.float64)
    if np.abs(values).max() >= clip:
        return
    mean, std = values.mean(), values.std()
    standard = abs(mean) < 1e-3 and (abs(std - 1) < 1e-3 or not values.any())
    assert standard, f"{what}: expected mean 0 and deviation 1 over the training rows, got {mean:.4f} and {std:.4f}"


def check_test_is_guarded(task: AnyTask) -> None:
    """`without_test()` gives the same training data and refuses the test split."""
    without_test = getattr(task, "without_test", None)
    assert without_test is not None, "without_test: expected a view of the task that a search can be given"
    view = without_test()
    assert np.array_equal(view.split("train").x, task.split("train").x), "without_test: expected the same examples"
    try:
        view.split("test")
    except InputError:
        return
    raise AssertionError("without_test: expected split('test') to raise InputError")
