"""The records of nas/task.py and the registry of tasks."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import tasks
from benchmarks.tasks.record import ArrayTask
from nas.task import Augmentation, Preprocessing, Split
from searchspaces.errors import InputError

X, Y = np.zeros((3, 2), np.float32), np.array([0, 1, 1])


def test_arrays_of_a_split_cannot_be_written() -> None:
    split = Split(x=X.copy(), y=Y)
    assert len(split) == 3
    with pytest.raises(ValueError, match="read-only"):
        split.x[0] = 1
    Y[0] = 0  # The caller's own array stays as it was.


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            X.astype(np.float64),
            Y,
            r"x: expected uint8 \[N, H, W, C\] or \[N, T, H, W, C\], or float32 \[N, F\], got float64",
        ),
        (np.zeros((3, 2, 4, 4, 1), np.float32), Y, r"x: expected uint8 .* got float32 with shape \(3, 2, 4, 4, 1\)"),
        (np.zeros((3, 4, 4), np.uint8), Y, r"x: expected uint8 .* got uint8 with shape \(3, 4, 4\)"),
        (X, Y.astype(np.int32), r"y: expected int64 \[N\], got int32"),
        (X, Y[:2], r"split: expected as many labels as examples .* got 3 examples and 2 labels"),
        (X[:0], Y[:0], r"split: expected .* at least one, got 0 examples"),
        (X, Y - 1, r"y: expected class numbers from 0, got -1"),
        (np.where(X == X, np.float32("nan"), X), Y, r"x: expected finite features, got a NaN or infinity in row 0"),
    ],
)
def test_a_bad_split_is_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Split(x=x, y=y)


def test_a_split_holds_clips() -> None:
    assert Split(x=np.zeros((3, 2, 4, 4, 1), np.uint8), y=Y).x.shape == (3, 2, 4, 4, 1)


def test_preprocessing_survives_json() -> None:
    one = Preprocessing(kind="image", scale=(0.5, 1.0, 2.0), offset=(0.0, -1.0, 1.0), host={"size": (1, 2)})
    assert Preprocessing.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert one.host == {"size": [1, 2]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "sound"}, r"preprocessing kind: .*got 'sound'"),
        ({"scale": (1.0,)}, r"expected scale and offset as finite numbers of the same length, or both None"),
        ({"scale": (), "offset": ()}, r"expected scale and offset"),
        ({"scale": (1.0,), "offset": (float("nan"),)}, r"expected scale and offset as finite numbers"),
        ({"host": {"mean": np.float32(1)}}, r"preprocessing.host: expected values that JSON can hold"),
        ({"host": {"mean": float("inf")}}, r"preprocessing.host: expected values that JSON can hold"),
    ],
)
def test_bad_preprocessing_is_refused(changes: dict[str, object], message: str) -> None:
    plain = {"kind": "table", "scale": None, "offset": None, "host": {}}
    with pytest.raises(InputError, match=message):
        Preprocessing(**{**plain, **changes})


def test_preprocessing_with_a_key_too_few_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected the keys .* got \['host', 'kind'\]; add scale, offset"):
        Preprocessing.from_dict({"kind": "table", "host": {}})


@pytest.mark.parametrize("changes", [{"shift": -1}, {"shift": 1.5}, {"shift": True}, {"flip": 1}])
def test_bad_augmentation_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"(shift|flip): expected .* turns it off"):
        Augmentation(**changes)


def test_a_task_that_contradicts_itself_is_refused() -> None:
    task = tasks.create("iris")
    assert isinstance(task, ArrayTask)
    with pytest.raises(InputError, match=r"expected train examples of shape \(5,\), got \(4,\)"):
        replace(task, input_shape=(5,))
    with pytest.raises(InputError, match=r"expected train labels below 2, the number of classes, got 2"):
        replace(task, class_names=("a", "b"))
    with pytest.raises(InputError, match=r"expected the splits train, validation, test, got train"):
        replace(task, splits={"train": task.split("train")})
    with pytest.raises(InputError, match=r"split: expected one of 3 known names, got 'val'"):
        task.split("val")  # type: ignore[arg-type]


def test_a_worker_gets_no_test_examples() -> None:
    task = tasks.create("iris")
    assert isinstance(task, ArrayTask)
    sent = pickle.loads(pickle.dumps(task.without_test()))  # noqa: S301 -- our own bytes
    assert np.array_equal(sent.split("train").x, task.split("train").x)
    with pytest.raises(InputError, match="withheld"):
        sent.split("test")


@pytest.mark.parametrize("name", tasks.TASKS)
def test_options_are_the_keywords_of_the_reader(name: str) -> None:
    module, function = tasks.TASKS[name].split(":")
    reader = getattr(sys.modules.get(module) or __import__(module, fromlist=[function]), function)
    parameters = inspect.signature(reader).parameters
    assert set(parameters) == {"input_shape", "seed", *tasks.option_names(name)}
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert (reader.__doc__ or "").strip()


def test_nothing_heavy_is_imported_for_digits() -> None:
    """Importing scikit-learn alone takes about a second."""
    code = (
        "import sys; from benchmarks import tasks; assert 'PIL' not in sys.modules; tasks.create('digits');"
        "print(sorted({'sklearn', 'pandas', 'scipy', 'pyarrow', 'tensorflow', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
