"""The order in which the branches of a network run: depth first from its outputs.

Where branches meet again, the converter leaves open which of them comes first (its order follows from names and
passes), and memory depends on it. So both what is foretold and what is exported are put into one order: the ops an
output needs come before those of the next output, and an op's first input is made before its second. An op that makes
an output, as a stream's new states are, runs as soon as it can: what it reads is then still in the cache, and its place
is free again.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

from hardware_profiles.op_graph import OpGraph

# The tensors an op reads and writes.
Edges: TypeAlias = tuple[Sequence[int], Sequence[int]]

_DISTANCE = struct.Struct("<I")
# Where a subgraph's table says its operators are: the fourth field, after the two numbers that open a vtable.
_OPERATORS_SLOT = 4 + 2 * 3


def depth_first(ops: Sequence[Edges], outputs: Sequence[int]) -> list[int]:
    """Positions of the ops in the order they run; ops that no output needs come last, in the order given."""
    writer = {index: number for number, (_, written) in enumerate(ops) for index in written}
    ends = list(dict.fromkeys([writer[index] for index in outputs if index in writer]))
    # The ops that make outputs by what they wait for, and for how many ops each still waits.
    waiting: dict[int, list[int]] = {}
    missing: dict[int, int] = {}
    for end in ends:
        sources = {writer[index] for index in ops[end][0] if index in writer}
        missing[end] = len(sources)
        for source in sources:
            waiting.setdefault(source, []).append(end)
    order: list[int] = []
    seen, placed = [False] * len(ops), [False] * len(ops)

    def place(number: int) -> None:
        """The op runs now, and at once after it the outputs that waited for it last."""
        ready = [number]
        while ready:
            number = ready.pop()
            if not placed[number]:
                placed[number] = True
                order.append(number)
                freed = waiting.get(number, ())
                for end in freed:
                    missing[end] -= 1
                ready += [end for end in reversed(freed) if not missing[end]]

    # A stack instead of recursion: networks are deeper than Python's limit. ~number stands for an op whose sources lie
    # above it, so that it runs once it is met again.
    stack = [*reversed(range(len(ops))), *reversed(ends)]
    while stack:
        number = stack.pop()
        if number < 0:
            number = ~number
            if number in waiting:
                place(number)
            elif not placed[number]:
                placed[number] = True
                order.append(number)
        elif not seen[number]:
            seen[number] = True
            stack.append(~number)
            stack += [writer[index] for index in reversed(ops[number][0]) if index in writer]
    return order


def in_order(graph: OpGraph) -> OpGraph:
    """The same graph with its ops depth first."""
    order = depth_first([(op.inputs, op.outputs) for op in graph.ops], graph.outputs)
    return OpGraph(graph.tensors, tuple([graph.ops[number] for number in order]), graph.inputs, graph.outputs)


def reorder_tflite(data: bytes) -> bytes:
    """A freshly converted file with the ops of its graph depth first; nothing else in it changes.

    Files of several subgraphs and those with ops that return nothing, which act on state, are left as they are.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(data)
    model = schema.Model.GetRootAs(changed, 0)
    subgraph = model.Subgraphs(0)
    operators = [subgraph.Operators(number) for number in range(subgraph.OperatorsLength())]
    edges = [(_indices(each, "Inputs"), _indices(each, "Outputs")) for each in operators]
    if model.SubgraphsLength() != 1 or not all(written for _, written in edges):
        return data
    # A vector of tables holds, for each, the distance from its own place to the table; tables lie behind vectors.
    table = subgraph._tab
    start = table.Vector(table.Offset(_OPERATORS_SLOT))
    for place, number in enumerate(depth_first(edges, _indices(subgraph, "Outputs"))):
        at = start + _DISTANCE.size * place
        _DISTANCE.pack_into(changed, at, operators[number]._tab.Pos - at)
    return bytes(changed)


def _indices(table: Any, field: str) -> list[int]:
    """The tensor numbers in a field of an operator or subgraph."""
    return [getattr(table, field)(position) for position in range(getattr(table, f"{field}Length")())]
