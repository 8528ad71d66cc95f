"""A Gaussian process over choices: what a few trials say about every other architecture, and how surely.

Two architectures are the more alike the fewer choices tell them apart: likeness is exp(-sum of w_d times the distance
in choice d). Between names that is 0 or 1 (as in Ru et al., "Bayesian optimisation over multiple continuous and
categorical inputs", ICML 2020), between numbers how many values lie between them. How much a choice matters is learned
by maximum marginal likelihood. What is predicted are normal scores: a few hopeless networks would otherwise use up the
scale on which the good ones differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchspaces.space import Architecture, SearchSpace

Floats = NDArray[np.float64]

# Log-normal priors of a choice's weight and of the noise's share: median, and standard deviation of the logarithm.
_WEIGHT = (0.5, 1.0)
_NOISE = (0.01, 1.5)
_STEPS = 15
_LEAST = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernel:
    """`weights` [D]: by how much (log) a choice that differs divides likeness; `noise`: a share of the variance."""

    weights: Floats
    noise: float


def encode(space: SearchSpace, architectures: Sequence[Architecture]) -> Floats:
    """Numbers for the kernel, [N, D]: numeric choices from 0 to 1 (blank in the middle), names as whole numbers.

    Equal networks get equal numbers. A distance between names is cut at 1. That a choice is blank is seen from the
    choice it hangs on.
    """
    first = space.representatives(architectures)
    rows = np.array([each.indices for each in first], dtype=np.float64).reshape(-1, len(space.choices))
    for column, choice in enumerate(space.choices):
        if not any(isinstance(value, str) for value in choice.values):
            blank = rows[:, column] < 0
            rows[:, column] /= max(1, len(choice.values) - 1)
            rows[blank, column] = 0.5
    return rows


def normal_scores(values: Floats) -> Floats:
    """The values' ranks as quantiles of a standard normal, [N]; equal values share the middle of theirs."""
    from scipy.special import ndtri

    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(values)
    return np.asarray(ndtri(middle[inverse]), dtype=np.float64)


def fit_kernel(rows: Floats, scores: Floats) -> Kernel:
    """The kernel under which `scores` [N] of the architectures `rows` [N, D] are likeliest, with mild priors."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    count, choices = rows.shape
    varied = np.flatnonzero((rows != rows[0]).any(axis=0))
    differs = np.minimum(np.abs(rows[:, None, varied] - rows[:, varied]), 1.0).reshape(count**2, len(varied))
    centre = np.log([*np.full(len(varied), _WEIGHT[0]), _NOISE[0]])
    width = np.array([*np.full(len(varied), _WEIGHT[1]), _NOISE[1]])

    def loss(logs: Floats) -> tuple[float, Floats]:
        """The negative log marginal likelihood, its scale integrated out, plus the priors'; and its gradient."""
        weights, noise = np.exp(logs[:-1]), float(np.exp(logs[-1]))
        alike = np.exp(-(differs @ weights)).reshape(count, count)
        factor = cho_factor(alike + noise * np.eye(count), lower=True)
        solved, inverse = cho_solve(factor, scores), cho_solve(factor, np.eye(count))
        variance = max(float(scores @ solved) / count, _LEAST)
        outer = inverse - np.outer(solved, solved) / variance
        away = (logs - centre) / width
        value = count / 2 * np.log(variance) + np.log(np.diag(factor[0])).sum() + (away**2).sum() / 2
        slope = np.append(-weights * ((outer * alike).ravel() @ differs), noise * np.trace(outer)) / 2
        return float(value), slope + away / width

    # Matrices as small as these take longer to share out among threads than to work on.
    with threadpool_limits(1):
        found = minimize(loss, centre, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    weights = np.full(choices, _WEIGHT[0])
    weights[varied] = np.exp(found[:-1])
    return Kernel(weights=weights, noise=float(np.exp(found[-1])))


def predict(kernel: Kernel, rows: Floats, scores: Floats, queries: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the score of each of `queries` [Q, D] without noise, given those of `rows`."""
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(_alike(kernel, rows, rows) + kernel.noise * np.eye(len(rows)), lower=True)
    solved, across = cho_solve(factor, scores), _alike(kernel, rows, queries)
    variance = max(float(scores @ solved) / len(rows), _LEAST)
    unexplained = 1.0 - np.einsum("nq,nq->q", across, cho_solve(factor, across))
    return solved @ across, np.sqrt(variance * np.maximum(unexplained, _LEAST))


def _alike(kernel: Kernel, rows: Floats, others: Floats) -> Floats:
    distance = np.zeros((len(rows), len(others)))
    for column, weight in enumerate(kernel.weights):
        distance += weight * np.minimum(np.abs(rows[:, [column]] - others[:, column]), 1.0)
    return np.exp(-distance)
