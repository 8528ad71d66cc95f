"""Small ReLU networks trained in NumPy: a table needs thousands, and a framework's start would cost more than each.

Nothing here is of the project's own making: He's uniform start, softmax cross-entropy, Adam with a cosine schedule,
a new order of the rows every epoch. Of networks this small scikit-learn's `MLPClassifier` trains the same in two to
five times the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError

Floats: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
# Share of the steps in which the rate rises: without it, one network in many wakes with every unit of a layer at zero.
_WARM_UP = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How every network of a table is trained; `learning_rate` is the highest of its cosine schedule."""

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not 0 < self.learning_rate < math.inf:
            raise InputError(f"recipe: expected numbers above 0, got {self}; try {Recipe.__name__}().")


class Mlp:
    """Dense layers with ReLU between them; weights and biases are views into one vector.

    Args:
        sizes: features, widths and classes.
        values: float32 [parameters]; layer by layer the weights [in, out], then the biases [out].
    """

    def __init__(self, sizes: Sequence[int], values: Floats) -> None:
        self.values = values
        self.layers: list[tuple[Floats, Floats]] = []
        start = 0
        for inputs, outputs in pairwise(sizes):
            end = start + inputs * outputs
            self.layers.append((values[start:end].reshape(inputs, outputs), values[end : end + outputs]))
            start = end + outputs

    def activations(self, x: Floats) -> list[Floats]:
        """The input, the output of every hidden layer, and the logits."""
        found = [x]
        for weights, biases in self.layers:
            before = found[-1] @ weights
            before += biases
            if weights is not self.layers[-1][0]:
                np.maximum(before, 0, out=before)
            found.append(before)
        return found

    def accuracy(self, x: Floats, y: Labels) -> float:
        """Share of the rows whose largest logit is that of their class."""
        return float((self.activations(x)[-1].argmax(axis=1) == y).mean())


def parameter_count(sizes: Sequence[int]) -> int:
    """Of the weights and biases together."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def gradient(network: Mlp, into: Mlp, x: Floats, targets: Floats) -> None:
    """Write that of the mean cross-entropy over the rows `x` [N, F] into `into`; `targets` [N, classes] are one-hot."""
    activations = network.activations(x)
    error = activations[-1]
    error -= error.max(axis=1, keepdims=True)
    np.exp(error, out=error)
    error /= error.sum(axis=1, keepdims=True)
    error -= targets
    error /= len(x)
    for number in range(len(network.layers) - 1, -1, -1):
        weights, biases = into.layers[number]
        np.matmul(activations[number].T, error, out=weights)
        error.sum(axis=0, out=biases)
        if number:
            error = error @ network.layers[number][0].T
            error *= activations[number] > 0


def train_mlp(x: Floats, y: Labels, widths: Sequence[int], classes: int, *, recipe: Recipe, seed: int) -> Mlp:
    """A network of these hidden widths after all epochs; the seed decides its start and the order of the rows."""
    start, order = (np.random.default_rng([seed, stream]) for stream in range(2))
    sizes = (x.shape[1], *widths, classes)
    network = Mlp(sizes, np.zeros(parameter_count(sizes), np.float32))
    for weights, _ in network.layers:
        bound = math.sqrt(6 / len(weights))
        weights[:] = start.uniform(-bound, bound, weights.shape)
    slope = Mlp(sizes, np.zeros_like(network.values))
    optimizer = _Adam(network.values, steps=recipe.epochs * math.ceil(len(x) / recipe.batch_size))
    targets = np.eye(classes, dtype=np.float32)[y]
    for _ in range(recipe.epochs):
        shuffled = order.permutation(len(x))
        rows, wanted = x[shuffled], targets[shuffled]
        for first in range(0, len(x), recipe.batch_size):
            batch = slice(first, first + recipe.batch_size)
            gradient(network, slope, rows[batch], wanted[batch])
            optimizer.step(slope.values, recipe.learning_rate)
    return network


class _Adam:
    """Adam (Kingma and Ba, 2015) in place; its rate rises in a line, then falls to zero along a cosine.

    The moments are kept without their constant factors, which go into the rate: every pass over the vector counts.
    """

    def __init__(self, values: Floats, *, steps: int) -> None:
        self._values, self._steps, self._done = values, steps, 0
        self._mean, self._square, self._change = (np.zeros_like(values) for _ in range(3))

    def step(self, slope: Floats, learning_rate: float) -> None:
        """Move against `slope`, which is spent."""
        rate = learning_rate * 0.5 * (1 + math.cos(math.pi * self._done / self._steps))
        self._done += 1
        rate *= min(1.0, self._done / (_WARM_UP * self._steps))
        mean_factor = (1 - _BETA_1) / (1 - _BETA_1**self._done)
        root_factor = math.sqrt((1 - _BETA_2) / (1 - _BETA_2**self._done))
        self._mean *= _BETA_1
        self._mean += slope
        self._square *= _BETA_2
        slope *= slope
        self._square += slope
        change = np.sqrt(self._square, out=self._change)
        change += _EPSILON / root_factor
        np.divide(self._mean, change, out=change)
        change *= rate * mean_factor / root_factor
        self._values -= change
