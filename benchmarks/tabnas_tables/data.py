"""The data sets behind the tables, from files of PMLB (github.com/EpistasisLab/pmlb): so many rows of each split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from benchmarks.tasks.splits import stratified_subset
from benchmarks.tasks.table_files import tsv
from nas.task import PARTS, Part, Split, Task
from searchspaces.errors import InputError, unknown_name

LABEL: Final = "target"
# Columns whose numbers are codes, by data set; sets of plain numbers are not listed.
CODES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "adult": (
            "workclass",
            "education",
            "marital-status",
            "occupation",
            "relationship",
            "race",
            "sex",
            "native-country",
        ),
        "connect_4": tuple(f"{column}{row}" for column in "abcdefg" for row in range(1, 7)),
    }
)
# Held-out rows cost a pass each, training rows some thirty: a table of thousands of networks has to choose.
MOST_ROWS: Final[Mapping[Part, int]] = MappingProxyType({"train": 4_000, "validation": 5_000, "test": 10_000})


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Disjoint splits of one data set; `sha256` is that of its file."""

    name: str
    classes: int
    splits: Mapping[Part, Split]
    sha256: str

    @property
    def features(self) -> int:
        """After encoding: categories have one each."""
        return int(self.splits["train"].x.shape[1])


def read_data(name: str, folder: Path, *, train_rows: int = MOST_ROWS["train"], seed: int = 0) -> Data:
    """The data set `name` of the folder, each split cut to its number of rows with the classes in proportion.

    Raises:
        InputError: there is no such file, it cannot be read, or it has a class for every row.
    """
    path = folder / f"{name}.tsv.gz"
    if not path.is_file():
        raise unknown_name(
            f"data set in {folder}", name, [file.name.removesuffix(".tsv.gz") for file in _files(folder)]
        )
    task = tsv(path=path, label=LABEL, categorical=CODES.get(name, ()), seed=seed)
    most = {**MOST_ROWS, "train": train_rows}
    return Data(
        name=name,
        classes=len(task.class_names),
        splits={part: _cut(task, part, most[part], seed) for part in PARTS},
        sha256=str(task.provenance["sha256"]),
    )


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.tsv.gz"))
    if not found:
        raise InputError(f"folder {folder}: expected files NAME.tsv.gz as PMLB has them, got none; check the path.")
    return found


def _cut(task: Task, part: Part, most: int, seed: int) -> Split:
    split = task.split(part)
    if len(split) <= most:
        return split
    rows = stratified_subset(split.y, most, seed=seed)
    return Split(x=np.ascontiguousarray(split.x[rows]), y=split.y[rows])
