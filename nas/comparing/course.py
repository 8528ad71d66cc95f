"""The course that peers run: evaluations one by one, each charged, recorded, and counted against the budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from nas.comparing.record import SeedRecord
from nas.constraints import Constraint
from nas.evaluators.base import Evaluator, Request
from nas.problem import Problem
from searchspaces.errors import InputError
from searchspaces.space import Architecture

# A peer that finds nothing feasible is let go after so many times the budget.
_MOST = 20
_SMALLEST_BOUND = 1e-12
# A value on a bound that excludes it is a violation still.
_LEAST_VIOLATION = 1e-9


class CourseOver(Exception):
    """The budget is spent: the peer's loop ends here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an evaluation tells a peer.

    values: the objectives in order; None where there is no result.
    violations: one number a constraint, above 0 where it is broken, as a share of the bound; and a last one that is 1
        where the architecture is refused for another reason (no target runs it, the table lacks it).
    """

    values: tuple[float, ...] | None
    violations: tuple[float, ...]

    @property
    def feasible(self) -> bool:
        """Whether every constraint holds."""
        return all(violation <= 0 for violation in self.violations)


@dataclass(kw_only=True)
class Course:
    """Evaluations for one seed of one peer.

    It goes on until `trials` evaluations were made and `feasible` of them were feasible, so that both ways of charging
    have enough of them.

    Args:
        problem: space, objectives and constraints.
        evaluator: a cheap one.
        judged_by: the metric that judges each objective.
        trials: the budget.
        feasible: feasible evaluations wanted; as many as the budget by default.
    """

    problem: Problem
    evaluator: Evaluator
    judged_by: Sequence[str]
    trials: int
    feasible: int | None = None
    _rows: list[tuple[Architecture, bool, tuple[float, ...], tuple[float, ...]]] = field(default_factory=list)
    _feasible: int = 0

    def evaluate(self, architecture: Architecture) -> Answer:
        """Charge a trial and give its result; a `CourseOver` once the budget is spent."""
        wanted = self.trials if self.feasible is None else self.feasible
        enough = len(self._rows) >= self.trials and self._feasible >= wanted
        if enough or len(self._rows) >= _MOST * self.trials:
            raise CourseOver
        (outcome,) = self.evaluator.evaluate([Request(number=len(self._rows), architecture=architecture, seed=0)])
        assessment = self.problem.assess(architecture)
        known = {**outcome.metrics, **assessment.metrics}
        violations = [_violation(known.get(each.metric), each) for each in self.problem.constraints]
        violations.append(float(assessment.reason is not None and not assessment.violated))
        values = None
        if outcome.state == "COMPLETE":
            values = tuple(float(known[objective.metric]) for objective in self.problem.objectives)
        feasible = assessment.reason is None
        self._feasible += feasible
        blank = (math.nan,) * len(self.problem.objectives)
        judged = tuple(float(known.get(metric, math.nan)) for metric in self.judged_by)
        self._rows.append((architecture, feasible, values or blank, judged))
        return Answer(values=values, violations=tuple(violations))

    def record(self, label: str, seed: int) -> SeedRecord:
        """Everything that was evaluated."""
        count = len(self.problem.objectives)
        return SeedRecord(
            label=label,
            seed=seed,
            ids=tuple(row[0].id for row in self._rows),
            looked_at=np.arange(1, len(self._rows) + 1),
            feasible=np.array([row[1] for row in self._rows], dtype=np.bool_),
            seen=np.array([row[2] for row in self._rows], dtype=np.float64).reshape(-1, count),
            judged=np.array([row[3] for row in self._rows], dtype=np.float64).reshape(-1, count),
        )


# A peer's own loop: it takes a course, a seed and its options, and ends with the course.
Peer: TypeAlias = Callable[..., None]


def run_peer(peer: Peer, course: Course, *, label: str, seed: int) -> SeedRecord:
    """Let a peer run its own loop until the course is over."""
    if not course.evaluator.cheap:
        raise InputError(
            f"{label}: peers are compared on tables and surrogates, where an infeasible trial costs no training; "
            "leave it out, or give evaluator: table."
        )
    with suppress(CourseOver):
        peer(course, seed)
    return course.record(label, seed)


def _violation(value: float | None, constraint: Constraint) -> float:
    """How far beyond its bound a metric is, as a share of the bound; an unknown one counts as kept."""
    if value is None:
        return 0.0
    distance = abs(value - constraint.bound) / max(abs(constraint.bound), _SMALLEST_BOUND)
    return -distance if constraint.holds(value) else max(distance, _LEAST_VIOLATION)
