"""Keeps memory flat over a long search: Tune forgets trials that ended, and processes go after a number of trials.

Tune keeps every trial until the search ends, for a restore and a table of results that we have no use for: running
statistics of all it reported, its state as text, folders, resources; some 75 kB a trial in the driver. Our log has
written down all there is to know by then. And Ray's core keeps some 20 kB in the driver for every process that ever
was, beyond anyone's reach, while a start of one costs seconds of loading a framework. So a process trains several
trials, but not without end, because a framework may keep a little of each. What Ray's threads free is handed back
to the system as well.

A scheduler is the one part that Tune shows its controller to, so all of it is mixed into one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

from nas.engines.heap import trim_heap
from nas.search import Search

# Where a controller of Ray 2.50 to 2.60 keeps trials, or something by their id. One that keeps them elsewhere
# remembers more, and runs as well; a test counts what is left.
_LISTS = ("_trials", "_pending_trials_list")
_SETS = ("_stopped_trials", "_failed_trials", "_live_trials", "_trials_to_cache")
_BY_ID = ("_trial_metadata", "_cached_trial_decisions", "_queued_trial_decisions")


class Housekeeping:
    """Mixed into a scheduler: before each choice, what is done with is let go.

    Args:
        trials_per_process: after so many trials a process ends, and the next trial gets a new one.
    """

    def __init__(self, *, trials_per_process: int, **options: Any) -> None:
        super().__init__(**options)
        self._trials_per_process = trials_per_process
        self._trained: dict[Any, set[str]] = {}

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Called once a step of Tune's loop, with nothing of the controller in use."""
        controller = getattr(tune_controller, "_tune_controller", tune_controller)
        forget_finished(controller)
        self._retire(controller)
        return super().choose_trial_to_run(tune_controller)  # type: ignore[misc]

    def _retire(self, controller: Any) -> None:
        """End the processes that wait for a next trial and have had their share."""
        # A trial's process takes several steps to run it, so none is missed.
        for trial, process in controller._trial_to_actor.items():
            self._trained.setdefault(process, set()).add(trial.trial_id)
        cache = controller._actor_cache
        for waiting in cache._cached_objects.values():
            for process in [each for each in waiting if len(self._trained[each]) >= self._trials_per_process]:
                waiting.remove(process)
                cache._num_cached_objects -= 1
                process.set_on_stop(None)
                process.set_on_error(None)
                controller._remove_actor(tracked_actor=process)
                trim_heap()
        alive = {*controller._trial_to_actor.values(), *chain(*cache._cached_objects.values())}
        self._trained = {process: trials for process, trials in self._trained.items() if process in alive}


class FirstComeFirstServed(Housekeeping, FIFOScheduler):  # type: ignore[misc]
    """Tune's own default."""


class SuccessiveHalving(Housekeeping, ASHAScheduler):  # type: ignore[misc]
    """ASHA; a rung keeps the numbers it compares, not the trials."""


class SearchDecides(Housekeeping, FIFOScheduler):  # type: ignore[misc]
    """After each epoch the search says whether a trial goes on."""

    def __init__(self, *, search: Search, trials_per_process: int) -> None:
        super().__init__(trials_per_process=trials_per_process)
        self._search = search

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Called in the driver with every report; the last one carries the outcome."""
        if "outcome" in result or self._search.reported(trial.config["number"], int(result["epoch"]), result):
            return str(self.CONTINUE)
        return str(self.STOP)


def forget_finished(controller: Any) -> None:
    """Drop every trial that has ended and whose process has been let go."""
    placed = getattr(controller, "_trial_to_actor", {})
    done = {trial for trial in controller.get_trials() if trial.is_finished() and trial not in placed}
    if not done:
        return
    for name in _LISTS:
        kept = getattr(controller, name, [])
        kept[:] = [trial for trial in kept if trial not in done]
    for name in _SETS:
        getattr(controller, name, set()).difference_update(done)
    for name in _BY_ID:
        for trial in done:
            getattr(controller, name, {}).pop(trial.trial_id, None)
