"""A network as a graph of primitive layers, in the order they run."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from searchspaces.layers import Input, Layer, Shape


@dataclass(frozen=True, slots=True)
class Node:
    """One layer in its place: which nodes feed it, what shape comes out, which block it belongs to."""

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape
    block: int


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """Nodes in running order; node 0 is the input, the last node is the output."""

    nodes: tuple[Node, ...]

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """The shapes that feed `node`."""
        return tuple(self.nodes[index].shape for index in node.inputs)

    def count_params(self) -> tuple[int, int]:
        """All stored values, and those that training changes."""
        total = trainable = 0
        for node in self.nodes:
            for weight in node.layer.weights(*self.input_shapes(node)):
                size = prod(weight.shape)
                total += size
                trainable += size if weight.trainable else 0
        return total, trainable


class GraphBuilder:
    """Collects nodes; blocks call `add` and pass on the index it returns."""

    def __init__(self, input_shape: Shape) -> None:
        self._nodes = [Node("input", Input(shape=input_shape), (), input_shape, -1)]
        self._block = -1
        self._prefix = ""

    def enter(self, block: int, prefix: str) -> None:
        """Start block number `block`; its layers' names begin with `prefix`."""
        self._block, self._prefix = block, prefix

    def add(self, name: str, layer: Layer, *inputs: int) -> int:
        """Append `layer`, fed by the nodes `inputs`; returns its index."""
        shape = layer.output_shape(*(self._nodes[index].shape for index in inputs))
        self._nodes.append(Node(f"{self._prefix}_{name}", layer, inputs, shape, self._block))
        return len(self._nodes) - 1

    def shape(self, index: int) -> Shape:
        """The shape that comes out of a node."""
        return self._nodes[index].shape

    def build(self) -> LayerGraph:
        """The finished graph."""
        return LayerGraph(tuple(self._nodes))
