"""`nas plan`: what a search would meet, without training anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import format_value, json_option, print_json
from nas.cli.search import set_option, show_held_out
from searchspaces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nas.config import SearchConfig

_MOST = 100_000
_BINS = 8
_BAR = 24
_RARE = 0.05


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--samples", default=500, show_default=True, type=click.IntRange(1), help="Architectures looked at.")
@set_option
@json_option
def plan(config: Path, samples: int, overrides: tuple[str, ...], as_json: bool) -> None:
    """Dry run of the search in the file CONFIG: acceptance, duplicates, costs, estimated time; trains nothing."""
    from nas.config import load_config

    if samples > _MOST:
        raise InputError(f"--samples: expected at most {_MOST:,}, got {samples}; a few hundred tell enough.")
    data = make_plan(load_config(config, overrides), samples)
    if as_json:
        print_json(data)
    else:
        _show(data)


def make_plan(config: SearchConfig, samples: int) -> dict[str, Any]:
    """Sample the space as random search would, and count."""
    import time

    import numpy as np

    from nas.cli.assemble import cost_metrics, make_engine, make_parts
    from nas.proposing import Acceptance

    make_engine(config)
    parts = make_parts(config)
    metrics = cost_metrics(config, parts.evaluator)
    # A measured cost takes a moment each: look at fewer of those, and say so.
    measured = [metric for metric in metrics if "@" in metric and not (parts.evaluator and parts.evaluator.cheap)]
    looked_at = min(samples, 40) if measured else samples
    architectures = parts.space.sample(np.random.default_rng(config.seed), looked_at)
    tallies = {str(constraint): Acceptance() for constraint in config.constraints}
    values: dict[str, list[float]] = {metric: [] for metric in metrics}
    reasons: dict[str, int] = {}
    start = time.perf_counter()
    for architecture in architectures:
        found = parts.costs.assess(architecture, metrics, config.constraints)
        for constraint in found.checked:
            tallies[str(constraint)].checked += 1
            tallies[str(constraint)].accepted += constraint not in found.violated
        for metric, value in found.metrics.items():
            values[metric].append(value)
        if found.reason is not None:
            reasons[found.reason] = reasons.get(found.reason, 0) + 1
    seconds = (time.perf_counter() - start) / looked_at
    infeasible = sum(reasons.values())
    held_out = {metric: errors.to_dict() for metric, errors in parts.held_out.items()}
    acceptance = 1 - infeasible / looked_at
    return {
        "space": {"name": parts.space.name, "size": parts.space.size, "input": parts.space.input_shape},
        "samples": looked_at,
        "acceptance": {text: tally.rate for text, tally in tallies.items()},
        "feasible": acceptance,
        "infeasible_reasons": reasons,
        "duplicates": 1 - len(set(architectures)) / looked_at,
        "costs": {metric: _histogram(found) for metric, found in values.items() if found},
        "seconds_per_proposal": seconds / acceptance if acceptance else None,
        "trials": config.budget.trials,
        **({"held_out": held_out} if held_out else {}),
        "estimated_s": _estimate(config, seconds / acceptance if acceptance else None),
    }


def _estimate(config: SearchConfig, proposal_s: float | None) -> float | None:
    """Upper bound of the search's seconds: its time limits, and the time proposals take."""
    if proposal_s is None:
        return None
    bounds = []
    if config.budget.trial_s is not None and config.evaluator["name"] == "train":
        workers = config.engine.get("workers") or 1
        bounds.append(config.budget.trials * (config.budget.trial_s / workers + proposal_s))
    if config.evaluator["name"] in ("table", "surrogate"):
        bounds.append(config.budget.trials * proposal_s)
    if config.budget.wall_clock_s is not None:
        bounds.append(config.budget.wall_clock_s)
    return min(bounds, default=None)


def _histogram(found: Sequence[float]) -> dict[str, Any]:
    import numpy as np

    counts, edges = np.histogram(found, bins=_BINS)
    low, median, high = np.quantile(found, [0, 0.5, 1])
    return {
        "min": float(low),
        "median": float(median),
        "max": float(high),
        "counts": counts.tolist(),
        "edges": edges.tolist(),
    }


def _show(data: dict[str, Any]) -> None:
    space = data["space"]
    click.echo(f"space {space['name']}: {space['size']:,} architectures; looked at {data['samples']}")
    click.echo(f"feasible: {data['feasible']:.1%}; duplicates: {data['duplicates']:.1%}")
    for text, rate in data["acceptance"].items():
        click.echo(f"  {text}: kept by {rate:.1%}" + ("  — almost nothing keeps it" if rate < _RARE else ""))
    if not data["feasible"]:
        click.echo("  nothing looked at was feasible: loosen a constraint")
    show_held_out(data.get("held_out", {}))
    for metric, figures in data["costs"].items():
        click.echo(
            f"{metric}: {format_value(figures['min'])} … {format_value(figures['median'])} … "
            f"{format_value(figures['max'])}"
        )
        most = max(figures["counts"])
        for count, left, right in zip(figures["counts"], figures["edges"], figures["edges"][1:], strict=False):
            span = f"{format_value(left)} – {format_value(right)}"
            click.echo(f"  {span:>23} {'█' * round(_BAR * count / most)} {count}")
    seconds = data["estimated_s"]
    rest = "set budget.trial_s or wall_clock_s for a bound" if seconds is None else f"at most {seconds:,.0f} s"
    click.echo(f"{data['trials']} trials: {rest}")
