"""An evaluator that keeps the judging columns to itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas.evaluators.base import Evaluator, Request
from nas.trial import Outcome


class Withheld:
    """Passes everything on but some metrics, so that no controller learns from what it will be judged by.

    Args:
        evaluator: the one that knows.
        metrics: what stays hidden.
    """

    def __init__(self, evaluator: Evaluator, metrics: Sequence[str]) -> None:
        self._evaluator, self._hidden = evaluator, frozenset(metrics)

    @property
    def cheap(self) -> bool:
        """As the other."""
        return self._evaluator.cheap

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is left."""
        return tuple(metric for metric in self._evaluator.metrics if metric not in self._hidden)

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """The other's outcomes without the hidden metrics."""
        outcomes = self._evaluator.evaluate(requests)
        if not self._hidden:
            return outcomes
        return [
            replace(
                outcome, metrics={name: value for name, value in outcome.metrics.items() if name not in self._hidden}
            )
            for outcome in outcomes
        ]
