"""Ethos-U NPUs as their compiler sees them: cycles, milliseconds and memories of a network, none of it from silicon."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hardware_profiles.cost import Cost, utc_now
from hardware_profiles.target_file import FileTarget, TargetFile
from hardware_profiles.vela import PACKAGE, VelaReport, VelaSettings, compile_with_vela
from searchspaces.errors import InputError, unknown_name

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph

_NOTE = (
    "the compiler's own estimate, never held against silicon; a network that is no file has random weights, which "
    "compress least"
)
_UNITS: Final = {"latency_ms": "ms", "cycles": "cycles", "sram_bytes": "B", "dram_bytes": "B", "flash_bytes": "B"}


class EthosTarget(FileTarget):
    """An Ethos-U of the file's `[compiler]` table. A network with an operator for the CPU is refused: Vela times none.

    Raises:
        InputError: the table lacks a setting or holds an unknown one.
    """

    metrics = tuple(_UNITS)

    def __init__(self, file: TargetFile) -> None:
        super().__init__(file)
        names = VelaSettings.__dataclass_fields__
        for key in file.compiler:
            if key not in names:
                raise unknown_name(f"key in [compiler] of target {file.source}", key, names)
        for key in names:
            if key != "config" and key not in file.compiler:
                raise InputError(
                    f"target {file.source}: key compiler.{key}: expected a name of Vela's, got nothing; "
                    "see targets/ethos-u55.toml."
                )
        self._settings = VelaSettings(**file.compiler)
        # One compilation answers several questions about a network: whether it runs, how long, how large.
        self._last: tuple[OpGraph, VelaReport] | None = None

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        known = self._file.supported_ops or frozenset()
        kinds = dict.fromkeys(op.kind for op in graph.ops)
        reasons = [f"unsupported op {kind}" for kind in kinds if kind not in known]
        if graph.precision not in self.precisions:
            reasons.append(f"precision {graph.precision}")
        return tuple(reasons) or _left_to_cpu(self._report(graph))

    def cost(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> Cost:
        """The latency that Vela estimates.

        Raises:
            InputError: the NPU does not run all of it, or an option asks for what a compiler does not have.
            MissingError: Vela is not installed.
        """
        return self.costs(graph, precision=precision, threads=threads, runs=runs, seed=seed)[0]

    def costs(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> tuple[Cost, ...]:
        """Latency, cycles and memories; errors as for `cost`."""
        self._check_options(precision, threads, runs)
        if reasons := self.unsupported(graph):
            raise self._refused(reasons)
        return self._records(self._report(graph))

    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """The latency that Vela estimates of a .tflite file, whose own weights decide how far they compress.

        Raises:
            InputError: it is no TFLite model, or as for `cost`.
            MissingError: Vela is not installed.
        """
        return self.costs_of_file(path, precision=precision, threads=threads, runs=runs)[0]

    def costs_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> tuple[Cost, ...]:
        """All of a file's costs; errors as for `cost_of_file`."""
        return self._records(self._report_of_file(path, precision, threads, runs))

    def per_op(self, path: Path, *, threads: int | None = None) -> list[dict[str, Any]]:
        """Where each operator of a file runs, its cycles and its multiply-adds, in running order."""
        return [asdict(op) for op in self._report_of_file(path, None, threads, None).ops]

    def _report(self, graph: OpGraph) -> VelaReport:
        from hardware_profiles.write_tflite import write_tflite

        if self._last is None or self._last[0] != graph:
            self._last = (graph, compile_with_vela(write_tflite(graph), self._settings))
        return self._last[1]

    def _report_of_file(self, path: Path, precision: str | None, threads: int | None, runs: int | None) -> VelaReport:
        from hardware_profiles.read_tflite import read_tflite

        self._check_options(precision, threads, runs)
        graph = read_tflite(path)
        if graph.precision not in self.precisions:
            raise self._refused([f"precision {graph.precision}"])
        report = compile_with_vela(path.read_bytes(), self._settings)
        if reasons := _left_to_cpu(report):
            raise self._refused(reasons)
        return report

    def _check_options(self, precision: str | None, threads: int | None, runs: int | None) -> None:
        if precision is not None and precision not in self.precisions:
            raise unknown_name(f"precision of {self.name}", precision, self.precisions)
        for name, given in (("threads", threads), ("runs", runs)):
            if given is not None and not (name == "threads" and given == self._file.threads):
                raise InputError(f"{name}: expected none for {self.name}, which compiles, got {given!r}; leave it out.")

    def _refused(self, reasons: Sequence[str]) -> InputError:
        return InputError(
            f"{self.name}: expected an int8 network that the NPU runs whole, got {', '.join(reasons)}; choose another "
            "target, precision or network."
        )

    def _records(self, report: VelaReport) -> tuple[Cost, ...]:
        runtime = f"{PACKAGE} {report.version}"
        words = (runtime, *asdict(self._settings).values())
        fingerprint = hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]
        return tuple(
            Cost(
                metric=metric,
                value=float(getattr(report, metric)),
                unit=unit,
                low=None,
                high=None,
                method=self.method,
                target=self.name,
                batch=1,
                precision="int8",
                threads=self._file.threads,
                delegate="none",
                runtime=runtime,
                fingerprint=fingerprint,
                runs=0,
                warmup=0,
                spread=None,
                at=utc_now(),
                note=_NOTE,
            )
            for metric, unit in _UNITS.items()
        )


def _left_to_cpu(report: VelaReport) -> tuple[str, ...]:
    return tuple(f"{kind} left to the CPU" for kind in dict.fromkeys(op.kind for op in report.cpu_ops))
