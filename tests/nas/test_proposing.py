from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nas.constraints import Constraint
from nas.controllers.random import RandomSearch
from nas.costing import Assessment
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Acceptance, Proposer
from nas.testing import ToySpace
from nas.trial import Trial
from searchspaces.space import Architecture, SearchSpace
from searchspaces.tabnas import TabNAS

OBJECTIVES = (Objective.parse("maximize accuracy"),)
WIDE = Constraint.parse("width <= 1")
LAST = Constraint.parse("last < 3")


class Indices:
    """The cost of a choice is its index; `last` is looked at only when `width` is kept."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        values = {"width": float(architecture.indices[0]), "last": float(architecture.indices[-1])}
        checked: tuple[Constraint, ...] = ()
        for constraint in constraints:
            checked += (constraint,)
            if not constraint.holds(values[constraint.metric]):
                return Assessment(metrics=values, checked=checked, violated=(constraint,), reason=constraint.metric)
        return Assessment(metrics=values, checked=checked)

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def is_cheap(self, metric: str) -> bool:
        return True


class Stubborn(RandomSearch):
    """Suggests one architecture for ever."""

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        return [next(self._space.enumerate())] * count


def proposer(
    space: SearchSpace, kind: type[RandomSearch] = RandomSearch, constraints: Sequence[Constraint] = (), seed: int = 0
) -> Proposer:
    problem = Problem(
        space=space,
        objectives=OBJECTIVES,
        constraints=tuple(constraints),
        costs=Indices(),
        cost_metrics=("width", "last"),
    )
    return Proposer(problem, kind(problem), seed=seed)


def drawn(made: Proposer, count: int, start: int = 0) -> list[str]:
    proposals = [made.next(number) for number in range(start, start + count)]
    return [proposal.architecture.id for proposal in proposals if proposal is not None]


def test_proposals_never_repeat() -> None:
    found = drawn(proposer(TabNAS((4,), 3)), 500)
    assert len(set(found)) == len(found) == 500


def test_the_seed_decides() -> None:
    space = TabNAS((4,), 3)
    assert drawn(proposer(space, seed=1), 9) == drawn(proposer(space, seed=1), 9)
    assert drawn(proposer(space, seed=1), 9) != drawn(proposer(space, seed=2), 9)


def test_a_fresh_proposer_that_saw_the_trials_goes_on_the_same() -> None:
    space = ToySpace()
    whole = drawn(proposer(space), 40)
    late = proposer(space)
    for number, identity in enumerate(whole[:25]):
        late.saw(Trial(number=number, architecture=space.parse(identity), state="COMPLETE"))
    assert drawn(late, 15, start=25) == whole[25:]


def test_a_stubborn_controller_does_not_stop_the_search() -> None:
    space = ToySpace()
    found = drawn(proposer(space, Stubborn), 60)
    assert len(found) == len(set(found)) == space.size


def test_a_stubborn_controller_in_a_space_too_large_to_list() -> None:
    space = TabNAS((4,), 3, layers=4)
    assert space.size == 160_000

    class Large(TabNAS):
        size = 10**9  # type: ignore[assignment]

    found = drawn(proposer(Large((4,), 3, layers=4), Stubborn), 50)
    assert len(set(found)) == 50


def test_the_end_of_a_space_is_none() -> None:
    made = proposer(ToySpace(width=8, last=2))
    assert len(drawn(made, 4)) == 4
    assert made.next(4) is None
    assert made.next(5) is None


def test_infeasible_proposals_come_with_their_reason_and_metrics() -> None:
    made = proposer(ToySpace(), constraints=[WIDE, LAST])
    proposals = [made.next(number) for number in range(48)]
    reasons = [proposal.assessment.reason for proposal in proposals if proposal is not None]
    # Of 48 a third is too wide, and of the rest a quarter has the last value of `last`.
    assert (reasons.count("width"), reasons.count("last"), reasons.count(None)) == (16, 8, 24)
    assert all(proposal.feasible == (proposal.assessment.reason is None) for proposal in proposals if proposal)


def test_acceptance_counts_only_what_was_looked_at() -> None:
    made = proposer(ToySpace(), constraints=[WIDE, LAST])
    drawn(made, 48)
    assert made.acceptance == {
        "width <= 1": Acceptance(checked=48, accepted=32),
        "last < 3": Acceptance(checked=32, accepted=24),
    }
    assert made.acceptance["last < 3"].rate == 0.75


def test_a_constraint_never_looked_at_has_refused_nothing() -> None:
    assert Acceptance().rate == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_at_the_end_what_is_left_is_drawn_evenly(seed: int) -> None:
    """The last architecture of a space is found, whichever it is."""
    space = ToySpace()
    every = list(space.enumerate())
    left = every[seed * 9]
    made = proposer(space, seed=seed)
    for number, architecture in enumerate(each for each in every if each != left):
        made.saw(Trial(number=number, architecture=architecture, state="COMPLETE"))
    proposal = made.next(47)
    assert proposal is not None and proposal.architecture == left
