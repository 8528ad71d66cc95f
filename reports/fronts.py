"""Which trials may share a front, and where each stands on it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nas.pareto import Objective, knee, non_dominated, tied_with_front
from nas.tables import RunTables

STATUSES = ("front", "tied", "dominated")
UNKNOWN_MACHINE = "machine not recorded"
# A focus that shows more than this share of the whole range is not worth leaving points out.
FULL_VIEW = 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Front:
    """Trials of one task whose costs come from one machine, so that their numbers compare.

    Attributes:
        objectives: what the front is over.
        fingerprint: the machine of the costs; empty where no objective depends on one.
        runs: names of the runs in it.
        points: one row per trial with every objective: run, number, id, label (`best`, `knee` or ``), status,
            tied_with (text), the trial's metrics, and `low:METRIC`, `high:METRIC` per objective.
        infeasible: trials refused by a hard constraint: run, number, id, reason and what is known of them.
    """

    objectives: tuple[Objective, ...]
    fingerprint: str
    runs: tuple[str, ...]
    points: pd.DataFrame
    infeasible: pd.DataFrame

    @property
    def members(self) -> pd.DataFrame:
        """The points on the front, best first objective first."""
        first = self.objectives[0]
        rows = self.points[self.points["status"] == "front"]
        return rows.sort_values(first.metric, ascending=first.direction == "minimize", kind="stable")


def focus(front: Front, metric: str) -> tuple[float, float] | None:
    """The range of an axis that shows the front and nine tenths of the points; None where all fit as well.

    A few broken networks (10 % accuracy, say) would otherwise press the front into a corner.
    """
    values = front.points[metric].to_numpy(dtype=float)
    shown = front.points.loc[front.points["status"] != "dominated", metric].to_numpy(dtype=float)
    if len(values) < 20:
        return None
    low = min(float(np.quantile(values, 0.05)), float(shown.min()))
    high = max(float(np.quantile(values, 0.95)), float(shown.max()))
    if high - low > FULL_VIEW * float(np.ptp(values)) or high == low:
        return None
    margin = 0.1 * (high - low)
    return low - margin, high + margin


def task_key(run: RunTables) -> str:
    """What two runs must share for their objectives to mean the same."""
    return _fold(run, ("task", "evaluator"))


def problem_key(run: RunTables) -> str:
    """What two runs must share to be compared as searches: the task, the space and the constraints."""
    return _fold(run, ("space", "task", "evaluator", "constraints"))


def build_fronts(runs: Sequence[RunTables]) -> tuple[Front, ...]:
    """Splits the trials of all runs into fronts: one per task, objectives and machine, the fullest first."""
    fronts: list[Front] = []
    for group in _grouped(runs, task_key):
        points = pd.concat([trial_values(run) for run in group], ignore_index=True)
        infeasible = pd.concat([_infeasible(run) for run in group], ignore_index=True)
        machines = points["fingerprint"].value_counts(sort=True).index.tolist() or [""]
        for place, machine in enumerate(machines):
            here = points[points["fingerprint"] == machine].reset_index(drop=True)
            # A refused trial without a machine of these is shown once, on the fullest front of its task.
            refused = infeasible["fingerprint"] == machine
            if place == 0:
                refused |= ~infeasible["fingerprint"].isin(machines)
            fronts.append(
                Front(
                    objectives=group[0].objectives,
                    fingerprint=machine,
                    runs=tuple(run.name for run in group),
                    points=_with_status(here, group[0].objectives),
                    infeasible=infeasible[refused].reset_index(drop=True),
                )
            )
    return tuple(sorted(fronts, key=lambda front: -len(front.points)))


def trial_values(run: RunTables) -> pd.DataFrame:
    """COMPLETE trials with finite objectives: run, metrics, intervals and the machine of their costs."""
    metrics = [objective.metric for objective in run.objectives]
    trials = run.trials[run.trials["state"] == "COMPLETE"]
    if len(trials):
        trials = trials[np.isfinite(trials[metrics].to_numpy(dtype=float)).all(axis=1)]
    table = trials.reindex(columns=["number", "id", *dict.fromkeys([*metrics, *run.metrics])])
    table.insert(0, "run", run.name)
    costs = deciding_costs(run)
    for metric in metrics:
        bounds = _bounds(run, costs, metric)
        for side in ("low", "high"):
            known = table["number"].map(bounds[side]).astype(float)
            table[f"{side}:{metric}"] = known.fillna(table[metric].astype(float))
    table["fingerprint"] = _machines(table["number"], costs, metrics)
    return table.reset_index(drop=True)


def deciding_costs(run: RunTables) -> pd.DataFrame:
    """Cost records under the names of the trials' columns: number, column, low, high, fingerprint.

    A record of metric `latency_ms` and target `pi5` stands for the column `latency_ms@pi5` where there is one. Of
    several records (precisions, say) the one nearest to the trial's own value is the one the search decided on.
    """
    columns = ["number", "column", "low", "high", "fingerprint"]
    if len(run.costs) == 0:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    costs = run.costs.copy()
    qualified = costs["metric"].astype(str) + "@" + costs["target"].fillna("").astype(str)
    costs["column"] = np.where(qualified.isin(run.metrics), qualified, costs["metric"])
    own = run.trials.melt(id_vars="number", value_vars=list(run.metrics), var_name="column", value_name="own")
    costs = costs.merge(own, on=["number", "column"], how="left")
    costs["distance"] = (costs["value"].astype(float) - costs["own"].astype(float)).abs()
    costs = costs.sort_values("distance", kind="stable").drop_duplicates(["number", "column"])
    costs["fingerprint"] = costs["fingerprint"].fillna("").astype(str)
    return costs[columns].sort_values("number", kind="stable")


def _with_status(points: pd.DataFrame, objectives: Sequence[Objective]) -> pd.DataFrame:
    """Adds status, label and tied_with."""
    metrics = [objective.metric for objective in objectives]
    directions = [objective.direction for objective in objectives]
    values = points[metrics].to_numpy(dtype=float).reshape(len(points), len(metrics))
    front = non_dominated(values, directions)
    # An interval given for another estimate than the value (a mean, say) is widened to hold the value.
    low = np.minimum(points[[f"low:{metric}" for metric in metrics]].to_numpy(dtype=float), values)
    high = np.maximum(points[[f"high:{metric}" for metric in metrics]].to_numpy(dtype=float), values)
    ties = tied_with_front(low, high, front)
    numbers = points["run"].astype(str) + " #" + points["number"].astype(str)
    only_run = points["run"].nunique() == 1
    names = ("#" + points["number"].astype(str) if only_run else numbers).tolist()
    points = points.copy()
    points["status"] = [
        "front" if on_front else "tied" if tie else "dominated" for on_front, tie in zip(front, ties, strict=True)
    ]
    points["tied_with"] = [_listed(names[row] for row in tie) for tie in ties]
    points["label"] = ""
    if front.any():
        points.loc[knee(values, directions), "label"] = "knee"
        best = knee(values[:, :1], directions[:1])
        candidates = np.flatnonzero(front & (values[:, 0] == values[best, 0]))
        points.loc[int(candidates[0]), "label"] = "best"
    return points


def _listed(names: Iterable[str], limit: int = 6) -> str:
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def _infeasible(run: RunTables) -> pd.DataFrame:
    trials = run.trials[run.trials["state"] == "INFEASIBLE"]
    metrics = dict.fromkeys([*(objective.metric for objective in run.objectives), *run.metrics])
    table = trials.reindex(columns=["number", "id", "reason", *metrics])
    table.insert(0, "run", run.name)
    table["fingerprint"] = _machines(table["number"], deciding_costs(run), list(metrics))
    return table.astype({"fingerprint": object})


def _bounds(run: RunTables, costs: pd.DataFrame, metric: str) -> dict[str, dict[int, float]]:
    """Per side, trial number → bound; the table of uncertainty holds over the cost records."""
    bounds: dict[str, dict[int, float]] = {"low": {}, "high": {}}
    sources = [costs[costs["column"] == metric]]
    if len(run.uncertainty):
        sources.append(run.uncertainty[run.uncertainty["metric"] == metric])
    for source in sources:
        source = source[source["low"].notna() & source["high"].notna()]
        for side, known in bounds.items():
            known.update(zip(source["number"].astype(int), source[side].astype(float), strict=True))
    return bounds


def _machines(numbers: pd.Series, costs: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Per trial, the fingerprints of its objectives' costs; empty when the run's objectives have none at all."""
    relevant = costs[costs["column"].isin(metrics) & (costs["fingerprint"] != "")]
    if len(relevant) == 0:
        return [""] * len(numbers)
    known = relevant.groupby("number")["fingerprint"].agg(lambda names: " + ".join(sorted(set(names))))
    return [known.get(number, UNKNOWN_MACHINE) for number in numbers]


def _fold(run: RunTables, names: Iterable[str]) -> str:
    parts: Mapping[str, Any] = {name: run.config.get(name) for name in names}
    text = json.dumps(parts, sort_keys=True, default=str)
    return text + "|" + "|".join(map(str, run.objectives))


def _grouped(runs: Sequence[RunTables], key: Any) -> list[list[RunTables]]:
    groups: dict[str, list[RunTables]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return list(groups.values())
