"""Bottlenecks around a dense convolution: fused and Tucker (MobileDets, Xiong, Liu et al. 2021, section 3).

Accelerators often run a dense kernel faster than the depthwise one that has fewer multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass

from searchspaces import layers
from searchspaces.blocks.base import Checked, activate, stride_label
from searchspaces.blocks.convolutions import squeeze_excite
from searchspaces.errors import InputError
from searchspaces.graph import GraphBuilder
from searchspaces.layers import ActivationName


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedMBConv(Checked):
    """Inverted bottleneck whose expansion and depthwise convolution are one dense convolution.

    Squeeze-and-excite where `se_filters` is above 0; the residual where stride and width allow it, unless `residual`
    is false.
    """

    name: str
    filters: int
    expanded_filters: int
    kernel: int
    stride: int = 1
    activation: ActivationName = "relu6"
    se_filters: int = 0
    residual: bool = True
    bn_epsilon: float = layers.BN_EPSILON

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if not self.expanded_filters:
            raise InputError(
                f"expanded_filters of block {self.name}: expected a whole number above 0, got 0; a fused block is its "
                "expansion."
            )

    def expand(self, graph: GraphBuilder, x: int) -> int:
        skip = x
        x = _normed(graph, "expand", self.expanded_filters, self.kernel, self.stride, self.bn_epsilon, x)
        x = activate(graph, self.activation, x, "expand_act")
        if self.se_filters:
            x = squeeze_excite(graph, x, self.se_filters, self.activation)
        x = _normed(graph, "project", self.filters, 1, 1, self.bn_epsilon, x)
        return _with_residual(graph, x, skip, self.residual and self.stride == 1)

    def label(self) -> str:
        se = " SE" if self.se_filters else ""
        return f"fused {self.expanded_filters} k{self.kernel}{stride_label(self.stride)}{se} → {self.filters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TuckerConv(Checked):
    """Dense convolution between two narrow 1x1 ones: a Tucker decomposition of a wide one.

    The convolution goes from `squeezed_filters` to `inner_filters` channels.
    """

    name: str
    filters: int
    squeezed_filters: int
    inner_filters: int
    kernel: int
    stride: int = 1
    activation: ActivationName = "relu6"
    residual: bool = True
    bn_epsilon: float = layers.BN_EPSILON

    def expand(self, graph: GraphBuilder, x: int) -> int:
        skip = x
        x = _normed(graph, "squeeze", self.squeezed_filters, 1, 1, self.bn_epsilon, x)
        x = activate(graph, self.activation, x, "squeeze_act")
        x = _normed(graph, "inner", self.inner_filters, self.kernel, self.stride, self.bn_epsilon, x)
        x = activate(graph, self.activation, x, "inner_act")
        x = _normed(graph, "project", self.filters, 1, 1, self.bn_epsilon, x)
        return _with_residual(graph, x, skip, self.residual and self.stride == 1)

    def label(self) -> str:
        widths = f"{self.squeezed_filters}/{self.inner_filters}"
        return f"Tucker {widths} k{self.kernel}{stride_label(self.stride)} → {self.filters}"


def _normed(graph: GraphBuilder, name: str, filters: int, kernel: int, stride: int, epsilon: float, x: int) -> int:
    """Convolution and batch norm."""
    x = graph.add(name, layers.Conv2D(filters=filters, kernel=kernel, stride=stride), x)
    return graph.add(f"{name}_bn", layers.BatchNorm(epsilon=epsilon), x)


def _with_residual(graph: GraphBuilder, x: int, skip: int, wanted: bool) -> int:
    return graph.add("add", layers.Add(), x, skip) if wanted and graph.shape(x) == graph.shape(skip) else x
