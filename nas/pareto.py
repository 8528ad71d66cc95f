"""Objectives and Pareto fronts: what is not dominated, how much that is, where it bends, what ties with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchspaces.errors import InputError, unknown_name

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric and the direction in which it gets better."""

    metric: str
    direction: Direction

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise unknown_name("direction of an objective", self.direction, get_args(Direction))
        if not self.metric or self.metric.split() != [self.metric]:
            raise InputError(
                f"objective: expected a metric's name without spaces, got {self.metric!r}; "
                "write it as 'maximize accuracy' or 'minimize latency_ms@host-cpu'."
            )

    @classmethod
    def parse(cls, text: str) -> Objective:
        """Reads `maximize accuracy` or `minimize latency_ms@host-cpu`.

        Raises:
            InputError: the text is not a direction and one metric.
        """
        words = text.split() if isinstance(text, str) else []
        if len(words) != 2:
            raise InputError(
                f"objective: expected a direction and a metric, got {text!r}; "
                "write it as 'maximize accuracy' or 'minimize latency_ms@host-cpu'."
            )
        return cls(metric=words[1], direction=cast(Direction, words[0]))

    def loss(self, metrics: Mapping[str, float]) -> float:
        """The metric with the sign that makes less better; NaN where it is missing or not finite."""
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            return math.nan
        return -value if self.direction == "maximize" else value

    def __str__(self) -> str:
        return f"{self.direction} {self.metric}"


def non_dominated(values: ArrayLike, directions: Sequence[Direction]) -> NDArray[np.bool_]:
    """Marks the rows of `values` [N, M] that no other row dominates.

    Equal rows are kept together. A row with a NaN or an infinite value is never on the front and
    dominates nothing.
    """
    costs = as_losses(values, directions)
    front = np.zeros(len(costs), dtype=np.bool_)
    index = np.flatnonzero(np.isfinite(costs).all(axis=1))
    # Strong points first: they remove most of the others at once.
    index = index[np.argsort(_unit(costs[index]).sum(axis=1), kind="stable")]
    alive = costs[index]
    position = 0
    while position < len(alive):
        point = alive[position]
        keep = (alive < point).any(axis=1) | (alive == point).all(axis=1)
        position = int(keep[:position].sum()) + 1
        alive, index = alive[keep], index[keep]
    front[index] = True
    return front


def hypervolume(values: ArrayLike, directions: Sequence[Direction], reference: ArrayLike) -> float:
    """The exact volume that the rows of `values` [N, M] dominate, bounded by `reference` [M].

    Objectives are sliced one at a time (HSO; While et al., "A faster algorithm for calculating hypervolume",
    2006): O(N log N) for two objectives and about O(N^(M-1)) beyond, enough for the fronts of a search.
    Rows that are not better than the reference in every objective, or not finite, add nothing.
    """
    costs = as_losses(values, directions)
    corner = as_losses(np.atleast_2d(np.asarray(reference, dtype=np.float64)), directions)[0]
    if not np.isfinite(corner).all():
        raise InputError(
            f"reference: expected {len(corner)} finite numbers, got {reference!r}; give the worst values of interest."
        )
    inside = np.isfinite(costs).all(axis=1) & (costs < corner).all(axis=1)
    return _sliced_volume(costs[inside], corner)


def knee(values: ArrayLike, directions: Sequence[Direction]) -> int:
    """The index of the row of `values` [N, M] where the front bends most: the natural compromise.

    Among the rows that are not dominated, each objective is scaled to 0 (best) … 1 (worst) over the front.
    The knee is the row farthest from the chord through the extremes (for M > 2, from the plane through the
    axes' ends), on the side of the ideal point (Das, "On characterizing the knee of the Pareto curve", 1999).
    With fewer than three rows on the front, or one objective, it is the row with the best first objective.
    The first of equals is taken.

    Raises:
        InputError: no row is finite.
    """
    costs = as_losses(values, directions)
    front = np.flatnonzero(non_dominated(values, directions))
    if len(front) == 0:
        raise InputError(
            f"values: expected at least one row of finite values, got {len(costs)} rows without; "
            "leave trials without results out."
        )
    if len(front) < 3 or costs.shape[1] < 2:
        return int(front[np.argmin(costs[front, 0])])
    distance = 1.0 - _unit(costs[front]).sum(axis=1)
    return int(front[np.argmax(distance)])


