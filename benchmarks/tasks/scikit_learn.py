"""scikit-learn's small sets: digits as images, and iris, wine and breast cancer as tables."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.build import Source, column_task, image_task
from benchmarks.tasks.checks import image_shape
from benchmarks.tasks.columns import Column, check_numbers
from benchmarks.tasks.record import ArrayTask
from nas.task import Augmentation


def digits(*, input_shape: Sequence[int] | None = None, seed: int = 0) -> ArrayTask:
    """1,797 handwritten digits of 8 x 8 pixels (UCI optdigits, test part); 0 … 16 is spread over 0 … 255."""
    x, y = digit_images()
    shape = image_shape(input_shape, (8, 8, 1))
    source = Source(
        name="digits",
        origin="scikit-learn load_digits (UCI optical recognition of handwritten digits)",
        y=y,
        class_names=tuple(str(digit) for digit in range(10)),
        seed=seed,
    )
    return image_task(source, x, shape=shape, augmentation=Augmentation(shift=round(min(shape[:2]) / 16)))


def digit_images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images uint8 [1797, 8, 8, 1] and the digits they show, int64 [1797]."""
    table = _digits_table()
    pixels, y = table[:, :-1], table[:, -1].astype(np.int64)
    return np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1), y


def _digits_table() -> NDArray[np.float64]:
    """[1797, 65], the label last. Read from scikit-learn's own file: importing it takes longer than all the rest."""
    package = importlib.util.find_spec("sklearn")
    folders = list(package.submodule_search_locations or ()) if package else []
    for folder in folders:
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits

    data = load_digits()
    return np.column_stack([data.data, data.target])


def iris(*, input_shape: Sequence[int] | None = None, seed: int = 0) -> ArrayTask:
    """150 flowers, 4 measures, 3 species (Fisher 1936)."""
    from sklearn.datasets import load_iris

    return _table("iris", load_iris(), input_shape, seed)


def wine(*, input_shape: Sequence[int] | None = None, seed: int = 0) -> ArrayTask:
    """178 wines, 13 chemical measures, 3 growers (UCI)."""
    from sklearn.datasets import load_wine

    return _table("wine", load_wine(), input_shape, seed)


def breast_cancer(*, input_shape: Sequence[int] | None = None, seed: int = 0) -> ArrayTask:
    """569 tumours, 30 measures of cell nuclei, malignant or benign (UCI, Wisconsin diagnostic)."""
    from sklearn.datasets import load_breast_cancer

    return _table("breast_cancer", load_breast_cancer(), input_shape, seed)


def _table(name: str, data: Any, input_shape: Sequence[int] | None, seed: int) -> ArrayTask:
    columns = {
        str(feature): Column(kind="numeric", values=check_numbers(str(feature), values))
        for feature, values in zip(data.feature_names, data.data.T, strict=True)
    }
    source = Source(
        name=name,
        origin=f"scikit-learn load_{name}",
        y=data.target.astype(np.int64),
        class_names=tuple(str(target) for target in data.target_names),
        seed=seed,
    )
    return column_task(source, columns, input_shape=input_shape)
