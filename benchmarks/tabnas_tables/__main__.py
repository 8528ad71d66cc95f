"""`python -m benchmarks.tabnas_tables`: build the tables of trained networks, and compare controllers on them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import click

RESULTS = Path(__file__).parents[1] / "results" / "tabnas"
FIVE = ("adult", "connect_4", "letter", "optdigits", "shuttle")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Build tables of trained networks, and compare controllers on them."""


@main.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--set", "names", multiple=True, default=FIVE, show_default=True, help="Data set; may be repeated.")
@click.option("--layers", default=2, show_default=True, type=click.IntRange(2, 4), help="Hidden layers.")
@click.option("--seeds", default=2, show_default=True, type=click.IntRange(1), help="Trainings of each network.")
@click.option("--networks", type=click.IntRange(1), help="Only so many, a uniform sample; by default all.")
@click.option("--train-rows", default=4000, show_default=True, type=click.IntRange(1), help="Rows to train on.")
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1), help="Passes over these rows.")
@click.option("--out", default=RESULTS, show_default=True, type=click.Path(file_okay=False, path_type=Path))
def build(
    data: Path,
    names: tuple[str, ...],
    layers: int,
    seeds: int,
    networks: int | None,
    train_rows: int,
    epochs: int,
    out: Path,
) -> None:
    """Train every network of each set whose file is in the folder DATA; the same command goes on after a stop."""
    # Before NumPy is loaded: products this small are slower on several threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from benchmarks.tabnas_tables.build import Plan, build_table
    from benchmarks.tabnas_tables.data import read_data
    from benchmarks.tabnas_tables.mlp import Recipe

    plan = Plan(layers=layers, seeds=seeds, networks=networks, recipe=Recipe(epochs=epochs))
    suffix = "" if networks is None else f"-{networks}"
    command = shlex.join(["python", "-m", "benchmarks.tabnas_tables", *(Path(each).name for each in sys.argv[1:])])
    for name in names:
        path = out / f"{name}-{layers}{suffix}.csv"
        build_table(read_data(name, data, train_rows=train_rows), plan, path, command=command, tell=_teller(name))
        click.echo(f"written to {path}")


def _teller(name: str) -> Callable[[int, int], None]:
    def tell(done: int, wanted: int) -> None:
        if done == wanted or done % 100 == 0:
            click.echo(f"{name}: {done} of {wanted}", err=True)

    return tell


if __name__ == "__main__":
    main()
