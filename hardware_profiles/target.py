"""Targets: what a network can be costed on. One TOML file each, and a runner for each way of finding a cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hardware_profiles.cost import Cost
from hardware_profiles.devices.android_target import AndroidTarget
from hardware_profiles.devices.board_target import BoardTarget
from hardware_profiles.devices.command_target import CommandTarget
from hardware_profiles.edgetpu_target import EdgeTPUTarget
from hardware_profiles.ethos_target import EthosTarget
from hardware_profiles.host_target import HostTarget
from hardware_profiles.proxylessnas_table import ProxylessNASTable
from hardware_profiles.target_file import SUFFIX, TargetFile, read_target_file
from searchspaces.errors import unknown_name

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph


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
        """Rows, mape, within_10pct, spearman and kendall on held-out rows; None where none were held out."""

    @property
    def may_gate(self) -> bool:
        """Whether its costs may rule an architecture out: a prediction never held against measurements may not."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it finds, the most telling first; `metric@name` is how a search asks for one."""

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
        """The first of `metrics`, mostly the latency; `precision` is checked against the graph's own."""

    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """The same of a .tflite file; `precision` is checked against the file's own."""

    def costs(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> tuple[Cost, ...]:
        """One cost for each of `metrics`, in their order, for the price of one."""

    def costs_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> tuple[Cost, ...]:
        """The same of a .tflite file."""

    def per_op(self, path: Path, *, threads: int | None = None) -> list[dict[str, Any]]:
        """A row for each operator of a .tflite file, in running order; an `InputError` where it knows none."""


def list_targets() -> tuple[str, ...]:
    """The names of the targets that come with the package."""
    return tuple(sorted(_shipped()))


def load_target(name: str | Path) -> Target:
    """A target by its name, or from a TOML file of the user's (a path, or a name that ends in `.toml`).

    Raises:
        InputError: no such target or file, or the file is malformed (the file and the key are named).
    """
    if isinstance(name, Path) or name.endswith(SUFFIX):
        source: Traversable = Path(name)
    else:
        shipped = _shipped()
        if name not in shipped:
            raise unknown_name("target", name, shipped)
        source = shipped[name]
    file = read_target_file(source, tuple(_RUNNERS))
    return _RUNNERS[file.runner](file)


_RUNNERS: Mapping[str, Callable[[TargetFile], Target]] = {
    "android": AndroidTarget,
    "board": BoardTarget,
    "command": CommandTarget,
    "edgetpu": EdgeTPUTarget,
    "host": HostTarget,
    "proxylessnas-table": ProxylessNASTable,
    "vela": EthosTarget,
}


def _shipped() -> dict[str, Traversable]:
    folder = resources.files("hardware_profiles.targets")
    return {path.name.removesuffix(SUFFIX): path for path in folder.iterdir() if path.name.endswith(SUFFIX)}
