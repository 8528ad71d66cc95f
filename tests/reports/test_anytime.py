from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nas.tables import RunTables
from reports.anytime import compare_runs

LATENCY = "latency_ms@host-cpu"


def tiny(make_run: Callable[..., RunTables], accuracy: list[float], latency: list[float], **options: str) -> RunTables:
    run = make_run(trials=len(accuracy), **options)
    run.trials["state"], run.trials["accuracy"], run.trials[LATENCY] = "COMPLETE", accuracy, latency
    run.trials["finished_at"] = np.arange(len(accuracy), dtype=float)
    run.costs["value"] = latency
    return run


def test_best_so_far(make_run: Callable[..., RunTables]) -> None:
    run = tiny(make_run, [0.5, 0.4, 0.9, 0.7], [1.0, 1.0, 1.0, 1.0])
    (comparison,) = compare_runs([run])
    (curve,) = comparison.best
    assert [curve.at(trained) for trained in (1, 2, 3, 4)] == [0.5, 0.5, 0.9, 0.9]
    assert np.isnan(curve.at(0))


def test_volume_by_hand(make_run: Callable[..., RunTables]) -> None:
    run = tiny(make_run, [0.5, 1.0, 0.0], [1.0, 3.0, 2.0])
    (comparison,) = compare_runs([run])
    (curve,) = comparison.volume
    # Box: accuracy 1.0 … -0.1, latency 1.0 … 3.2. First trial: 0.6/1.1 of the height over the whole width;
    # the second adds 0.5/1.1 of the height over 0.2/2.2 of the width; the third is dominated.
    first = 0.6 / 1.1
    assert curve.at(1) == pytest.approx(first)
    assert curve.at(3) == pytest.approx(first + 0.5 / 1.1 * 0.2 / 2.2)


def test_order_is_that_of_finishing(make_run: Callable[..., RunTables]) -> None:
    run = tiny(make_run, [0.5, 0.9], [1.0, 1.0])
    run.trials["finished_at"] = [2.0, 1.0]
    assert compare_runs([run])[0].best[0].at(1) == 0.9


def test_failed_trials_cost_budget_and_infeasible_ones_do_not(make_run: Callable[..., RunTables]) -> None:
    run = tiny(make_run, [0.5, 0.6, 0.7, 0.8], [1.0] * 4)
    run.trials["state"] = ["FAILED", "INFEASIBLE", "COMPLETE", "COMPLETE"]
    (curve,) = compare_runs([run])[0].best
    assert np.isnan(curve.at(1))
    assert [curve.at(2), curve.at(3)] == [0.7, 0.8]


def test_several_runs_give_median_and_range(make_run: Callable[..., RunTables]) -> None:
    runs = [tiny(make_run, [value] * 3, [1.0] * 3, name=f"r{value}") for value in (0.5, 0.6, 0.9)]
    (curve,) = compare_runs(runs)[0].best
    assert (curve.runs, curve.low[0], curve.median[0], curve.high[0]) == (3, 0.5, 0.6, 0.9)


def test_baseline_and_equal_budget(make_run: Callable[..., RunTables]) -> None:
    rival = tiny(make_run, [0.5] * 5, [1.0] * 5)
    baseline = tiny(make_run, [0.4] * 3, [1.0] * 3, name="b", controller="random")
    (comparison,) = compare_runs([rival, replace(baseline, config={**rival.config, "controller": {"name": "random"}})])
    assert (comparison.has_baseline, comparison.has_rival, comparison.equal_trials) == (True, True, 3)


def test_other_constraints_are_another_problem(make_run: Callable[..., RunTables]) -> None:
    run = make_run()
    looser = replace(make_run(name="b"), config={**run.config, "constraints": []})
    assert len(compare_runs([run, looser])) == 2


def test_a_run_without_trained_trials_does_not_cut_the_others(make_run: Callable[..., RunTables]) -> None:
    waiting = make_run(name="w")
    waiting.trials["state"] = "PROPOSED"
    (comparison,) = compare_runs([make_run(), waiting])
    assert comparison.equal_trials == 67
    assert compare_runs([waiting]) == ()


def test_volume_takes_one_machine_only(make_run: Callable[..., RunTables]) -> None:
    (comparison,) = compare_runs([make_run(fingerprints=("a", "a", "b"))])
    assert comparison.machine == "a"
    assert 0 < comparison.volume[0].at(comparison.equal_trials) <= 1
