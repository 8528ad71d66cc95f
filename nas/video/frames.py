"""Frames of a video file (through PyAV) or of a folder of pictures, one by one and in colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from nas.pictures import decode_picture
from searchspaces.errors import InputError, MissingError

VIDEO_FILES: Final = frozenset({".avi", ".gif", ".mkv", ".mov", ".mp4", ".webm"})
FRAME_FILES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})
# The demuxer goes by the first bytes. Left to probe, FFmpeg takes a playlist for a video and opens what it points to.
_DEMUXERS: Final = (
    (re.compile(rb".{4}(ftyp|moov|mdat|wide|free|skip|pnot)", re.DOTALL), "mov"),
    (re.compile(rb"RIFF.{4}AVI ", re.DOTALL), "avi"),
    (re.compile(rb"\x1aE\xdf\xa3"), "matroska"),
    (re.compile(rb"GIF8[79]a"), "gif"),
)
_LARGEST_FRAME_PIXELS: Final = 1 << 26


class FrameSource(Protocol):
    """A clip as it lies on the disk.

    name: for errors, as "video 'a.mp4'".  rate: frames a second, None where nothing says so.
    """

    @property
    def name(self) -> str: ...
    @property
    def rate(self) -> float | None: ...
    def count(self) -> int:
        """How many frames there are, found by decoding a video once."""
        ...

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        """uint8 [H, W, 3] of the frames with these numbers (from 0, rising), or of all; every one of one size.

        A number beyond the last frame ends it.
        """
        ...


def open_source(path: Path) -> FrameSource:
    """The clip at `path`: a folder of pictures, or a video file.

    Raises:
        InputError: nothing there, an empty folder, or a file that is no video; damage inside shows as frames are read.
        MissingError: a video file, and PyAV is not installed.
    """
    if path.is_dir():
        return FrameFolder(path)
    if not path.is_file():
        raise InputError(
            f"video {str(path)!r}: expected a video file or a folder of frames, got nothing there; check it."
        )
    return VideoFile(path)


def is_visible(path: Path) -> bool:
    """Hidden files, such as ._1.jpg of a Mac, are no frames and no clips."""
    return not path.name.startswith(".")


def natural_order(path: Path) -> tuple[tuple[int, str, str], ...]:
    """A sort key by which frame10 comes after frame9."""
    pieces = re.split(r"([0-9]+)", path.name)
    return tuple((int(piece), "", piece) if place % 2 else (-1, piece, "") for place, piece in enumerate(pieces))


class FrameFolder:
    """The pictures of a folder in natural order; pictures in folders inside it do not count."""

    rate = None

    def __init__(self, path: Path) -> None:
        self.name = f"frames {str(path)!r}"
        self._files = sorted(
            (file for file in path.iterdir() if file.suffix.lower() in FRAME_FILES and is_visible(file)),
            key=natural_order,
        )
        if not self._files:
            raise InputError(
                f"{self.name}: expected pictures (png, jpg, webp or bmp) in the folder, got none; fill it."
            )

    def count(self) -> int:
        return len(self._files)

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        first: tuple[int, ...] | None = None
        for number in range(self.count()) if numbers is None else numbers:
            if number >= self.count():
                return
            file = self._files[number]
            frame = decode_picture(file, what=f"frame {str(file)!r}")
            first = first or frame.shape
            if frame.shape != first:
                raise _other_size(f"frame {str(file)!r}", first, frame.shape)
            yield frame


class VideoFile:
    """The first video stream of a file; frames recorded lying on their side are turned upright."""

    def __init__(self, path: Path) -> None:
        self.name = f"video {str(path)!r}"
        self._path, self._count = path, -1
        self._av = _pyav(self.name)
        try:
            with path.open("rb") as file:
                start = file.read(16)
        except OSError as error:
            raise InputError(f"{self.name}: expected a readable file, got: {error.strerror}; check it.") from error
        found = [name for pattern, name in _DEMUXERS if pattern.match(start)]
        if not found:
            raise InputError(
                f"{self.name}: expected an mp4, mov, avi, mkv, webm or gif file, got one that begins {start!r}; "
                "convert it or move it away."
            )
        self._demuxer = found[0]
        with self._opened() as (_, stream):
            self.rate = float(stream.average_rate) if stream.average_rate else None

    def count(self) -> int:
        if self._count < 0:
            self._count = sum(1 for _ in self._decoded())
        return self._count

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        wanted = None if numbers is None else iter(numbers)
        following = None if wanted is None else next(wanted, None)
        first: tuple[int, ...] | None = None
        for number, frame in enumerate(self._decoded()):
            if wanted is not None and following is None:
                return
            if wanted is not None and number != following:
                continue
            pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            first = first or pixels.shape
            if pixels.shape != first:
                raise _other_size(f"{self.name}, frame {number + 1}", first, pixels.shape)
            yield np.ascontiguousarray(pixels)
            following = None if wanted is None else next(wanted, None)

    def _opened(self) -> _Opened:
        return _Opened(self._av, self._path, self._demuxer, self.name)

    def _decoded(self) -> Iterator[Any]:
        number = 0
        with self._opened() as (container, stream):
            try:
                for number, frame in enumerate(container.decode(stream), start=1):
                    if frame.is_corrupt:
                        raise _damaged(self.name, number - 1, "its data are damaged")
                    yield frame
            except self._av.error.FFmpegError as error:
                raise _damaged(self.name, number, error.strerror) from error


class _Opened:
    """A container and its first video stream, closed at the end."""

    def __init__(self, av: Any, path: Path, demuxer: str, name: str) -> None:
        self._name = name
        try:
            # Titles and the like may be in any encoding, and are not read.
            self._container = av.open(str(path), format=demuxer, metadata_errors="replace")
        except av.error.FFmpegError as error:
            raise _damaged(name, 0, error.strerror) from error

    def __enter__(self) -> tuple[Any, Any]:
        streams = self._container.streams.video
        if not streams:
            self._container.close()
            raise InputError(f"{self._name}: expected a file with pictures, got sound alone or a cut file; remove it.")
        stream = streams[0]
        if stream.codec_context is None:
            self._container.close()
            raise _damaged(self._name, 0, "of an unknown codec")
        if stream.width * stream.height > _LARGEST_FRAME_PIXELS:
            self._container.close()
            raise InputError(
                f"{self._name}: expected frames of at most {_LARGEST_FRAME_PIXELS:,} pixels, got {stream.width} x "
                f"{stream.height}; make them smaller."
            )
        return self._container, stream

    def __exit__(self, *_: object) -> None:
        self._container.close()


def _pyav(name: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingError(
            f"{name}: expected PyAV to decode it, found none; install it with `pip install av` (the extra `video`), or "
            "give the frames as pictures in a folder."
        ) from error
    return av


def _damaged(name: str, frames: int, reason: str | None) -> InputError:
    where = f"after frame {frames}" if frames else "before the first frame"
    return InputError(
        f"{name}: expected a whole video, got one that cannot be decoded {where} ({reason or 'no reason given'}); "
        "replace or remove it."
    )


def _other_size(what: str, first: tuple[int, ...], shape: tuple[int, ...]) -> InputError:
    return InputError(
        f"{what}: expected {first[1]} x {first[0]} pixels, as the frames before it, got {shape[1]} x {shape[0]}; "
        "bring the frames of a clip to one size."
    )
