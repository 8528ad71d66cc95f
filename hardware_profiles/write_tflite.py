"""Writes an `OpGraph` straight to a .tflite file with seeded random weights: a profile needs no training framework.

The file is for timing and memory, not for answers. Float weights are scaled so that activations stay near one (no
denormal or infinite values, which would change the time); int8 tensors carry plausible scales, and the fixed ones
that LOGISTIC and SOFTMAX ask for.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.litert import tflite_schema
from hardware_profiles.op_graph import Op, OpGraph
from hardware_profiles.read_tflite import IDENTIFIER
from searchspaces.errors import InputError

_SCHEMA_VERSION = 3
_ACTIVATION_SCALE = 0.05
_PROBABILITY_SCALE, _PROBABILITY_ZERO = 1 / 256, -128
_BIAS_BOUND = 0.1
_PER_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
# Operator versions (float, int8) as the converter writes them; runtimes pick kernels by them.
_VERSIONS = {
    "ADD": (1, 2),
    "AVERAGE_POOL_2D": (1, 2),
    "CONCATENATION": (1, 2),
    "CONV_2D": (1, 3),
    "CUMSUM": (1, 1),
    "DEPTHWISE_CONV_2D": (1, 3),
    "DEQUANTIZE": (1, 2),
    "DIV": (1, 1),
    "FULLY_CONNECTED": (1, 4),
    "HARD_SWISH": (1, 1),
    "LOGISTIC": (1, 2),
    "MEAN": (1, 2),
    "MUL": (1, 2),
    "PAD": (1, 2),
    "QUANTIZE": (1, 1),
    "RELU": (1, 2),
    "RELU6": (1, 2),
    "RESHAPE": (1, 1),
    "SIN": (1, 1),
    "SOFTMAX": (1, 2),
    "STRIDED_SLICE": (1, 2),
}


def write_tflite(graph: OpGraph, *, seed: int = 0) -> bytes:
    """The graph as a loadable .tflite file; its precision is that of the graph's tensors.

    Raises:
        InputError: the graph holds an op this writer has no options for.
        MissingError: the installed runtime does not ship the format's schema.
    """
    return _Writer(graph, np.random.default_rng(seed)).write()


class _Writer:
    def __init__(self, graph: OpGraph, rng: np.random.Generator) -> None:
        self.schema, self.graph, self.rng = tflite_schema(), graph, rng
        self.int8 = any(tensor.dtype == "int8" for tensor in graph.tensors)
        self.user: dict[int, tuple[Op, int]] = {}
        self.probabilities: set[int] = set()
        for op in graph.ops:
            for position, index in enumerate(op.inputs):
                self.user.setdefault(index, (op, position))
            if op.kind in ("LOGISTIC", "SOFTMAX"):
                self.probabilities.update(op.outputs)

    def write(self) -> bytes:
        import flatbuffers

        schema = self.schema
        model = schema.ModelT()
        model.version, model.description = _SCHEMA_VERSION, "paretonas: random weights, for profiling"
        model.buffers = [schema.BufferT()]
        subgraph = schema.SubGraphT()
        subgraph.name = "main"
        subgraph.tensors = [self._tensor(index, model.buffers) for index in range(len(self.graph.tensors))]
        kinds = list(dict.fromkeys(op.kind for op in self.graph.ops))
        model.operatorCodes = [self._code(kind) for kind in kinds]
        subgraph.operators = [self._operator(op, kinds.index(op.kind)) for op in self.graph.ops]
        subgraph.inputs = np.array(self.graph.inputs, dtype=np.int32)
        subgraph.outputs = np.array(self.graph.outputs, dtype=np.int32)
        model.subgraphs = [subgraph]
        size = self.graph.weight_bytes + 512 * (len(self.graph.tensors) + len(self.graph.ops)) + 1024
        builder = flatbuffers.Builder(size)
        builder.Finish(model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())

    def _code(self, kind: str) -> Any:
        number = getattr(self.schema.BuiltinOperator, kind, None)
        if number is None or kind not in _VERSIONS:
            raise InputError(
                f"op {kind}: expected one of {sorted(_VERSIONS)}, which this writer can write; "
                "profile the converted .tflite file instead."
            )
        code = self.schema.OperatorCodeT()
        code.builtinCode = number
        code.deprecatedBuiltinCode = min(number, 127)
        code.version = _VERSIONS[kind][1 if self.int8 else 0]
        return code

    def _operator(self, op: Op, code: int) -> Any:
        operator = self.schema.OperatorT()
        operator.opcodeIndex = code
        operator.inputs = np.array(op.inputs, dtype=np.int32)
        operator.outputs = np.array(op.outputs, dtype=np.int32)
        self._set_options(op, operator)
        return operator

    def _set_options(self, op: Op, operator: Any) -> None:
        schema, name = self.schema, ""
        match op.kind:
            case "CONV_2D":
                name, options = "Conv2DOptions", schema.Conv2DOptionsT()
            case "DEPTHWISE_CONV_2D":
                name, options = "DepthwiseConv2DOptions", schema.DepthwiseConv2DOptionsT()
                options.depthMultiplier = 1
            case "FULLY_CONNECTED":
                name, options = "FullyConnectedOptions", schema.FullyConnectedOptionsT()
            case "ADD":
                name, options = "AddOptions", schema.AddOptionsT()
            case "MUL":
                name, options = "MulOptions", schema.MulOptionsT()
            case "CONCATENATION":
                name, options = "ConcatenationOptions", schema.ConcatenationOptionsT()
                options.axis = op.attribute("axis")
            case "MEAN":
                name, options = "ReducerOptions", schema.ReducerOptionsT()
                options.keepDims = bool(op.attribute("keep_dims"))
            case "RESHAPE":
                name, options = "ReshapeOptions", schema.ReshapeOptionsT()
                options.newShape = np.array(self.graph.tensors[op.outputs[0]].shape, dtype=np.int32)
            case "AVERAGE_POOL_2D":
                name, options = "Pool2DOptions", schema.Pool2DOptionsT()
                options.filterHeight = options.filterWidth = op.attribute("window")
            case "CUMSUM":
                name, options = "CumsumOptions", schema.CumsumOptionsT()
            case "DIV":
                name, options = "DivOptions", schema.DivOptionsT()
            case "STRIDED_SLICE":
                name, options = "StridedSliceOptions", schema.StridedSliceOptionsT()
            case "SOFTMAX":
                name, options = "SoftmaxOptions", schema.SoftmaxOptionsT()
                options.beta = 1.0
            case _:
                return
        if op.attribute("padding") is not None:
            options.padding = getattr(schema.Padding, str(op.attribute("padding")))
            options.strideH = options.strideW = op.attribute("stride")
            if hasattr(options, "dilationHFactor"):
                options.dilationHFactor = options.dilationWFactor = op.attribute("dilation") or 1
        if op.attribute("activation") is not None:
            options.fusedActivationFunction = getattr(schema.ActivationFunctionType, str(op.attribute("activation")))
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)

    def _tensor(self, index: int, buffers: list[Any]) -> Any:
        source, schema = self.graph.tensors[index], self.schema
        tensor = schema.TensorT()
        tensor.name = f"t{index}".encode()
        tensor.shape = np.array(source.shape, dtype=np.int32)
        tensor.type = getattr(schema.TensorType, source.dtype.upper())
        tensor.buffer = 0
        if source.constant:
            values, scales = self._constant(index)
            buffer = schema.BufferT()
            buffer.data = np.atleast_1d(values).view(np.uint8).reshape(-1)
            buffers.append(buffer)
            tensor.buffer = len(buffers) - 1
            if scales is not None:
                op, position = self.user[index]
                axis = _PER_CHANNEL_AXIS.get(op.kind, 0) if position == 1 else 0
                tensor.quantization = self._quantization(scales, np.zeros(len(scales), np.int64), axis)
        elif source.dtype == "int8":
            fixed = index in self.probabilities
            scale = _PROBABILITY_SCALE if fixed else _ACTIVATION_SCALE
            zero = _PROBABILITY_ZERO if fixed else 0
            tensor.quantization = self._quantization(np.array([scale], np.float32), np.array([zero], np.int64), 0)
        return tensor

    def _quantization(self, scales: NDArray[np.float32], zeros: NDArray[np.int64], axis: int) -> Any:
        quantization = self.schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = scales, zeros
        quantization.quantizedDimension = axis
        return quantization

    def _constant(self, index: int) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Values of a constant and, for int8 graphs, its scales (one a channel for weights and biases)."""
        tensor, (op, position) = self.graph.tensors[index], self.user[index]
        shape = tensor.shape
        if op.kind == "MEAN":
            return np.array([1, 2], dtype=np.int32), None
        output = self.graph.tensors[op.outputs[0]].shape
        if op.kind == "RESHAPE":
            return np.array(output, dtype=np.int32), None
        if op.kind in ("PAD", "STRIDED_SLICE"):
            given = self.graph.tensors[op.inputs[0]].shape
            return _bounds(op.kind, position, np.array(given, np.int32), np.array(output, np.int32)), None
        if not shape and tensor.dtype == "int32":
            return np.ones(shape, np.int32), None
        if not shape:
            # A number to add or multiply by, which may be divided by later: one is harmless.
            return np.ones(shape, np.float32 if tensor.dtype == "float32" else np.int8), _scalar_scale(tensor.dtype)
        weights = op.kind in _PER_CHANNEL_AXIS
        fan_in = max(1, prod(shape) // self._channels(op)) if weights and position == 1 else 1
        bound = sqrt(6.0 / fan_in) if weights and position == 1 else 1.0
        if tensor.dtype == "float32":
            if position > 1:
                # Swish and squeeze-and-excite gates shrink what passes; biases keep deep networks from fading out.
                bound = _BIAS_BOUND
            values = self.rng.random(shape, dtype=np.float32)
            values *= 2 * bound
            values -= bound
            return values.reshape(shape), None
        if tensor.dtype == "int8":
            count = self._channels(op) if weights else 1
            quantised = self.rng.integers(-127, 128, size=shape, dtype=np.int8)
            return quantised, np.full(count, bound / 127, np.float32)
        # A bias: its scale is input scale × weight scale, channel by channel.
        kernel = self.graph.tensors[op.inputs[1]].shape
        kernel_bound = sqrt(6.0 / max(1, prod(kernel) // self._channels(op)))
        source = _PROBABILITY_SCALE if op.inputs[0] in self.probabilities else _ACTIVATION_SCALE
        return np.zeros(shape, np.int32), np.full(shape[0], source * kernel_bound / 127, np.float32)

    def _channels(self, op: Op) -> int:
        return self.graph.tensors[op.inputs[1]].shape[_PER_CHANNEL_AXIS[op.kind]]


def _bounds(kind: str, position: int, source: NDArray[np.int32], output: NDArray[np.int32]) -> NDArray[np.int32]:
    """The constants of PAD (all in front) and of STRIDED_SLICE (the end of each axis): shapes leave them open."""
    if kind == "PAD":
        return np.stack([output - source, np.zeros_like(source)], axis=1)
    return (source - output, source, np.ones_like(source))[position - 1]


def _scalar_scale(dtype: str) -> NDArray[np.float32] | None:
    return None if dtype == "float32" else np.ones(1, np.float32)
