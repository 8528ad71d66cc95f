"""The networks that figures are about, each made once however many figures there are."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph
from searchspaces.catalog import NamedNetwork, named_network, parse_shape
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number that chance has a part in: over so many runs, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float
    runs: int


Value: TypeAlias = int | float | str | Estimate


class Networks:
    """Networks and their op graphs by name; for their published inputs unless another one is given."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, str], NamedNetwork] = {}
        self._graphs: dict[NetworkSpec, OpGraph] = {}

    def named(self, name: str, input_text: str = "") -> NamedNetwork:
        """The network with its space."""
        key = (name, input_text)
        if key not in self._named:
            self._named[key] = named_network(name, parse_shape(input_text) if input_text else None)
        return self._named[key]

    def spec(self, name: str, input_text: str = "") -> NetworkSpec:
        """The network as plain data; a stream's in its form for whole clips."""
        return self.named(name, input_text).spec

    def graph(self, spec: NetworkSpec) -> OpGraph:
        """What a device runs of a network, in float32 at batch 1."""
        if spec not in self._graphs:
            self._graphs[spec] = lower(spec)
        return self._graphs[spec]


def chosen_blocks(spec: NetworkSpec, patterns: str) -> list[int]:
    """The positions of the blocks whose names match one of the patterns, as in `stem,block*`."""
    wanted = patterns.split(",")
    chosen = [
        index for index, block in enumerate(spec.blocks) if any(fnmatchcase(block.name, pattern) for pattern in wanted)
    ]
    if not chosen:
        names = ", ".join(block.name for block in spec.blocks)
        raise InputError(f"blocks: expected patterns of block names of {spec.name}, got {patterns!r}; it has {names}.")
    return chosen
