"""What every engine offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nas.evaluators.base import Evaluator
from nas.search import Search

Progress = Callable[[Search], None]


class Engine(Protocol):
    """Runs a search to the end of its budget."""

    def run(self, search: Search, evaluator: Evaluator, folder: Path, progress: Progress) -> None:
        """Evaluate what `search` proposes until it wants no more; `progress` is called after every change.

        Args:
            search: proposes, and is told of every start and result.
            evaluator: finds the metrics.
            folder: the run folder, for files of trials.
            progress: told after every change.
        """
        ...
