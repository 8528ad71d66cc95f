"""`python -m benchmarks.neural_predictor FOLDER`: trials to equal accuracy, predictors against regularised evolution.

The accuracies to reach are what the median seed of evolution has after 50, 100, … of its trials. Every method is asked
how many trials it took each seed to get there, and the ratio of the medians is given with an interval from resampled
seeds.
FOLDER holds the published tables (NAS-Bench-201 with its 15,625 cells, NAS-Bench-Macro); no limits are set.
"""

from __future__ import annotations

import csv
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.tabular import TabularBenchmark, load
from hardware_profiles.fingerprint import host_fingerprint
from nas.controllers.catalog import create_controller
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.trial import Trial

RESULT = Path(__file__).parent / "results" / "neural_predictor.csv"
COLUMNS = ("at", "machine", "command", "table", "method", "seeds", "quantity", "value", "low", "high")
TABLES = ("nasbench201-cells", "nasbench-macro")
METRIC = "cifar10_accuracy_percent"
BASELINE = "evolution"
COUNTS = (50, 100, 200, 500)
_RESAMPLED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A controller and its options; `share` is of evolution's trials, since predictors need fewer."""

    controller: str
    options: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0


def _graph(stages: int) -> Method:
    """As in the paper: N random architectures, one fit, then down the list."""
    options = {"regressor": "graph", "initial": 40, "batch": 0, "acquisition": "mean", "stages": stages}
    return Method(controller="predictor", options={**options, "targets": "values"}, share=0.4)


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "random": Method(controller="random"),
        BASELINE: Method(controller="evolution"),
        # As others remember the paper's baseline; unconfirmed.
        "evolution, population 100": Method(controller="evolution", options={"population": 100, "tournament": 10}),
        "graph network, one stage, N = 40": _graph(1),
        "graph network, two stages, N = 40": _graph(2),
        "graph network, in rounds": Method(
            controller="predictor",
            options={"regressor": "graph", "initial": 20, "batch": 20, "acquisition": "mean"},
            share=0.2,
        ),
        "Gaussian process, in rounds": Method(controller="predictor", share=0.2),
    }
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--table", "names", multiple=True, default=TABLES, show_default=True, type=click.Choice(TABLES))
@click.option("--method", "methods", multiple=True, default=tuple(METHODS), type=click.Choice(tuple(METHODS)))
@click.option("--trials", default=500, show_default=True, type=click.IntRange(20), help="Of evolution and random.")
@click.option("--repeats", default=20, show_default=True, type=click.IntRange(2), help="Seeds.")
@click.option("--csv", "out", default=RESULT, show_default=True, type=click.Path(path_type=Path))
def main(folder: Path, names: tuple[str, ...], methods: tuple[str, ...], trials: int, repeats: int, out: Path) -> None:
    """Run every method on every table, and write down what came out."""
    known = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {host_fingerprint('any').id}",
        "command": " ".join(["python -m benchmarks.neural_predictor", *sys.argv[1:]]),
        "seeds": repeats,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for name in dict.fromkeys(names):
            for row in figures(load(name, folder), dict.fromkeys((BASELINE, *methods)), trials, repeats):
                writer.writerow({**known, "table": name, **row})
                stream.flush()
                click.echo(f"{name}, {row['method']}: {row['quantity']} {row['value']} ({row['low']} to {row['high']})")


def figures(
    benchmark: TabularBenchmark, methods: Mapping[str, Any], trials: int, repeats: int
) -> Iterator[dict[str, Any]]:
    """Of every method its regret, how soon it has the accuracies to reach, and how much sooner than evolution."""
    best = float(benchmark.table.column(METRIC).max())
    goals: dict[int, float] = {}
    baselines: dict[int, NDArray[np.float64]] = {}
    for name in methods:
        method, began = METHODS[name], time.monotonic()
        budget = max(20, int(method.share * trials))
        curves = np.array([best_so_far(benchmark, method, budget, seed) for seed in range(repeats)])
        seconds = (time.monotonic() - began) / repeats
        for count in (each for each in COUNTS if each <= budget):
            yield _row(name, f"regret after {count} trials", *_median(best - curves[:, count - 1]))
            if name == BASELINE:
                goals[count] = float(np.quantile(curves[:, count - 1], 0.5, method="lower"))
        for count, goal in goals.items():
            needed, what = trials_to(curves, goal), f"evolution's accuracy after {count} trials, {goal:.2f} %"
            yield _row(name, f"trials to {what}", *_median(needed))
            if name == BASELINE:
                baselines[count] = needed
            else:
                yield _row(name, f"times fewer trials to {what}", *fewer(baselines[count], needed))
        yield _row(name, "seconds a search", seconds, seconds, seconds)


def best_so_far(benchmark: TabularBenchmark, method: Method, trials: int, seed: int) -> NDArray[np.float64]:
    """The best accuracy after each of `trials` trials, in per cent."""
    problem = Problem(space=benchmark.space, objectives=(Objective.parse(f"maximize {METRIC}"),))
    controller = create_controller(method.controller, problem, method.options)
    proposer, found = Proposer(problem, controller, seed=seed), []
    for number in range(trials):
        proposal = proposer.next(number)
        if proposal is None:
            raise ValueError(f"expected a table of {trials} architectures or more, got {number}")
        metrics = benchmark.table.rows[proposal.architecture]
        controller.update([Trial(number=number, architecture=proposal.architecture, state="COMPLETE", metrics=metrics)])
        found.append(metrics[METRIC])
    return np.maximum.accumulate(found)


def trials_to(curves: NDArray[np.float64], goal: float) -> NDArray[np.float64]:
    """The first trial of each seed with that accuracy; infinite where none has it."""
    reached = curves >= goal
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def fewer(baseline: NDArray[np.float64], needed: NDArray[np.float64]) -> tuple[float, float, float]:
    """The ratio of the medians, and the middle 95 % of those of resampled seeds."""
    rng = np.random.default_rng(0)
    ratios = [_ratio(rng.choice(baseline, len(baseline)), rng.choice(needed, len(needed))) for _ in range(_RESAMPLED)]
    low, high = np.quantile(ratios, (0.025, 0.975), method="nearest")
    return _ratio(baseline, needed), float(low), float(high)


def _ratio(baseline: NDArray[np.float64], needed: NDArray[np.float64]) -> float:
    """Where the median seed never gets there the ratio is 0."""
    before, after = (float(np.quantile(each, 0.5, method="lower")) for each in (baseline, needed))
    return 0.0 if after == np.inf else before / after


def _median(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Median, and the middle 95 % of medians of resampled seeds; infinities stay what they are."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(values, size=(_RESAMPLED, len(values)))
    medians = np.quantile(drawn, 0.5, axis=1, method="lower")
    low, high = np.quantile(medians, (0.025, 0.975), method="nearest")
    return float(np.quantile(values, 0.5, method="lower")), float(low), float(high)


def _row(method: str, quantity: str, value: float, low: float, high: float) -> dict[str, Any]:
    numbers = {"value": value, "low": low, "high": high}
    return {"method": method, "quantity": quantity, **{name: f"{number:.4g}" for name, number in numbers.items()}}


if __name__ == "__main__":
    main()
