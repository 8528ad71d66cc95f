"""Class probabilities of many examples, from Keras and from a .tflite file of batch 1, each fed as a user feeds it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.litert import Model, model_name, open_interpreter
from models.batch_size import rows_at_once
from nas.quantization import dequantize, quantize
from nas.streaming.classifier import StreamingClassifier
from nas.streaming.signature import is_stream
from searchspaces.errors import InputError, NoResultError

_BATCH = 256
_SUM_TOLERANCE = 1e-3


def predict_keras(model: Any, x: NDArray[Any]) -> NDArray[np.float32]:
    """Probabilities [N, classes] of raw examples [N, …].

    Raises:
        InputError: the model takes another shape, or does not end in probabilities.
        NoResultError: it gives NaN.
    """
    if tuple(model.input_shape[1:]) != x.shape[1:]:
        raise InputError(
            f"model: expected an input of shape {x.shape[1:]}, as the task's examples, got "
            f"{tuple(model.input_shape[1:])}; build it for this task."
        )
    size = rows_at_once(x.shape[1:], most=_BATCH)
    chunks = (x[start : start + size].astype(np.float32) for start in range(0, len(x), size))
    found = np.concatenate([np.asarray(model.predict_on_batch(chunk), np.float32) for chunk in chunks])
    if not np.isfinite(found).all():
        raise NoResultError(
            "model: expected finite probabilities, got NaN or infinity from Keras; train it again with a lower "
            "learning rate, or pick another network."
        )
    totals = found.sum(axis=-1) if found.shape[-1] > 1 else np.ones(len(found), np.float32)
    inside = found.ndim == 2 and found.min() >= 0 and found.max() <= 1 + _SUM_TOLERANCE
    if not inside or np.abs(totals - 1).max() > _SUM_TOLERANCE:
        raise InputError(
            f"model: expected it to end in class probabilities [N, classes], got values {found.min():.3g} to "
            f"{found.max():.3g} of shape {found.shape}; build it with its softmax and copy the weights."
        )
    return found


def predict_litert(tflite: Model, x: NDArray[Any], *, threads: int = 1) -> NDArray[np.float32]:
    """Probabilities [N, classes] of raw examples [N, …], run one by one; int8 is quantised and read back.

    A streaming file is fed clips [N, T, H, W, C] frame by frame; what it says of a clip is its answer to the last.

    Raises:
        InputError: no TFLite file, damaged, or of another input shape.
        MissingError: no runtime is installed.
    """
    interpreter = open_interpreter(tflite, threads=threads)
    if is_stream(interpreter):
        return _predict_stream(StreamingClassifier(tflite, threads=threads), x)
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if tuple(source["shape"]) != (1, *x.shape[1:]):
        raise InputError(
            f"{model_name(tflite)}: expected an input of shape {(1, *x.shape[1:])}, as the task's examples, got "
            f"{tuple(int(side) for side in source['shape'])}; give the file of this task's network."
        )
    found = np.empty((len(x), *sink["shape"][1:]), np.float32)
    for row, example in enumerate(x):
        interpreter.set_tensor(source["index"], quantize(example[np.newaxis], source))
        interpreter.invoke()
        found[row] = dequantize(interpreter.get_tensor(sink["index"])[0], sink)
    return found


def _predict_stream(stream: StreamingClassifier, x: NDArray[Any]) -> NDArray[np.float32]:
    if x.shape[2:] != stream.frame_shape:
        raise InputError(
            f"{stream.name}: expected frames of shape {x.shape[2:]}, as the task's clips, got {stream.frame_shape}; "
            "give the file of this task's network."
        )
    found = np.empty((len(x), stream.signature.classes), np.float32)
    for row, clip in enumerate(x):
        for answer in stream.run(clip, stride=1):
            found[row] = answer
    return found


def top_class(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """Class numbers [N]; a single output is the probability of class 1."""
    if probabilities.shape[-1] == 1:
        return np.asarray(probabilities[:, 0] >= 0.5, np.int64)
    return np.asarray(probabilities.argmax(axis=-1), np.int64)
