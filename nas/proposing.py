"""From a controller's suggestions to new, feasible proposals: rejection sampling that is bounded and counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.controllers.base import Controller
from nas.costing import Assessment
from nas.problem import Problem
from nas.trial import Trial
from searchspaces.errors import InputError
from searchspaces.space import Architecture

# Where so many suggestions are all known the controller has converged: draw from the space itself.
_REPEATS = 64
_ASKED = (1, 8, _REPEATS)
# A space up to this size is listed to find what is left of it.
_LISTABLE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An architecture never looked at before, with what is known of its cost."""

    architecture: Architecture
    assessment: Assessment

    @property
    def feasible(self) -> bool:
        """Whether it keeps every constraint."""
        return self.assessment.reason is None


@dataclass(slots=True)
class Acceptance:
    """How often one constraint was looked at, and kept."""

    checked: int = 0
    accepted: int = 0

    @property
    def rate(self) -> float:
        """Share kept; 1 where nothing was looked at."""
        return self.accepted / self.checked if self.checked else 1.0


class Proposer:
    """Asks the controller until it gives something new, and assesses it.

    What comes next depends on the seed and the trials so far alone: the generator of trial n is made from
    ``(seed, n)``, so a search that was killed goes on as if nothing had happened.
    """

    def __init__(
        self,
        problem: Problem,
        controller: Controller,
        *,
        seed: int,
    ) -> None:
        self._problem, self._space, self._controller, self._seed = problem, problem.space, controller, seed
        self._seen: set[Architecture] = set()
        self.constraints_by_text = {str(constraint): constraint for constraint in problem.constraints}
        self.acceptance = {text: Acceptance() for text in self.constraints_by_text}

    def saw(self, trial: Trial) -> None:
        """Take note of a trial from the log; an `InputError` if it is of another space."""
        architecture = trial.architecture
        if architecture.space != self._space.name or len(architecture.indices) != len(self._space.choices):
            raise InputError(
                f"trial log: expected architectures of space {self._space.name}, got {architecture}; it is that of "
                "another search."
            )
        self._seen.add(trial.architecture)

    def next(self, number: int) -> Proposal | None:
        """The proposal for trial `number`, feasible or not; None when the space is used up."""
        rng = np.random.default_rng([self._seed, number])
        architecture = self._new(rng)
        if architecture is None:
            return None
        self._seen.add(architecture)
        assessment = self._problem.assess(architecture)
        self.count(assessment)
        return Proposal(architecture=architecture, assessment=assessment)

    def count(self, assessment: Assessment) -> None:
        """Add an assessment to the acceptance figures."""
        violated = set(map(str, assessment.violated))
        for constraint in assessment.checked:
            tally = self.acceptance[str(constraint)]
            tally.checked += 1
            tally.accepted += str(constraint) not in violated

    def _new(self, rng: np.random.Generator) -> Architecture | None:
        # More at once each time: a controller that ranks what it knows would give the same one again.
        for count in _ASKED:
            for architecture in self._controller.suggest(count, rng):
                if architecture not in self._seen:
                    return architecture
        if self._space.size <= len(self._seen):
            return None
        if self._space.size <= _LISTABLE:
            left = [architecture for architecture in self._space.enumerate() if architecture not in self._seen]
            return left[int(rng.integers(len(left)))] if left else None
        for architecture in self._space.sample(rng, _REPEATS * _REPEATS):
            if architecture not in self._seen:
                return architecture
        return None
