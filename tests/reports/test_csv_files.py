from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from nas.pareto import Objective
from nas.tables import RunTables
from reports.csv_files import all_trials, save_front_csv, save_trials_csv
from reports.fronts import build_fronts

# Written by hand from the four trials below: 1 is dominated by 0, 2 is infeasible, 3 trades accuracy for parameters.
FRONT = """\
front,machine,run,number,id,label,accuracy,low:accuracy,high:accuracy,params,low:params,high:params,auc
1,,r,0,"s:0,a",best,0.9,0.88,0.92,200.0,200.0,200.0,0.5
1,,r,3,s:3,,0.7,0.7,0.7,50.0,50.0,50.0,
"""
TRIALS = """\
run,number,id,state,front,status,label,reason,seconds,finished_at,accuracy,params,auc
r,0,"s:0,a",COMPLETE,1,front,best,,1.5,10.0,0.9,200.0,0.5
r,1,s:1,COMPLETE,1,dominated,,,1.0,11.0,0.8,300.0,0.25
r,2,s:2,INFEASIBLE,,,,params <= 500,,,,900.0,
r,3,s:3,COMPLETE,1,front,,,2.0,13.5,0.7,50.0,
"""


def four_trials() -> RunTables:
    trials = pd.DataFrame(
        {
            "number": [0, 1, 2, 3],
            "id": ["s:0,a", "s:1", "s:2", "s:3"],
            "state": ["COMPLETE", "COMPLETE", "INFEASIBLE", "COMPLETE"],
            "reason": [None, None, "params <= 500", None],
            "seconds": [1.5, 1.0, np.nan, 2.0],
            "finished_at": [10.0, 11.0, np.nan, 13.5],
            "accuracy": [0.9, 0.8, np.nan, 0.7],
            "params": [200.0, 300.0, 900.0, 50.0],
            "auc": [0.5, 0.25, np.nan, np.nan],
        }
    )
    return RunTables(
        name="r",
        config={},
        objectives=(Objective.parse("maximize accuracy"), Objective.parse("minimize params")),
        trials=trials,
        costs=pd.DataFrame(),
        uncertainty=pd.DataFrame({"number": [0], "metric": ["accuracy"], "low": [0.88], "high": [0.92]}),
        choices=pd.DataFrame(),
        acceptance=pd.DataFrame(),
    )


def test_front_golden(tmp_path: Path) -> None:
    save_front_csv(build_fronts([four_trials()]), tmp_path / "pareto.csv")
    assert (tmp_path / "pareto.csv").read_text("utf-8") == FRONT


def test_trials_golden(tmp_path: Path) -> None:
    runs = [four_trials()]
    save_trials_csv(all_trials(runs, build_fronts(runs)), tmp_path / "trials.csv")
    assert (tmp_path / "trials.csv").read_text("utf-8") == TRIALS


def test_runs_with_other_metrics_share_the_file(make_run: Callable[..., RunTables]) -> None:
    runs = [four_trials(), make_run(trials=6)]
    table = all_trials(runs, build_fronts(runs))
    assert len(table) == 10
    assert table.loc[table["run"] == "r", "macs"].isna().all()
    assert sorted(table["front"].dropna().unique()) == [1, 2]
