"""How long it takes to say what a network is and costs: what `nas describe` prints, of published and random ones."""

from __future__ import annotations

import time
from functools import partial
from statistics import median

import numpy as np

from benchmarks.speed.row import Row, below
from benchmarks.speed.timing import in_turns
from nas.cli.networks import description
from searchspaces.catalog import NamedNetwork, create_space, named_network, reference_names

_REFERENCE_LIMIT_MS = 50
_SPACE, _NETWORKS, _LIMIT_S = "movinet", 1000, 5


def measure(*, networks: int = _NETWORKS, repeats: int = 3) -> list[Row]:
    """Processor time of whole records, from the name or the draw on: one thread that waits for nothing but its turn.

    Other jobs on the machine disturb it less than the wall clock, though their share of the caches still counts.

    Args:
        networks: MoViNets drawn from the whole space for its published clips.
        repeats: of every published network, in turns, and of the draws.
    """
    ways = {name: partial(_milliseconds, name) for name in reference_names()}
    in_turns(ways, 1)
    times = in_turns(ways, repeats)
    slowest = max(times, key=lambda name: median(times[name]))
    middle = median([median(each) for each in times.values()])
    draws = [_seconds(networks) for _ in range(repeats)]
    whole = networks == _NETWORKS
    return [
        Row(
            name=f"the slowest of {len(times)} published networks",
            value=median(times[slowest]),
            unit="ms",
            low=min(times[slowest]),
            high=max(times[slowest]),
            target=below(_REFERENCE_LIMIT_MS, "ms"),
            note=f"processor time; {slowest}; the median one takes {middle:.1f} ms",
        ),
        Row(
            name=f"{networks:,} random MoViNets",
            value=median(draws),
            unit="s",
            low=min(draws),
            high=max(draws),
            target=below(_LIMIT_S, "s") if whole else None,
            note="processor time; drawn, built as plain data, lowered, planned; no weights",
        ),
    ]


def _milliseconds(name: str) -> float:
    start = time.process_time()
    description(named_network(name))
    return 1e3 * (time.process_time() - start)


def _seconds(networks: int) -> float:
    start = time.process_time()
    space = create_space(_SPACE)
    for architecture in space.sample(np.random.default_rng(0), networks):
        spec = space.network(architecture)
        description(NamedNetwork(name=architecture.id, space=space, architecture=architecture, spec=spec))
    return time.process_time() - start
