"""Checks of the options that several readers share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError


def check_count(option: str, value: object, *, least: int = 1) -> int:
    """`value` as a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{option}: expected a whole number from {least}, got {value!r}; try {option}={least}.")
    return int(value)


def check_flag(option: str, value: object) -> bool:
    """`value` as true or false."""
    if not isinstance(value, bool):
        raise InputError(f"{option}: expected true or false, got {value!r}; try {option}=true.")
    return value


def image_shape(input_shape: Sequence[int] | None, default: tuple[int, int, int]) -> tuple[int, int, int]:
    """(height, width, channels) with 1 or 3 channels, or `default` where nothing was asked."""
    if input_shape is None:
        return default
    sizes = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    whole = all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size > 0 for size in sizes)
    if len(sizes) != 3 or not whole or sizes[2] not in (1, 3):
        raise InputError(
            "input_shape: expected height, width and 1 or 3 channels, all positive, got"
            f" {input_shape!r}; try {list(default)}."
        )
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def clip_shape(
    input_shape: Sequence[int] | None, frames: int | None, default: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """(frames, height, width, channels); an `input_shape` of an image leaves the frames to `frames` or `default`."""
    if frames is not None:
        check_count("frames", frames)
    if input_shape is None:
        return (frames or default[0], *default[1:])
    sizes = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    first = sizes[0] if len(sizes) == 4 else frames or default[0]
    whole = isinstance(first, (int, np.integer)) and not isinstance(first, bool) and first > 0
    if len(sizes) not in (3, 4) or not whole:
        raise InputError(
            "input_shape: expected frames, height, width and 1 or 3 channels (or the last three), all positive, got"
            f" {input_shape!r}; try {list(default)}."
        )
    if frames is not None and first != frames:
        raise InputError(
            f"frames, input_shape: expected the same number of frames, got {frames} and {first}; leave one of them out."
        )
    return (int(first), *image_shape(sizes[-3:], default[1:]))


def feature_shape(input_shape: Sequence[int] | None, features: int) -> tuple[int]:
    """(features,), which the data decide; another wish is refused."""
    if input_shape is not None and (not isinstance(input_shape, (tuple, list)) or tuple(input_shape) != (features,)):
        raise InputError(
            f"input_shape: expected [{features}], the number of encoded features, got {input_shape!r}; leave it out."
        )
    return (features,)


def names(option: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """A name or a list of names as a tuple."""
    given = (value,) if isinstance(value, str) else value
    if not isinstance(given, (tuple, list)) or not all(isinstance(name, str) for name in given):
        raise InputError(f"{option}: expected a column name or a list of them, got {value!r}; try {option}=[a, b].")
    return tuple(given)


def folder(path: str | Path) -> Path:
    """`path` as a folder that exists."""
    found = _path(path)
    if not found.is_dir():
        what = "a file" if found.exists() else "nothing there"
        raise InputError(f"path: expected a folder, got {str(found)!r} ({what}); give the folder that holds the data.")
    return found


def file(path: str | Path) -> Path:
    """`path` as a file that exists and is not empty."""
    found = _path(path)
    if not found.is_file():
        what = "a folder" if found.is_dir() else "nothing there"
        raise InputError(f"path: expected a file, got {str(found)!r} ({what}); check the spelling of the path.")
    if not found.stat().st_size:
        raise InputError(f"path: expected a file with data, got {str(found)!r} of 0 bytes; write it again.")
    return found


def _path(path: str | Path) -> Path:
    if not isinstance(path, (str, Path)) or not str(path):
        raise InputError(f"path: expected a path, got {path!r}; give the place of the data.")
    return Path(path).expanduser()


def digest(*arrays: NDArray[Any]) -> str:
    """sha256 over dtype, shape and bytes of the arrays, in hexadecimal."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
