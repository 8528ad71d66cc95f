"""`OpGraph`: what a device runs, operator by operator, with the shapes and sizes that cost follows from.

It comes from a network (`lower`) or from a file (`read_tflite`); the two agree op for op. Operators carry TFLite's
builtin names; shapes carry the batch. Weights themselves are not held here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal, NamedTuple, TypeAlias

Precision: TypeAlias = Literal["float32", "int8"]
Attributes: TypeAlias = tuple[tuple[str, int | float | str | bool], ...]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")

DTYPE_BYTES = {
    "float32": 4,
    "float16": 2,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "bool": 1,
    "float64": 8,
    "int4": 0.5,
}

_MATRIX_OPS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_WITH_MACS = _MATRIX_OPS | {"CONV_3D", "TRANSPOSE_CONV", "BATCH_MATMUL"}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph: shape with the batch, element type, and whether the file holds its values."""

    shape: tuple[int, ...]
    dtype: str
    constant: bool = False

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of its values."""
        return int(prod(self.shape) * DTYPE_BYTES.get(self.dtype, 4))


class Op(NamedTuple):
    """One operator. `inputs` and `outputs` index the graph's tensors (-1: an optional input left out).

    `attributes` holds what changes the work (stride, padding, fused activation), sorted by name; `block` is the
    network's block it came from where that is known.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Attributes = ()
    block: int | None = None

    def attribute(self, name: str) -> int | float | str | bool | None:
        """The value of an attribute, None where the op has none of that name."""
        for given, value in self.attributes:
            if given == name:
                return value
        return None


@dataclass(frozen=True)
class OpGraph:
    """Operators in running order over a list of tensors."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @cached_property
    def ops_by_kind(self) -> dict[str, list[Op]]:
        """The ops of each kind in running order, the kind that comes first in front."""
        kinds: dict[str, list[Op]] = {}
        for op in self.ops:
            kinds.setdefault(op.kind, []).append(op)
        return kinds

    @cached_property
    def computed_by_shape(self) -> dict[tuple[int, ...], list[int]]:
        """The tensors that are no constants, by shape."""
        shapes: dict[tuple[int, ...], list[int]] = {}
        for index, tensor in enumerate(self.tensors):
            if not tensor.constant:
                shapes.setdefault(tensor.shape, []).append(index)
        return shapes

    def macs_of(self, op: Op) -> int:
        """Multiply-adds of a convolution, dense layer or matrix product; 0 for any other op."""
        if op.kind not in _WITH_MACS:
            return 0
        shapes = [self.tensors[index].shape for index in op.inputs if index >= 0]
        out = prod(self.tensors[op.outputs[0]].shape) if op.outputs else 0
        match op.kind:
            case "CONV_2D":
                return out * prod(shapes[1][1:])
            case "DEPTHWISE_CONV_2D":
                return out * prod(shapes[1][1:3])
            case "CONV_3D":
                return out * prod(shapes[1][:4])
            case "TRANSPOSE_CONV":
                return prod(shapes[2]) * prod(shapes[1][:3]) if len(shapes) > 2 else 0
            case "FULLY_CONNECTED":
                return out * shapes[1][-1]
            case _:
                inner = shapes[0][-2] if op.attribute("adj_x") else shapes[0][-1]
                return out * inner

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs, with the batch, in their order."""
        return tuple(self.tensors[index].shape for index in self.outputs)

    @property
    def precision(self) -> Precision:
        """int8 where the convolutions and dense layers compute in int8, else float32."""
        return (
            "int8" if any(self.tensors[op.outputs[0]].dtype == "int8" for op in self.ops if op.outputs) else "float32"
        )

    @cached_property
    def macs(self) -> int:
        """Multiply-adds of one run at the graph's batch."""
        return sum([self.macs_of(op) for kind, ops in self.ops_by_kind.items() if kind in _WITH_MACS for op in ops])

    @cached_property
    def weight_bytes(self) -> int:
        """Bytes of all constants, each counted once."""
        return sum([tensor.size_bytes for tensor in self.tensors if tensor.constant])

    @property
    def state_bytes(self) -> int:
        """Bytes that a stream carries from call to call: of all inputs but the first, which is what it is fed."""
        return sum(self.tensors[index].size_bytes for index in self.inputs[1:])

    @cached_property
    def params(self) -> int:
        """Values held for convolutions, dense layers and their biases: batch norm is folded into them here."""
        matrices = [op for kind, ops in self.ops_by_kind.items() if kind in _MATRIX_OPS for op in ops]
        held = {index for op in matrices for index in op.inputs[1:] if index >= 0}
        return sum(prod(self.tensors[index].shape) for index in held if self.tensors[index].constant)

    @cached_property
    def op_counts(self) -> dict[str, int]:
        """How many ops of each kind, the most frequent first."""
        return dict(Counter({kind: len(ops) for kind, ops in self.ops_by_kind.items()}).most_common())

    def describe_op(self, op: Op) -> tuple[object, ...]:
        """An op as kind, attributes and shapes, free of tensor numbers: what two graphs are compared by."""

        def face(index: int) -> tuple[object, ...] | None:
            return None if index < 0 else (self.tensors[index].shape, self.tensors[index].dtype)

        return (op.kind, op.attributes, tuple(map(face, op.inputs)), tuple(map(face, op.outputs)))

    @cached_property
    def signature(self) -> tuple[tuple[object, ...], ...]:
        """The whole graph in the terms of `describe_op`."""
        return tuple(self.describe_op(op) for op in self.ops)


