"""Tables of measured networks, read from files: one row an architecture, more columns joined from further files."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.options import check_options
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture, SearchSpace, Value

if TYPE_CHECKING:
    import pandas as pd

_KINDS = (".csv", ".tsv", ".parquet")
_REPEATED = ("refuse", "mean")
_MISSING = ("refuse", "drop")


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """What is known of N distinct architectures: `values` is ``[N, metrics]``, finite numbers."""

    architectures: tuple[Architecture, ...]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.architectures)

    @cached_property
    def rows(self) -> dict[Architecture, dict[str, float]]:
        """The metrics of every architecture, by name."""
        pairs = zip(self.architectures, self.values.tolist(), strict=True)
        return {architecture: dict(zip(self.metrics, row, strict=True)) for architecture, row in pairs}

    def column(self, metric: str) -> NDArray[np.float64]:
        """One metric of all architectures, ``[N]``."""
        if metric not in self.metrics:
            raise unknown_name("metric of the table", metric, self.metrics)
        return self.values[:, self.metrics.index(metric)]


def read_table(
    space: SearchSpace,
    path: str | Path,
    *,
    id: str = "id",
    metrics: Mapping[str, str] | None = None,
    by_choice: bool = False,
    repeated: str = "refuse",
    incomplete: str = "refuse",
) -> Table:
    """The table in a .csv, .tsv or .parquet file (.gz too).

    Args:
        space: parses the ids, its own or the literature's.
        path: where the file lies.
        id: the column with architecture ids.
        metrics: which column holds which metric; by default every column of numbers under its own name.
        by_choice: no column holds ids; each choice of the space has a column of its name.
        repeated: several rows of one architecture are `refuse`d, or their `mean` is taken.
        incomplete: a row in which a number is empty or not finite is `refuse`d, or `drop`ped.

    Raises:
        InputError: names the file, and the row where there is one.
    """
    path = Path(path)
    _check_option("repeated", repeated, _REPEATED)
    _check_option("incomplete", incomplete, _MISSING)
    keys = [choice.name for choice in space.choices] if by_choice else [id]
    frame = read_frame(path, text=() if by_choice else (id,))
    for key in keys:
        if key not in frame.columns:
            raise unknown_name(f"{path}: {'column of choice' if by_choice else 'id column'}", key, _names(frame))
    if not len(frame):
        raise InputError(f"{path}: expected rows, got an empty table; give one row an architecture.")
    columns = _columns(frame, path, _chosen(frame, path, metrics, keys))
    values = np.stack(list(columns.values()), axis=1)
    kept = _finite(path, tuple(columns), values, incomplete)
    given = frame[keys].to_numpy(dtype=object)[kept].tolist()
    architectures = [
        _architecture(space, path, int(number), keys, row) for number, row in zip(kept + 1, given, strict=True)
    ]
    return _one_row_each(path, architectures, tuple(columns), values[kept], repeated)


def join(table: Table, other: Table, *, name: str, missing: str = "refuse") -> Table:
    """The table with the columns of another one, matched by architecture.

    Args:
        table: whose rows, in their order, these are.
        other: whose further rows are left out.
        name: of the other one, for errors.
        missing: an architecture that the other one lacks is `refuse`d, or its row `drop`ped.
    """
    _check_option("missing", missing, _MISSING)
    if twice := set(table.metrics) & set(other.metrics):
        raise InputError(f"{name}: expected new metrics, got {sorted(twice)} again; give them other names.")
    place = {architecture: number for number, architecture in enumerate(other.architectures)}
    kept = [number for number, architecture in enumerate(table.architectures) if architecture in place]
    lost = len(table) - len(kept)
    if lost and (missing == "refuse" or not kept):
        absent = next(each for each in table.architectures if each not in place)
        raise InputError(
            f"{name}: expected every architecture of the table, {lost} of {len(table)} are missing, {absent} among "
            f"them; {'write missing: drop to do without their rows' if kept else 'check that it is the same space'}."
        )
    architectures = tuple(table.architectures[number] for number in kept)
    added = other.values[[place[architecture] for architecture in architectures]]
    return Table(
        architectures=architectures,
        metrics=(*table.metrics, *other.metrics),
        values=np.concatenate([table.values[kept], added], axis=1),
    )


def read_joined(space: SearchSpace, path: str | Path, *, joined: Any, **options: Any) -> Table:
    """`read_table`, and each of `joined`, a mapping of its own options and `missing`, joined to it in turn."""
    table = read_table(space, path, **options)
    if not isinstance(joined, list | tuple) or not all(isinstance(each, Mapping) for each in joined):
        raise InputError(f"join: expected a list such as [{{path: F.csv, id: COLUMN}}], got {joined!r}; mend it.")
    for number, each in enumerate(joined, start=1):
        if "path" not in each:
            raise InputError(f"join {number}: expected a path, got {dict(each)}; add path: F.csv.")
        own = {**{name: options[name] for name in ("repeated", "incomplete") if name in options}, **each}
        where, missing = own.pop("path"), own.pop("missing", "refuse")
        check_options(f"join {number}", read_table, own)
        table = join(table, read_table(space, where, **own), name=str(where), missing=missing)
    return table


def _one_row_each(
    path: Path,
    architectures: Sequence[Architecture],
    metrics: tuple[str, ...],
    values: NDArray[np.float64],
    repeated: str,
) -> Table:
    place: dict[Architecture, int] = {}
    group = np.array([place.setdefault(architecture, len(place)) for architecture in architectures], dtype=np.int64)
    if len(place) == len(architectures):
        return Table(architectures=tuple(architectures), metrics=metrics, values=values)
    if repeated == "refuse":
        row = next(number for number, first in enumerate(group) if first in group[:number])
        raise InputError(
            f"{path}, data row {row + 1}: architecture {architectures[row]} stands there twice ({len(place)} "
            f"architectures in {len(architectures)} rows); keep one row of it, or write repeated: mean."
        )
    sums = np.zeros((len(place), len(metrics)))
    np.add.at(sums, group, values)
    means = sums / np.bincount(group)[:, np.newaxis]
    return Table(architectures=tuple(place), metrics=metrics, values=means)


def _architecture(
    space: SearchSpace, path: Path, number: int, keys: Sequence[str], given: Sequence[Any]
) -> Architecture:
    try:
        if len(keys) == 1 and keys[0] not in {choice.name for choice in space.choices}:
            return space.parse(str(given[0]))
        pairs = zip(keys, given, strict=True)
        values: dict[str, Value] = {key: value for key, value in pairs if value == value and value is not None}
        return space.architecture(**values)
    except InputError as error:
        raise InputError(f"{path}, data row {number}: {error}") from error


def _chosen(
    frame: pd.DataFrame, path: Path, metrics: Mapping[str, str] | None, keys: Sequence[str]
) -> Mapping[str, str]:
    if metrics is None:
        numbers = frame.select_dtypes("number").columns
        metrics = {str(column): str(column) for column in numbers if column not in keys}
    if not isinstance(metrics, Mapping) or not metrics:
        raise InputError(
            f"{path}: expected metrics as metric: column pairs, got {metrics!r}; name one column at least."
        )
    return metrics


def _columns(frame: pd.DataFrame, path: Path, metrics: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    columns = {}
    for metric, column in metrics.items():
        if column not in frame.columns:
            raise unknown_name(f"{path}: column for metric {metric}", column, _names(frame))
        values = frame[column].to_numpy()
        if values.dtype.kind not in "iuf":
            raise InputError(f"{path}: expected numbers in column {column!r}, got {values.dtype}; name another column.")
        columns[metric] = values.astype(np.float64)
    return columns


def _finite(path: Path, metrics: tuple[str, ...], values: NDArray[np.float64], incomplete: str) -> NDArray[np.int64]:
    """Positions of the rows that hold a finite number for every metric."""
    finite = np.isfinite(values)
    if incomplete == "refuse" and not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise InputError(
            f"{path}: expected finite numbers for {metrics[column]}, got {values[row, column]} in data row {row + 1}; "
            "fill it, drop the row, or write incomplete: drop."
        )
    kept = np.flatnonzero(finite.all(axis=1))
    if not len(kept):
        raise InputError(
            f"{path}: expected a row with a number for all of {', '.join(metrics)}, got none; ask for fewer."
        )
    return kept


def read_frame(path: Path, *, text: Sequence[str] = (), **options: Any) -> pd.DataFrame:
    """The file as it stands; the columns `text` are not taken for numbers, since an id may begin with zeros.

    `options` are further ones of `pandas.read_csv`.
    """
    import pandas as pd

    names = [suffix for suffix in path.suffixes if suffix != ".gz"]
    kind = names[-1] if names else ""
    if kind not in _KINDS:
        raise InputError(f"table {path}: expected a .csv, .tsv or .parquet file; convert it.")
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        separator = "\t" if kind == ".tsv" else ","
        frame: pd.DataFrame = pd.read_csv(path, sep=separator, dtype=dict.fromkeys(text, str), **options)
        return frame
    except (OSError, ValueError, EOFError, zlib.error, pd.errors.ParserError) as error:
        raise InputError(
            f"table {path}: expected a readable {kind} file ({error}); check the path and format."
        ) from error


def _names(frame: pd.DataFrame) -> list[str]:
    return [str(column) for column in frame.columns]


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise unknown_name(name, value, known)
