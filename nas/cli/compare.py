"""`nas compare`: controllers and peers on one problem, at equal budgets, over many seeds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import format_value, json_option, print_json, print_table
from nas.cli.search import set_option
from searchspaces.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nas.cli.assemble import Parts
    from nas.cli.contest import Contest
    from nas.comparing.record import SeedRecord
    from nas.comparing.settings import Settings
    from nas.comparing.truth import Truth
    from nas.config import SearchConfig

_LEAST_SEEDS = 20


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--controllers",
    metavar="A,B,…",
    help="Names, labels of the file, or names with options such as evolution:population=16. Default: the file's.",
)
@click.option("--repeats", type=click.IntRange(1), help="Seeds of each.  [default: 20]")
@click.option("--judge", multiple=True, metavar="OBJECTIVE=COLUMN", help="Judge by a column no controller sees.")
@click.option("--target", type=float, help="Regret to reach, or with several objectives the hypervolume share.")
@click.option("--workers", type=click.IntRange(1), help="Processes, at most.  [default: one a core]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default runs/NAME-compare of the file.")
@set_option
@json_option
def compare(
    config: Path,
    controllers: str | None,
    repeats: int | None,
    judge: tuple[str, ...],
    target: float | None,
    workers: int | None,
    out: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare controllers on the search that the file CONFIG describes; the same command goes on after a stop.

    Every controller gets the same number of trials (budget.trials) and the same seeds. Random search always takes
    part. Peers (optuna-tpe, optuna-nsga2, pymoo-nsga2) have two columns: charged for every
    trial, as they charge themselves, and for feasible trials alone. Writes seeds/, summary.csv, curves.csv, seeds.csv,
    comparison.png and index.html into the folder.
    """
    from nas.cli.contest import Contest
    from nas.config import load_config

    search = load_config(config, overrides)
    settings = make_settings(search, controllers=controllers, repeats=repeats, judge=judge, target=target)
    folder = out or Path("runs") / f"{config.stem}-compare"
    contest = Contest(config=search, settings=settings, out=folder, workers=workers or os.cpu_count() or 1)
    data = run_contest(contest)
    if as_json:
        print_json(data)
    else:
        show(data)


def make_settings(config: SearchConfig, **options: Any) -> Settings:
    """The comparison's settings with every name and option checked, before anything runs."""
    from benchmarks.peers.catalog import PEERS, find_peer
    from nas.comparing.settings import read_settings
    from nas.controllers.catalog import CONTROLLERS
    from nas.options import check_options

    if config.budget.wall_clock_s is not None:
        raise InputError(
            "budget.wall_clock_s: expected none in a comparison, whose budgets are equal in trials, got "
            f"{config.budget.wall_clock_s}; add --set budget.wall_clock_s=null."
        )
    settings = read_settings(config.compare, config.objectives, [*CONTROLLERS, *PEERS], **options)
    for entrant in settings.entrants:
        if entrant.name in PEERS:
            find_peer(entrant)
        else:
            check_options(f"controller {entrant.name}", CONTROLLERS[entrant.name], entrant.options)
    return settings


def run_contest(contest: Contest) -> dict[str, Any]:
    """Run what is missing, judge it, write the report, and give the record that is printed."""
    from benchmarks.peers.catalog import PEERS
    from nas.comparing.summary import VOLUME_TARGET, checkpoints, make_columns, summarise
    from nas.comparing.tables import comparison_tables
    from nas.comparing.truth import truth_of_records
    from reports.comparison_page import write_comparison

    config, settings = contest.config, contest.settings
    parts, truth = judged_parts(contest)
    records = contest.run(parts, _tell)
    if truth is None:
        truth = truth_of_records([record for each in records.values() for record in each], config.objectives)
    at = checkpoints(config.budget.trials)
    target = settings.target
    if target is None:
        target = VOLUME_TARGET if len(config.objectives) > 1 else 0.0
    columns = make_columns(settings.entrants, records, truth, peers=tuple(PEERS), trials=config.budget.trials)
    rows = summarise(columns, target=target, at=at)
    described = {
        "space": config.space["name"],
        "objectives": list(map(str, config.objectives)),
        "judged_by": list(settings.judged_by(config.objectives)),
        "constraints": list(map(str, config.constraints)),
        "trials": config.budget.trials,
        "repeats": settings.repeats,
        "first_seed": config.seed,
        "target": target,
    }
    reference = {
        "kind": "table" if truth.complete else "best seen",
        "feasible": truth.rows,
        "best": truth.best,
        "id": truth.best_id,
        "front": len(truth.front),
        "corner": truth.reference.tolist(),
    }
    tables = comparison_tables(columns, rows, described=described, reference=reference, at=at, config=config.to_dict())
    files = write_comparison(tables, contest.out)
    return {
        "out": str(contest.out),
        **described,
        "reference": reference,
        "checkpoints": list(at),
        "columns": rows,
        "files": [str(path) for path in files],
    }


