from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.config import Budget
from nas.constraints import Constraint
from nas.controllers.random import RandomSearch
from nas.costing import Assessment
from nas.engines.serial import SerialEngine
from nas.evaluators.base import Request
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.search import NOTHING_LEFT, Search, pareto_front
from nas.store import Event, TrialStore
from nas.testing import ToySpace
from nas.trial import Outcome, Trial
from searchspaces.errors import InputError, NoResultError
from searchspaces.space import Architecture, SearchSpace

OBJECTIVES = (Objective.parse("maximize accuracy"), Objective.parse("minimize width"))
ONE = Architecture("toy", (0, 0, -1, 0))


class Widths:
    """The cost `width` is the first index, 0 to 2."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        value = float(architecture.indices[0])
        violated = tuple(each for each in constraints if not each.holds(value))
        reason = "width" if violated else None
        records = [{"metric": "width", "value": value}]
        return Assessment(
            metrics={"width": value}, costs=records, checked=tuple(constraints), violated=violated, reason=reason
        )

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def is_cheap(self, metric: str) -> bool:
        return True


class Watching(RandomSearch):
    """Notes what it is shown."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.shown: list[tuple[int, str]] = []

    def update(self, trials: Sequence[Trial]) -> None:
        self.shown += [(trial.number, trial.state) for trial in trials]


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrialStore]:
    with TrialStore(tmp_path / "trials.sqlite") as made:
        yield made


def search(
    store: TrialStore,
    *,
    space: SearchSpace | None = None,
    constraints: Sequence[str] = (),
    budget: Budget | None = None,
    clock: Clock | None = None,
) -> tuple[Search, Watching]:
    space = space or ToySpace()
    problem = Problem(
        space=space,
        objectives=OBJECTIVES,
        constraints=tuple(map(Constraint.parse, constraints)),
        costs=Widths(),
        cost_metrics=("width",),
    )
    controller = Watching(problem)
    made = Search(
        store=store,
        controller=controller,
        proposer=Proposer(problem, controller, seed=3),
        objectives=OBJECTIVES,
        budget=budget or Budget(trials=5),
        seed=3,
        clock=clock or Clock(),
    )
    return made, controller


def proposed(made: Search) -> Trial:
    trial = made.propose()
    assert trial is not None
    return trial


def complete(accuracy: float) -> Outcome:
    return Outcome(state="COMPLETE", metrics={"accuracy": accuracy}, seconds=2.0)


# -- a trial's life ----------------------------------------------------------------------------------------------------


def test_a_trial_goes_from_proposed_to_complete(store: TrialStore) -> None:
    made, controller = search(store)
    trial = proposed(made)
    assert (trial.number, trial.state, list(trial.metrics)) == (0, "PROPOSED", ["width"])
    assert made.pending() == [trial]
    assert store.trials() == []
    made.started(0)
    assert [each.state for each in store.trials()] == ["RUNNING"]
    made.finished({0: complete(0.9)})
    (logged,) = store.trials()
    assert logged.metrics == {"width": trial.metrics["width"], "accuracy": 0.9}
    assert (logged.state, logged.seconds) == ("COMPLETE", 2.0)
    assert logged.costs == [{"metric": "width", "value": trial.metrics["width"]}]
    assert controller.shown == [(0, "COMPLETE")]
    assert made.pending() == []
    assert made.complete()[0].metrics == logged.metrics


def test_a_failed_trial_keeps_its_reason_and_its_costs(store: TrialStore) -> None:
    made, controller = search(store)
    proposed(made)
    made.finished({0: Outcome(state="FAILED", reason="over 5 s", seconds=5.0)})
    (logged,) = store.trials()
    assert (logged.state, logged.reason) == ("FAILED", "over 5 s")
    assert list(logged.metrics) == ["width"]
    assert controller.shown == [(0, "FAILED")]
    assert made.front() == []


def test_infeasible_ones_are_logged_before_the_feasible_one_they_led_to(store: TrialStore) -> None:
    made, controller = search(store, constraints=["width < 1"])
    for _ in range(3):
        proposed(made)
    made.flush()
    states = [event.state for event in store.events()]
    assert states.count("PROPOSED") == 3
    assert "INFEASIBLE" in states
    assert [event.trial for event in store.events()] == list(range(len(states)))
    assert [state for _, state in controller.shown] == ["INFEASIBLE"] * states.count("INFEASIBLE")
    assert all(trial.reason == "width" for trial in store.trials() if trial.state == "INFEASIBLE")


def test_nothing_is_written_twice(store: TrialStore) -> None:
    made, _ = search(store)
    proposed(made)
    made.flush()
    made.flush()
    assert [event.state for event in store.events()] == ["PROPOSED"]


