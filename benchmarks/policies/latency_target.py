"""A latency target in the ProxylessNAS space: TuNAS's table of a Pixel 1, and a synthetic accuracy.

The question is where a search ends that is to end at 84 ms. With the synthetic accuracy twice the latency is worth some
0.03 there, about what MobileNetV2's width multipliers show on ImageNet.
"""

from __future__ import annotations

from functools import cache
from typing import Final, cast

import numpy as np

from benchmarks.policies.layers import Layers, SyntheticAccuracy
from benchmarks.policies.search import BATCH, STEPS, tunas_search
from hardware_profiles.proxylessnas_table import ProxylessNASTable
from hardware_profiles.target import load_target
from nas.controllers.reinforce.policy import Floats
from nas.rewards import BETA, REWARDS
from searchspaces.proxylessnas import ProxylessNAS
from searchspaces.space import Indices

TARGET_MS: Final = 84.0
# What a search may look at: as many as TuNAS's controller draws here.
EVALUATIONS: Final = STEPS * BATCH

_KERNELS, _EXPANSIONS = {3: 1.0, 5: 1.25, 7: 1.4}, {3: 1.0, 6: 1.6}
_DRAWS = 1 << 14


class PixelTask:
    """Latency and synthetic accuracy of many architectures at once."""

    def __init__(self) -> None:
        self.space = ProxylessNAS()
        self._layers = Layers(self.space)
        table = cast(ProxylessNASTable, load_target("pixel1-cpu"))
        self._milliseconds = self._layers.read(lambda each: [table.latency_ms(self.space.values(each))])[0]
        self.accuracy = SyntheticAccuracy.drawn(
            self._layers, kernels=_KERNELS, expansions=_EXPANSIONS, share=0.075, seed=84
        )

    def latency_ms(self, rows: Indices) -> Floats:
        """On the Pixel 1, by the table ``[...]``."""
        return self._layers.total(self._milliseconds, rows)


@cache
def pixel_task() -> PixelTask:
    """The task; its table is read once."""
    return PixelTask()


@cache
def search_target(reward: str, beta: float = BETA, *, runs: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Latency in ms and exact accuracy of the network that each run ends at, ``[runs]`` both."""
    task = pixel_task()

    def rewards(rows: Indices, rng: np.random.Generator) -> Floats:
        ratio = task.latency_ms(rows) / TARGET_MS
        return REWARDS[reward](task.accuracy.evaluated(rows, rng), ratio, beta)

    found = tunas_search(task.space, rewards, runs=runs, seed=seed)
    return task.latency_ms(found), task.accuracy.exact(found)


def random_search(within: float, *, evaluations: int, runs: int, seed: int = 0) -> tuple[Floats, Floats]:
    """The same of random search: the best by its evaluation of so many networks within a share of the target."""
    task, rng = pixel_task(), np.random.default_rng(seed)
    latencies, accuracies = [], []
    for _ in range(runs):
        kept: list[Indices] = []
        while sum(map(len, kept)) < evaluations:
            rows = task.space.sample_indices(rng, _DRAWS)
            kept.append(rows[np.abs(task.latency_ms(rows) / TARGET_MS - 1) <= within])
        near = np.concatenate(kept)[:evaluations]
        best = near[[task.accuracy.evaluated(near, rng).argmax()]]
        latencies.append(task.latency_ms(best)[0])
        accuracies.append(task.accuracy.exact(best)[0])
    return np.array(latencies), np.array(accuracies)
