"""Detectors: what a network's graph says of its heads, and that the whole chain learns, stops and goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks import tasks
from models.builder import build
from models.detection.anchors import AnchorConfig
from models.detection.heads import check_detector, detector_anchors, set_class_bias
from models.detection.mean_ap import mean_ap
from models.detection.postprocess import probabilities
from models.detection.training import find, heads, train_detector
from models.fitting import TrainResult
from models.train_config import TrainConfig
from nas.detection_task import DetectionTask
from searchspaces.blocks import SSDLiteHead
from searchspaces.catalog import named_network
from searchspaces.detection import head_nodes
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec

Make = Callable[..., NetworkSpec]
CONFIG = TrainConfig(epochs=8, batch_size=16, learning_rate=1.5e-2)
SHORT = replace(CONFIG, epochs=2)


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    yield
    keras.backend.clear_session()


@pytest.fixture(scope="module")
def task() -> DetectionTask:
    return tasks.create("digits-canvas", pictures=200, input_shape=(48, 48, 1))


@pytest.fixture(scope="module")
def small() -> DetectionTask:
    return tasks.create("digits-canvas", pictures=50, input_shape=(32, 32, 1))


def trained(task: DetectionTask, spec: NetworkSpec, config: TrainConfig, **options: Any) -> TrainResult:
    parts = [(split.x, split.annotations) for split in (task.split("train"), task.split("validation"))]
    return train_detector(spec, *parts, config, classes=len(task.class_names), **({"seed": 1} | options))


# -- heads -------------------------------------------------------------------------------------------------------------


def test_a_published_detector_has_the_published_anchors() -> None:
    spec = named_network("mobiledet-cpu").spec
    check_detector(spec, 90)
    anchors = detector_anchors(spec)
    assert anchors.shape == (2034, 4)
    assert [node.shape[:2] for node in head_nodes(spec, "boxes")] == [(side, side) for side in (20, 10, 5, 3, 2, 1)]
    assert [node.shape[2] for node in head_nodes(spec, "scores")] == [91 * count for count in (3, 6, 6, 6, 6, 6)]


def test_what_is_no_detector_is_refused(small: DetectionTask, tiny_detector: Make) -> None:
    spec = tiny_detector(small)
    with pytest.raises(InputError, match=r"scores \[anchors, 8\] for 7 classes and background, got"):
        check_detector(spec, 7)
    with pytest.raises(InputError, match="expected an output masks, got boxes, scores"):
        head_nodes(spec, "masks")
    with pytest.raises(InputError, match="expected a detector with outputs"):
        check_detector(named_network("bignas-min").spec, 10)
    head = SSDLiteHead(maps=("c4", "c5"), anchors=(6, 6), classes=10)
    with pytest.raises(InputError, match=r"expected \(3, 6\) anchors a place on its 2 maps, got \(6, 6\)"):
        detector_anchors(replace(spec, blocks=(*spec.blocks[:-1], head)))
    assert len(detector_anchors(spec, AnchorConfig(min_scale=0.3))) == len(detector_anchors(spec))


def test_a_fresh_detector_sees_background_everywhere(small: DetectionTask, tiny_detector: Make) -> None:
    spec = tiny_detector(small)
    model = build(spec)
    set_class_bias(model, spec)
    biases = [model.get_layer(node.name).bias.numpy().reshape(-1, 11) for node in head_nodes(spec, "scores")]
    for bias in biases:
        np.testing.assert_allclose(probabilities(bias)[:, 0], 0.99, atol=1e-3)
        np.testing.assert_allclose(probabilities(bias)[:, 1:], 0.01, atol=1e-3)


# -- training ----------------------------------------------------------------------------------------------------------


def test_it_learns(task: DetectionTask, tiny_detector: Make) -> None:
    spec, validation = tiny_detector(task), task.split("validation")
    result = trained(task, spec, CONFIG)
    anchors = detector_anchors(spec)
    untrained = mean_ap(validation.annotations, find(build(spec), validation.x, anchors), (48, 48))
    again = mean_ap(validation.annotations, find(result.model, validation.x, anchors), (48, 48))
    assert untrained.map < 0.01
    assert result.metrics["map"] > 0.05 and result.metrics["map_50"] > 0.10
    assert result.metrics["map"] == max(result.history["val_map"]) == pytest.approx(again.map, abs=1e-6)
    assert result.history["loss"][-1] < 0.3 * result.history["loss"][0]
    assert (result.epochs, result.stopped) == (8, "done")


def test_a_stopped_training_goes_on_as_if_it_had_not_been(
    small: DetectionTask, tiny_detector: Make, tmp_path: Path
) -> None:
    spec = tiny_detector(small, filters=4)
    options: dict[str, Any] = {"flip": True, "crop": True}
    whole = trained(small, spec, SHORT, **options)
    cut = trained(small, spec, SHORT, **options, checkpoint=tmp_path, on_epoch=lambda epoch, figures: False)
    assert (cut.epochs, cut.stopped) == (1, "caller")
    on = trained(small, spec, SHORT, **options, checkpoint=tmp_path)
    assert on.metrics == whole.metrics and on.history == whole.history
    for one, two in zip(on.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_limits_are_kept(small: DetectionTask, tiny_detector: Make) -> None:
    spec = tiny_detector(small, filters=4)
    late = trained(small, spec, CONFIG, time_limit_s=0.0)
    assert (late.stopped, late.epochs) == ("time limit", 1)
    wild = trained(small, spec, replace(SHORT, learning_rate=1e30))
    assert wild.stopped == "nan"
    assert np.isfinite(wild.metrics["map"])


def test_heads_are_the_same_in_batches_of_any_size(small: DetectionTask, tiny_detector: Make) -> None:
    spec = tiny_detector(small, filters=4)
    x = np.tile(small.split("train").x, (3, 1, 1, 1))
    model = build(spec)
    boxes, scores = heads(model, x)
    assert boxes.shape == (len(x), 4 * 4 * 3 + 2 * 2 * 6, 4) and scores.shape == (*boxes.shape[:2], 11)
    np.testing.assert_allclose(heads(model, x[:1])[0], boxes[:1], atol=1e-5)
