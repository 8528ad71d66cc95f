"""The neural predictor's network and training as plain numbers, so that they are at hand without loading Keras."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from searchspaces.errors import InputError

# Width of the graph layers by the number of examples, as a replication of the paper has it.
_WIDTHS: Final[Mapping[int, int]] = MappingProxyType({43: 48, 86: 72, 129: 96, 172: 144, 334: 210, 860: 320})
Head = Literal["linear", "sigmoid"]


def graph_width(examples: int) -> int:
    """The width for so many examples: that of the nearest number in the replication's table."""
    return _WIDTHS[min(_WIDTHS, key=lambda known: abs(math.log(known / max(examples, 1))))]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPredictorConfig:
    """The network and its training; by default that of the paper's replications for NAS-Bench-101 and 172 examples.

    width: of the graph layers.  dense: widths of the layers after pooling.  weight_decay: added to the gradient as
    weight times decay, as Adam in PyTorch has it.  head: `linear` predicts standardised targets, `sigmoid` a share of
    the range from `low` to `high` (accuracies in per cent: 0 to 100).
    """

    width: int = 144
    layers: int = 3
    dense: tuple[int, ...] = (128,)
    dropout: float = 0.1
    head: Head = "linear"
    low: float = 0.0
    high: float = 100.0
    epochs: int = 300
    batch_size: int = 10
    learning_rate: float = 1e-4
    weight_decay: float = 1e-3

    def __post_init__(self) -> None:
        sizes = (self.width, self.layers, *self.dense, self.epochs, self.batch_size)
        if min(sizes) < 1 or not 0 <= self.dropout < 1 or self.learning_rate <= 0 or self.weight_decay < 0:
            raise InputError(f"graph predictor: expected sizes of 1 or more and rates in their range, got {self}.")
        if self.head not in ("linear", "sigmoid") or not self.low < self.high:
            raise InputError(
                f"graph predictor: expected head linear or sigmoid and low below high, got {self.head}, {self.low} and "
                f"{self.high}; accuracies in per cent take sigmoid, 0 and 100."
            )

    def params(self, features: int) -> int:
        """Weights and biases of the network for nodes of so many features."""
        inputs = (features, *[self.width] * (self.layers - 1))
        pooled = (self.width, *self.dense)
        graph = sum(2 * width * self.width for width in inputs)
        return graph + sum((before + 1) * after for before, after in zip(pooled, (*self.dense, 1), strict=True))
