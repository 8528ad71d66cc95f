"""Training one classifier: its loss, its metric and its batches; the fit itself is `models.fitting`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.batch_size import rows_at_once
from models.batches import Batches
from models.builder import build
from models.fitting import TrainResult, fit, optimizer
from models.train_config import TrainConfig
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec

_EVALUATION_BATCH = 512


def train(
    spec: NetworkSpec,
    training: tuple[NDArray[np.generic], NDArray[np.int64]],
    validation: tuple[NDArray[np.generic], NDArray[np.int64]],
    config: TrainConfig,
    *,
    seed: int = 0,
    shift: int = 0,
    flip: bool = False,
    time_limit_s: float | None = None,
    on_epoch: Callable[[int, Mapping[str, float]], bool] | None = None,
    checkpoint: Path | None = None,
) -> TrainResult:
    """Train a network for classification; its metric is the accuracy of the best epoch on the validation rows.

    Args:
        spec: the network, ending in class probabilities; it is trained on its logits.
        training: rows ``[count, *input_shape]`` and labels ``[count]``.
        validation: rows the weights never see.
        seed: of the weights, dropout, shuffling and augmentation.
        shift: largest random translation of images in pixels.
        flip: mirror images at random.
        time_limit_s: stop after this long, at the end of a batch.
        on_epoch: called with the epoch's number and figures; a False ends the training.
        checkpoint: folder in which an interrupted training goes on where its last epoch ended.

    Raises:
        InputError: the network has several outputs.
    """
    start = time.monotonic()
    if len(spec.output_shapes) != 1:
        raise InputError(
            f"network {spec.name}: expected one output to train a classifier, got {', '.join(spec.output_shapes)}; "
            "detectors learn from detection tasks."
        )
    model = compiled(spec.without_softmax(), config, rows=len(training[0]), seed=seed)
    return fit(
        model,
        Batches(*training, batch_size=config.batch_size, seed=seed, shift=shift, flip=flip),
        config,
        score="accuracy",
        validation=validation,  # As bytes: Keras casts batch by batch, and clips as floats would fill the memory.
        validation_batch=min(rows_at_once(spec.input_shape, most=_EVALUATION_BATCH), len(validation[0])),
        start=start,
        time_limit_s=time_limit_s,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )


def compiled(spec: NetworkSpec, config: TrainConfig, *, rows: int, seed: int) -> keras.Model:
    """The network with loss, metric and optimiser, ready to fit `rows` rows an epoch."""
    model = build(spec, seed=seed, batch_norm_momentum=0.9)
    model.compile(
        optimizer(model, config, rows=rows),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,
    )
    return model


def with_probabilities(spec: NetworkSpec, trained: keras.Model) -> keras.Model:
    """The whole network, softmax included, with the weights of one trained on its logits."""
    model = build(spec)
    model.set_weights(trained.get_weights())
    return model
