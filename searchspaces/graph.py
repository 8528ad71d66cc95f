"""A network as a graph of primitive layers, in the order they run."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from searchspaces.errors import InputError, unknown_name
from searchspaces.layers import Activation, Dense, Input, Layer, Shape, WithoutWeights
from searchspaces.time_layers import CountFrame

# The name of what a network is fed; its states have names of their own.
INPUT = "input"


class Node(NamedTuple):
    """One layer in its place: which nodes feed it, what shape comes out, which block it belongs to."""

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape
    block: int


@dataclass(frozen=True, slots=True)
class State:
    """What a network carries from call to call: the node it is fed at, and the node that gives its new value."""

    name: str
    source: int
    result: int


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """Nodes in running order; node 0 is the input. `outputs` are names and nodes; a plain network has one."""

    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, int], ...]
    states: tuple[State, ...] = ()

    @property
    def results(self) -> tuple[int, ...]:
        """The nodes whose values leave the network: its outputs, then its new states."""
        return (*(node for _, node in self.outputs), *(state.result for state in self.states))

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """The shapes that feed `node`."""
        return tuple([self.nodes[index].shape for index in node.inputs])

    def count_params(self) -> tuple[int, int]:
        """All stored values, and those that training changes."""
        total = trainable = 0
        for node in self.nodes:
            if isinstance(node.layer, WithoutWeights):
                continue
            for weight in node.layer.weights(*self.input_shapes(node)):
                size = prod(weight.shape)
                total += size
                trainable += size if weight.trainable else 0
        return total, trainable


class GraphBuilder:
    """Collects nodes; blocks call `add` and pass on the index it returns.

    Args:
        input_shape: of one example.
        streaming: whether the network sees one frame a call and carries states to the next; blocks that look back in
            time then ask for a `state`.
    """

    def __init__(self, input_shape: Shape, *, streaming: bool = False) -> None:
        self.streaming = streaming
        self._nodes = [Node(INPUT, Input(shape=input_shape), (), input_shape, -1)]
        self._block = -1
        self._prefix = ""
        self._ends: dict[str, int] = {}
        self._outputs: list[tuple[str, int]] = []
        self._sources: dict[int, str] = {}
        self._states: list[State] = []
        self._frames_seen: int | None = None

    def enter(self, block: int, prefix: str) -> None:
        """Start block number `block`; its layers' names begin with `prefix`."""
        self._block, self._prefix = block, prefix

    def leave(self, x: int) -> None:
        """End the block: `x` is what comes out of it."""
        self._ends[self._prefix] = x

    def output_of(self, block: str) -> int:
        """The node an earlier block ended in, for blocks that look further back than the one before."""
        if block not in self._ends:
            raise unknown_name(f"input of block {self._prefix}", block, self._ends)
        return self._ends[block]

    def add(self, name: str, layer: Layer, *inputs: int) -> int:
        """Append `layer`, fed by the nodes `inputs`; returns its index."""
        shape = layer.output_shape(*[self._nodes[index].shape for index in inputs])
        self._nodes.append(Node(f"{self._prefix}_{name}", layer, inputs, shape, self._block))
        return len(self._nodes) - 1

    def output(self, name: str, x: int) -> None:
        """Node `x` is an output; without any, what comes out of the last block is the only one."""
        self._outputs.append((name, x))

    def state(self, name: str, shape: Shape) -> int:
        """A state of the block: the node that holds what `update` was given in the call before, zeros at first."""
        self._nodes.append(Node(f"state_{self._prefix}_{name}", Input(shape=shape), (), shape, self._block))
        source = len(self._nodes) - 1
        self._sources[source] = self._nodes[source].name
        return source

    def frames_seen(self) -> int:
        """How many frames the stream has seen, this one counted: a number that all blocks share."""
        if self._frames_seen is None:
            shape = (1, 1, 1, 1)
            before = Node("state_frames", Input(shape=shape), (), shape, self._block)
            now = Node("frames_seen", CountFrame(), (len(self._nodes),), shape, self._block)
            self._nodes += [before, now]
            self._frames_seen = len(self._nodes) - 1
            self._states.append(State(before.name, self._frames_seen - 1, self._frames_seen))
        return self._frames_seen

    def update(self, state: int, x: int) -> None:
        """Node `x` is the new value of the state that `state` holds."""
        source = self._nodes[state]
        if self._nodes[x].shape != source.shape:
            raise InputError(
                f"state {source.name}: expected a new value of shape {source.shape}, got {self._nodes[x].shape}; "
                "mend its block."
            )
        self._states.append(State(self._sources.pop(state), state, x))

    def shape(self, index: int) -> Shape:
        """The shape that comes out of a node."""
        return self._nodes[index].shape

    def build(self) -> LayerGraph:
        """The finished graph."""
        if self._sources:
            raise InputError(f"states {sorted(self._sources.values())}: expected an update of each; mend their blocks.")
        end = self._ends[self._prefix]
        outputs = self._outputs or [(_output_name(self._nodes[end].layer), end)]
        return LayerGraph(tuple(self._nodes), tuple(outputs), tuple(self._states))


def _output_name(layer: Layer) -> str:
    """What the only output is called, after the layer it comes from."""
    if isinstance(layer, Activation) and layer.name in ("softmax", "sigmoid"):
        return "probabilities"
    return "logits" if isinstance(layer, Dense) else "output"
