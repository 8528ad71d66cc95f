"""Our controllers as a search algorithm of Ray Tune, for those whose training is a Tune trainable already.

    searcher = ControllerSearcher(problem, "evolution", options={"population": 16}, seed=1)
    tune.Tuner(train, tune_config=tune.TuneConfig(search_alg=searcher, num_samples=100)).fit()

The trainable's `config` holds the value of every choice that reaches the network, and the id under `architecture`.
Hard limits hold: what breaks one never becomes a Tune trial.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from nas.controllers.catalog import create_controller
from nas.problem import Problem
from nas.proposing import Proposer
from nas.trial import State, Trial
from searchspaces.errors import InputError

_ATTEMPTS = 2000
_VERSION = 1


class ControllerSearcher(Searcher):  # type: ignore[misc]  # Ray has no types
    """Suggests what a controller of ours proposes next: feasible, and never twice.

    Several objectives are one Tune metric each. `save` writes the history as JSON; `restore` shows it to the controller
    again, so a restored experiment goes on with the proposals it would have made.

    Args:
        problem: space, objectives and limits; results are read under the objectives' names.
        controller: a name of `nas.controllers.catalog`.
        options: of the controller.
        seed: of everything it draws.
    """

    def __init__(
        self, problem: Problem, controller: str, *, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        modes = {"maximize": "max", "minimize": "min"}
        names = [objective.metric for objective in problem.objectives]
        directions = [modes[objective.direction] for objective in problem.objectives]
        super().__init__(
            metric=names if len(names) > 1 else names[0], mode=directions if len(names) > 1 else directions[0]
        )
        self._problem, self._seed = problem, seed
        self._name, self._options = controller, dict(options or {})
        self._start_over()

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The values of the next feasible proposal; `FINISHED` where nothing is left to propose."""
        for _ in range(_ATTEMPTS):
            proposal = self._proposer.next(self._proposed)
            if proposal is None:
                break
            number = self._proposed
            self._proposed += 1
            if proposal.feasible:
                values = self._problem.space.values(proposal.architecture)
                self._open[trial_id] = Trial(
                    number=number,
                    architecture=proposal.architecture,
                    state="RUNNING",
                    metrics=proposal.assessment.metrics,
                )
                chosen = {name: value for name, value in values.items() if value is not None}
                return {"architecture": proposal.architecture.id, **chosen}
            self._show(
                Trial(
                    number=number,
                    architecture=proposal.architecture,
                    state="INFEASIBLE",
                    metrics=proposal.assessment.metrics,
                    reason=proposal.assessment.reason,
                )
            )
        return Searcher.FINISHED  # type: ignore[no-any-return]

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Let the controller see a result; a trial that failed, or reported no objective, counts as failed."""
        begun = self._open.pop(trial_id, None)
        if begun is None:
            return
        names = [objective.metric for objective in self._problem.objectives]
        found = {name: float(result[name]) for name in names if result and isinstance(result.get(name), int | float)}
        complete = not error and len(found) == len(names)
        state: State = "COMPLETE" if complete else "FAILED"
        reason = None if complete else "error" if error else f"no result {', '.join(set(names) - set(found))}"
        metrics = {**begun.metrics, **found}
        self._show(
            Trial(number=begun.number, architecture=begun.architecture, state=state, metrics=metrics, reason=reason)
        )

    def save(self, checkpoint_path: str) -> None:
        """Write the history; architectures that are being tried are part of it."""
        data = {
            "version": _VERSION,
            "proposed": self._proposed,
            "trials": [_to_dict(trial) for trial in self._history],
            "open": {trial_id: _to_dict(trial) for trial_id, trial in self._open.items()},
        }
        Path(checkpoint_path).write_text(json.dumps(data), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Show a fresh controller the history of a file that `save` wrote."""
        try:
            data = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
            trials = [self._from_dict(each) for each in data["trials"]]
            begun = {trial_id: self._from_dict(each) for trial_id, each in data["open"].items()}
            proposed = int(data["proposed"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{checkpoint_path}: expected the history of a ControllerSearcher ({error}); give the file it saved."
            ) from error
        self._start_over()
        for trial in trials:
            self._proposer.saw(trial)
            self._show(trial)
        for trial in begun.values():
            self._proposer.saw(trial)
        self._open.update(begun)
        self._proposed = proposed

    def _start_over(self) -> None:
        self._controller = create_controller(self._name, self._problem, self._options)
        self._proposer = Proposer(self._problem, self._controller, seed=self._seed)
        self._history: list[Trial] = []
        self._open: dict[str, Trial] = {}
        self._proposed = 0

    def _show(self, trial: Trial) -> None:
        self._history.append(trial)
        self._controller.update([trial])

    def _from_dict(self, data: Mapping[str, Any]) -> Trial:
        return Trial(
            number=int(data["number"]),
            architecture=self._problem.space.parse(data["architecture"]),
            state=data["state"],
            metrics={name: math.nan if value is None else float(value) for name, value in data["metrics"].items()},
            reason=data["reason"],
        )


def _to_dict(trial: Trial) -> dict[str, Any]:
    metrics = {name: value if math.isfinite(value) else None for name, value in trial.metrics.items()}
    return {
        "number": trial.number,
        "architecture": trial.architecture.id,
        "state": trial.state,
        "metrics": metrics,
        "reason": trial.reason,
    }
