"""The rows for people: figure by figure under its quantity, in a window of any width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

from benchmarks.reproduce.rows import DIFFERS, EQUAL, UNCONFIRMED, VERDICTS, WITHIN, Row
from benchmarks.reproduce.tolerances import number_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from benchmarks.reproduce.figures import Figure, System

_STYLES: Final = {EQUAL: "green", WITHIN: "green", DIFFERS: "bold yellow"}
_HEADER: Final = ("", "published", "ours", "tolerance")
# Ours is printed to so many places more than the published figure.
_MORE_PLACES = 2
_LEAST_NAME, _MOST_NAME = 12, 34
_INDENT = _GAP = 2


def print_system(system: System, rows: Sequence[Row], console: Console) -> None:
    """All rows of a system and how many there are of each verdict."""
    from rich.rule import Rule
    from rich.text import Text

    console.print(Rule(Text(system.title, style="bold"), align="left"))
    console.print(Text(system.paper))
    # Words may be long: numbers alone decide how wide the columns are, and what does not fit has columns of its own.
    widths = _widths([row for row in rows if isinstance(row.ours, Decimal)], console.width)
    _print_lines([(_HEADER, Text("verdict"))], widths, console, style="dim")
    for (quantity, source, confidence, note), group in groupby(rows, _heading):
        console.print()
        console.print(Text(quantity, style="bold"))
        about = f"{source} ({confidence})" + (f"; {note}" if note else "")
        _print_indented(Text(about, style="dim"), console)
        _print_group(list(group), widths, console)
    console.print()
    console.print(Text(f"{system.title}: {counted(rows)}"))
    console.print()


def counted(rows: Iterable[Row]) -> str:
    """How many rows there are of each verdict, in words."""
    counts = Counter(row.verdict for row in rows)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)


def _with_unit(value: Decimal | str, unit: str) -> str:
    """A figure as a person writes it: thousands grouped, its unit behind it."""
    text = value if isinstance(value, str) else number_text(value)
    return f"{text} {unit}".rstrip()


def _ours_text(ours: Decimal | str, figure: Figure, interval: tuple[Decimal, Decimal] | None) -> str:
    """Ours with a few more digits than the published figure has; with one more, and half its interval, by chance."""
    published = figure.published
    whole = isinstance(ours, Decimal) and ours == ours.to_integral_value() and interval is None
    if not isinstance(ours, Decimal) or not isinstance(published, Decimal) or whole:
        return _with_unit(ours, figure.unit)
    exponent = published.as_tuple().exponent
    places = max(0, -exponent if isinstance(exponent, int) else 0)
    if interval is not None:
        half = (interval[1] - interval[0]) / 2
        return f"{round(ours, places + 1)} ±{round(half, places + 1)} {figure.unit}".rstrip()
    return _with_unit(round(ours, places + _MORE_PLACES), figure.unit)


def _heading(row: Row) -> tuple[str, str, str, str]:
    return row.figure.quantity, row.figure.source, row.figure.confidence, row.figure.note


def _widths(rows: Sequence[Row], window: int) -> tuple[int, ...]:
    """Of the columns of these rows, those that have a figure of ours, so that they stand below each other."""
    cells = [cells for row in rows if (cells := _cells(row)) is not None]
    name, *rest = (max(len(row[column]) for row in (_HEADER, *cells)) for column in range(len(_HEADER)))
    name, left = min(name, _MOST_NAME), window - _INDENT - len(UNCONFIRMED)
    if left - _spaced(rest) < min(name, _LEAST_NAME):
        # In a narrow window the tolerance gives way; then the names fold.
        rest = rest[:-1]
    return max(1, min(name, left - _spaced(rest) - _GAP)), *rest


def _spaced(widths: Sequence[int]) -> int:
    return sum(width + _GAP for width in widths)


def _cells(row: Row) -> tuple[str, str, str, str] | None:
    if row.ours is None:
        return None
    figure = row.figure
    tolerance = "exact" if figure.allowed is None else figure.allowed.text
    return figure.name, _with_unit(figure.published, figure.unit), _ours_text(row.ours, figure, row.interval), tolerance


def _print_group(rows: Sequence[Row], widths: Sequence[int], console: Console) -> None:
    """A line for each row that has a figure of ours; the others run on in a paragraph."""
    from rich.text import Text

    lines = [
        (cells, Text(row.verdict, style=_STYLES.get(row.verdict, "")))
        for row in rows
        if (cells := _cells(row)) is not None
    ]
    if lines:
        own = _widths(rows, console.width)
        fits = all(wanted <= given for wanted, given in zip(own, widths, strict=False))
        _print_lines(lines, widths if fits else own, console)
    for verdict in VERDICTS:
        listed = [row.figure for row in rows if row.ours is None and row.verdict == verdict]
        if listed:
            figures = ", ".join(f"{each.name} {_with_unit(each.published, each.unit)}" for each in listed)
            _print_indented(Text(f"{figures}: {verdict}"), console)


def _print_lines(
    lines: Sequence[tuple[Sequence[str], Text]], widths: Sequence[int], console: Console, style: str = ""
) -> None:
    """Columns of the same widths whenever they are printed; the verdict comes last and takes what is left."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0), style=style)
    for column, width in enumerate(widths):
        table.add_column(justify="right" if column else "left", width=width, overflow="fold")
    table.add_column(overflow="fold")
    for cells, verdict in lines:
        table.add_row(*map(Text, cells[: len(widths)]), verdict)
    _print_indented(table, console)


def _print_indented(text: Text | Table, console: Console) -> None:
    from rich.padding import Padding

    console.print(Padding(text, (0, 0, 0, _INDENT), expand=False))
