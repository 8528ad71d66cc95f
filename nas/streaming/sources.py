"""Frames to feed a stream: of an array, an iterator, a video file, a folder of pictures, or a camera."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nas.video.frames import open_source
from searchspaces.errors import InputError, MissingError

# A path, a camera's number, or the frames themselves.
Source: TypeAlias = str | Path | int | NDArray[Any] | Iterable[NDArray[Any]]


def source_name(source: Source) -> str:
    """How errors and reports call it."""
    if isinstance(source, str | Path):
        return repr(str(source))
    return f"camera {source}" if isinstance(source, int) else "the frames"


def frames_of(source: Source, step: Callable[[float | None], float]) -> Iterator[NDArray[Any]]:
    """The frames, one at a time; none is kept.

    Args:
        source: pictures of files and cameras come as uint8 [H, W, 3], others as they are.
        step: from the source's frames a second (None where it does not say) to the frames from one to the next.

    Raises:
        InputError: nothing there, a damaged file, or something that holds no frames.
        MissingError: PyAV or OpenCV is wanted and not installed, or there is no such camera.
    """
    if isinstance(source, bool) or source is None:
        raise InputError(f"source: expected a path, a camera's number or frames, got {source!r}; give one of them.")
    if isinstance(source, int):
        yield from itertools.islice(_camera(source), 0, None, _whole(step(None)))
    elif isinstance(source, str | Path):
        clip = open_source(Path(source).expanduser())
        size = step(clip.rate)
        yield from clip.frames(int(number * size + 1e-6) for number in itertools.count())
    else:
        if not isinstance(source, Iterable) or (isinstance(source, np.ndarray) and source.ndim < 3):
            raise InputError(
                "source: expected frames as an array [T, H, W, C] or one by one, got"
                f" {getattr(source, 'shape', type(source).__name__)}; give one frame as [1, H, W, C]."
            )
        yield from itertools.islice(source, 0, None, _whole(step(None)))


def _whole(step: float) -> int:
    return max(1, round(step))


def _camera(index: int) -> Iterator[NDArray[np.uint8]]:
    try:
        import cv2
    except ImportError as error:
        raise MissingError(
            f"camera {index}: expected OpenCV to read it, found none; install it with "
            "`pip install opencv-python-headless`, or give a video file."
        ) from error
    capture = cv2.VideoCapture(index)
    try:
        if not capture.isOpened():
            raise MissingError(f"camera {index}: expected a camera of that number, found none; see ls /dev/video*.")
        while True:
            there, frame = capture.read()
            if not there:
                return
            yield np.ascontiguousarray(frame[..., ::-1])  # OpenCV gives blue first.
    finally:
        capture.release()
