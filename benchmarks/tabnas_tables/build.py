"""A table of trained networks: every architecture of a TabNAS space, each trained for real, a row once it is done."""

from __future__ import annotations

import csv
import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from benchmarks.tabnas_tables.data import Data
from benchmarks.tabnas_tables.mlp import Recipe, train_mlp
from searchspaces.errors import InputError
from searchspaces.space import Architecture
from searchspaces.tabnas import TabNAS

Row: TypeAlias = dict[str, str]
# Networks are trained in a shuffled order: a table that holds only the first of them is a uniform sample.
_ORDER_SEED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a table holds.

    layers: hidden layers of every network.
    seeds: trainings of each network, with seeds 0, 1, ….
    networks: how many, a uniform sample; None is all of the space.
    most_params: leave out what has more parameters; None leaves out nothing.
    """

    layers: int
    seeds: int = 1
    networks: int | None = None
    most_params: int | None = None
    recipe: Recipe = Recipe()  # noqa: RUF009 (frozen)

    def __post_init__(self) -> None:
        if self.seeds < 1 or (self.networks is not None and self.networks < 1):
            raise InputError(f"table: expected one seed and one network at least, got {self}; give more.")

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the file. `test_accuracy` is the mean over the seeds, `train_s` processor time of them together."""
        each = (f"{part}_accuracy_{seed}" for seed in range(self.seeds) for part in ("val", "test"))
        return ("id", "params", "test_accuracy", *each, "train_s")


def build_table(
    data: Data, plan: Plan, path: Path, *, command: str, tell: Callable[[int, int], None] = lambda done, of: None
) -> None:
    """Train what the CSV file at `path` lacks; each row is in the file before the next network is begun.

    A table of more networks goes on from one of fewer. The JSON file beside it says how the rows came about; rows that
    came about otherwise are never mixed in.

    Raises:
        InputError: the table was begun with other data, another space, other seeds or another recipe.
    """
    space = TabNAS((data.features,), data.classes, layers=plan.layers)
    wanted = _in_order(space, plan)
    about = _about(data, plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    _begin(path, plan, about, command)
    rows = read_rows(path)
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, plan.columns)
        for number, architecture in enumerate(wanted, start=1):
            if architecture.id not in rows:
                rows[architecture.id] = _trained(space, architecture, data, plan)
                writer.writerow(rows[architecture.id])
                stream.flush()
                tell(number, len(wanted))
    _write(path, plan, sorted(rows.values(), key=lambda row: space.parse(row["id"]).indices))


def read_rows(path: Path) -> dict[str, Row]:
    """The rows of a table by id."""
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def read_about(path: Path) -> dict[str, Any]:
    """What the JSON file beside a table says of it."""
    try:
        about: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"table {path}: expected its JSON file beside it ({error}); build the table again.") from error
    return about


def widths(space: TabNAS, architecture: Architecture) -> tuple[int, ...]:
    """Of the hidden layers, from the input on."""
    values = space.values(architecture)
    return tuple(int(value) for name, value in values.items() if name != "layers" and value is not None)


def _trained(space: TabNAS, architecture: Architecture, data: Data, plan: Plan) -> Row:
    start = time.process_time()
    train, validation, test = (data.splits[part] for part in ("train", "validation", "test"))
    found, on_test = {}, []
    for seed in range(plan.seeds):
        network = train_mlp(train.x, train.y, widths(space, architecture), data.classes, recipe=plan.recipe, seed=seed)
        on_test.append(network.accuracy(test.x, test.y))
        found[f"val_accuracy_{seed}"] = f"{network.accuracy(validation.x, validation.y):.5f}"
        found[f"test_accuracy_{seed}"] = f"{on_test[-1]:.5f}"
    return {
        "id": architecture.id,
        "params": str(space.network(architecture).params),
        "test_accuracy": f"{np.mean(on_test):.5f}",
        **found,
        "train_s": f"{time.process_time() - start:.2f}",
    }


def _in_order(space: TabNAS, plan: Plan) -> list[Architecture]:
    every = list(space.enumerate())
    order = np.random.default_rng(_ORDER_SEED).permutation(len(every))
    drawn = [every[index] for index in order[: plan.networks]]
    most = math.inf if plan.most_params is None else plan.most_params
    return [architecture for architecture in drawn if space.network(architecture).params <= most]


def _about(data: Data, plan: Plan) -> dict[str, Any]:
    """What two tables must have in common to be one; `space` is as in a search file."""
    return {
        "space": {"name": "tabnas", "input": [data.features], "classes": data.classes, "layers": plan.layers},
        "data": {
            "name": data.name,
            "sha256": data.sha256,
            "rows": {part: len(split) for part, split in data.splits.items()},
        },
        "recipe": asdict(plan.recipe),
        "seeds": plan.seeds,
    }


def _begin(path: Path, plan: Plan, about: dict[str, Any], command: str) -> None:
    """Make the two files, or check those that are there, drop a row that was cut off, and note the command."""
    if path.exists():
        known = read_about(path)
        if differing := [key for key, value in about.items() if known.get(key) != value]:
            raise InputError(
                f"table {path}: expected the {', '.join(differing)} that it was begun with, got others; "
                "use another --out, or remove the table to begin it again."
            )
        text = path.read_bytes()
        if not text.endswith(b"\n"):
            os.truncate(path, text.rfind(b"\n") + 1)
        about = known
    else:
        _write(path, plan, [])
    now = {"command": command, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    machine = {"machine": platform.machine(), "numpy": np.__version__}
    record = {**about, "builds": [*about.get("builds", []), {**now, **machine}]}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _write(path: Path, plan: Plan, rows: list[Row]) -> None:
    """Put the whole table in place at once."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, plan.columns)
        writer.writeheader()
        writer.writerows(rows)
    beside.replace(path)
