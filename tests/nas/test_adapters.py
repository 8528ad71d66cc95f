"""Samplers of Optuna and searchers of Ray Tune as controllers of ours, and the other way about."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.adapters.optuna_space import distributions, parameters, suggested
from nas.adapters.searcher_controller import RaySearcher
from nas.constraints import Constraint
from nas.controllers.catalog import create_controller
from nas.controllers.optuna import OptunaSampler
from nas.costing import Assessment, check
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.testing import (
    ToySpace,
    check_bad_metrics,
    check_determinism,
    check_exhausted,
    check_fruitless_trials,
    check_replay,
    check_suggestions,
)
from nas.trial import Trial
from searchspaces.errors import InputError, NoResultError
from searchspaces.space import Architecture, SearchSpace
from searchspaces.tabnas import TabNAS

optuna = pytest.importorskip("optuna", reason="Optuna is in the extra `peers`")

ACCURACY = (Objective.parse("maximize accuracy"),)
BOTH = (*ACCURACY, Objective.parse("minimize latency_ms"))


def weight(architecture: Architecture) -> float:
    return float(sum(max(index, 0) for index in architecture.indices))


class Costs:
    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        return check({"weight": weight(architecture)}, constraints)

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def is_cheap(self, metric: str) -> bool:
        return True


def limited(space: SearchSpace, objectives: tuple[Objective, ...] = ACCURACY, bound: float = 4) -> Problem:
    limit = Constraint.parse(f"weight <= {bound}")
    return Problem(space=space, objectives=objectives, constraints=(limit,), costs=Costs(), cost_metrics=("weight",))


def accuracy(architecture: Architecture) -> float:
    """Best at width 8, two layers of which the second has 12, last 5: the third of three there."""
    target = (0, 1, 2, 3)
    return -float(sum(abs(index - best) for index, best in zip(architecture.indices, target, strict=True)))


# -- theirs in ours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [check_suggestions, check_determinism, check_fruitless_trials])
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_samplers_of_optuna_pass_the_kit(check: Callable[..., None], sampler: str) -> None:
    for space in (ToySpace(), ToySpace(layers=2, last=3)):
        check(lambda problem: OptunaSampler(problem, sampler=sampler), space, BOTH)


@pytest.mark.parametrize("check", [check_replay, check_bad_metrics])
def test_a_fast_sampler_passes_the_slow_checks(check: Callable[..., None]) -> None:
    check(lambda problem: OptunaSampler(problem, sampler="nsga2"), ToySpace(), BOTH)


@pytest.mark.parametrize("check", [check_suggestions, check_determinism, check_fruitless_trials])
def test_a_searcher_of_ray_passes_the_kit(check: Callable[..., None]) -> None:
    check(RaySearcher, ToySpace(), ACCURACY)


@pytest.mark.parametrize("factory", [OptunaSampler, RaySearcher])
def test_theirs_search_a_space_to_its_end(factory: Callable[[Problem], Any]) -> None:
    check_exhausted(factory, ToySpace(layers=1), ACCURACY)


def middling(architecture: Architecture) -> float:
    """Smooth, and best in the middle of every choice."""
    return -float(sum(abs(index - 9) for index in architecture.indices[1:4]))


def searched(problem: Problem, sampler: str, trials: int, seed: int) -> list[Trial]:
    """Complete trials of one search of TabNAS."""
    controller = OptunaSampler(problem, sampler=sampler)
    proposer = Proposer(problem, controller, seed=seed)
    made: list[Trial] = []
    number = 0
    while len(made) < trials and (proposal := proposer.next(number)) is not None:
        known, reason = dict(proposal.assessment.metrics), proposal.assessment.reason
        trial = Trial(
            number=number, architecture=proposal.architecture, state="INFEASIBLE", metrics=known, reason=reason
        )
        if proposal.feasible:
            metrics = {**known, "accuracy": middling(proposal.architecture)}
            trial = Trial(number=number, architecture=proposal.architecture, state="COMPLETE", metrics=metrics)
            made.append(trial)
        controller.update([trial])
        number += 1
    return made


def test_a_sampler_learns_from_our_log() -> None:
    """On the 8,000 three-layer networks of TabNAS; five wins of five come by chance once in 32."""
    problem = limited(TabNAS((4,), 3, layers=3), bound=40)
    for seed in range(5):
        means = {}
        for sampler in ("tpe", "random"):
            made = searched(problem, sampler, 30, seed)
            assert len({trial.architecture for trial in made}) == 30
            means[sampler] = np.mean([trial.metrics["accuracy"] for trial in made[15:]])
        assert means["tpe"] > means["random"]


def test_unknown_samplers_and_searchers_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'tpe'"):
        create_controller("optuna", limited(ToySpace()), {"sampler": "tpee"})
    with pytest.raises(InputError, match=r"ray-searcher: .*write for example optuna"):
        create_controller("ray-searcher", limited(ToySpace()), {"searcher": "optnua"})
    with pytest.raises(InputError, match="takes no evaluated points"):
        create_controller("ray-searcher", limited(ToySpace()), {"searcher": "random"})


# -- a space in their words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [ToySpace(), ToySpace(layers=2, width=8), TabNAS((4,), 3)])
def test_parameters_and_architectures_go_back_and_forth(space: SearchSpace) -> None:
    for architecture in space.sample(np.random.default_rng(0), 40):
        told = parameters(space, architecture)
        assert not set(told) & set(space.pins)
        assert set(told) <= set(distributions(space))
        assert suggested(space, optuna.trial.FixedTrial(told)) == architecture


def test_a_closed_choice_is_not_asked_for() -> None:
    asked: set[frozenset[str]] = set()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        architecture = suggested(ToySpace(), trial)
        assert ("second" in trial.params) == (architecture.indices[2] >= 0)
        asked.add(frozenset(trial.params))
    assert len(asked) == 2


# -- ours in theirs ----------------------------------------------------------------------------------------------------


def studied(problem: Problem, study: Any, trials: int) -> list[Architecture]:
    found = []
    for _ in range(trials):
        trial = study.ask()
        architecture = suggested(problem.space, trial)
        found.append(architecture)
        study.tell(trial, [accuracy(architecture), weight(architecture)][: len(problem.objectives)])
    return found


@pytest.mark.parametrize("objectives", [ACCURACY, BOTH])
def test_our_controllers_sample_for_optuna(objectives: tuple[Objective, ...]) -> None:
    from nas.adapters.optuna_sampler import ControllerSampler

    def study(stored: Any = None) -> Any:
        problem = limited(ToySpace(), objectives)
        sampler = ControllerSampler(problem, "evolution", options={"population": 4, "tournament": 2}, seed=3)
        directions = [objective.direction for objective in objectives]
        made = optuna.create_study(sampler=sampler, directions=directions)
        if stored is not None:
            made.add_trials(stored)
        return made

    problem, first = limited(ToySpace(), objectives), study()
    found = studied(problem, first, 16)
    assert len(set(found)) == 16
    assert all(weight(architecture) <= 4 for architecture in found)
    assert found == studied(problem, study(), 16)
    # Another process that is given the trials proposes none of them again.
    assert not set(studied(problem, study(first.trials[:8]), 8)) & set(found[:8])


def test_a_space_without_a_feasible_rest_ends_the_study() -> None:
    from nas.adapters.optuna_sampler import ControllerSampler

    problem = limited(ToySpace(), bound=0)
    study = optuna.create_study(sampler=ControllerSampler(problem, "random"))
    assert [weight(each) for each in studied(problem, study, 1)] == [0]
    with pytest.raises(NoResultError, match="nothing feasible is left"):
        studied(problem, study, 1)


def test_our_controllers_search_for_ray(tmp_path: Path) -> None:
    from nas.adapters.ray_searcher import ControllerSearcher

    def searcher() -> ControllerSearcher:
        return ControllerSearcher(
            limited(ToySpace(), BOTH), "evolution", options={"population": 4, "tournament": 2}, seed=3
        )

    def drive(made: ControllerSearcher, start: int, stop: int) -> list[str]:
        ids = []
        for number in range(start, stop):
            config = made.suggest(f"t{number}")
            assert config is not None
            architecture = ToySpace().parse(config["architecture"])
            assert config == {
                "architecture": architecture.id,
                **{name: value for name, value in ToySpace().values(architecture).items() if value is not None},
            }
            ids.append(config["architecture"])
            result = {"accuracy": accuracy(architecture), "latency_ms": weight(architecture)}
            if number % 5 == 4:
                made.on_trial_complete(f"t{number}", None, error=True)
            else:
                made.on_trial_complete(f"t{number}", result | ({"latency_ms": None} if number % 5 == 3 else {}))
        return ids

    whole = drive(searcher(), 0, 16)
    assert len(set(whole)) == 16
    assert all(weight(ToySpace().parse(text)) <= 4 for text in whole)
    first = searcher()
    assert drive(first, 0, 7) == whole[:7]
    first.save(str(tmp_path / "state"))
    json.loads((tmp_path / "state").read_text())
    second = searcher()
    second.restore(str(tmp_path / "state"))
    assert drive(second, 7, 16) == whole[7:]
    (tmp_path / "state").write_text("{}")
    with pytest.raises(InputError, match="expected the history of a ControllerSearcher"):
        second.restore(str(tmp_path / "state"))


def test_a_searcher_says_when_nothing_is_left() -> None:
    from ray.tune.search import Searcher

    from nas.adapters.ray_searcher import ControllerSearcher

    made = ControllerSearcher(limited(ToySpace(), bound=0), "random")
    assert isinstance(made.suggest("a"), dict)
    assert made.suggest("b") == Searcher.FINISHED
    assert (made.metric, made.mode) == ("accuracy", "max")
