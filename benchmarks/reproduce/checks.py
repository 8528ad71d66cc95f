"""The checks that tables name: each finds one of our figures from a network or a space, in base units."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph
from searchspaces.blocks import DenseBlock
from searchspaces.catalog import create_space, named_network, parse_shape
from searchspaces.errors import InputError, unknown_name
from searchspaces.spec import NetworkSpec
from searchspaces.tabnas import WIDTHS

Value: TypeAlias = int | float | str


class Networks:
    """Networks and their op graphs by name, each made once however many figures are about it."""

    def __init__(self) -> None:
        self._specs: dict[tuple[str, str], NetworkSpec] = {}
        self._graphs: dict[tuple[str, str], OpGraph] = {}

    def spec(self, name: str, input_text: str = "") -> NetworkSpec:
        """The network, for its published input unless another one is given."""
        key = (name, input_text)
        if key not in self._specs:
            self._specs[key] = named_network(name, parse_shape(input_text) if input_text else None).spec
        return self._specs[key]

    def graph(self, name: str, input_text: str = "") -> OpGraph:
        """What a device runs of it, in float32 at batch 1."""
        key = (name, input_text)
        if key not in self._graphs:
            self._graphs[key] = lower(self.spec(*key))
        return self._graphs[key]


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
        raise InputError(f"check {text!r}: {error}; see benchmarks/reproduce/checks.py.") from error
    return CHECKS[name](networks, *arguments, **options)


def params(networks: Networks, network: str) -> int:
    """All stored values, batch-norm statistics too."""
    return networks.spec(network).params


def trainable_params(networks: Networks, network: str) -> int:
    """The values that training changes."""
    return networks.spec(network).trainable_params


def macs(networks: Networks, network: str, *, input: str = "", blocks: str = "*") -> int:
    """Multiply-adds of one run; `blocks` is a pattern over block names."""
    spec, graph = networks.spec(network, input), networks.graph(network, input)
    chosen = {index for index, block in enumerate(spec.blocks) if fnmatchcase(block.name, blocks)}
    if not chosen:
        raise InputError(f"blocks: expected a pattern of block names of {network}, got {blocks!r}; see its spec.")
    return sum(graph.macs_of(op) for op in graph.ops if op.block in chosen)


def space_size(networks: Networks, space: str, **pins: str) -> int:
    """Distinct networks of a space, with choices pinned by name."""
    return create_space(space, **pins).size


def lie_between(networks: Networks, figure: str, values: str, low: str, high: str) -> str:
    """`yes` where published figures are between those of two networks: `lie_between macs 242e6,418e6 LOW HIGH`."""
    ends = [run_check(networks, f"{figure} {network}") for network in (low, high)]
    if isinstance(ends[0], str) or isinstance(ends[1], str):
        raise InputError(f"lie_between: expected a check that gives a number, got {figure!r}; take params or macs.")
    return "yes" if all(ends[0] < float(value) < ends[1] for value in values.split(",")) else "no"


def dense_params(networks: Networks, sizes: str) -> int:
    """Parameters of a feed-forward network such as 2-4-2-1, the input's and the output's size first and last."""
    numbers = _numbers(sizes)
    blocks = tuple(DenseBlock(name=f"dense_{index}", units=units) for index, units in enumerate(numbers[1:]))
    return NetworkSpec(name="dense", input_shape=(numbers[0],), blocks=blocks).params


def dense_under(
    networks: Networks,
    limit: str,
    features: str,
    outputs: str,
    layers: str,
    *,
    widths: str = "-".join(map(str, WIDTHS)),
) -> int:
    """How many feed-forward networks of so many hidden layers and these widths keep a limit of parameters."""
    choices = _numbers(widths)
    first = [dense_params(networks, f"{features}-{width}") for width in choices]
    last = [dense_params(networks, f"{width}-{outputs}") for width in choices]
    between = [[dense_params(networks, f"{width}-{next_width}") for next_width in choices] for width in choices]
    # A network's parameters are the sum over its layers: totals of all networks, by the width they end in.
    totals = [np.array([count]) for count in first]
    for _ in range(int(layers) - 1):
        totals = [
            np.concatenate([before + between[row][column] for row, before in enumerate(totals)])
            for column in range(len(choices))
        ]
    return sum(int(np.sum(total + count <= int(limit))) for total, count in zip(totals, last, strict=True))


def _numbers(text: str) -> list[int]:
    if not all(part.isdigit() for part in text.split("-")):
        raise InputError(f"sizes: expected whole numbers such as 2-4-2-1, got {text!r}; correct the check.")
    return [int(part) for part in text.split("-")]


CHECKS: Final[Mapping[str, Callable[..., Value]]] = MappingProxyType(
    {
        check.__name__: check
        for check in (params, trainable_params, macs, space_size, lie_between, dense_params, dense_under)
    }
)
