"""Activation memory: where TFLite's arena planner puts every tensor, and the bound no plan can pass.

The planner is re-created from its published behaviour (`tensorflow/lite/arena_planner.cc`, `simple_memory_arena.cc`).
The plan holds every tensor that is no constant and the scratch of the built-in kernels of CONV_2D (im2col, wherever
the window or stride is above 1) and MEAN, for float32 and full int8; the scratch of other kernels (hybrid ones,
BATCH_MATMUL, TRANSPOSE_CONV, CONV_3D) and state kept between runs are left out. Graph inputs and outputs are held
through the whole run. RESHAPE and its kin share memory with their input, and so do ADD, SUB, MUL, DIV and SOFTMAX
with an input of the same size that nobody else reads; ReLU, LOGISTIC and HARD_SWISH do not.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from hardware_profiles.op_graph import Op, OpGraph
from searchspaces.errors import InputError

_ALIGNMENT_BYTES = 64
# Which of the first inputs an op's output may take the place of.
_SHARED_INPUTS = {
    "ADD": (0, 1),
    "BITCAST": (0,),
    "DIV": (0, 1),
    "EXPAND_DIMS": (0,),
    "MUL": (0, 1),
    "RESHAPE": (0,),
    "SOFTMAX": (0,),
    "SQUEEZE": (0,),
    "SUB": (0, 1),
}
# These leave the values as they are, so that they may share with an input that others read too.
_UNMODIFIED = frozenset({"BITCAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
# Found by experiment: int8 tensors of 5 bytes are shared, those of 4 are not.
_SMALLEST_SHARED_BYTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaPlan:
    """The arena: its size, the offset of every tensor (None where it holds none), and the op with most bytes live.

    `peak_op` is the position of that op in the graph, kernel scratch counted; -1 in a graph without ops.
    """

    size_bytes: int
    offsets: tuple[int | None, ...]
    peak_op: int


@dataclass(slots=True)
class _Span:
    """A block of the arena and the ops between which it is held; `tensor` is None for kernel scratch."""

    tensor: int | None
    size_bytes: int
    first: int
    last: int
    whole_run: bool = False
    offset: int = 0

    def overlaps(self, other: _Span) -> bool:
        return self.first <= other.last and other.first <= self.last


def plan_arena(graph: OpGraph, *, alignment: int = _ALIGNMENT_BYTES) -> ArenaPlan:
    """The arena that TFLite's interpreter allocates on its built-in kernels, without a delegate.

    Its size was equal to the interpreter's on all 568 networks tried (BigNAS, TabNAS, MobileDets with and without their
    heads; float32 and int8, images from 1x1 to 320x320, LiteRT 2.3). Single offsets may differ where tensors and
    scratch tie in size and time: the runtime leaves that order open.
    """
    if alignment < 1:
        raise InputError(f"alignment: expected bytes above 0, got {alignment}; the runtime aligns to 64.")
    owners = _owners(graph)
    spans = _tensor_spans(graph, owners)
    scratch = [_Span(None, size, number, number) for number, op in enumerate(graph.ops) for size in _scratch(graph, op)]
    size_bytes = _place([*spans, *scratch], alignment)
    offset_of = {span.tensor: span.offset for span in spans}
    offsets = tuple(offset_of.get(owners[index]) for index in range(len(graph.tensors)))
    live = _live_bytes([*spans, *scratch], len(graph.ops))
    return ArenaPlan(size_bytes=size_bytes, offsets=offsets, peak_op=live.index(max(live)) if graph.ops else -1)


def peak_activation_bytes(graph: OpGraph) -> int:
    """The largest sum of live tensors at any op, kernel scratch apart: no plan of these lifetimes needs less.

    Lifetimes and shared tensors are those of `plan_arena`.
    """
    spans = _tensor_spans(graph, _owners(graph))
    return max(_live_bytes(spans, max(1, len(graph.ops))))


def _owners(graph: OpGraph) -> list[int]:
    """For every tensor the one whose memory it takes: itself, or an input of its op that nobody else reads."""
    owners = list(range(len(graph.tensors)))
    uses = _use_counts(graph)
    for op in graph.ops:
        if not op.outputs or op.outputs[0] in graph.outputs:
            continue
        unmodified = op.kind in _UNMODIFIED
        for position in _SHARED_INPUTS.get(op.kind, ()):
            source = op.inputs[position] if position < len(op.inputs) else -1
            if source < 0 or source in graph.inputs or graph.tensors[source].constant:
                continue
            if unmodified or (uses[source] == 1 and _same_size(graph, source, op.outputs[0])):
                if unmodified or uses[owners[source]] == 1:
                    owners[op.outputs[0]] = owners[source]
                break
    return owners


def _same_size(graph: OpGraph, first: int, second: int) -> bool:
    size_bytes = graph.tensors[first].size_bytes
    return _SMALLEST_SHARED_BYTES <= size_bytes == graph.tensors[second].size_bytes


def _use_counts(graph: OpGraph) -> list[int]:
    """How often each tensor is read; graph inputs and outputs count once more, since the caller holds them."""
    uses = [0] * len(graph.tensors)
    for index in (*graph.inputs, *graph.outputs, *(index for op in graph.ops for index in op.inputs)):
        if index >= 0:
            uses[index] += 1
    return uses


def _tensor_spans(graph: OpGraph, owners: Sequence[int]) -> list[_Span]:
    """Lifetimes of the tensors that own memory: from the op that writes one to the last that reads it or its sharers.

    Graph inputs are held from the start, graph inputs and outputs to the end, and so is what nobody reads.
    """
    end = len(graph.ops)
    first: dict[int, int] = dict.fromkeys((index for index in graph.inputs if index >= 0), 0)
    last: dict[int, int] = {}
    for number, op in enumerate(graph.ops):
        for index in op.outputs:
            if index >= 0:
                first.setdefault(owners[index], number)
        for index in op.inputs:
            if index >= 0:
                last[owners[index]] = number
    last.update(dict.fromkeys((*graph.inputs, *graph.outputs), end))
    return [
        _Span(
            tensor=index,
            size_bytes=graph.tensors[index].size_bytes,
            first=start,
            last=last.get(index, end),
            whole_run=start == 0 and last.get(index, end) == end,
        )
        for index, start in sorted(first.items())
        if owners[index] == index and not graph.tensors[index].constant
    ]


def _scratch(graph: OpGraph, op: Op) -> tuple[int, ...]:
    """Bytes of the blocks a kernel asks for while it runs."""
    if not op.outputs or not op.inputs or min(*op.inputs[:2], op.outputs[0]) < 0:
        return ()
    source, output = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if op.kind == "CONV_2D" and len(op.inputs) > 1:
        window = graph.tensors[op.inputs[1]].shape[1:]
        plain = prod(window[:2]) == 1 and op.attribute("stride") == 1 and op.attribute("dilation") is None
        # im2col: one row of input values for every output position.
        columns = prod(output.shape[:-1]) * prod(window)
        return () if plain else (columns * source.size_bytes // max(1, prod(source.shape)),)
    if op.kind == "MEAN" and len(op.inputs) > 1:
        # A position in the input, the axes as positive numbers, and sums of four bytes.
        return (4 * len(source.shape), graph.tensors[op.inputs[1]].size_bytes, 4 * prod(output.shape))
    return ()


def _place(spans: Sequence[_Span], alignment: int) -> int:
    """Set every span's offset, the largest first and each into the tightest gap it fits; returns the arena's size."""
    placed: list[_Span] = []
    size_bytes = 0
    for span in sorted(spans, key=_rank):
        if not span.size_bytes:
            continue
        span.offset = _best_offset(span, placed, alignment)
        size_bytes = max(size_bytes, span.offset + span.size_bytes)
        insort(placed, span, key=lambda each: each.offset)
    return size_bytes


def _rank(span: _Span) -> tuple[int, int, int]:
    """What lives through the whole run comes first, in order of index; then by size, then by time."""
    return (0, 0, span.tensor or 0) if span.whole_run else (1, -span.size_bytes, span.first)


def _best_offset(span: _Span, placed: Sequence[_Span], alignment: int) -> int:
    best: int | None = None
    tightest: int | None = None
    current = 0
    for other in placed:
        if not span.overlaps(other):
            continue
        aligned = _aligned(current, alignment)
        gap = other.offset - aligned
        if gap >= span.size_bytes and (tightest is None or gap < tightest):
            # The planner keeps the gap before alignment but compares the one after; so do we.
            best, tightest = aligned, other.offset - current
        current = max(current, other.offset + other.size_bytes)
    return _aligned(current, alignment) if best is None else best


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def _live_bytes(spans: Sequence[_Span], ops: int) -> list[int]:
    """Bytes held while each op runs."""
    change = [0] * (ops + 1)
    for span in spans:
        # What is held before the first op or after the last one is held in none of them.
        first, end = max(0, span.first), min(ops, span.last + 1)
        if first < end:
            change[first] += span.size_bytes
            change[end] -= span.size_bytes
    return list(accumulate(change[:-1]))
