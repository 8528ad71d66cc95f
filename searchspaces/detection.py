"""What a detector's boxes and scores are laid out over: feature maps, and anchors at each of their locations."""

from __future__ import annotations

from searchspaces.blocks import SSDLiteHead
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


def feature_maps(spec: NetworkSpec) -> tuple[tuple[int, int], ...]:
    """Height and width of the maps that a detector predicts from, in the order of its outputs' rows.

    Raises:
        InputError: the network has no SSDLite head.
    """
    head = spec.blocks.index(_head(spec))
    nodes = spec.graph.nodes
    # What the head reads of earlier blocks; each map feeds the boxes and the scores.
    sources = [index for node in nodes if node.block == head for index in node.inputs if nodes[index].block != head]
    return tuple((nodes[index].shape[0], nodes[index].shape[1]) for index in dict.fromkeys(sources))


def anchors_per_location(spec: NetworkSpec) -> tuple[int, ...]:
    """How many anchors stand at every location of each of the `feature_maps`.

    Raises:
        InputError: the network has no SSDLite head.
    """
    return _head(spec).anchors


def _head(spec: NetworkSpec) -> SSDLiteHead:
    for block in spec.blocks:
        if isinstance(block, SSDLiteHead):
            return block
    raise InputError(
        f"network {spec.name}: expected a detector with an SSDLite head, got outputs {', '.join(spec.output_shapes)}; "
        "take one such as mobiledet-cpu."
    )