def test_results_are_seen_in_the_order_they_came(store: TrialStore) -> None:
    made, controller = search(store)
    for _ in range(3):
        proposed(made)
    made.finished({2: complete(0.1), 0: complete(0.2)})
    made.finished({1: complete(0.3)})
    again, shown_again = search(store)
    assert controller.shown == shown_again.shown == [(2, "COMPLETE"), (0, "COMPLETE"), (1, "COMPLETE")]
    assert again.counts == made.counts


def test_a_second_result_for_a_trial_changes_nothing(store: TrialStore) -> None:
    made, _ = search(store)
    proposed(made)
    made.finished({0: complete(0.9)})
    made.finished({0: complete(0.1)})
    assert made.trials[0].metrics["accuracy"] == 0.9
    assert made.counts["COMPLETE"] == 1


def test_seeds_of_trials_differ_and_stay(store: TrialStore) -> None:
    made, _ = search(store)
    seeds = [made.trial_seed(number) for number in range(200)]
    assert len(set(seeds)) == 200
    assert all(0 <= seed < 2**32 for seed in seeds)
    again, _ = search(store)
    assert [again.trial_seed(number) for number in range(200)] == seeds


# -- budget ------------------------------------------------------------------------------------------------------------


def test_the_budget_counts_what_is_in_flight_and_failed_but_not_infeasible(store: TrialStore) -> None:
    made, _ = search(store, constraints=["width < 1"], budget=Budget(trials=3))
    for _ in range(3):
        assert made.wants_more()
        proposed(made)
    assert made.counts["INFEASIBLE"] > 0
    assert not made.wants_more()
    made.finished({number: complete(0.5) for number in [trial.number for trial in made.pending()][:1]})
    assert not made.wants_more()


def test_the_wall_clock_is_of_this_call(store: TrialStore) -> None:
    clock = Clock()
    clock.now = 1000.0
    made, _ = search(store, budget=Budget(trials=5, wall_clock_s=10), clock=clock)
    assert made.seconds_left() == 10
    clock.now = 1009.0
    assert made.wants_more() and not made.out_of_time()
    clock.now = 1010.0
    assert made.out_of_time() and not made.wants_more()
    again, _ = search(store, budget=Budget(trials=5, wall_clock_s=10), clock=clock)
    assert again.seconds_left() == 10


def test_without_wall_clock_there_is_always_time(store: TrialStore) -> None:
    made, _ = search(store)
    assert made.seconds_left() is None
    assert not made.out_of_time()


def test_nothing_feasible_is_said_with_the_acceptance(store: TrialStore) -> None:
    made, _ = search(store, constraints=["width < 0", "width <= 2"], budget=Budget(attempts=20))
    with pytest.raises(NoResultError, match=r"in 20 tries in a row.*20 looked at.*width < 0: 0 of 20; width <= 2: 20"):
        made.propose()
    assert [trial.state for trial in store.trials()] == ["INFEASIBLE"] * 20


def test_giving_up_after_some_success_ends_the_search_quietly(store: TrialStore) -> None:
    made, _ = search(store, space=ToySpace(layers=1), constraints=["width < 1"], budget=Budget(trials=50))
    for _ in range(4):
        proposed(made)
    assert made.propose() is None
    assert made.ended == NOTHING_LEFT
    assert not made.wants_more()
    assert len(store.trials()) == 12


def test_attempts_are_counted_since_the_last_feasible_one(store: TrialStore) -> None:
    made, _ = search(store, constraints=["width < 1"], budget=Budget(trials=99, attempts=15))
    for _ in range(12):
        proposed(made)
    assert made.counts["INFEASIBLE"] > 15


def test_a_search_that_gave_up_gives_up_again_without_looking_further(store: TrialStore) -> None:
    constraints = ["width < 0"]
    for attempts, looked_at in ((20, 20), (20, 20), (30, 30)):
        made, _ = search(store, constraints=constraints, budget=Budget(attempts=attempts))
        with pytest.raises(NoResultError, match=f"among the {looked_at} looked at"):
            made.propose()
        assert len(store.trials()) == looked_at


# -- replay of a damaged log -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([Event(trial=0, state="RUNNING")], "trial 0 was never proposed"),
        (
            [Event(trial=1, state="PROPOSED", architecture=Architecture("toy", (0, 0, -1, 0)))],
            "expected trial 0, got 1",
        ),
    ],
)
def test_a_log_with_gaps_is_refused(store: TrialStore, events: list[Event], words: str) -> None:
    store.append(events)
    with pytest.raises(InputError, match=f"trial log: {words}.*restore the log from a copy"):
        search(store)