def tied_with_front(low: ArrayLike, high: ArrayLike, front: ArrayLike) -> tuple[tuple[int, ...], ...]:
    """For every row, the front members it cannot be told apart from.

    Args:
        low, high: the interval of each value, [N, M]; equal bounds where a value is exact.
        front: the mask that `non_dominated` gave for the values, [N].

    Returns:
        For each row the indices of the front members, other than itself, whose intervals overlap its own on
        every objective; a row with a NaN bound ties with nothing.

    Raises:
        InputError: shapes differ, or a lower bound lies above its upper one.
    """
    lower, upper = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    members = np.asarray(front, dtype=np.bool_)
    if lower.ndim != 2 or lower.shape != upper.shape or members.shape != lower.shape[:1]:
        raise InputError(
            f"intervals: expected low and high of one shape [N, M] and a front [N], got {lower.shape}, "
            f"{upper.shape} and {members.shape}; give one interval per row and objective."
        )
    if (lower > upper).any():
        row = int(np.flatnonzero((lower > upper).any(axis=1))[0])
        raise InputError(f"intervals: expected low <= high, got the opposite in row {row}; swap the bounds.")
    ties: list[list[int]] = [[] for _ in range(len(lower))]
    for member in map(int, np.flatnonzero(members)):
        overlap = ((lower <= upper[member]) & (upper >= lower[member])).all(axis=1)
        overlap[member] = False
        for other in np.flatnonzero(overlap):
            ties[other].append(member)
    return tuple(tuple(rows) for rows in ties)


def as_losses(values: ArrayLike, directions: Sequence[Direction]) -> NDArray[np.float64]:
    """The values [N, M] as floats of which less is better; an `InputError` says where they are no such matrix."""
    matrix = np.asarray(values, dtype=np.float64)
    for direction in directions:
        if direction not in get_args(Direction):
            raise unknown_name("direction of an objective", direction, get_args(Direction))
    if matrix.ndim != 2 or not directions or matrix.shape[1] != len(directions):
        raise InputError(
            f"values: expected a matrix with one column for each of {len(directions)} directions, "
            f"got shape {matrix.shape}; give one row per point and one column per objective."
        )
    signs = np.array([-1.0 if direction == "maximize" else 1.0 for direction in directions])
    return np.asarray(matrix * signs, dtype=np.float64)


def _unit(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every column scaled to 0 … 1 over the rows; a constant column becomes 0."""
    if len(costs) == 0:
        return costs
    # Halves first, so that the span of the largest floats does not overflow.
    lowest, span = costs.min(axis=0), costs.max(axis=0) / 2 - costs.min(axis=0) / 2
    return np.asarray((costs / 2 - lowest / 2) / np.where(span > 0, span, 1.0), dtype=np.float64)


def _sliced_volume(costs: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    """Volume between the rows (all strictly inside) and the corner; less is better."""
    if len(costs) == 0:
        return 0.0
    if costs.shape[1] == 1:
        return float(corner[0] - costs[:, 0].min())
    if costs.shape[1] == 2:
        order = np.lexsort((costs[:, 1], costs[:, 0]))
        first, best = costs[order, 0], np.minimum.accumulate(costs[order, 1])
        width = np.diff(np.append(first, corner[0]))
        return float((width * (corner[1] - best)).sum())
    costs = costs[non_dominated(costs, ["minimize"] * costs.shape[1])]
    costs = costs[np.argsort(costs[:, -1], kind="stable")]
    thickness = np.diff(np.append(costs[:, -1], corner[-1]))
    return float(
        sum(
            depth * _sliced_volume(costs[: row + 1, :-1], corner[:-1])
            for row, depth in enumerate(thickness)
            if depth > 0
        )
    )
