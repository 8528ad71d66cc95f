"""One precision of an export: converted, described in its metadata, compared op by op, and through the gate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.litert import open_interpreter
from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph, difference
from hardware_profiles.read_tflite import read_tflite
from nas.export.convert import Precision, convert
from nas.export.metadata import embed_metadata
from nas.export.parity import Bounds, Parity, compare, gate
from nas.export.predict import predict_litert
from nas.streaming.signature import is_stream, read_signature
from nas.task import Split
from searchspaces.errors import NoResultError
from searchspaces.spec import NetworkSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A .tflite file that passed everything but is not written yet.

    graph_equal: whether it runs the ops the search counted; None where the precision has no such promise.
    """

    precision: Precision
    file: str
    tflite: bytes
    graph: OpGraph
    graph_equal: bool | None
    parity: Parity
    bounds: Bounds

    def describe(self) -> dict[str, Any]:
        """What a card says of the file."""
        interpreter = open_interpreter(self.tflite)
        source, sink, stream = interpreter.get_input_details()[0], interpreter.get_output_details()[0], None
        if is_stream(interpreter):
            signature = read_signature(interpreter, self.file)
            source, sink = signature.frame, signature.answer
            stream = {
                "frame": signature.frame_name,
                "answer": signature.kind,
                "states": len(signature.states),
                "state_bytes": signature.state_bytes,
            }
        return {
            "file": self.file,
            "sha256": hashlib.sha256(self.tflite).hexdigest(),
            "size_bytes": len(self.tflite),
            "input": face(source),
            "output": face(sink),
            "stream": stream,
            "ops": self.graph.op_counts,
            "graph_equal": self.graph_equal,
            "parity": self.parity.to_dict(),
            "bounds": asdict(self.bounds),
        }


def make_candidate(
    model: Any,
    spec: NetworkSpec,
    *,
    precision: Precision,
    file: str,
    metadata: Mapping[str, Any],
    held_out: Split,
    keras: NDArray[np.float32],
    calibration: NDArray[Any] | None,
    bounds: Bounds,
) -> Candidate:
    """Convert and check; the bytes that pass the gate are the bytes that are written.

    A causal network for clips is converted in the form that runs, frame by frame; Keras sees whole clips.

    Args:
        held_out: examples of the gate.  keras: the Keras model's probabilities of them.

    Raises:
        NoResultError: the file runs other ops than the spec says, or a bound does not hold.
    """
    from models.builder import deployed_model

    running = deployed_model(spec, model)
    tflite = embed_metadata(convert(running, precision=precision, calibration=calibration), metadata)
    graph = read_tflite(tflite)
    graph_equal = check_graph(spec.deployed, graph, precision)
    parity = compare(keras, predict_litert(tflite, held_out.x), held_out.y, precision=precision)
    gate(parity, bounds)
    return Candidate(
        precision=precision,
        file=file,
        tflite=tflite,
        graph=graph,
        graph_equal=graph_equal,
        parity=parity,
        bounds=bounds,
    )


def check_graph(spec: NetworkSpec, graph: OpGraph, precision: Precision) -> bool | None:
    """float16 dequantises its weights in ops of their own and dynamic mixes types: neither is what was counted."""
    if precision not in ("float32", "int8"):
        return None
    found = difference(lower(spec, precision=precision), graph)
    if found is not None:
        raise NoResultError(
            f"export, {precision}: expected the file to run the ops of {spec.name}, got at {found}; no file was "
            "written: give the spec the model was built from, trained (the converter drops biases that are all zero)."
        )
    return True


def face(details: Mapping[str, Any]) -> dict[str, Any]:
    scale, zero_point = details["quantization"]
    return {
        "shape": [int(side) for side in details["shape"]],
        "dtype": np.dtype(details["dtype"]).name,
        "scale": float(scale) or None,
        "zero_point": int(zero_point) if scale else None,
    }