def difference(first: OpGraph, second: OpGraph) -> str | None:
    """The first op in which two graphs differ, in words; None where they are equal op for op and shape for shape."""
    for number, (left, right) in enumerate(zip(first.signature, second.signature, strict=False)):
        if left != right:
            return f"op {number}: {left} against {right}"
    if len(first.ops) != len(second.ops):
        longer = max(first, second, key=lambda graph: len(graph.ops))
        extra = longer.signature[min(len(first.ops), len(second.ops))]
        return f"{len(first.ops)} ops against {len(second.ops)}; the first one more is {extra}"
    return None


class _DistinctTensors(dict[tuple[tuple[int, ...], str, bool], Tensor]):
    """Of a network's tensors few differ: equal ones are one object."""

    def __missing__(self, face: tuple[tuple[int, ...], str, bool]) -> Tensor:
        tensor = self[face] = Tensor(*face)
        return tensor


class _SortedAttributes(dict[Attributes, Attributes]):
    """Attributes as they were given, and sorted: few differ here too."""

    def __missing__(self, given: Attributes) -> Attributes:
        known = self[given] = tuple(sorted(given))
        return known


class OpGraphBuilder:
    """Collects tensors and ops; used by everything that makes an `OpGraph`."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self._distinct, self._sorted = _DistinctTensors(), _SortedAttributes()

    def tensor(self, shape: tuple[int, ...], dtype: str, *, constant: bool = False) -> int:
        """Add a tensor; returns its index."""
        self.tensors.append(self._distinct[shape, dtype, constant])
        return len(self.tensors) - 1

    def op(
        self,
        kind: str,
        inputs: Iterable[int],
        outputs: Iterable[int],
        block: int | None = None,
        **attributes: int | float | str | bool,
    ) -> None:
        """Add an op over tensors already there."""
        sorted_attributes = self._sorted[tuple(attributes.items())]
        self.ops.append(Op(kind, tuple(inputs), tuple(outputs), sorted_attributes, block))

    def build(self, inputs: Iterable[int], outputs: Iterable[int]) -> OpGraph:
        """The finished graph."""
        return OpGraph(tuple(self.tensors), tuple(self.ops), tuple(inputs), tuple(outputs))
