"""A factorised policy: one independent softmax for every choice of a space (TuNAS, TabNAS §3).

Choices that do not reach the network count neither in probabilities nor in gradients. Every array may have leading
axes, one policy each: many runs of a search are then one array.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from searchspaces.space import BLANK, Indices, SearchSpace

Floats = NDArray[np.float64]


class FactorisedPolicy:
    """The logits ``[*runs, choices, values]`` of a space, 0 at the start; values that are not drawn have no say.

    Args:
        space: whose choices are decided; its pins are kept.
        runs: leading axes, one independent policy for each of their entries.
    """

    def __init__(self, space: SearchSpace, runs: tuple[int, ...] = ()) -> None:
        self.space, self.runs = space, runs
        self._drawable = space.drawable
        self._values = np.arange(self._drawable.shape[1])
        # What lies at or behind the last value that can be drawn: rounding must not leave a gap below 1 there.
        self._at_end = np.cumsum(self._drawable[:, ::-1], axis=1)[:, ::-1] <= self._drawable
        self._logits = np.zeros((*runs, *self._drawable.shape))
        self._probabilities = self._softmax(self._logits)

    def shift(self, step: Floats) -> None:
        """Add to the logits."""
        self._logits = self._logits + step
        self._probabilities = self._softmax(self._logits)

    @property
    def probabilities(self) -> Floats:
        """Of every value of every choice where it exists ``[*runs, choices, values]``; rows of unused choices are 0."""
        return self._probabilities

    def sample(self, rng: np.random.Generator, count: int, *, temperature: float = 1.0) -> Indices:
        """`count` architectures of each run ``[*runs, count, choices]``, blanks as -1.

        A temperature above 1 flattens the policy.
        """
        probabilities = self._probabilities if temperature == 1 else self._softmax(self._logits / temperature)
        edges = np.cumsum(probabilities, axis=-1)
        edges[..., self._at_end] = 1.0
        uniform = rng.random((*self.runs, count, len(self._drawable)))
        rows = (uniform[..., None] >= edges[..., None, :, :]).sum(axis=-1)
        return self.space.canonical_indices(rows)

    def log_prob(self, rows: Indices) -> Floats:
        """The log-probability of architectures ``[*runs, N, choices]``: ``[*runs, N]``."""
        chosen = np.take_along_axis(self._probabilities[..., None, :, :], np.maximum(rows, 0)[..., None], axis=-1)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.where(rows == BLANK, 1.0, chosen[..., 0])).sum(axis=-1))

    def score(self, rows: Indices, weights: Floats) -> Floats:
        """The gradient by the logits of the sum of log-probabilities, each times its weight ``[*runs, N]``."""
        chosen = rows[..., None] == self._values
        counts = np.einsum("...n,...ncv->...cv", weights, chosen)
        return np.asarray(counts - counts.sum(axis=-1, keepdims=True) * self._probabilities)

    def entropy_gradient(self, rows: Indices, weights: Floats) -> Floats:
        """The gradient of the entropy of the choices that exist, summed over architectures with their weights."""
        share = np.einsum("...n,...nc->...c", weights, rows != BLANK)
        logs = np.log(np.where(self._probabilities > 0, self._probabilities, 1.0))
        entropy = -(self._probabilities * logs).sum(axis=-1, keepdims=True)
        return np.asarray(-share[..., None] * self._probabilities * (logs + entropy))

    def most_probable(self) -> Indices:
        """The most probable value of every choice ``[*runs, choices]``: where a search ends."""
        return self.space.canonical_indices(self._probabilities.argmax(axis=-1))

    def _softmax(self, logits: Floats) -> Floats:
        scaled = np.where(self._drawable, logits, -np.inf)
        highest = scaled.max(axis=-1, keepdims=True)
        weights = np.exp(scaled - np.where(np.isfinite(highest), highest, 0.0))
        total = weights.sum(axis=-1, keepdims=True)
        return np.asarray(weights / np.where(total > 0, total, 1.0))
