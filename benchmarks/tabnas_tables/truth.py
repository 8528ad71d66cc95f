"""A finished table as arrays: what every network is worth, which ones a limit leaves, and which of them is best."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.tabnas_tables.build import Row, read_about, read_rows, widths
from benchmarks.tabnas_tables.filling import Filling, fill
from searchspaces.errors import InputError
from searchspaces.space import Architecture, Indices
from searchspaces.tabnas import TabNAS

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

# The limits that the paper chose leave 8 to 11 % of its spaces.
FEASIBLE_SHARE: Final = 0.1
# What a search sees is one training; what it is judged by is another split, over all trainings.
SEEN, JUDGED = "val_accuracy_0", "test_accuracy"


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """Every network of a space with `layers` free widths; all arrays are ``[20] * layers``, by width.

    seen: validation accuracy of one training: what a search is told.
    judged: test accuracy, the mean over the trainings: what it is judged by.
    limit: the most parameters a network may have.
    filling: of what was not trained, all of it over the limit; None where everything was.
    """

    name: str
    space: TabNAS
    params: Floats
    seen: Floats
    judged: Floats
    limit: int
    filling: Filling | None = None

    @cached_property
    def feasible(self) -> Mask:
        """Which networks are within the limit."""
        return self.params <= self.limit

    @cached_property
    def best(self) -> float:
        """The highest judged accuracy within the limit."""
        return float(self.judged[self.feasible].max())

    @cached_property
    def regret(self) -> Floats:
        """How many points of judged accuracy less than the best; NaN over the limit, which is no result."""
        return self._below_best(self.judged)

    @cached_property
    def seen_regret(self) -> Floats:
        """The same of what a search is told: its own share of the regret, without the luck of the validation rows."""
        return self._below_best(self.seen)

    @cached_property
    def seen_best_regret(self) -> float:
        """The regret of the network that is best to see: where a perfect search ends."""
        return float(self.regret.flat[np.where(self.feasible, self.seen, -np.inf).argmax()])

    def _below_best(self, accuracy: Floats) -> Floats:
        return np.where(self.feasible, 100 * (accuracy[self.feasible].max() - accuracy), np.nan)

    def cells(self, rows: Indices) -> tuple[Indices, ...]:
        """Where architectures ``[..., choices]`` lie in the arrays."""
        return tuple(rows[..., 1 + layer] for layer in range(self.params.ndim))

    def architecture(self, cell: tuple[int, ...]) -> Architecture:
        """The network at a place of the arrays."""
        widths = {f"width_{layer}": self._widths[index] for layer, index in enumerate(cell, start=1)}
        return self.space.architecture(**widths)

    def write(self, path: Path) -> None:
        """As a table that `evaluator: table` reads, with the columns accuracy, test_accuracy and params."""
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "accuracy", "test_accuracy", "params"])
            for cell in np.ndindex(*self.params.shape):
                figures = (float(array[cell]) for array in (self.seen, self.judged, self.params))
                writer.writerow([self.architecture(cell).id, *figures])

    @cached_property
    def _widths(self) -> tuple[Any, ...]:
        return next(choice.values for choice in self.space.choices if choice.name == "width_1")


def read_truth(path: Path, *, share: float = FEASIBLE_SHARE) -> Truth:
    """The table at `path`, with the limit that the given share of its networks keeps.

    Raises:
        InputError: the table lacks a network within the limit; those over it are filled in (`filling`).
    """
    if not 0 < share <= 1:
        raise InputError(f"share: expected above 0 and up to 1, got {share}; the paper has about 0.1.")
    space = table_space(read_about(path))
    rows = read_rows(path)
    every = list(space.enumerate())
    params = np.array([_params(space, architecture, rows) for architecture in every])
    limit = int(np.quantile(params, share, method="inverted_cdf"))
    known = np.array([architecture.id in rows for architecture in every])
    if absent := int((~known & (params <= limit)).sum()):
        raise InputError(
            f"table {path}: expected all {int((params <= limit).sum())} networks within {limit} parameters, got "
            f"{absent} less; go on building it, or lower the share."
        )
    accuracies = {
        column: np.array([float(rows[each.id][column]) if each.id in rows else np.nan for each in every])
        for column in (SEEN, JUDGED)
    }
    filling = None
    if not known.all():
        hidden = np.array([widths(space, architecture) for architecture in every], dtype=np.float64)
        for column, values in accuracies.items():
            accuracies[column], filling = fill(hidden, params, values)
    layers = len(widths(space, every[0]))
    shape = (round(len(every) ** (1 / layers)),) * layers
    return Truth(
        name=path.stem,
        space=space,
        params=params.reshape(shape),
        seen=accuracies[SEEN].reshape(shape),
        judged=accuracies[JUDGED].reshape(shape),
        limit=limit,
        filling=filling,
    )


def _params(space: TabNAS, architecture: Architecture, rows: Mapping[str, Row]) -> float:
    row = rows.get(architecture.id)
    return float(row["params"]) if row else float(space.network(architecture).params)


def table_space(about: Mapping[str, Any]) -> TabNAS:
    """The space a table is of, from its JSON file."""
    space = about["space"]
    return TabNAS(tuple(space["input"]), space["classes"], layers=space["layers"])
