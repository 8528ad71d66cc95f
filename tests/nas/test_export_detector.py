"""Exports of a small trained detector: raw heads and with the post-processing inside, and what is refused."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.tasks import create
from hardware_profiles.litert import open_interpreter
from hardware_profiles.lower import lower
from hardware_profiles.op_graph import difference
from hardware_profiles.read_tflite import read_tflite
from models.builder import build
from models.detection.annotations import Annotations
from models.detection.heads import detector_anchors
from models.detection.postprocess import Detections, PostProcessing
from models.detection.training import find, train_detector
from models.train_config import TrainConfig
from nas.cli.train import RECORD, WEIGHTS
from nas.config import parse_config
from nas.export.convert import make_converter
from nas.export.detector.convert import POST_PROCESS, check_custom_ops
from nas.export.detector.export import DetectorExport, export_detector
from nas.export.detector.parity import DEFAULT_BOUNDS, DetectorBounds, DetectorParity, compare, gate
from nas.export.detector.predict import detections_litert, heads_litert
from nas.export.metadata import read_metadata
from searchspaces.errors import InputError, NoResultError
from searchspaces.spec import NetworkSpec


@dataclass(frozen=True)
class Trained:
    task: Any
    spec: NetworkSpec
    model: keras.Model


@pytest.fixture(scope="module")
def trained(tiny_detector: Callable[..., NetworkSpec]) -> Trained:
    task = create("digits-canvas", pictures=150, input_shape=(48, 48, 1))
    spec = tiny_detector(task, filters=8)
    parts = [(split.x, split.annotations) for split in (task.split("train"), task.split("validation"))]
    config = TrainConfig(epochs=10, batch_size=16, learning_rate=1.5e-2)
    return Trained(task, spec, train_detector(spec, *parts, config, classes=10, seed=1).model)


@pytest.fixture(scope="module")
def raw(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> DetectorExport:
    out = tmp_path_factory.mktemp("raw") / "digits.tflite"
    return export_detector(
        trained.model, trained.spec, trained.task, precision="int8", also=["float32"], out=out, seed=0
    )


@pytest.fixture(scope="module")
def inside(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> DetectorExport:
    out = tmp_path_factory.mktemp("nms") / "digits.tflite"
    return export_detector(
        trained.model, trained.spec, trained.task, precision="float32", also=["int8"], out=out, seed=0, nms=True
    )


def expected(trained: Trained, x: np.ndarray) -> list[Detections]:
    return find(trained.model, x, detector_anchors(trained.spec))


# -- what is written ---------------------------------------------------------------------------------------------------


def test_raw_heads_are_the_ops_of_the_spec_and_agree(raw: DetectorExport, trained: Trained) -> None:
    for precision in ("float32", "int8"):
        graph = read_tflite(raw.files[precision].read_bytes())
        assert difference(lower(trained.spec, precision=precision), graph) is None
        parity = raw.parity[precision]
        assert parity.agreement >= DEFAULT_BOUNDS[precision].min_agreement
        assert parity.pictures == 24 and parity.compared >= 24
    assert raw.parity["float32"].max_abs_error is not None
    assert raw.parity["float32"].max_abs_error < 1e-4 < raw.parity["int8"].max_abs_error
    assert raw.parity["float32"].map_litert == pytest.approx(raw.parity["float32"].map_keras, abs=1e-6)
    assert {frozenset(values) for values in raw.test.values()} == {frozenset({"keras", "float32", "int8"})}
    for name, value in raw.test["map"].items():
        assert 0 < raw.test["map_low"][name] < value < raw.test["map_high"][name] < 1
    assert raw.test["map_50"]["keras"] > 0.03


def test_the_file_and_its_card_say_how_to_decode(raw: DetectorExport, trained: Trained) -> None:
    card, inside_file = json.loads(raw.card.read_text("utf-8")), read_metadata(raw.tflite)
    anchors = detector_anchors(trained.spec)
    for decoding in (card["detection"], inside_file["detection"]):
        np.testing.assert_array_equal(np.array(decoding["anchors"], np.float32), anchors)
        assert decoding["box_scales"] == [10, 10, 5, 5]
        assert decoding["outputs"] == ["boxes", "scores"]
        assert decoding["post_processing"]["iou_threshold"] == 0.6
    assert card["kind"] == inside_file["kind"] == "detection"
    assert [face["shape"] for face in card["precisions"]["int8"]["outputs"]] == [
        [1, len(anchors), 4],
        [1, len(anchors), 11],
    ]
    assert card["metrics"]["test"]["pictures"] == 30
    assert card["metrics"]["validation"]["map"]["keras"] == raw.parity["int8"].map_keras
    assert json.loads(json.dumps(raw.to_dict()))["test_map"] == dict(raw.test["map"])
    signature = open_interpreter(raw.tflite).get_signature_list()["serving_default"]
    assert signature == {"inputs": ["input"], "outputs": ["boxes", "scores"]}
    assert raw.labels.read_text("utf-8").split("\n")[:3] == ["0", "1", "2"]


def test_post_processing_is_the_only_custom_op_and_says_what_ours_says(
    inside: DetectorExport, trained: Trained
) -> None:
    assert inside.nms and inside.tflite.name == "digits.tflite"
    for path in inside.files.values():
        counts = read_tflite(path.read_bytes()).op_counts
        assert [kind for kind in counts if kind.startswith("CUSTOM")] == [f"CUSTOM:{POST_PROCESS}"]
        assert counts["LOGISTIC"] == 1
    assert json.loads(inside.card.read_text("utf-8"))["precisions"]["int8"]["graph_equal"] is True
    x = trained.task.split("test").x[:8]
    for ours, theirs in zip(expected(trained, x), detections_litert(inside.tflite, x), strict=True):
        assert len(ours) == len(theirs) == 100
        np.testing.assert_allclose(theirs.scores, ours.scores, atol=1e-5)
        np.testing.assert_allclose(theirs.boxes[:10], ours.boxes[:10], atol=1e-4)
        np.testing.assert_array_equal(theirs.classes[:10], ours.classes[:10])
    assert inside.parity["float32"].max_abs_error is None
    assert inside.parity["int8"].map_litert >= inside.parity["int8"].map_keras - 0.02


def run_snippet(result: DetectorExport, picture: np.ndarray) -> list[tuple[str, float, np.ndarray]]:
    """The card's snippet with a low threshold, as a reader runs it: (label, score, box) by line."""
    (code,) = re.findall(r"```python\n(.*?)```", result.readme.read_text("utf-8"), re.S)
    ast.parse(code)
    assert code.count("0.3") == 1
    folder = result.tflite.parent
    np.save(folder / "example.npy", picture)
    (folder / "run.py").write_text(code.replace("0.3", "0.02"), "utf-8")
    command = [sys.executable, "-X", "utf8", "run.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(line[0], float(line[1]), np.array(line[2:], float)) for line in lines]


@pytest.mark.parametrize("kind", ["raw", "inside"])
def test_the_card_s_snippet_finds_what_the_network_finds(
    kind: str, trained: Trained, request: pytest.FixtureRequest
) -> None:
    result: DetectorExport = request.getfixturevalue(kind)
    picture = trained.task.split("test").x[2]
    printed = run_snippet(result, picture)
    (ours,) = expected(trained, picture[np.newaxis])
    tolerance = 0.1 if result.precision == "int8" else 1e-4
    assert printed
    label, score, box = printed[0]
    assert label == str(ours.classes[0])
    assert score == pytest.approx(ours.scores[0], abs=tolerance)
    np.testing.assert_allclose(box, ours.boxes[0], atol=tolerance)
    if result.precision == "float32":
        assert len(printed) == int((ours.scores >= 0.02).sum())


# -- what is refused ---------------------------------------------------------------------------------------------------

PARITY = DetectorParity(
    precision="int8",
    pictures=20,
    compared=50,
    agreement=0.95,
    max_abs_error=0.05,
    map_keras=0.40,
    map_litert=0.39,
    map_50_keras=0.7,
    map_50_litert=0.7,
)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"agreement": 0.89}, "at least 0.9 of Keras's detections found again .* got 0.89 of 50"),
        ({"map_litert": 0.37}, "mAP at most 0.02 below Keras's 0.4 .* got 0.37"),
        ({"max_abs_error": float("nan")}, "finite boxes and scores"),
        ({"precision": "float32", "agreement": 1.0, "map_litert": 0.4, "max_abs_error": 0.002}, "within 0.001"),
    ],
)
def test_the_gate_names_bound_and_value(changed: dict[str, Any], words: str) -> None:
    gate(PARITY, DEFAULT_BOUNDS["int8"])
    parity = replace(PARITY, **changed)
    with pytest.raises(NoResultError, match=words):
        gate(parity, DEFAULT_BOUNDS[parity.precision])


