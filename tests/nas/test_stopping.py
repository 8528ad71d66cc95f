"""Successive halving by Pareto rank: the rule, and searches whose trainings it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.cli.assemble import make_parts, make_search
from nas.config import parse_config
from nas.engines.serial import SerialEngine
from nas.evaluators.base import Request
from nas.pareto import Objective, hypervolume
from nas.run_folder import RunFolder
from nas.stopping import ParetoHalving
from nas.trial import Outcome, Trial
from searchspaces.errors import InputError

ACCURACY = Objective.parse("maximize accuracy")
BOTH = (ACCURACY, Objective.parse("minimize params"))
EPOCHS = 9


@pytest.mark.parametrize(
    ("grace", "reduction", "rungs"), [(1, 3, [1, 3, 9, 27]), (2, 2, [2, 4, 8, 16]), (5, 4, [5, 20])]
)
def test_rungs(grace: int, reduction: int, rungs: list[int]) -> None:
    rule = ParetoHalving(BOTH, grace_epochs=grace, reduction=reduction)
    assert [epoch for epoch in range(1, 30) if rule.is_rung(epoch)] == rungs


def test_one_objective_is_asha() -> None:
    rule = ParetoHalving([ACCURACY], reduction=3)
    others = [{"accuracy": share / 10} for share in range(1, 9)]
    # Nine with itself: the best three go on.
    assert [rule.goes_on({"accuracy": value}, others) for value in (0.85, 0.75, 0.65, 0.55)] == [
        True,
        True,
        True,
        False,
    ]
    assert rule.goes_on({"accuracy": 0.1}, [])
    assert not rule.goes_on({"accuracy": 0.1}, others[1:2])


def test_a_small_network_is_held_against_those_of_its_size() -> None:
    rule = ParetoHalving(BOTH, reduction=3)
    others = [{"accuracy": 0.9 - 0.01 * n, "params": 1000.0 + n} for n in range(5)]
    small = {"accuracy": 0.5, "params": 10.0}
    assert rule.goes_on(small, others)
    assert not ParetoHalving([ACCURACY], reduction=3).goes_on(small, others)


@pytest.mark.parametrize("bad", [{"accuracy": float("nan"), "params": 1.0}, {"accuracy": None, "params": 1.0}, {}])
def test_a_metric_that_is_no_number_comes_last(bad: dict[str, Any]) -> None:
    rule = ParetoHalving(BOTH, reduction=2)
    assert not rule.goes_on(bad, [{"accuracy": 0.1, "params": 1e9}])
    assert rule.goes_on({"accuracy": 0.1, "params": 1e9}, [bad])


class Curves:
    """Stands for training: an accuracy that rises to one that follows from the architecture; counts its epochs."""

    cheap = False
    metrics = ("accuracy",)

    def __init__(self, *, dies_at: int | None = None) -> None:
        self.epochs: dict[int, int] = {}
        self._dies_at = dies_at

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        return [self._train(request) for request in requests]

    def _train(self, request: Request) -> Outcome:
        _, first, second, *_ = request.architecture.indices
        accuracy, goes_on = 0.0, True
        for epoch in range(1, EPOCHS + 1):
            if goes_on:
                if self._dies_at == sum(self.epochs.values()):
                    raise KeyboardInterrupt
                accuracy = (1 - np.exp(-(1 + first) / 8) - 0.01 * abs(second - 9)) * (1 - np.exp(-epoch / 2))
                self.epochs[request.number] = epoch
                goes_on = request.report(epoch, {"accuracy": accuracy, "loss": 1.0})
        epochs = self.epochs[request.number]
        return Outcome(state="COMPLETE", metrics={"accuracy": accuracy}, seconds=1.0, details={"epochs": epochs})


def config(**changes: Any) -> dict[str, Any]:
    return {
        "space": {"name": "tabnas", "layers": 2},
        "task": {"name": "iris"},
        "evaluator": {"name": "train", "epochs": EPOCHS},
        "controller": {"name": "random"},
        "stopping": {"name": "asha"},
        "objectives": ["maximize accuracy", "minimize params"],
        "budget": {"trials": 60},
        "seed": 2,
        **changes,
    }


def drive(folder: Path, data: dict[str, Any], evaluator: Curves) -> list[Trial]:
    checked = parse_config(data)
    with RunFolder(folder, checked) as run:
        search = make_search(checked, run, make_parts(checked))
        SerialEngine().run(search, evaluator, folder, lambda search: None)
        return run.store.trials()


def volume(trials: Sequence[Trial]) -> float:
    values = [(trial.metrics["accuracy"], np.log10(trial.metrics["params"])) for trial in trials]
    return hypervolume(values, ["maximize", "minimize"], [0.0, 7.0])


def test_half_the_epochs_are_saved_and_little_of_the_front_is_lost(tmp_path: Path) -> None:
    whole, halved = Curves(), Curves()
    everything = drive(tmp_path / "whole", config(stopping=None), whole)
    stopped = drive(tmp_path / "halved", config(), halved)
    assert sum(whole.epochs.values()) == 60 * EPOCHS
    assert sum(halved.epochs.values()) < 0.5 * 60 * EPOCHS
    assert volume(stopped) > 0.97 * volume(everything)
    assert {trial.details["epochs"] for trial in stopped} == {1, 3, 9}
    assert all(trial.state == "COMPLETE" for trial in stopped)
    for trial in stopped:
        last = trial.details["rungs"][str(trial.details["epochs"])]
        assert last["goes_on"] == (trial.details["epochs"] == EPOCHS) or trial.details["epochs"] == EPOCHS
        assert last["metrics"] == {"accuracy": trial.metrics["accuracy"], "params": trial.metrics["params"]}


@pytest.mark.parametrize("dies_at", [0, 1, 2, 11, 57, 80])
def test_a_search_that_was_killed_decides_the_same(tmp_path: Path, dies_at: int) -> None:
    def told(trials: Sequence[Trial]) -> list[tuple[Any, ...]]:
        return [(each.number, each.architecture, dict(each.metrics), dict(each.details)) for each in trials]

    data = config(budget={"trials": 40})
    whole = drive(tmp_path / "whole", data, Curves())
    with pytest.raises(KeyboardInterrupt):
        drive(tmp_path / "run", data, Curves(dies_at=dies_at))
    assert told(drive(tmp_path / "run", data, Curves())) == told(whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stopping": "hyperband"}, "stopping"),
        ({"stopping": {"name": "asha", "grace_epochs": 0}}, "grace_epochs 1 or more, got 0"),
        ({"stopping": {"name": "asha", "reduction": 1}}, "reduction 2 or more, got 1"),
        ({"stopping": {"name": "asha", "redcution": 3}}, "did you mean 'reduction'"),
        ({"engine": {"name": "ray", "scheduler": {"name": "asha"}}}, "got both"),
    ],
)
def test_what_stops_nothing(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_parts(parse_config(config(**changes)))


def test_a_table_has_no_epochs(table_config: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="a look-up has no epochs to save"):
        make_parts(parse_config({**table_config, "stopping": "asha"}))


def test_the_configuration_comes_back() -> None:
    checked = parse_config(config())
    assert parse_config(checked.to_dict()) == checked
    assert asdict(checked)["stopping"] == {"name": "asha"}


def test_under_ray_the_driver_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part of the scheduler that is ours, without Ray's processes."""
    from nas.engines.ray_housekeeping import SearchDecides

    asked: list[tuple[int, int, float]] = []

    class Asked:
        def reported(self, number: int, epoch: int, metrics: dict[str, float]) -> bool:
            asked.append((number, epoch, metrics["accuracy"]))
            return epoch < 3

    class Tuned:
        config = {"number": 7}  # noqa: RUF012

    scheduler = SearchDecides(search=Asked(), trials_per_process=1)  # type: ignore[arg-type]
    decide: Callable[[dict[str, Any]], str] = lambda result: scheduler.on_trial_result(None, Tuned(), result)  # noqa: E731
    assert decide({"epoch": 1, "accuracy": 0.5}) == scheduler.CONTINUE
    assert decide({"epoch": 3, "accuracy": 0.6}) == scheduler.STOP
    assert decide({"epoch": 4, "outcome": "{}"}) == scheduler.CONTINUE
    assert asked == [(7, 1, 0.5), (7, 3, 0.6)]
