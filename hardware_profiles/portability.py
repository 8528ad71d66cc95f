"""Whether one network suits every kind of device: its operators against the declared op set of each.

A device may refuse an operator, or take it and run it badly; both are said, and a network is portable where nothing is
(Chu et al., CVPR workshops 2021). The sets stand in `op_sets.toml`. They are declarations: a runtime's version and the
limits of single operators decide in the end.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import prod

from hardware_profiles.op_graph import Op, OpGraph
from hardware_profiles.target_file import ALL_BUILTIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What speaks against a network on one kind of device: an operator or pattern, how often it is there, and why."""

    what: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpSet:
    """What one kind of device takes; `ops` None stands for every built-in op.

    `max_rank` bounds the dimensions of what is computed (weights have their own), None leaves them open. Where
    `leading_ones` is false, a tensor's first sides of 1 do not count.
    """

    title: str
    ops: frozenset[str] | None
    max_rank: int | None = None
    leading_ones: bool = True
    avoid: tuple[str, ...] = ()

    def refusals(self, graph: OpGraph) -> Iterator[Finding]:
        """The ops that the device cannot run, by kind, and why."""
        beyond = self._ops_beyond(graph)
        for kind, ops in graph.ops_by_kind.items():
            if self.ops is None:
                if kind.startswith(_CUSTOM):
                    yield Finding(what=kind, count=len(ops), reason=f"no op of {self.title}")
            elif kind not in self.ops:
                yield Finding(what=kind, count=len(ops), reason=f"not on the list of {self.title}")
            elif beyond[kind]:
                reason = f"{self.title} takes tensors of {self.max_rank} dimensions at most"
                yield Finding(what=kind, count=beyond[kind], reason=reason)

    def _ops_beyond(self, graph: OpGraph) -> Counter[str]:
        """How many ops of each kind compute with tensors of more dimensions than the device takes."""
        most = self.max_rank
        if most is None:
            return Counter()
        shapes = graph.computed_by_shape
        beyond = frozenset([index for shape in shapes if self._rank(shape) > most for index in shapes[shape]])
        if not beyond:
            return Counter()
        untouched = beyond.isdisjoint
        return Counter([op.kind for op in graph.ops if not (untouched(op.inputs) and untouched(op.outputs))])

    def _rank(self, shape: tuple[int, ...]) -> int:
        ones = 0 if self.leading_ones else next((at for at, side in enumerate(shape) if side != 1), len(shape))
        return len(shape) - ones


@cache
def op_sets() -> Mapping[str, OpSet]:
    """The declared sets by kind of device: cpu, gpu, dsp, edgetpu."""
    text = resources.files("hardware_profiles").joinpath("op_sets.toml").read_text(encoding="utf-8")
    return {
        kind: OpSet(
            title=data["title"],
            ops=None if data["ops"] == ALL_BUILTIN else frozenset(data["ops"]),
            max_rank=data.get("max_rank"),
            leading_ones=data.get("leading_ones", True),
            avoid=tuple(data.get("avoid", ())),
        )
        for kind, data in tomllib.loads(text).items()
    }


def audit(graph: OpGraph) -> dict[str, tuple[Finding, ...]]:
    """For every kind of device what speaks against a network there; nothing where it is welcome."""
    patterns = {name: count(graph) for name, (count, _) in _PATTERNS.items()}
    return {kind: tuple(_findings(graph, op_set, patterns)) for kind, op_set in op_sets().items()}


def is_portable(findings: Mapping[str, tuple[Finding, ...]]) -> bool:
    """Whether nothing speaks against a network on any kind of device."""
    return not any(findings.values())


def _findings(graph: OpGraph, op_set: OpSet, patterns: Mapping[str, int]) -> Iterator[Finding]:
    yield from op_set.refusals(graph)
    for name in op_set.avoid:
        if patterns[name]:
            yield Finding(what=name, count=patterns[name], reason=_PATTERNS[name][1])


def _squeeze_excites(graph: OpGraph) -> int:
    """Products of a map and a computed gate of one position."""

    def is_gated(op: Op) -> bool:
        left, right = (graph.tensors[index] for index in op.inputs)
        if left.constant or right.constant or left.shape == right.shape:
            return False
        return len(min(left.shape, right.shape, key=prod)) > 2

    return sum(map(is_gated, graph.ops_by_kind.get("MUL", ())))


_CUSTOM = "CUSTOM"
_PATTERNS: dict[str, tuple[Callable[[OpGraph], int], str]] = {
    "squeeze-excite": (_squeeze_excites, "a gate from the whole map's mean: slow or badly quantised on such devices")
}
