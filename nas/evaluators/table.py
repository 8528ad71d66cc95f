"""A table of measured networks as evaluator and as source of costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nas.constraints import Constraint
from nas.costing import STATIC_METRICS, Assessment, CostSource, check
from nas.evaluators.base import Request
from nas.evaluators.table_file import Table, read_joined
from nas.trial import Outcome
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture, SearchSpace

NOT_IN_TABLE = "not in the table"


class TableEvaluator:
    """Looks metrics up by architecture; an architecture the table lacks is infeasible, not failed.

    Args:
        space: parses the ids of the table.
        path: a .csv, .tsv or .parquet file (.gz too).
        id: the column with architecture ids, the space's own or those of the literature.
        metrics: which column holds which metric; by default every column of numbers under its own name.
        by_choice: each choice has a column of its name in place of one column of ids.
        repeated: several rows of one architecture are `refuse`d, or their `mean` is taken.
        incomplete: a row in which a number is empty or not finite is `refuse`d, or `drop`ped.
        join: further tables whose columns are joined by architecture, each with options as above and `missing`
            (`refuse` or `drop` the architectures it lacks).
    """

    cheap = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        path: str,
        id: str = "id",
        metrics: Mapping[str, str] | None = None,
        by_choice: bool = False,
        repeated: str = "refuse",
        incomplete: str = "refuse",
        join: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        options = {"id": id, "metrics": metrics, "by_choice": by_choice}
        options.update(repeated=repeated, incomplete=incomplete)
        self._hold(read_joined(space, path, joined=join, **options))

    @classmethod
    def of(cls, table: Table) -> TableEvaluator:
        """The evaluator of a table that is at hand."""
        evaluator = cls.__new__(cls)
        evaluator._hold(table)
        return evaluator

    def _hold(self, table: Table) -> None:
        self.table, self.metrics, self._rows = table, table.metrics, table.rows

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


class Rows(Protocol):
    """What knows metrics of architectures by name: a table, or a surrogate of one."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what it knows."""
        ...

    def row(self, architecture: Architecture) -> Mapping[str, float] | None:
        """All metrics of an architecture, None where it has no such row."""
        ...


class TableCosts:
    """Costs from the table where it has them, from the network where it does not.

    Args:
        table: what holds the rows, or predicts them.
        network: for metrics the table lacks.
    """

    def __init__(self, table: Rows, network: CostSource) -> None:
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
