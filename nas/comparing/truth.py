"""What a comparison is judged against: the optimum and the front of the whole table, or the best that anyone saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.comparing.record import SeedRecord
from nas.constraints import Constraint
from nas.pareto import Objective, hypervolume, non_dominated
from searchspaces.errors import NoResultError
from searchspaces.space import Architecture

# The reference point lies this share of the front's span beyond its worst values, so that extremes count too.
REFERENCE_MARGIN = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The yardstick.

    Attributes:
        objectives: M of them, the first of which says what "best" means.
        complete: whether it comes from a table that holds every architecture, not from what the entrants found.
        rows: feasible architectures it was taken from.
        best: optimum of the first objective, and `best_id` an architecture that has it.
        front: the non-dominated objectives, [F, M].
        reference: the corner that bounds hypervolumes, [M].
        volume: of the front.
    """

    objectives: tuple[Objective, ...]
    complete: bool
    rows: int
    best: float
    best_id: str
    front: NDArray[np.float64]
    reference: NDArray[np.float64]
    volume: float


def truth_of_table(
    rows: Mapping[Architecture, Mapping[str, float]],
    objectives: Sequence[Objective],
    columns: Sequence[str],
    constraints: Sequence[Constraint],
) -> Truth:
    """The feasible optimum of a table.

    Args:
        rows: metrics by architecture.
        objectives: what is judged.
        columns: the metric that judges each objective.
        constraints: hard ones, on metrics of the table.

    Raises:
        NoResultError: no row keeps every constraint.
    """
    kept = [
        (architecture.id, [row[column] for column in columns])
        for architecture, row in rows.items()
        if all(constraint.holds(row[constraint.metric]) for constraint in constraints)
    ]
    if not kept:
        raise NoResultError(
            f"compare: none of the table's {len(rows)} architectures keeps "
            f"{', '.join(map(str, constraints))}; loosen a constraint."
        )
    ids, values = zip(*kept, strict=True)
    return _truth(objectives, ids, np.array(values, dtype=np.float64), complete=True)


def truth_of_records(records: Sequence[SeedRecord], objectives: Sequence[Objective]) -> Truth:
    """The best that any entrant evaluated, where no table knows the optimum.

    Raises:
        NoResultError: not one feasible evaluation.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for record in records:
        usable = record.feasible & np.isfinite(record.judged).all(axis=1)
        found.update({record.ids[row]: record.judged[row] for row in np.flatnonzero(usable)})
    if not found:
        raise NoResultError(
            "compare: no entrant has a feasible evaluation with a result; loosen a constraint, or raise budget.trials."
        )
    return _truth(objectives, tuple(found), np.array(list(found.values())), complete=False)


def _truth(
    objectives: Sequence[Objective], ids: Sequence[str], values: NDArray[np.float64], *, complete: bool
) -> Truth:
    directions = [objective.direction for objective in objectives]
    signs = np.array([-1.0 if direction == "maximize" else 1.0 for direction in directions])
    front = values[non_dominated(values, directions)]
    costs = front * signs
    span = np.ptp(costs, axis=0)
    # A front of a single point still needs room to dominate.
    room = np.where(span > 0, REFERENCE_MARGIN * span, np.maximum(np.abs(costs).max(axis=0), 1.0))
    reference = (costs.max(axis=0) + room) * signs
    best = int(np.argmin(values[:, 0] * signs[0]))
    return Truth(
        objectives=tuple(objectives),
        complete=complete,
        rows=len(values),
        best=float(values[best, 0]),
        best_id=ids[best],
        front=front,
        reference=reference,
        volume=hypervolume(front, directions, reference),
    )
