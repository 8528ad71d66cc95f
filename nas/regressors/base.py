"""What every regressor offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from searchspaces.space import Architecture, SearchSpace

# What a regressor makes of architectures: an array or graphs, with a length and rows to pick.
Features = Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What N architectures are expected to be worth, ``[N]`` each; `std` is zero where a regressor knows no doubt."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class Fitted(Protocol):
    """A regressor after it saw its examples."""

    def predict(self, features: Features) -> Prediction:
        """The prediction for every row; what it was fitted on stays as it is."""
        ...


class Regressor(Protocol):
    """Learns numbers from architectures; one object may be fitted any number of times."""

    def encode(self, space: SearchSpace, architectures: Sequence[Architecture]) -> Features:
        """What it looks at of architectures; rows are picked as from an array."""
        ...

    def fit(self, features: Features, targets: NDArray[np.float64], *, seed: int, labels: bool = False) -> Fitted:
        """Learn from N examples; the same examples and seed give the same predictions.

        Args:
            features: as `encode` made them.
            targets: ``[N]``, finite; more is better.
            seed: of everything that is drawn.
            labels: the targets are 0 and 1, and what is asked for is the probability of 1.
        """
        ...
