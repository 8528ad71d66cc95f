from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nas.pareto import non_dominated
from nas.tables import RunTables
from reports.fronts import UNKNOWN_MACHINE, build_fronts, deciding_costs, focus

LATENCY = "latency_ms@host-cpu"


def test_every_complete_trial_stands_on_one_front(make_run: Callable[..., RunTables]) -> None:
    run = make_run(fingerprints=("a", "b", "a"))
    fronts = build_fronts([run])
    assert [front.fingerprint for front in fronts] == ["a", "b"]
    numbers = sorted(number for front in fronts for number in front.points["number"])
    assert numbers == run.trials.loc[run.trials["state"] == "COMPLETE", "number"].tolist()
    for front in fronts:
        values = front.points[["accuracy", LATENCY]]
        expected = non_dominated(values, ["maximize", "minimize"])
        assert (front.points["status"] == "front").tolist() == expected.tolist()


def test_best_is_the_best_first_objective(make_run: Callable[..., RunTables]) -> None:
    (front,) = build_fronts([make_run()])
    points = front.points.set_index("label")
    assert points.loc["best", "accuracy"] == front.points["accuracy"].max()
    assert points.loc["knee", "status"] == "front"


def test_nan_objectives_stay_off(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=12)
    run.trials.loc[0, "accuracy"] = np.nan
    (front,) = build_fronts([run])
    assert 0 not in front.points["number"].tolist()


def test_runs_of_one_task_share_a_front_and_of_two_tasks_do_not(make_run: Callable[..., RunTables]) -> None:
    one, other = make_run(), make_run(name="r2", seed=5)
    assert len(build_fronts([one, other])) == 1
    elsewhere = replace(other, config={**other.config, "task": {"name": "iris"}})
    assert [front.runs for front in build_fronts([one, elsewhere])] == [("evolution-1",), ("r2",)]


def test_a_cost_without_machine_stands_apart(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=12)
    run.costs.loc[0, "fingerprint"] = None
    assert [front.fingerprint for front in build_fronts([run])] == ["xeon-2c-linux-7f3a", UNKNOWN_MACHINE]


def test_objectives_without_a_machine_need_none(make_run: Callable[..., RunTables]) -> None:
    run = make_run(objectives=("maximize accuracy", "minimize params"), fingerprints=("a", "b"))
    (front,) = build_fronts([run])
    assert front.fingerprint == ""


def test_infeasible_trials_are_shown_once(make_run: Callable[..., RunTables]) -> None:
    run = make_run(fingerprints=("a", "b", "c"))
    refused = run.trials.loc[run.trials["state"] == "INFEASIBLE", "number"].tolist()
    # Some were refused before their latency was known.
    costs = run.costs[~run.costs["number"].isin(refused[::2])]
    shown = [n for front in build_fronts([replace(run, costs=costs)]) for n in front.infeasible["number"]]
    assert sorted(shown) == refused


def test_the_deciding_cost_is_the_trials_own(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=4)
    int8 = run.costs.assign(value=run.costs["value"] / 2, precision="int8", fingerprint="other")
    merged = replace(run, costs=pd.concat([int8, run.costs], ignore_index=True))
    costs = deciding_costs(merged)
    assert costs["column"].unique().tolist() == [LATENCY]
    assert costs["fingerprint"].unique().tolist() == ["xeon-2c-linux-7f3a"]


def test_uncertainty_holds_over_costs(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=4)
    wide = pd.DataFrame({"number": [0], "metric": [LATENCY], "low": [0.0], "high": [99.0]})
    (front,) = build_fronts([replace(run, uncertainty=wide)])
    bounds = front.points.set_index("number")[[f"low:{LATENCY}", f"high:{LATENCY}"]]
    assert bounds.loc[0].tolist() == [0.0, 99.0]
    value = run.costs.set_index("number").loc[1]
    assert bounds.loc[1].tolist() == [value["low"], value["high"]]


@pytest.mark.parametrize("every", [True, False])
def test_a_cost_whose_interval_is_unknown_stands_as_its_value(make_run: Callable[..., RunTables], every: bool) -> None:
    run = make_run()
    costs = run.costs.astype({"low": object, "high": object})
    costs.loc[costs.index if every else costs.index[:5], ["low", "high"]] = None
    (front,) = build_fronts([replace(run, costs=costs)])
    chosen = front.points[front.points["number"].isin(costs[costs["low"].isna()]["number"])]
    assert len(chosen) and (chosen[f"low:{LATENCY}"] == chosen[LATENCY]).all()
    assert (chosen[f"high:{LATENCY}"] == chosen[LATENCY]).all()


def test_ties_are_named(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=2)
    run.trials["accuracy"], run.trials[LATENCY] = [0.95, 0.949], [1.0, 1.001]
    run.costs["value"], run.costs["low"], run.costs["high"] = run.trials[LATENCY], 0.99, 1.01
    accuracy = pd.DataFrame({"number": [0, 1], "metric": "accuracy", "low": [0.94, 0.939], "high": [0.96, 0.959]})
    (front,) = build_fronts([replace(run, uncertainty=accuracy)])
    assert front.points["status"].tolist() == ["front", "tied"]
    assert front.points["tied_with"].tolist() == ["", "#0"]


def test_focus_leaves_broken_networks_out_but_never_the_front(make_run: Callable[..., RunTables]) -> None:
    run = make_run()
    run.trials.loc[0, "accuracy"] = 0.1
    (front,) = build_fronts([run])
    view = focus(front, "accuracy")
    assert view is not None
    assert view[0] > 0.1
    assert front.members["accuracy"].between(*view).all()
    assert focus(build_fronts([make_run(trials=8)])[0], "accuracy") is None
