"""Reads a .tflite file as an `OpGraph`, without running it. Files are untrusted: every failure is an `InputError`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hardware_profiles.litert import tflite_schema
from hardware_profiles.op_graph import OpGraph, OpGraphBuilder
from searchspaces.errors import InputError

IDENTIFIER = b"TFL3"
_NO_BUFFER = 0
_LEFT_OUT = -1
# The runtime's own kernels take no more.
_MAX_RANK = 8
# Least ranks of the first inputs of the ops that multiply matrices.
_RANKS = {
    "BATCH_MATMUL": (2, 2),
    "CONV_2D": (4, 4),
    "CONV_3D": (5, 5),
    "DEPTHWISE_CONV_2D": (4, 4),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 4, 4),
}


def read_tflite(source: bytes | Path) -> OpGraph:
    """The op graph of a .tflite file or its bytes.

    Raises:
        InputError: it is no TFLite file, is damaged, or holds several subgraphs or dynamic shapes.
    """
    name = "the model" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _read_file(source)
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise InputError(
            f"{name}: expected a TFLite file (identifier TFL3), got {len(data)} bytes beginning {data[:8]!r}; "
            "give a .tflite file."
        )
    try:
        return _Reader(data, name).read()
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        # The flatbuffer accessors follow offsets unchecked, so a damaged file fails in any of these ways.
        raise InputError(f"{name}: the file is damaged ({error}); export it again.") from error


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected a readable .tflite file ({error.strerror}); check the path.") from error


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        schema = tflite_schema()
        self.schema, self.name = schema, name
        self.model = schema.Model.GetRootAs(bytearray(data), 0)
        self.kinds = _names(schema.BuiltinOperator)
        self.dtypes = {number: text.lower() for number, text in _names(schema.TensorType).items()}
        self.activations = _names(schema.ActivationFunctionType)
        self.paddings = _names(schema.Padding)

    def read(self) -> OpGraph:
        if self.model.SubgraphsLength() != 1:
            raise InputError(
                f"{self.name}: expected one subgraph, got {self.model.SubgraphsLength()} "
                "(control flow or several signatures); export one signature alone."
            )
        subgraph, out = self.model.Subgraphs(0), OpGraphBuilder()
        for index in range(subgraph.TensorsLength()):
            tensor = subgraph.Tensors(index)
            shape = self._shape(tensor)
            dtype = self.dtypes[tensor.Type()]
            constant = tensor.Buffer() != _NO_BUFFER and self._buffer_bytes(tensor.Buffer()) > 0
            out.tensor(shape, dtype, constant=constant)
        for index in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(index)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            kind = self.kinds[number]
            if kind == "CUSTOM":
                kind = f"CUSTOM:{(code.CustomCode() or b'?').decode(errors='replace')}"
            inputs = [operator.Inputs(position) for position in range(operator.InputsLength())]
            outputs = [operator.Outputs(position) for position in range(operator.OutputsLength())]
            self._check_indices(inputs, len(out.tensors), f"op {index}", least=_LEFT_OUT)
            self._check_indices(outputs, len(out.tensors), f"op {index}")
            self._check_ranks(kind, [out.tensors[at].shape for at in inputs if at >= 0], outputs, index)
            out.op(kind, inputs, outputs, None, **self._attributes(kind, operator))
        graph_inputs = [subgraph.Inputs(position) for position in range(subgraph.InputsLength())]
        graph_outputs = [subgraph.Outputs(position) for position in range(subgraph.OutputsLength())]
        self._check_indices(graph_inputs + graph_outputs, len(out.tensors), "the graph")
        return out.build(graph_inputs, graph_outputs)

    def _shape(self, tensor: Any) -> tuple[int, ...]:
        signature = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else ()
        if any(side < 0 for side in signature):
            text = (tensor.Name() or b"?").decode(errors="replace")
            raise InputError(
                f"{self.name}: tensor {text} has a dynamic shape {tuple(int(side) for side in signature)}; "
                "export with a fixed input shape."
            )
        if tensor.ShapeLength() > _MAX_RANK:
            raise ValueError(f"a tensor of rank {tensor.ShapeLength()}")
        shape = tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))
        if any(side < 0 for side in shape):
            raise ValueError(f"a tensor of shape {shape}")
        return shape

    def _buffer_bytes(self, index: int) -> int:
        buffer = self.model.Buffers(index)
        return max(int(buffer.DataLength()), int(buffer.Size()) if hasattr(buffer, "Size") else 0)

    def _check_indices(self, indices: Iterable[int], count: int, place: str, least: int = 0) -> None:
        for index in indices:
            if not least <= index < count:
                raise InputError(
                    f"{self.name}: {place} refers to tensor {index} of {count}; the file is damaged, export it again."
                )

    def _check_ranks(self, kind: str, shapes: Sequence[tuple[int, ...]], outputs: Sequence[int], index: int) -> None:
        """Inputs as the count of multiply-adds needs them."""
        expected = _RANKS.get(kind)
        if not expected:
            return
        if not outputs or any(len(shape) < rank for shape, rank in zip(shapes, expected, strict=False)):
            raise ValueError(f"op {index} ({kind}) with inputs {list(shapes)[:4]} and {len(outputs)} outputs")
        if len(shapes) < len(expected):
            raise ValueError(f"op {index} ({kind}) with {len(shapes)} inputs")

    def _attributes(self, kind: str, operator: Any) -> dict[str, int | float | str | bool]:
        """What changes the work of the ops whose work depends on options."""
        table = operator.BuiltinOptions()
        if table is None:
            return {}
        options = getattr(self.schema, _OPTIONS[kind])() if kind in _OPTIONS else None
        if options is None:
            return {}
        options.Init(table.Bytes, table.Pos)
        found: dict[str, int | float | str | bool] = {}
        if hasattr(options, "FusedActivationFunction"):
            found["activation"] = self.activations[options.FusedActivationFunction()]
        if hasattr(options, "Padding"):
            found["padding"] = self.paddings[options.Padding()]
        if hasattr(options, "StrideH"):
            found.update(_pair("stride", options.StrideH(), options.StrideW()))
        if hasattr(options, "DilationHFactor") and (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            found.update(_pair("dilation", options.DilationHFactor(), options.DilationWFactor()))
        if hasattr(options, "FilterHeight"):
            found.update(_pair("window", options.FilterHeight(), options.FilterWidth()))
        if hasattr(options, "Axis"):
            found["axis"] = options.Axis()
        if hasattr(options, "KeepDims"):
            found["keep_dims"] = bool(options.KeepDims())
        if hasattr(options, "AdjX"):
            found.update(adj_x=bool(options.AdjX()), adj_y=bool(options.AdjY()))
        return found


_OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "CONV_3D": "Conv3DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "SUB": "SubOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
}


def _pair(name: str, height: int, width: int) -> dict[str, int | float | str | bool]:
    return {name: height} if height == width else {f"{name}_h": height, f"{name}_w": width}


def _names(enumeration: type) -> dict[int, str]:
    return {number: text for text, number in vars(enumeration).items() if isinstance(number, int)}
