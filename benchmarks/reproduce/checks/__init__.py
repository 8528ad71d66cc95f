"""The checks that tables name: each finds one of our figures from a network or a space, in base units."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.reproduce.checks import (
    counts,
    detection,
    devices,
    policies,
    predictors,
    shapes,
    spaces,
    streams,
    trained_tables,
)
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


def total(networks: Networks, figure: str, first: str, second: str) -> float:
    """The sum over two networks, which run one after the other: `total macs FIRST SECOND`."""
    return sum(_number(networks, f"{figure} {network}") for network in (first, second))


def percent_less(networks: Networks, figure: str, network: str, other: str, **options: str) -> float:
    """By how much a network has less than a published number: `percent_less macs NETWORK 1452e9`."""
    check = " ".join([figure, network, *(f"{name}={value}" for name, value in options.items())])
    return 100 * (1 - _number(networks, check) / float(other))


def _number(networks: Networks, check: str) -> int | float:
    value = run_check(networks, check)
    if not isinstance(value, int | float):
        raise InputError(f"check {check!r}: expected one that gives a number, got {value!r}; take params or macs.")
    return value


CHECKS: Final[Mapping[str, Callable[..., Value]]] = MappingProxyType(
    {
        check.__name__: check
        for check in (
            *(counts.params, counts.trainable_params, counts.params_without_batch_norm, counts.statistics, counts.macs),
            *(counts.stored_bytes, counts.weight_bytes, counts.largest_op_values, counts.largest_op_bytes),
            *(shapes.block_count, shapes.sides, shapes.map_after, shapes.widths_divide_by, shapes.output_sides),
            *(spaces.space_size, spaces.index_count, spaces.dense_params, spaces.dense_under),
            *(streams.clip_size, streams.frames_per_second, streams.frame_macs, streams.clip_macs),
            *(streams.state_count, streams.buffer_values),
            *(detection.feature_sides, detection.anchor_count, detection.score_count),
            *(devices.latency, devices.portable, devices.relative_latency),
            *(predictors.predictor_params, predictors.predictor_width),
            *(policies.toy_share, policies.toy_found, policies.toy_feasible),
            *(policies.target_latency, policies.ends_at_target),
            *(policies.relative_of_search, policies.metrics_differ),
            *(trained_tables.rejection_within, trained_tables.shaped_better),
            *(lie_between, total, percent_less),
        )
    }
)
