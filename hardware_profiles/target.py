"""Targets: what a network can be costed on. One TOML file each, and a runner for each way of finding a cost.

A file holds (all but the tables are required):

    name = "host-cpu"                      # as in `latency_ms@host-cpu`
    kind = "cpu"                           # cpu, gpu, dsp, edgetpu or npu
    method = "measured"                    # measured, compiled or predicted
    runner = "host"                        # which class below finds the cost
    runtime = "litert"
    precisions = ["float32", "int8"]
    threads = 1                            # unless the caller says otherwise
    supported_ops = "all builtin"          # or a list of TFLite names
    description = "…"

    [measurement]                          # keyword arguments of `measure_latency`
    runs = 40

    [validated]                            # for predicted targets: how far held-out rows were off
    rows = 500
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hardware_profiles import litert
from hardware_profiles.cost import METHODS, Cost
from hardware_profiles.fingerprint import host_fingerprint
from hardware_profiles.measure import latency_cost, measure_latency
from searchspaces.errors import InputError, MissingError, unknown_name

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph

ALL_BUILTIN = "all builtin"
KINDS = ("cpu", "gpu", "dsp", "edgetpu", "npu")

_SUFFIX = ".toml"
_TEXTS = ("name", "kind", "method", "runner", "runtime", "description")
_KEYS = (*_TEXTS, "precisions", "threads", "supported_ops")
_MEASUREMENT = ("runs", "warmup", "passes", "max_spread", "time_limit_s")
_VALIDATED = ("rows", "mape", "within_10pct", "spearman", "kendall")


class Target(Protocol):
    """What the search, the command line and the conformance kit need of a target."""

    @property
    def name(self) -> str:
        """As in `latency_ms@host-cpu`."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""

    @property
    def method(self) -> str:
        """How its costs are found: measured, compiled or predicted."""

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions it runs."""

    @property
    def runtime(self) -> str:
        """The family of its runtime; costs carry the exact version."""

    @property
    def validated(self) -> Mapping[str, float] | None:
        """Rows, mape, within_10pct, spearman and kendall on held-out rows; None where costs are measured."""

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        """Why the target cannot run a network, such as `unsupported op RESIZE_BILINEAR`; empty if it can."""

    def cost(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> Cost:
        """The latency of a network; `precision` is checked against the graph's own."""

    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """The latency of a .tflite file; `precision` is checked against the file's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFile:
    """The checked content of a target's TOML file; `supported_ops` None stands for all built-in ops."""

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
    validated: Mapping[str, float] | None


class HostTarget:
    """This machine: a network is written to a .tflite model with random weights, and timed."""

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

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        return self._refused_ops(op.kind for op in graph.ops)

    def cost(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> Cost:
        """Measure a network.

        Raises:
            InputError: the target cannot run it, or `precision` is not the graph's.
            MissingError: no runtime is installed.
        """
        from hardware_profiles.write_tflite import write_tflite

        if graph.precision not in self.precisions:
            raise unknown_name(f"precision of {self.name}", graph.precision, self.precisions)
        self._check_precision(precision, graph.precision, "the graph")
        self._check_supported(self.unsupported(graph), "the network")
        return self._measure(write_tflite(graph, seed=seed), threads, runs, seed)

    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """Measure a file.

        Raises:
            InputError: it is no TFLite model, holds an op the target lacks, or is not of `precision`.
            MissingError: no runtime is installed.
        """
        interpreter = litert.open_interpreter(path)
        self._check_precision(precision, litert.precision_of(interpreter), str(path))
        if self._file.supported_ops is not None:
            self._check_supported(self._refused_ops(litert.op_kinds(path)), str(path))
        return self._measure(path, threads, runs, seed=0)

    def _measure(self, model: litert.Model, threads: int | None, runs: int | None, seed: int) -> Cost:
        options = dict(self._file.measurement)
        if runs is not None:
            options["runs"] = runs
        threads = self._file.threads if threads is None else threads
        measurement = measure_latency(model, threads=threads, seed=seed, **options)
        fingerprint = host_fingerprint(measurement.runtime)
        return latency_cost(measurement, target=self.name, fingerprint=fingerprint.id)

    def _refused_ops(self, kinds: Iterable[str]) -> tuple[str, ...]:
        present = dict.fromkeys(kinds)
        known = self._file.supported_ops
        if known is None:
            known = _known_builtins()
        if known is None:
            return tuple(f"unsupported op {kind}" for kind in present if kind.startswith("CUSTOM"))
        return tuple(f"unsupported op {kind}" for kind in present if kind not in known)

    def _check_supported(self, reasons: tuple[str, ...], what: str) -> None:
        if reasons:
            raise InputError(
                f"{what}: expected ops that {self.name} runs, got {', '.join(reasons)}; "
                "choose another target or a space without them."
            )

    def _check_precision(self, given: str | None, found: str, what: str) -> None:
        if given is not None and given != found:
            raise InputError(
                f"precision: expected {found}, the precision of {what}, got {given!r}; "
                "leave it out, or lower or export the network in the precision you want."
            )


def list_targets() -> tuple[str, ...]:
    """The names of the targets that come with the package."""
    return tuple(sorted(_shipped()))


def load_target(name: str | Path) -> Target:
    """A target by its name, or from a TOML file of the user's (a path, or a name that ends in `.toml`).

    Raises:
        InputError: no such target or file, or the file is malformed (the file and the key are named).
    """
    if isinstance(name, Path) or name.endswith(_SUFFIX):
        source: Traversable = Path(name)
    else:
        shipped = _shipped()
        if name not in shipped:
            raise unknown_name("target", name, shipped)
        source = shipped[name]
    file = _read_target_file(source)
    return _RUNNERS[file.runner](file)


_RUNNERS: Mapping[str, Callable[[TargetFile], Target]] = {"host": HostTarget}


def _known_builtins() -> frozenset[str] | None:
    """None with `tflite_runtime`, which has no list of ops; it names what it cannot run when the model is opened."""
    try:
        return litert.builtin_ops()
    except MissingError:
        return None


def _shipped() -> dict[str, Traversable]:
    folder = resources.files("hardware_profiles.targets")
    return {path.name.removesuffix(_SUFFIX): path for path in folder.iterdir() if path.name.endswith(_SUFFIX)}


def _read_target_file(source: Traversable) -> TargetFile:
    try:
        data = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"target {source}: expected a readable TOML file, got: {reason}; check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"target {source}: expected a TOML file, got: {error}; correct it there.") from error
    for key in data:
        if key not in (*_KEYS, "measurement", "validated"):
            raise unknown_name(f"key in target {source}", key, (*_KEYS, "measurement", "validated"))
    for key in _KEYS:
        if key not in data:
            raise _bad_key(source, key, "a value", "nothing")
    for key in _TEXTS:
        if not isinstance(data[key], str) or not data[key]:
            raise _bad_key(source, key, "text", data[key])
    for key, known in (("kind", KINDS), ("method", METHODS), ("runner", tuple(_RUNNERS))):
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
        validated=_numbers(source, "validated", data["validated"], _VALIDATED) if "validated" in data else None,
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


def _numbers(source: Traversable, table: str, given: object, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _bad_key(source, table, "a table of numbers", given)
    for key, number in given.items():
        if key not in known:
            raise unknown_name(f"key in [{table}] of target {source}", key, known)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _bad_key(source, f"{table}.{key}", "a number", number)
    return given
