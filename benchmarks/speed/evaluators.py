"""Evaluators that show what the engine around them costs: one that sleeps, one that trains without a framework."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nas.evaluators.base import Evaluator, Request
from nas.task import Task
from nas.trial import Outcome
from searchspaces.errors import MissingError
from searchspaces.space import Architecture

_LEARNING_RATE = 0.5
_STATM = Path("/proc/self/statm")


def resident_mb() -> float:
    """What this process holds in memory now.

    Raises:
        MissingError: the system has no /proc.
    """
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError as error:
        raise MissingError(
            f"memory: expected {_STATM} to read the resident size from, got {error.strerror}; measure on Linux."
        ) from error
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class SleepEvaluator:
    """Work of a known time: whatever a trial takes beyond it is the engine's."""

    cheap = False
    metrics = ("accuracy",)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Sleep once a request."""
        outcomes = []
        for _ in requests:
            start = time.monotonic()
            time.sleep(self._seconds)
            outcomes.append(
                Outcome(state="COMPLETE", metrics={"accuracy": 0.5}, seconds=time.monotonic() - start, details={})
            )
        return outcomes


class SoftmaxEvaluator:
    """Softmax regression in NumPy: a real training, reported epoch by epoch, in a process that starts fast.

    The driver sees what it sees of any training, so its memory can be watched over hundreds of trials in minutes.
    """

    cheap = False
    metrics = ("accuracy",)

    def __init__(self, task: Task, *, epochs: int) -> None:
        self._task, self._epochs = task, epochs

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Train one model a request."""
        return [self._train(request) for request in requests]

    def _train(self, request: Request) -> Outcome:
        start = time.monotonic()
        training, validation = self._task.split("train"), self._task.split("validation")
        rng = np.random.default_rng(request.seed)
        classes = len(self._task.class_names)
        weights = rng.normal(0.0, 0.1, (training.x.shape[1], classes))
        centre, scale = training.x.mean(axis=0), training.x.std(axis=0) + 1e-6
        x, targets = (training.x - centre) / scale, np.eye(classes)[training.y]
        history: dict[str, list[float]] = {"loss": [], "val_accuracy": []}
        for epoch in range(1, self._epochs + 1):
            logits = x @ weights
            chances = np.exp(logits - logits.max(axis=1, keepdims=True))
            chances /= chances.sum(axis=1, keepdims=True)
            weights -= _LEARNING_RATE * x.T @ (chances - targets) / len(x)
            guesses = ((validation.x - centre) / scale @ weights).argmax(axis=1)
            history["loss"].append(float(-np.log(chances[targets > 0]).mean()))
            history["val_accuracy"].append(float((guesses == validation.y).mean()))
            request.report(epoch, {"accuracy": history["val_accuracy"][-1], "loss": history["loss"][-1]})
        return Outcome(
            state="COMPLETE",
            metrics={"accuracy": max(history["val_accuracy"])},
            seconds=time.monotonic() - start,
            details={"epochs": self._epochs, "stopped": "done", "history": history},
        )


class MeteredEvaluator:
    """Adds the process a trial ran in, and what that process held in memory afterwards, to the trial's details."""

    def __init__(self, inner: Evaluator) -> None:
        self._inner = inner
        self.cheap, self.metrics = inner.cheap, inner.metrics

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """What the inner evaluator says, and from where."""
        outcomes = self._inner.evaluate(requests)
        held = {"process": os.getpid(), "rss_mb": resident_mb()}
        return [replace(outcome, details={**outcome.details, **held}) for outcome in outcomes]


class OneNetworkEvaluator:
    """Trains the first architecture it was asked for again and again.

    Frameworks keep compiled kernels for every shape they meet. Without new shapes, growth is a leak.
    """

    def __init__(self, inner: Evaluator) -> None:
        self._inner = inner
        self._first: Architecture | None = None
        self.cheap, self.metrics = inner.cheap, inner.metrics

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """The inner evaluator's outcomes for the first architecture."""
        if self._first is None:
            self._first = requests[0].architecture
        return self._inner.evaluate([replace(request, architecture=self._first) for request in requests])
