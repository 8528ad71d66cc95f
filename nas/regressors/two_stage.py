"""Two stages (Wen et al. 2020): a classifier turns away what is poor, and a regressor orders the rest.

Accuracies are heavy-tailed. One regressor for all spends itself on how bad the bad ones are, where a search only asks
which of the good ones are best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.regressors.base import Features, Fitted, Prediction, Regressor
from searchspaces.space import Architecture, SearchSpace


class TwoStage:
    """Any regressor, used twice.

    Args:
        regressor: for both stages.
        good: what counts as good: targets above this one.
    """

    def __init__(self, regressor: Regressor, *, good: float) -> None:
        self._regressor, self._good = regressor, good

    def encode(self, space: SearchSpace, architectures: Sequence[Architecture]) -> Features:
        """As the regressor has it."""
        return self._regressor.encode(space, architectures)

    def fit(self, features: Features, targets: NDArray[np.float64], *, seed: int, labels: bool = False) -> Fitted:
        """The classifier learns from all examples, the regressor from those it accepts, if these are two or more."""
        good = targets > self._good
        if good.all() or not good.any():
            return self._regressor.fit(features, targets, seed=seed, labels=labels)
        classifier = self._regressor.fit(features, good.astype(np.float64), seed=seed, labels=True)
        accepted = classifier.predict(features).mean > 0.5
        if accepted.sum() < 2:
            accepted = good
        ranker = self._regressor.fit(features[accepted], targets[accepted], seed=seed + 1, labels=labels)
        return _Cascade(classifier=classifier, ranker=ranker, worst=float(targets.min()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cascade:
    classifier: Fitted
    ranker: Fitted
    worst: float

    def predict(self, features: Features) -> Prediction:
        """Of what is turned away: below everything that is not, by the classifier's order."""
        odds, ranked = self.classifier.predict(features).mean, self.ranker.predict(features)
        accepted = odds > 0.5
        return Prediction(
            mean=np.where(
                accepted, np.maximum(ranked.mean, self.worst - 0.5), self.worst - 1 + np.minimum(odds, 0.5) / 2
            ),
            std=np.where(accepted, ranked.std, 0.0),
        )
