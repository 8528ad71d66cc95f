"""Conversion in every precision, against Keras and against what the op graph foretells."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import difference
from hardware_profiles.read_tflite import read_tflite
from models.builder import build
from models.testing import randomise_vectors
from nas.export.convert import PRECISIONS, convert
from searchspaces.blocks import ConvBlock, DenseBlock, PoolBlock, SoftmaxBlock
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec

SPEC = NetworkSpec(
    name="small",
    input_shape=(12, 10, 3),
    blocks=(
        ConvBlock(name="stem", filters=16, kernel=3, stride=2, activation="silu"),
        # Wide enough that dynamic-range quantisation takes its weights (it leaves those under 1,024 values alone).
        ConvBlock(name="body", filters=64, kernel=3, activation="relu"),
        PoolBlock(),
        DenseBlock(name="classifier", units=5),
        SoftmaxBlock(),
    ),
)


@pytest.fixture(scope="module")
def examples() -> np.ndarray:
    return np.random.default_rng(0).random((16, *SPEC.input_shape), dtype=np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    made = build(SPEC, seed=1)
    randomise_vectors(made, np.random.default_rng(1))
    return made


@pytest.fixture(scope="module")
def converted(model, examples) -> dict[str, bytes]:
    return {precision: convert(model, precision=precision, calibration=examples) for precision in PRECISIONS}


def run(data: bytes, examples: np.ndarray) -> np.ndarray:
    """Probabilities of every example; int8 files are fed and read through their scales."""
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (given,), (found) = interpreter.get_input_details(), interpreter.get_output_details()[0]
    outputs = []
    for example in examples:
        scale, zero = given["quantization"]
        value = np.clip(np.rint(example / scale) + zero, -128, 127) if scale else example
        interpreter.set_tensor(given["index"], value[np.newaxis].astype(given["dtype"]))
        interpreter.invoke()
        output = interpreter.get_tensor(found["index"])[0].astype(np.float32)
        scale, zero = found["quantization"]
        outputs.append((output - zero) * scale if scale else output)
    return np.array(outputs)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-5), ("float16", 5e-3), ("dynamic", 5e-2), ("int8", 5e-2)]
)
def test_every_precision_computes_what_keras_does(precision, tolerance, converted, model, examples):
    expected = np.asarray(model(examples, training=False))
    assert np.ptp(expected, axis=0).max() > 10 * 1e-5
    assert run(converted[precision], examples) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_ops_are_those_of_the_lowered_network(precision, converted):
    assert difference(lower(SPEC, precision=precision), read_tflite(converted[precision])) is None


def test_weights_shrink_with_the_precision(converted):
    weight_bytes = {precision: read_tflite(data).weight_bytes for precision, data in converted.items()}
    assert weight_bytes["float16"] == pytest.approx(weight_bytes["float32"] / 2, rel=0.05)
    assert weight_bytes["int8"] < weight_bytes["dynamic"] < weight_bytes["float16"]


def test_int8_takes_and_gives_int8_and_the_others_float32(converted):
    for precision, data in converted.items():
        graph = read_tflite(data)
        ends = {graph.tensors[index].dtype for index in (*graph.inputs, *graph.outputs)}
        assert ends == {"int8" if precision == "int8" else "float32"}
        assert graph.tensors[graph.inputs[0]].shape == (1, *SPEC.input_shape)


def test_conversion_is_deterministic(converted, model, examples):
    assert convert(model) == converted["float32"]
    assert convert(model, precision="int8", calibration=examples) == converted["int8"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "precision: expected one of 4 known names, got 'int4'; did you mean 'int8'?"),
        ({"precision": "fp16"}, "precision: expected one of 4 known names, got 'fp16'"),
        ({"precision": "int8"}, "calibration: expected training examples for int8, got none"),
        (
            {"precision": "int8", "calibration": np.zeros((0, 12, 10, 3))},
            "expected training examples for int8, got none",
        ),
        (
            {"precision": "int8", "calibration": np.zeros((4, 10, 12, 3))},
            r"calibration: expected examples of shape \(12, 10, 3\), got \(10, 12, 3\)",
        ),
    ],
)
def test_bad_requests_are_refused_in_words(options, message, model):
    with pytest.raises(InputError, match=message):
        convert(model, **options)


def test_an_operator_without_a_builtin_is_refused_by_name():
    class InverseError(keras.layers.Layer):
        def call(self, x):
            return keras.ops.erfinv(x)

    given = keras.Input((4,))
    model = keras.Model(given, InverseError()(keras.layers.Dense(3)(given)))
    with pytest.raises(InputError, match="expected TFLite built-in operators only, got Erfinv; replace them"):
        convert(model)
