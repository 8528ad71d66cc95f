"""Blocks at the ends of a network: preprocessing, pooling, dense layers, probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from searchspaces import layers
from searchspaces.blocks.base import Checked, activate
from searchspaces.graph import GraphBuilder
from searchspaces.layers import ActivationName


@dataclass(frozen=True, slots=True, kw_only=True)
class RescaleBlock(Checked):
    """Preprocessing that travels inside the network: ``x * scale + offset``."""

    name: str = "rescale"
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def expand(self, graph: GraphBuilder, x: int) -> int:
        return graph.add("affine", layers.Rescale(scale=self.scale, offset=self.offset), x)

    def label(self) -> str:
        return "rescale"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBlock(Checked):
    """Global average pooling."""

    name: str = "pool"

    def expand(self, graph: GraphBuilder, x: int) -> int:
        return graph.add("mean", layers.GlobalAveragePool(), x)

    def label(self) -> str:
        return "global average pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseBlock(Checked):
    """Fully connected layer with bias, or with batch norm in its place, and its activation."""

    name: str
    units: int
    activation: ActivationName | None = None
    dropout: float = 0.0
    batch_norm: bool = False
    bn_epsilon: float = layers.BN_EPSILON

    def expand(self, graph: GraphBuilder, x: int) -> int:
        if self.dropout:
            x = graph.add("dropout", layers.Dropout(rate=self.dropout), x)
        x = graph.add("dense", layers.Dense(units=self.units, use_bias=not self.batch_norm), x)
        if self.batch_norm:
            x = graph.add("bn", layers.BatchNorm(epsilon=self.bn_epsilon), x)
        return activate(graph, self.activation, x)

    def label(self) -> str:
        return f"dense → {self.units}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxBlock(Checked):
    """Class probabilities from logits; training stops short of it."""

    name: str = "probabilities"

    def expand(self, graph: GraphBuilder, x: int) -> int:
        return graph.add("softmax", layers.Activation(name="softmax"), x)

    def label(self) -> str:
        return "softmax"
