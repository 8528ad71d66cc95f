"""Reads the per-operator table of `benchmark_model --enable_op_profiling`, as CSV or from standard output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from searchspaces.errors import NoResultError

Unit: TypeAlias = Literal["ms", "cycles"]

_TIMED: Final = "for Regular Benchmark Runs:"
# As the CSV file and the table on standard output call the same columns.
_COLUMNS: Final = {"node type": "kind", "avg_ms": "mean", "avg ms": "mean", "%": "share", "times called": "calls"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTime:
    """One operator of the graph, or a delegate's node; a Hexagon delegate counts cycles."""

    kind: str
    name: str
    mean: float
    unit: Unit
    share: float
    times_called: int


def parse_op_profile(text: str, *, unit: Unit = "ms") -> tuple[OpTime, ...]:
    """The operators in running order.

    Args:
        text: the CSV file that `--op_profiling_output_file` names, or the standard output of a profiled run.
        unit: of the table's times: the Hexagon delegate writes cycles.

    Raises:
        NoResultError: there is no such table, or a row of it cannot be read.
    """
    ops = tuple(_op(row, unit) for row in _rows(text))
    if not ops:
        raise NoResultError("benchmark_model: expected a table of operators, got none; add --enable_op_profiling=true.")
    return ops


def _rows(text: str) -> Iterator[Mapping[str, str]]:
    """The rows of the first table of the timed runs, which is in running order; the set-up's tables come before."""
    _, found, timed = text.partition(_TIMED)
    header: list[str] = []
    for line in (timed if found else text).splitlines():
        cells = _cells(line, len(header))
        if not header:
            if cells and cells[0].strip("[]").lower() == "node type" and cells[-1].strip("[]").lower() == "name":
                header = [cell.strip("[]").lower() for cell in cells]
        elif len(cells) < len(header):
            return
        else:
            yield {_COLUMNS.get(column, column): cell for column, cell in zip(header, cells, strict=True)}


def _cells(line: str, count: int) -> list[str]:
    """A row's cells; a name may hold the comma that parts them, and is the last of `count`."""
    if "\t" in line:
        return [cell.strip() for cell in line.split("\t") if cell.strip()]
    return [cell.strip() for cell in line.split(",", count - 1 if count else -1)] if "," in line else []


def _op(row: Mapping[str, str], unit: Unit) -> OpTime:
    try:
        return OpTime(
            kind=row["kind"],
            name=row["name"],
            mean=float(row["mean"]),
            unit=unit,
            share=float(row["share"].rstrip("%")) / 100,
            times_called=int(float(row["calls"])),
        )
    except (KeyError, ValueError) as error:
        raise NoResultError(
            f"benchmark_model: expected times, shares and calls of an operator, got {dict(row)} ({error}); send the "
            "table as it is."
        ) from error
