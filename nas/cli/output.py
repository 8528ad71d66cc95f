"""What commands print: one JSON document, or a table for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

_GROUPED_BELOW = 10**12

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def print_json(data: Any) -> None:
    """One JSON document on stdout; numbers that are not finite become null."""
    click.echo(json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(rows: Sequence[Mapping[str, Any]], *, title: str | None = None) -> None:
    """Rows as a table that wraps to the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(format_value(row.get(name)) for name in names))
    Console().print(table)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Names and values in two columns."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name.replace("_", " "), value if isinstance(value, str) else format_value(value))
    Console().print(table)


def format_value(value: Any) -> str:
    """A number as a person writes it: thousands grouped, four digits otherwise, sizes of spaces with an exponent."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not (value.is_integer() and abs(value) >= 1000):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and abs(value) >= _GROUPED_BELOW:
        return f"{value:.3g}"
    if isinstance(value, int | float):
        return f"{int(value):,}"
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
