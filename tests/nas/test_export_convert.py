"""What conversion refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from models.builder import build
from nas.export.convert import convert
from searchspaces.blocks import DenseBlock, SoftmaxBlock
from searchspaces.errors import InputError, MissingError, NoResultError
from searchspaces.spec import NetworkSpec


def tiny_model() -> keras.Model:
    blocks = (DenseBlock(name="classifier", units=2), SoftmaxBlock())
    return build(NetworkSpec(name="tiny", input_shape=(4,), blocks=blocks))


def test_conversion_needs_keras_on_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(MissingError, match="expected tensorflow for conversion to TFLite, got jax; start with KERAS_B"):
        convert(tiny_model())


def test_what_else_the_converter_refuses_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    class Refusing:
        target_spec = tf.lite.TargetSpec()

        @classmethod
        def from_concrete_functions(cls, functions: list[Any], module: Any) -> Refusing:
            return cls()

        def convert(self) -> bytes:
            raise RuntimeError("Bad quantisation\nof something")

    monkeypatch.setattr(tf.lite, "TFLiteConverter", Refusing)
    with pytest.raises(NoResultError, match=r"conversion to dynamic: .* got 'Bad quantisation'; try another precision"):
        convert(tiny_model(), precision="dynamic")


def test_tensorflow_ops_are_refused_by_name() -> None:
    import tensorflow as tf

    given = keras.Input((4,))
    model = keras.Model(given, keras.layers.Lambda(lambda x: tf.raw_ops.Cumprod(x=x, axis=1))(given))
    with pytest.raises(InputError, match="expected TFLite built-in operators only, got Cumprod"):
        convert(model)
