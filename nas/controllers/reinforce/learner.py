"""One step of REINFORCE: baseline, gradient, the correction for discarded samples, and Adam.

Everything works on arrays with leading axes, one independent learner for each of their entries (see `policy`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from searchspaces.errors import InputError
from searchspaces.space import Indices

Mask = NDArray[np.bool_]


class MovingBaseline:
    """An exponential moving average without the bias towards its start: its weights always sum to 1 (TuNAS)."""

    def __init__(self, momentum: float, runs: tuple[int, ...] = ()) -> None:
        self._momentum = momentum
        self._sum, self._weight = np.zeros(runs), np.zeros(runs)

    def update(self, rewards: Floats, where: Mask) -> Floats:
        """The average once `rewards` ``[*runs]`` have joined it, in the runs of the mask `where` alone."""
        keep = np.where(where, self._momentum, 1.0)
        self._sum = keep * self._sum + (1 - keep) * rewards
        self._weight = keep * self._weight + (1 - keep)
        return np.asarray(self._sum / np.where(self._weight > 0, self._weight, 1.0))


class Adam:
    """Adam (Kingma & Ba 2015) that ascends; TuNAS has `beta1` 0, TabNAS 0.9."""

    epsilon = 1e-8

    def __init__(self, shape: tuple[int, ...], *, beta1: float, beta2: float) -> None:
        self._beta1, self._beta2 = beta1, beta2
        self._mean, self._square, self._steps = np.zeros(shape), np.zeros(shape), np.zeros(shape[:-2])

    def step(self, gradient: Floats, learning_rate: float, where: Mask) -> Floats:
        """What to add to the parameters ``[*runs, choices, values]``; nothing moves outside of `where` ``[*runs]``."""
        cells = where[..., None, None]
        self._steps = self._steps + where
        self._mean = np.where(cells, self._beta1 * self._mean + (1 - self._beta1) * gradient, self._mean)
        self._square = np.where(cells, self._beta2 * self._square + (1 - self._beta2) * gradient**2, self._square)
        steps = np.maximum(self._steps, 1)[..., None, None]
        mean = self._mean / (1 - self._beta1**steps)
        square = self._square / (1 - self._beta2**steps)
        return np.asarray(np.where(cells, learning_rate * mean / (np.sqrt(square) + self.epsilon), 0.0))


class Learner:
    """A policy that learns from rewards of what was drawn from it.

    Args:
        policy: changed in place.
        momentum: of the baseline.
        beta1, beta2: of Adam.
        entropy: weight of the policy's entropy, which keeps it undecided.
    """

    def __init__(
        self,
        policy: FactorisedPolicy,
        *,
        momentum: float = 0.95,
        beta1: float = 0.0,
        beta2: float = 0.999,
        entropy: float = 0.0,
    ) -> None:
        for name, value in (("baseline_momentum", momentum), ("adam_beta1", beta1), ("adam_beta2", beta2)):
            if not 0 <= value < 1:
                raise InputError(f"{name}: expected 0 or more and below 1, got {value}; TuNAS has 0.95, 0 and 0.999.")
        if not 0 <= entropy < float("inf"):
            raise InputError(f"entropy: expected a weight of 0 or more, got {entropy}; TuNAS has 0.")
        self.policy, self._entropy = policy, entropy
        self._baseline = MovingBaseline(momentum, policy.runs)
        self._adam = Adam(policy.probabilities.shape, beta1=beta1, beta2=beta2)

    def step(
        self,
        rows: Indices,
        rewards: Floats,
        learning_rate: float,
        *,
        accepted: Mask | None = None,
        kept: tuple[Indices, Floats] | None = None,
    ) -> None:
        """One step on a batch.

        Args:
            rows: what was drawn ``[*runs, batch, choices]``.
            rewards: of each ``[*runs, batch]``; those that are not accepted may be anything.
            learning_rate: 0 lets the baseline learn alone.
            accepted: which are learned from ``[*runs, batch]``; None is all. A run without any is left as it is.
            kept: what stands for the feasible set in the correction: architectures and weights ``[*runs, N]``, 0 for
                the infeasible (`rejection`); a run without any feasible one skips its step. None is no correction.
        """
        taken = np.ones(rows.shape[:-1], dtype=np.bool_) if accepted is None else accepted
        counts = taken.sum(axis=-1)
        some, size = counts > 0, np.maximum(counts, 1)
        rewards = np.where(taken, rewards, 0.0)
        baseline = self._baseline.update(rewards.sum(axis=-1) / size, some)
        advantage = np.where(taken, rewards - baseline[..., None], 0.0) / size[..., None]
        gradient = self.policy.score(rows, advantage)
        if kept is not None:
            feasible, weights = kept
            some = some & (weights.sum(axis=-1) > 0)
            gradient -= advantage.sum(axis=-1)[..., None, None] * self.policy.score(feasible, weights)
        if self._entropy:
            gradient += self._entropy * self.policy.entropy_gradient(rows, taken / size[..., None])
        if learning_rate:
            self.policy.shift(self._adam.step(gradient, learning_rate, some))
