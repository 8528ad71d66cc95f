"""A target's TOML file. It holds (all but the tables are required):

name = "host-cpu"                      # as in `latency_ms@host-cpu`
kind = "cpu"                           # cpu, gpu, dsp, edgetpu or npu
method = "measured"                    # measured, compiled or predicted
runner = "host"                        # which runner of `hardware_profiles.target` finds the cost
runtime = "litert"
precisions = ["float32", "int8"]
threads = 1                            # unless the caller says otherwise
supported_ops = "all builtin"          # or a list of TFLite names
description = "…"

[measurement]                          # keyword arguments of `measure_latency`
runs = 40

[coefficients]                         # for predicted targets: what their runner computes with
bias = 92.136

[compiler]                             # for compiled targets: settings of their compiler
accelerator = "ethos-u55-128"

[device]                               # for measured ones that are not this machine: see docs/devices.md
serial = ""

[validated]                            # for predicted targets: how far held-out rows were off
rows = 500
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardware_profiles.cost import METHODS, Cost
from searchspaces.errors import InputError, unknown_name

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph

SUFFIX = ".toml"
KINDS = ("cpu", "gpu", "dsp", "edgetpu", "npu")

ALL_BUILTIN = "all builtin"
_TEXTS = ("name", "kind", "method", "runner", "runtime", "description")
_KEYS = (*_TEXTS, "precisions", "threads", "supported_ops")
_TABLES = ("measurement", "coefficients", "compiler", "device", "validated")
_MEASUREMENT = ("runs", "warmup", "passes", "max_spread", "time_limit_s")
_VALIDATED = ("rows", "mape", "within_10pct", "spearman", "kendall")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFile:
    """The checked content of a target's TOML file; `supported_ops` None stands for all built-in ops.

    `coefficients`, `compiler` and `device` are checked by the runner that takes them; `source` is the file, for its
    messages.
    """

    name: str
    kind: str
    method: str
    runner: str
    runtime: str
    description: str
    precisions: tuple[str, ...]
    threads: int
    supported_ops: frozenset[str] | None
    measurement: Mapping[str, Any]
    coefficients: Mapping[str, Any]
    compiler: Mapping[str, str]
    device: Mapping[str, Any]
    validated: Mapping[str, float] | None
    source: str


class FileTarget(ABC):
    """What every runner takes over from its file; most find the latency alone."""

    metrics: tuple[str, ...] = ("latency_ms",)

    def __init__(self, file: TargetFile) -> None:
        self._file = file

    @property
    def name(self) -> str:
        return self._file.name

    @property
    def kind(self) -> str:
        return self._file.kind

    @property
    def method(self) -> str:
        return self._file.method

    @property
    def precisions(self) -> tuple[str, ...]:
        return self._file.precisions

    @property
    def runtime(self) -> str:
        return self._file.runtime

    @property
    def validated(self) -> Mapping[str, float] | None:
        return self._file.validated

    @property
    def may_gate(self) -> bool:
        return self.method != "predicted" or self.validated is not None

    @abstractmethod
    def cost(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> Cost:
        """The latency of a network."""

    @abstractmethod
    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """The latency of a .tflite file."""

    def costs(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> tuple[Cost, ...]:
        return (self.cost(graph, precision=precision, threads=threads, runs=runs, seed=seed),)

    def costs_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> tuple[Cost, ...]:
        return (self.cost_of_file(path, precision=precision, threads=threads, runs=runs),)

    def per_op(self, path: Path, *, threads: int | None = None) -> list[dict[str, Any]]:
        raise InputError(f"--per-op: expected a target that knows operators, got {self.name}; leave it out.")


def read_target_file(source: Traversable, runners: tuple[str, ...]) -> TargetFile:
    """Read and check a file; `runners` are the known ones.

    Raises:
        InputError: it cannot be read or is malformed (the file and the key are named).
    """
    try:
        data = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"target {source}: expected a readable TOML file, got: {reason}; check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"target {source}: expected a TOML file, got: {error}; correct it there.") from error
    for key in data:
        if key not in (*_KEYS, *_TABLES):
            raise unknown_name(f"key in target {source}", key, (*_KEYS, *_TABLES))
    for key in _KEYS:
        if key not in data:
            raise _bad_key(source, key, "a value", "nothing")
    for key in _TEXTS:
        if not isinstance(data[key], str) or not data[key]:
            raise _bad_key(source, key, "text", data[key])
    for key, known in (("kind", KINDS), ("method", METHODS), ("runner", runners)):
        if data[key] not in known:
            raise unknown_name(f"{key} in target {source}", data[key], known)
    return TargetFile(
        **{key: data[key] for key in _TEXTS},
        precisions=_names(source, "precisions", data["precisions"]),
        threads=_threads(source, data["threads"]),
        supported_ops=None
        if data["supported_ops"] == ALL_BUILTIN
        else frozenset(_names(source, "supported_ops", data["supported_ops"])),
        measurement=_numbers(source, "measurement", data.get("measurement", {}), _MEASUREMENT),
        coefficients=data.get("coefficients", {}),
        compiler=_words(source, "compiler", data.get("compiler", {})),
        device=_table(source, "device", data.get("device", {})),
        validated=_numbers(source, "validated", data["validated"], _VALIDATED) if "validated" in data else None,
        source=str(source),
    )


def _bad_key(source: Traversable, key: str, expected: str, given: object) -> InputError:
    return InputError(f"target {source}: key {key}: expected {expected}, got {given!r}; see targets/host-cpu.toml.")


def _names(source: Traversable, key: str, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(name, str) and name for name in given):
        expected = "a list of names" if key != "supported_ops" else f"a list of TFLite ops, or {ALL_BUILTIN!r}"
        raise _bad_key(source, key, expected, given)
    return tuple(given)


def _threads(source: Traversable, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise _bad_key(source, "threads", "a whole number, 1 or more", given)
    return given


def _table(source: Traversable, table: str, given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _bad_key(source, table, "a table", given)
    return given


def _words(source: Traversable, table: str, given: object) -> dict[str, str]:
    for key, word in _table(source, table, given).items():
        if not isinstance(word, str) or not word:
            raise _bad_key(source, f"{table}.{key}", "a name", word)
    return _table(source, table, given)


def _numbers(source: Traversable, table: str, given: object, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _bad_key(source, table, "a table of numbers", given)
    for key, number in given.items():
        if key not in known:
            raise unknown_name(f"key in [{table}] of target {source}", key, known)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _bad_key(source, f"{table}.{key}", "a number", number)
    return given
