"""One network for four devices: the average case and the worst case of their latencies choose different ones.

The devices are synthetic: latency is linear in the multiply-adds of convolutions and of depthwise convolutions and in
the number of operators, with depthwise convolutions dear on the accelerators. So is the accuracy. Layers are those of
the multi-hardware space at the widths of its network Multi-AVG, whose latency on each device is the reference
(Chu et al., CVPR workshops 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

import numpy as np

from benchmarks.policies.layers import Layers, SyntheticAccuracy
from benchmarks.policies.search import tunas_search
from hardware_profiles.lower import lower
from nas.controllers.reinforce.policy import Floats
from nas.rewards import absolute
from searchspaces.multi_hardware import MultiHardware
from searchspaces.space import Architecture, Indices, SearchSpace

REFERENCE: Final = "mobilenet-multi-avg"
# Milliseconds for a million multiply-adds of convolutions, of depthwise ones, and for an operator.
DEVICES: Final[Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
        "synthetic-cpu": (0.080, 0.10, 0.02),
        "synthetic-gpu": (0.025, 0.15, 0.08),
        "synthetic-dsp": (0.010, 0.25, 0.02),
        "synthetic-edgetpu": (0.004, 0.20, 0.01),
    }
)

_KERNELS, _EXPANSIONS = {3: 1.0, 5: 1.4}, {2: 1.0, 3: 1.15, 4: 1.3, 5: 1.4, 6: 1.5}


class DevicesTask:
    """Latencies on every device, and the synthetic accuracy, of many architectures at once."""

    def __init__(self) -> None:
        free = MultiHardware()
        values = free.values(free.reference(REFERENCE))
        widths = {name: value for name, value in values.items() if name.startswith("width_") and value is not None}
        self.space: SearchSpace = MultiHardware(**widths)
        layers = Layers(self.space)
        prices = np.array(list(DEVICES.values()))
        self._layers, self._milliseconds = layers, np.tensordot(prices, layers.read(self._work_of), axes=1)
        self.accuracy = SyntheticAccuracy.drawn(layers, kernels=_KERNELS, expansions=_EXPANSIONS, share=0.06, seed=2008)
        self._reference_ms = self.latencies_ms(np.array([self.space.reference(REFERENCE).indices]))

    def latencies_ms(self, rows: Indices) -> Floats:
        """By device ``[devices, ...]`` of rows ``[..., choices]``."""
        return self._layers.total(self._milliseconds, rows)

    def relative(self, rows: Indices) -> Floats:
        """The same over those of the reference network."""
        return np.asarray((self.latencies_ms(rows).T / self._reference_ms[:, 0]).T)

    def _work_of(self, architecture: Architecture) -> tuple[float, float, float]:
        """Millions of multiply-adds, of convolutions and of depthwise ones, and operators."""
        graph = lower(self.space.network(architecture))
        depthwise = sum(graph.macs_of(op) for op in graph.ops if op.kind == "DEPTHWISE_CONV_2D")
        return (graph.macs - depthwise) / 1e6, depthwise / 1e6, len(graph.ops)


METRICS: Final[Mapping[str, Callable[[Floats], Floats]]] = MappingProxyType(
    {"average": lambda relative: relative.mean(axis=0), "worst": lambda relative: relative.max(axis=0)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the runs of a search end at: the networks, their accuracy, their relative latencies ``[devices, runs]``."""

    rows: Indices
    accuracy: Floats
    relative: Floats


@cache
def devices_task() -> DevicesTask:
    """The task; its networks are lowered once."""
    return DevicesTask()


@cache
def search_devices(metric: str, *, runs: int, seed: int = 0) -> Found:
    """A search with the absolute reward on the average or the worst relative latency, which is to be 1."""
    task = devices_task()

    def rewards(rows: Indices, rng: np.random.Generator) -> Floats:
        return absolute(task.accuracy.evaluated(rows, rng), METRICS[metric](task.relative(rows)))

    rows = tunas_search(task.space, rewards, runs=runs, seed=seed)
    return Found(rows=rows, accuracy=task.accuracy.exact(rows), relative=task.relative(rows))
