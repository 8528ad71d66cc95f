"""The tables of a report as CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from nas.tables import TRIAL_COLUMNS, RunTables
from reports.fronts import Front

STANDING_COLUMNS = ("front", "status", "label")


def save_front_csv(fronts: Sequence[Front], path: Path) -> None:
    """The members of every front, best first: front, machine, run, number, id, label, objectives with bounds."""
    tables = []
    for index, front in enumerate(fronts, start=1):
        metrics = [objective.metric for objective in front.objectives]
        bounded = [name for metric in metrics for name in (metric, f"low:{metric}", f"high:{metric}")]
        kept = front.members.drop(columns=["status", "tied_with"])
        rest = [name for name in kept.columns if name not in (*bounded, "run", "number", "id", "label")]
        rest = [name for name in rest if name != "fingerprint"]
        table = kept[["run", "number", "id", "label", *bounded, *rest]].copy()
        table.insert(0, "machine", front.fingerprint)
        table.insert(0, "front", index)
        tables.append(table)
    heads = ["front", "machine", "run", "number", "id", "label"]
    merged = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=heads)
    merged.to_csv(path, index=False, lineterminator="\n")


def save_trials_csv(table: pd.DataFrame, path: Path) -> None:
    """All trials of all runs."""
    table.to_csv(path, index=False, lineterminator="\n")


def all_trials(runs: Sequence[RunTables], fronts: Sequence[Front]) -> pd.DataFrame:
    """Every trial of every run with its standing: run, number, id, state, front, status, label, reason, …."""
    standing: dict[tuple[str, int], tuple[int, str, str]] = {}
    for index, front in enumerate(fronts, start=1):
        rows = front.points[["run", "number", "status", "label"]].itertuples(index=False, name=None)
        standing.update({(run, int(number)): (index, status, label) for run, number, status, label in rows})
    tables = []
    for run in runs:
        table = run.trials.copy()
        known = [standing.get((run.name, int(number)), (None, "", "")) for number in table["number"]]
        for place, name in enumerate(STANDING_COLUMNS):
            values = [row[place] for row in known]
            table[name] = pd.array(values, dtype="Int64") if name == "front" else values
        table.insert(0, "run", run.name)
        leading = ["run", "number", "id", "state", *STANDING_COLUMNS, "reason", "seconds", "finished_at"]
        metrics = [name for name in run.trials.columns if name not in TRIAL_COLUMNS]
        tables.append(table[[*leading, *metrics]])
    return pd.concat(tables, ignore_index=True)
