"""`nas report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report; default RUN/report.")
@click.option("--measure/--no-measure", default=True, help="Measure the winners again, quietly, on the host's targets.")
def report(runs: tuple[Path, ...], out: Path | None, measure: bool) -> None:
    """Write index.html, pareto.png, pareto.csv and trials.csv for one or several RUN folders.

    A run whose controller is random is the baseline of the others.
    """
    from nas.cli.evidence import run_tables
    from reports.page import write_report

    tables = [run_tables(run, measure=measure) for run in runs]
    files = write_report(tables, out or runs[0] / "report")
    for path in (files.index_html, files.pareto_png, files.pareto_csv, files.trials_csv):
        click.echo(str(path))
