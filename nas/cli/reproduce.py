"""`nas reproduce`: what was published, and what comes out here."""

from __future__ import annotations

import click

from nas.cli.output import json_option, print_json


@click.command()
@click.option("--system", "names", multiple=True, metavar="NAME", help="Such as bignas; may be repeated. Default: all.")
@json_option
def reproduce(names: tuple[str, ...], as_json: bool) -> None:
    """Show published figures beside ours, row by row, with a verdict.

    Ours is found anew from the network or the space. equal: the same number. within: as near as the printed digits or
    a stated tolerance ask for. differs: neither, and the note says why. not reproducible here: the note says what is
    missing. unconfirmed: the published figure itself is not certain, and counts as no target. The exit status is 0
    whatever the verdicts are.
    """
    from benchmarks.reproduce.figures import load_system, system_names
    from benchmarks.reproduce.rows import reproduce as compare

    systems = [load_system(name) for name in dict.fromkeys(names or system_names())]
    rows = list(compare(systems))
    if as_json:
        print_json([row.to_dict() for row in rows])
        return
    from rich.console import Console

    from benchmarks.reproduce.show import counted, print_system

    console = Console(highlight=False)
    for system in systems:
        print_system(system, [row for row in rows if row.system == system.name], console)
    if len(systems) > 1:
        console.print(f"All {len(systems)} systems: {counted(rows)}")
