"""What searches by REINFORCE end at: many runs from seed 0, on figures that take no training."""

from __future__ import annotations

import numpy as np

from benchmarks.policies.devices import METRICS, search_devices
from benchmarks.policies.latency_target import TARGET_MS, search_target
from benchmarks.policies.toy import Correction, ToyResult, run_absolute, run_rejection, widths_at
from benchmarks.reproduce.networks import Estimate, Networks
from nas.comparing.statistics import mean_interval
from nas.controllers.reinforce.policy import Floats
from nas.rewards import REWARDS
from searchspaces.errors import InputError, unknown_name

TOY_RUNS, SEARCH_RUNS = 1000, 5


def toy_share(networks: Networks, network: str, reward: str, strength: str) -> Estimate:
    """Per cent that the final policies of TabNAS's toy example give a network: `toy_share 4-2 rejection 5`."""
    result, place = _toy(reward, strength), widths_at(network)
    value, low, high = (100 * float(table[place]) for table in (result.shares(), *result.spread()))
    return Estimate(value=value, low=low, high=high, runs=TOY_RUNS)


def toy_found(networks: Networks, reward: str, strength: str) -> Estimate:
    """Per cent of runs whose final policy gives the best feasible network of the toy example within 50 draws."""
    return _mean(100.0 * _toy(reward, strength).found)


def toy_feasible(networks: Networks, reward: str, strength: str) -> Estimate:
    """The same of any feasible network."""
    return _mean(100.0 * _toy(reward, strength).feasible)


def target_latency(networks: Networks, reward: str, beta: str) -> Estimate:
    """Milliseconds of what a search for 84 ms ends at, synthetic accuracy: `target_latency absolute -0.1`."""
    return _mean(_target(reward, beta))


def ends_at_target(networks: Networks, reward: str, beta: str, percent: str) -> str:
    """`yes` where every run ends within so many per cent of 84 ms."""
    apart = np.abs(_target(reward, beta) / TARGET_MS - 1)
    return "yes" if (100 * apart <= float(percent)).all() else "no"


def relative_of_search(networks: Networks, metric: str, searched: str) -> Estimate:
    """The average or worst relative latency of what a search on either of them ends at, synthetic devices."""
    for name in (metric, searched):
        if name not in METRICS:
            raise unknown_name("metric", name, METRICS)
    return _mean(METRICS[metric](search_devices(searched, runs=SEARCH_RUNS).relative))


def metrics_differ(networks: Networks) -> str:
    """`yes` where no run on the average ends at a network that a run on the worst case ends at."""
    average, worst = (set(map(tuple, search_devices(each, runs=SEARCH_RUNS).rows.tolist())) for each in METRICS)
    return "no" if average & worst else "yes"


def _toy(reward: str, strength: str) -> ToyResult:
    if reward == "absolute":
        return run_absolute(_float(strength), runs=TOY_RUNS)
    if reward != "rejection":
        raise unknown_name("reward of the toy example", reward, ("absolute", "rejection"))
    correction: Correction = int(strength) if strength.isdigit() else strength  # type: ignore[assignment]
    return run_rejection(correction, runs=TOY_RUNS)


def _target(reward: str, beta: str) -> Floats:
    if reward not in REWARDS:
        raise unknown_name("reward", reward, REWARDS)
    return search_target(reward, _float(beta), runs=SEARCH_RUNS)[0]


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"beta: expected a number of 0 or less, got {text!r}; TuNAS has -0.1.") from error


def _mean(values: Floats) -> Estimate:
    value, low, high = mean_interval(values)
    return Estimate(value=value, low=low, high=high, runs=len(values))
