"""A task from clips in folders: one folder for each class, in it video files and folders of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.tasks.build import Source, clip_task
from benchmarks.tasks.checks import check_count, check_flag, clip_shape, folder
from benchmarks.tasks.class_folders import read_class_folders
from benchmarks.tasks.clips import clip_preprocessing
from benchmarks.tasks.record import ArrayTask
from nas.task import Augmentation
from nas.video.clips import encode_windows
from nas.video.frames import FRAME_FILES, VIDEO_FILES, is_visible, natural_order, open_source
from nas.video.sampling import Sampling, Short
from searchspaces.errors import InputError

DEFAULT_SHAPE: Final = (16, 64, 64, 3)
# Videos that would be left out without a word if only the above were looked for.
REFUSED: Final = frozenset({".3gp", ".flv", ".m2ts", ".m4v", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".wmv"})


def clip_folder(
    *,
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    frames: int | None = None,
    stride: int | None = None,
    fps: float | None = None,
    windows: int = 1,
    short: Short = "refuse",
    shift: int | None = None,
    flip: bool = False,
) -> ArrayTask:
    """Clips from one folder per class, read whole into memory (N x T x H x W x C bytes).

    Args:
        path: the folder of the class folders, or of train/ with test/ and val/ (either or both) that hold them.
            In a class folder every video file (mp4, mov, avi, mkv, webm, gif; they need PyAV) is a clip, and so is
            every folder with pictures in it, however deep: its frames, in natural order.
        input_shape: frames, height, width and channels (or the last three); frames are stretched to it. By default
            16 x 64 x 64 x 3.
        seed: of the split, which is by clip; equal clips are in one part.
        frames: how many a clip gives, where `input_shape` does not say.
        stride: every so manieth frame of the clip; without it and `fps` the frames are spread over the whole clip.
        fps: frames a second, where the files say how many they have.
        windows: examples from each training clip, spread from its start to its end; the others give the centred one.
        short: a clip of too few frames is refused, or filled by beginning again (loop) or by its last frame (hold).
        shift: pixels of random translation in training, all frames alike; by default 1/16 of the shorter side.
        flip: left and right swapped at random in training; off by default, because motion has a direction.
    """
    root = folder(path)
    shape = clip_shape(input_shape, frames, DEFAULT_SHAPE)
    sampling = Sampling(frames=shape[0], stride=stride, fps=fps, short=short)
    augmentation = clip_augmentation(shape, shift, flip)
    many = check_windows(windows, sampling)
    found = read_class_folders(root, _of_class, "clips")
    preprocessing = clip_preprocessing(shape, sampling)
    x = np.stack([encode_windows(preprocessing.host, open_source(item), many) for item in found.items])
    source = Source(
        name="clip-folder",
        origin=f"clip-folder {path}",
        y=found.y,
        class_names=found.class_names,
        seed=seed,
        given=found.given,
    )
    return clip_task(source, x, preprocessing=preprocessing, augmentation=augmentation)


def clip_augmentation(shape: tuple[int, int, int, int], shift: int | None, flip: bool) -> Augmentation:
    """The augmentation of these options; without `shift`, 1/16 of the shorter side."""
    pixels = min(shape[1:3]) // 16 if shift is None else check_count("shift", shift, least=0)
    return Augmentation(shift=pixels, flip=check_flag("flip", flip))


def check_windows(windows: int, sampling: Sampling) -> int:
    """`windows`, where there can be so many different ones."""
    if check_count("windows", windows) > 1 and sampling.is_spread:
        raise InputError(
            f"windows: expected 1 where the frames are spread over the whole clip, got {windows}; give stride or fps."
        )
    return windows


def _of_class(place: Path) -> list[Path]:
    clips = _inside(place)
    if not clips:
        raise InputError(
            f"path: expected clips (video files, or folders of frames) in the class folder {str(place)!r}, got none;"
            " remove the folder or fill it."
        )
    if place in clips:
        raise InputError(
            f"path: expected the frames of each clip in a folder of their own, got pictures in the class folder"
            f" {str(place)!r} itself; sort them into folders."
        )
    return clips


def _inside(place: Path) -> list[Path]:
    """Clips of a folder and of the folders in it; `place` itself where pictures lie in it."""
    clips: list[Path] = []
    for item in sorted(place.iterdir(), key=natural_order):
        suffix = item.suffix.lower()
        if not is_visible(item):
            continue
        if item.is_dir():
            clips += _inside(item)
        elif suffix in REFUSED:
            raise InputError(
                f"video {str(item)!r}: expected mp4, mov, avi, mkv, webm or gif, got {suffix}; convert it or move it"
                " away."
            )
        elif suffix in VIDEO_FILES:
            clips.append(item)
        elif suffix in FRAME_FILES and place not in clips:
            clips.append(place)
    return clips
