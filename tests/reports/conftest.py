"""Made-up runs of a search, with the shapes of real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas.pareto import Objective
from nas.tables import ComparisonTables, RunTables, Winner

LATENCY = "latency_ms@host-cpu"
STARTED = 1_790_000_000.0


def synthetic_run(
    *,
    name: str = "evolution-1",
    controller: str = "evolution",
    trials: int = 80,
    objectives: tuple[str, ...] = ("maximize accuracy", f"minimize {LATENCY}"),
    skill: float = 1.0,
    seed: int = 0,
    complete: bool = True,
    fingerprints: tuple[str, ...] = ("xeon-2c-linux-7f3a",),
    winners: int = 3,
    reason: str = f"{LATENCY} <= 2.5",
) -> RunTables:
    """A run whose later trials are better by `skill`; every sixth trial is infeasible, every 23rd failed."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(trials)
    progress = skill * numbers / max(trials - 1, 1)
    width = rng.uniform(0.2, 1.0, trials)
    depth = rng.integers(1, 5, trials)
    kernel = rng.choice([3, 5, 7], trials)
    params = (2e4 + 2.6e5 * width**2 * depth / 4).round()
    latency = 0.25 + 2.1 * width * depth / 4 + 0.03 * kernel + rng.gamma(2, 0.04, trials)
    noise = rng.gamma(2.0, 0.018, trials) * (1.4 - progress.clip(0, 1))
    accuracy = 0.99 - 0.11 * np.exp(-2.4 * latency) - 0.004 * (kernel == 7) - noise
    state = np.array(["COMPLETE"] * trials, dtype=object)
    state[5::6] = "INFEASIBLE"
    state[22::23] = "FAILED"
    if not complete:
        state[state == "COMPLETE"] = "RUNNING"
    done, refused = state == "COMPLETE", state == "INFEASIBLE"
    latency[refused] += 1.9
    reasons = rng.choice([reason, "params <= 300000", "unsupported op RESIZE_BILINEAR"], trials, p=[0.6, 0.3, 0.1])
    seconds = np.where(done | (state == "FAILED"), rng.gamma(8, 1.4, trials), np.nan)
    table = pd.DataFrame(
        {
            "number": numbers,
            "id": [
                f"bignas:{d}-{k}-{int(10 * w)}-{i:03d}"
                for i, (d, k, w) in enumerate(zip(depth, kernel, width, strict=True))
            ],
            "state": state,
            "reason": np.where(refused, reasons, np.where(state == "FAILED", "loss is NaN in epoch 2", None)),
            "seconds": seconds,
            "finished_at": STARTED + np.nancumsum(seconds),
            "accuracy": np.where(done, accuracy, np.nan),
            LATENCY: latency,
            "params": params,
            "macs": params * 55,
        }
    )
    table.loc[~done & ~refused & (state != "FAILED"), "finished_at"] = np.nan
    machine = [fingerprints[number % len(fingerprints)] for number in numbers]
    return RunTables(
        name=name,
        config=_config(controller, objectives, trials),
        objectives=tuple(Objective.parse(text) for text in objectives),
        trials=table,
        costs=_costs(table, machine),
        uncertainty=_intervals(table[done]),
        choices=pd.DataFrame(
            {"number": numbers, "input": "32", "depth": depth, "kernel": kernel}
            | {f"stage{s}.width": (width * (8 + 4 * s)).round().astype(int) for s in range(1, 5)}
            | {f"stage{s}.expand": rng.choice([1, 4, 6], trials) for s in range(1, 4)}
            | {"activation": rng.choice(["relu", "swish"], trials), "se": rng.choice(["none", "0.25"], trials)}
        ),
        acceptance=pd.DataFrame(
            {
                "constraint": ["params <= 300000", f"{LATENCY} <= 2.5"],
                "checked": [2000, 1400],
                "accepted": [1400, 62],
                "rate": [0.7, 62 / 1400],
            }
        ),
        winners=_winners(table[done], winners),
        provenance={
            "versions": {"paretonas": "0.1.0", "tensorflow": "2.21.0", "ray": "2.60.0"},
            "machine": {"cpu": "Intel(R) Xeon(R) Processor @ 2.60GHz", "cores": 2, "os": "Debian 12"},
            "fingerprint": fingerprints[0],
            "seed": seed,
            "started": STARTED,
            "ended": STARTED + float(np.nansum(seconds)),
            "command": "nas search search.yaml --out runs/digits",
            "data": {"source": "scikit-learn digits", "rows": {"train": 1150, "validation": 287, "test": 360}},
        },
    )


