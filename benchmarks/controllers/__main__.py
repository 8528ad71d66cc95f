"""`python -m benchmarks.controllers regret|front FOLDER`: the figures of README, from the published files in FOLDER."""

from __future__ import annotations

import csv
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.controllers import problems as tables
from benchmarks.controllers.problems import DEVICES, TableProblem
from benchmarks.controllers.race import POOLED, Row, race, rows, target_rows
from benchmarks.controllers.verdicts import front_verdicts, regret_verdicts
from hardware_profiles.fingerprint import host_fingerprint
from nas.comparing.record import SeedRecord
from nas.comparing.summary import VOLUME_TARGET, Column

RESULTS = Path(__file__).parents[1] / "results"
REGRET_AT = (50, 100, 150, 200, 400, 500)
FRONT_AT = (50, 100, 200, 400, 800)
PEERS = "optuna-tpe,optuna-nsga2,pymoo-nsga2"

_repeats = click.option("--repeats", default=30, show_default=True, type=click.IntRange(1), help="Seeds.")
_devices = click.option("--device", "devices", multiple=True, default=DEVICES, help="May be repeated; default: six.")
_workers = click.option("--workers", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(1))
_out = click.option("--out", default=Path("runs/controllers"), show_default=True, type=click.Path(path_type=Path))
_csv = click.option("--csv", "table", type=click.Path(path_type=Path, dir_okay=False), help="Where the figures go.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Controllers and peers on NAS-Bench-201; FOLDER holds the published files. Each goes on where it stopped."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--controllers", default="random,evolution", show_default=True, help="As of nas compare.")
@click.option("--peers", default=PEERS, show_default=True, help="The same; empty for none.")
@click.option("--trials", default=500, show_default=True, type=click.IntRange(8), help="Of every controller.")
@click.option("--dear", default="predictor", show_default=True, help="Controllers whose proposals take a while.")
@click.option("--dear-trials", default=200, show_default=True, type=click.IntRange(8), help="Of each of those.")
@click.option("--peer-trials", default=400, show_default=True, type=click.IntRange(8), help="Of every peer.")
@_repeats
@_devices
@_workers
@_out
@_csv
def regret(
    folder: Path,
    controllers: str,
    peers: str,
    trials: int,
    dear: str,
    dear_trials: int,
    peer_trials: int,
    repeats: int,
    devices: tuple[str, ...],
    workers: int,
    out: Path,
    table: Path | None,
) -> None:
    """Regret on CIFAR-100 under a hard latency limit at the 30th percentile of each device."""
    found, path = tables.read_table(folder, out)
    made: list[Row] = []
    groups = (
        ("ours", controllers, trials, None),
        ("dear", dear, dear_trials, None),
        # Their second column is read at half their trials, so that many feasible ones are enough.
        ("peers", peers, peer_trials, peer_trials // 2),
    )
    for kind, names, budget, feasible in groups:
        if not names:
            continue
        limited = list(tables.limited(found, path, trials=budget, devices=devices))
        columns = _run(limited, out / f"regret-{kind}", names, repeats, workers, feasible)
        at = [trials for trials in REGRET_AT if trials <= budget]
        # Random search is in every group; the first tells of it.
        known = {row.column for row in made}
        made += [
            row for row in rows(limited, columns, "regret", at) if row.column not in known and _is_whole(row, feasible)
        ]
    _show(made)
    for verdict in regret_verdicts(made):
        click.echo(verdict)
    _write(made, table or RESULTS / "controllers_regret.csv")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--controllers", default="random,evolution,pymoo-nsga2", show_default=True, help="As of nas compare.")
@click.option("--trials", default=800, show_default=True, type=click.IntRange(8))
@_repeats
@_devices
@_workers
@_out
@_csv
def front(
    folder: Path,
    controllers: str,
    trials: int,
    repeats: int,
    devices: tuple[str, ...],
    workers: int,
    out: Path,
    table: Path | None,
) -> None:
    """Trials to 99 % of the true front's hypervolume, accuracy on CIFAR-100 against latency, without a limit."""
    _, path = tables.read_table(folder, out)
    made = list(tables.fronts(path, trials=trials, devices=devices))
    columns = _run(made, out / "front", controllers, repeats, workers, None)
    at = [each for each in FRONT_AT if each <= trials]
    found = [*rows(made, columns, "hypervolume", at), *target_rows(made, columns, VOLUME_TARGET)]
    found = [row for row in found if "(feasible only)" not in row.column]
    _show(found)
    for verdict in front_verdicts(found):
        click.echo(verdict)
    _write(found, table or RESULTS / "controllers_front.csv")


def _run(
    made: Sequence[TableProblem], out: Path, controllers: str, repeats: int, workers: int, feasible: int | None
) -> list[list[Column]]:
    columns = []
    for problem in made:

        def told(record: SeedRecord, done: int, total: int, device: str = problem.device) -> None:
            if done % 30 == 0 or done == total:
                click.echo(f"{device}: {done}/{total} seeds ({record.label})", err=True)

        folder = out / problem.device
        columns.append(
            race(
                problem,
                folder,
                controllers=controllers,
                described={},
                repeats=repeats,
                workers=workers,
                feasible=feasible,
                told=told,
            )
        )
    return columns


def _is_whole(row: Row, feasible: int | None) -> bool:
    """Whether the column was run so far: that of feasible trials alone ends early."""
    return feasible is None or row.charged == "every trial" or row.trials <= feasible


def _show(made: Iterable[Row]) -> None:
    pooled = [row for row in made if row.device == POOLED]
    for row in pooled:
        click.echo(
            f"{row.column:40s} {row.measure} after {row.trials:4d}: median {row.median:.3f} "
            f"({row.low:.3f} to {row.high:.3f}), mean {row.mean:.3f}, {row.seeds} seeds"
        )


def _write(made: Sequence[Row], path: Path) -> None:
    at, command = datetime.now(UTC).isoformat(timespec="seconds"), shlex.join(sys.argv[1:])
    known = {
        "at": at,
        "machine": f"{platform.machine()} {host_fingerprint('any').id}",
        "command": f"python -m benchmarks.controllers {command}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.DictWriter(stream, [*known, *(field.name for field in fields(Row))], lineterminator="\n")
        out.writeheader()
        for row in made:
            out.writerow({**known, **{name: _text(value) for name, value in asdict(row).items()}})
    click.echo(f"written to {path}")


def _text(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else value


if __name__ == "__main__":
    main()
