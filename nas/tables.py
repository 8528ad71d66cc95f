"""The tables of a finished or running search, and of a comparison of controllers, as a report reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nas.pareto import Objective
from searchspaces.errors import InputError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

STATES = ("PROPOSED", "RUNNING", "COMPLETE", "INFEASIBLE", "FAILED")
LABELS = ("best", "knee", "front")
TRIAL_COLUMNS = ("number", "id", "state", "reason", "seconds", "finished_at")
TEXT_COLUMNS = ("id", "state", "reason")
COST_COLUMNS = ("number", "metric", "value", "target", "low", "high", "fingerprint")
INTERVAL_COLUMNS = ("number", "metric", "low", "high")
ACCEPTANCE_COLUMNS = ("constraint", "checked", "accepted", "rate")
COMPARED_COLUMNS = ("label", "controller", "charged", "peer", "is_best", "seeds")
CURVE_COLUMNS = ("label", "measure", "trials", "median", "low", "high", "mean")
SEED_COLUMNS = ("label", "seed", "best", "regret", "trials_to_target", "evaluations", "looked_at")
OP_COLUMNS = ("index", "kind", "kernel", "latency_us", "delegated")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Winner:
    """One member of the front, looked at closely after the search.

    Attributes:
        id: the architecture's id.
        number: the trial's number.
        label: why it is shown: `best` (first objective), `knee`, or `front`.
        promised: cost records on which the search decided.
        measured: cost records taken again after the search.
        ops: one row per op: index, kind, kernel, latency_us, delegated; may be empty.
        blocks: the network's blocks in order, as plain data: kind, label, shape, params, macs; may be empty.
        test: metric → value, or metric → {precision → value}, on the test split; may be empty.
    """

    id: str
    number: int
    label: str
    promised: tuple[Mapping[str, Any], ...] = ()
    measured: tuple[Mapping[str, Any], ...] = ()
    ops: pd.DataFrame
    blocks: tuple[Mapping[str, Any], ...] = ()
    test: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise unknown_name(f"label of winner {self.id!r}", self.label, LABELS)
        _need_columns(f"ops of winner {self.id!r}", self.ops, OP_COLUMNS, may_be_empty=True)
        for cost in (*self.promised, *self.measured):
            if "metric" not in cost or "value" not in cost:
                raise InputError(
                    f"costs of winner {self.id!r}: expected records with metric and value, got "
                    f"{sorted(cost)}; pass whole cost records."
                )
        for block in self.blocks:
            if "kind" not in block:
                raise InputError(
                    f"blocks of winner {self.id!r}: expected records with kind, got {sorted(block)}; "
                    "name what each block is."
                )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunTables:
    """One run of a search, as tables.

    Attributes:
        name: short label of the run, unique within a report.
        config: the resolved configuration (`search.yaml`).
        objectives: what the search optimises, the main one first.
        trials: one row per trial in order: number, id, state, reason, seconds, finished_at (Unix seconds),
            then a float column per metric. While no trial is COMPLETE, columns of objectives may be absent.
        costs: long table of cost records with the trial's number; may be empty.
        uncertainty: long table number, metric, low, high (an interval of the accuracy, say); may be empty.
            For a metric that is in both tables this one holds.
        choices: number and a column per choice of the space, with its printed value; may be empty.
        acceptance: constraint, checked, accepted, rate; may be empty.
        winners: members of the front that are shown in detail.
        provenance: versions, machine, fingerprint, seed, started, ended, command, data.
        predicted: metrics that no one measured, each with how far off its predictor is, in words.
    """

    name: str
    config: Mapping[str, Any]
    objectives: tuple[Objective, ...]
    trials: pd.DataFrame
    costs: pd.DataFrame
    uncertainty: pd.DataFrame
    choices: pd.DataFrame
    acceptance: pd.DataFrame
    winners: tuple[Winner, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    predicted: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"run {self.name!r}"
        if not self.name.strip():
            raise InputError("name of a run: expected a short label, got none; use the run folder's name.")
        _check_objectives(where, self.objectives)
        _check_trials(where, self.trials, self.objectives)
        numbers = frozenset(int(number) for number in self.trials["number"])
        _need_columns(f"{where}: acceptance", self.acceptance, ACCEPTANCE_COLUMNS, may_be_empty=True)
        for name, table, columns in (
            ("costs", self.costs, COST_COLUMNS),
            ("uncertainty", self.uncertainty, INTERVAL_COLUMNS),
            ("choices", self.choices, ("number",)),
        ):
            _need_columns(f"{where}: {name}", table, columns, may_be_empty=True)
            if len(table):
                _check_numbers(f"{where}: {name}", table["number"].tolist(), numbers)
            if "low" in columns and len(table):
                _check_intervals(f"{where}: {name}", table)
        if len(self.choices):
            _check_unique(f"{where}: choices", self.choices)
        _check_numbers(f"{where}: winners", [winner.number for winner in self.winners], numbers)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that have a column in `trials`."""
        return tuple(str(column) for column in self.trials.columns if column not in TRIAL_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparisonTables:
    """Controllers compared on one problem at equal budgets.

    Attributes:
        described: the problem as names and values: space, objectives, constraints, trials, repeats, target, ….
        reference: what regret is counted from: kind, best, id, feasible, front, corner.
        objectives: what is judged, the main one first.
        columns: a row per compared column: label, controller, charged, peer, is_best, seeds, then flat figures.
        curves: long table label, measure (`best`, `regret`, `hypervolume`), trials, median, low, high, mean; a row
            where something changes.
        seeds: a row per column and seed: label, seed, best, regret, trials_to_target, evaluations, looked_at.
        at: numbers of trials at which columns are compared, the last of which is the budget.
        config: the resolved configuration.
    """

    described: Mapping[str, Any]
    reference: Mapping[str, Any]
    objectives: tuple[Objective, ...]
    columns: pd.DataFrame
    curves: pd.DataFrame
    seeds: pd.DataFrame
    at: tuple[int, ...]
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_objectives("comparison", self.objectives)
        for name, table, needed in (
            ("columns", self.columns, COMPARED_COLUMNS),
            ("curves", self.curves, CURVE_COLUMNS),
            ("seeds", self.seeds, SEED_COLUMNS),
        ):
            _need_columns(f"comparison: {name}", table, needed, may_be_empty=False)


def _check_objectives(where: str, objectives: Sequence[Objective]) -> None:
    metrics = [objective.metric for objective in objectives]
    if not metrics or len(set(metrics)) < len(metrics):
        raise InputError(
            f"{where}: objectives: expected one or more, each of another metric, got {metrics}; list every metric once."
        )


def _check_trials(where: str, trials: pd.DataFrame, objectives: Sequence[Objective]) -> None:
    from pandas.api.types import is_numeric_dtype

    where = f"{where}: trials"
    _need_columns(where, trials, TRIAL_COLUMNS, may_be_empty=False)
    _check_unique(where, trials)
    for state in trials["state"].unique():
        if state not in STATES:
            raise unknown_name(f"{where}: state", state, STATES)
    if (trials["state"] == "COMPLETE").any():
        _need_columns(where, trials, [objective.metric for objective in objectives], may_be_empty=False)
    for column in trials.columns:
        if column not in TEXT_COLUMNS and not is_numeric_dtype(trials[column]):
            raise InputError(
                f"{where}: expected numbers in column {column!r}, got {trials[column].dtype}; "
                "convert it to float, with NaN where a trial has no value."
            )


def _need_columns(where: str, table: pd.DataFrame, columns: Sequence[str], *, may_be_empty: bool) -> None:
    if may_be_empty and len(table) == 0:
        return
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise InputError(
            f"{where}: expected columns {', '.join(columns)}, "
            f"got {', '.join(map(str, table.columns)) or 'none'}; add {', '.join(absent)}."
        )


def _check_unique(where: str, table: pd.DataFrame) -> None:
    double = table["number"][table["number"].duplicated()]
    if len(double):
        raise InputError(f"{where}: expected every number once, got {double.iloc[0]} again; keep one row per trial.")


def _check_numbers(where: str, numbers: Sequence[Any], known: frozenset[int]) -> None:
    strangers = [number for number in numbers if number not in known]
    if strangers:
        raise InputError(
            f"{where}: expected numbers of this run's trials, got {strangers[0]}; leave out the rows of other trials."
        )


def _check_intervals(where: str, table: pd.DataFrame) -> None:
    # Where no interval is known the bounds are None, which pandas may keep as objects.
    wrong = table[table["low"].astype(float) > table["high"].astype(float)]
    if len(wrong):
        row = wrong.iloc[0]
        raise InputError(
            f"{where}: expected low <= high, got {row['low']} > {row['high']} for {row['metric']!r} "
            f"of trial {row['number']}; swap the two bounds."
        )
