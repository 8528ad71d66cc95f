from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas.pareto import Objective
from nas.tables import RunTables, Winner
from searchspaces.errors import InputError

OBJECTIVES = (Objective.parse("maximize accuracy"), Objective.parse("minimize latency_ms"))


def trials(**columns: Any) -> pd.DataFrame:
    table = {
        "number": [0, 1, 2],
        "id": ["s:0", "s:1", "s:2"],
        "state": ["COMPLETE", "INFEASIBLE", "COMPLETE"],
        "reason": [None, "params", None],
        "seconds": [1.0, np.nan, 2.0],
        "finished_at": [10.0, np.nan, 12.0],
        "accuracy": [0.9, np.nan, 0.8],
        "latency_ms": [2.0, 3.0, 1.0],
    }
    return pd.DataFrame(table | columns)


def run(**fields: Any) -> RunTables:
    empty = pd.DataFrame()
    tables: dict[str, Any] = {
        "name": "r",
        "config": {},
        "objectives": OBJECTIVES,
        "trials": trials(),
        "costs": empty,
        "uncertainty": empty,
        "choices": empty,
        "acceptance": empty,
    }
    return RunTables(**(tables | fields))


def winner(**fields: Any) -> Winner:
    return Winner(**({"id": "s:0", "number": 0, "label": "best", "ops": pd.DataFrame()} | fields))


def interval(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"number": [0], "metric": ["accuracy"], "low": [0.8], "high": [0.95]} | columns)


def test_metrics_are_the_other_columns() -> None:
    assert run().metrics == ("accuracy", "latency_ms")


def test_intervals_may_be_unknown() -> None:
    assert run(uncertainty=interval(low=[None], high=[None])).uncertainty["low"].isna().all()


def test_objectives_may_be_absent_while_nothing_is_complete() -> None:
    table = trials(state=["RUNNING", "INFEASIBLE", "PROPOSED"]).drop(columns=["accuracy", "latency_ms"])
    assert run(trials=table).metrics == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " "}, "name of a run: expected a short label"),
        ({"objectives": ()}, "objectives: expected one or more"),
        ({"objectives": (OBJECTIVES[0], OBJECTIVES[0])}, "each of another metric"),
        ({"trials": trials().drop(columns="reason")}, "add reason"),
        ({"trials": trials().drop(columns="accuracy")}, "add accuracy"),
        ({"trials": trials(number=[0, 1, 1])}, "got 1 again"),
        ({"trials": trials(state=["COMPLETE", "DONE", "FAILED"])}, "state: expected one of 5 known names, got 'DONE'"),
        ({"trials": trials(accuracy=["a", "b", "c"])}, "expected numbers in column 'accuracy'"),
        ({"trials": trials(seconds=[None, "1", "2"])}, "expected numbers in column 'seconds'"),
        ({"uncertainty": interval(number=[7])}, "uncertainty: expected numbers of this run's trials, got 7"),
        ({"uncertainty": interval(low=[0.99])}, "expected low <= high, got 0.99 > 0.95"),
        ({"uncertainty": interval().drop(columns="low")}, "add low"),
        ({"costs": interval()}, "costs: expected columns .* add value, target, fingerprint"),
        ({"choices": pd.DataFrame({"number": [0, 0], "depth": [1, 2]})}, "choices: expected every number once"),
        ({"choices": pd.DataFrame({"depth": [1]})}, "add number"),
        ({"acceptance": pd.DataFrame({"constraint": ["params <= 1"]})}, "add checked, accepted, rate"),
        ({"winners": (winner(number=5),)}, "winners: expected numbers of this run's trials, got 5"),
    ],
)
def test_run_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": "knie"}, "did you mean 'knee'"),
        ({"ops": pd.DataFrame({"kind": ["ADD"]})}, "add index, kernel, latency_us, delegated"),
        ({"promised": ({"metric": "params"},)}, "expected records with metric and value"),
        ({"blocks": ({"label": "x"},)}, "expected records with kind"),
    ],
)
def test_winner_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        winner(**fields)
