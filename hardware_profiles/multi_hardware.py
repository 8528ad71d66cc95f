"""One figure for the latency on several devices: their average case and their worst case.

Latencies of different devices are brought to one scale by a reference each: what a known network takes there, or what
the product may take. The idea is that of Chu et al. (CVPR workshops 2021, arXiv 2008.08178); their formula was not at
hand, and weighted mean and maximum of the ratios are its plainest reading.
"""

from __future__ import annotations

from collections.abc import Mapping

from searchspaces.errors import InputError


def relative_latencies(latency_ms: Mapping[str, float], reference_ms: Mapping[str, float]) -> dict[str, float]:
    """Latency over reference, device by device.

    Raises:
        InputError: the two name different devices, or none, or a number is not above 0.
    """
    if set(latency_ms) != set(reference_ms) or not latency_ms:
        raise InputError(
            f"reference_ms: expected one for each of {sorted(latency_ms) or 'one or more devices'}, got "
            f"{sorted(reference_ms)}; measure the reference on the same devices."
        )
    for name, values in (("latency_ms", latency_ms), ("reference_ms", reference_ms)):
        for device, value in values.items():
            # Written so that NaN is refused too.
            if not 0 < value < float("inf"):
                raise InputError(f"{name} of {device}: expected milliseconds above 0, got {value}; measure it again.")
    return {device: latency_ms[device] / reference_ms[device] for device in latency_ms}


def average_case(relative: Mapping[str, float], weights: Mapping[str, float] | None = None) -> float:
    """The weighted mean of relative latencies; equal weights unless others are given, which need not sum to 1."""
    weights = dict.fromkeys(relative, 1.0) if weights is None else weights
    if set(weights) != set(relative) or min(weights.values(), default=0) < 0 or not sum(weights.values()) > 0:
        raise InputError(
            f"weights: expected one of 0 or more for each of {sorted(relative)}, and one above 0, got "
            f"{dict(weights)}; correct them."
        )
    return sum(weights[device] * relative[device] for device in relative) / sum(weights.values())


def worst_case(relative: Mapping[str, float]) -> float:
    """The largest of relative latencies: that of the device which is served worst."""
    if not relative:
        raise InputError("relative latencies: expected one or more devices, got none; name the devices.")
    return max(relative.values())
