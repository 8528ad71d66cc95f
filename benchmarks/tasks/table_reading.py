"""Bytes of a table file → cells by column, as they are written there."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from searchspaces.errors import InputError

Cells = Mapping[str, Sequence[object]]


def read_delimited(data: bytes, where: str, delimiter: str) -> Cells:
    """Cells of a text table with a header line; an InputError names the line that does not fit."""
    reader = csv.reader(io.StringIO(_text(data, where), newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, where, delimiter)
        for row in reader:
            if row and len(row) != len(header):
                raise InputError(
                    f"path: expected {len(header)} values in every line of {where!r}, got {len(row)} in line"
                    f" {reader.line_num}; put quotes around a value that contains {delimiter!r}."
                )
            if row:
                rows.append(row)
    except csv.Error as error:
        raise InputError(
            f"path: expected quotes in pairs and no huge values in {where!r}, got line {reader.line_num} ({error});"
            " correct it."
        ) from error
    if not rows:
        raise InputError(f"path: expected rows below the header of {where!r}, got none; add data.")
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _text(data: bytes, where: str) -> str:
    try:
        plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        return plain.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"path: expected a whole gzip file, got {where!r} ({error}); fetch it again.") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"path: expected text in UTF-8, got {where!r} ({error.reason} at byte {error.start}); save it as UTF-8, or"
            " use the task parquet for a parquet file."
        ) from error


def _check_header(header: Sequence[str], where: str, delimiter: str) -> None:
    if len(header) < 2:
        others = [other for other in ",;\t|" if other != delimiter and header and other in header[0]]
        hint = f"it looks separated by {others[0]!r}" if others else "give a table with features and a label"
        raise InputError(f"path: expected a header of at least 2 columns in {where!r}, got {list(header)}; {hint}.")
    _check_names(header, where)


def _check_names(header: Sequence[str], where: str) -> None:
    for place, name in enumerate(header, start=1):
        if not name:
            raise InputError(f"path: expected a name for every column of {where!r}, got none for {place}; name it.")
        if name in header[: place - 1]:
            raise InputError(f"path: expected different column names in {where!r}, got {name!r} twice; rename one.")


def read_parquet(data: bytes, where: str, ignore: Collection[str]) -> Cells:
    """Cells of a parquet file; columns of dates, bytes or lists must be among the ignored ones."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(pa.BufferReader(data), use_threads=False)
        _check_names(table.column_names, where)
        if not table.num_rows:
            raise InputError(f"path: expected rows in {where!r}, got none; add data.")
        return {name: () if name in ignore else _cells(name, table.column(name)) for name in table.column_names}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"path: expected a whole parquet file, got {where!r} ({str(error).splitlines()[0]}); write it again."
        ) from error


def _cells(name: str, column: Any) -> Sequence[object]:
    """The values of a pyarrow column, decimals as float."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_decimal(kind):
        return list(column.cast(pa.float64()).to_pylist())
    if not _is_plain(kind):
        raise InputError(
            f"column {name!r}: expected numbers, truth values or strings, got {kind}; convert it, or put it into"
            " ignore."
        )
    return list(column.to_pylist())


def _is_plain(kind: object) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_string, types.is_large_string)
    return any(test(kind) for test in (*tests, types.is_string_view))
