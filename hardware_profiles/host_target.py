"""The target that is this machine: networks are written, and files timed, with the runtime installed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardware_profiles import litert
from hardware_profiles.cost import Cost
from hardware_profiles.fingerprint import host_fingerprint
from hardware_profiles.measure import latency_cost, measure_latency
from hardware_profiles.target_file import FileTarget
from searchspaces.errors import InputError, MissingError, unknown_name

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph


class HostTarget(FileTarget):
    """This machine: a network is written to a .tflite model with random weights, and timed."""

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
        if precision is not None or self._file.supported_ops is not None:
            interpreter = litert.open_interpreter(path)
            self._check_precision(precision, litert.precision_of(interpreter), str(path))
        if self._file.supported_ops is not None:
            self._check_supported(self._refused_ops(litert.op_kinds(path)), str(path))
        return self._measure(path, threads, runs, seed=0)

    def per_op(self, path: Path, *, threads: int | None = None) -> list[dict[str, Any]]:
        """Kernel and microseconds of each operator, profiled in a process of its own."""
        from hardware_profiles.profiler import profile_ops

        return [asdict(op) for op in profile_ops(path, threads=threads or self._file.threads).ops]

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


def _known_builtins() -> frozenset[str] | None:
    """None with `tflite_runtime`, which has no list of ops; it names what it cannot run when the model is opened."""
    try:
        return litert.builtin_ops()
    except MissingError:
        return None
