"""Pictures → uint8 [H, W, C] on the host, described in JSON so that serving does the same."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from searchspaces.errors import InputError

# Only these decoders are tried, whatever the bytes claim to be.
FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP")
DAMAGE: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def encode_image(host: Mapping[str, Any], source: bytes | Path, *, what: str = "image") -> NDArray[np.uint8]:
    """uint8 [H, W, C] of a png, jpeg, webp or bmp picture, as `host` describes; `what` names it in errors."""
    return encode_sized(host, source, what=what)[0]


def encode_sized(
    host: Mapping[str, Any], source: bytes | Path, *, what: str = "image"
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """As `encode_image`, and the height and width that the picture has, upright."""
    picture = _decoded(source, host["colour"], what)
    return _fit(picture, host), (picture.height, picture.width)


def decode_picture(source: bytes | Path, *, what: str = "image") -> NDArray[np.uint8]:
    """uint8 [H, W, 3] of such a picture in its own size: upright, opaque, in colour."""
    return np.asarray(_decoded(source, "RGB", what), np.uint8)


def _decoded(source: bytes | Path, colour: str, what: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as opened:
            return _flatten(ImageOps.exif_transpose(opened), colour)
    except DAMAGE as error:
        raise InputError(
            f"{what}: expected a whole png, jpeg, webp or bmp picture, got one that cannot be decoded"
            f" ({type(error).__name__}: {error}); replace or remove it."
        ) from error


def resize_images(host: Mapping[str, Any], x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [N, H, W, C] of arrays [N, h, w, 1 or 3], as `host` describes; the same array where nothing is to do."""
    channels = 1 if host["colour"] == "L" else 3
    if x.shape[1:] == (host["height"], host["width"], channels):
        return x
    return np.stack([fit_pixels(host, one) for one in x])


def fit_pixels(host: Mapping[str, Any], pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W, C] of an array [h, w, 1 or 3], as `host` describes."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return _fit(picture.convert(host["colour"]), host)


def _flatten(picture: Image.Image, colour: str) -> Image.Image:
    """Without transparency, 8 bits a channel, in the colour mode asked for."""
    if picture.mode.startswith(("I", "F")):  # 16-bit grey; convert("L") would cut it at 255.
        grey = np.clip(np.asarray(picture, np.float64) / 257, 0, 255)
        return Image.fromarray(np.rint(grey).astype(np.uint8)).convert(colour)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB").convert(colour)
    return picture.convert(colour)


def _fit(picture: Image.Image, host: Mapping[str, Any]) -> NDArray[np.uint8]:
    size = (host["width"], host["height"])
    fitted = picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(fitted, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels
