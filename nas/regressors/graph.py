"""The neural predictor on graphs, one network or several from different weights (Keras)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.frameworks import load_keras
from nas.regressors.base import Prediction
from searchspaces.architecture_graph import ArchitectureGraphs, architecture_graphs
from searchspaces.errors import InputError
from searchspaces.space import Architecture, SearchSpace


class GraphRegressor:
    """Directed graph convolutions (`models.graph_predictor`); several members spread where they have seen little.

    The defaults fit a hundred examples in about a second on one core: fewer, larger steps than the paper's. For its
    own give epochs 300, batch_size 10, learning_rate 1e-4, and a width by `models.graph_predictor_config.graph_width`.

    Args:
        members: networks, each with its own weights and order of examples.
        width: of the graph layers.
        epochs: passes over the examples.
        batch_size: examples a step.
        learning_rate: at the start; it falls to 0 along a cosine.
    """

    def __init__(
        self,
        *,
        members: int = 1,
        width: int = 96,
        epochs: int = 100,
        batch_size: int = 20,
        learning_rate: float = 2e-3,
    ) -> None:
        if members < 1:
            raise InputError(f"graph: expected members of 1 or more, got {members}; leave it out for one.")
        self._members = members
        self._options: dict[str, Any] = {
            "width": width,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
        }

    def encode(self, space: SearchSpace, architectures: Sequence[Architecture]) -> ArchitectureGraphs:
        """Graphs of cells, chains of choices."""
        return architecture_graphs(space, architectures)

    def fit(
        self, features: ArchitectureGraphs, targets: NDArray[np.float64], *, seed: int, labels: bool = False
    ) -> _Networks:
        """Squared error on standardised targets; cross-entropy on labels."""
        network = _compiled(labels, **self._options)
        states = []
        for member in range(self._members):
            network.fit(features, targets, seed=int(np.random.SeedSequence([seed, member]).generate_state(1)[0]))
            states.append(network.state())
        return _Networks(network=network, states=tuple(states))


@lru_cache(maxsize=4)
def _compiled(labels: bool, **options: Any) -> Any:
    """The compiled network of these options: a comparison of thirty searches traces it once.

    Nothing of one fit is left for the next, and what a fit came to is brought back before each prediction.
    """
    load_keras()
    from models.graph_predictor import GraphPredictor
    from models.graph_predictor_config import GraphPredictorConfig

    return GraphPredictor(GraphPredictorConfig(**options), labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Networks:
    network: Any
    states: tuple[Any, ...]

    def predict(self, features: ArchitectureGraphs) -> Prediction:
        """Mean over the members, and their spread."""
        if not len(features):
            return Prediction(mean=np.zeros(0), std=np.zeros(0))
        guesses = []
        for state in self.states:
            self.network.restore(state)
            guesses.append(self.network.predict(features))
        return Prediction(mean=np.mean(guesses, axis=0), std=np.std(guesses, axis=0))
