"""What one entrant did with one seed: every evaluation in order, kept as a small CSV file."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.pareto import Objective
from searchspaces.errors import InputError

_HEAD = ("looked_at", "feasible", "id")


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedRecord:
    """T evaluations of one seed in the order they were made, for M objectives.

    Attributes:
        label: the entrant's.
        seed: of this search.
        ids: of the evaluated architectures, [T].
        looked_at: how many architectures had been proposed by then, refused ones too, [T].
        feasible: whether the constraints hold, [T]. Controllers are never charged for an architecture that breaks
            one, so theirs all do; peers find out by a trial.
        seen: the objectives as the entrant was told them, [T, M]; NaN where it failed.
        judged: the objectives by the columns that judge, [T, M].
    """

    label: str
    seed: int
    ids: tuple[str, ...]
    looked_at: NDArray[np.int64]
    feasible: NDArray[np.bool_]
    seen: NDArray[np.float64]
    judged: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)


def save_record(record: SeedRecord, objectives: Sequence[Objective], path: Path) -> None:
    """Write it in one step: a file that is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(_columns(objectives))
        for row in range(len(record)):
            values = [_text(value) for value in (*record.seen[row], *record.judged[row])]
            out.writerow([record.looked_at[row], int(record.feasible[row]), record.ids[row], *values])
    temporary.replace(path)


def load_record(label: str, seed: int, objectives: Sequence[Objective], path: Path) -> SeedRecord:
    """Read a seed that was finished before; an `InputError` names what is wrong with the file."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
        if not rows or tuple(rows[0]) != _columns(objectives):
            raise ValueError(f"its columns are {rows[0] if rows else 'none'}")
        looked_at = np.array([int(row[0]) for row in rows[1:]], dtype=np.int64)
        feasible = np.array([bool(int(row[1])) for row in rows[1:]], dtype=np.bool_)
        values = np.array([[float(text) if text else math.nan for text in row[3:]] for row in rows[1:]], dtype=float)
        values = values.reshape(len(looked_at), 2 * len(objectives))
    except (OSError, UnicodeDecodeError, ValueError, IndexError, csv.Error) as error:
        raise InputError(
            f"{path}: expected the evaluations of seed {seed} ({error}); delete the file, and it is made again."
        ) from error
    return SeedRecord(
        label=label,
        seed=seed,
        ids=tuple(row[2] for row in rows[1:]),
        looked_at=looked_at,
        feasible=feasible,
        seen=values[:, : len(objectives)],
        judged=values[:, len(objectives) :],
    )


def _columns(objectives: Sequence[Objective]) -> tuple[str, ...]:
    metrics = [objective.metric for objective in objectives]
    return (*_HEAD, *metrics, *(f"judged {metric}" for metric in metrics))


def _text(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
