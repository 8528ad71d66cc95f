from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hardware_profiles import litert
from searchspaces.errors import InputError, MissingError

TinyModel = Callable[..., bytes]

BAD_FILES = {
    "empty": (b"", "got 0 bytes"),
    "short": (b"\x1c\0\0\0", "got 4 bytes"),
    "text": (b"this is a text file, not a model", "TFL3"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "PNG"),
    "identifier alone": (b"\x10\0\0\0TFL3", "damaged"),
    "random": (b"\x1c\0\0\0TFL3" + np.random.default_rng(1).bytes(2000), "damaged"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_of_another_kind_is_refused_by_name(name: str, tmp_path: Path) -> None:
    content, found = BAD_FILES[name]
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=found) as raised:
        litert.open_interpreter(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_model_is_refused(share: float, tiny_model: TinyModel) -> None:
    whole = tiny_model()
    with pytest.raises(InputError, match="cut short or damaged"):
        litert.open_interpreter(whole[: int(len(whole) * share)])


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        litert.open_interpreter(tmp_path / "none.tflite")
    with pytest.raises(InputError, match="directory"):
        litert.open_interpreter(tmp_path)


@pytest.mark.parametrize(("custom", "advice"), [("MyOp", "without custom ops"), ("FlexErf", "SELECT_TF_OPS")])
def test_an_op_without_a_kernel_is_named(custom: str, advice: str, tiny_model: TinyModel) -> None:
    with pytest.raises(InputError, match=f"op {custom}.*{advice}"):
        litert.open_interpreter(tiny_model(custom=custom))


def test_an_op_of_a_later_version_is_named(tiny_model: TinyModel) -> None:
    with pytest.raises(InputError, match=r"CONV_2D version 99.*upgrade"):
        litert.open_interpreter(tiny_model(version=99))


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, None])
def test_threads_are_checked(threads: Any, tiny_model: TinyModel) -> None:
    with pytest.raises(InputError, match="threads"):
        litert.open_interpreter(tiny_model(), threads=threads)


def test_damaged_bytes_never_take_the_process_down(tiny_model: TinyModel) -> None:
    """One changed byte at every fifth place: each model either runs or is refused with an InputError."""
    whole, rng = tiny_model("int8", relu=True), np.random.default_rng(0)
    opened = refused = 0
    for place in range(8, len(whole), 5):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        try:
            interpreter = litert.open_interpreter(bytes(changed))
            litert.set_inputs(interpreter, litert.random_inputs(interpreter, rng))
            litert.invoke_once(interpreter, bytes(changed))
            opened += 1
        except InputError:
            refused += 1
    assert opened > 0
    assert refused > 0


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_model_opens_from_bytes_and_from_a_path(precision: str, tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model(precision))
    for model in (path, str(path), path.read_bytes()):
        interpreter = litert.open_interpreter(model, threads=2)
        assert litert.precision_of(interpreter) == precision
        assert litert.batch_of(interpreter) == 1


def test_random_inputs_follow_dtype_and_seed(tiny_model: TinyModel) -> None:
    interpreter = litert.open_interpreter(tiny_model())
    (array,) = litert.random_inputs(interpreter, np.random.default_rng(3))
    (again,) = litert.random_inputs(interpreter, np.random.default_rng(3))
    assert (array.dtype, array.shape) == (np.float32, (1, 8, 8, 3))
    assert array.min() < -0.5 < 0.5 < array.max()
    np.testing.assert_array_equal(array, again)


def test_random_inputs_follow_the_quantisation(tiny_model: TinyModel) -> None:
    """The tiny model's input has scale 0.01 and zero point 0, so that [-1, 1) becomes -100 to 100."""
    interpreter = litert.open_interpreter(tiny_model("int8"))
    (array,) = litert.random_inputs(interpreter, np.random.default_rng(3))
    assert array.dtype == np.int8
    assert -100 <= array.min() < -50
    assert 50 < array.max() <= 100


class _Inputs:
    """An interpreter whose one input is as given."""

    def __init__(self, dtype: Any, scale: float = 0.0) -> None:
        self.details = {"name": "x", "shape": np.array([4, 5]), "dtype": dtype, "quantization": (scale, 0)}

    def get_input_details(self) -> list[dict[str, Any]]:
        return [self.details]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.bool_, np.uint8])
def test_indices_and_flags_are_zero_or_one(dtype: Any) -> None:
    (array,) = litert.random_inputs(_Inputs(dtype), np.random.default_rng(0))
    assert array.dtype == dtype
    assert set(array.astype(int).ravel()) == {0, 1}


@pytest.mark.parametrize("dtype", [np.bytes_, np.complex64])
def test_inputs_that_cannot_be_drawn_are_refused(dtype: Any) -> None:
    with pytest.raises(InputError, match="input x"):
        litert.random_inputs(_Inputs(dtype), np.random.default_rng(0))


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("int8", 1)])
def test_the_arena_holds_both_activations(precision: str, size: int, tiny_model: TinyModel) -> None:
    """Image 8·8·3 and convolution 8·8·8, both alive at once."""
    assert litert.measured_arena_bytes(tiny_model(precision)) == (192 + 512) * size


def test_ops_are_listed_by_name(tiny_model: TinyModel) -> None:
    assert litert.op_kinds(tiny_model(relu=True, custom="MyOp")) == ("CONV_2D", "RELU", "CUSTOM:MyOp")
    assert {"CONV_2D", "RESIZE_BILINEAR"} <= litert.builtin_ops()
    assert "CUSTOM" not in litert.builtin_ops()


def _only(packages: dict[str, str]) -> Callable[[str], str]:
    def version(name: str) -> str:
        if name not in packages:
            raise importlib.metadata.PackageNotFoundError(name)
        return packages[name]

    return version


def test_litert_is_preferred_to_tflite_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", _only({"ai-edge-litert": "2.3.0", "tflite-runtime": "2.14"}))
    assert str(litert.find_runtime()) == "ai-edge-litert 2.3.0"
    monkeypatch.setattr(importlib.metadata, "version", _only({"tflite-runtime": "2.14"}))
    assert str(litert.find_runtime()) == "tflite-runtime 2.14"


def test_no_runtime_names_what_to_install(monkeypatch: pytest.MonkeyPatch, tiny_model: TinyModel) -> None:
    monkeypatch.setattr(importlib.metadata, "version", _only({}))
    with pytest.raises(MissingError, match="pip install ai-edge-litert"):
        litert.open_interpreter(tiny_model())


def test_a_runtime_that_does_not_load_is_missing(monkeypatch: pytest.MonkeyPatch, tiny_model: TinyModel) -> None:
    monkeypatch.setattr(importlib.metadata, "version", _only({"tflite-runtime": "2.14"}))
    with pytest.raises(MissingError, match=r"tflite-runtime 2\.14 is installed but does not load"):
        litert.open_interpreter(tiny_model())


def test_a_runtime_built_for_another_numpy_is_missing(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tflite-runtime 2.14 does under NumPy 2."""

    class Interpreter:
        def __init__(self, **_: object) -> None:
            raise SystemError("CreateWrapperFromBuffer returned a result with an exception set")

    module = ModuleType("tflite_runtime.interpreter")
    module.Interpreter = Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tflite_runtime", ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)
    monkeypatch.setattr(importlib.metadata, "version", _only({"tflite-runtime": "2.14"}))
    with pytest.raises(MissingError, match=r"tflite-runtime 2\.14 cannot be called with NumPy .* NumPy 1"):
        litert.open_interpreter(tiny_model())


def test_the_format_comes_with_litert_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(MissingError, match="ships the schema"):
        litert.tflite_schema()
