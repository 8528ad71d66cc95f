"""Lets Ray Tune forget the trials it is done with.

Tune keeps every trial until the search ends, for a restore and a table of results that we have no use for: running
statistics of all it reported, its state as text, folders, resources; some 75 kB a trial in the driver, which adds up
over a long search. Our log has written down all there is to know by then. A scheduler is the one part that Tune shows
its controller to, so forgetting is mixed into one.
"""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

# Where a controller of Ray 2.50 to 2.60 keeps trials, or something by their id. One that keeps them elsewhere
# remembers more, and runs as well; a test counts what is left.
_LISTS = ("_trials", "_pending_trials_list")
_SETS = ("_stopped_trials", "_failed_trials", "_live_trials", "_trials_to_cache")
_BY_ID = ("_trial_metadata", "_cached_trial_decisions", "_queued_trial_decisions")


class Forgetting:
    """Mixed into a scheduler: before each choice, whatever finished earlier is forgotten."""

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Called once a step of Tune's loop, with nothing of the controller in use."""
        forget_finished(tune_controller)
        return super().choose_trial_to_run(tune_controller)  # type: ignore[misc]


class FirstComeFirstServed(Forgetting, FIFOScheduler):  # type: ignore[misc]
    """Tune's own default."""


class SuccessiveHalving(Forgetting, ASHAScheduler):  # type: ignore[misc]
    """ASHA; a rung keeps the numbers it compares, not the trials."""


def forget_finished(tune_controller: Any) -> None:
    """Drop every trial that has ended and whose process has been let go."""
    controller = getattr(tune_controller, "_tune_controller", tune_controller)
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
