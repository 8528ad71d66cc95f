from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from nas.tables import RunTables
from reports.promises import op_latencies, promises, result_rows, winner_name

COST = {"metric": "latency_ms", "target": "pi5", "precision": "int8", "value": 2.0, "low": 1.9, "high": 2.1}


def with_costs(run: RunTables, promised: Any, measured: Any) -> RunTables:
    return replace(run, winners=(replace(run.winners[0], promised=promised, measured=measured),))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "as promised"),
        ({"value": 2.2, "low": 2.05, "high": 2.3}, "as promised"),
        ({"value": 2.5, "low": 2.4, "high": 2.6}, "25% more"),
        ({"value": 1.0, "low": None, "high": None}, "50% less"),
        ({"fingerprint": "other"}, "another machine"),
        ({"precision": "float32"}, "not measured again"),
        ({"value": None}, "not measured again"),
    ],
)
def test_verdicts(make_run: Callable[..., RunTables], change: dict[str, Any], verdict: str) -> None:
    run = with_costs(make_run(), ({**COST, "fingerprint": "own"},), ({**COST, "fingerprint": "own", **change},))
    (row,) = promises([run])
    assert (row.metric, row.verdict) == ("latency_ms@pi5", verdict)


def test_ratio_carries_the_interval(make_run: Callable[..., RunTables]) -> None:
    run = with_costs(make_run(), (COST,), ({**COST, "value": 3.0, "low": 2.8, "high": 3.2},))
    (row,) = promises([run])
    assert (row.ratio, row.ratio_low, row.ratio_high) == pytest.approx((1.5, 1.4, 1.6))
    assert (row.promised_low, row.promised_high) == pytest.approx((0.95, 1.05))


def test_fallbacks_only_where_something_is_delegated(make_run: Callable[..., RunTables]) -> None:
    ops = pd.DataFrame(
        {
            "index": [0, 1, 2],
            "kind": ["ADD", "ADD", "MEAN"],
            "kernel": "k",
            "latency_us": [1.0, 2.0, 4.0],
            "delegated": False,
        }
    )
    run = make_run(winners=1)
    on_cpu = replace(run, winners=(replace(run.winners[0], ops=ops),))
    assert not op_latencies([on_cpu])["fallback"].any()
    mixed = replace(run, winners=(replace(run.winners[0], ops=ops.assign(delegated=[True, True, False])),))
    table = op_latencies([mixed]).set_index("kind")
    assert table["fallback"].to_dict() == {"ADD": False, "MEAN": True}
    assert table["latency_us"].to_dict() == {"ADD": 3.0, "MEAN": 4.0}


def test_time_is_conserved_when_kinds_are_folded(make_run: Callable[..., RunTables]) -> None:
    run = make_run(winners=1)
    ops = pd.DataFrame({"index": range(30), "kind": [f"OP{i}" for i in range(30)], "kernel": "k"})
    ops = ops.assign(latency_us=1.0, delegated=False)
    table = op_latencies([replace(run, winners=(replace(run.winners[0], ops=ops),))])
    assert len(table) == 13
    assert (table["latency_us"].sum(), table["ops"].sum()) == (30.0, 30)


def test_results_per_precision_or_plain(make_run: Callable[..., RunTables]) -> None:
    winner = replace(make_run().winners[0], test={"accuracy": {"int8": 0.98}, "loss": 0.5})
    assert result_rows(winner) == [("accuracy", "int8", "98.00 %"), ("loss", "", "0.500")]


def test_names_carry_the_run_where_there_are_several(make_run: Callable[..., RunTables]) -> None:
    run, other = make_run(), make_run(name="r2")
    winner = run.winners[0]
    assert winner_name([run], run, winner) == f"#{winner.number} (best)"
    assert winner_name([run, other], run, winner) == f"evolution-1 #{winner.number} (best)"