def test_bounds_are_shares() -> None:
    with pytest.raises(InputError, match="bound min_agreement: expected a share"):
        DetectorBounds(min_agreement=95, max_map_drop=0.02)


def test_a_detection_is_found_again_by_class_place_and_score() -> None:
    box = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32)
    truth = Annotations.join([(box, np.array([0]), np.array([False]))])

    def agreement(boxes: np.ndarray, label: int, score: float) -> float:
        ours = Detections(boxes=box, classes=np.array([0]), scores=np.array([0.9], np.float32))
        theirs = Detections(boxes=boxes, classes=np.array([label]), scores=np.array([score], np.float32))
        return compare([ours], [theirs], truth, (32, 32), precision="int8", max_abs_error=None).agreement

    assert agreement(box, 0, 0.85) == 1
    assert agreement(box, 1, 0.9) == agreement(box, 0, 0.7) == agreement(box + np.float32(0.3), 0, 0.9) == 0


def test_a_file_that_finds_less_is_not_written(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(NoResultError, match="parity gate, int8"):
        export_detector(
            trained.model,
            trained.spec,
            trained.task,
            precision="int8",
            out=tmp_path / "f.tflite",
            seed=0,
            bounds={"int8": DetectorBounds(min_agreement=0, max_map_drop=1, max_error=1e-6)},
        )
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_together_is_refused(trained: Trained, tmp_path: Path) -> None:
    options: dict[str, Any] = {"precision": "float32", "out": tmp_path / "f.tflite", "seed": 0}
    with pytest.raises(InputError, match="expected the rescale"):
        export_detector(trained.model, replace(trained.spec, blocks=trained.spec.blocks[1:]), trained.task, **options)
    with pytest.raises(InputError, match=r"expected input \(48, 48, 1\)"):
        export_detector(trained.model, replace(trained.spec, input_shape=(64, 64, 1)), trained.task, **options)
    with pytest.raises(InputError, match="for 3 classes and background"):
        fewer = replace(trained.task, class_names=trained.task.class_names[:10])
        object.__setattr__(fewer, "class_names", ("a", "b", "c"))
        export_detector(trained.model, trained.spec, fewer, **options)
    with pytest.raises(InputError, match="float64"):
        export_detector(trained.model, trained.spec, trained.task, **options | {"precision": "float64"})
    wild = build(trained.spec)
    wild.set_weights([np.full_like(each, np.nan) for each in wild.get_weights()])
    with pytest.raises(NoResultError, match="expected finite boxes and scores"):
        export_detector(wild, trained.spec, trained.task, **options)
    assert not list(tmp_path.iterdir())


def test_the_wrong_kind_of_file_is_refused(raw: DetectorExport, inside: DetectorExport, trained: Trained) -> None:
    x = trained.task.split("test").x[:1]
    with pytest.raises(InputError, match=r"and 2 outputs, got .* and 4"):
        heads_litert(inside.tflite, x)
    with pytest.raises(InputError, match=r"and 4 outputs, got .* and 2"):
        detections_litert(raw.tflite, x)
    with pytest.raises(InputError, match=r"expected an input of shape \(1, 24, 48, 1\)"):
        heads_litert(raw.tflite, x[:, :24])


def test_with_one_custom_op_allowed_others_are_still_refused(inside: DetectorExport) -> None:
    import tensorflow as tf

    strange = tf.function(lambda x: tf.math.digamma(x)).get_concrete_function(tf.TensorSpec((1, 3)))
    converter = make_converter("float32", strange)
    converter.allow_custom_ops = True
    with pytest.raises(InputError, match="built-in operators only, got Digamma"):
        check_custom_ops(converter.convert())
    check_custom_ops(inside.tflite.read_bytes())


def test_a_detector_keeps_what_it_is_told_to_keep(trained: Trained, tmp_path: Path) -> None:
    few = PostProcessing(max_detections=3, score_threshold=0.01)
    result = export_detector(
        trained.model,
        trained.spec,
        trained.task,
        precision="float32",
        out=tmp_path / "few.tflite",
        seed=0,
        nms=True,
        post_processing=few,
    )
    found = detections_litert(result.tflite, trained.task.split("test").x[:3])
    assert all(len(each) <= 3 and (each.scores >= 0.01).all() for each in found)


# -- the command line --------------------------------------------------------------------------------------------------


def test_the_command_line_exports_detectors(
    answer: Callable[..., Any], refused: Callable[..., str], tiny_detector: Callable[..., NetworkSpec], tmp_path: Path
) -> None:
    options = {"name": "digits-canvas", "pictures": 50}
    spec = tiny_detector(create("digits-canvas", pictures=50, input_shape=(32, 32, 1)), filters=4)
    folder = tmp_path / "trained"
    folder.mkdir()
    model = build(spec)
    model.save_weights(folder / WEIGHTS)
    config = parse_config({"space": {"name": "mobiledet-ibn", "input": [32, 32, 1]}, "task": options})
    record = {"architecture": "made-up", "config": config.to_dict(), "spec": spec.to_dict()}
    (folder / RECORD).write_text(json.dumps(record), "utf-8")
    found = answer("export", folder, "--nms", "--out", tmp_path / "d.tflite")
    assert found["nms"] is True and set(found["test_map"]) == {"keras", "float32"}
    assert found["measured"]["metric"] == "latency_ms"
    assert len(detections_litert(tmp_path / "d.tflite", np.zeros((1, 32, 32, 1), np.uint8))) == 1


def test_the_command_line_asks_post_processing_of_detectors_only(
    nas: Callable[..., tuple[int, str, str]], refused: Callable[..., str], tmp_path: Path
) -> None:
    status, _, err = nas(["train", "tabnas-criteo", "--task", "iris", "--epochs", "1", "--out", tmp_path / "iris"])
    assert status == 0, err
    refused(["export", tmp_path / "iris", "--nms", "--out", tmp_path / "f.tflite"], "--nms: expected a detector")


def test_options_of_a_task_are_read_by_their_types(refused: Callable[..., str]) -> None:
    refused(
        ["train", "mobiledet-cpu", "--task", "digits-canvas,pictures=3", "--input", "64x64x1"],
        "pictures: expected a whole number from 50, got 3",
    )
    refused(["train", "mobiledet-cpu", "--task", "voc,path=nowhere"], "task.path: no such file or folder")
