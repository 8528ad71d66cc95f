"""`python -m benchmarks.tabular NAME FOLDER OUT`: published files as one clean table for `evaluator: table`."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.tabular import BENCHMARKS, load
from benchmarks.tabular.record import write_csv
from searchspaces.errors import InputError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice(sorted(BENCHMARKS)))
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(name: str, folder: Path, out: Path) -> None:
    """Read the published files of NAME in FOLDER and write OUT (.csv or .csv.gz): ids, and a column a metric."""
    try:
        benchmark = load(name, folder)
        write_csv(benchmark.table, out)
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(2) from error
    part = "all" if benchmark.complete else "a sample"
    click.echo(f"{out}: {len(benchmark.table):,} architectures, {part} of {benchmark.space.size:,}")
    click.echo(f"metrics: {', '.join(benchmark.table.metrics)}")


if __name__ == "__main__":
    main()
