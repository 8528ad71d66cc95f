"""Training one detector, and what it finds in pictures; the fit itself is `models.fitting`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.batch_size import rows_at_once
from models.builder import build
from models.detection.annotations import Annotations
from models.detection.batches import DetectionBatches
from models.detection.heads import BOXES, SCORES, check_detector, detector_anchors, set_class_bias
from models.detection.losses import FocalLoss, SmoothL1Loss
from models.detection.mean_ap import mean_ap
from models.detection.postprocess import Detections, PostProcessing, detect
from models.fitting import TrainResult, fit, optimizer
from models.train_config import TrainConfig
from searchspaces.spec import NetworkSpec

_BATCH = 64


def train_detector(
    spec: NetworkSpec,
    training: tuple[NDArray[np.uint8], Annotations],
    validation: tuple[NDArray[np.uint8], Annotations],
    config: TrainConfig,
    *,
    classes: int,
    seed: int = 0,
    flip: bool = False,
    crop: bool = False,
    time_limit_s: float | None = None,
    on_epoch: Callable[[int, Mapping[str, float]], bool] | None = None,
    checkpoint: Path | None = None,
) -> TrainResult:
    """Train a detector; its metrics are COCO's `map` and `map_50` on the validation pictures, of the epoch best in map.

    Args:
        spec: a network with the outputs `boxes` and `scores`.
        training: pictures ``[count, *input_shape]`` and their boxes.
        validation: pictures the weights never see.
        classes: without background.
        seed: of the weights, shuffling and augmentation.
        flip: mirror pictures at random.
        crop: cut out parts of them as SSD does.
        time_limit_s, on_epoch, checkpoint: as in `models.training.train`.
    """
    start = time.monotonic()
    check_detector(spec, classes)
    anchors = detector_anchors(spec)
    model = compiled(spec, config, rows=len(training[0]), seed=seed)
    height, width = spec.input_shape[:2]

    def measure(model: keras.Model) -> Mapping[str, float]:
        found = mean_ap(validation[1], find(model, validation[0], anchors), (height, width))
        return {"map": found.map, "map_50": found.map_50}

    return fit(
        model,
        DetectionBatches(*training, anchors, batch_size=config.batch_size, seed=seed, flip=flip, crop=crop),
        config,
        score="map",
        measure=measure,
        start=start,
        time_limit_s=time_limit_s,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )


def compiled(spec: NetworkSpec, config: TrainConfig, *, rows: int, seed: int) -> keras.Model:
    """The network with its two losses and the optimiser, ready to fit `rows` pictures an epoch."""
    model = build(spec, seed=seed, batch_norm_momentum=0.9)
    set_class_bias(model, spec)
    model.compile(optimizer(model, config, rows=rows), {BOXES: SmoothL1Loss(), SCORES: FocalLoss()}, jit_compile=False)
    return model


def find(
    model: keras.Model, x: NDArray[np.uint8], anchors: NDArray[np.float32], config: PostProcessing | None = None
) -> list[Detections]:
    """The detections in each of the pictures [N, H, W, C]."""
    codes, logits = heads(model, x)
    return [detect(*pair, anchors, config) for pair in zip(codes, logits, strict=True)]


def heads(model: keras.Model, x: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the network says of pictures [N, H, W, C]: box codes [N, A, 4] and class logits [N, A, classes + 1]."""
    size = rows_at_once(x.shape[1:], most=_BATCH)
    chunks = [model.predict_on_batch(x[start : start + size].astype(np.float32)) for start in range(0, len(x), size)]
    boxes, scores = (np.concatenate([np.asarray(chunk[name]) for chunk in chunks]) for name in (BOXES, SCORES))
    return boxes, scores
