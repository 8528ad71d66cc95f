"""Columns of a table, told apart: numbers or categories."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.splits import row_groups
from benchmarks.tasks.values import is_missing, number, text
from searchspaces.errors import InputError

LARGEST: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """values: float64 [N] with NaN for missing (numeric), or object [N] of str with None for missing."""

    kind: Literal["numeric", "categorical"]
    values: NDArray[Any]


def make_column(name: str, cells: Sequence[object], *, categorical: bool = False) -> Column:
    """A column from its cells: numeric when every cell that is not missing is a number, unless told otherwise."""
    if all(is_missing(cell) for cell in cells):
        raise InputError(f"column {name!r}: expected some values, got only missing ones; put it into ignore.")
    if not categorical:
        values = numbers(cells)
        if values is not None:
            return Column(kind="numeric", values=check_numbers(name, values))
    return Column(kind="categorical", values=np.array([text(cell) for cell in cells], object))


def numbers(cells: Sequence[object]) -> NDArray[np.float64] | None:
    """The cells as float64 with NaN for missing, or None where one of them is no number."""
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        value = number(cell)
        if value is None:
            return None
        values[row] = value
    return values


def check_numbers(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` with -0 as 0; an InputError for infinities and for numbers that float32 cannot hold."""
    with np.errstate(invalid="ignore"):
        outside = np.flatnonzero(np.abs(values) > LARGEST)
    if len(outside):
        raise InputError(
            f"column {name!r}: expected finite numbers below {LARGEST:.1e}, got {values[outside[0]]} in data row"
            f" {outside[0] + 1}; correct it, or leave the cell empty for a missing value."
        )
    return values + 0.0


def choose_columns(
    table: Mapping[str, Sequence[object]], *, label: str, ignore: Collection[str], categorical: Collection[str]
) -> dict[str, Column]:
    """The feature columns of a table: all but the label and the ignored ones."""
    features = [name for name in table if name != label and name not in ignore]
    if not features:
        raise InputError(
            f"table: expected a feature column beside the label {label!r}, got {len(table)} columns of which"
            f" {len(ignore)} ignored; ignore fewer."
        )
    return {name: make_column(name, table[name], categorical=name in categorical) for name in features}


def column_groups(columns: Mapping[str, Column]) -> NDArray[np.int64]:
    """Group numbers of the rows, as `row_groups` gives them: rows with the same cells share a group."""
    parts = []
    for column in columns.values():
        if column.kind == "numeric":
            parts.append(np.where(np.isnan(column.values), np.nan, column.values))
        else:
            place: dict[object, int] = {}
            codes = (place.setdefault(value, len(place)) for value in column.values)
            parts.append(np.fromiter(codes, np.float64, len(column.values)))
    return row_groups(np.stack(parts, axis=1))
