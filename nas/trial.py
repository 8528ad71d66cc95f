"""A trial: one architecture a search looked at, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from searchspaces.space import Architecture

State: TypeAlias = Literal["PROPOSED", "RUNNING", "COMPLETE", "INFEASIBLE", "FAILED"]
STATES: tuple[State, ...] = ("COMPLETE", "INFEASIBLE", "FAILED", "RUNNING", "PROPOSED")
FINISHED: frozenset[State] = frozenset({"COMPLETE", "INFEASIBLE", "FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial as the log has it last.

    `metrics` holds what is known by name: costs such as ``params`` or ``latency_ms@host-cpu`` from the proposal on,
    results such as ``accuracy`` once complete. `costs` are the full records behind measured values. `reason` says
    why a trial is infeasible (the violated metrics) or failed.
    """

    number: int
    architecture: Architecture
    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    costs: Sequence[Mapping[str, Any]] = ()
    reason: str | None = None
    seconds: float | None = None
    at: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an evaluation came to: metrics when complete, a reason when failed."""

    state: Literal["COMPLETE", "FAILED"]
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)
