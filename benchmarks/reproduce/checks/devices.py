"""What devices take: latencies by a target's model, and the metrics over several devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.reproduce.figures import load_system
from benchmarks.reproduce.networks import Networks
from hardware_profiles.multi_hardware import average_case, relative_latencies, worst_case
from hardware_profiles.portability import audit, is_portable
from hardware_profiles.target import load_target
from searchspaces.errors import InputError, unknown_name

_METRICS: Final[Mapping[str, Callable[[Mapping[str, float]], float]]] = MappingProxyType(
    {"average": average_case, "worst": worst_case}
)


def latency(networks: Networks, target: str, network: str) -> float:
    """Milliseconds on a target that predicts them."""
    device = load_target(target)
    if device.method != "predicted":
        raise InputError(f"target {target}: expected one that predicts, got a {device.method} one; time varies there.")
    return device.cost(networks.graph(networks.spec(network))).value


def portable(networks: Networks, network: str) -> str:
    """`yes` where nothing speaks against a network on CPU, GPU, DSP or EdgeTPU."""
    return "yes" if is_portable(audit(networks.graph(networks.spec(network)))) else "no"


def relative_latency(networks: Networks, metric: str, network: str, reference: str) -> float:
    """The metric over all devices on which latencies of both networks are published."""
    if metric not in _METRICS:
        raise unknown_name("metric", metric, _METRICS)
    published = [figure for figure in load_system("multi-hardware").figures if figure.unit == "ms"]
    found, known = (
        {figure.quantity: float(figure.published) for figure in published if figure.name == name}
        for name in (network, reference)
    )
    devices = [device for device in found if device in known]
    ratios = relative_latencies({each: found[each] for each in devices}, {each: known[each] for each in devices})
    return _METRICS[metric](ratios)
