"""Keras to TFLite through TensorFlow's converter, with built-in operators only.

Keras's own exporter lets TensorFlow's ops through by default; such a file converts and then fails on the device. Here
they are refused, by name.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.op_order import reorder_tflite
from hardware_profiles.quiet import quiet_stderr
from nas.export.edit import bare_boundary, edited, named
from nas.export.freeze import freeze
from nas.export.stream import float_nodes, quantised, stream_calls
from nas.frameworks import load_keras
from searchspaces.errors import InputError, MissingError, NoResultError, unknown_name
from searchspaces.graph import INPUT

Precision: TypeAlias = Literal["float32", "float16", "dynamic", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "dynamic", "int8")


def convert(model: Any, *, precision: Precision = "float32", calibration: NDArray[Any] | None = None) -> bytes:
    """The .tflite file of a Keras model at batch 1; its branches run depth first from the outputs.

    Args:
        model: a Keras model; one with states, or with several outputs, gets a signature that names them.
        precision: float16 halves the weights, dynamic quantises them alone, int8 quantises everything, input and
            output too.
        calibration: for int8, examples ``[count, *input_shape]`` as the network is fed them, from the training split;
            for a stream whole clips ``[count, frames, height, width, channels]``.

    Raises:
        InputError: unknown precision, missing calibration, or an operator TFLite has no built-in for.
        MissingError: Keras does not run on TensorFlow in this process.
        NoResultError: the converter refuses the network for another reason.
    """
    check_conversion(precision)
    import tensorflow as tf

    examples = checked_calibration(model, calibration) if precision == "int8" else None
    network = freeze(model)
    stream = len(network.inputs) > 1
    with converting(precision):
        converter = make_converter(precision, network.function)
        if examples is not None:
            converter.inference_input_type = converter.inference_output_type = tf.int8
            converter.representative_dataset = lambda: stream_calls(network, examples) if stream else feed(examples)
        if stream and examples is not None:
            data = edited(quantised(converter, float_nodes(model, network)), bare_boundary)
        else:
            data = converter.convert()
    if stream or len(network.outputs) > 1:
        data = edited(data, named(network.inputs, network.outputs))
    return reorder_tflite(data)


def check_conversion(precision: str) -> None:
    """Raise unless the precision is known and Keras runs on TensorFlow."""
    load_keras()
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    _check_backend()


def make_converter(precision: Precision, function: Any, module: Any = None) -> Any:
    """TensorFlow's converter of a function, set to a precision; int8 wants its calibration set yet.

    Args:
        module: what the function is a method of, where functions that it calls have to be kept.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    integer = precision == "int8"
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if integer else tf.lite.OpsSet.TFLITE_BUILTINS
    ]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter


@contextmanager
def converting(precision: Precision) -> Iterator[None]:
    """The converter at work: its chatter left out, its refusals in words."""
    with _quiet(), quiet_stderr():
        try:
            yield
        except Exception as error:  # the converter raises its own class or a bare one, by version
            raise _refusal(error, precision) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Two remarks of the converter are left out: they ask for what post-training quantisation does not have."""
    logger = logging.getLogger("absl")
    level = logger.level
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected", category=UserWarning)
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _check_backend() -> None:
    import keras

    backend = keras.config.backend()
    if backend != "tensorflow":
        raise MissingError(
            f"Keras backend: expected tensorflow for conversion to TFLite, got {backend}; start with "
            "KERAS_BACKEND=tensorflow and load the trained weights there."
        )


def checked_calibration(model: Any, calibration: NDArray[Any] | None) -> NDArray[Any]:
    """Examples as the model is fed them, or an InputError."""
    if calibration is None or not len(calibration):
        raise InputError("calibration: expected training examples for int8, got none; pass some hundred of them.")
    stream = isinstance(model.input, dict)
    first = 2 if stream else 1  # of a clip, all but its frames
    shape = tuple((model.input[INPUT] if stream else model.input).shape)[first:]
    if calibration.shape[first:] != shape:
        what = "clips of frames" if stream else "examples"
        raise InputError(
            f"calibration: expected {what} of shape {shape}, got {calibration.shape[first:]}; pass them as the network "
            "is fed."
        )
    return calibration


def feed(examples: NDArray[Any]) -> Iterable[list[NDArray[np.float32]]]:
    """Examples one by one, as the converter asks for them."""
    for example in examples:
        yield [example[np.newaxis].astype(np.float32)]


def foreign_ops(names: Sequence[str]) -> InputError:
    """The error that names operators TFLite has no built-in for."""
    return InputError(
        f"network: expected TFLite built-in operators only, got {', '.join(names)}; replace them, since a file "
        "that needs TensorFlow's own operators does not run on a device."
    )


def _refusal(error: Exception, precision: Precision) -> Exception:
    """An `InputError` that names the operators, where that is why the converter refused."""
    # Followed by a tensor's type: the message may quote lines of Python, in which tf.… is a call.
    found = re.findall(r"'?tf\.(\w+)'? op is neither|tf\.(\w+)\(tensor", str(error))
    names = sorted({name for pair in found for name in pair if name})
    if names:
        return foreign_ops(names)
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return NoResultError(
        f"conversion to {precision}: expected TensorFlow's converter to take the network, got {reason!r}; try another "
        "precision, or float32 first to see whether quantisation is the cause."
    )
