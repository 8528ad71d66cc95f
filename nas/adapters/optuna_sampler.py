"""Our controllers as a sampler of Optuna, for those whose studies are there already.

    space = create_space("bignas", (32, 32, 3), 10)
    study = optuna.create_study(direction="maximize", sampler=ControllerSampler(problem, "evolution", seed=1))
    study.optimize(lambda trial: train(suggested(space, trial)), n_trials=100)

Hard limits of the problem hold: what breaks one that is cheap to know is never suggested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState

from nas.adapters.optuna_space import distributions, parameters, suggested
from nas.controllers.catalog import create_controller
from nas.problem import Problem
from nas.proposing import Proposer
from nas.trial import Trial
from searchspaces.errors import NoResultError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# So many infeasible proposals in a row, and the limits leave nothing to suggest.
_ATTEMPTS = 2000


class ControllerSampler(BaseSampler):  # type: ignore[misc]  # Optuna may be absent
    """Suggests what a controller of ours proposes next: feasible, and never twice.

    The study's own trials are its memory: in another process, or after a stop, it goes on from them.

    Args:
        problem: space, objectives in the order of the study's directions, and limits.
        controller: a name of `nas.controllers.catalog`.
        options: of the controller.
        seed: of everything it draws.
    """

    def __init__(
        self, problem: Problem, controller: str, *, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        self._problem, self._seed = problem, seed
        self._controller = create_controller(controller, problem, options or {})
        self._proposer = Proposer(problem, self._controller, seed=seed)
        self._distributions = distributions(problem.space)
        self._shown: set[int] = set()
        self._refused = 0
        self._independent = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every free choice."""
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the next feasible proposal; those of closed choices are not among them.

        Raises:
            NoResultError: the space is used up, or the limits leave nothing of it.
        """
        self._look_back(study)
        for _ in range(_ATTEMPTS):
            proposal = self._proposer.next(trial.number + self._refused)
            if proposal is None:
                break
            if proposal.feasible:
                return dict(parameters(self._problem.space, proposal.architecture))
            refused = Trial(
                number=trial.number + self._refused,
                architecture=proposal.architecture,
                state="INFEASIBLE",
                metrics=proposal.assessment.metrics,
                reason=proposal.assessment.reason,
            )
            self._controller.update([refused])
            self._refused += 1
        raise NoResultError(
            "ControllerSampler: nothing feasible is left to suggest; stop the study, or loosen a constraint."
        )

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Parameters that are none of the space's, at random."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Proposals depend on seed and trial number alone."""
        self._independent.reseed_rng()

    def _look_back(self, study: Study) -> None:
        """Show the controller what has ended since, in the order of the trials' numbers."""
        ended = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
        for frozen in study.get_trials(deepcopy=False, states=ended):
            if frozen.number not in self._shown and set(frozen.params) & set(self._distributions):
                self._shown.add(frozen.number)
                trial = self._trial(frozen)
                self._proposer.saw(trial)
                self._controller.update([trial])

    def _trial(self, frozen: FrozenTrial) -> Trial:
        architecture = suggested(self._problem.space, _Told(frozen.params))
        if frozen.state != TrialState.COMPLETE:
            return Trial(number=frozen.number, architecture=architecture, state="FAILED", reason=frozen.state.name)
        names = [objective.metric for objective in self._problem.objectives]
        metrics = {name: float(value) for name, value in zip(names, frozen.values, strict=True)}
        known = self._problem.assess(architecture).metrics
        return Trial(number=frozen.number, architecture=architecture, state="COMPLETE", metrics={**known, **metrics})


class _Told:
    """Stands for a trial whose parameters are known."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return int(self._params.get(name, low))

    def suggest_categorical(self, name: str, values: list[int]) -> int:
        return int(self._params.get(name, values[0]))
