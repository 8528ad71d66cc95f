"""What every evaluator offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nas.trial import Outcome
from searchspaces.space import Architecture

Report = Callable[[int, Mapping[str, float]], bool]


def keep_going(epoch: int, metrics: Mapping[str, float]) -> bool:
    """The report of a caller that neither listens nor stops anything."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One evaluation: what, with which seed, within which time, and whom to tell about each epoch.

    `report` gets the epoch and its metrics; a False ends the training, which then counts as it stands.
    """

    number: int
    architecture: Architecture
    seed: int
    time_limit_s: float | None = None
    checkpoint: Path | None = None
    report: Report = field(default=keep_going)


class Evaluator(Protocol):
    """Finds the metrics of architectures. A cheap one is given batches and needs no process of its own."""

    @property
    def cheap(self) -> bool:
        """Whether an evaluation takes far less than starting a process."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what `evaluate` finds."""
        ...

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome a request, in order. Failures are outcomes, not exceptions."""
        ...
