"""Runs one problem after another through `nas compare`'s own machinery, and keeps what it finds as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.controllers.problems import TableProblem
from benchmarks.peers.catalog import PEERS
from nas.cli.compare import judged_parts, make_settings
from nas.cli.contest import Contest, Told
from nas.comparing.statistics import mean_interval, median_interval
from nas.comparing.summary import Column, make_columns
from nas.config import parse_config

POOLED = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure: `measure` of one column after `trials`, over the seeds of one device or of all."""

    device: str
    limit_ms: float | None
    column: str
    charged: str
    measure: str
    trials: int
    seeds: int
    median: float
    low: float
    high: float
    mean: float


def race(
    problem: TableProblem,
    out: Path,
    *,
    controllers: str,
    described: Mapping[str, Any],
    repeats: int,
    workers: int,
    feasible: int | None,
    told: Told,
) -> list[Column]:
    """The columns of one problem; seeds that an earlier call finished are read.

    Args:
        problem: what is searched.
        out: folder of this device.
        controllers: as `nas compare --controllers` takes them.
        described: labels with options, as in a file's `compare.controllers`.
        repeats: seeds.
        workers: processes.
        feasible: feasible evaluations a peer gets.
        told: hears of each seed.
    """
    config = parse_config({**problem.config, "compare": {"controllers": dict(described)}})
    settings = make_settings(config, controllers=controllers, repeats=repeats)
    contest = Contest(config=config, settings=settings, out=out, workers=workers, feasible=feasible)
    parts, truth = judged_parts(contest)
    if truth is None:
        raise RuntimeError(f"{problem.device}: the table knows no optimum")
    records = contest.run(parts, told)
    return make_columns(settings.entrants, records, truth, peers=tuple(PEERS), trials=config.budget.trials)


def rows(
    problems: Sequence[TableProblem], columns: Sequence[Sequence[Column]], measure: str, at: Iterable[int]
) -> Iterator[Row]:
    """A row for every device and column, then one over all devices, at every number of trials.

    Args:
        problems: one a device.
        columns: of each problem, the same ones in the same order.
        measure: `regret`, or `hypervolume`.
        at: numbers of trials.
    """
    places = list(at)
    for index, column in enumerate(columns[0]):
        curves = [_curves(each[index], measure) for each in columns]
        for trials in places:
            for problem, values in zip(problems, curves, strict=True):
                yield _row(problem.device, problem.limit_ms, column, measure, trials, values[:, trials - 1])
            pooled = np.concatenate([values[:, trials - 1] for values in curves])
            yield _row(POOLED, None, column, measure, trials, pooled)


def target_rows(problems: Sequence[TableProblem], columns: Sequence[Sequence[Column]], target: float) -> Iterator[Row]:
    """Trials until the share `target` of the hypervolume, for every device and column, and over all."""
    for index, column in enumerate(columns[0]):
        reached = [each[index].trials_to(target) for each in columns]
        measure = f"trials to {target:.0%} of the hypervolume"
        for problem, values in zip(problems, reached, strict=True):
            yield _row(problem.device, None, column, measure, column.trials, values)
        yield _row(POOLED, None, column, measure, column.trials, np.concatenate(reached))


def _curves(column: Column, measure: str) -> NDArray[np.float64]:
    return column.loss if measure == "regret" else column.volume


def _row(
    device: str, limit_ms: float | None, column: Column, measure: str, trials: int, values: NDArray[np.float64]
) -> Row:
    median, low, high = median_interval(values)
    return Row(
        device=device,
        limit_ms=limit_ms,
        column=column.label,
        charged=column.charge,
        measure=measure,
        trials=trials,
        seeds=len(values),
        median=float(median),
        low=float(low),
        high=float(high),
        mean=mean_interval(values)[0],
    )
