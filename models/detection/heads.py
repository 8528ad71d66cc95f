"""What a network's own graph says of its detection heads: whether it is a detector, its anchors, its first biases."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.detection.anchors import AnchorConfig, ssd_anchors
from searchspaces.blocks.detection import BOXES, SCORES
from searchspaces.detection import anchors_per_place, feature_maps, head_nodes
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec

# A class is then seen with probability 0.01 at first, and background with 0.99, so that the many anchors of background
# do not drown the rest (Lin et al. 2017, §4.1). The released configurations begin with -4.6 for background too, which
# takes the first few hundred steps to unlearn: nothing in 400,000 of them, but a good part of a short training.
CLASS_BIAS: Final = -4.6


def check_detector(spec: NetworkSpec, classes: int) -> None:
    """Raise InputError unless the network has boxes [A, 4] and scores [A, classes + 1] as its outputs."""
    shapes = dict(spec.output_shapes)
    rows = shapes.get(BOXES, (0,))[0]
    if set(shapes) != {BOXES, SCORES} or shapes != {BOXES: (rows, 4), SCORES: (rows, classes + 1)}:
        raise InputError(
            f"network {spec.name}: expected a detector with outputs {BOXES} [anchors, 4] and {SCORES} [anchors,"
            f" {classes + 1}] for {classes} classes and background, got {shapes}; take one such as mobiledet-cpu."
        )


def detector_anchors(spec: NetworkSpec, config: AnchorConfig | None = None) -> NDArray[np.float32]:
    """The anchors [A, 4] (centres) of the network's rows, by the feature maps that its box heads stand on."""
    maps = feature_maps(spec)
    wanted = tuple(len(shapes) for shapes in (config or AnchorConfig()).shapes(len(maps)))
    found = anchors_per_place(spec)
    if wanted != found:
        raise InputError(
            f"network {spec.name}: expected {wanted} anchors a place on its {len(maps)} maps, got {found}; give heads"
            " of 3 anchors on the first map and 6 on the others."
        )
    height, width = spec.input_shape[:2]
    return ssd_anchors(maps, (height, width), config)


def set_class_bias(model: Any, spec: NetworkSpec) -> None:
    """Start the class predictors of a fresh model where hardly any class is seen but background."""
    outputs = spec.output_shapes[SCORES][-1]
    for node in head_nodes(spec, SCORES):
        bias = model.get_layer(node.name).bias
        start = np.full((bias.shape[0] // outputs, outputs), CLASS_BIAS, np.float32)
        start[:, 0] = -CLASS_BIAS
        bias.assign(start.reshape(-1))
