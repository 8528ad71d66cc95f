"""Latency of a ProxylessNAS network as TuNAS models it: a bias and a coefficient for every choice.

The model costs choices, a target is asked about op graphs. So the choices are read off the graph's depthwise
convolutions, the network they stand for is lowered again, and only a graph that equals it op for op gets a number. That
holds for converted files too, and for the rescaling of the input that a task puts in front.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from hardware_profiles.cost import Cost, utc_now
from hardware_profiles.lower import lower
from hardware_profiles.target_file import FileTarget, TargetFile
from searchspaces.bottleneck_groups import group_values
from searchspaces.errors import InputError, unknown_name
from searchspaces.proxylessnas import EXPANSIONS, GROUP_LAYERS, KERNELS, WIDTHS, ProxylessNAS
from searchspaces.space import Value

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph

INPUT_SHAPE = (224, 224, 3)
# With and without a class for the background, as networks for ImageNet have it.
CLASSES = (1000, 1001)

_OPERATIONS = len(KERNELS) * len(EXPANSIONS)
_NOTE = "predicted, never held against measurements: an order of networks, not milliseconds to rely on"


class ProxylessNASTable(FileTarget):
    """A target whose `coefficients` are those of the ProxylessNAS space, in milliseconds.

    Raises:
        InputError: the file lacks a coefficient or holds one too many.
    """

    def __init__(self, file: TargetFile) -> None:
        super().__init__(file)
        self._coefficients = _checked(file)
        text = json.dumps(self._coefficients, sort_keys=True)
        self._fingerprint = hashlib.sha256(text.encode()).hexdigest()[:12]

    def latency_ms(self, values: Mapping[str, Value | None]) -> float:
        """The modelled latency of an architecture, from the values of its choices."""
        table = self._coefficients
        total = float(table["bias"][0]) + table["separable"][KERNELS.index(int(values["separable_kernel"] or 0))]
        for group, layers in enumerate(GROUP_LAYERS, start=1):
            for layer in range(1, layers + 1):
                kernel, expansion = values.get(f"kernel_{group}_{layer}"), values.get(f"expansion_{group}_{layer}")
                row = table[f"{'first' if layer == 1 else 'later'}_{group}"]
                if kernel is None or expansion is None:
                    total += row[_OPERATIONS]
                else:
                    total += row[KERNELS.index(int(kernel)) * len(EXPANSIONS) + EXPANSIONS.index(int(expansion))]
        return total

    def unsupported(self, graph: OpGraph) -> tuple[str, ...]:
        return self._look_up(graph)[0]

    def _look_up(self, graph: OpGraph) -> tuple[tuple[str, ...], dict[str, Value]]:
        """Why there is no number for a graph, and the choices where there is one."""
        known = self._file.supported_ops
        kinds = dict.fromkeys(op.kind for op in graph.ops)
        reasons = [f"unsupported op {kind}" for kind in kinds if known is not None and kind not in known]
        if graph.precision not in self.precisions:
            reasons.append(f"precision {graph.precision}")
        values = None if reasons else proxylessnas_values(graph)
        if not reasons and values is None:
            reasons.append("a network other than those of space proxylessnas at 224x224x3 with 1000 classes")
        return tuple(reasons), values or {}

    def cost(
        self,
        graph: OpGraph,
        *,
        precision: str | None = None,
        threads: int | None = None,
        runs: int | None = None,
        seed: int = 0,
    ) -> Cost:
        """Look a network up.

        Raises:
            InputError: it is none of the space's, or an option asks for what a table does not have.
        """
        for name, given, expected in (
            ("precision", precision, graph.precision),
            ("threads", threads, self._file.threads),
            ("runs", runs, None),
        ):
            if given is not None and given != expected:
                raise InputError(
                    f"{name}: expected {expected or 'none'} for {self.name}, which looks networks up in a table, got "
                    f"{given!r}; leave it out."
                )
        reasons, values = self._look_up(graph)
        if reasons:
            raise InputError(
                f"{self.name}: expected a network it has a table for, got {', '.join(reasons)}; its numbers hold for "
                "space proxylessnas at 224x224x3 with 1000 classes in float32: choose another target."
            )
        return Cost(
            metric="latency_ms",
            value=self.latency_ms(values),
            unit="ms",
            low=None,
            high=None,
            method=self.method,
            target=self.name,
            batch=1,
            precision=graph.precision,
            threads=self._file.threads,
            delegate="none",
            runtime=self.runtime,
            fingerprint=self._fingerprint,
            runs=0,
            warmup=0,
            spread=None,
            at=utc_now(),
            note=_NOTE,
        )

    def cost_of_file(
        self, path: Path, *, precision: str | None = None, threads: int | None = None, runs: int | None = None
    ) -> Cost:
        """Look the network of a .tflite file up.

        Raises:
            InputError: it is no TFLite model, or as for `cost`.
        """
        from hardware_profiles.read_tflite import read_tflite

        return self.cost(read_tflite(path), precision=precision, threads=threads, runs=runs)


def proxylessnas_values(graph: OpGraph) -> dict[str, Value] | None:
    """The choices of the ProxylessNAS network that a graph is; None where it is no such network.

    Which layers of a group are skipped cannot be seen, and makes no difference: the first ones are taken to be there.
    """
    first = next((number for number, op in enumerate(graph.ops) if op.kind == "CONV_2D"), len(graph.ops))
    layers = list(_depthwise_layers(graph))
    classes = graph.tensors[graph.outputs[0]].shape[-1]
    if not layers or classes not in CLASSES or any(op.kind not in ("MUL", "ADD") for op in graph.ops[:first]):
        return None
    (separable_kernel, _, in_filters), *bottlenecks = layers
    groups: dict[int, list[dict[str, Value]]] = {filters: [] for filters in WIDTHS[2:-1]}
    for kernel, channels, filters in bottlenecks:
        expansion = channels / in_filters
        if filters not in groups or kernel not in KERNELS or expansion not in EXPANSIONS:
            return None
        groups[filters].append({"kernel": kernel, "expansion": int(expansion)})
        in_filters = filters
    values: dict[str, Value] = {"activation": "relu", "separable_kernel": separable_kernel}
    for group, (present, most) in enumerate(zip(groups.values(), GROUP_LAYERS, strict=True), start=1):
        if not 1 <= len(present) <= most:
            return None
        values.update(group_values(group, present, layers=most))
    if separable_kernel not in KERNELS:
        return None
    space = ProxylessNAS(INPUT_SHAPE, classes)
    network = lower(space.network(space.architecture(**values)), precision=graph.precision)
    return values if network.signature == graph.signature[first:] else None


def _depthwise_layers(graph: OpGraph) -> Iterator[tuple[int, int, int]]:
    """Kernel and channels of every depthwise convolution, and the width of the convolution after it."""
    for number, op in enumerate(graph.ops):
        after = next((later for later in graph.ops[number + 1 :] if later.kind == "CONV_2D"), None)
        if op.kind == "DEPTHWISE_CONV_2D" and after is not None:
            _, kernel, _, channels = graph.tensors[op.inputs[1]].shape
            yield kernel, channels, graph.tensors[after.inputs[1]].shape[0]


def _checked(file: TargetFile) -> dict[str, list[float]]:
    """The coefficients, each row of the length its choices ask for."""
    lengths = {"bias": 1, "separable": len(KERNELS)}
    for group, layers in enumerate(GROUP_LAYERS, start=1):
        lengths[f"first_{group}"] = _OPERATIONS
        if layers > 1:
            lengths[f"later_{group}"] = _OPERATIONS + 1
    rows = {name: row if isinstance(row, list) else [row] for name, row in file.coefficients.items()}
    for name in rows:
        if name not in lengths:
            raise unknown_name(f"key in [coefficients] of target {file.source}", name, lengths)
    for name, length in lengths.items():
        row = rows.get(name, [])
        if len(row) != length or not all(isinstance(each, int | float) and isfinite(each) for each in row):
            raise InputError(
                f"target {file.source}: key coefficients.{name}: expected {length} numbers, got {row}; "
                "see targets/pixel1-cpu.toml."
            )
    return {name: [float(each) for each in row] for name, row in rows.items()}
