"""A Gaussian process on one-hot features: exact, with its own doubt, and fitted in milliseconds.

Where scikit-learn's climbs the likelihood with a hundred factorisations, here a grid is searched with one
eigendecomposition a length scale, which serves all noises. A search fits it after every few trials. The process of
`nas.gaussian_process` learns how much each choice matters; this one asks that of no choice, and sees cells as graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nas.regressors.base import Prediction
from searchspaces.architecture_graph import architecture_vectors
from searchspaces.space import Architecture, SearchSpace

# In units of the median distance between examples.
_LENGTHS: Final = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
# Variance of the noise in units of that of the signal.
_NOISES: Final = (1e-3, 1e-2, 5e-2, 2e-1)
# Examples beyond this many are thinned: an exact fit takes their number cubed.
_MOST_EXAMPLES: Final = 256
_ROWS_AT_ONCE: Final = 1024


class GaussianProcess:
    """Squared-exponential kernel; length scale and noise by marginal likelihood, the signal's variance in closed form.

    Of more than 256 examples it keeps the best half of that number and the latest of the others.
    """

    def encode(self, space: SearchSpace, architectures: Sequence[Architecture]) -> NDArray[np.float32]:
        """One-hot vectors."""
        return architecture_vectors(space, architectures)

    def fit(
        self, features: NDArray[np.float32], targets: NDArray[np.float64], *, seed: int, labels: bool = False
    ) -> _Posterior:
        """Draws nothing; labels are regressed upon like any number."""
        rows = _kept(targets)
        examples, targets = features[rows].astype(np.float64), targets[rows]
        center, scale = float(targets.mean()), float(targets.std()) or 1.0
        standard = (targets - center) / scale
        squares = _square_distances(examples, examples)
        apart = squares[squares > 0]
        typical = float(np.median(apart)) if len(apart) else 1.0
        best: tuple[float, _Posterior] | None = None
        for length in _LENGTHS:
            reach = length**2 * typical
            values, basis = np.linalg.eigh(np.exp(-squares / (2 * reach)))
            values, turned = np.maximum(values, 0.0), basis.T @ standard
            for noise in _NOISES:
                signal = float(np.mean(turned**2 / (values + noise)))
                likelihood = -0.5 * (len(turned) * np.log(max(signal, 1e-12)) + np.log(values + noise).sum())
                if best is None or likelihood > best[0]:
                    posterior = _Posterior(
                        examples=examples,
                        reach=reach,
                        # Columns that make the kernel's inverse when multiplied with their own transpose.
                        whitening=basis / np.sqrt(values + noise),
                        weights=basis @ (turned / (values + noise)),
                        signal=signal,
                        center=center,
                        scale=scale,
                    )
                    best = float(likelihood), posterior
        if best is None:
            raise ValueError("expected a likelihood that is a number")
        return best[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Posterior:
    examples: NDArray[np.float64]
    reach: float
    whitening: NDArray[np.float64]
    weights: NDArray[np.float64]
    signal: float
    center: float
    scale: float

    def predict(self, features: NDArray[np.float32]) -> Prediction:
        """Mean and standard deviation of the value without noise."""
        mean, std = np.empty(len(features)), np.empty(len(features))
        # Doubt needs no more than single precision, and takes most of the time.
        whitening = self.whitening.astype(np.float32)
        for start in range(0, len(features), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            kernel = np.exp(-_square_distances(features[part].astype(np.float64), self.examples) / (2 * self.reach))
            mean[part] = kernel @ self.weights
            explained = np.square(kernel.astype(np.float32) @ whitening).sum(axis=1)
            std[part] = np.sqrt(self.signal * np.maximum(1 - explained, 0.0))
        return Prediction(mean=self.center + self.scale * mean, std=self.scale * std)


def _kept(targets: NDArray[np.float64]) -> NDArray[np.intp]:
    if len(targets) <= _MOST_EXAMPLES:
        return np.arange(len(targets))
    best = np.argsort(-targets, kind="stable")[: _MOST_EXAMPLES // 2]
    others = np.setdiff1d(np.arange(len(targets)), best)
    return np.sort(np.concatenate([best, others[-(_MOST_EXAMPLES - len(best)) :]]))


def _square_distances(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = left @ (-2 * right.T)
    squares += np.square(left).sum(axis=1)[:, None]
    squares += np.square(right).sum(axis=1)
    return np.asarray(np.maximum(squares, 0.0, out=squares), dtype=np.float64)
