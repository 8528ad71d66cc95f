"""The rules of `lower` for layers that see clips and streams: folded frames, time as the rows of an image, states.

At batch 1 a clip's frames are the batch of its maps. What a stream adds up over its frames (sums, their number, the
encoding of it) stays in float when the rest is int8, since eight bits do not hold a sum that grows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from searchspaces import layers, time_layers
from searchspaces.errors import InputError
from searchspaces.graph import Node

if TYPE_CHECKING:
    from hardware_profiles.lower import Lowering

_FLOAT = (time_layers.CountFrame, time_layers.RunningSum)


def input_tensor(lowering: Lowering, index: int) -> int:
    """The tensor a node without inputs is fed at."""
    shape = lowering.graph.nodes[index].shape
    if index == 0 and len(shape) == 4:
        if lowering.batch != 1:
            raise InputError(f"batch: expected 1 for networks of clips, got {lowering.batch}; run one clip at a time.")
        return lowering.out.tensor((1, *shape), lowering.activations)
    result = next((state.result for state in lowering.graph.states if state.source == index), None)
    kept = result is not None and isinstance(lowering.graph.nodes[result].layer, _FLOAT)
    return lowering.activation_tensor(shape, "float32" if kept else None)


def lower_over_time(lowering: Lowering, index: int, node: Node) -> bool:
    """Lower a layer of `searchspaces.time_layers`; False where there is no rule for it."""
    rule = _RULES.get(type(node.layer))
    if rule is not None:
        rule(_Rules(lowering), index, node, node.layer)
    return rule is not None


class _Rules:
    def __init__(self, lowering: Lowering) -> None:
        self.lowering, self.out = lowering, lowering.out

    def tensor(self, node: Node) -> int:
        return self.lowering.activation_tensor(node.shape)

    def reshape(self, node: Node, source: int, shape: tuple[int, ...]) -> int:
        """RESHAPE of a tensor to `shape`, left out where it has it."""
        given = self.out.tensors[source]
        if given.shape == shape:
            return source
        target = self.out.tensor(shape, given.dtype)
        rank = self.out.tensor((len(shape),), "int32", constant=True)
        self.out.op("RESHAPE", [source, rank], [target], node.block)
        return target

    def fold_frames(self, index: int, node: Node, layer: time_layers.FoldFrames) -> None:
        self.lowering.value[index] = self.reshape(node, self.lowering.fed(node), node.shape)

    def last_frames(self, index: int, node: Node, layer: time_layers.LastFrames) -> None:
        self.lowering.value[index] = self.slice(self.lowering.fed(node), node)

    def scale(self, index: int, node: Node, layer: time_layers.Scale) -> None:
        """The learnt factor is taken up by the weights of the convolution before it."""
        before = self.lowering.graph.nodes[node.inputs[0]]
        if not isinstance(before.layer, layers.BatchNorm):
            raise InputError(f"layer {node.name}: expected a batch norm before a learnt factor; put one there.")
        self.lowering.value[index] = self.lowering.value[node.inputs[0]]

    def slice(self, source: int, node: Node, shape: tuple[int, ...] | None = None) -> int:
        """STRIDED_SLICE, whose begin, end and strides are constants."""
        target = self.tensor(node) if shape is None else self.out.tensor(shape, self.out.tensors[source].dtype)
        rank = len(self.out.tensors[source].shape)
        bounds = [self.out.tensor((rank,), "int32", constant=True) for _ in range(3)]
        self.out.op("STRIDED_SLICE", [source, *bounds], [target], node.block)
        return target

    def padded(self, source: int, node: Node, shape: tuple[int, ...]) -> int:
        target = self.out.tensor(shape, self.out.tensors[source].dtype)
        pads = self.out.tensor((len(shape), 2), "int32", constant=True)
        self.out.op("PAD", [source, pads], [target], node.block)
        return target

    def volume(self, index: int, node: Node, layer: time_layers.DepthwiseConv3D) -> None:
        """One depthwise convolution for each frame of the kernel, over the frames it sees, and their sum."""
        frames, *sides = self.lowering.source_shape(node)
        source = self.padded(self.lowering.fed(node), node, (frames + layer.frames - 1, *sides))
        seen, channels, total = (frames, *sides), sides[-1], -1
        window = (1, layer.kernel, layer.kernel, channels)
        numbers: dict[str, int | str] = {"padding": "SAME", "stride": layer.stride, "activation": "NONE"}
        for _ in range(layer.frames):
            part = self.slice(source, node, seen)
            weights = self.out.tensor(window, self.lowering.weights, constant=True)
            bias = self.out.tensor((channels,), self.lowering.biases, constant=True)
            found = self.tensor(node)
            self.out.op("DEPTHWISE_CONV_2D", [part, weights, bias], [found], node.block, **numbers)
            if total >= 0:
                added = self.tensor(node)
                self.out.op("ADD", [total, found], [added], node.block, activation="NONE")
                found = added
            total = found
        self.lowering.value[index] = total
        self.norm(index, node)

    def norm(self, index: int, node: Node) -> None:
        """The batch norm behind a sum of convolutions stays: MUL and ADD by channel."""
        following, found = self.lowering.fold(index)
        if not found:
            return
        last, fused = self.lowering.absorb(following)
        x = self.lowering.value[index]
        for kind, activation in (("MUL", "NONE"), ("ADD", fused)):
            constant = self.out.tensor((node.shape[-1],), self.lowering.activations, constant=True)
            result = self.tensor(node)
            self.out.op(kind, [x, constant], [result], node.block, activation=activation)
            x = result
        self.lowering.value[following] = self.lowering.value[last] = x

    def pad(self, index: int, node: Node, layer: time_layers.PadFrames) -> None:
        frames, height, width, channels = self.lowering.source_shape(node)
        rows = self.reshape(node, self.lowering.fed(node), (1, frames, height * width, channels))
        self.lowering.value[index] = self.padded(rows, node, (1, *node.shape))

    def join(self, index: int, node: Node, layer: time_layers.JoinFrames) -> None:
        kept, new = node.inputs
        rows = self.reshape(node, self.lowering.quantised(new), (1, 1, *node.shape[1:]))
        parts = [self.lowering.value[kept], rows]
        output = self.lowering.output(index)
        self.out.op("CONCATENATION", parts, [output], node.block, activation="NONE", axis=1)

    def temporal(self, index: int, node: Node, layer: time_layers.TemporalDepthwiseConv) -> None:
        """A convolution without padding whose window is one position wide; then the map's rows come back."""
        lowering = self.lowering
        last, fused = lowering.absorb(lowering.fold(index)[0])
        weights = self.out.tensor((1, layer.kernel, 1, node.shape[-1]), lowering.weights, constant=True)
        bias = self.out.tensor((node.shape[-1],), lowering.biases, constant=True)
        frames, height, width, channels = node.shape
        rows = self.out.tensor((1, frames, height * width, channels), lowering.activations)
        numbers: dict[str, int | str] = {"padding": "VALID", "stride": 1, "activation": fused}
        self.out.op("DEPTHWISE_CONV_2D", [lowering.fed(node), weights, bias], [rows], node.block, **numbers)
        lowering.value[last] = self.reshape(node, rows, node.shape)
        lowering.mark(index, last)

    def clip_average(self, index: int, node: Node, layer: time_layers.ClipAveragePool) -> None:
        frames, height, width, channels = self.lowering.source_shape(node)
        rows = self.reshape(node, self.lowering.fed(node), (1, frames, height * width, channels))
        axes = self.out.tensor((2,), "int32", constant=True)
        self.out.op("MEAN", [rows, axes], [self.lowering.output(index)], node.block, keep_dims=layer.keep_dims)

    def cumulative_average(self, index: int, node: Node, layer: time_layers.CumulativeAverage) -> None:
        """CUMSUM has no int8 kernel: it runs in float; then each sum times the share of its frames."""
        frames, channels = node.shape[0], node.shape[-1]
        rows = self.reshape(node, self.lowering.fed(node), (1, frames, channels))
        int8 = self.lowering.activations == "int8"
        if int8:
            wide = self.out.tensor((1, frames, channels), "float32")
            self.out.op("DEQUANTIZE", [rows], [wide], node.block)
            rows = wide
        axis = self.out.tensor((), "int32", constant=True)
        sums = self.out.tensor((1, frames, channels), "float32")
        self.out.op("CUMSUM", [rows, axis], [sums], node.block)
        if int8:
            narrow = self.out.tensor((1, frames, channels), "int8")
            self.out.op("QUANTIZE", [sums], [narrow], node.block)
            sums = narrow
        shares = self.out.tensor((frames, 1), self.lowering.activations, constant=True)
        means = self.out.tensor((1, frames, channels), self.lowering.activations)
        self.out.op("MUL", [sums, shares], [means], node.block, activation="NONE")
        self.lowering.value[index] = self.reshape(node, means, node.shape)

    # -- what a stream adds up, in float ---------------------------------------------------------------------

    def in_float(self, kind: str, inputs: list[int], node: Node, shape: tuple[int, ...]) -> int:
        target = self.out.tensor(shape, "float32")
        numbers = {} if kind in ("DIV", "SIN") else {"activation": "NONE"}
        self.out.op(kind, inputs, [target], node.block, **numbers)
        return target

    def count(self, index: int, node: Node, layer: time_layers.CountFrame) -> None:
        one = self.out.tensor((), "float32", constant=True)
        source = self.lowering.value[node.inputs[0]]
        self.lowering.value[index] = self.in_float("ADD", [source, one], node, (1, 1, 1, 1))

    def running_sum(self, index: int, node: Node, layer: time_layers.RunningSum) -> None:
        """The converter adds what was summed before as a vector."""
        new, total = self.lowering.in_float(node.inputs[0]), self.lowering.value[node.inputs[1]]
        rank = self.out.tensor((1,), "int32", constant=True)
        flat = self.out.tensor((node.shape[-1],), "float32")
        self.out.op("RESHAPE", [total, rank], [flat], node.block)
        self.lowering.value[index] = self.in_float("ADD", [new, flat], node, self.out.tensors[total].shape)

    def running_mean(self, index: int, node: Node, layer: time_layers.RunningMean) -> None:
        total, count = (self.lowering.value[source] for source in node.inputs)
        shape = self.out.tensors[total].shape
        if len(shape) == 2:
            rank = self.out.tensor((2,), "int32", constant=True)
            flat = self.out.tensor((1, 1), "float32")
            self.out.op("RESHAPE", [count, rank], [flat], node.block)
            count = flat
        self.lowering.value[index] = self.in_float("DIV", [total, count], node, shape)

    def encoding(self, index: int, node: Node, layer: time_layers.FrameEncoding) -> None:
        """The sine is the same for all layers of one width: the converter computes it once."""
        source, *counted = node.inputs
        channels = node.shape[-1]
        if not counted:
            # Of a clip all frames have their numbers: the encoding is one constant.
            table = self.out.tensor((*node.shape[:-1], channels), self.lowering.activations, constant=True)
            output = self.lowering.output(index)
            self.out.op("ADD", [self.lowering.quantised(source), table], [output], node.block, activation="NONE")
            return
        if channels not in self.lowering.sines:
            x = self.lowering.value[counted[0]]
            for kind in ("MUL", "ADD"):
                constant = self.out.tensor((channels,), "float32", constant=True)
                x = self.in_float(kind, [x, constant], node, (1, 1, 1, channels))
            self.lowering.sines[channels] = self.in_float("SIN", [x], node, (1, 1, 1, channels))
        factor = self.out.tensor((), "float32", constant=True)
        scaled = self.in_float("MUL", [self.lowering.sines[channels], factor], node, (1, 1, 1, channels))
        whole = self.in_float("ADD", [self.lowering.in_float(source), scaled], node, (1, 1, 1, channels))
        self.lowering.value[index] = whole


_RULES: dict[type, Callable[[_Rules, int, Node, Any], None]] = {
    time_layers.FoldFrames: _Rules.fold_frames,
    time_layers.Scale: _Rules.scale,
    time_layers.DepthwiseConv3D: _Rules.volume,
    time_layers.PadFrames: _Rules.pad,
    time_layers.JoinFrames: _Rules.join,
    time_layers.LastFrames: _Rules.last_frames,
    time_layers.TemporalDepthwiseConv: _Rules.temporal,
    time_layers.ClipAveragePool: _Rules.clip_average,
    time_layers.CumulativeAverage: _Rules.cumulative_average,
    time_layers.CountFrame: _Rules.count,
    time_layers.RunningSum: _Rules.running_sum,
    time_layers.RunningMean: _Rules.running_mean,
    time_layers.FrameEncoding: _Rules.encoding,
}
