"""Keras to TFLite through TensorFlow's converter, with built-in operators only.

Keras's own exporter lets TensorFlow's ops through by default; such a file converts and then fails on the device. Here
they are refused, by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError, unknown_name

Precision: TypeAlias = Literal["float32", "float16", "dynamic", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "dynamic", "int8")


def convert(model: Any, *, precision: Precision = "float32", calibration: NDArray[Any] | None = None) -> bytes:
    """The .tflite file of a Keras model at batch 1.

    Args:
        model: a Keras model with one input.
        precision: float16 halves the weights, dynamic quantises them alone, int8 quantises everything, input and
            output too.
        calibration: for int8, examples ``[count, *input_shape]`` as the network is fed them, from the training split.

    Raises:
        InputError: unknown precision, missing calibration, or an operator TFLite has no built-in for.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="input")
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    # Without freezing, the converter writes variables and the ops that read them, which no delegate takes.
    frozen = convert_variables_to_constants_v2(function)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter.representative_dataset = lambda: _examples(model, calibration)
    try:
        data: bytes = converter.convert()
    except Exception as error:  # the converter raises its own class or a bare one, by version
        raise _refusal(error) from error
    return data


def _examples(model: Any, calibration: NDArray[Any] | None) -> Iterable[list[NDArray[np.float32]]]:
    if calibration is None or not len(calibration):
        raise InputError("calibration: expected training examples for int8, got none; pass some hundred of them.")
    if calibration.shape[1:] != tuple(model.input_shape[1:]):
        raise InputError(
            f"calibration: expected examples of shape {tuple(model.input_shape[1:])}, got {calibration.shape[1:]}; "
            "pass them as the network is fed."
        )
    for example in calibration:
        yield [example[np.newaxis].astype(np.float32)]


def _refusal(error: Exception) -> Exception:
    """An `InputError` that names the operators, where that is why the converter refused."""
    if isinstance(error, InputError):
        return error
    names = sorted(set(re.findall(r"'?tf\.(\w+)'? op is neither|tf\.(\w+)\(", str(error))))
    flat = sorted({name for pair in names for name in pair if name})
    if not flat:
        return error
    return InputError(
        f"network: expected TFLite built-in operators only, got {', '.join(flat)}; replace them, since a file that "
        "needs TensorFlow's own operators does not run on a device."
    )
