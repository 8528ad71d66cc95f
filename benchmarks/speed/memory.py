"""Whether memory grows with the number of trials: in the driver of a Ray search, in its workers, in a serial search."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.evaluators import MeteredEvaluator, OneNetworkEvaluator, SoftmaxEvaluator, resident_mb
from benchmarks.speed.row import Row, Target, at_most, median_row
from benchmarks.speed.searches import FinishedSearch, run_search
from benchmarks.speed.timing import fit_line
from nas.evaluators.base import Evaluator
from nas.search import Search

_PER = 100
_FLAT = at_most(1, "MB")
# The first trials fill caches and pools, which is no growth.
_WARMUP_SHARE = 0.2
_EPOCHS = 2


def measure(*, driver_trials: int = 500, worker_trials: int = 200, serial_trials: int = 200) -> list[Row]:
    """Slopes of resident memory in MB a hundred trained trials.

    Args:
        driver_trials: through the Ray engine, each a softmax regression.
        worker_trials: TabNAS networks on iris through the Ray engine, for what its processes hold.
        serial_trials: the same, one after the other in this process, where a leak of the framework would show; then
            half as many of one network alone, which adds no new shape to the framework's caches.
    """
    # The serial search comes last: it loads TensorFlow into this process.
    rows = [_driver_row(driver_trials)]
    rows += _worker_rows(worker_trials)
    return rows + _serial_rows(serial_trials)


def slope_row(
    name: str, numbers: Sequence[float], sizes_mb: Sequence[float], note: str, *, target: Target | None = None
) -> Row:
    """Growth over trial numbers, after a warm-up; low and high are two standard errors away."""
    first = int(len(numbers) * _WARMUP_SHARE)
    line = fit_line(numbers[first:], sizes_mb[first:])
    slope, error = _PER * line.slope, _PER * line.error
    span = f"{line.first:.0f} to {line.last:.0f} MB over trials {numbers[first]:.0f} to {numbers[-1]:.0f}"
    return Row(
        name=name,
        value=slope,
        unit=f"MB per {_PER} trials",
        low=slope - 2 * error,
        high=slope + 2 * error,
        target=target,
        note=f"± {error:.2g} (standard error); {span}; {note}",
    )


def _driver_row(trials: int) -> Row:
    from benchmarks.tasks import create

    task: Any = create("iris", seed=0)
    numbers, sizes, _ = _watched(
        trials,
        {"name": "ray", "cpus_per_trial": 1},
        lambda inner: SoftmaxEvaluator(task.without_test(), epochs=_EPOCHS),
    )
    return slope_row(
        "driver, Ray engine", numbers, sizes, "trials train in NumPy: the driver sees the same", target=_FLAT
    )


def _worker_rows(trials: int) -> list[Row]:
    """Over the whole search, and within a process, which is let go before a little a trial becomes much."""
    _, _, done = _watched(trials, {"name": "ray", "cpus_per_trial": 1}, MeteredEvaluator)
    sizes = [float(trial.details["rss_mb"]) for trial in done.trials]
    by_process: dict[int, list[float]] = {}
    for trial, size in zip(done.trials, sizes, strict=True):
        by_process.setdefault(trial.details["process"], []).append(size)
    shares = sorted(len(each) for each in by_process.values())
    return [
        slope_row(
            "workers, Ray engine",
            range(1, len(sizes) + 1),
            sizes,
            f"after each trial; {len(by_process)} processes of {shares[0]} to {shares[-1]} trials",
            target=_FLAT,
        ),
        median_row("a worker after a trial", sizes, "MB", note="TensorFlow loaded, TabNAS networks trained"),
        median_row(
            "a worker's growth",
            [each[-1] - each[0] for each in by_process.values()],
            "MB",
            note="from its first trial to its last; it goes back with the process",
        ),
    ]


def _serial_rows(trials: int) -> list[Row]:
    numbers, sizes, _ = _watched(trials, {"name": "serial"}, lambda inner: inner)
    again, kept, _ = _watched(max(4, trials // 2), {"name": "serial"}, OneNetworkEvaluator)
    return [
        slope_row(
            "serial engine, ever new networks",
            numbers,
            sizes,
            "every trial brings shapes that TensorFlow has not seen",
            target=_FLAT,
        ),
        slope_row(
            "serial engine, one network again", again, kept, "no new shapes: what is left is a leak", target=_FLAT
        ),
    ]


def _watched(
    trials: int, engine: dict[str, Any], wrap: Callable[[Evaluator], Evaluator]
) -> tuple[list[float], list[float], FinishedSearch]:
    """Run a search and note this process's memory whenever one more trial is done."""
    sizes: dict[int, float] = {}

    def watch(search: Search) -> None:
        sizes[search.counts["COMPLETE"] + search.counts["FAILED"]] = resident_mb()

    data = {
        "space": "tabnas",
        "task": "iris",
        "evaluator": {"name": "train", "epochs": _EPOCHS},
        "budget": {"trials": trials},
        "engine": engine,
    }
    with tempfile.TemporaryDirectory() as folder:
        done = run_search(data, Path(folder) / "run", wrap=wrap, progress=watch)
    sizes.pop(0, None)
    return [float(number) for number in sizes], list(sizes.values()), done