def _config(controller: str, objectives: tuple[str, ...], trials: int) -> dict[str, Any]:
    return {
        "space": {"name": "bignas", "input": [32, 32, 3], "classes": 10},
        "task": {"name": "digits"},
        "evaluator": {"name": "train", "epochs": 3},
        "controller": {"name": controller, "population": 24},
        "objectives": list(objectives),
        "constraints": ["params <= 300000", f"{LATENCY} <= 2.5"],
        "budget": {"trials": trials, "wall_clock_s": 1800},
        "engine": {"name": "ray", "address": "local", "cpus_per_trial": 1},
        "seed": 1,
    }


def _costs(table: pd.DataFrame, machine: list[str]) -> pd.DataFrame:
    value = table[LATENCY].to_numpy()
    return pd.DataFrame(
        {
            "number": table["number"],
            "metric": "latency_ms",
            "value": value,
            "unit": "ms",
            "low": value * 0.985,
            "high": value * 1.02,
            "method": "measured",
            "target": "host-cpu",
            "precision": "float32",
            "fingerprint": machine,
        }
    )


def _intervals(done: pd.DataFrame) -> pd.DataFrame:
    spread = 1.96 * np.sqrt(done["accuracy"] * (1 - done["accuracy"]) / 2870)
    return pd.DataFrame(
        {
            "number": done["number"],
            "metric": "accuracy",
            "low": done["accuracy"] - spread,
            "high": (done["accuracy"] + spread).clip(upper=1.0),
        }
    )


def _winners(done: pd.DataFrame, count: int) -> tuple[Winner, ...]:
    rows = done.sort_values("accuracy", ascending=False).head(count).to_dict("records")
    labels = ("best", "knee", "front")
    return tuple(_winner(row, labels[min(place, 2)], place) for place, row in enumerate(rows))


