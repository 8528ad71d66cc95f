"""From a network to the operators a device runs: what the TFLite converter makes of it, without the converter.

The rules are the converter's: batch norm folds into the convolution before it, ReLU and ReLU6 fuse into the op
before them, swish becomes LOGISTIC and MUL, a hard sigmoid adds its 3 to the bias before it, dropout vanishes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from hardware_profiles.lower_time import input_tensor, lower_over_time
from hardware_profiles.op_graph import PRECISIONS, OpGraph, OpGraphBuilder, Precision
from hardware_profiles.op_order import in_order
from searchspaces import layers, time_layers
from searchspaces.errors import InputError, unknown_name
from searchspaces.graph import LayerGraph, Node
from searchspaces.spec import NetworkSpec

_FUSED = {"relu": "RELU", "relu6": "RELU6"}
_MATRICES = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
_POINTWISE = {"sigmoid": "LOGISTIC", "hard_silu": "HARD_SWISH", "softmax": "SOFTMAX", "relu": "RELU", "relu6": "RELU6"}


def lower(spec: NetworkSpec, *, precision: Precision = "float32", batch: int = 1) -> OpGraph:
    """The op graph of a network; equal to that of its converted file, op for op and shape for shape."""
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    if batch < 1:
        raise InputError(f"batch: expected 1 or more, got {batch}; phones run 1.")
    return Lowering(spec.graph, precision, batch).run()


class Lowering:
    """One pass over the layers; `value[i]` is the tensor that carries node i's output."""

    def __init__(self, graph: LayerGraph, precision: Precision, batch: int) -> None:
        self.graph, self.batch = graph, batch
        self.activations = "float32" if precision == "float32" else "int8"
        self.weights = self.activations
        self.biases = "float32" if precision == "float32" else "int32"
        self.out = OpGraphBuilder()
        self.value: list[int] = []
        self.uses = [0] * len(graph.nodes)
        for node in graph.nodes:
            for index in node.inputs:
                self.uses[index] += 1
        for index in graph.results:
            # What leaves the network must exist by itself.
            self.uses[index] += 1
        self.consumers: dict[int, int] = {
            source: index for index, node in enumerate(graph.nodes) for source in node.inputs
        }
        self.flat: dict[int, int] = {}
        # Tensors brought to another element type, and the sines of frame numbers by their channels.
        self.narrowed: dict[int, int] = {}
        self.widened: dict[int, int] = {}
        self.sines: dict[int, int] = {}
        # Hard sigmoids whose shift and clip the op before them does.
        self.clipped: set[int] = set()

    def run(self) -> OpGraph:
        nodes = self.graph.nodes
        self.value = [-1] * len(nodes)
        inputs = [0, *(state.source for state in self.graph.states)]
        for index in inputs:
            self.value[index] = input_tensor(self, index)
        for index, node in enumerate(nodes):
            if self.value[index] < 0:
                self._emit(index, node)
        results = [self.value[index] for index in self._results()]
        return in_order(self.out.build([self.value[index] for index in inputs], results))

    def _results(self) -> list[int]:
        """The nodes that leave the network, by name, as the converter sorts them."""
        named = [*self.graph.outputs, *((state.name, state.result) for state in self.graph.states)]
        return [node for _, node in sorted(named)]

    def _emit(self, index: int, node: Node) -> None:
        rule = _RULES.get(type(node.layer))
        if rule is not None:
            rule(self, index, node, node.layer)
        elif not lower_over_time(self, index, node):
            raise InputError(f"layer {node.name}: no rule to lower a {type(node.layer).__name__}; add one here.")

    def _conv(self, index: int, node: Node, layer: layers.Conv2D) -> None:
        window = (layer.filters, layer.kernel, layer.kernel, self.source_shape(node)[-1])
        self._matrix("CONV_2D", window, index, node, padding="SAME", stride=layer.stride)

    def _depthwise(self, index: int, node: Node, layer: layers.DepthwiseConv2D) -> None:
        window = (1, layer.kernel, layer.kernel, node.shape[-1])
        self._matrix("DEPTHWISE_CONV_2D", window, index, node, padding="SAME", stride=layer.stride)

    def _dense(self, index: int, node: Node, layer: layers.Dense) -> None:
        weights = (layer.units, self.source_shape(node)[0])
        self._matrix("FULLY_CONNECTED", weights, index, node, has_bias=layer.use_bias)

    def _matrix(
        self,
        kind: str,
        shape: tuple[int, ...],
        index: int,
        node: Node,
        *,
        has_bias: bool = True,
        **attributes: int | str,
    ) -> None:
        """Convolution or dense layer, with the batch norm and activation behind it folded in."""
        last, folded = self.fold(index)
        last, fused = self.absorb(last)
        clips = fused == "NONE" and self._clips(self.only_consumer(last))
        weights = self.out.tensor(shape, self.weights, constant=True)
        has_bias = has_bias or folded or clips
        bias = self.out.tensor((node.shape[-1],), self.biases, constant=True) if has_bias else -1
        output = self.output(last)
        activation = "RELU6" if clips else fused
        inputs = [self.fed(node), weights, bias]
        self.out.op(kind, inputs, [output], node.block, activation=activation, **attributes)
        self.mark(index, last)

    def _norm(self, index: int, node: Node, layer: layers.BatchNorm) -> None:
        """Batch norm that no convolution takes up: a factor and an offset for each channel."""
        factor, offset = (self.out.tensor((node.shape[-1],), self.activations, constant=True) for _ in range(2))
        scaled = self.activation_tensor(node.shape)
        self.out.op("MUL", [self.fed(node), factor], [scaled], node.block, activation="NONE")
        last, fused = self.absorb(index)
        self.out.op("ADD", [scaled, offset], [self.output(last)], node.block, activation=fused)
        self.mark(index, last)

    def _add(self, index: int, node: Node, layer: layers.Add) -> None:
        left, right = node.inputs
        self.binary("ADD", [self.quantised(left), self._skip(right, node)], index, node)

    def _multiply(self, index: int, node: Node, layer: layers.Layer) -> None:
        self.binary("MUL", [self.quantised(source) for source in node.inputs], index, node)

    def _reshape(self, index: int, node: Node, layer: layers.Reshape) -> None:
        shape = self.out.tensor((len(node.shape) + 1,), "int32", constant=True)
        self.out.op("RESHAPE", [self.fed(node), shape], [self.output(index)], node.block)

    def _mean(self, index: int, node: Node, layer: layers.GlobalAveragePool) -> None:
        if layer.keep_dims and self.source_shape(node)[-3:-1] == (1, 1):
            # The mean of one position is that position: the converter drops the op.
            self._passed(index, node, layer)
            return
        axes = self.out.tensor((2,), "int32", constant=True)
        output = self.output(index)
        source = self.fed(node)
        self.out.op("MEAN", [source, axes], [output], node.block, keep_dims=layer.keep_dims)

    def _average(self, index: int, node: Node, layer: layers.AveragePool2D) -> None:
        window: dict[str, int | str] = {"stride": layer.stride, "window": layer.kernel}
        window.update(padding="SAME", activation="NONE")
        self.out.op("AVERAGE_POOL_2D", [self.fed(node)], [self.output(index)], node.block, **window)

    def _concat(self, index: int, node: Node, layer: layers.Concat) -> None:
        # In int8 the parts are made in the scale of the whole, so that none has to be quantised anew.
        parts = [self.quantised(source) for source in node.inputs]
        axis = layer.axis if layer.axis < 0 else layer.axis + 1
        self.out.op("CONCATENATION", parts, [self.output(index)], node.block, activation="NONE", axis=axis)

    def _passed(self, index: int, node: Node, layer: layers.Layer) -> None:
        """A layer that a device does not run: what comes in goes out."""
        self.value[index] = self.value[node.inputs[0]]

    def _activation(self, index: int, node: Node, layer: layers.Activation) -> None:
        name, source = layer.name, self.value[node.inputs[0]]
        if name == "silu":
            gate = self.activation_tensor(node.shape)
            self.out.op("LOGISTIC", [source], [gate], node.block)
            self.binary("MUL", [source, gate], index, node)
        elif name == "hard_sigmoid":
            self._hard_sigmoid(index, node)
        elif name == "hard_silu" and self.graph.states:
            # Exported streams keep it in float, since the runtime's delegate has no other.
            self.value[index] = self.activation_tensor(node.shape, "float32")
            self.out.op("HARD_SWISH", [self.in_float(node.inputs[0])], [self.value[index]], node.block)
        elif name not in _POINTWISE:
            raise InputError(f"layer {node.name}: no rule to lower the activation {name!r}; add one here.")
        else:
            self.out.op(_POINTWISE[name], [source], [self.output(index)], node.block)

    def _hard_sigmoid(self, index: int, node: Node) -> None:
        """``relu6(x + 3)``, unless the op before does it, and a sixth of it, unless the weights after hold it."""
        x = self.value[node.inputs[0]]
        if index not in self.clipped:
            x = self._with_scalar("ADD", x, node, "RELU6")
        self.value[index] = x if self._only_feeds_weights(index) else self._with_scalar("MUL", x, node)

    def _with_scalar(self, kind: str, x: int, node: Node, activation: str = "NONE") -> int:
        constant = self.out.tensor((), self.activations, constant=True)
        output = self.activation_tensor(node.shape)
        self.out.op(kind, [x, constant], [output], node.block, activation=activation)
        return output

    def _clips(self, following: int | None) -> bool:
        """Whether a convolution or dense layer takes over the shift and clip of the hard sigmoid after it."""
        layer = None if following is None else self.graph.nodes[following].layer
        if following is None or not isinstance(layer, layers.Activation) or layer.name != "hard_sigmoid":
            return False
        self.clipped.add(following)
        return True

    def _only_feeds_weights(self, index: int) -> bool:
        """Whether one convolution or dense layer alone reads a node: its weights take up a factor before it."""
        following = self.only_consumer(index)
        return following is not None and isinstance(self.graph.nodes[following].layer, _MATRICES)

    def _rescale(self, index: int, node: Node, layer: layers.Rescale) -> None:
        """MUL then ADD; a scale of 1, an offset of 0 or one scale that the weights take up leaves its op out."""
        x = self.value[node.inputs[0]]
        last_is_scale = all(number == 0.0 for number in layer.offset)
        if last_is_scale and len(layer.scale) == 1 and self._only_feeds_weights(index):
            self.value[index] = x
            return
        steps = [("MUL", layer.scale, 1.0), ("ADD", layer.offset, 0.0)]
        for kind, numbers, neutral in steps:
            if all(number == neutral for number in numbers):
                continue
            shape = () if len(numbers) == 1 else (len(numbers),)
            constant = self.out.tensor(shape, self.activations, constant=True)
            output = self.activation_tensor(node.shape)
            self.out.op(kind, [x, constant], [output], node.block, activation="NONE")
            x = output
        self.value[index] = x

    def binary(self, kind: str, inputs: Sequence[int], index: int, node: Node) -> None:
        last, fused = self.absorb(index)
        self.out.op(kind, inputs, [self.output(last)], node.block, activation=fused)
        self.mark(index, last)

    def fold(self, index: int) -> tuple[int, bool]:
        """The batch norms that alone follow node `index`, folded: the node they end at, and whether there is one."""
        last = index
        while (following := self.only_consumer(last)) is not None:
            if not isinstance(self.graph.nodes[following].layer, layers.BatchNorm):
                break
            last = following
        return last, last != index

    def absorb(self, index: int) -> tuple[int, str]:
        """The ReLU that alone follows node `index`, fused: the node it ends at and the fused function's name."""
        following = self.only_consumer(index)
        if following is not None:
            layer = self.graph.nodes[following].layer
            if isinstance(layer, layers.Activation) and layer.name in _FUSED:
                return following, _FUSED[layer.name]
        return index, "NONE"

    def _skip(self, source: int, node: Node) -> int:
        """What a residual adds; on a 1x1 map at batch 1 the converter adds a vector."""
        if self.batch != 1 or prod(node.shape) != node.shape[-1] or len(node.shape) < 3:
            return self.quantised(source)
        return self.flattened(source, node)

    def flattened(self, source: int, node: Node) -> int:
        """A node's value as a vector, made once."""
        if source not in self.flat:
            shape = self.out.tensor((1,), "int32", constant=True)
            given = self.quantised(source)
            self.flat[source] = self.out.tensor((node.shape[-1],), self.activations)
            self.out.op("RESHAPE", [given, shape], [self.flat[source]], node.block)
        return self.flat[source]

    def only_consumer(self, index: int) -> int | None:
        return self.consumers.get(index) if self.uses[index] == 1 else None

    def mark(self, first: int, last: int) -> None:
        """All nodes of the chain from `first` to `last` are carried by one op, whose output `last` has."""
        node = last
        while node > first:
            node = self.graph.nodes[node].inputs[0]
            self.value[node] = self.value[last]

    def output(self, index: int) -> int:
        self.value[index] = self.activation_tensor(self.graph.nodes[index].shape)
        return self.value[index]

    def source_shape(self, node: Node) -> layers.Shape:
        """The shape of what feeds a node first."""
        return self.graph.nodes[node.inputs[0]].shape

    def fed(self, node: Node) -> int:
        """The tensor that feeds a node with one input."""
        return self.quantised(node.inputs[0])

    def quantised(self, source: int) -> int:
        """The tensor of a node in the precision of the network; what is kept in float is quantised once."""
        return self._cast(source, self.activations, "QUANTIZE", self.narrowed)

    def in_float(self, source: int) -> int:
        """The tensor of a node in float; what is int8 is dequantised once."""
        return self._cast(source, "float32", "DEQUANTIZE", self.widened)

    def _cast(self, source: int, dtype: str, kind: str, done: dict[int, int]) -> int:
        given = self.value[source]
        if self.out.tensors[given].dtype == dtype:
            return given
        if given not in done:
            done[given] = self.out.tensor(self.out.tensors[given].shape, dtype)
            self.out.op(kind, [given], [done[given]], self.graph.nodes[source].block)
        return done[given]

    def activation_tensor(self, shape: layers.Shape, dtype: str | None = None) -> int:
        """A tensor of the network's precision; maps of clips, at batch 1, carry their frames in its axis."""
        held = shape if len(shape) == 4 else (self.batch, *shape)
        return self.out.tensor(held, dtype or self.activations)


# What emits the ops of a node, by the type of its layer.
_RULES: dict[type, Callable[[Lowering, int, Node, Any], None]] = {
    layers.Conv2D: Lowering._conv,
    layers.DepthwiseConv2D: Lowering._depthwise,
    layers.Dense: Lowering._dense,
    layers.BatchNorm: Lowering._norm,
    layers.Activation: Lowering._activation,
    layers.Add: Lowering._add,
    layers.Multiply: Lowering._multiply,
    layers.Reshape: Lowering._reshape,
    layers.Rescale: Lowering._rescale,
    layers.GlobalAveragePool: Lowering._mean,
    layers.AveragePool2D: Lowering._average,
    layers.Concat: Lowering._concat,
    layers.Dropout: Lowering._passed,
    time_layers.DropClip: Lowering._passed,
    time_layers.GateClip: Lowering._multiply,
}
