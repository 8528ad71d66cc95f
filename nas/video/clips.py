"""Clips → uint8 [T, H, W, C] on the host, described in JSON so that serving does the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.pictures import fit_pixels
from nas.video.frames import FrameSource, open_source
from nas.video.sampling import Sampling


def encode_clip(host: Mapping[str, Any], source: Path) -> NDArray[np.uint8]:
    """uint8 [T, H, W, C] of a video file or a folder of frames, as `host` describes: the window in its middle."""
    return np.asarray(encode_windows(host, open_source(source), 1)[0], np.uint8)


def encode_windows(host: Mapping[str, Any], source: FrameSource, many: int) -> NDArray[np.uint8]:
    """uint8 [many, T, H, W, C]: several windows of one clip, decoded once; every frame is stretched to its size.

    Raises:
        InputError: names the file, and the frame where one is to blame.
    """
    numbers = Sampling.from_dict(host).windows(source.count(), source.rate, many, what=source.name)
    needed, places = np.unique(numbers, return_inverse=True)
    frames = np.stack([fit_pixels(host, frame) for frame in source.frames(needed.tolist())])
    return np.asarray(frames[places.reshape(numbers.shape)], np.uint8)
