"""What the spaces over images share: any image size, and a narrower network where the image is small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from searchspaces.errors import InputError
from searchspaces.layers import Shape
from searchspaces.space import SearchSpace, Value

SMALL_IMAGE_SIDE = 96


class ImageSpace(SearchSpace):
    """A space over images, with the choices `width` (a factor on all channel counts) and `stem_stride`.

    They are pinned to the paper's 1.0 and 2. Where the longer side is under 96 pixels, papers' tables end in 1x1 maps;
    there `small_images` holds: a stem without stride, and a quarter of the width. Pins given by name come first.
    """

    small_images: ClassVar[Mapping[str, Value]] = {"width": 0.25, "stem_stride": 1}

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if input_shape is not None and len(input_shape) != 3:
            raise InputError(
                f"input of space {self.name}: expected an image such as 32x32x3, got {input_shape}; "
                "use space tabnas for tables."
            )
        small = input_shape is not None and max(input_shape[:2]) < SMALL_IMAGE_SIDE
        scale = {"width": 1.0, "stem_stride": 2, **(self.small_images if small else {})}
        super().__init__(input_shape, classes, **{**scale, **pins})
