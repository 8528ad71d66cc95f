"""What an export says of networks for clips, whole or streamed, and that its snippet runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from benchmarks import tasks
from hardware_profiles.lower import lower
from nas.cli import run
from nas.export.candidate import Candidate
from nas.export.card import card_json, card_markdown, labels_text, make_card, make_metadata
from nas.export.parity import DEFAULT_BOUNDS, Parity
from nas.export.predict import predict_keras, predict_litert
from nas.streaming.classifier import StreamingClassifier
from searchspaces.errors import InputError
from searchspaces.tabnas import TabNAS

Convert = Callable[..., bytes]
TASK = tasks.create("moving-digits", input_shape=[4, 16, 20, 1], examples=140)
CLIPS = TASK.split("test").x
WEIGHTS = np.random.default_rng(0).normal(0, 3, (20, 7)).astype(np.float32)


def whole(image: Any) -> dict[str, Any]:
    """Probabilities from the columns of a clip's mean frame."""
    import tensorflow as tf

    return {"probabilities": tf.nn.softmax(tf.matmul(tf.reduce_mean(image / 255, axis=[1, 2, 4]), WEIGHTS))}


def streamed(image: Any, state_sum: Any) -> dict[str, Any]:
    """The same from a running sum over four frames, in quarters."""
    import tensorflow as tf

    total = state_sum + tf.reduce_mean(image / 255, axis=[1, 2, 4]) * 0.25
    return {"probabilities": tf.nn.softmax(tf.matmul(total, WEIGHTS)), "state_sum": total}


def expected(clips: np.ndarray) -> np.ndarray:
    logits = (clips / 255).mean(axis=(1, 2, 4)) @ WEIGHTS
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def files(convert_stream: Convert) -> dict[str, bytes]:
    frames = TASK.split("train").x[:20].reshape(-1, 16, 20, 1)
    states = {"state_sum": (1, 20)}
    return {
        "whole": convert_stream(whole, {}, frame=(1, 4, 16, 20, 1)),
        "stream": convert_stream(streamed, states, frame=(1, 1, 16, 20, 1)),
        "stream int8": convert_stream(streamed, states, frame=(1, 1, 16, 20, 1), calibration=frames),
    }


@pytest.mark.parametrize("name", ["whole", "stream"])
def test_files_of_either_form_are_fed_whole_clips(name: str, files: dict[str, bytes]) -> None:
    assert predict_litert(files[name], CLIPS) == pytest.approx(expected(CLIPS), abs=1e-5)
    with pytest.raises(InputError, match=r"expected (an input|frames) of shape"):
        predict_litert(files[name], CLIPS[:, :, :8])


def write_export(folder: Path, data: bytes, precision: str) -> dict[str, Any]:
    """The papers of a file beside it; the network of the card is another one, which they do not look at."""
    space = TabNAS((5,), 3)
    spec = space.network(space.parse("tabnas:0-1-2-x-x"))
    figures = {"top1_agreement": 1.0, "max_abs_error": 0.0, "accuracy_keras": 0.5, "accuracy_litert": 0.5}
    candidate = Candidate(
        precision=precision,
        file="net.tflite",
        tflite=data,
        graph=lower(spec),
        graph_equal=None,
        parity=Parity(precision=precision, examples=10, **figures),
        bounds=DEFAULT_BOUNDS[precision],
    )
    card = make_card(
        spec,
        TASK,
        [candidate],
        test_accuracy={"keras": 0.5, precision: 0.5},
        test_examples=10,
        promised=[],
        measured=None,
        seed=0,
        calibration_examples=0,
    )
    assert make_metadata(spec, TASK, precision)["preprocessing"]["host"]["frames"] == 4
    (folder / "net.tflite").write_bytes(data)
    (folder / "labels.txt").write_bytes(labels_text(TASK.class_names))
    (folder / "net.json").write_bytes(card_json(card))
    (folder / "net.md").write_bytes(card_markdown(card, "labels.txt"))
    return card


