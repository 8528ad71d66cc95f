"""Changes to a finished .tflite file through the objects of its schema."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hardware_profiles.litert import Model, model_name, read_model
from hardware_profiles.read_tflite import IDENTIFIER
from searchspaces.errors import InputError

SIGNATURE = "serving_default"
_BUFFER_ALIGNMENT = 16


def edited(tflite: Model, change: Callable[[Any], None]) -> bytes:
    """The file after `change` has worked on its `ModelT`; what `change` leaves alone stays as it is.

    Raises:
        InputError: it is no TFLite file, or damaged.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
        """The schema asks for weights at multiples of 16 bytes; the Python builder gives 4 of itself."""

        def CreateNumpyVector(self, x: Any) -> int:
            self.Prep(_BUFFER_ALIGNMENT, x.nbytes)
            return int(super().CreateNumpyVector(x))

    data = read_model(tflite)
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        # The flatbuffer accessors follow offsets unchecked, so a damaged file fails in any of these ways.
        raise InputError(
            f"{model_name(tflite)}: expected a sound .tflite file, got {error}; it is damaged: export or copy it again."
        ) from error
    change(model)
    builder = AlignedBuilder(len(data) + 4096)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def named(inputs: Sequence[str], outputs: Sequence[str]) -> Callable[[Any], None]:
    """An edit that gives the only subgraph a signature: names of its inputs and outputs in order."""

    def change(model: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        def entries(names: Sequence[str], tensors: Sequence[int]) -> list[Any]:
            found = []
            for name, tensor in zip(names, tensors, strict=True):
                entry = schema.TensorMapT()
                entry.name, entry.tensorIndex = name.encode(), int(tensor)
                found.append(entry)
            return found

        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
        signature.inputs = entries(inputs, model.subgraphs[0].inputs)
        signature.outputs = entries(outputs, model.subgraphs[0].outputs)
        model.signatureDefs = [signature]

    return change


def bare_boundary(model: Any) -> None:
    """An edit that takes out QUANTIZE behind inputs and DEQUANTIZE before outputs: the file is fed and read in int8."""
    from ai_edge_litert import schema_py_generated as schema

    graph, kinds = model.subgraphs[0], schema.BuiltinOperator
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    reads = [int(tensor) for operator in graph.operators for tensor in operator.inputs]
    kept = []
    for operator in graph.operators:
        code, source, result = codes[operator.opcodeIndex], int(operator.inputs[0]), int(operator.outputs[0])
        if code == kinds.QUANTIZE and source in graph.inputs and reads.count(source) == 1:
            graph.inputs = np.where(graph.inputs == source, result, graph.inputs).astype(np.int32)
        elif code == kinds.DEQUANTIZE and result in graph.outputs and result not in reads:
            graph.outputs = np.where(graph.outputs == result, source, graph.outputs).astype(np.int32)
        else:
            kept.append(operator)
    graph.operators = kept
