"""The neural predictor (Wen et al., ECCV 2020): directed graph convolutions that guess what an architecture is worth.

The fit is by epochs in a compiled step whose shapes never change, so one object fits hundreds of sets of examples and
is traced once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.graph_predictor_config import GraphPredictorConfig, Head
from models.optimizer import FlatAdamW
from searchspaces.architecture_graph import ArchitectureGraphs
from searchspaces.errors import InputError

_ROWS_AT_ONCE: Final = 2048
_FEW_ROWS: Final = 128
_STEPS_AT_ONCE: Final = 32


class DirectedGraphConvolution(keras.layers.Layer):
    """½ ReLU(A⁺ V W⁺) + ½ ReLU(A⁻ V W⁻): along the edges and against them, each with weights of its own, no biases.

    A⁺ and A⁻ are A + I and its transpose, each with rows that sum to 1 (see `both_ways`), so transposing A and
    exchanging W⁺ and W⁻ changes nothing.
    """

    def __init__(self, units: int, *, decay: float = 0.0, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.decay, self.seed = units, decay, seed

    def build(self, nodes: Sequence[int | None], *others: Any) -> None:
        """W⁺ and W⁻, Glorot uniform."""
        shape, penalty = (nodes[-1], self.units), keras.regularizers.L2(self.decay / 2) if self.decay else None
        first, second = (keras.initializers.GlorotUniform(2 * self.seed + way) for way in range(2))
        self.forward_kernel = self.add_weight(shape=shape, initializer=first, name="forward", regularizer=penalty)
        self.backward_kernel = self.add_weight(shape=shape, initializer=second, name="backward", regularizer=penalty)

    def call(self, nodes: Any, forward: Any, backward: Any) -> Any:
        """Nodes ``[N, n, F]`` to ``[N, n, units]``."""
        ahead = ops.relu(ops.matmul(forward, ops.matmul(nodes, self.forward_kernel)))
        behind = ops.relu(ops.matmul(backward, ops.matmul(nodes, self.backward_kernel)))
        return 0.5 * (ahead + behind)


def both_ways(nodes: Any, adjacency: Any) -> tuple[Any, Any, Any]:
    """Which nodes are there ``[N, n, 1]``, and A + I and its transpose with rows that sum to 1, ``[N, n, n]`` each.

    A node that is not there has no loop either, so padding stays zero through every layer.
    """
    present = ops.cast(ops.any(ops.not_equal(nodes, 0), axis=-1, keepdims=True), "float32")
    with_loops = adjacency + ops.eye(nodes.shape[1]) * present
    against = ops.transpose(with_loops, (0, 2, 1))
    forward, backward = (
        each / ops.maximum(ops.sum(each, axis=-1, keepdims=True), 1.0) for each in (with_loops, against)
    )
    return present, forward, backward


class GraphNetwork(keras.Model):
    """Graph convolutions, the mean over the nodes that are there, dense layers, and one number."""

    def __init__(self, config: GraphPredictorConfig, *, head: Head, seed: int = 0) -> None:
        super().__init__()
        decay = config.weight_decay
        penalty = keras.regularizers.L2(decay / 2) if decay else None
        # Keras seeds from Python's global generator what is given no seed.
        seeds = iter(range(100 * seed, 100 * seed + 100))
        self.convolutions = [
            DirectedGraphConvolution(config.width, decay=decay, seed=next(seeds)) for _ in range(config.layers)
        ]
        dense = []
        for units, activation in [*((units, "relu") for units in config.dense), (1, head)]:
            start = keras.initializers.GlorotUniform(next(seeds))
            dense.append(keras.layers.Dense(units, activation, kernel_initializer=start, kernel_regularizer=penalty))
        *self.dense, self.answer = dense
        drops = config.layers + len(config.dense)
        self.drops = [keras.layers.Dropout(config.dropout, seed=next(seeds)) for _ in range(drops)]

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        """Nodes ``[N, n, F]`` and adjacency ``[N, n, n]`` to ``[N, 1]``."""
        nodes, adjacency = inputs
        present, forward, backward = both_ways(nodes, adjacency)
        drops = iter(self.drops)
        for convolution in self.convolutions:
            nodes = next(drops)(convolution(nodes, forward, backward), training=training)
        count = ops.maximum(ops.sum(present, axis=1), 1.0)
        pooled = ops.sum(nodes * present, axis=1) / count
        for dense in self.dense:
            pooled = next(drops)(dense(pooled), training=training)
        return self.answer(pooled)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _State:
    weights: list[NDArray[Any]]
    center: float
    scale: float


class GraphPredictor:
    """Fits the network to examples as often as is asked, and predicts.

    Args:
        config: the network and its training.
        labels: the targets are 0 and 1, trained with cross-entropy on a sigmoid; `predict` gives the probability of 1.
    """

    def __init__(self, config: GraphPredictorConfig | None = None, *, labels: bool = False) -> None:
        self.config, self._labels = config or GraphPredictorConfig(), labels
        self._schedule = _Cosine(self.config.learning_rate)
        self._network: GraphNetwork | None = None
        self._shape: tuple[int, ...] = ()
        self._center, self._scale = 0.0, 1.0

    def fit(self, graphs: ArchitectureGraphs, targets: NDArray[np.float64], *, seed: int) -> None:
        """Train from fresh weights; the same examples and seed give the same network.

        Args:
            graphs: N of them.
            targets: ``[N]``, finite.
            seed: of the weights, the order of the examples, and dropout.
        """
        if len(graphs) != len(targets) or not len(targets) or not np.isfinite(targets).all():
            raise InputError(
                f"graph predictor: expected a finite target for each of {len(graphs)} graphs, got {targets}; "
                "leave out what has no result."
            )
        config, rng = self.config, np.random.default_rng(seed)
        network = self._compiled(graphs, rng)
        size = config.batch_size
        steps = max(1, config.epochs * len(targets) // size)
        self._schedule.steps.assign(steps)
        scaled = self._scaled(targets)
        # Every example comes once an epoch; batches run on from one epoch into the next, so all are of one size.
        epochs = -(-steps * size // len(targets))
        order = np.concatenate([rng.permutation(len(targets)) for _ in range(epochs)])[: steps * size]
        network.fit(
            _Batches(graphs, scaled.astype(np.float32)[:, None], order.reshape(steps, size)), verbose=0, shuffle=False
        )

    def predict(self, graphs: ArchitectureGraphs) -> NDArray[np.float64]:
        """``[N]``, in the units of the targets."""
        if self._network is None:
            raise InputError("graph predictor: expected a fit before a prediction; call fit first.")
        found = [np.zeros(0)]
        # Two sizes of batches, filled up with the last graph, so that nothing is traced for the rest of a division.
        rows = _ROWS_AT_ONCE if len(graphs) > _FEW_ROWS else _FEW_ROWS
        for start in range(0, len(graphs), rows):
            part = graphs[np.minimum(np.arange(start, start + rows), len(graphs) - 1)]
            found.append(np.asarray(self._network.predict_on_batch((part.nodes, part.adjacency)))[:, 0])
        return self._center + self._scale * np.concatenate(found)[: len(graphs)].astype(np.float64)

    def state(self) -> _State:
        """What a fit came to, to be brought back after later ones."""
        return _State(weights=self.network.get_weights(), center=self._center, scale=self._scale)

    def restore(self, state: _State) -> None:
        """Predict as after that fit."""
        self.network.set_weights(state.weights)
        self._center, self._scale = state.center, state.scale

    @property
    def network(self) -> GraphNetwork:
        """The network as it was last fitted."""
        if self._network is None:
            raise InputError("graph predictor: expected a fit before the network is asked for; call fit first.")
        return self._network

    def _scaled(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._labels:
            self._center, self._scale = 0.0, 1.0
        elif self.config.head == "sigmoid":
            self._center, self._scale = self.config.low, self.config.high - self.config.low
        else:
            self._center, self._scale = float(targets.mean()), float(targets.std()) or 1.0
        return (targets - self._center) / self._scale

    def _compiled(self, graphs: ArchitectureGraphs, rng: np.random.Generator) -> GraphNetwork:
        """The network for graphs of this shape with fresh weights, compiled once."""
        shape = graphs.nodes.shape[1:]
        if self._network is None or self._shape != shape:
            network = GraphNetwork(self.config, head="sigmoid" if self._labels else self.config.head)
            network((graphs.nodes[:1], graphs.adjacency[:1]))
            optimizer = FlatAdamW(self._schedule)
            optimizer.build(network.trainable_variables)
            loss = "binary_crossentropy" if self._labels else "mean_squared_error"
            network.compile(optimizer=optimizer, loss=loss, steps_per_execution=_STEPS_AT_ONCE)
            self._network, self._shape = network, shape
        for variable in self._network.trainable_variables:
            limit = math.sqrt(6 / sum(variable.shape)) if len(variable.shape) > 1 else 0.0
            variable.assign(rng.uniform(-limit, limit, variable.shape).astype(np.float32))
        for variable in self._network.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        for drop in self._network.drops:
            drop.seed_generator.state.assign(rng.integers(2**31, size=2).astype(np.uint32))
        return self._network


class _Cosine(keras.optimizers.schedules.LearningRateSchedule):
    """From the initial rate to 0 over `steps`, which may be set before each fit without tracing anew."""

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.initial, self.steps = initial, keras.Variable(1.0, trainable=False, name="steps")

    def __call__(self, step: Any) -> Any:
        """The rate at a step."""
        share = ops.minimum(ops.cast(step, "float32") / self.steps.value, 1.0)
        return self.initial * 0.5 * (1 + ops.cos(math.pi * share))


class _Batches(keras.utils.PyDataset):
    """All steps of a fit, as one epoch of Keras."""

    def __init__(self, graphs: ArchitectureGraphs, targets: NDArray[np.float32], rows: NDArray[np.intp]) -> None:
        super().__init__()
        self._graphs, self._targets, self._rows = graphs, targets, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, step: int) -> tuple[tuple[Any, Any], Any]:
        rows = self._rows[step]
        return (self._graphs.nodes[rows], self._graphs.adjacency[rows]), self._targets[rows]