# -- fronts ------------------------------------------------------------------------------------------------------------


def test_the_front_is_sorted_by_the_first_objective_and_skips_what_is_no_number() -> None:
    values = [(0.7, 1.0), (0.9, 3.0), (0.8, 3.0), (float("nan"), 0.0), (None, 0.0), (0.5, 0.5), (float("inf"), 0.1)]
    trials = [
        Trial(number=number, architecture=ONE, state="COMPLETE", metrics={"accuracy": accuracy, "width": width})
        for number, (accuracy, width) in enumerate(values)
    ]
    trials.append(replace(trials[0], number=99, metrics={"width": 0.0}))
    assert [trial.number for trial in pareto_front(trials, OBJECTIVES)] == [1, 0, 5]
    assert pareto_front([], OBJECTIVES) == []
    assert [trial.number for trial in pareto_front(trials[:2], OBJECTIVES[::-1])] == [0, 1]


# -- the serial engine -------------------------------------------------------------------------------------------------


class Fake:
    """Finds an accuracy from the architecture; notes every request."""

    metrics = ("accuracy",)

    def __init__(self, *, cheap: bool, clock: Clock | None = None, seconds: float = 1.0) -> None:
        self.cheap, self._clock, self._seconds = cheap, clock, seconds
        self.calls: list[list[Request]] = []

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        self.calls.append(list(requests))
        return [self._outcome(request) for request in requests]

    def _outcome(self, request: Request) -> Outcome:
        limit = self._seconds if request.time_limit_s is None else min(self._seconds, request.time_limit_s)
        if self._clock is not None:
            self._clock.now += limit
        if limit < self._seconds:
            return Outcome(state="FAILED", reason=f"over {limit:g} s", seconds=limit)
        return complete(float(np.mean([index + 1 for index in request.architecture.indices])))


def test_cheap_evaluators_get_batches_and_the_last_is_cut_to_the_budget(store: TrialStore, tmp_path: Path) -> None:
    made, _ = search(store, budget=Budget(trials=11))
    evaluator = Fake(cheap=True)
    SerialEngine(batch=4).run(made, evaluator, tmp_path, lambda search: None)
    assert [len(call) for call in evaluator.calls] == [4, 4, 3]
    assert made.counts["COMPLETE"] == 11


def test_slow_evaluators_get_one_at_a_time_with_seed_and_limits(store: TrialStore, tmp_path: Path) -> None:
    clock = Clock()
    made, _ = search(store, budget=Budget(trials=3, trial_s=5.0, wall_clock_s=6.0), clock=clock)
    evaluator = Fake(cheap=False, clock=clock, seconds=2.0)
    SerialEngine(batch=4).run(made, evaluator, tmp_path, lambda search: None)
    (first,), (second,), (third,) = evaluator.calls
    assert [first.time_limit_s, second.time_limit_s, third.time_limit_s] == [5.0, 4.0, 2.0]
    assert [request.seed for request in (first, second, third)] == [made.trial_seed(number) for number in range(3)]
    assert made.counts["COMPLETE"] == 3


def test_a_trial_over_its_own_limit_fails_and_the_search_goes_on(store: TrialStore, tmp_path: Path) -> None:
    clock = Clock()
    made, _ = search(store, budget=Budget(trials=3, trial_s=1.0, wall_clock_s=60.0), clock=clock)
    SerialEngine().run(made, Fake(cheap=False, clock=clock, seconds=9.0), tmp_path, lambda search: None)
    assert made.counts["FAILED"] == 3
    assert {trial.reason for trial in store.trials()} == {"over 1 s"}


def test_a_trial_the_wall_clock_cuts_is_left_for_later(store: TrialStore, tmp_path: Path) -> None:
    clock = Clock()
    made, _ = search(store, budget=Budget(trials=3, trial_s=50.0, wall_clock_s=5.0), clock=clock)
    SerialEngine().run(made, Fake(cheap=False, clock=clock, seconds=3.0), tmp_path, lambda search: None)
    assert [trial.state for trial in store.trials()] == ["COMPLETE", "RUNNING"]


def test_progress_is_told_of_every_start_and_end(store: TrialStore, tmp_path: Path) -> None:
    made, _ = search(store, budget=Budget(trials=2))
    seen: list[tuple[int, int]] = []
    SerialEngine().run(
        made,
        Fake(cheap=False),
        tmp_path,
        lambda search: seen.append((search.counts["RUNNING"], search.counts["COMPLETE"])),
    )
    assert seen == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(InputError, match="expected batch 1 or more, got 0"):
        SerialEngine(batch=0)
