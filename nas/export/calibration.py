"""Which training examples int8 quantisation looks at to find the range of every tensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError


def representative_rows(y: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` row numbers (fewer where there are fewer rows), drawn without repeats and balanced over the classes.

    Every class gives the same number as far as its rows last; a rare class so gives its tensor ranges too.

    Args:
        y: class numbers [N].
        count: 1 or more.
        rng: decides which rows, and which classes give one more where `count` is no multiple of their number.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"calibration_examples: expected a whole number, 1 or more, got {count!r}; 256 is usual.")
    rows = rng.permutation(len(y))
    turn = np.empty(len(y), np.int64)  # how many rows of the same class come before
    for label in np.unique(y):
        own = y[rows] == label
        turn[own] = np.arange(own.sum())
    # A stable sort keeps the drawn order within a turn.
    return rows[np.argsort(turn, kind="stable")][:count]
