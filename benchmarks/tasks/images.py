"""How tasks want their pictures; `nas.pictures` makes them so, here and wherever the network is fed."""

from __future__ import annotations

from nas.pictures import encode_image, resize_images
from nas.task import Preprocessing

__all__ = ["encode_image", "image_preprocessing", "resize_images"]


def image_preprocessing(shape: tuple[int, int, int]) -> Preprocessing:
    """Decode and resize on the host; x / 127.5 - 1 in the graph.

    Fixed numbers and not the mean and deviation of the data: [-1, 1] in 255 equal steps is what an int8 tensor holds
    without loss, a channel that is constant does no harm, and nothing is fitted, so nothing can leak. The first
    batch norm of a network learns the rest.
    """
    height, width, channels = shape
    host = {
        "colour": "L" if channels == 1 else "RGB",
        "height": height,
        "width": width,
        "fit": "stretch",
        "resample": "bilinear",  # Pillow's: antialiased when it makes a picture smaller.
        "transparent": "white",
        "orientation": "exif",
        "layout": "HWC",
        "dtype": "uint8",
    }
    return Preprocessing(kind="image", scale=(1 / 127.5,), offset=(-1.0,), host=host)