@pytest.mark.parametrize("name", ["whole", "stream", "stream int8"])
def test_the_card_runs_the_file(name: str, files: dict[str, bytes], tmp_path: Path) -> None:
    precision = "int8" if "int8" in name else "float32"
    card = write_export(tmp_path, files[name], precision)
    text = (tmp_path / "net.md").read_text("utf-8")
    assert "moving-digits (synthetic)" in text
    assert "Frames are chosen, decoded and resized before they reach the network" in text
    described = card["precisions"][precision]
    if name == "whole":
        assert described["stream"] is None
        assert "It takes one clip, uint8 4 × 16 × 20 × 1, and gives a probability for each class." in text
    else:
        state_bytes = 20 if precision == "int8" else 80
        assert described["stream"] == {
            "frame": "image",
            "answer": "probabilities",
            "states": 1,
            "state_bytes": state_bytes,
        }
        assert described["input"]["shape"] == [1, 1, 16, 20, 1] and described["output"]["shape"] == [1, 7]
        size = f"{state_bytes / 1000:,.1f} kB"
        assert (
            f"It takes a clip frame by frame, uint8 16 × 20 × 1 each, and carries 1 state ({size}) from frame" in text
        )
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "run.py").write_text(code, "utf-8")
    np.save(tmp_path / "example.npy", CLIPS[3])
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    label, probability = done.stdout.split()
    wanted = predict_litert(files[name], CLIPS[3:4])[0]
    assert label == TASK.class_names[int(wanted.argmax())]
    assert float(probability) == pytest.approx(wanted.max(), abs=1e-5)


def test_a_stream_is_fed_as_its_task_was(files: dict[str, bytes], tmp_path: Path) -> None:
    """Labels and stride travel in the file."""
    from nas.export.metadata import embed_metadata

    space = TabNAS((5,), 3)
    spec = space.network(space.parse("tabnas:0-1-2-x-x"))
    stream = StreamingClassifier(embed_metadata(files["stream"], make_metadata(spec, TASK, "float32")))
    assert stream.labels == TASK.class_names
    *_, last = stream.run(CLIPS[0])
    assert last == pytest.approx(expected(CLIPS[:1])[0], abs=1e-5)


class FakeKeras:
    """Counts the rows of its batches."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.input_shape, self.batches = (None, *shape), list[int]()

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        assert x.dtype == np.float32
        self.batches.append(len(x))
        return np.full((len(x), 2), 0.5, np.float32)


@pytest.mark.parametrize(("shape", "batches"), [((8, 8, 1), [256, 44]), ((16, 172, 172, 3), [11, 11, 2])])
def test_batches_of_clips_are_small(shape: tuple[int, ...], batches: list[int]) -> None:
    model, count = FakeKeras(shape), sum(batches)
    x = np.broadcast_to(np.zeros(shape, np.uint8), (count, *shape))
    assert predict_keras(model, x).shape == (count, 2)
    assert model.batches == batches


# -- from the search space to the stream -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trial of a search among small causal MoViNets, by the command line."""
    folder = tmp_path_factory.mktemp("clips")
    config = {
        "space": {"name": "movinet", "form": "stream", "input": [4, 16, 16, 1]}
        | {f"depth_{block}": 1 for block in range(1, 6)},
        "task": {"name": "moving-digits", "examples": 70},
        "evaluator": {"name": "train", "epochs": 1},
        "objectives": ["maximize accuracy", "minimize macs"],
        "budget": {"trials": 1},
    }
    (folder / "search.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert run(["search", str(folder / "search.yaml"), "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.slow
def test_a_searched_video_network_is_exported_as_its_stream(
    run_folder: Path, answer: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "net.tflite"
    exported = answer("export", run_folder, "--epochs", 1, "--precision", "int8", "--out", out)
    assert exported["parity"]["int8"]["top1_agreement"]["value"] >= 0.95
    (trained,) = (run_folder / "trained").iterdir()
    assert len(exported["architecture"]) > 255 > len(trained.name)
    card = json.loads((tmp_path / "net.json").read_text("utf-8"))
    assert card["precisions"]["int8"]["graph_equal"] is True
    assert card["precisions"]["int8"]["stream"]["states"] == len(StreamingClassifier(out).signature.states) > 0
    assert "multiply-adds a frame" in (tmp_path / "net.md").read_text("utf-8")
    task = tasks.create("moving-digits", input_shape=[4, 16, 16, 1], examples=70)
    for number, frame in enumerate(task.split("test").x[0]):
        Image.fromarray(frame[..., 0]).save(tmp_path / f"{number}.png")
    found = answer("stream", out, tmp_path, "--every", 2)
    assert [each["frame"] for each in found["answers"]] == [2, 4]
    assert found["labels"] == list(task.class_names) and found["frame_shape"] == [16, 16, 1]
    wanted = predict_litert(out, task.split("test").x[:1])[0]
    assert found["answers"][-1]["top"][0]["probability"] == pytest.approx(wanted.max(), abs=1e-6)
