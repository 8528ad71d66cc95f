"""What Ray adds to a trial, and what a second worker gains."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.evaluators import SleepEvaluator
from benchmarks.speed.row import Row, at_least, median_row, ratio_row
from benchmarks.speed.searches import FinishedSearch, run_search
from benchmarks.speed.timing import in_turns
from nas.evaluators.base import Evaluator

# Trials of one depth take about the same time: six unequal ones would measure how they happen to be dealt out.
_SHALLOWEST = {"depth_1": 1, "depth_2": 2, "depth_3": 2, "depth_4": 2, "depth_5": 2, "depth_6": 2, "depth_7": 1}
_TABLE_EPOCHS = 2


def measure(
    *,
    sleep_trials: int = 10,
    sleep_s: float = 0.5,
    table_trials: int = 6,
    image_trials: int = 6,
    image_epochs: int = 4,
    repeats: int = 1,
) -> list[Row]:
    """Overhead of trials that sleep and of trials that train, then two workers against one.

    Args:
        sleep_trials, sleep_s: how many trials sleep, and how long each.
        table_trials: tiny TabNAS networks trained on iris, with Ray and without.
        image_trials, image_epochs: BigNAS networks trained on 32×32 digits by one worker and by two; 0 leaves it out.
        repeats: of that comparison.
    """
    rows = _overhead_rows(sleep_trials, sleep_s) + _training_rows(table_trials)
    if image_trials:
        rows += _scaling_rows(image_trials, image_epochs, repeats)
    return rows


def _overhead_rows(trials: int, sleep_s: float) -> list[Row]:
    done = _search(_tiny(trials, _ray(1)), wrap=lambda evaluator: SleepEvaluator(sleep_s))
    return [
        Row(
            name="Ray's start, to the first trial",
            value=done.first_start,
            unit="s",
            note="once a search",
        ),
        Row(
            name="overhead of a trial that sleeps",
            value=done.turnaround - done.work,
            unit="s",
            note=f"from one end to the next, less {sleep_s:g} s asleep; median of {trials - 1}, one worker",
        ),
    ]


def _training_rows(trials: int) -> list[Row]:
    """A trained trial placed by Ray against the same in the driver: in a process kept warm, and in one of its own."""
    alone = _search(_tiny(trials, {"name": "serial"})).turnaround
    warm = _search(_tiny(trials, _ray(1))).turnaround
    own = _search(_tiny(trials, {**_ray(1), "trials_per_process": 1})).turnaround
    beside = f"against {alone:.2g} s in the driver"
    return [
        Row(
            name="overhead of a trial that trains",
            value=warm - alone,
            unit="s",
            note=f"{warm:.2g} s a trial with Ray, one worker, {beside}",
        ),
        Row(
            name="the same, a process for each trial",
            value=own - alone,
            unit="s",
            note=f"{own:.2g} s a trial, {beside}: every process loads TensorFlow",
        ),
    ]


def _scaling_rows(trials: int, epochs: int, repeats: int) -> list[Row]:
    ways: dict[str, Callable[[], FinishedSearch]] = {
        str(workers): partial(_search, _images(trials, epochs, _ray(workers))) for workers in (1, 2)
    }
    done = in_turns(ways, repeats)
    spans = {workers: [each.trials_span for each in searches] for workers, searches in done.items()}
    work = {workers: median(each.work for each in searches) for workers, searches in done.items()}
    return [
        median_row(f"{trials} trained trials, one worker", spans["1"], "s", note=f"{work['1']:.3g} s of work a trial"),
        median_row(f"{trials} trained trials, two workers", spans["2"], "s", note=f"{work['2']:.3g} s of work a trial"),
        ratio_row(
            "two workers against one",
            spans["1"],
            spans["2"],
            target=at_least(1.7, "×"),
            note=f"first proposal to last end; BigNAS on 32×32 digits, {epochs} epochs, one thread each",
        ),
    ]


def _search(data: Mapping[str, Any], *, wrap: Callable[[Evaluator], Evaluator] = lambda e: e) -> FinishedSearch:
    with tempfile.TemporaryDirectory() as folder:
        return run_search(data, Path(folder) / "run", wrap=wrap)


def _ray(workers: int) -> dict[str, Any]:
    return {"name": "ray", "workers": workers, "cpus_per_trial": 1}


def _tiny(trials: int, engine: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "space": "tabnas",
        "task": "iris",
        "evaluator": {"name": "train", "epochs": _TABLE_EPOCHS},
        "budget": {"trials": trials},
        "engine": dict(engine),
    }


def _images(trials: int, epochs: int, engine: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "space": {"name": "bignas", "input": [32, 32, 3], "stem_stride": 2, **_SHALLOWEST},
        "task": "digits",
        "evaluator": {"name": "train", "epochs": epochs},
        "budget": {"trials": trials},
        "engine": dict(engine),
    }
