"""Every way to hold a limit on every table, with intervals over runs: the rows of the result files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.tabnas_tables.policies import Ends, Finals, Way, run_policies
from benchmarks.tabnas_tables.searches import Contender, Field
from benchmarks.tabnas_tables.truth import Floats, Truth
from nas.intervals import wilson_interval
from nas.rewards import REWARDS

BETAS: Final = (-0.01, -0.03, -0.05, -0.07, -0.1, -0.15, -0.2, -0.3, -0.5, -1.0, -2.0, -5.0)
EXTRA_SAMPLES: Final = (0, 1, 4, 16, 64)
_FIGURES: Final = tuple(
    f"{figure}{bound}" for figure in ("feasible", "regret", "seen_regret") for bound in ("", "_low", "_high")
)
POLICY_COLUMNS: Final = (
    *("at", "command", "table", "limit", "reward", "beta", "extra_samples", "learning_rate", "steps", "runs"),
    *(f"{end}_{figure}" for end in ("mode", "draws") for figure in _FIGURES),
    *("probability_feasible", "distinct"),
)
SEARCH_COLUMNS: Final = (
    *("at", "command", "table", "limit", "controller", "trained", "seeds"),
    *("feasible", "regret", "regret_low", "regret_high"),
)
_Z_95 = 1.959964


def ways(learning_rate: float) -> tuple[Way, ...]:
    """No learning, rejection with more and more samples for its correction, and the shaped rewards."""
    rejections = (Way(reward="rejection", extra_samples=count, learning_rate=learning_rate) for count in EXTRA_SAMPLES)
    weighed = (Way(reward=name, beta=beta, learning_rate=learning_rate) for name in REWARDS for beta in BETAS)
    return (Way(reward="uniform", learning_rate=learning_rate), *rejections, *weighed)


def policy_rows(
    truth: Truth, every: Iterable[Way], *, steps: int, runs: int, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Where the policies of each way end. A run that ends over the limit is charged a random network within it."""
    for way in every:
        found = run_policies(truth, way, steps=steps, runs=runs, seed=seed)
        yield {
            "table": truth.name,
            "limit": truth.limit,
            "reward": way.reward,
            "beta": f"{way.beta:g}" if way.reward in REWARDS else "",
            "extra_samples": way.extra_samples if way.reward == "rejection" else "",
            "learning_rate": way.learning_rate,
            "steps": steps,
            "runs": runs,
            **_finals(truth, found),
        }


def search_rows(
    field: Field, contenders: Iterable[Contender], *, trained: Sequence[int], seeds: int
) -> Iterator[dict[str, Any]]:
    """What each contender has after so many trained networks; without one within the limit, it is charged as above."""
    for contender in contenders:
        curves = np.stack([field.run(contender, trained=max(trained), seed=seed) for seed in range(seeds)])
        for count in trained:
            reached = curves[:, count - 1]
            yield {
                "table": field.truth.name,
                "limit": field.truth.limit,
                "controller": contender.label,
                "trained": count,
                "seeds": seeds,
                "feasible": _text(np.isfinite(reached).mean()),
                **_mean("regret", charged(field.truth.regret, reached)),
            }


def charged(every: Floats, found: Floats) -> Floats:
    """The regrets found, with the mean of those of all networks within the limit where a run has none."""
    return np.where(np.isfinite(found), found, np.nanmean(every))


def write_rows(path: Path, columns: Sequence[str], known: Mapping[str, str], rows: Iterable[dict[str, Any]]) -> int:
    """Write the rows, each with what is known of all, in place of older ones of their tables; how many they were."""
    new = [{**known, **row} for row in rows]
    tables = {row["table"] for row in new}
    kept = []
    if path.exists():
        kept = [
            row for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if row["table"] not in tables
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(sorted([*kept, *new], key=lambda row: row["table"]))
    return len(new)


def _finals(truth: Truth, found: Finals) -> dict[str, str]:
    return {
        **_ends("mode", truth, found.mode),
        **_ends("draws", truth, found.draws),
        "probability_feasible": _text(found.probability.mean()),
        "distinct": _text(found.distinct.mean()),
    }


def _ends(name: str, truth: Truth, ends: Ends) -> dict[str, str]:
    share = float(ends.feasible.mean())
    low, high = wilson_interval(share, len(ends.feasible))
    return {
        f"{name}_feasible": _text(share),
        f"{name}_feasible_low": _text(low),
        f"{name}_feasible_high": _text(high),
        **_mean(f"{name}_regret", charged(truth.regret, ends.regret)),
        **_mean(f"{name}_seen_regret", charged(truth.seen_regret, ends.seen_regret)),
    }


def _mean(name: str, values: Floats) -> dict[str, str]:
    """The mean and its 95 % interval over independent runs."""
    mean, half = float(values.mean()), _Z_95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return {name: _text(mean), f"{name}_low": _text(mean - half), f"{name}_high": _text(mean + half)}


def _text(value: float) -> str:
    return f"{value:.4g}"