def show(data: Mapping[str, Any]) -> None:
    """Print the comparison for a person."""
    several = len(data["objectives"]) > 1
    kind = "of the table" if data["reference"]["kind"] == "table" else "anyone found"
    limits = f" under {', '.join(data['constraints'])}" if data["constraints"] else ""
    click.echo(f"{data['space']}: {', '.join(data['objectives'])}{limits}")
    best = f"{format_value(data['reference']['best'])} ({data['reference']['id']})"
    click.echo(f"{data['trials']} trials, {data['repeats']} seeds; the best {kind} is {best}")
    if data["repeats"] < _LEAST_SEEDS:
        click.echo(
            f"{data['repeats']} seeds say little: {_LEAST_SEEDS} or more give intervals worth reading.", err=True
        )
    measure = "hypervolume" if several else "regret"
    rows = []
    for column in data["columns"]:
        at = column[f"{measure}_at"]
        rows.append(
            {
                "controller": column["label"] + (" *" if column["is_best"] else ""),
                **{f"@{trials}": _shown(at[str(trials)]["median"]) for trials in data["checkpoints"][-2:]},
                "95 %": f"{_shown(column[measure]['low'])} – {_shown(column[measure]['high'])}",
                "optimum": f"{column['found_optimum']:.0%}",
                "p random": _shown(column["p_against_random"], "–"),
                "p best": _shown(column["p_against_best"], "–"),
            }
        )
    print_table(rows, title=f"Median {measure} after @ trials, * the best; p: Wilcoxon over seeds, Holm")
    click.echo(f"{data['out']}/index.html")


def _shown(value: float | None, without: str = "never") -> str:
    import math

    return without if value is None or not math.isfinite(value) else format_value(float(value))


def judged_parts(contest: Contest) -> tuple[Parts, Truth | None]:
    """The parts, and the table's optimum where a table knows it; an `InputError` for a column that cannot judge."""
    from nas.cli.assemble import make_parts
    from nas.comparing.truth import truth_of_table
    from nas.evaluators.table import TableEvaluator

    config, settings = contest.config, contest.settings
    parts = make_parts(config)
    if parts.evaluator is None:
        raise InputError("evaluator: expected one to compare with, got none; write for example {name: table, path: F}.")
    for metric in settings.judge.values():
        if metric not in parts.evaluator.metrics:
            raise unknown_name("compare.judge: metric", metric, parts.evaluator.metrics)
        if not parts.evaluator.cheap:
            raise InputError(
                f"compare.judge: a training finds {' and '.join(parts.evaluator.metrics)} on one split, so {metric} "
                "cannot judge it; leave it out."
            )
    judged_by = settings.judged_by(config.objectives)
    needed = {*judged_by, *(constraint.metric for constraint in config.constraints)}
    if isinstance(parts.evaluator, TableEvaluator) and needed <= set(parts.evaluator.metrics):
        return parts, truth_of_table(parts.evaluator.rows, config.objectives, judged_by, config.constraints)
    return parts, None


def _tell(record: SeedRecord, done: int, total: int) -> None:
    click.echo(f"{done}/{total} seeds · {record.label} seed {record.seed}: {len(record)} evaluations", err=True)
