"""Tasks from tables in files: csv, tsv and parquet, with a named label column."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tasks import checks
from benchmarks.tasks.build import Source, column_task
from benchmarks.tasks.columns import Column, choose_columns
from benchmarks.tasks.labels import encode_labels
from benchmarks.tasks.record import ArrayTask
from benchmarks.tasks.table_reading import Cells, read_delimited, read_parquet
from searchspaces.errors import InputError, unknown_name


def csv(
    *,
    path: str | Path,
    label: str,
    ignore: str | Iterable[str] = (),
    categorical: str | Iterable[str] = (),
    classes: int | None = None,
    delimiter: str = ",",
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
) -> ArrayTask:
    """A table with a header line and comma-separated values (UTF-8, also gzipped).

    Args:
        path: the file.
        label: the column of the classes: names or whole numbers.
        ignore: columns to leave out, such as row numbers.
        categorical: columns of codes that look like numbers but are none.
        classes: with it, labels must be whole numbers in 0 … classes - 1.
        delimiter: the one character between values.
        input_shape: (features,) after encoding, or nothing.
        seed: of the split.
    """
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise InputError(f"delimiter: expected one character, got {delimiter!r}; try delimiter=';'.")
    data = checks.file(path).read_bytes()
    choice = _Choice(label=label, ignore=ignore, categorical=categorical)
    cells = read_delimited(data, str(path), delimiter)
    columns = choice.columns(cells)
    source = choice.source("csv", path, data, cells, classes=classes, seed=seed)
    return column_task(source, columns, input_shape=input_shape)


def tsv(
    *,
    path: str | Path,
    label: str,
    ignore: str | Iterable[str] = (),
    categorical: str | Iterable[str] = (),
    classes: int | None = None,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
) -> ArrayTask:
    """A table with a header line and tab-separated values (UTF-8, also gzipped); options as for csv."""
    data = checks.file(path).read_bytes()
    choice = _Choice(label=label, ignore=ignore, categorical=categorical)
    cells = read_delimited(data, str(path), "\t")
    columns = choice.columns(cells)
    source = choice.source("tsv", path, data, cells, classes=classes, seed=seed)
    return column_task(source, columns, input_shape=input_shape)


def parquet(
    *,
    path: str | Path,
    label: str,
    ignore: str | Iterable[str] = (),
    categorical: str | Iterable[str] = (),
    classes: int | None = None,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
) -> ArrayTask:
    """A parquet file with columns of numbers, truth values, strings or dictionaries; options as for csv."""
    data = checks.file(path).read_bytes()
    choice = _Choice(label=label, ignore=ignore, categorical=categorical)
    cells = read_parquet(data, str(path), checks.names("ignore", ignore))
    columns = choice.columns(cells)
    source = choice.source("parquet", path, data, cells, classes=classes, seed=seed)
    return column_task(source, columns, input_shape=input_shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which columns of a table stand for what."""

    label: str
    ignore: str | Iterable[str]
    categorical: str | Iterable[str]

    def source(
        self, name: str, path: str | Path, data: bytes, cells: Cells, *, classes: int | None, seed: int
    ) -> Source:
        """The labels and where they come from."""
        y, class_names = encode_labels(cells[self.label], classes=classes)
        return Source(
            name=name,
            origin=f"{name} {path}, label {self.label}",
            y=y,
            class_names=class_names,
            seed=seed,
            sha256=hashlib.sha256(data).hexdigest(),
        )

    def columns(self, cells: Cells) -> dict[str, Column]:
        """The feature columns; every name that was given must be there."""
        if self.label not in cells:
            raise unknown_name("label column", self.label, cells)
        ignored = checks.names("ignore", self.ignore)
        codes = checks.names("categorical", self.categorical)
        for option, given in (("ignore", ignored), ("categorical", codes)):
            for column in given:
                if column not in cells:
                    raise unknown_name(f"{option} column", column, cells)
        if self.label in ignored:
            raise InputError(f"ignore: expected feature columns, got the label {self.label!r}; take it out of ignore.")
        return choose_columns(cells, label=self.label, ignore=ignored, categorical=codes)
