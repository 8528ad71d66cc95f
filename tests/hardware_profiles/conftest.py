"""Small .tflite models, built without any training framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from hardware_profiles.op_graph import OpGraph, OpGraphBuilder

TinyModel = Callable[..., bytes]


class _TinyModel:
    """A 3×3 convolution over an 8×8×3 image, then, as asked for, RELU or a custom op."""

    def __init__(self, *, int8: bool) -> None:
        self.int8, self.rng = int8, np.random.default_rng(0)
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.model.operatorCodes, self.model.subgraphs = [], [self.graph]
        self.graph.tensors, self.graph.operators = [], []

    def tensor(self, shape: tuple[int, ...], scale: float, *, values: np.ndarray[Any, Any] | None = None) -> int:
        dtype = "int8" if self.int8 else "float32"
        if self.int8 and len(shape) == 1:
            dtype = "int32"
        tensor = schema.TensorT()
        tensor.name, tensor.shape = f"t{len(self.graph.tensors)}".encode(), list(shape)
        tensor.type = getattr(schema.TensorType, dtype.upper())
        if self.int8:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.full(1, scale, np.float32)
            tensor.quantization.zeroPoint = np.zeros(1, np.int64)
        tensor.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.astype(dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def op(self, kind: str, inputs: list[int], outputs: list[int], *, custom: str = "", version: int = 1) -> Any:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        code.customCode = custom.encode() or None
        self.model.operatorCodes.append(code)
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        self.graph.operators.append(operator)
        return operator

    def write(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _tiny_model(
    precision: str = "float32", *, width: int = 8, relu: bool = False, custom: str = "", version: int = 3
) -> bytes:
    made = _TinyModel(int8=precision == "int8")
    image = made.tensor((1, 8, 8, 3), 0.01)
    weights = made.tensor((width, 3, 3, 3), 0.01, values=made.rng.integers(-100, 100, (width, 3, 3, 3)))
    bias = made.tensor((width,), 1e-4, values=np.zeros(width))
    last = made.tensor((1, 8, 8, width), 0.5)
    convolution = made.op("CONV_2D", [image, weights, bias], [last], version=version)
    convolution.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    convolution.builtinOptions = schema.Conv2DOptionsT()
    convolution.builtinOptions.strideH = convolution.builtinOptions.strideW = 1
    for kind in ["RELU"] * relu + ["CUSTOM"] * bool(custom):
        result = made.tensor((1, 8, 8, width), 0.5)
        made.op(kind, [last], [result], custom=custom, version=2 if kind == "RELU" else 1)
        last = result
    made.graph.inputs, made.graph.outputs = [image], [last]
    return made.write()


@pytest.fixture(scope="session")
def tiny_model() -> TinyModel:
    """Builds the bytes of a one- or two-op model: `tiny_model("int8", width=8, relu=True, custom="MyOp")`."""
    return _tiny_model


def _conv_graph(width: int, precision: str = "float32") -> OpGraph:
    out = OpGraphBuilder()
    bias = "float32" if precision == "float32" else "int32"
    image = out.tensor((1, 16, 16, 8), precision)
    weights = out.tensor((width, 3, 3, 8), precision, constant=True)
    biases = out.tensor((width,), bias, constant=True)
    result = out.tensor((1, 16, 16, width), precision)
    out.op("CONV_2D", [image, weights, biases], [result], activation="NONE", padding="SAME", stride=1)
    return out.build([image], [result])


@pytest.fixture(scope="session")
def conv_graph() -> Callable[..., OpGraph]:
    """Builds the op graph of one 3×3 convolution over 16×16×8: `conv_graph(width, "int8")`."""
    return _conv_graph
