"""SSD's anchors: boxes of set sizes and shapes around every place of every feature map (Liu et al. 2016, §2.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorConfig:
    """Scales rise evenly from the first map to the last; on the first map three small anchors stand in for six.

    aspect_ratios: width to height. One more square lies between the scale of a map and that of the next (1 after the
    last), at their geometric mean.  first_scale: of the first map's square.
    """

    min_scale: float = 0.2
    max_scale: float = 0.95
    aspect_ratios: tuple[float, ...] = (1.0, 2.0, 0.5, 3.0, 1 / 3)
    first_scale: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.min_scale <= self.max_scale <= 1 or not 0 < self.first_scale <= 1:
            raise InputError(
                "anchors: expected 0 < min_scale <= max_scale <= 1 and 0 < first_scale <= 1, got"
                f" {self.min_scale}, {self.max_scale} and {self.first_scale}; the usual ones are 0.2, 0.95 and 0.1."
            )
        if not self.aspect_ratios or min(self.aspect_ratios) <= 0:
            raise InputError(f"aspect_ratios: expected numbers above 0, got {self.aspect_ratios}; 1 is a square.")

    def shapes(self, maps: int) -> list[list[tuple[float, float]]]:
        """(scale, aspect ratio) of the anchors at a place of each map, the first map first."""
        step = (self.max_scale - self.min_scale) / max(1, maps - 1)
        scales = [*(self.min_scale + step * number for number in range(maps)), 1.0]
        first = [(self.first_scale, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        others = [
            [*((scale, ratio) for ratio in self.aspect_ratios), (math.sqrt(scale * after), 1.0)]
            for scale, after in itertools.pairwise(scales[1:])
        ]
        return [first, *others]


def ssd_anchors(
    feature_maps: Sequence[tuple[int, int]], image: tuple[int, int], config: AnchorConfig | None = None
) -> NDArray[np.float32]:
    """Anchors [A, 4] as (y, x, height, width), shares of the picture; a scale of 1 is its shorter side.

    Map by map, row by row, place by place, shape by shape: the order in which the heads give their rows.

    Args:
        feature_maps: (height, width) of each, from large to small.
        image: height and width of the network's input.
    """
    if not feature_maps or min(min(sides) for sides in feature_maps) < 1 or min(image) < 1:
        raise InputError(f"anchors: expected sides of 1 or more, got maps {feature_maps} of an image {image}.")
    unit = np.array([min(image) / side for side in image])
    found = []
    for (height, width), shapes in zip(feature_maps, (config or AnchorConfig()).shapes(len(feature_maps)), strict=True):
        y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
        sides = np.array([(scale / math.sqrt(ratio), scale * math.sqrt(ratio)) for scale, ratio in shapes]) * unit
        centers = np.repeat(np.stack([y, x], -1).reshape(-1, 1, 2), len(shapes), axis=1)
        found.append(np.concatenate([centers, np.broadcast_to(sides, centers.shape)], -1).reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)
