"""Rows of a table → float32 features, on the host; NumPy only, so that a device's host can run it too.

The whole encoding is described in JSON (`host`), fitted on training rows alone. It standardises on the host and
not inside the network because an int8 input has one scale for all features: a column in the thousands would leave
nothing of one between 0 and 1. For the same reason standardised numbers are cut at ±10: one wild value must not
take all 256 steps.

    {"encoder": "columns", "clip": 10.0, "columns": [
        {"name": "age", "kind": "numeric", "fill": 37.0, "mean": 38.6, "std": 13.7, "indicator": true},
        {"name": "sex", "kind": "categorical", "categories": ["f", "m"], "indicator": false}]}

A numeric column gives (value - mean) / std, with `fill` (the training median) where it is missing, and with
`indicator` a second feature that is 1 there. A categorical column gives one feature for each category and, with
`indicator`, one more for missing; all of them are 0 for a category that is not listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.columns import Column, check_numbers
from benchmarks.tasks.values import number, text
from searchspaces.errors import InputError

CLIP_STD: Final = 10.0
MOST_CATEGORIES: Final = 50


def fit_columns(columns: Mapping[str, Column]) -> dict[str, Any]:
    """The encoding (`host`, see above) of these columns; give it training rows only."""
    fitted = [
        {"name": name, **(_fit_numeric if column.kind == "numeric" else _fit_categorical)(column.values)}
        for name, column in columns.items()
    ]
    return {"encoder": "columns", "clip": CLIP_STD, "columns": fitted}


def _fit_numeric(values: NDArray[np.float64]) -> dict[str, Any]:
    missing = np.isnan(values)
    fill = 0.0 if missing.all() else float(np.median(values[~missing]))
    mean, std = mean_and_std(np.where(missing, fill, values))
    return {"kind": "numeric", "fill": fill, "mean": mean, "std": std, "indicator": bool(missing.any())}


def mean_and_std(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and population standard deviation; of a constant, exactly the constant and 1."""
    low, high = float(values.min()), float(values.max())
    # Asked of the range: the deviation of equal numbers is not always 0 in floating point, and would blow up.
    if low == high:
        return low, 1.0
    return float(values.mean()), float(values.std()) or 1.0


def _fit_categorical(values: NDArray[Any]) -> dict[str, Any]:
    counts = Counter(value for value in values if value is not None)
    frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_CATEGORIES]
    missing = any(value is None for value in values)
    return {"kind": "categorical", "categories": sorted(frequent), "indicator": missing}


def encode_columns(host: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Features, float32 [N, F], of columns given as float64 with NaN or as str with None."""
    blocks = [
        (_encode_numeric if spec["kind"] == "numeric" else _encode_categorical)(spec, columns[spec["name"]], host)
        for spec in host["columns"]
    ]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _encode_numeric(
    spec: Mapping[str, Any], values: NDArray[np.float64], host: Mapping[str, Any]
) -> NDArray[np.float64]:
    missing = np.isnan(values)
    standard = standardize(np.where(missing, spec["fill"], values), spec["mean"], spec["std"], host["clip"])
    return np.stack([standard, missing], axis=1) if spec["indicator"] else standard[:, None]


def _encode_categorical(spec: Mapping[str, Any], values: NDArray[Any], host: Mapping[str, Any]) -> NDArray[np.float64]:
    place: dict[str | None, int] = {category: code for code, category in enumerate(spec["categories"])}
    if spec["indicator"]:
        place[None] = len(place)
    codes = np.fromiter((place.get(value, -1) for value in values), np.int64, len(values))
    return (codes[:, None] == np.arange(len(place))).astype(np.float64)


def standardize(
    values: NDArray[np.float64], mean: NDArray[np.float64] | float, std: NDArray[np.float64] | float, clip: float
) -> NDArray[np.float64]:
    """(values - mean) / std, cut at ±clip."""
    with np.errstate(over="ignore"):  # Far outside the training range: ±inf here, ±clip below.
        return np.clip((values - mean) / std, -clip, clip)


def encode_row(host: Mapping[str, Any], row: Mapping[str, object]) -> NDArray[np.float32]:
    """Features, float32 [F], of one raw row: column name → cell as str, number or None; others are not looked at."""
    return encode_columns(host, {spec["name"]: _cell(spec, row) for spec in host["columns"]})[0]


def _cell(spec: Mapping[str, Any], row: Mapping[str, object]) -> NDArray[Any]:
    name = spec["name"]
    if name not in row:
        raise InputError(
            f"row: expected the column {name!r}, got {', '.join(map(str, row)) or 'no columns'}; give None where the"
            " value is missing."
        )
    if spec["kind"] == "categorical":
        return np.array([text(row[name])], object)
    value = number(row[name])
    if value is None:
        raise InputError(f"column {name!r}: expected a number, got {row[name]!r}; give None where it is missing.")
    return check_numbers(name, np.array([value], np.float64))


def encode_array(host: Mapping[str, Any], x: NDArray[Any]) -> NDArray[np.float32]:
    """Features, float32 [F] or [N, F], of raw ones: {"encoder": "standardize", "mean", "std", "clip"}."""
    mean, std = np.array(host["mean"]), np.array(host["std"])
    raw = np.asarray(x, np.float64) + 0.0
    if raw.ndim not in (1, 2) or raw.shape[-1] != len(mean):
        raise InputError(
            f"array: expected [{len(mean)}] or [N, {len(mean)}] features, got shape {raw.shape}; reshape it."
        )
    return standardize(raw, mean, std, host["clip"]).astype(np.float32)
