"""The measurements by name, and how one is run: in a process of its own, which starts with nothing loaded."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from types import MappingProxyType
from typing import Any, Final

from benchmarks.speed.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A module with a function `measure` whose defaults are the full sizes; `quick` holds small ones."""

    name: str
    module: str
    title: str
    quick: Mapping[str, Any] = field(default_factory=dict)


_ALL = (
    Measurement(
        name="start-up",
        module="benchmarks.speed.start_up",
        title="Start of the package and the command",
        quick={"runs": 5},
    ),
    Measurement(
        name="describe",
        module="benchmarks.speed.describing",
        title="Describing a network",
        quick={"networks": 20, "repeats": 1},
    ),
    Measurement(
        name="table",
        module="benchmarks.speed.table_search",
        title="Search of a table, serial, every trial in the log",
        quick={"trials": 1000, "repeats": 2},
    ),
    Measurement(
        name="proposals",
        module="benchmarks.speed.proposals",
        title="Proposals of controllers and peers, each shown the result of the one before",
        quick={"trials": 300, "dear_trials": 40, "ranked": 2000, "repeats": 1},
    ),
    Measurement(
        name="writer",
        module="benchmarks.speed.writer",
        title="Architecture to .tflite: written directly, or Keras and TensorFlow",
        quick={"repeats": 2},
    ),
    Measurement(
        name="streams",
        module="benchmarks.movinet_stream.measure",
        title="MoViNet streams: a frame on one core, and the way to the file",
        quick={"networks": ("a0",), "passes": 3, "runs": 5},
    ),
    Measurement(
        name="ray",
        module="benchmarks.speed.ray_trials",
        title="Ray: overhead a trial, and two workers against one",
        quick={"sleep_trials": 4, "table_trials": 3, "image_trials": 2, "image_epochs": 2},
    ),
    Measurement(
        name="memory",
        module="benchmarks.speed.memory",
        title="Memory over trained trials",
        quick={"driver_trials": 12, "worker_trials": 4, "serial_trials": 30},
    ),
)
MEASUREMENTS: Final[Mapping[str, Measurement]] = MappingProxyType({each.name: each for each in _ALL})


def run_alone(measurement: Measurement, *, quick: bool) -> list[Row]:
    """Run one measurement in a fresh process, so that none sees what another has loaded or left behind.

    Raises:
        InputError, MissingError, NoResultError: what the measurement itself raised.
        BrokenProcessPool: its process died.
    """
    sizes = dict(measurement.quick) if quick else {}
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run_here, measurement.module, sizes).result()


def run_here(module: str, sizes: Mapping[str, Any]) -> list[Row]:
    """Run one measurement in this process."""
    # Set before anything loads TensorFlow, whose start-up notices would drown the table.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows: list[Row] = importlib.import_module(module).measure(**sizes)
    return rows
