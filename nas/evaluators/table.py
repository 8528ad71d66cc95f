"""A table of measured networks as evaluator and as source of costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nas.constraints import Constraint
from nas.costing import STATIC_METRICS, Assessment, CostSource, check
from nas.evaluators.base import Request
from nas.trial import Outcome
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture, SearchSpace

NOT_IN_TABLE = "not in the table"


class TableEvaluator:
    """Looks metrics up by architecture; an architecture the table lacks is infeasible, not failed.

    Args:
        space: parses the ids of the table.
        path: a .csv, .tsv or .parquet file (.gz too).
        id: the column with architecture ids.
        metrics: which column holds which metric; by default every column of numbers under its own name.
    """

    cheap = True

    def __init__(
        self, space: SearchSpace, *, path: str, id: str = "id", metrics: Mapping[str, str] | None = None
    ) -> None:
        self.metrics, self._rows = _read(space, Path(path), id, metrics)

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One look-up a request."""
        return [
            Outcome(state="COMPLETE", metrics=self._rows[request.architecture])
            if request.architecture in self._rows
            else Outcome(state="FAILED", reason=NOT_IN_TABLE)
            for request in requests
        ]

    @property
    def rows(self) -> Mapping[Architecture, Mapping[str, float]]:
        """All metrics of all architectures."""
        return self._rows

    def row(self, architecture: Architecture) -> Mapping[str, float] | None:
        """All metrics of an architecture, None where the table has no such row."""
        return self._rows.get(architecture)


class TableCosts:
    """Costs from the table where it has them, from the network where it does not.

    Args:
        table: the evaluator that holds the rows.
        network: for metrics the table lacks.
    """

    def __init__(self, table: TableEvaluator, network: CostSource) -> None:
        self._table, self._network = table, network

    def check_names(self, metrics: Sequence[str]) -> None:
        """Columns of the table, and whatever the network source knows."""
        for metric in metrics:
            if metric not in self._table.metrics:
                self._check_network_knows(metric)

    def is_cheap(self, metric: str) -> bool:
        """Columns of the table are."""
        return metric in self._table.metrics or self._network.is_cheap(metric)

    def _check_network_knows(self, metric: str) -> None:
        try:
            self._network.check_names([metric])
        except InputError as error:
            raise unknown_name("metric", metric, [*self._table.metrics, *STATIC_METRICS]) from error

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """The table's columns first; the network is built only for what is feasible so far."""
        row = self._table.row(architecture)
        if row is None:
            return Assessment(reason=NOT_IN_TABLE)
        values = {metric: row[metric] for metric in metrics if metric in row}
        known = check(values, constraints)
        rest = [metric for metric in metrics if metric not in values]
        if known.violated or not rest:
            return known
        left = [constraint for constraint in constraints if constraint.metric not in values]
        found = self._network.assess(architecture, rest, left)
        return Assessment(
            metrics={**values, **found.metrics},
            costs=found.costs,
            checked=(*known.checked, *found.checked),
            violated=found.violated,
            reason=found.reason,
        )


def _read(
    space: SearchSpace, path: Path, id_column: str, metrics: Mapping[str, str] | None
) -> tuple[tuple[str, ...], dict[Architecture, dict[str, float]]]:
    frame = _frame(path)
    if id_column not in frame.columns:
        raise unknown_name(f"{path}: id column", id_column, map(str, frame.columns))
    if metrics is None:
        numbers = frame.select_dtypes("number").columns
        metrics = {str(column): str(column) for column in numbers if column != id_column}
    if not isinstance(metrics, Mapping) or not metrics:
        raise InputError(
            f"{path}: expected metrics as metric: column pairs, got {metrics!r}; name one column at least."
        )
    columns = {}
    for metric, column in metrics.items():
        if column not in frame.columns:
            raise unknown_name(f"{path}: column for metric {metric}", column, map(str, frame.columns))
        values = frame[column].to_numpy()
        if values.dtype.kind not in "iuf":
            raise InputError(f"{path}: expected numbers in column {column!r}, got {values.dtype}; name another column.")
        columns[metric] = values.astype(np.float64)
        if not np.isfinite(columns[metric]).all():
            row = int(np.flatnonzero(~np.isfinite(columns[metric]))[0])
            raise InputError(
                f"{path}: expected finite numbers in column {column!r}, got {columns[metric][row]} in data row "
                f"{row + 1}; fill it or drop the row."
            )
    rows: dict[Architecture, dict[str, float]] = {}
    for number, text in enumerate(map(str, frame[id_column])):
        try:
            architecture = space.parse(text)
        except InputError as error:
            raise InputError(f"{path}, data row {number + 1}: {error}") from error
        if architecture in rows:
            raise InputError(
                f"{path}, data row {number + 1}: architecture {architecture} stands there twice; keep one row of it."
            )
        rows[architecture] = {metric: float(values[number]) for metric, values in columns.items()}
    if not rows:
        raise InputError(f"{path}: expected rows, got an empty table; give one row an architecture.")
    return tuple(columns), rows


def _frame(path: Path):  # type: ignore[no-untyped-def]
    import pandas as pd

    names = [suffix for suffix in path.suffixes if suffix not in (".gz",)]
    kind = names[-1] if names else ""
    if kind not in (".csv", ".tsv", ".parquet"):
        raise InputError(f"table {path}: expected a .csv, .tsv or .parquet file; convert it.")
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, sep="\t" if kind == ".tsv" else ",")
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InputError(
            f"table {path}: expected a readable {kind} file ({error}); check the path and format."
        ) from error
