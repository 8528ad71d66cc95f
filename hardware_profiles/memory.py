"""Activation memory: where TFLite's arena planner puts every tensor, and the bound no plan can pass.

The planner is re-created from its published behaviour (`tensorflow/lite/arena_planner.cc`, `simple_memory_arena.cc`).
The plan holds every tensor that is no constant and the scratch of the built-in kernels of CONV_2D (im2col, wherever
the window or stride is above 1) and MEAN, for float32 and full int8; the scratch of other kernels (hybrid ones,
BATCH_MATMUL, TRANSPOSE_CONV, CONV_3D) and state kept between runs are left out. Graph inputs and outputs are held
through the whole run. RESHAPE and its kin share memory with their input, and so do ADD, SUB, MUL, DIV and SOFTMAX
with an input of the same size that nobody else reads; ReLU, LOGISTIC and HARD_SWISH do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import add, attrgetter

from hardware_profiles.op_graph import Op, OpGraph
from searchspaces.errors import InputError

_ALIGNMENT_BYTES = 64
# How many of the first inputs an op's output may take the place of.
_SHARED_INPUTS = {
    "ADD": 2,
    "BITCAST": 1,
    "DIV": 2,
    "EXPAND_DIMS": 1,
    "MUL": 2,
    "RESHAPE": 1,
    "SOFTMAX": 1,
    "SQUEEZE": 1,
    "SUB": 2,
}
# These leave the values as they are, so that they may share with an input that others read too.
_UNMODIFIED = frozenset({"BITCAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_WITH_SCRATCH = frozenset({"CONV_2D", "MEAN"})
# Found by experiment: int8 tensors of 5 bytes are shared, those of 4 are not.
_SMALLEST_SHARED_BYTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaPlan:
    """The arena: its size, the offset of every tensor (None where it holds none), and the op with most bytes live.

    `peak_op` is the position of that op in the graph, kernel scratch counted; -1 in a graph without ops.
    `peak_activation_bytes` is what the function of that name finds.
    """

    size_bytes: int
    offsets: tuple[int | None, ...]
    peak_op: int
    peak_activation_bytes: int


@dataclass(slots=True)
class _Span:
    """A block of the arena and the ops between which it is held; `tensor` is None for kernel scratch."""

    tensor: int | None
    size_bytes: int
    first: int
    last: int
    whole_run: bool = False
    offset: int = 0


def plan_arena(graph: OpGraph, *, alignment: int = _ALIGNMENT_BYTES) -> ArenaPlan:
    """The arena that TFLite's interpreter allocates on its built-in kernels, without a delegate.

    Its size was equal to the interpreter's on all 578 networks tried (BigNAS, TabNAS, MobileDets with and without their
    heads, MoViNets as clips and as streams; float32 and int8, images from 1x1 to 320x320, LiteRT 2.3). Single offsets
    may differ where tensors and scratch tie in size and time: the runtime leaves that order open.
    """
    if alignment < 1:
        raise InputError(f"alignment: expected bytes above 0, got {alignment}; the runtime aligns to 64.")
    owners = _owners(graph)
    spans = _tensor_spans(graph, owners)
    asking = [(number, op) for number, op in enumerate(graph.ops) if op.kind in _WITH_SCRATCH]
    scratch = [_Span(None, size, number, number) for number, op in asking for size in _scratch(graph, op)]
    size_bytes = _place([*spans, *scratch], alignment)
    offset_of = {span.tensor: span.offset for span in spans}
    steps = max(1, len(graph.ops))
    live = _live_bytes(spans, steps)
    with_scratch = list(map(add, live, _live_bytes(scratch, steps)))
    return ArenaPlan(
        size_bytes=size_bytes,
        offsets=tuple([offset_of.get(owner) for owner in owners]),
        peak_op=with_scratch.index(max(with_scratch)) if graph.ops else -1,
        peak_activation_bytes=max(live),
    )


def peak_activation_bytes(graph: OpGraph) -> int:
    """The largest sum of live tensors at any op, kernel scratch apart: no plan of these lifetimes needs less.

    Lifetimes and shared tensors are those of `plan_arena`, which gives it too.
    """
    return max(_live_bytes(_tensor_spans(graph, _owners(graph)), max(1, len(graph.ops))))


def _owners(graph: OpGraph) -> list[int]:
    """For every tensor the one whose memory it takes: itself, or an input of its op that nobody else reads."""
    tensors = graph.tensors
    owners = list(range(len(tensors)))
    uses = _use_counts(graph)
    given, wanted = set(graph.inputs), set(graph.outputs)
    for op in graph.ops:
        shared = _SHARED_INPUTS.get(op.kind)
        if shared is None or not op.outputs or op.outputs[0] in wanted:
            continue
        unmodified, size_bytes = op.kind in _UNMODIFIED, tensors[op.outputs[0]].size_bytes
        for source in op.inputs[:shared]:
            if source < 0 or source in given or tensors[source].constant:
                continue
            same_size = _SMALLEST_SHARED_BYTES <= size_bytes == tensors[source].size_bytes
            if unmodified or (uses[source] == 1 and same_size):
                if unmodified or uses[owners[source]] == 1:
                    owners[op.outputs[0]] = owners[source]
                break
    return owners


def _use_counts(graph: OpGraph) -> list[int]:
    """How often each tensor is read; graph inputs and outputs count once more, since the caller holds them."""
    uses = [0] * len(graph.tensors)
    for read in (graph.inputs, graph.outputs, *[op.inputs for op in graph.ops]):
        for index in read:
            if index >= 0:
                uses[index] += 1
    return uses


def _tensor_spans(graph: OpGraph, owners: Sequence[int]) -> list[_Span]:
    """Lifetimes of the tensors that own memory: from the op that writes one to the last that reads it or its sharers.

    Graph inputs are held from the start, graph inputs and outputs to the end, and so is what nobody reads.
    """
    end = len(graph.ops)
    # One place more than there are tensors: it takes what is said of -1, an optional input left out.
    first, last, owner_of = [-1] * (len(owners) + 1), [end] * (len(owners) + 1), [*owners, len(owners)]
    for index in graph.inputs:
        first[index] = 0
    for number, op in enumerate(graph.ops):
        for index in op.outputs:
            owner = owner_of[index]
            if first[owner] < 0:
                first[owner] = number
        for index in op.inputs:
            last[owner_of[index]] = number
    for index in (*graph.inputs, *graph.outputs):
        last[index] = end
    return [
        _Span(index, tensor.size_bytes, start, stop, start == 0 and stop == end)
        for index, (tensor, start, stop) in enumerate(zip(graph.tensors, first, last, strict=False))
        if start >= 0 and not tensor.constant
    ]


def _scratch(graph: OpGraph, op: Op) -> tuple[int, ...]:
    """Bytes of the blocks a kernel asks for while it runs."""
    if not op.outputs or len(op.inputs) < 2 or min(*op.inputs[:2], op.outputs[0]) < 0:
        return ()
    source, output = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if op.kind == "CONV_2D":
        window = graph.tensors[op.inputs[1]].shape[1:]
        if prod(window[:2]) == 1 and op.attribute("stride") == 1 and op.attribute("dilation") is None:
            return ()
        # im2col: one row of input values for every output position.
        columns = prod(output.shape[:-1]) * prod(window)
        return (columns * source.size_bytes // max(1, prod(source.shape)),)
    # MEAN: a position in the input, the axes as positive numbers, and sums of four bytes.
    return (4 * len(source.shape), graph.tensors[op.inputs[1]].size_bytes, 4 * prod(output.shape))


def _place(spans: Sequence[_Span], alignment: int) -> int:
    """Set every span's offset, the largest first and each into the tightest gap it fits; returns the arena's size."""
    # What lives through the whole run is placed first, end to end: to all others it is one block at the bottom.
    bottom = 0
    for span in spans:
        if span.whole_run and span.size_bytes:
            span.offset = _aligned(bottom, alignment)
            bottom = span.offset + span.size_bytes
    others = [span for span in spans if span.size_bytes and not span.whole_run]
    others.sort(key=attrgetter("first"))
    others.sort(key=attrgetter("size_bytes"), reverse=True)
    placed: list[tuple[int, int]] = []
    for span, beside in zip(others, _held_beside(others), strict=True):
        taken = sorted(map(placed.__getitem__, beside))
        span.offset = _best_offset(span.size_bytes, taken, bottom, alignment)
        placed.append((span.offset, span.offset + span.size_bytes))
    return max([bottom, *[end for _, end in placed]])


def _held_beside(spans: Sequence[_Span]) -> list[list[int]]:
    """For every span the numbers of those before it that are held at the same time, in one pass over the run."""
    beside: list[list[int]] = [[] for _ in spans]
    held: list[int] = []
    starts, stops = [span.first for span in spans], [span.last for span in spans]
    for number in sorted(range(len(spans)), key=starts.__getitem__):
        held = [other for other in held if stops[other] >= starts[number]]
        for other in held:
            if other < number:
                beside[number].append(other)
            else:
                beside[other].append(number)
        held.append(number)
    return beside


def _best_offset(size_bytes: int, taken: Sequence[tuple[int, int]], bottom: int, alignment: int) -> int:
    """Where a span goes among those it may not touch, given as starts and ends in order of start."""
    best: int | None = None
    tightest = 0
    current = bottom
    for start, end in taken:
        if start - current >= size_bytes:
            aligned = _aligned(current, alignment)
            gap = start - aligned
            if gap >= size_bytes and (best is None or gap < tightest):
                # The planner keeps the gap before alignment but compares the one after; so do we.
                best, tightest = aligned, start - current
        if end > current:
            current = end
    return _aligned(current, alignment) if best is None else best


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def _live_bytes(spans: Sequence[_Span], ops: int) -> list[int]:
    """Bytes held while each op runs."""
    # What is held before the first op or after the last one is held in none of them.
    change = [0] * (ops + 2)
    for span in spans:
        if span.first < ops:
            change[span.first] += span.size_bytes
            change[span.last + 1] -= span.size_bytes
    return list(accumulate(change[:ops]))
