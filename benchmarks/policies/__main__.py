"""`python -m benchmarks.policies`: what searches by REINFORCE end at, on figures that take no training.

Three questions, one table each: TabNAS's toy example over its rewards and corrections; where a search for 84 ms on a
Pixel 1 ends; and what the average and the worst case over devices choose. Accuracies of the last two are synthetic.
"""

from __future__ import annotations

import csv
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from benchmarks.policies.devices import DEVICES, METRICS, search_devices
from benchmarks.policies.latency_target import EVALUATIONS, TARGET_MS, random_search, search_target
from benchmarks.policies.toy import run_absolute, run_rejection, widths_at
from hardware_profiles.fingerprint import host_fingerprint
from nas.comparing.statistics import mean_interval
from nas.controllers.reinforce.policy import Floats

RESULTS = Path(__file__).parents[1] / "results" / "policies"
COLUMNS = ("at", "machine", "command", "runs", "seed", "search", "quantity", "value", "low", "high")

_NETWORKS = [f"{first}-{second}" for first in (2, 3, 4) for second in (2, 3, 4)]
Rows = Iterator[dict[str, Any]]


def toy_rows(runs: int, seed: int) -> Rows:
    """Shares of all networks, and how many runs find the best and any feasible one."""
    searches = {f"absolute, beta {beta}": run_absolute(-beta, runs=runs, seed=seed) for beta in (1, 2, 5, 10)}
    for correction in (1, 5, 10, "exact", "none"):
        searches[f"rejection, correction {correction}"] = run_rejection(correction, runs=runs, seed=seed)
    for name, result in searches.items():
        tables = dict(zip(("value", "low", "high"), (result.shares(), *result.spread()), strict=True))
        for network in _NETWORKS:
            numbers = {key: table[widths_at(network)] for key, table in tables.items()}
            yield {"search": name, "quantity": f"share of {network}", **numbers}
        yield _mean(name, "runs that find the best feasible network", result.found.astype(float))
        yield _mean(name, "runs that find any feasible network", result.feasible.astype(float))


def target_rows(runs: int, seed: int) -> Rows:
    """Latency and synthetic accuracy of what each reward ends at, and of random search near the target."""
    found = {
        f"{reward}, beta {beta}": search_target(reward, beta, runs=runs, seed=seed)
        for reward, betas in (("absolute", (-0.1,)), ("mnas_soft", (-0.05, -0.07, -0.1, -0.15)), ("mnas_hard", (-0.1,)))
        for beta in betas
    }
    for within in (0.02, 0.05):
        for evaluations in (1000, EVALUATIONS // 4):
            name = f"random within {100 * within:g} %, {evaluations} evaluations"
            found[name] = random_search(within, evaluations=evaluations, runs=runs, seed=seed)
    for name, (latency_ms, accuracy) in found.items():
        yield _mean(name, "latency_ms on pixel1-cpu", latency_ms)
        apart = np.abs(latency_ms / TARGET_MS - 1)
        yield _mean(name, "distance from 84 ms as a share", apart)
        yield _mean(name, "largest distance of a run", apart.max(keepdims=True))
        yield _mean(name, "runs within 2 % of 84 ms", (apart <= 0.02).astype(float))
        yield _mean(name, "synthetic accuracy", accuracy)


def device_rows(runs: int, seed: int) -> Rows:
    """Relative latencies and synthetic accuracy of what searches on either metric end at."""
    for searched in METRICS:
        found = search_devices(searched, runs=runs, seed=seed)
        name = f"absolute on the {searched} case, beta -0.1"
        for device, relative in zip(DEVICES, found.relative, strict=True):
            yield _mean(name, f"relative latency on {device}", relative)
        for metric, value in METRICS.items():
            yield _mean(name, f"{metric} relative latency", value(found.relative))
        yield _mean(name, "synthetic accuracy", found.accuracy)
        networks = np.unique(found.rows, axis=0)
        yield _mean(name, "different networks over runs", np.array([float(len(networks))]))


TABLES: Final[Mapping[str, tuple[Callable[[int, int], Rows], int]]] = {
    "toy": (toy_rows, 4000),
    "target": (target_rows, 20),
    "devices": (device_rows, 20),
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(TABLES)))
@click.option("--runs", type=click.IntRange(2), help="Of each search. Default: 4,000 of toy, 20 of the others.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--out", default=RESULTS, show_default=True, type=click.Path(path_type=Path), help="Folder of the tables."
)
def main(names: tuple[str, ...], runs: int | None, seed: int, out: Path) -> None:
    """Run the searches of NAMES (default: all) and write a CSV file for each."""
    out.mkdir(parents=True, exist_ok=True)
    known = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {host_fingerprint('any').id}",
        "command": " ".join(["python -m benchmarks.policies", *sys.argv[1:]]),
        "seed": seed,
    }
    for name in names or TABLES:
        rows, usual = TABLES[name]
        with (out / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            for row in rows(runs or usual, seed):
                numbers = {key: f"{row[key]:.5g}" for key in ("value", "low", "high")}
                writer.writerow({**known, "runs": runs or usual, **row, **numbers})
                click.echo(f"{name}: {row['search']}: {row['quantity']}: {' … '.join(numbers.values())}")


def _mean(search: str, quantity: str, values: Floats) -> dict[str, Any]:
    value, low, high = mean_interval(values)
    return {"search": search, "quantity": quantity, "value": value, "low": low, "high": high}


if __name__ == "__main__":
    main()
