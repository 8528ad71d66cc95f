"""`nas search`, `nas resume`, `nas status`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import format_value, json_option, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nas.config import SearchConfig
    from nas.pareto import Objective
    from nas.proposing import Acceptance
    from nas.store import Event
    from nas.trial import Trial

set_option = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as budget.trials=200.")
_SHOWN = 12


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Run folder; default runs/NAME of the file.")
@set_option
@click.option("--engine.address", "address", help="Ray cluster to join: auto or host:port.")
@json_option
def search(config: Path, out: Path | None, overrides: tuple[str, ...], address: str | None, as_json: bool) -> None:
    """Run the search that the file CONFIG describes, or continue it if --out holds the same one."""
    from nas.config import load_config

    if address is not None:
        overrides = (*overrides, f"engine.address={address}")
    run_search(load_config(config, overrides), out or Path("runs") / config.stem, as_json=as_json)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@set_option
@json_option
def resume(run: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Continue the search in folder RUN, or extend it (--set budget.trials=200)."""
    from nas.config import override
    from nas.run_folder import read_run

    run_search(override(read_run(run), overrides), run, as_json=as_json)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@json_option
def status(run: Path, as_json: bool) -> None:
    """Say where the search in folder RUN stands."""
    from nas.run_folder import is_driven, read_log, read_run

    config = read_run(run)
    with read_log(run) as log:
        trials = log.trials()
        rates = {text: tally.rate for text, tally in acceptance_tallies(log.events()).items()}
    summary = summarise(run, config, trials, rates, driven=is_driven(run))
    show(summary, config.objectives, as_json=as_json)


def run_search(config: SearchConfig, out: Path, *, as_json: bool) -> None:
    """Run or continue a search, show it while it runs, and print what it came to."""
    from nas.cli.assemble import make_engine, make_parts, make_search
    from nas.cli.progress import SearchProgress
    from nas.run_folder import RunFolder

    engine = make_engine(config)
    parts = make_parts(config)
    with RunFolder(out, config) as folder:
        made = make_search(config, folder, parts)
        folder.keep_held_out(parts.held_out)
        if parts.evaluator is not None:
            with SearchProgress() as progress:
                engine.run(made, parts.evaluator, out, progress)
        rates = {text: tally.rate for text, tally in made.acceptance.items()}
        summary = summarise(out, config, list(made.trials.values()), rates, driven=False)
    if made.ended is not None:
        click.echo(f"search ended early: {made.ended}", err=True)
    show(summary, config.objectives, as_json=as_json)


def summarise(
    run: Path, config: SearchConfig, trials: Sequence[Trial], acceptance: Mapping[str, float], *, driven: bool
) -> dict[str, Any]:
    """The record that search, resume and status print."""
    from nas.run_folder import read_held_out
    from nas.search import pareto_front
    from nas.trial import STATES

    counts = dict.fromkeys(STATES, 0)
    for trial in trials:
        counts[trial.state] += 1
    front = pareto_front([trial for trial in trials if trial.state == "COMPLETE"], config.objectives)
    spent = counts["COMPLETE"] + counts["FAILED"]
    state = "running" if driven else "complete" if spent >= config.budget.trials else "stopped"
    entries = [{"id": trial.architecture.id, "metrics": dict(trial.metrics)} for trial in front]
    return {
        "run": str(run),
        "state": state,
        "trials": counts,
        "acceptance": dict(acceptance),
        "best": entries[0] if entries else None,
        "front": entries,
        "seconds": sum(trial.seconds or 0.0 for trial in trials),
        "seconds_left": _seconds_left(trials, spent, config.budget.trials),
        **({"held_out": held_out} if (held_out := read_held_out(run)) else {}),
    }


def acceptance_tallies(events: Iterable[Event]) -> dict[str, Acceptance]:
    """How often each constraint was looked at and kept, from the log."""
    from nas.proposing import Acceptance

    tallies: dict[str, Acceptance] = {}
    for event in events:
        violated = set(event.data.get("violated", ()))
        for text in event.data.get("checked", ()):
            tally = tallies.setdefault(text, Acceptance())
            tally.checked += 1
            tally.accepted += text not in violated
    return tallies


def show(summary: Mapping[str, Any], objectives: Sequence[Objective], *, as_json: bool) -> None:
    """Print a summary for a person or a program."""
    if as_json:
        print_json(summary)
        return
    counts = ", ".join(f"{count} {state.lower()}" for state, count in summary["trials"].items() if count)
    click.echo(f"{summary['run']}: {summary['state']} ({counts or 'no trials yet'})")
    for constraint, rate in summary["acceptance"].items():
        warning = "  — almost nothing keeps it" if rate < 0.05 else ""
        click.echo(f"  {constraint}: kept by {rate:.1%}{warning}")
    show_held_out(summary.get("held_out", {}))
    if not summary["front"]:
        return
    named = [objective.metric for objective in objectives]
    rows = [
        {"id": entry["id"], **{name: entry["metrics"].get(name) for name in _columns(entry, named)}}
        for entry in summary["front"][:_SHOWN]
    ]
    print_table(rows, title=f"Pareto front ({len(summary['front'])})")
    if len(summary["front"]) > _SHOWN:
        click.echo(f"  … and {len(summary['front']) - _SHOWN} more (--json shows all)")
    if summary["seconds_left"]:
        click.echo(f"about {format_value(round(summary['seconds_left']))} s left")


def show_held_out(held_out: Mapping[str, Mapping[str, Any]]) -> None:
    """How well each predicted metric was predicted where it had been measured."""
    from nas.held_out import HeldOut

    for metric, errors in held_out.items():
        click.echo(f"  {metric} is predicted: {HeldOut(**errors)}")


def _columns(entry: Mapping[str, Any], named: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*named, *(name for name in ("params", "macs") if name in entry["metrics"])]))


def _seconds_left(trials: Sequence[Trial], spent: int, wanted: int) -> float | None:
    """By the pace of the last trials; None where there is none yet or nothing is left."""
    ends = sorted(trial.at for trial in trials if trial.state in ("COMPLETE", "FAILED"))[-20:]
    if len(ends) < 2 or spent >= wanted:
        return None
    pace = (ends[-1] - ends[0]) / (len(ends) - 1)
    return max(0.0, pace * (wanted - spent) - (time.time() - ends[-1] if pace > 60 else 0.0))
