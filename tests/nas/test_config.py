from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.config import Budget, continued, load_config, override, parse_config
from nas.constraints import Constraint
from nas.pareto import Objective
from searchspaces.errors import InputError

FULL = {
    "space": {"name": "bignas", "input": [32, 32, 3], "classes": 10},
    "task": {"name": "cifar10"},
    "evaluator": {"name": "train", "epochs": 3},
    "controller": {"name": "evolution", "population": 24},
    "objectives": ["maximize accuracy", "minimize latency_ms@host-cpu"],
    "constraints": ["params <= 3e5", "latency_ms@pixel4-edgetpu <= 6"],
    "budget": {"trials": 64, "wall_clock_s": 1800, "trial_s": 300},
    "engine": {"name": "ray", "address": "local", "cpus_per_trial": 1},
    "seed": 1,
}


# -- reading -----------------------------------------------------------------------------------------------------------


def test_the_contract_s_example_reads(write_yaml: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = """
space:       {name: bignas, input: [32, 32, 3], classes: 10}
task:        {name: cifar10, path: data}
evaluator:   {name: train, epochs: 3}
controller:  {name: evolution, population: 24}
objectives:  [maximize accuracy, minimize latency_ms@host-cpu]
constraints: ["params <= 3e5", "latency_ms@pixel4-edgetpu <= 6"]
budget:      {trials: 64, wall_clock_s: 1800, trial_s: 300}
engine:      {name: ray, address: local, cpus_per_trial: 1}
seed: 1
"""
    config = load_config(write_yaml(text))
    assert config.space == FULL["space"]
    assert config.task == {"name": "cifar10", "path": str(tmp_path / "data")}
    assert config.objectives == (Objective.parse("maximize accuracy"), Objective.parse("minimize latency_ms@host-cpu"))
    assert config.constraints == tuple(map(Constraint.parse, FULL["constraints"]))  # type: ignore[arg-type]
    assert config.budget == Budget(trials=64, wall_clock_s=1800, trial_s=300)
    assert config.engine == FULL["engine"]
    assert (config.precision, config.seed) == ("float32", 1)


def test_what_is_left_out_has_a_default() -> None:
    config = parse_config({"space": "tabnas", "task": "iris"})
    assert config.space == {"name": "tabnas"}
    assert config.evaluator == {"name": "train"}
    assert config.controller == {"name": "random"}
    assert config.engine == {"name": "serial"}
    assert config.objectives == (Objective.parse("maximize accuracy"),)
    assert (config.constraints, config.budget, config.seed) == ((), Budget(), 0)


def test_one_objective_or_constraint_needs_no_list() -> None:
    config = parse_config({"space": "tabnas", "task": "iris", "objectives": "minimize params", "constraints": "macs<9"})
    assert config.objectives == (Objective.parse("minimize params"),)
    assert config.constraints == (Constraint.parse("macs < 9"),)


def test_metrics_are_named_once_constraints_first() -> None:
    data = FULL | {"constraints": ["macs <= 1", "params <= 2"], "objectives": ["maximize accuracy", "minimize macs"]}
    assert parse_config(data).metrics == ("macs", "params", "accuracy")


@pytest.mark.parametrize("number", ["3e5", "3E+5", "300000.0", "3.e5", "+3e5", ".3e6"])
def test_numbers_with_an_exponent_are_numbers(write_yaml: Callable[..., Path], number: str) -> None:
    path = write_yaml(f"space: tabnas\ntask: iris\nevaluator: {{name: train, learning_rate: {number}}}\n")
    assert load_config(path).evaluator["learning_rate"] == 3e5


def test_a_plain_text_that_looks_almost_like_a_number_stays_text(write_yaml: Callable[..., Path]) -> None:
    path = write_yaml("space: tabnas\ntask: {name: iris, label: 3e5x}\n")
    assert load_config(path).task == {"name": "iris", "label": "3e5x"}


def test_relative_paths_are_looked_up_beside_the_file_then_here(
    write_yaml: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "here.csv").touch()
    (elsewhere / "both.csv").touch()
    (tmp_path / "both.csv").touch()
    monkeypatch.chdir(elsewhere)
    for name, folder in (("both.csv", tmp_path), ("here.csv", elsewhere)):
        config = load_config(write_yaml({"space": "tabnas", "evaluator": {"name": "table", "path": name}}))
        assert config.evaluator["path"] == str(folder / name)


# -- writing and overriding --------------------------------------------------------------------------------------------


def test_what_is_written_reads_back_as_the_same() -> None:
    config = parse_config(FULL)
    assert parse_config(config.to_dict()) == config


@given(st.floats(min_value=1e-6, max_value=1e12), st.integers(0, 2**40), st.integers(1, 10**9))
def test_numbers_survive_the_trip(bound: float, seed: int, trials: int) -> None:
    data = FULL | {"constraints": [f"params <= {bound!r}"], "seed": seed, "budget": {"trials": trials}}
    config = parse_config(data)
    again = parse_config(config.to_dict())
    assert again == config
    assert again.constraints[0].bound == bound


def test_set_reaches_sections_that_are_absent_and_reads_values_as_yaml(write_yaml: Callable[..., Path]) -> None:
    path = write_yaml({"space": {"name": "tabnas"}, "task": {"name": "iris"}})
    overrides = ["budget.trials=5", "controller.name=evolution", "controller.population=4", "seed= 7"]
    config = load_config(path, [*overrides, "constraints=[params <= 3e5, macs <= 1]", "space.layers=3"])
    assert (config.budget.trials, config.seed) == (5, 7)
    assert config.controller == {"name": "evolution", "population": 4}
    assert list(map(str, config.constraints)) == ["params <= 300000", "macs <= 1"]
    assert config.space == {"name": "tabnas", "layers": 3}


def test_override_leaves_the_first_configuration_alone() -> None:
    config = parse_config(FULL)
    assert override(config, ["budget.trials=65"]).budget.trials == 65
    assert config.budget.trials == 64


# -- continuing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["budget.trials=900", "budget.wall_clock_s=1", "engine.name=serial"])
def test_budget_and_engine_may_change(change: str) -> None:
    config = parse_config(FULL)
    given = override(config, [change])
    assert continued(config, given) == given


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("seed=2", "seed: 1 there, 2 here"),
        ("space.classes=11", "space.classes: 10 there, 11 here"),
        ("space.input=[64, 64, 3]", r"space.input: \[32, 32, 3\] there, \[64, 64, 3\] here"),
        ("controller.population=25", "controller.population: 24 there, 25 here"),
        ("controller.tournament=4", "controller.tournament: None there, 4 here"),
        ("evaluator.epochs=4", "evaluator.epochs: 3 there, 4 here"),
        ("precision=int8", "precision: 'float32' there, 'int8' here"),
        ("constraints=[]", "constraints: .* there"),
        ("objectives=[minimize params]", "objectives: .* there"),
        ("task.name=digits", "task.name: 'cifar10' there, 'digits' here"),
    ],
)
def test_anything_else_is_another_search(change: str, words: str) -> None:
    config = parse_config(FULL)
    with pytest.raises(InputError, match=f"it holds another search .*{words}.*give another --out folder"):
        continued(config, override(config, [change]))


# -- refusing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["trials", "wall_clock_s", "trial_s", "attempts"])
@pytest.mark.parametrize("value", [0, -1, "many", True, [], float("nan")])
def test_budget_refuses(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"budget.{name}: expected a (whole )?number above 0, got"):
        Budget(**{name: value})


@pytest.mark.parametrize("name", ["trials", "attempts"])
@pytest.mark.parametrize("value", [None, 2.5])
def test_counts_are_whole(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"budget.{name}: expected a whole number"):
        Budget(**{name: value})


@pytest.mark.parametrize("value", [[0, 4], [-1], [2.5], ["a"], [True], [], "4x4", None, {"a": 1}])
def test_input_refuses(value: Any) -> None:
    with pytest.raises(
        InputError, match=r"space.input: expected sizes such as \[32, 32, 3\], \[8, 64, 64, 3\] for clips, or 54, got"
    ):
        parse_config(FULL | {"space": {"name": "bignas", "input": value}})
