from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nas.tables import RunTables
from reports.fronts import build_fronts
from reports.outcomes import acceptances, answer, budget_used, effort, feasible_share, refusals, state_counts


def test_states_add_up(make_run: Callable[..., RunTables]) -> None:
    counts = state_counts(make_run())
    assert counts == {"PROPOSED": 0, "RUNNING": 0, "COMPLETE": 64, "INFEASIBLE": 13, "FAILED": 3}


def test_refusals_count_every_reason_once(make_run: Callable[..., RunTables]) -> None:
    table = refusals([make_run()])
    assert table.groupby("state")["trials"].sum().to_dict() == {"FAILED": 3, "INFEASIBLE": 13}


def test_rare_reasons_become_other(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=200)
    refused = run.trials["state"] == "INFEASIBLE"
    run.trials.loc[refused, "reason"] = [f"reason {index}" for index in range(refused.sum())]
    table = refusals([run])
    assert "other" in table["reason"].tolist()
    assert table["trials"].sum() == refused.sum() + (run.trials["state"] == "FAILED").sum()


def test_a_low_acceptance_is_marked(make_run: Callable[..., RunTables]) -> None:
    assert [item.is_low for item in acceptances([make_run()])] == [False, True]


def test_feasible_share(make_run: Callable[..., RunTables]) -> None:
    assert feasible_share(make_run()) == pytest.approx(67 / 80)


def test_answer_in_words(make_run: Callable[..., RunTables]) -> None:
    run = make_run()
    text = answer([run], build_fronts([run]))
    best = run.trials.loc[run.trials["accuracy"].idxmax()]
    assert text.startswith(f"The highest accuracy is {100 * best['accuracy']:.2f} % at ")
    assert f"(trial #{best['number']})" in text
    assert "At the knee" in text


def test_answer_without_a_result(make_run: Callable[..., RunTables]) -> None:
    run = make_run(complete=False, winners=0)
    assert answer([run], build_fronts([run])) == "No trial is complete yet, so there is no front to show."


def test_answer_says_which_front(make_run: Callable[..., RunTables]) -> None:
    run = make_run(fingerprints=("a", "a", "b"))
    assert answer([run], build_fronts([run])).startswith("Of 2 fronts the fullest is that of a. ")


def test_budget_with_and_without_limits(make_run: Callable[..., RunTables]) -> None:
    run = make_run()
    assert budget_used(run).startswith("67 trained of a budget of 80 trials, ")
    assert budget_used(run).endswith(" of 30 min")
    assert budget_used(replace(run, config={})).startswith("67 trained, ")
    assert "3 failed in training." in effort(run)
