"""The checks that tables name: each finds one of our figures from a network or a space, in base units."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.reproduce.checks import counts, detection, devices, shapes, spaces
from benchmarks.reproduce.networks import Networks, Value
from searchspaces.errors import InputError, unknown_name


def run_check(networks: Networks, text: str) -> Value:
    """The value of a check written as `name argument … option=value …`."""
    name, *words = text.split()
    if name not in CHECKS:
        raise unknown_name("check", name, CHECKS)
    arguments = [word for word in words if "=" not in word]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    try:
        inspect.signature(CHECKS[name]).bind(networks, *arguments, **options)
    except TypeError as error:
        raise InputError(f"check {text!r}: {error}; see benchmarks/reproduce/checks.") from error
    return CHECKS[name](networks, *arguments, **options)


def lie_between(networks: Networks, figure: str, values: str, low: str, high: str) -> str:
    """`yes` where published figures are between those of two networks: `lie_between macs 242e6,418e6 LOW HIGH`."""
    least, most = (_number(networks, f"{figure} {network}") for network in (low, high))
    return "yes" if all(least < float(value) < most for value in values.split(",")) else "no"


def _number(networks: Networks, check: str) -> int | float:
    value = run_check(networks, check)
    if isinstance(value, str):
        raise InputError(f"check {check!r}: expected one that gives a number, got {value!r}; take params or macs.")
    return value


CHECKS: Final[Mapping[str, Callable[..., Value]]] = MappingProxyType(
    {
        check.__name__: check
        for check in (
            *(counts.params, counts.trainable_params, counts.params_without_batch_norm, counts.macs),
            *(shapes.sides, shapes.map_after, shapes.widths_divide_by, shapes.output_sides),
            *(spaces.space_size, spaces.index_count, spaces.dense_params, spaces.dense_under),
            *(detection.feature_sides, detection.anchor_count, detection.score_count),
            *(devices.latency, devices.portable, devices.relative_latency),
            lie_between,
        )
    }
)
