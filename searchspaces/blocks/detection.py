"""Blocks of detectors: extra feature maps, the SSDLite head over several maps, and a backbone's endpoints.

SSDLite: Sandler et al. 2018, section 6.2; SSD: Liu et al. 2016, section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from searchspaces import layers
from searchspaces.blocks.base import Checked
from searchspaces.errors import InputError
from searchspaces.graph import GraphBuilder

BOXES: Final = "boxes"
SCORES: Final = "scores"
BOX_VALUES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraMap(Checked):
    """A feature map of half the side: 1x1 to half of `filters`, 3x3 depthwise of stride 2, 1x1 to `filters`."""

    name: str
    filters: int

    def expand(self, graph: GraphBuilder, x: int) -> int:
        x = graph.add("squeeze", layers.Conv2D(filters=max(1, self.filters // 2), kernel=1), x)
        x = _relu6(graph, "squeeze", x)
        x = graph.add("depthwise", layers.DepthwiseConv2D(kernel=3, stride=2), x)
        x = _relu6(graph, "depthwise", x)
        x = graph.add("expand", layers.Conv2D(filters=self.filters, kernel=1), x)
        return _relu6(graph, "expand", x)

    def label(self) -> str:
        return f"extra map s2 → {self.filters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SSDLiteHead(Checked):
    """Boxes and class scores of every anchor, predicted from the maps that the blocks `maps` ended in.

    Two outputs: `boxes` ``[anchors, 4]``, encoded against the anchors, and `scores` ``[anchors, classes + 1]``, logits
    with the background first. Rows run over the maps as listed, in a map line by line, then over the `anchors` of a
    location, which are given map by map. A predictor is a 3x3 depthwise convolution, batch norm, ReLU6, and a 1x1
    convolution with bias.
    """

    name: str = "head"
    maps: tuple[str, ...]
    anchors: tuple[int, ...]
    classes: int

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if len(self.maps) != len(self.anchors):
            raise InputError(
                f"anchors of block {self.name}: expected one number for each of {len(self.maps)} maps, got "
                f"{len(self.anchors)}; give the anchors of a location map by map."
            )

    def expand(self, graph: GraphBuilder, x: int) -> int:
        for output, values in ((BOXES, BOX_VALUES), (SCORES, self.classes + 1)):
            rows = [
                self._predict(graph, f"{output}_{number}", graph.output_of(block), count, values)
                for number, (block, count) in enumerate(zip(self.maps, self.anchors, strict=True), start=1)
            ]
            x = graph.add(output, layers.Concat(axis=0), *rows) if len(rows) > 1 else rows[0]
            graph.output(output, x)
        return x

    def _predict(self, graph: GraphBuilder, name: str, x: int, anchors: int, values: int) -> int:
        height, width, _ = graph.shape(x)
        x = graph.add(f"{name}_depthwise", layers.DepthwiseConv2D(kernel=3), x)
        x = _relu6(graph, f"{name}_depthwise", x)
        x = graph.add(f"{name}_predict", layers.Conv2D(filters=anchors * values, kernel=1, use_bias=True), x)
        return graph.add(f"{name}_rows", layers.Reshape(shape=(height * width * anchors, values)), x)

    def label(self) -> str:
        return f"SSDLite head: {len(self.maps)} maps → boxes, {self.classes + 1} scores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints(Checked):
    """A backbone's outputs: C1, C2, … are what the blocks `maps` ended in."""

    name: str = "endpoints"
    maps: tuple[str, ...]

    def expand(self, graph: GraphBuilder, x: int) -> int:
        for level, block in enumerate(self.maps, start=1):
            graph.output(f"C{level}", graph.output_of(block))
        return x

    def label(self) -> str:
        return f"endpoints C1 to C{len(self.maps)}"


def _relu6(graph: GraphBuilder, name: str, x: int) -> int:
    """Batch norm and ReLU6."""
    x = graph.add(f"{name}_bn", layers.BatchNorm(), x)
    return graph.add(f"{name}_act", layers.Activation(name="relu6"), x)
