"""How tasks want their clips; `nas.video` makes them so, here and wherever the network is fed."""

from __future__ import annotations

from nas.task import Preprocessing
from nas.video.sampling import Sampling


def clip_preprocessing(shape: tuple[int, int, int, int], sampling: Sampling) -> Preprocessing:
    """Choose frames, decode and resize on the host; x / 127.5 - 1 in the graph, as for images."""
    _, height, width, channels = shape
    host = {
        "colour": "L" if channels == 1 else "RGB",
        "height": height,
        "width": width,
        "fit": "stretch",
        "resample": "bilinear",  # Pillow's: antialiased when it makes a picture smaller.
        "orientation": "upright",
        "layout": "THWC",
        "dtype": "uint8",
        "window": "whole clip" if sampling.is_spread else "centre",
        **sampling.to_dict(),
    }
    return Preprocessing(kind="video", scale=(1 / 127.5,), offset=(-1.0,), host=host)
