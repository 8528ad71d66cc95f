"""What the file of a stream needs beyond conversion: realistic states for int8, and running sums that stay in float.

A state and its new value have one scale where they are int8, so that raw values go from one call to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.export.freeze import FrozenNetwork

_INT8_TENSOR = 9
# Enough frames for the range of every tensor; running them one by one takes the time.
_CALIBRATION_FRAMES = 256


def stream_calls(network: FrozenNetwork, clips: NDArray[Any]) -> Iterator[list[NDArray[np.float32]]]:
    """Inputs of single calls, in the network's order, as a stream meets them: frames of clips with their states.

    Args:
        network: of a stream; its input that is no state is the frame.
        clips: raw ``[count, frames, height, width, channels]``.
    """
    (image,) = (name for name in network.inputs if name not in network.outputs)
    frames = max(1, -(-_CALIBRATION_FRAMES // len(clips)))
    for clip in clips[:_CALIBRATION_FRAMES]:
        fed = {name: np.zeros(network.shape(name), np.float32) for name in network.inputs}
        for frame in clip[:frames]:
            fed[image] = frame[np.newaxis, np.newaxis].astype(np.float32)
            yield [fed[name] for name in network.inputs]
            found = network.run(fed)
            fed.update({name: found[name] for name in network.inputs if name != image})


def float_nodes(model: Any, network: FrozenNetwork) -> set[str]:
    """Names of the TensorFlow nodes that add up over frames, under which the quantiser finds and leaves them.

    Args:
        model: the Keras model that `network` was made of.
    """
    from models.time_layers import KEPT_IN_FLOAT

    names = [layer.name for layer in model.layers if isinstance(layer, KEPT_IN_FLOAT)]
    inside = re.compile(rf"(^|/)({'|'.join(map(re.escape, names))})(_\d+)?/")
    nodes = {node.name: node for node in network.function.graph.as_graph_def().node}
    found = {name for name in nodes if names and inside.search(name)}
    # What leaves the network is renamed after its place among the outputs.
    for name, node in nodes.items():
        source = node
        while source.op == "Identity" and source.input:
            source = nodes[source.input[0].partition(":")[0]]
        if source.name in found:
            found.add(name)
    return found


def quantised(converter: Any, kept: set[str]) -> bytes:
    """The int8 file of a converter that was given examples; the nodes `kept` stay in float.

    The converter's own last step leaves no such choice, so its two parts are called one by one. Inputs and outputs are
    float32, each with its QUANTIZE or DEQUANTIZE; see `edit.bare_boundary`.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    converter._experimental_calibrate_only = True
    calibrated = converter.convert()
    names = kept | _flattened_for(calibrated, kept) | _hard_swishes(calibrated)
    data: bytes = mlir_quantize(calibrated, inference_type=_INT8_TENSOR, denylisted_nodes=names)
    return data


def _hard_swishes(calibrated: bytes) -> set[str]:
    """Names of the hard swishes: XNNPACK has them in float alone.

    Each left in int8 ran on a reference kernel between two partitions; together they took three quarters of the time.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(calibrated, 0)
    graph, hard_swish = model.subgraphs[0], schema.BuiltinOperator.HARD_SWISH
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    found = (operator for operator in graph.operators if codes[operator.opcodeIndex] == hard_swish)
    return {graph.tensors[operator.outputs[0]].name.decode() for operator in found}


def _flattened_for(calibrated: bytes, kept: set[str]) -> set[str]:
    """Names of the reshapes that the converter put before a kept node; it named them itself."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(calibrated, 0)
    graph, reshape = model.subgraphs[0], schema.BuiltinOperator.RESHAPE
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    names = [tensor.name.decode() for tensor in graph.tensors]
    reshaped = {
        int(operator.outputs[0])
        for operator in graph.operators
        if codes[operator.opcodeIndex] == reshape and operator.inputs[0] in graph.inputs
    }
    read = {int(index) for each in graph.operators if names[each.outputs[0]] in kept for index in each.inputs}
    return {names[index] for index in reshaped & read}
