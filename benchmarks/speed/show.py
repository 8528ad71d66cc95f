"""The result as a table for people and as a CSV file that says when, where and how it was found."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.catalog import MEASUREMENTS
from benchmarks.speed.row import Row
from nas.cli.output import format_value

Results = Mapping[str, Sequence[Row]]
COLUMNS = (
    *("at", "machine", "cpu", "cores", "runtime", "command", "measurement", "name"),
    *("value", "unit", "low", "high", "ratio", "target", "met", "note"),
)
_VERDICTS = {True: "met", False: "MISSED", None: ""}
_LEAST_WIDTH = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the figures were found; `id` is the fingerprint that cost records carry."""

    id: str
    cpu: str
    cores: int
    runtime: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.runtime} (fingerprint {self.id})"


def this_machine() -> Machine:
    """The machine this runs on."""
    from hardware_profiles import litert
    from hardware_profiles.fingerprint import host_fingerprint

    runtime = str(litert.find_runtime())
    fingerprint = host_fingerprint(runtime)
    return Machine(id=fingerprint.id, cpu=fingerprint.cpu, cores=fingerprint.cores, runtime=runtime)


def print_results(results: Results, machine: Machine) -> None:
    """One table: what was measured, its range over the repeats, what it should reach, and whether it does."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=str(machine), title_justify="left")
    table.add_column("", overflow="fold", ratio=4)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("range", justify="right", no_wrap=True)
    table.add_column("target", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("note", overflow="fold", ratio=5)
    for name, rows in results.items():
        table.add_row(f"[bold]{MEASUREMENTS[name].title}[/bold]")
        for row in rows:
            style = "bold red" if row.met is False else None
            table.add_row(
                f"  {row.name}",
                _with_unit(row.value, row.unit),
                "" if row.low is None or row.high is None else f"{format_value(row.low)} – {format_value(row.high)}",
                "" if row.target is None else str(row.target),
                _VERDICTS[row.met],
                row.note,
                style=style,
            )
        table.add_section()
    console = Console()
    console = console if console.is_terminal else Console(width=_LEAST_WIDTH)
    console.print(table)


def csv_rows(results: Results, machine: Machine, *, at: str, command: str) -> Iterable[dict[str, object]]:
    """Every figure with the date, machine and command it comes from."""
    for measurement, rows in results.items():
        for row in rows:
            yield {
                "at": at,
                "machine": machine.id,
                "cpu": machine.cpu,
                "cores": machine.cores,
                "runtime": machine.runtime,
                "command": command,
                "measurement": measurement,
                "name": row.name,
                "value": f"{row.value:.6g}",
                "unit": row.unit,
                "low": "" if row.low is None else f"{row.low:.6g}",
                "high": "" if row.high is None else f"{row.high:.6g}",
                "ratio": "yes" if row.ratio else "no",
                "target": "" if row.target is None else str(row.target),
                "met": {True: "yes", False: "no", None: ""}[row.met],
                "note": row.note,
            }


def write_csv(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Replace the file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


def _with_unit(value: float, unit: str) -> str:
    return f"{format_value(value)}{unit}" if unit in ("", "×") else f"{format_value(value)} {unit}"
