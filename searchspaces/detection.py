"""What a detector's rows of boxes and scores stand for: its predictors, their feature maps, the anchors at a place."""

from __future__ import annotations

from searchspaces.blocks.detection import BOX_VALUES, BOXES
from searchspaces.errors import InputError
from searchspaces.graph import Node
from searchspaces.spec import NetworkSpec


def feature_maps(spec: NetworkSpec) -> tuple[tuple[int, int], ...]:
    """Height and width of the maps that a detector predicts from, in the order of its rows: from large to small."""
    return tuple((node.shape[0], node.shape[1]) for node in head_nodes(spec, BOXES))


def anchors_per_place(spec: NetworkSpec) -> tuple[int, ...]:
    """How many anchors stand at every place of each of the `feature_maps`."""
    return tuple(node.shape[2] // BOX_VALUES for node in head_nodes(spec, BOXES))


def head_nodes(spec: NetworkSpec, output: str) -> list[Node]:
    """The layers that predict an output, one a feature map, in the order of its rows.

    Raises:
        InputError: the network has no such output.
    """
    graph = spec.graph
    outputs = dict(graph.outputs)
    if output not in outputs:
        raise InputError(
            f"network {spec.name}: expected an output {output}, got {', '.join(outputs)}; take a detector such as "
            "mobiledet-cpu."
        )

    def behind(index: int) -> list[Node]:
        node = graph.nodes[index]
        return [node] if len(node.shape) == 3 else [found for source in node.inputs for found in behind(source)]

    return behind(outputs[output])
