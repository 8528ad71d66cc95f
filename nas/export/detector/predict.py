"""What a .tflite detector finds in pictures, fed one by one as a user feeds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.litert import Model, model_name, open_interpreter
from models.detection.postprocess import Detections
from nas.quantization import dequantize, quantize
from searchspaces.errors import InputError

Heads = tuple[NDArray[np.float32], NDArray[np.float32]]


def heads_litert(tflite: Model, x: NDArray[np.uint8], *, threads: int = 1) -> Heads:
    """Box codes [N, A, 4] and class logits [N, A, classes + 1] of pictures [N, H, W, C], from a file without NMS.

    Raises:
        InputError: no TFLite file, or of another input, or with other outputs.
    """
    rows = list(_outputs(tflite, x, count=2, threads=threads))
    return np.stack([codes for codes, _ in rows]), np.stack([logits for _, logits in rows])


def detections_litert(tflite: Model, x: NDArray[np.uint8], *, threads: int = 1) -> list[Detections]:
    """The detections in each picture [N, H, W, C], from a file with NMS, cut at the pictures' edges.

    Raises:
        InputError: no TFLite file, or of another input, or with other outputs.
    """
    found = []
    for boxes, classes, scores, count in _outputs(tflite, x, count=4, threads=threads):
        kept = slice(0, int(count))
        found.append(
            Detections(boxes=np.clip(boxes[kept], 0, 1), classes=classes[kept].astype(np.int64), scores=scores[kept])
        )
    return found


def _outputs(
    tflite: Model, x: NDArray[np.uint8], *, count: int, threads: int
) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """The outputs of each picture as float32, without the batch."""
    interpreter = open_interpreter(tflite, threads=threads)
    source, sinks = interpreter.get_input_details()[0], interpreter.get_output_details()
    if tuple(source["shape"]) != (1, *x.shape[1:]) or len(sinks) != count:
        raise InputError(
            f"{model_name(tflite)}: expected an input of shape {(1, *x.shape[1:])}, as the task's pictures, and {count}"
            f" outputs, got {tuple(map(int, source['shape']))} and {len(sinks)}; give the file of this task's detector."
        )
    for picture in x:
        interpreter.set_tensor(source["index"], quantize(picture[np.newaxis], source))
        interpreter.invoke()
        yield tuple(dequantize(_tensor(interpreter, sink), sink) for sink in sinks)


def _tensor(interpreter: Any, sink: dict[str, Any]) -> NDArray[Any]:
    return np.asarray(interpreter.get_tensor(sink["index"])[0])
