"""`python -m benchmarks.tabnas_tables`: build the tables of trained networks, and compare controllers on them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import click

from searchspaces.errors import InputError

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
@click.option("--most-params", type=click.IntRange(1), help="Only networks with up to so many parameters.")
@click.option("--train-rows", default=4000, show_default=True, type=click.IntRange(1), help="Rows to train on.")
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1), help="Passes over these rows.")
@click.option("--out", default=RESULTS, show_default=True, type=click.Path(file_okay=False, path_type=Path))
def build(
    data: Path,
    names: tuple[str, ...],
    layers: int,
    seeds: int,
    networks: int | None,
    most_params: int | None,
    train_rows: int,
    epochs: int,
    out: Path,
) -> None:
    """Train every network of each set whose file is in the folder DATA.

    The same command goes on after a stop; a table that was begun with fewer networks grows.
    """
    # Before NumPy is loaded: products this small are slower on several threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from benchmarks.tabnas_tables.build import Plan, build_table
    from benchmarks.tabnas_tables.data import read_data
    from benchmarks.tabnas_tables.mlp import Recipe

    plan = Plan(layers=layers, seeds=seeds, networks=networks, most_params=most_params, recipe=Recipe(epochs=epochs))
    for name in names:
        path = out / f"{name}-{layers}.csv"
        build_table(read_data(name, data, train_rows=train_rows), plan, path, command=_command(), tell=_teller(name))
        click.echo(f"written to {path}")


@main.command()
@click.argument("tables", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--steps", default=1000, show_default=True, type=click.IntRange(1), help="Of every policy.")
@click.option("--runs", default=100, show_default=True, type=click.IntRange(2), help="Policies of every way.")
@click.option("--learning-rate", "rates", multiple=True, default=(0.05, 0.1), show_default=True, type=float)
@click.option("--share", default=0.1, show_default=True, help="Of the networks that the limit leaves.")
@click.option("--csv", "out", default=RESULTS / "policies.csv", show_default=True, type=click.Path(path_type=Path))
def policies(
    tables: tuple[Path, ...], steps: int, runs: int, rates: tuple[float, ...], share: float, out: Path
) -> None:
    """Where policies end under rejection and under shaped rewards, on TABLES; by default on all that were built."""
    from benchmarks.tabnas_tables.compare import POLICY_COLUMNS, policy_rows, ways, write_rows
    from benchmarks.tabnas_tables.truth import read_truth

    truths = (read_truth(path, share=share) for path in tables or _built())
    every = [way for rate in rates for way in ways(rate)]
    rows = (row for truth in truths for row in policy_rows(truth, every, steps=steps, runs=runs))
    count = write_rows(out, POLICY_COLUMNS, _known(), rows)
    click.echo(f"{count} rows written to {out}")


@main.command()
@click.argument("tables", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--trained", multiple=True, default=(5, 10, 20, 30), show_default=True, type=click.IntRange(1))
@click.option("--seeds", default=50, show_default=True, type=click.IntRange(2), help="Searches of every controller.")
@click.option("--share", default=0.1, show_default=True, help="Of the networks that the limit leaves.")
@click.option("--csv", "out", default=RESULTS / "searches.csv", show_default=True, type=click.Path(path_type=Path))
def searches(tables: tuple[Path, ...], trained: tuple[int, ...], seeds: int, share: float, out: Path) -> None:
    """What controllers have found after so many trained networks, on TABLES; by default on all that were built."""
    from benchmarks.tabnas_tables.compare import SEARCH_COLUMNS, search_rows, write_rows
    from benchmarks.tabnas_tables.searches import CONTENDERS, Field
    from benchmarks.tabnas_tables.truth import read_truth

    fields = (Field(read_truth(path, share=share)) for path in tables or _built())
    rows = (row for field in fields for row in search_rows(field, CONTENDERS, trained=trained, seeds=seeds))
    count = write_rows(out, SEARCH_COLUMNS, _known(), rows)
    click.echo(f"{count} rows written to {out}")


@main.command()
@click.option("--csv", "path", default=RESULTS / "policies.csv", show_default=True, type=click.Path(path_type=Path))
def verdict(path: Path) -> None:
    """What a comparison of policies says of the paper's claim, a line for every table, end and kind of regret."""
    from benchmarks.tabnas_tables.verdict import read_recorded
    from benchmarks.tabnas_tables.verdict import verdict as judge

    rows = read_recorded(path)
    for table in dict.fromkeys(row["table"] for row in rows):
        for end, regret in product(("mode", "draws"), ("regret", "seen_regret")):
            found = judge(rows, table, end=end, regret=regret)
            click.echo(
                f"{table} {end} {regret}: rejection {found.feasible:.0%} within, {found.regret:.2f} points below; best "
                f"shaped {found.best}: {found.best_feasible:.0%}, {found.best_regret:.2f}; "
                f"{found.better} better and {found.worse} worse of {found.shaped}"
            )


def _built() -> list[Path]:
    """The tables of results that hold all of their space."""
    return sorted(RESULTS.glob("*-[234].csv"))


def _known() -> dict[str, str]:
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "command": _command()}


def _command() -> str:
    """What was typed, without this machine's folders."""
    return shlex.join(["python", "-m", "benchmarks.tabnas_tables", *(Path(each).name for each in sys.argv[1:])])


def _teller(name: str) -> Callable[[int, int], None]:
    def tell(done: int, wanted: int) -> None:
        if done == wanted or done % 100 == 0:
            click.echo(f"{name}: {done} of {wanted}", err=True)

    return tell


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
