"""Peers on our spaces: conditional choices, limits, both ways of charging, the same seed twice."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import catalog
from benchmarks.peers.catalog import PEERS, find_peer
from nas.comparing.course import Course, CourseOver, run_peer
from nas.comparing.entrant import Entrant
from nas.comparing.record import SeedRecord
from nas.constraints import Constraint
from nas.costing import Assessment, check
from nas.evaluators.base import Request
from nas.pareto import Objective
from nas.problem import Problem
from nas.testing import ToySpace
from nas.trial import Outcome
from searchspaces.errors import InputError, MissingError
from searchspaces.space import Architecture, SearchSpace

TRIALS = 30


def size(architecture: Architecture) -> float:
    return float(sum(max(index, 0) for index in architecture.indices))


class Costs:
    def assess(self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]) -> Any:
        if architecture.indices[0] == 2 and architecture.indices[-1] == 3:
            return Assessment(reason="not in the table")
        return check({"size": size(architecture)}, constraints)

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def is_cheap(self, metric: str) -> bool:
        return True


class Evaluator:
    cheap = True
    metrics = ("accuracy", "latency_ms")

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        return [self._outcome(request.architecture) for request in requests]

    def _outcome(self, architecture: Architecture) -> Outcome:
        if architecture.indices[0] == 2 and architecture.indices[-1] == 3:
            return Outcome(state="FAILED", reason="not in the table")
        value = float(np.sin(1 + sum(index * place for place, index in enumerate(architecture.indices, start=1))))
        return Outcome(state="COMPLETE", metrics={"accuracy": value, "latency_ms": size(architecture)})


def course(space: SearchSpace, objectives: Sequence[str]) -> Course:
    problem = Problem(
        space=space,
        objectives=tuple(map(Objective.parse, objectives)),
        constraints=(Constraint.parse("size <= 4"),),
        costs=Costs(),
        cost_metrics=("size",),
    )
    metrics = [objective.metric for objective in problem.objectives]
    return Course(problem=problem, evaluator=Evaluator(), judged_by=metrics, trials=TRIALS)


def raced(name: str, space: SearchSpace, objectives: Sequence[str], seed: int = 0) -> SeedRecord:
    options = {"population": 8} if name.endswith("nsga2") else {}
    loop = find_peer(Entrant(label=name, name=name, options=options))
    return run_peer(loop, course(space, objectives), label=name, seed=seed)


@pytest.mark.parametrize("objectives", [["maximize accuracy"], ["maximize accuracy", "minimize latency_ms"]])
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_runs_its_course(name: str, objectives: list[str]) -> None:
    if importlib.util.find_spec(PEERS[name].package) is None:
        pytest.skip(f"{PEERS[name].package} is in the extra `peers`")
    space = ToySpace()
    record = raced(name, space, objectives)
    assert record.feasible.sum() == TRIALS
    # Infeasible ones are charged too: peers learn of a limit by a trial.
    assert len(record) > TRIALS
    _require_members(record, space)
    # Both sides of the condition are drawn.
    assert {space.parse(text).indices[2] >= 0 for text in record.ids} == {True, False}
    again = raced(name, space, objectives)
    assert (again.ids, raced(name, space, objectives, seed=1).ids == record.ids) == (record.ids, False)


def _require_members(record: SeedRecord, space: SearchSpace) -> None:
    for text, feasible in zip(record.ids, record.feasible, strict=True):
        architecture = space.parse(text)
        assert architecture.id == text
        assert feasible == (Costs().assess(architecture, (), [Constraint.parse("size <= 4")]).reason is None)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_keeps_pins(name: str) -> None:
    if importlib.util.find_spec(PEERS[name].package) is None:
        pytest.skip(f"{PEERS[name].package} is in the extra `peers`")
    space = ToySpace(layers=2, width=8)
    record = raced(name, space, ["maximize accuracy"])
    assert all(space.parse(text).indices[:2] == (0, 1) for text in record.ids)


def test_the_course_ends_where_nothing_is_feasible() -> None:
    made = course(ToySpace(width=32, last=5), ["maximize accuracy"])
    with pytest.raises(CourseOver):
        while True:
            answer = made.evaluate(made.problem.space.sample(np.random.default_rng(0), 1)[0])
            assert answer.values is None
            assert answer.violations[-1] == 1.0
    assert len(made.record("x", 0)) == 20 * TRIALS


def test_violations_are_shares_of_the_bound() -> None:
    made = course(ToySpace(), ["maximize accuracy"])
    broken = made.evaluate(ToySpace().architecture(width=32, layers=2, second=12, last=4))
    assert size(ToySpace().architecture(width=32, layers=2, second=12, last=4)) == 7
    assert broken.violations == (0.75, 0.0)
    assert not broken.feasible
    kept = made.evaluate(ToySpace().architecture(width=8, layers=1, last=2))
    assert kept.violations == (-1.0, 0.0)
    assert kept.feasible


def test_an_absent_peer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'paretonas\[peers\]'"):
        find_peer(Entrant(label="optuna-tpe", name="optuna-tpe"))


def test_a_peer_checks_its_options() -> None:
    pytest.importorskip("optuna", reason="Optuna is in the extra `peers`")
    with pytest.raises(InputError, match="did you mean 'startup'"):
        find_peer(Entrant(label="optuna-tpe", name="optuna-tpe", options={"start": 3}))


def test_peers_do_not_train() -> None:
    class Slow(Evaluator):
        cheap = False

    made = course(ToySpace(), ["maximize accuracy"])
    made.evaluator = Slow()
    with pytest.raises(InputError, match="compared on tables"):
        run_peer(lambda course, seed: None, made, label="x", seed=0)
