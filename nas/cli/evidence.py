"""Gathers what a report shows of a run: its tables, and the winners looked at again."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.held_out import HeldOut
from nas.run_folder import read_held_out, read_log, read_run
from nas.search import pareto_front
from searchspaces.errors import InputError

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph
    from nas.cli.assemble import Parts
    from nas.config import SearchConfig
    from nas.pareto import Objective
    from nas.tables import RunTables, Winner
    from nas.trial import Trial
    from searchspaces.spec import NetworkSpec

_WINNERS = 4
_PACKAGES = ("paretonas", "numpy", "tensorflow", "keras", "ai-edge-litert", "ray", "scikit-learn")


def run_tables(folder: Path, *, measure: bool) -> RunTables:
    """A run as the tables of a report.

    Args:
        folder: the run folder.
        measure: measure the winners again on the targets the search asked, and time their operators.
    """
    import pandas as pd

    from nas.cli.assemble import make_parts
    from nas.tables import RunTables

    config = read_run(folder)
    with read_log(folder) as log:
        trials, events = log.trials(), list(log.events())
    parts = make_parts(config, with_evaluator=False)
    front = pareto_front([trial for trial in trials if trial.state == "COMPLETE"], config.objectives)
    costs = [{"number": trial.number, **_named(cost)} for trial in trials for cost in trial.costs]
    intervals = [
        {"number": trial.number, "metric": metric, "low": low, "high": high}
        for trial in trials
        for metric, (low, high) in trial.details.get("intervals", {}).items()
    ]
    return RunTables(
        name=folder.resolve().name,
        config=config.to_dict(),
        objectives=config.objectives,
        trials=_trial_frame(trials, config),
        costs=pd.DataFrame(costs),
        uncertainty=pd.DataFrame(intervals),
        choices=_choice_frame(trials, parts),
        acceptance=pd.DataFrame(_acceptance(events)),
        winners=tuple(_winners(front, config, parts, measure=measure)),
        provenance=_provenance(folder, config, trials, parts),
        predicted={metric: str(HeldOut(**errors)) for metric, errors in read_held_out(folder).items()},
    )


def _trial_frame(trials: Sequence[Trial], config: SearchConfig) -> Any:
    import pandas as pd

    metrics = dict.fromkeys(name for trial in trials for name in trial.metrics)
    names = [*(name for name in config.metrics if name in metrics), *(n for n in metrics if n not in config.metrics)]
    rows = [
        {
            "number": trial.number,
            "id": trial.architecture.id,
            "state": trial.state,
            "reason": trial.reason,
            "seconds": float("nan") if trial.seconds is None else trial.seconds,
            "finished_at": trial.at,
            **{name: _float(trial.metrics.get(name)) for name in names},
        }
        for trial in trials
    ]
    return pd.DataFrame(rows, columns=["number", "id", "state", "reason", "seconds", "finished_at", *names])


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _choice_frame(trials: Sequence[Trial], parts: Parts) -> Any:
    """The chosen values of every trial, for the choices that vary."""
    import pandas as pd

    rows = []
    for trial in trials:
        values = parts.space.values(trial.architecture)
        rows.append({"number": trial.number, **{name: "–" if v is None else str(v) for name, v in values.items()}})
    frame = pd.DataFrame(rows, columns=["number", *(choice.name for choice in parts.space.choices)])
    varying = [name for name in frame.columns if name == "number" or frame[name].nunique() > 1]
    return frame[varying]


def _acceptance(events: Sequence[Any]) -> list[dict[str, Any]]:
    from nas.cli.search import acceptance_tallies

    return [
        {"constraint": text, "checked": tally.checked, "accepted": tally.accepted, "rate": tally.rate}
        for text, tally in acceptance_tallies(events).items()
    ]


def _winners(front: Sequence[Trial], config: SearchConfig, parts: Parts, *, measure: bool) -> list[Winner]:
    """The best, the knee and a few more of the front, measured again where the search asked a target."""
    from nas.tables import Winner

    labelled = _labels(front, config.objectives)
    winners = []
    for trial, label in labelled:
        network = _network(trial, config, parts)
        again, ops = _measured_again(None if network is None else network[1], trial, measure=measure)
        winners.append(
            Winner(
                id=trial.architecture.id,
                number=trial.number,
                label=label,
                promised=tuple(_named(cost) for cost in trial.costs),
                measured=tuple(again),
                ops=ops,
                blocks=() if network is None else tuple(_blocks(*network)),
                test={},
            )
        )
    return winners


def _labels(front: Sequence[Trial], objectives: Sequence[Objective]) -> list[tuple[Trial, str]]:
    from nas.pareto import knee

    if not front:
        return []
    values = [[trial.metrics[objective.metric] for objective in objectives] for trial in front]
    bend = knee(values, [objective.direction for objective in objectives])
    chosen = [0] if bend == 0 else [0, bend]
    others = [index for index in range(len(front)) if index not in chosen]
    step = max(1, len(others) // max(1, _WINNERS - len(chosen)))
    chosen += others[::step][: _WINNERS - len(chosen)]
    names = {0: "best", bend: "knee" if bend else "best"}
    return [(front[index], names.get(index, "front")) for index in chosen]


def _network(trial: Trial, config: SearchConfig, parts: Parts) -> tuple[NetworkSpec, OpGraph] | None:
    """The network behind a trial; None where a table was searched without saying what its networks take and give."""
    from hardware_profiles.lower import lower
    from nas.evaluators.train import prepared

    try:
        spec = parts.space.network(trial.architecture)
    except InputError:
        return None
    if parts.task is not None:
        spec = prepared(spec, parts.task)
    spec = spec.deployed
    precision: Any = config.precision
    return spec, lower(spec, precision=precision)


def _measured_again(graph: OpGraph | None, trial: Trial, *, measure: bool) -> tuple[list[dict[str, Any]], Any]:
    """Costs of one winner taken anew, and its time by operator, on the targets that measured it."""
    import pandas as pd

    ops = pd.DataFrame(columns=["index", "kind", "kernel", "latency_us", "delegated"])
    if not measure or graph is None:
        return [], ops
    from hardware_profiles.target import list_targets, load_target

    names = {str(cost["target"]) for cost in trial.costs if cost.get("method") == "measured"} & set(list_targets())
    again = [_named(load_target(name).cost(graph).to_dict()) for name in sorted(names)]
    if names:
        from dataclasses import asdict

        from hardware_profiles.profiler import profile_ops
        from hardware_profiles.write_tflite import write_tflite

        ops = pd.DataFrame([asdict(op) for op in profile_ops(write_tflite(graph)).ops])
    return again, ops


def _blocks(spec: NetworkSpec, graph: OpGraph) -> list[dict[str, Any]]:
    """The network block by block, with the params and multiply-adds of each."""
    from math import prod

    nodes = spec.graph.nodes
    rows = []
    for index, block in enumerate(spec.blocks):
        inside = [node for node in nodes if node.block == index]
        weights = [weight for node in inside for weight in node.layer.weights(*spec.graph.input_shapes(node))]
        rows.append(
            {
                "kind": type(block).__name__,
                "label": block.label(),
                "shape": list(inside[-1].shape),
                "params": sum(prod(weight.shape) for weight in weights),
                "macs": sum(graph.macs_of(op) for op in graph.ops if op.block == index),
            }
        )
    return rows


def _named(cost: Mapping[str, Any]) -> dict[str, Any]:
    """A cost record whose metric carries its target, as the trials' columns do."""
    return {**cost, "metric": f"{cost['metric']}@{cost['target']}"}


def _provenance(folder: Path, config: SearchConfig, trials: Sequence[Trial], parts: Parts) -> dict[str, Any]:
    from datetime import UTC, datetime

    times = sorted(trial.at for trial in trials)
    stamps = [datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for at in (times[:1] + times[-1:])]
    prints = sorted({str(cost["fingerprint"]) for trial in trials for cost in trial.costs})
    return {
        "run": str(folder),
        "seed": config.seed,
        "started": stamps[0] if stamps else None,
        "ended": stamps[-1] if stamps else None,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "fingerprints": prints,
        "data": dict(parts.task.provenance) if parts.task is not None else dict(config.evaluator),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
