"""Training one network: a Keras fit with a time limit, early stop, NaN caught and a checkpoint every epoch."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.batches import Batches
from models.builder import build
from models.optimizer import FlatAdamW
from models.train_config import TrainConfig
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec

_EVALUATION_BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a training came to; `stopped` is done, patience, time limit, nan or caller."""

    model: keras.Model = field(repr=False)
    accuracy: float
    epochs: int
    seconds: float
    stopped: str
    history: Mapping[str, list[float]]


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
    """Train a network for classification; accuracy is that of the best epoch on the validation rows.

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
    """
    start = time.monotonic()
    model = compiled(spec.without_softmax(), config, rows=len(training[0]), seed=seed)
    watch = _Watch(start, time_limit_s, on_epoch)
    callbacks: list[keras.callbacks.Callback] = [watch]
    best = _BestWeights(config.patience)
    callbacks.append(best)
    first_epoch, backup = 0, None
    if checkpoint is not None:
        backup = _Backup(checkpoint, best)
        callbacks.append(backup)
        first_epoch = backup.restore(model)
    batches = Batches(
        *training, batch_size=config.batch_size, seed=seed, shift=shift, flip=flip, first_epoch=first_epoch
    )
    held_out = (validation[0].astype(np.float32), validation[1])
    history = model.fit(
        batches,
        validation_data=held_out,
        validation_batch_size=min(_EVALUATION_BATCH, len(held_out[0])),
        epochs=first_epoch if best.out_of_patience else config.epochs,
        initial_epoch=first_epoch,
        callbacks=callbacks,
        # Keras would shuffle the order of batches once more, from Python's global generator.
        shuffle=False,
        verbose=0,
    )
    best.restore(model)
    epochs = first_epoch + len(history.epoch)
    early = best.out_of_patience and epochs < config.epochs
    figures = history.history if backup is None else backup.history
    return TrainResult(
        model=model,
        accuracy=best.accuracy,
        epochs=epochs,
        seconds=time.monotonic() - start,
        stopped=watch.stopped or ("patience" if early else "done"),
        history={name: [float(value) for value in values] for name, values in figures.items()},
    )


def compiled(spec: NetworkSpec, config: TrainConfig, *, rows: int, seed: int) -> keras.Model:
    """The network with loss, metric and optimiser, ready to fit `rows` rows an epoch."""
    model = build(spec, seed=seed, batch_norm_momentum=0.9)
    steps = config.epochs * max(1, rows // min(config.batch_size, rows))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 50,
        decay_steps=max(1, int(steps * (1 - config.warmup))),
        warmup_target=config.learning_rate,
        warmup_steps=int(steps * config.warmup),
    )
    optimizer = FlatAdamW(schedule, decay=config.weight_decay)
    # Variables made beforehand spare Keras a second tracing of the whole step.
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer,
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


class _Watch(keras.callbacks.Callback):
    """Ends a training on NaN, at the time limit, or when the caller says so."""

    def __init__(
        self,
        start: float,
        time_limit_s: float | None,
        on_epoch: Callable[[int, Mapping[str, float]], bool] | None,
    ) -> None:
        super().__init__()
        self._start, self._limit, self._on_epoch = start, time_limit_s, on_epoch
        self.stopped = ""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self._stop("nan")
        elif self._limit is not None and time.monotonic() - self._start > self._limit:
            self._stop("time limit")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if self._on_epoch is None or self.stopped:
            return
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not self._on_epoch(epoch + 1, figures):
            self._stop("caller")

    def _stop(self, reason: str) -> None:
        self.stopped = self.stopped or reason
        self.model.stop_training = True


class _BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the highest validation accuracy; later epochs win ties.

    After `patience` epochs in a row that brought no higher one it ends the training; 0 never does.
    """

    def __init__(self, patience: int) -> None:
        super().__init__()
        self._patience = patience
        self.accuracy, self.waited = 0.0, 0
        self.weights: list[NDArray[Any]] | None = None

    @property
    def out_of_patience(self) -> bool:
        """Whether the training has gone without a better epoch for too long."""
        return bool(self._patience) and self.waited >= self._patience

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        accuracy = float((logs or {}).get("val_accuracy", 0.0))
        self.waited = 0 if self.weights is None or accuracy > self.accuracy else self.waited + 1
        if self.weights is None or accuracy >= self.accuracy:
            self.accuracy, self.weights = accuracy, self.model.get_weights()
        if self.out_of_patience:
            self.model.stop_training = True

    def restore(self, model: keras.Model) -> None:
        if self.weights is not None:
            model.set_weights(self.weights)


class _Backup(keras.callbacks.Callback):
    """Writes everything a training needs to go on, after each epoch, replacing the file in one step."""

    def __init__(self, folder: Path, best: _BestWeights) -> None:
        super().__init__()
        self._file, self._best = folder / "training.npz", best
        self.history: dict[str, list[float]] = {}

    def restore(self, model: keras.Model) -> int:
        """Load the last epoch's state, if there is one; returns the number of the next epoch."""
        if not self._file.exists():
            return 0
        try:
            with self._file.open("rb") as stream, np.load(stream, allow_pickle=False) as saved:
                return self._restored(model, saved)
        except InputError:
            raise
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{self._file}: expected the checkpoint of this training, got something else ({error}); "
                "remove the file to start again, or give another --out folder."
            ) from error

    def _restored(self, model: keras.Model, saved: Mapping[str, NDArray[Any]]) -> int:
        variables = [*model.variables, *model.optimizer.variables]
        if int(saved["count"]) != len(variables):
            raise InputError(
                f"{self._file}: expected the checkpoint of this network with {len(variables)} arrays, "
                f"got {int(saved['count'])}; give another --out folder."
            )
        for index, variable in enumerate(variables):
            variable.assign(saved[f"v{index}"])
        self._best.weights = [saved[f"b{index}"] for index in range(len(model.get_weights()))]
        self._best.accuracy, self._best.waited = float(saved["accuracy"]), int(saved["waited"])
        self.history = {name[1:]: saved[name].tolist() for name in saved if name.startswith("h")}
        return int(saved["epoch"])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        variables = [*self.model.variables, *self.model.optimizer.variables]
        arrays = {f"v{index}": np.asarray(variable.value) for index, variable in enumerate(variables)}
        arrays.update({f"b{index}": value for index, value in enumerate(self._best.weights or [])})
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
            arrays[f"h{name}"] = np.array(self.history[name])
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".tmp.npz")
        with temporary.open("wb") as stream:
            best = {"accuracy": self._best.accuracy, "waited": self._best.waited}
            np.savez(stream, epoch=epoch + 1, count=len(variables), **best, **arrays)
        temporary.replace(self._file)
