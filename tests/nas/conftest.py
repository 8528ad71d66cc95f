"""A made-up table of networks and searches over it; command lines; streams from TensorFlow's own converter."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hardware_profiles.quiet import quiet_stderr
from nas.cli import run
from nas.export.convert import _quiet
from nas.frameworks import load_keras
from searchspaces.tabnas import TabNAS

Config = dict[str, Any]
Nas = Callable[[Sequence[object]], tuple[int, str, str]]


@pytest.fixture(scope="session")
def table_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 400 two-layer networks of tabnas with an accuracy, a size and a latency; the rest of the space is absent."""
    rng = np.random.default_rng(0)
    lines = ["id,accuracy,size,latency_ms@toy,note"]
    for architecture in TabNAS((4,), 3, layers=2).enumerate():
        _, first, second, *_ = architecture.indices
        accuracy = 0.5 + 0.4 * np.sin((first + 1) / 14) * np.cos((second - 8) / 9) + 0.02 * rng.random()
        size, latency = 10 * (first + 1) * (second + 1), 0.1 * (first + second) + 0.05 * rng.random()
        lines.append(f"{architecture.id},{accuracy:.6f},{size},{latency:.6f},made up")
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def table_config(table_csv: Path) -> Config:
    """A search over that table; one in five networks keeps the constraints."""
    return {
        "space": {"name": "tabnas", "layers": 2},
        "evaluator": {"name": "table", "path": str(table_csv)},
        "controller": {"name": "random"},
        "objectives": ["maximize accuracy", "minimize latency_ms@toy"],
        "constraints": ["size <= 400", "latency_ms@toy <= 1.2"],
        "budget": {"trials": 30},
        "seed": 1,
    }


@pytest.fixture
def write_yaml(tmp_path: Path) -> Callable[..., Path]:
    """Writes a configuration to a file of the test's own folder."""

    def write(config: object, name: str = "search.yaml") -> Path:
        path = tmp_path / name
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def nas(capsys: pytest.CaptureFixture[str]) -> Nas:
    """Runs one command line in this process; gives its exit status, stdout and stderr."""

    def call(arguments: Sequence[object]) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below with its content; the journal files of SQLite hold no news of their own."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(("-shm", "-wal"))
    }


@pytest.fixture
def refused(nas: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command that has to be refused, in `tmp_path`, and gives what it says."""
    monkeypatch.chdir(tmp_path)

    def call(arguments: Sequence[object], *words: str, status: int = 2, keeps: bool = True) -> str:
        before = snapshot(tmp_path)
        found, out, err = nas(arguments)
        assert found == status, err
        assert out == ""
        assert err.startswith("error: ")
        assert "\n\n" not in err.rstrip("\n"), "more than one paragraph"
        assert "Traceback" not in err
        text = " ".join(err.split())
        for word in words:
            assert word in text
        if keeps:
            assert snapshot(tmp_path) == before
        return text

    return call


@pytest.fixture
def answer(nas: Nas) -> Callable[..., Any]:
    """The JSON document of a command that has to succeed; stdout holds nothing else."""

    def call(*arguments: object) -> Any:
        status, out, err = nas([*arguments, "--json"])
        assert status == 0, err
        return json.loads(out)

    return call


@pytest.fixture(scope="session")
def convert_stream() -> Callable[..., bytes]:
    """Makes a .tflite with a signature from a step function, by the converter's own way through a SavedModel."""

    def convert(
        step: Callable[..., dict[str, Any]],
        states: dict[str, tuple[int, ...]],
        *,
        frame: tuple[int, ...] = (1, 1, 6, 8, 3),
        calibration: np.ndarray | None = None,
    ) -> bytes:
        """`step` takes `image` and the states by name; with frames to calibrate on, the file is int8."""
        assert load_keras().backend.backend() == "tensorflow"
        import tensorflow as tf

        shapes = {"image": frame, **states}
        specs = {name: tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()}
        module = tf.Module()
        module.step = tf.function(step)

        def feed() -> Iterator[tuple[str, dict[str, Any]]]:
            carried = {name: np.zeros(shape, np.float32) for name, shape in states.items()}
            for pixels in calibration.astype(np.float32):
                inputs = {"image": pixels.reshape(frame), **carried}
                yield "serving_default", inputs
                outputs = module.step(**inputs)
                carried = {name: outputs[name].numpy() for name in states}

        with tempfile.TemporaryDirectory() as folder, _quiet(), quiet_stderr():
            # The converter's own calibrator opens TensorFlow's interpreter.
            warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated", category=UserWarning)
            concrete = module.step.get_concrete_function(**specs)
            tf.saved_model.save(module, folder, signatures={"serving_default": concrete})
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            if calibration is not None:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.representative_dataset = feed
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = converter.inference_output_type = tf.int8
            found: bytes = converter.convert()
        return found

    return convert
