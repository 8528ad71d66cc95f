"""Searching a table: how many look-ups a second reach the trial log on the disk, one after the other."""

from __future__ import annotations

import csv
import importlib.util
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.row import Row, at_least, median_row, ratio_row
from benchmarks.speed.searches import run_search
from benchmarks.speed.timing import in_turns
from nas.store import Event, TrialStore
from searchspaces.errors import NoResultError
from searchspaces.space import Architecture
from searchspaces.tabnas import TabNAS

_FEATURES, _CLASSES, _LAYERS = 54, 7, 3
_TARGETS = {"random": 2000, "evolution": 1000}
_BATCH = 32
_COMMITS = 200
_OPTUNA_TRIALS = 100


def measure(*, trials: int = 4000, repeats: int = 3) -> list[Row]:
    """Trials a second of random search and evolution over all 8,000 three-layer TabNAS networks.

    Args:
        trials: of each search.
        repeats: searches of each kind, in turns.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = write_table(folder / "table.csv")
        ways: dict[str, Callable[[], float]] = {}
        for controller in _TARGETS:
            for batch in (None, _BATCH):
                ways[_label(controller, batch)] = partial(_rate, folder, table, controller, batch, trials)
        if importlib.util.find_spec("optuna") is not None:
            ways["Optuna on SQLite, random"] = partial(_optuna_rate, folder, table, min(trials, _OPTUNA_TRIALS))
        rates = in_turns(ways, repeats)
        commit_ms = 1e3 * _commit_seconds(folder)
        where = _file_system(folder)
    rows = []
    for controller, bound in _TARGETS.items():
        label = _label(controller, None)
        rows.append(median_row(label, rates[label], "trials/s", target=at_least(bound, "trials/s")))
        rows.append(median_row(_label(controller, _BATCH), rates[_label(controller, _BATCH)], "trials/s"))
    if "Optuna on SQLite, random" in rates:
        optuna = rates["Optuna on SQLite, random"]
        rows.append(median_row("Optuna on SQLite, random", optuna, "trials/s", note="same table, RandomSampler"))
        rows.append(ratio_row("random against Optuna on SQLite", rates[_label("random", None)], optuna))
    rows.append(Row(name="one durable commit to the log", value=commit_ms, unit="ms", note=f"file system {where}"))
    return rows


def write_table(path: Path) -> Path:
    """Every three-layer network with its parameters and a made-up, smooth accuracy; returns `path`."""
    space = TabNAS((_FEATURES,), _CLASSES, layers=_LAYERS)
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["id", "accuracy", "params"])
        for architecture in space.enumerate():
            widths = [value for name, value in space.values(architecture).items() if name != "layers" and value]
            # More capacity helps ever less, and an even shape helps a little.
            capacity, balance = sum(map(int, widths)), min(map(int, widths)) / max(map(int, widths))
            accuracy = 0.95 - 8 / (capacity + 20) + 0.01 * balance
            out.writerow([architecture.id, f"{accuracy:.6f}", space.network(architecture).params])
    return path


def _label(controller: str, batch: int | None) -> str:
    return f"{controller}, engine's default batch" if batch is None else f"{controller}, batch {batch}"


def _rate(folder: Path, table: Path, controller: str, batch: int | None, trials: int) -> float:
    engine: dict[str, Any] = {"name": "serial"} if batch is None else {"name": "serial", "batch": batch}
    run = Path(tempfile.mkdtemp(dir=folder)) / "run"
    done = run_search(
        {
            "space": {"name": "tabnas", "input": [_FEATURES], "classes": _CLASSES, "layers": _LAYERS},
            "evaluator": {"name": "table", "path": str(table)},
            "controller": controller,
            "objectives": ["maximize accuracy", "minimize params"],
            "budget": {"trials": trials},
            "engine": engine,
            "seed": 1,
        },
        run,
    )
    return len(done.trials) / done.seconds


def _commit_seconds(folder: Path) -> float:
    """What one event costs on this disk: the floor under a search that commits every trial alone."""
    with TrialStore(folder / "commits.sqlite") as store:
        seconds = []
        for number in range(_COMMITS):
            event = Event(trial=number, state="PROPOSED", architecture=Architecture("tabnas", (1, 0, 0, 0, -1)))
            start = time.perf_counter()
            store.append([event])
            seconds.append(time.perf_counter() - start)
    return median(seconds)


def _file_system(folder: Path) -> str:
    """Its type: commits to a memory file system (tmpfs) cost nothing, and prove nothing."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    found = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines()]
    here = folder.resolve()
    above = [(point, kind) for point, kind in found if here.is_relative_to(point)]
    return max(above, key=lambda pair: len(pair[0]))[1] if above else "unknown"


def _optuna_rate(folder: Path, table: Path, trials: int) -> float:
    """The same random search with Optuna's own storage."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with table.open(newline="", encoding="utf-8") as stream:
        found = {row["id"]: (float(row["accuracy"]), float(row["params"])) for row in csv.DictReader(stream)}
    space = TabNAS((_FEATURES,), _CLASSES, layers=_LAYERS)
    names = [choice.name for choice in space.choices if choice.name.startswith("width")][:_LAYERS]

    def objective(trial: Any) -> tuple[float, float]:
        widths = {name: trial.suggest_categorical(name, list(_widths(space, name))) for name in names}
        return found[space.architecture(layers=_LAYERS, **widths).id]

    study = optuna.create_study(
        storage=f"sqlite:///{Path(tempfile.mkdtemp(dir=folder)) / 'optuna.sqlite'}",
        directions=["maximize", "minimize"],
        sampler=optuna.samplers.RandomSampler(seed=1),
    )
    start = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    seconds = time.perf_counter() - start
    if len(study.trials) != trials:
        raise NoResultError(f"Optuna: expected {trials} trials, got {len(study.trials)}; see its own log.")
    return trials / seconds


def _widths(space: TabNAS, name: str) -> tuple[Any, ...]:
    return next(choice.values for choice in space.choices if choice.name == name)