def _winner(row: dict[str, Any], label: str, place: int) -> Winner:
    latency = float(row[LATENCY])
    cost = {"metric": "latency_ms", "target": "host-cpu", "unit": "ms", "precision": "float32"}
    promised = {**cost, "value": latency, "low": latency * 0.98, "high": latency * 1.03, "method": "measured"}
    again = latency * (1.01, 1.12, 0.99)[place % 3]
    measured = {**promised, "value": again, "low": again * 0.99, "high": again * 1.015}
    size = {"metric": "size_bytes", "value": 412_000, "precision": "int8", "method": "compiled"}
    kinds = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "MUL", "ADD"] * 6 + ["MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    times = np.random.default_rng(row["number"]).gamma(3, 12, len(kinds))
    ops = pd.DataFrame(
        {
            "index": range(len(kinds)),
            "kind": kinds,
            "kernel": "XNNPACK",
            "latency_us": times,
            "delegated": [kind not in ("MUL", "MEAN") or place != 1 for kind in kinds],
        }
    )
    return Winner(
        id=row["id"],
        number=int(row["number"]),
        label=label,
        promised=(promised, size),
        measured=(measured,),
        ops=ops,
        blocks=_blocks(),
        test={"accuracy": {"float32": 0.9833, "int8": 0.9806}},
    )


def _blocks() -> tuple[dict[str, Any], ...]:
    rows = [
        ("Input", "input", [32, 32, 3], 0),
        ("Conv", "Conv k3 s1 swish", [32, 32, 16], 464),
        ("MBConv", "MBConv 1× k3 s1", [32, 32, 16], 1_400),
        ("MBConv", "MBConv 6× k5 s2", [16, 16, 24], 7_900),
        ("MBConv", "MBConv 6× k5 s1", [16, 16, 24], 11_200),
        ("MBConv", "MBConv 6× k5 s1", [16, 16, 24], 11_200),
        ("MBConv", "MBConv 6× k3 s2 SE", [8, 8, 40], 24_300),
        ("MBConv", "MBConv 6× k3 s1 SE", [8, 8, 40], 31_000),
        ("MBConv", "MBConv 6× k5 s2 SE", [4, 4, 80], 66_000),
        ("MBConv", "MBConv 6× k5 s1 SE", [4, 4, 80], 81_000),
        ("Conv", "Conv k1 swish", [4, 4, 320], 26_900),
        ("Pool", "global average", [320], 0),
        ("Dense", "Dense softmax", [10], 3_210),
    ]
    return tuple(
        {"kind": kind, "label": label, "shape": shape, "params": params, "macs": params * int(np.prod(shape[:-1]))}
        for kind, label, shape, params in rows
    )


def synthetic_comparison(
    *, objectives: tuple[str, ...] = ("maximize accuracy",), seeds: int = 20, trials: int = 64, peer: str = "optuna-tpe"
) -> ComparisonTables:
    """Random search, a controller that is better, and a peer that has nothing feasible for a while."""
    rng = np.random.default_rng(0)
    spaced = tuple(map(Objective.parse, objectives))
    measures = ["regret", "best", *(["hypervolume"] if len(spaced) > 1 else [])]
    columns, curves, ends = [], [], []
    labels = (("random", "random", 0.5), ("evolution", "evolution", 1.0), (peer, peer, 0.8))
    named = [*labels, (f"{peer} (feasible only)", peer, 0.9)]
    at = (8, 16, 32, 64)
    for label, controller, skill in named:
        runs = 0.2 * np.exp(-skill * np.arange(trials) / 12) * rng.uniform(0.5, 1.5, (seeds, 1))
        if label == peer:
            runs[:, :5] = np.inf
        values = {"regret": runs, "best": 0.95 - runs, "hypervolume": np.clip(1 - 2 * runs, 0, 1)}
        row = {"label": label, "controller": controller, "options": "", "peer": controller == peer, "seeds": seeds}
        row |= {"charged": "every trial" if label == peer else "feasible trials", "is_best": label == "evolution"}
        row |= {"p_against_random": np.nan if label == "random" else 1e-5, "superiority_over_random": 0.9}
        row |= {"p_against_best": np.nan if label == "evolution" else 0.2, "found_optimum": 0.1, "looked_at": 400.0}
        row |= {"trials_to_target.median": np.inf, "trials_to_target.reached": 0.4}
        for measure in measures:
            low, median, high = np.quantile(values[measure], [0.25, 0.5, 0.75], axis=0, method="nearest")
            table = {"trials": np.arange(1, trials + 1), "median": median, "low": low, "high": high, "mean": median}
            curves.append(pd.DataFrame({"label": label, "measure": measure, **table}))
            for point in (*at, None):
                place, stem = (
                    (trials if point is None else point) - 1,
                    measure if point is None else f"{measure}_at.{point}",
                )
                row |= {f"{stem}.median": median[place], f"{stem}.low": low[place], f"{stem}.high": high[place]}
            row |= {f"{measure}.mean": median[-1], f"{measure}.mean_low": low[-1], f"{measure}.mean_high": high[-1]}
        columns.append(row)
        last = {measure: values[measure][:, -1] for measure in measures}
        counts = {"trials_to_target": np.inf, "evaluations": trials, "looked_at": 400}
        ends.append(pd.DataFrame({"label": label, "seed": np.arange(seeds), **last, **counts}))
    described = {"space": "bignas", "objectives": list(objectives), "constraints": ["params <= 3e5"], "trials": trials}
    described |= {"repeats": seeds, "first_seed": 1, "target": 0.0, "judged_by": ["accuracy"]}
    return ComparisonTables(
        described=described,
        reference={"kind": "table", "best": 0.95, "id": "bignas:0", "feasible": 4000, "front": 7, "corner": [0.4]},
        objectives=spaced,
        columns=pd.DataFrame(columns),
        curves=pd.concat(curves, ignore_index=True),
        seeds=pd.concat(ends, ignore_index=True),
        at=at,
        config=_config("evolution", objectives, trials),
    )


@pytest.fixture
def make_comparison() -> Callable[..., ComparisonTables]:
    return synthetic_comparison


@pytest.fixture
def make_run() -> Callable[..., RunTables]:
    return synthetic_run
