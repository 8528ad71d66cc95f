"""What targets that run networks elsewhere share: a network becomes a file, the file goes there, a cost comes back."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hardware_profiles.cost import Cost
from hardware_profiles.target_file import FileTarget
from searchspaces.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardware_profiles.op_graph import OpGraph

_SETTLED: Final = "its file says how it measures; change it there."


class DeviceTarget(FileTarget):
    """A device that is not this machine. How often and on how many threads it runs a network is for its file to say."""

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        known = self._file.supported_ops
        kinds = dict.fromkeys(op.kind for op in graph.ops)
        refused = [kind for kind in kinds if (kind.startswith("CUSTOM") if known is None else kind not in known)]
        reasons = [f"unsupported op {kind}" for kind in refused]
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
        """Run a network with random weights there.

        Raises:
            InputError: the target does not take the network or an option.
            NoResultError: the device runs it and no cost comes of it.
            MissingError: the device, or what reaches it, is not there.
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
        from hardware_profiles.write_tflite import write_tflite

        if reasons := self.unsupported(graph):
            raise InputError(
                f"{self.name}: expected a network it runs, got {', '.join(reasons)}; choose another network or target."
            )
        self._check_options(precision, graph.precision, threads, runs)
        return self.measured(write_tflite(graph, seed=seed), graph.precision)

    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """Run a .tflite file there; errors as for `cost`."""
        return self.costs_of_file(path, precision=precision, threads=threads, runs=runs)[0]

    def costs_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> tuple[Cost, ...]:
        from hardware_profiles.read_tflite import read_tflite

        graph = read_tflite(path)
        self._check_options(precision, graph.precision, threads, runs)
        return self.measured(path.read_bytes(), graph.precision)

    @abstractmethod
    def measured(self, model: bytes, precision: str) -> tuple[Cost, ...]:
        """Run a .tflite file's bytes on the device; one cost for each of `metrics`."""

    @property
    def _runs(self) -> int | None:
        """How often the device runs a network, where the file says so."""
        return None

    def _check_options(self, precision: str | None, found: str, threads: int | None, runs: int | None) -> None:
        if precision is not None and precision != found:
            raise unknown_name("precision", precision, (found,))
        own: Mapping[str, Any] = {"threads": self._file.threads, "runs": self._runs}
        for name, given in (("threads", threads), ("runs", runs)):
            if given is not None and given != own[name]:
                raise InputError(f"{name}: expected {own[name] or 'none'} for {self.name}, got {given}; {_SETTLED}")
