"""Searches compared at an equal number of trained trials: the best value and the hypervolume so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.pareto import Objective, hypervolume, non_dominated
from nas.tables import RunTables
from reports.fronts import problem_key, trial_values

BASELINE = "random"
TRAINED = ("COMPLETE", "FAILED")
# The reference point lies this share of the seen range beyond the worst value, so that extremes count too.
REFERENCE_MARGIN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """What one controller had after 1, 2, … trained trials; with several runs the median and the range of them.

    `trained` holds the numbers of trials at which a value changes, and the last one. NaN: nothing yet.
    """

    controller: str
    runs: int
    trained: NDArray[np.int64]
    median: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def at(self, trained: int) -> float:
        """The median after so many trained trials."""
        position = int(np.searchsorted(self.trained, trained, side="right")) - 1
        return float(self.median[position]) if position >= 0 else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """The runs of one problem, by controller.

    Attributes:
        objectives: of the problem.
        runs: names of the runs.
        machine: whose costs the hypervolume is taken from; empty where no objective depends on one.
        equal_trials: the largest number of trained trials that every controller reached.
        has_baseline: whether a random search is among the runs.
        has_rival: whether anything but random search is among them.
        best: best first objective so far, a curve per controller.
        volume: hypervolume so far, as a share of the box between the best and the reference point; empty with one
            objective.
    """

    objectives: tuple[Objective, ...]
    runs: tuple[str, ...]
    machine: str
    equal_trials: int
    has_baseline: bool
    has_rival: bool
    best: tuple[Curve, ...]
    volume: tuple[Curve, ...]


def controller_name(run: RunTables) -> str:
    """The controller of a run; its own name where the configuration names none."""
    controller = run.config.get("controller")
    name = controller.get("name") if isinstance(controller, Mapping) else controller
    return str(name or run.name)


def compare_runs(runs: Sequence[RunTables]) -> tuple[Comparison, ...]:
    """One comparison per problem in which at least one trial was trained."""
    problems: dict[str, list[RunTables]] = {}
    for run in runs:
        problems.setdefault(problem_key(run), []).append(run)
    return tuple(
        _compare(group) for group in problems.values() if any(run.trials["state"].eq("COMPLETE").any() for run in group)
    )


def _compare(group: Sequence[RunTables]) -> Comparison:
    objectives = group[0].objectives
    values = pd.concat([trial_values(run) for run in group], ignore_index=True)
    machine = str(values["fingerprint"].mode().iloc[0]) if len(values) else ""
    here = values[values["fingerprint"] == machine]
    box = _box(here[[objective.metric for objective in objectives]].to_numpy(dtype=float), objectives)
    best: dict[str, list[NDArray[np.float64]]] = {}
    volume: dict[str, list[NDArray[np.float64]]] = {}
    for run in group:
        own = values[values["run"] == run.name]
        best.setdefault(controller_name(run), []).append(_best_so_far(_in_order(run, own), objectives[0]))
        if len(objectives) > 1:
            own = own[own["fingerprint"] == machine]
            volume.setdefault(controller_name(run), []).append(_volume_so_far(_in_order(run, own), objectives, box))
    # A run that has trained nothing yet would cut its controller's curve to nothing.
    best, volume = _without_empty(best), _without_empty(volume)
    controllers = list(best)
    return Comparison(
        objectives=objectives,
        runs=tuple(run.name for run in group),
        machine=machine,
        equal_trials=min(min(map(len, best[name])) for name in controllers),
        has_baseline=BASELINE in controllers,
        has_rival=any(name != BASELINE for name in controllers),
        best=tuple(_curve(name, best[name]) for name in controllers),
        volume=tuple(_curve(name, volume[name]) for name in controllers if name in volume),
    )


def _without_empty(series: dict[str, list[NDArray[np.float64]]]) -> dict[str, list[NDArray[np.float64]]]:
    kept = {name: [values for values in runs if len(values)] for name, runs in series.items()}
    return {name: runs for name, runs in kept.items() if runs}


def _in_order(run: RunTables, values: pd.DataFrame) -> NDArray[np.float64]:
    """Objectives of the trained trials as they finished, [N, M]; NaN where one gave no value."""
    metrics = [objective.metric for objective in run.objectives]
    trained = run.trials[run.trials["state"].isin(TRAINED)]
    trained = trained.sort_values(["finished_at", "number"], na_position="last")
    known = values.set_index("number")[metrics]
    return known.reindex(trained["number"]).to_numpy(dtype=float).reshape(len(trained), len(metrics))


def _best_so_far(values: NDArray[np.float64], objective: Objective) -> NDArray[np.float64]:
    better = np.fmax if objective.direction == "maximize" else np.fmin
    return np.asarray(better.accumulate(values[:, 0]) if len(values) else values[:, 0], dtype=np.float64)


def _box(
    values: NDArray[np.float64], objectives: Sequence[Objective]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The best corner and the reference point of a set of points, less being better."""
    costs = values * _signs(objectives)
    if len(costs) == 0:
        return np.zeros(len(objectives)), np.ones(len(objectives))
    ideal, worst = costs.min(axis=0), costs.max(axis=0)
    span = np.where(worst > ideal, worst - ideal, np.maximum(np.abs(worst), 1.0))
    return ideal, worst + REFERENCE_MARGIN * span


def _volume_so_far(
    values: NDArray[np.float64],
    objectives: Sequence[Objective],
    box: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Dominated share of the box after each trial; computed anew only where the front changes."""
    ideal, reference = box
    scaled = (values * _signs(objectives) - ideal) / (reference - ideal)
    directions = ["minimize"] * len(objectives)
    ones = np.ones(len(objectives))
    front, current, volumes = np.empty((0, len(objectives))), 0.0, []
    for row in scaled:
        if np.isfinite(row).all() and not (front <= row).all(axis=1).any():
            front = np.vstack([front, row])
            front = front[non_dominated(front, directions)]
            current = hypervolume(front, directions, ones)
        volumes.append(current)
    return np.array(volumes, dtype=np.float64)


def _signs(objectives: Sequence[Objective]) -> NDArray[np.float64]:
    return np.array([-1.0 if objective.direction == "maximize" else 1.0 for objective in objectives])


def _curve(controller: str, series: Sequence[NDArray[np.float64]]) -> Curve:
    """Median and range over runs, up to the shortest run, kept only where something changes."""
    length = min(map(len, series))
    stack = np.vstack([values[:length] for values in series])
    # Before the first value of any run nothing is known of the group.
    known = np.isfinite(stack).all(axis=0)
    filled = np.where(known, stack, 0.0)
    rows = [np.where(known, part, np.nan) for part in (np.median(filled, 0), filled.min(0), filled.max(0))]
    table = np.nan_to_num(np.vstack(rows), nan=-np.inf)
    changed = np.flatnonzero((table[:, 1:] != table[:, :-1]).any(axis=0)) + 1
    keep = np.unique(np.concatenate([[0], changed, [length - 1]])) if length else np.array([], dtype=int)
    median, low, high = (row[keep] for row in rows)
    return Curve(controller=controller, runs=len(series), trained=keep + 1, median=median, low=low, high=high)
