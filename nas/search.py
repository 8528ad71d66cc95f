"""A search in progress: what is known, what comes next, and when to stop. Engines carry out what it decides."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nas.config import Budget
from nas.controllers.base import Controller
from nas.costing import Assessment
from nas.pareto import Objective, non_dominated
from nas.proposing import Proposer
from nas.stopping import ParetoHalving
from nas.store import Event, EventLog, fold
from nas.trial import FINISHED, Outcome, State, Trial
from searchspaces.errors import InputError, NoResultError

NOTHING_LEFT = "the space is used up"


class Search:
    """Joins controller, proposer and log. Everything it knows is in the log: a new one goes on where it ends.

    Args:
        store: the trial log; its events are replayed at once.
        controller: suggests; it sees every finished trial in the log's order.
        proposer: makes suggestions into new, assessed proposals.
        objectives: what the front is made of.
        budget: when to stop.
        seed: of the whole search; each trial's own seed is drawn from it and its number.
        stopping: which trainings end early; by default none.
    """

    def __init__(
        self,
        *,
        store: EventLog,
        controller: Controller,
        proposer: Proposer,
        objectives: Sequence[Objective],
        budget: Budget,
        seed: int,
        stopping: ParetoHalving | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.objectives, self.budget = tuple(objectives), budget
        self.acceptance = proposer.acceptance
        self.ended: str | None = None
        self._store, self._controller, self._proposer, self._seed = store, controller, proposer, seed
        self._stopping = stopping
        self._clock, self._start = clock, clock()
        self._queued: list[Event] = []
        self.trials: dict[int, Trial] = {}
        # Infeasible proposals since the last feasible one; a continued search counts on.
        self._barren = 0
        self.counts: dict[State, int] = dict.fromkeys(("COMPLETE", "INFEASIBLE", "FAILED", "RUNNING", "PROPOSED"), 0)
        self._replay()

    # -- what engines ask --------------------------------------------------------------------------------------

    @property
    def learns(self) -> bool:
        """Whether a proposal depends on the results before it."""
        return self._controller.learns

    @property
    def stops_early(self) -> bool:
        """Whether `reported` may end a training."""
        return self._stopping is not None

    def pending(self) -> list[Trial]:
        """Trials proposed or begun but not finished, which a driver that died left behind."""
        return [trial for trial in self.trials.values() if trial.state not in FINISHED]

    def wants_more(self) -> bool:
        """Whether the budget asks for another trial beyond those finished and in flight."""
        spent = sum(count for state, count in self.counts.items() if state != "INFEASIBLE")
        return self.ended is None and spent < self.budget.trials and not self.out_of_time()

    def out_of_time(self) -> bool:
        """Whether the wall clock of this call has run out."""
        left = self.seconds_left()
        return left is not None and left <= 0

    def seconds_left(self) -> float | None:
        """Seconds of wall clock left, None without a limit."""
        if self.budget.wall_clock_s is None:
            return None
        return self.budget.wall_clock_s - (self._clock() - self._start)

    def trial_seed(self, number: int) -> int:
        """The seed of one trial's weights and shuffling."""
        return int(np.random.SeedSequence([self._seed, number, 1]).generate_state(1)[0])

    def propose(self) -> Trial | None:
        """The next feasible trial; None when nothing more can be proposed (`ended` says why).

        Raises:
            NoResultError: not one feasible architecture in `budget.attempts` tries, and none before.
        """
        while self._barren < self.budget.attempts:
            number = len(self.trials)
            proposal = self._proposer.next(number)
            if proposal is None:
                self._give_up(NOTHING_LEFT)
                return None
            state: State = "PROPOSED" if proposal.feasible else "INFEASIBLE"
            trial = Trial(
                number=number,
                architecture=proposal.architecture,
                state=state,
                metrics=proposal.assessment.metrics,
                costs=proposal.assessment.costs,
                reason=proposal.assessment.reason,
                at=time.time(),
            )
            self._queue(trial, proposal.assessment)
            self._remember(trial)
            if proposal.feasible:
                return trial
            self._controller.update([trial])
            if self.out_of_time():
                return None
        self._give_up(f"no feasible architecture in {self.budget.attempts} tries in a row")
        return None

    def flush(self) -> None:
        """Write down what was proposed, before it is started."""
        if self._queued:
            queued, self._queued = self._queued, []
            self._store.append(queued)

    def started(self, number: int) -> None:
        """Trial `number` is being evaluated."""
        self.flush()
        self._store.append([Event(trial=number, state="RUNNING")])
        self._advance(Event(trial=number, state="RUNNING"))

    def reported(self, number: int, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Whether trial `number` goes on after an epoch with these metrics.

        What it showed at a rung, and what was decided, is written down first: a trial that is run again after the
        driver died is not decided about again.
        """
        if self._stopping is None or not self._stopping.is_rung(epoch):
            return True
        rung, trial = str(epoch), self.trials[number]
        rungs = dict(trial.details.get("rungs", {}))
        if rung not in rungs:
            known = {**trial.metrics, **metrics}
            shown = {each.metric: known.get(each.metric, math.nan) for each in self.objectives}
            there = (each.details.get("rungs", {}).get(rung) for each in self.trials.values())
            goes_on = self._stopping.goes_on(shown, [each["metrics"] for each in there if each is not None])
            rungs[rung] = {"metrics": shown, "goes_on": goes_on}
            event = Event(trial=number, state="RUNNING", data={"details": {"rungs": rungs}})
            self._store.append([event])
            self._advance(event)
        return bool(rungs[rung]["goes_on"])

    def finished(self, outcomes: Mapping[int, Outcome]) -> None:
        """Write down results, in the order given, and let the controller see them."""
        events = [_event(number, outcome) for number, outcome in outcomes.items()]
        queued, self._queued = self._queued, []
        self._store.append([*queued, *events])
        self._controller.update([self._advance(event) for event in events])

    # -- what people ask -------------------------------------------------------------------------------------------

    def complete(self) -> list[Trial]:
        """Trials with results."""
        return [trial for trial in self.trials.values() if trial.state == "COMPLETE"]

    def front(self) -> list[Trial]:
        """Complete trials that no other dominates, best in the first objective first."""
        return pareto_front(self.complete(), self.objectives)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _replay(self) -> None:
        history = list(self._store.events())
        for number, trial in sorted(fold(event for event in history if event.architecture is not None).items()):
            self._remember(trial)
            if number != len(self.trials) - 1:
                wanted = len(self.trials) - 1
                raise InputError(f"trial log: expected trial {wanted}, got {number}; restore the log from a copy.")
        for event in history:
            if event.trial not in self.trials:
                raise InputError(f"trial log: trial {event.trial} was never proposed; restore the log from a copy.")
            if event.architecture is not None:
                self._proposer.count(_assessment(event, self._proposer))
            if event.architecture is None or event.state == "INFEASIBLE":
                trial = self.trials[event.trial] if event.architecture is not None else self._advance(event)
                if trial.state in FINISHED:
                    self._controller.update([trial])

    def _remember(self, trial: Trial) -> None:
        self.trials[trial.number] = trial
        self.counts[trial.state] += 1
        self._barren = self._barren + 1 if trial.state == "INFEASIBLE" else 0
        self._proposer.saw(trial)

    def _advance(self, event: Event) -> Trial:
        known = self.trials[event.trial]
        first = Event(
            trial=known.number,
            state=known.state,
            architecture=known.architecture,
            at=known.at,
            data={
                "metrics": known.metrics,
                "costs": known.costs,
                "details": known.details,
            },
        )
        trial = fold([first, event])[event.trial]
        self.counts[known.state] -= 1
        self.counts[trial.state] += 1
        self.trials[event.trial] = trial
        return trial

    def _queue(self, trial: Trial, assessment: Assessment) -> None:
        data = {
            "metrics": trial.metrics,
            "costs": trial.costs,
            "checked": [str(constraint) for constraint in assessment.checked],
            "violated": [str(constraint) for constraint in assessment.violated],
        }
        if trial.reason is not None:
            data["reason"] = trial.reason
        event = Event(trial=trial.number, state=trial.state, architecture=trial.architecture, data=data, at=trial.at)
        self._queued.append(event)

    def _give_up(self, why: str) -> None:
        self.flush()
        self.ended = why
        if not any(count for state, count in self.counts.items() if state != "INFEASIBLE"):
            rates = "; ".join(
                f"{constraint}: {tally.accepted} of {tally.checked}" for constraint, tally in self.acceptance.items()
            )
            raise NoResultError(
                f"search: {why}, and no feasible architecture among the {len(self.trials)} looked at "
                f"(kept: {rates or 'no constraint'}); loosen a constraint or change the space. "
                "`nas plan` shows what the space holds."
            )


def pareto_front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The non-dominated ones of complete trials, best in the first objective first."""
    if not trials:
        return []
    values = [[trial.metrics.get(objective.metric, np.nan) for objective in objectives] for trial in trials]
    mask = non_dominated(values, [objective.direction for objective in objectives])
    sign = -1.0 if objectives[0].direction == "maximize" else 1.0
    front = [trial for trial, on_front in zip(trials, mask, strict=True) if on_front]
    return sorted(front, key=lambda trial: sign * trial.metrics[objectives[0].metric])


def _event(number: int, outcome: Outcome) -> Event:
    data = {"metrics": outcome.metrics, "seconds": outcome.seconds, "details": outcome.details}
    if outcome.reason is not None:
        data["reason"] = outcome.reason
    return Event(trial=number, state=outcome.state, data=data, at=time.time())


def _assessment(event: Event, proposer: Proposer) -> Assessment:
    """The constraint tallies that a proposal's event carries."""
    known = proposer.constraints_by_text
    return Assessment(
        checked=tuple(known[text] for text in event.data.get("checked", ()) if text in known),
        violated=tuple(known[text] for text in event.data.get("violated", ()) if text in known),
    )
