"""What the Edge TPU's compiler would make of a network, by rules: the operators it maps, the parameters it caches.

The rules are the published list of operators with their limits, and what the compiled files of `google-coral/test_data`
show: one partition, and channels in groups of 64. The compiler itself has the last word (`edgetpu_compiler`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from hardware_profiles.op_graph import Op, OpGraph
from hardware_profiles.portability import op_sets

# "About 8 MB" of on-chip memory hold parameters; what does not fit is streamed from the host at every run.
CACHE_BYTES: Final = 8_000_000
_LANES: Final = 64
# A channel's bias and rescaling. With groups of 64 it gives what four MobileNetV1 files hold, to within 5 %.
_CHANNEL_BYTES: Final = 16
_LARGEST_SOFTMAX: Final = 16_000
_CHANNEL_AXIS: Final = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOp:
    """An operator that stays on the CPU, and why."""

    number: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTPUPlan:
    """Operators by where they run, and the parameters of those on the Edge TPU: cached once, or streamed each time."""

    mapped: tuple[int, ...]
    left: tuple[LeftOp, ...]
    cached_bytes: int
    streamed_bytes: int

    @property
    def cpu_ops(self) -> tuple[str, ...]:
        """Kinds of the operators on the CPU, in running order."""
        return tuple(op.kind for op in self.left)


def plan_edgetpu(graph: OpGraph, *, cache_bytes: int = CACHE_BYTES) -> EdgeTPUPlan:
    """Place a network's operators.

    There is one partition: it begins at the first operator that can be mapped and ends before the next one that cannot;
    all that come later in the file stay on the CPU, whatever they are.
    """
    reasons = [_refusal(graph, op) for op in graph.ops]
    begin = next((number for number, reason in enumerate(reasons) if reason is None), len(reasons))
    end = next((number for number in range(begin, len(reasons)) if reasons[number] is not None), len(reasons))
    stopped = f"comes after {graph.ops[end].kind}, which is not mapped" if end < len(reasons) else ""
    left = tuple(
        LeftOp(number=number, kind=op.kind, reason=reasons[number] or stopped)
        for number, op in enumerate(graph.ops)
        if not begin <= number < end
    )
    held = sum(parameter_bytes(graph, op) for op in graph.ops[begin:end])
    cached = min(held, cache_bytes)
    return EdgeTPUPlan(mapped=tuple(range(begin, end)), left=left, cached_bytes=cached, streamed_bytes=held - cached)


def parameter_bytes(graph: OpGraph, op: Op) -> int:
    """Bytes that an operator's constants take on the Edge TPU."""
    axis = _CHANNEL_AXIS.get(op.kind)
    if axis is None:
        return sum(
            graph.tensors[index].size_bytes for index in op.inputs if index >= 0 and graph.tensors[index].constant
        )
    shape = graph.tensors[op.inputs[1]].shape
    channels = -(-shape[axis] // _LANES) * _LANES
    return channels * (prod(shape) // shape[axis] + _CHANNEL_BYTES)


def _refusal(graph: OpGraph, op: Op) -> str | None:
    """Why an operator cannot be mapped; None where nothing published speaks against it."""
    listed = op_sets()["edgetpu"]
    if listed.ops is not None and op.kind not in listed.ops:
        return "not an operator of the Edge TPU"
    computed = [
        graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0 and not graph.tensors[index].constant
    ]
    if other := sorted({tensor.dtype for tensor in computed} - {"int8", "uint8"}):
        return f"works on {', '.join(other)}; only 8-bit integers are mapped"
    if any(0 in tensor.shape or min(tensor.shape, default=1) < 0 for tensor in computed):
        return "has a tensor of unknown size"
    most = listed.max_rank
    if most is not None and any(len(_sides(tensor.shape)) > most for tensor in computed):
        return f"has a tensor of more than {most} dimensions besides leading ones"
    rule = _LIMITS.get(op.kind)
    return None if rule is None else rule(graph, op)


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its leading ones."""
    first = next((axis for axis, side in enumerate(shape) if side != 1), len(shape))
    return shape[first:]


def _equal_dilation(graph: OpGraph, op: Op) -> str | None:
    across, down = op.attribute("dilation_w"), op.attribute("dilation_h")
    return None if across == down else f"dilates by {down} and {across}; both must be equal"


def _no_activation(graph: OpGraph, op: Op) -> str | None:
    fused = op.attribute("activation")
    return None if fused in (None, "NONE") else f"has a fused {fused}"


def _vector_output(graph: OpGraph, op: Op) -> str | None:
    sides = _sides(graph.tensors[op.outputs[0]].shape)
    return None if len(sides) <= 1 else f"has an output of {len(sides)} dimensions instead of one"


def _vector_input(graph: OpGraph, op: Op) -> str | None:
    sides = _sides(graph.tensors[op.inputs[0]].shape)
    if len(sides) > 1:
        return f"has an input of {len(sides)} dimensions instead of one"
    return None if prod(sides) <= _LARGEST_SOFTMAX else f"has {prod(sides):,} values; {_LARGEST_SOFTMAX:,} are taken"


def _mean_over_map(graph: OpGraph, op: Op) -> str | None:
    """Over rows and columns; over channels where their number divides by four; never over the batch."""
    source, result = (graph.tensors[index].shape for index in (op.inputs[0], op.outputs[0]))
    if source[0] != 1 and source[0] != result[0]:
        return "takes the mean over the batch"
    if source[-1] != result[-1] and source[-1] % 4:
        return f"takes the mean over {source[-1]} channels; their number must divide by 4"
    return None


def _batch_kept(graph: OpGraph, op: Op) -> str | None:
    source, result = (graph.tensors[index].shape for index in (op.inputs[0], op.outputs[0]))
    return None if source[:1] == result[:1] else "changes the batch"


_LIMITS: Mapping[str, Callable[[OpGraph, Op], str | None]] = {
    "AVERAGE_POOL_2D": _no_activation,
    "CONCATENATION": _no_activation,
    "CONV_2D": _equal_dilation,
    "DEPTHWISE_CONV_2D": _equal_dilation,
    "FULLY_CONNECTED": _vector_output,
    "MAX_POOL_2D": _no_activation,
    "MEAN": _mean_over_map,
    "PAD": _batch_kept,
    "REDUCE_MAX": _batch_kept,
    "REDUCE_MIN": _batch_kept,
    "SOFTMAX": _vector_input,
}
