"""Published tables of trained networks as search spaces with measurements, read from the files of their authors.

None of the files comes with this project: `load` finds them by name in a folder, or in the folders within it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from benchmarks.tabular.record import TabularBenchmark
from searchspaces.errors import unknown_name

__all__ = ["BENCHMARKS", "TabularBenchmark", "load"]

# Name of the space → "module:function", which takes the folder.
BENCHMARKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "accel-nasbench": "benchmarks.tabular.accel_nasbench:rows",
        "nasbench201": "benchmarks.tabular.nasbench201:networks",
        "nasbench201-cells": "benchmarks.tabular.nasbench201:cells",
        "nasbench-macro": "benchmarks.tabular.nasbench_macro:rows",
    }
)


def load(name: str, folder: str | Path) -> TabularBenchmark:
    """The space of that name with its published table.

    Args:
        name: one of BENCHMARKS.
        folder: where the published files lie, under their own names.

    Raises:
        InputError: an unknown name, or a file that is missing, doubled or not what it should be.
    """
    if name not in BENCHMARKS:
        raise unknown_name("tabular benchmark", name, BENCHMARKS)
    module, function = BENCHMARKS[name].split(":")
    reader: Callable[[Path], TabularBenchmark] = getattr(importlib.import_module(module), function)
    return reader(Path(folder))
