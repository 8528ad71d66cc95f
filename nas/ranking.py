"""Who comes first when several objectives count: ranks of fronts, and how crowded it is along one.

Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002, section III.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.pareto import Direction, as_losses


def front_ranks(values: ArrayLike, directions: Sequence[Direction]) -> NDArray[np.int64]:
    """The front each row of `values` [N, M] lies on: 0 where nothing dominates it, 1 once those are gone, and so on.

    Rows that are not finite come after all others, on a front of their own. Every pair is compared, O(N² M).
    """
    losses = as_losses(values, directions)
    finite = np.isfinite(losses).all(axis=1)
    rows = losses[finite]
    no_worse = np.asarray((rows[:, None] <= rows).all(axis=2))
    dominates = no_worse & ~no_worse.T
    ranks, rank = np.full(len(rows), -1, dtype=np.int64), 0
    dominators = dominates.sum(axis=0)
    while (front := (dominators == 0) & (ranks < 0)).any():
        ranks[front] = rank
        dominators -= dominates[front].sum(axis=0)
        rank += 1
    every = np.full(len(losses), rank, dtype=np.int64)
    every[finite] = ranks
    return every


def crowding_distances(values: ArrayLike) -> NDArray[np.float64]:
    """How far apart the neighbours of each row lie along one front, [N]; infinite for the best and worst of a column.

    Distances are sums over the columns of `values` [N, M], each in units of its own span.
    """
    matrix = np.asarray(values, dtype=np.float64)
    distances = np.zeros(len(matrix))
    for column in matrix.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        span = ordered[-1] - ordered[0] if len(ordered) else 0.0
        if not span > 0:
            continue
        gaps = (ordered[2:] - ordered[:-2]) / span
        distances[order[1:-1]] += gaps
        distances[order[[0, -1]]] = np.inf
    return distances


def crowded_order(values: ArrayLike, directions: Sequence[Direction]) -> NDArray[np.int64]:
    """Row numbers of `values` [N, M], best first: by front, within a front the least crowded, then the earlier row."""
    matrix = np.asarray(values, dtype=np.float64)
    ranks, crowding = front_ranks(matrix, directions), np.zeros(len(matrix))
    finite = np.isfinite(matrix).all(axis=1)
    for rank in range(int(ranks[finite].max(initial=-1)) + 1):
        rows = np.flatnonzero(finite & (ranks == rank))
        crowding[rows] = crowding_distances(matrix[rows])
    return np.lexsort((-crowding, ranks))
