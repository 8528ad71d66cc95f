"""Gradient-boosted trees on one-hot features, one model or several on resampled examples (scikit-learn)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.regressors.base import Prediction
from searchspaces.architecture_graph import architecture_vectors
from searchspaces.errors import InputError
from searchspaces.space import Architecture, SearchSpace


class BoostedTrees:
    """Gradient boosting; with several members each sees examples drawn with replacement, and their spread is the doubt.

    Args:
        members: how many models; one knows no doubt.
        trees: in each model.
        depth: of each tree.
    """

    def __init__(self, *, members: int = 1, trees: int = 100, depth: int = 3) -> None:
        for name, value in (("members", members), ("trees", trees), ("depth", depth)):
            if value < 1:
                raise InputError(f"trees: expected {name} of 1 or more, got {value}; leave it out for the default.")
        self._members, self._trees, self._depth = members, trees, depth

    def encode(self, space: SearchSpace, architectures: Sequence[Architecture]) -> NDArray[np.float32]:
        """One-hot vectors."""
        return architecture_vectors(space, architectures)

    def fit(
        self, features: NDArray[np.float32], targets: NDArray[np.float64], *, seed: int, labels: bool = False
    ) -> _Forest:
        """Squared error; labels are regressed upon like any number."""
        from sklearn.ensemble import GradientBoostingRegressor

        models = []
        for member in range(self._members):
            rng = np.random.default_rng([seed, member])
            drawn = rng.integers(len(targets), size=len(targets)) if self._members > 1 else np.arange(len(targets))
            model = GradientBoostingRegressor(
                n_estimators=self._trees,
                max_depth=self._depth,
                subsample=0.8,
                max_features=0.5,
                random_state=int(rng.integers(2**31)),
            )
            models.append(model.fit(features[drawn], targets[drawn]))
        return _Forest(models=tuple(models))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Forest:
    models: tuple[Any, ...]

    def predict(self, features: NDArray[np.float32]) -> Prediction:
        """Mean over the models, and their spread."""
        if not len(features):
            return Prediction(mean=np.zeros(0), std=np.zeros(0))
        guesses = np.stack([model.predict(features) for model in self.models])
        return Prediction(mean=guesses.mean(axis=0), std=guesses.std(axis=0))
