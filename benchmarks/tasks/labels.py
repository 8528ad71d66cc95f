"""Labels as they are written → class numbers and class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.checks import check_count
from benchmarks.tasks.values import is_missing, number, text
from searchspaces.errors import InputError

MOST_CLASSES: Final = 10_000
# Whole numbers beyond so many, with gaps, are prices or counts rather than class numbers.
MANY_NUMBERS: Final = 100


def encode_labels(raw: Sequence[object], *, classes: int | None = None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers (int64 [N]) and class names, sorted: whole numbers by size, anything else by letters.

    With `classes`, whole-number labels must lie in 0 … classes - 1 and are kept; other labels must be so many.
    """
    gap = next((row for row, value in enumerate(raw, start=1) if is_missing(value)), None)
    if gap is not None:
        raise InputError(f"label: expected a class in every row, got none in data row {gap}; fill it or drop the row.")
    numbers = [number(value) for value in raw]
    if any(value is None for value in numbers):
        return _encode_names(raw, classes)
    values = np.array(numbers, np.float64)
    odd = np.flatnonzero((values != np.rint(values)) | (np.abs(values) > 2**53))
    if len(odd):
        raise InputError(
            f"label: expected classes (names or whole numbers), got {raw[odd[0]]!r} in data row {odd[0] + 1};"
            " a quantity to predict must be cut into classes first."
        )
    if classes is None:
        found, codes = np.unique(values.astype(np.int64), return_inverse=True)
        if len(found) > MANY_NUMBERS and found[-1] - found[0] > 10 * len(found):
            raise InputError(
                f"label: expected classes, got {len(found)} whole numbers from {found[0]} to {found[-1]} with wide"
                " gaps, a quantity by the look of it; cut it into classes, or write codes as names ('c17')."
            )
        return codes.astype(np.int64), check_class_names([str(value) for value in found])
    check_count("classes", classes, least=2)
    outside = np.flatnonzero((values < 0) | (values >= classes))
    if len(outside):
        raise InputError(
            f"label: expected whole numbers from 0 to {classes - 1} (classes={classes}), got {raw[outside[0]]!r} in"
            f" data row {outside[0] + 1}; number the classes from 0 or change classes."
        )
    return values.astype(np.int64), check_class_names([str(value) for value in range(classes)])


def _encode_names(raw: Sequence[object], classes: int | None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    written = [str(text(value)) for value in raw]
    found = sorted(set(written))
    if classes is not None and len(found) != check_count("classes", classes, least=2):
        raise InputError(
            f"label: expected {classes} classes, got {len(found)} ({', '.join(found[:5])} …); change classes or"
            " leave it out."
        )
    place = {name: code for code, name in enumerate(found)}
    return np.array([place[name] for name in written], np.int64), check_class_names(found)


def check_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple; an InputError for a single class, or for so many that it is no class at all."""
    if not 2 <= len(class_names) <= MOST_CLASSES:
        raise InputError(
            f"label: expected 2 to {MOST_CLASSES} classes, got {len(class_names)}"
            f" ({', '.join(class_names[:3])}{' …' if len(class_names) > 3 else ''}); is it the right label?"
        )
    return tuple(class_names)
