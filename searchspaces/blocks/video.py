"""Blocks of networks that see clips: MoViNet's bottleneck, and pooling that a stream can carry on.

A causal block looks only at frames that have passed. Fed with a whole clip it pads the past with zeros; in a stream it
keeps what it will need again as states (Kondratyuk et al., CVPR 2021, §3.2), and gives the same values frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from searchspaces import layers, time_layers
from searchspaces.blocks.base import Checked, activate, stride_label
from searchspaces.graph import GraphBuilder
from searchspaces.layers import ActivationName

_NORM = layers.BatchNorm()


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMBConv(Checked):
    """MoViNet's bottleneck: expand, depthwise over time and space, squeeze-and-excite, project, learnt scale, skip.

    Where `causal`, the depthwise convolution is one over space followed by one over the `kernel_frames` passed, each
    with its own batch norm, and the gate sees each frame's average beside the average so far; `positional` adds the
    frame's number to both. Otherwise it is one convolution in three dimensions, and the gate sees the whole clip.
    """

    name: str
    filters: int
    expanded_filters: int
    kernel_frames: int
    kernel: int
    stride: int = 1
    activation: ActivationName = "silu"
    se_filters: int
    se_gate: ActivationName = "sigmoid"
    causal: bool = False
    positional: bool = False
    drop_connect: float = 0.0

    def expand(self, graph: GraphBuilder, x: int) -> int:
        skip = x
        x = self._normed(graph, "expand", layers.Conv2D(filters=self.expanded_filters, kernel=1), x, self.activation)
        x = self._depthwise(graph, x)
        x = self._causal_gate(graph, x) if self.causal else self._clip_gate(graph, x)
        x = self._normed(graph, "project", layers.Conv2D(filters=self.filters, kernel=1), x)
        x = graph.add("rezero", time_layers.Scale(), x)
        if self.drop_connect:
            x = graph.add("drop", time_layers.DropClip(rate=self.drop_connect), x)
        return graph.add("add", layers.Add(), x, self._skip(graph, skip))

    def _normed(
        self, graph: GraphBuilder, name: str, layer: layers.Layer, x: int, activation: ActivationName | None = None
    ) -> int:
        x = graph.add(name, layer, x)
        x = graph.add(f"{name}_bn", _NORM, x)
        return activate(graph, activation, x, f"{name}_act")

    def _depthwise(self, graph: GraphBuilder, x: int) -> int:
        if self.kernel_frames > 1 and not self.causal:
            volume = time_layers.DepthwiseConv3D(frames=self.kernel_frames, kernel=self.kernel, stride=self.stride)
            return self._normed(graph, "depthwise", volume, x, self.activation)
        plane = layers.DepthwiseConv2D(kernel=self.kernel, stride=self.stride)
        x = self._normed(graph, "depthwise", plane, x, self.activation)
        if self.kernel_frames == 1:
            return x
        height = graph.shape(x)[1]
        x = self._with_past(graph, x, self.kernel_frames - 1)
        temporal = time_layers.TemporalDepthwiseConv(kernel=self.kernel_frames, height=height)
        return self._normed(graph, "temporal", temporal, x, self.activation)

    def _with_past(self, graph: GraphBuilder, x: int, count: int) -> int:
        """The last `count` frames before this one in front of it: kept from earlier calls, or zeros before a clip."""
        if not graph.streaming:
            return graph.add("past", time_layers.PadFrames(count=count), x)
        _, height, width, channels = graph.shape(x)
        buffer = graph.state("buffer", (count, height * width, channels))
        joined = graph.add("past", time_layers.JoinFrames(), buffer, x)
        graph.update(buffer, graph.add("kept", time_layers.LastFrames(count=count), joined))
        return joined

    def _clip_gate(self, graph: GraphBuilder, x: int) -> int:
        pooled = graph.add("se_pool", time_layers.ClipAveragePool(keep_dims=True), x)
        gate = self._gate(graph, pooled, graph.shape(x)[-1])
        return graph.add("se_scale", time_layers.GateClip(), x, gate)

    def _causal_gate(self, graph: GraphBuilder, x: int) -> int:
        frame = graph.add("se_pool", layers.GlobalAveragePool(keep_dims=True), x)
        if graph.streaming:
            so_far = running_mean(graph, "se", frame)
        else:
            so_far = graph.add("se_mean", time_layers.CumulativeAverage(), frame)
        pooled = graph.add("se_join", layers.Concat(), so_far, frame)
        if self.positional:
            counted = [graph.frames_seen()] if graph.streaming else []
            pooled = graph.add("se_position", time_layers.FrameEncoding(), pooled, *counted)
        gate = self._gate(graph, pooled, graph.shape(x)[-1])
        return graph.add("se_scale", layers.Multiply(), x, gate)

    def _gate(self, graph: GraphBuilder, pooled: int, channels: int) -> int:
        gate = graph.add("se_reduce", layers.Conv2D(filters=self.se_filters, kernel=1, use_bias=True), pooled)
        gate = activate(graph, self.activation, gate, "se_act")
        gate = graph.add("se_expand", layers.Conv2D(filters=channels, kernel=1, use_bias=True), gate)
        return graph.add("se_gate", layers.Activation(name=self.se_gate), gate)

    def _skip(self, graph: GraphBuilder, x: int) -> int:
        if self.stride == 1 and graph.shape(x)[-1] == self.filters:
            return x
        if self.stride > 1:
            x = graph.add("skip_pool", layers.AveragePool2D(kernel=3, stride=self.stride), x)
        return self._normed(graph, "skip", layers.Conv2D(filters=self.filters, kernel=1), x)

    def label(self) -> str:
        kernel = f"{self.kernel_frames}×{self.kernel}×{self.kernel}"
        return f"MBConv {self.expanded_filters} {kernel}{stride_label(self.stride)} SE → {self.filters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPoolBlock(Checked):
    """Average over a clip; in a stream, over all frames so far."""

    name: str = "pool"

    def expand(self, graph: GraphBuilder, x: int) -> int:
        if graph.streaming:
            return running_mean(graph, "clip", graph.add("mean", layers.GlobalAveragePool(), x))
        return graph.add("mean", time_layers.ClipAveragePool(), x)

    def label(self) -> str:
        return "average over the clip"


def running_mean(graph: GraphBuilder, name: str, x: int) -> int:
    """The mean of `x` over all frames of the stream so far: its sum is a state, their number another."""
    total = graph.state(f"{name}_sum", graph.shape(x))
    added = graph.add(f"{name}_sum", time_layers.RunningSum(), x, total)
    graph.update(total, added)
    return graph.add(f"{name}_mean", time_layers.RunningMean(), added, graph.frames_seen())
