"""Blocks over images: the plain convolution and the inverted bottleneck."""

from __future__ import annotations

from dataclasses import dataclass

from searchspaces import layers
from searchspaces.blocks.base import Checked, activate, stride_label
from searchspaces.graph import GraphBuilder
from searchspaces.layers import ActivationName


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvBlock(Checked):
    """Convolution, batch norm, activation."""

    name: str
    filters: int
    kernel: int
    stride: int = 1
    activation: ActivationName | None = "relu"
    bn_epsilon: float = layers.BN_EPSILON

    def expand(self, graph: GraphBuilder, x: int) -> int:
        x = graph.add("conv", layers.Conv2D(filters=self.filters, kernel=self.kernel, stride=self.stride), x)
        x = graph.add("bn", layers.BatchNorm(epsilon=self.bn_epsilon), x)
        return activate(graph, self.activation, x)

    def label(self) -> str:
        return f"conv {self.kernel}×{self.kernel}{stride_label(self.stride)} → {self.filters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MBConv(Checked):
    """Inverted bottleneck (MobileNetV2), with squeeze-and-excite where `se_filters` is above 0.

    `expanded_filters` is the width of its depthwise convolution; 0 leaves the expanding convolution out, which makes
    a depthwise-separable convolution. The residual is added where stride and width allow it, unless `residual` is
    false; `zero_gamma` starts its branch at zero (BigNAS §3). `se_activation` None stands for `activation`.
    """

    name: str
    filters: int
    expanded_filters: int
    kernel: int
    stride: int = 1
    activation: ActivationName = "silu"
    se_filters: int = 0
    se_activation: ActivationName | None = None
    se_gate: ActivationName = "sigmoid"
    residual: bool = True
    drop_connect: float = 0.0
    zero_gamma: bool = False
    bn_epsilon: float = layers.BN_EPSILON

    def expand(self, graph: GraphBuilder, x: int) -> int:
        skip, residual = x, self.residual and self.stride == 1 and graph.shape(x)[-1] == self.filters
        norm = layers.BatchNorm(epsilon=self.bn_epsilon)
        if self.expanded_filters:
            x = graph.add("expand", layers.Conv2D(filters=self.expanded_filters, kernel=1), x)
            x = graph.add("expand_bn", norm, x)
            x = activate(graph, self.activation, x, "expand_act")
        x = graph.add("depthwise", layers.DepthwiseConv2D(kernel=self.kernel, stride=self.stride), x)
        x = graph.add("depthwise_bn", norm, x)
        x = activate(graph, self.activation, x, "depthwise_act")
        if self.se_filters:
            x = self._squeeze_excite(graph, x)
        x = graph.add("project", layers.Conv2D(filters=self.filters, kernel=1), x)
        zero_gamma = self.zero_gamma and residual
        x = graph.add("project_bn", layers.BatchNorm(epsilon=self.bn_epsilon, zero_gamma=zero_gamma), x)
        if not residual:
            return x
        if self.drop_connect:
            x = graph.add("drop", layers.Dropout(rate=self.drop_connect, whole_example=True), x)
        return graph.add("add", layers.Add(), x, skip)

    def _squeeze_excite(self, graph: GraphBuilder, x: int) -> int:
        return squeeze_excite(graph, x, self.se_filters, self.se_activation or self.activation, self.se_gate)

    def label(self) -> str:
        kind = f"MBConv {self.expanded_filters}" if self.expanded_filters else "separable"
        se = " SE" if self.se_filters else ""
        return f"{kind} k{self.kernel}{stride_label(self.stride)}{se} → {self.filters}"


def squeeze_excite(
    graph: GraphBuilder, x: int, filters: int, activation: ActivationName, gate_activation: ActivationName = "sigmoid"
) -> int:
    """Channel gate from the pooled map (Hu et al. 2018): 1x1 convolutions down to `filters` and back up."""
    gate = graph.add("se_pool", layers.GlobalAveragePool(keep_dims=True), x)
    gate = graph.add("se_reduce", layers.Conv2D(filters=filters, kernel=1, use_bias=True), gate)
    gate = activate(graph, activation, gate, "se_act")
    gate = graph.add("se_expand", layers.Conv2D(filters=graph.shape(x)[-1], kernel=1, use_bias=True), gate)
    gate = graph.add("se_gate", layers.Activation(name=gate_activation), gate)
    return graph.add("se_scale", layers.Multiply(), x, gate)
