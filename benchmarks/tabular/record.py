"""What a tabular benchmark is, and how its files are found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas.evaluators.table import TableEvaluator
from nas.evaluators.table_file import Table
from searchspaces.errors import InputError
from searchspaces.space import SearchSpace


@dataclass(frozen=True, kw_only=True, eq=False)
class TabularBenchmark:
    """A space and what is known of its architectures. `complete` tells whether every architecture has a row."""

    space: SearchSpace
    table: Table
    complete: bool

    def evaluator(self) -> TableEvaluator:
        """The table as a search asks it."""
        return TableEvaluator.of(self.table)


def find_file(folder: Path, name: str) -> Path:
    """The one file of that name in a folder or in the folders within it."""
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder with {name}, got no folder; check the path.")
    found = sorted(folder.rglob(name))
    if len(found) != 1:
        places = f"{len(found)} of them ({found[0]}, {found[1]}, …)" if found else "none"
        raise InputError(f"{folder}: expected one file {name} in it, got {places}; name the folder that holds it.")
    return found[0]


def find_optional(folder: Path, name: str) -> Path | None:
    """The same for a file that a benchmark can do without: None where there is none."""
    return find_file(folder, name) if folder.is_dir() and any(folder.rglob(name)) else None


def write_csv(table: Table, path: Path) -> None:
    """The table as a file that `read_table` takes: ids, then metrics; compressed where it is called .gz."""
    import pandas as pd

    if not path.name.endswith((".csv", ".csv.gz")):
        raise InputError(f"{path}: expected a name that ends in .csv or .csv.gz; rename it.")
    frame = pd.DataFrame(table.values, columns=list(table.metrics))
    frame.insert(0, "id", [architecture.id for architecture in table.architectures])
    try:
        frame.to_csv(path, index=False)
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be written ({error}); check the folder.") from error
