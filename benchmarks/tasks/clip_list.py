"""A task from a list of clips: a text file that says where each lies, which frames of it count, and its class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.build import Source, clip_task
from benchmarks.tasks.checks import clip_shape, file
from benchmarks.tasks.clip_folder import DEFAULT_SHAPE, check_windows, clip_augmentation
from benchmarks.tasks.clips import clip_preprocessing
from benchmarks.tasks.labels import encode_labels
from benchmarks.tasks.record import ArrayTask
from nas.video.clips import encode_windows
from nas.video.frames import FrameSource, open_source
from nas.video.sampling import Sampling, Short
from searchspaces.errors import InputError


def clip_list(
    *,
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    root: str | None = None,
    frames: int | None = None,
    stride: int | None = None,
    fps: float | None = None,
    windows: int = 1,
    short: Short = "refuse",
    shift: int | None = None,
    flip: bool = False,
) -> ArrayTask:
    """Clips named in a text file, one a line: `PATH LABEL`, or `PATH START END LABEL`, separated by spaces or tabs.

    PATH is a video file or a folder of frames; START and END are its first and last frame that count, from 1. A path
    with spaces in it is taken whole. Lines that begin with # are left out. Clips cut from one PATH are in one part.

    Args:
        path: the text file.
        root: the folder that PATHs start from; by default that of the text file.
        input_shape, seed, frames, stride, fps, windows, short, shift, flip: as for clip-folder.
    """
    listed = file(path)
    shape = clip_shape(input_shape, frames, DEFAULT_SHAPE)
    sampling = Sampling(frames=shape[0], stride=stride, fps=fps, short=short)
    augmentation = clip_augmentation(shape, shift, flip)
    many = check_windows(windows, sampling)
    rows = read_rows(listed, listed.parent if root is None else Path(root).expanduser())
    y, class_names = encode_labels([row.label for row in rows])
    places = sorted({row.path for row in rows})
    sources = {place: open_source(place) for place in places}
    preprocessing = clip_preprocessing(shape, sampling)
    x = np.stack([encode_windows(preprocessing.host, row.excerpt(sources[row.path]), many) for row in rows])
    source = Source(name="clip-list", origin=f"clip-list {path}", y=y, class_names=class_names, seed=seed)
    origins = np.array([places.index(row.path) for row in rows], np.int64)
    return clip_task(source, x, preprocessing=preprocessing, augmentation=augmentation, origins=origins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the list; `start` and `end` count from 1, both None for the whole clip."""

    line: int
    path: Path
    label: str
    start: int | None
    end: int | None

    def excerpt(self, source: FrameSource) -> FrameSource:
        """The frames that count."""
        if self.start is None or self.end is None:
            return source
        if not 1 <= self.start <= self.end <= source.count():
            raise InputError(
                f"line {self.line}: expected START and END from 1 to {source.count()}, the frames of {source.name}, got"
                f" {self.start} and {self.end}; correct the line."
            )
        return _Excerpt(source=source, start=self.start - 1, end=self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Excerpt:
    source: FrameSource
    start: int
    end: int

    @property
    def name(self) -> str:
        return f"{self.source.name}, frames {self.start + 1} to {self.end}"

    @property
    def rate(self) -> float | None:
        return self.source.rate

    def count(self) -> int:
        return self.end - self.start

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        chosen = range(self.count()) if numbers is None else numbers
        return self.source.frames([self.start + number for number in chosen])


def read_rows(path: Path, root: Path) -> list[Row]:
    """The lines of a list of clips.

    Raises:
        InputError: no text, no lines, a line of another form, or a path where nothing is; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f"path: expected text in UTF-8, got {str(path)!r} ({error.reason}); save it as UTF-8."
        ) from error
    rows = [
        _row(number, line.strip(), path, root)
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows:
        raise InputError(f"path: expected lines 'PATH START END LABEL' in {str(path)!r}, got none; list the clips.")
    return rows


def _row(number: int, line: str, path: Path, root: Path) -> Row:
    words = line.rsplit(maxsplit=3)
    ranged = len(words) == 4 and words[1].isdecimal() and words[2].isdecimal()
    name, *label = words[:1] + words[3:] if ranged else line.rsplit(maxsplit=1)
    if not label:
        raise InputError(
            f"line {number}: expected 'PATH LABEL' or 'PATH START END LABEL' in {str(path)!r}, got {line!r}; mend it."
        )
    place = root / name
    if not place.exists():
        raise InputError(
            f"line {number}: expected a video file or a folder of frames, got nothing at {str(place)!r}; correct the"
            " line, or give root, the folder that paths start from."
        )
    return Row(
        line=number,
        path=place,
        label=label[0],
        start=int(words[1]) if ranged else None,
        end=int(words[2]) if ranged else None,
    )
