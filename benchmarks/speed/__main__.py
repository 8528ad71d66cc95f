"""`python -m benchmarks.speed [NAME…] [--quick] [--csv FILE]`: measure the tool itself; `make bench` runs it all."""

from __future__ import annotations

import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.speed.catalog import MEASUREMENTS, run_alone
from benchmarks.speed.row import Row
from benchmarks.speed.show import csv_rows, print_results, this_machine, write_csv
from searchspaces.errors import InputError, MissingError, NoResultError

DEFAULT_CSV = Path(__file__).parents[1] / "results" / "speed.csv"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice(list(MEASUREMENTS)), metavar="[NAME]…")
@click.option("--quick", is_flag=True, help="Small sizes: shows that everything runs; the figures are rough.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Where the figures go; a full run of everything writes benchmarks/results/speed.csv without being told.",
)
def main(names: tuple[str, ...], quick: bool, csv_path: Path | None) -> None:
    """Measure the tool itself and print one table: all of it, or by NAME.

    Names are start-up, describe, table, proposals, writer, streams, ray and memory.

    A missed target is printed and leaves the exit status at 0; a measurement that cannot be made leaves it at 1.
    """
    if csv_path is None and not names and not quick:
        csv_path = DEFAULT_CSV
    if csv_path is not None:
        csv_path.parent.mkdir(parents=True, exist_ok=True)
    at, machine = datetime.now(UTC).isoformat(timespec="seconds"), this_machine()
    results: dict[str, list[Row]] = {}
    failed = False
    for name in names or tuple(MEASUREMENTS):
        start = time.monotonic()
        try:
            results[name] = run_alone(MEASUREMENTS[name], quick=quick)
        except (InputError, MissingError, NoResultError) as error:
            failed = True
            click.echo(f"{name}: not measured: {error}", err=True)
        else:
            click.echo(f"{name}: done in {time.monotonic() - start:.0f} s", err=True)
    if results:
        print_results(results, machine)
    if csv_path is not None and results:
        command = shlex.join(["python", "-m", "benchmarks.speed", *sys.argv[1:]])
        write_csv(csv_path, csv_rows(results, machine, at=at, command=command))
        click.echo(f"written to {csv_path}")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
