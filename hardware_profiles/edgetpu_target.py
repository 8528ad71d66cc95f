"""The Coral Edge TPU: what is mapped, cached and streamed, by its compiler where that is installed, else by rules."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hardware_profiles.cost import Cost, utc_now
from hardware_profiles.edgetpu import plan_edgetpu
from hardware_profiles.edgetpu_compiler import COMMAND, compile_for_edgetpu
from hardware_profiles.target_file import FileTarget
from searchspaces.errors import InputError, unknown_name

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph

_UNITS: Final = {"cached_bytes": "B", "streamed_bytes": "B", "cpu_ops": "ops"}
# The only custom operator that the runtime brings along; it runs on the host.
_POST_PROCESSING: Final = "CUSTOM:TFLite_Detection_PostProcess"
_RULES: Final = "published rules"
_NOTE: Final = (
    f"by published rules, since {COMMAND} is not installed: its op list, one partition, bytes to within 5 % of four "
    "compiled MobileNetV1 files"
)


class EdgeTPUTarget(FileTarget):
    """Counts the operators left to the CPU and the bytes of parameters; it knows no time.

    No built-in operator is refused: what is not mapped runs on the host, and `cpu_ops` says how many do.
    """

    metrics = tuple(_UNITS)

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        custom = [kind for kind in graph.ops_by_kind if kind.startswith("CUSTOM") and kind != _POST_PROCESSING]
        reasons = [f"unsupported op {kind}" for kind in custom]
        if graph.precision not in self.precisions:
            reasons.append(f"precision {graph.precision}")
        return tuple(reasons)

    def cost(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> Cost:
        """How many bytes of parameters stay on the chip.

        Raises:
            InputError: the network is not int8, or an option asks for what a compiler does not have.
            NoResultError: the compiler is installed and does not compile it.
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
        """Cached and streamed bytes, and operators on the CPU; errors as for `cost`."""
        from hardware_profiles.write_tflite import write_tflite

        self._check(graph, precision, threads, runs)
        if shutil.which(COMMAND) is None:
            return self._by_rules(graph)
        with tempfile.TemporaryDirectory(prefix="edgetpu-") as folder:
            path = Path(folder) / "network.tflite"
            path.write_bytes(write_tflite(graph, seed=seed))
            return self._by_compiler(path)

    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """How many bytes of a .tflite file's parameters stay on the chip; errors as for `cost`."""
        return self.costs_of_file(path, precision=precision, threads=threads, runs=runs)[0]

    def costs_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> tuple[Cost, ...]:
        """The same as `costs`, of a file."""
        from hardware_profiles.read_tflite import read_tflite

        graph = read_tflite(path)
        self._check(graph, precision, threads, runs)
        return self._by_rules(graph) if shutil.which(COMMAND) is None else self._by_compiler(path)

    def per_op(self, path: Path, *, threads: int | None = None) -> list[dict[str, Any]]:
        """Where each operator of a file runs by the rules, and why not on the Edge TPU."""
        from hardware_profiles.read_tflite import read_tflite

        graph = read_tflite(path)
        reasons = {op.number: op.reason for op in plan_edgetpu(graph).left}
        return [
            {"kind": op.kind, "unit": "CPU" if number in reasons else "Edge TPU", "reason": reasons.get(number, "")}
            for number, op in enumerate(graph.ops)
        ]

    def _by_rules(self, graph: OpGraph) -> tuple[Cost, ...]:
        plan = plan_edgetpu(graph)
        found = {
            "cpu_ops": len(plan.left),
            "streamed_bytes": plan.streamed_bytes,
            "cached_bytes": plan.cached_bytes,
        }
        return self._records(found, _RULES, _NOTE)

    def _by_compiler(self, path: Path) -> tuple[Cost, ...]:
        report = compile_for_edgetpu(path)
        found = {
            "cpu_ops": sum(row.count for row in report.left),
            "streamed_bytes": report.streamed_bytes,
            "cached_bytes": report.cached_bytes,
        }
        return self._records(found, f"{COMMAND} {report.version}", "")

    def _records(self, found: Mapping[str, int], runtime: str, note: str) -> tuple[Cost, ...]:
        return tuple(
            Cost(
                metric=metric,
                value=float(found[metric]),
                unit=unit,
                low=None,
                high=None,
                method=self.method,
                target=self.name,
                batch=1,
                precision="int8",
                threads=self._file.threads,
                delegate="edgetpu",
                runtime=runtime,
                fingerprint=hashlib.sha256(runtime.encode()).hexdigest()[:12],
                runs=0,
                warmup=0,
                spread=None,
                at=utc_now(),
                note=note,
            )
            for metric, unit in _UNITS.items()
        )

    def _check(self, graph: OpGraph, precision: str | None, threads: int | None, runs: int | None) -> None:
        if precision is not None and precision not in self.precisions:
            raise unknown_name(f"precision of {self.name}", precision, self.precisions)
        for name, given in (("threads", threads), ("runs", runs)):
            if given is not None and not (name == "threads" and given == self._file.threads):
                raise InputError(f"{name}: expected none for {self.name}, which compiles, got {given!r}; leave it out.")
        if reasons := self.unsupported(graph):
            raise InputError(
                f"{self.name}: expected an int8 network of TFLite's own operators, got {', '.join(reasons)}; choose "
                "another target, precision or network."
            )
