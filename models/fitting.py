"""One fit for every kind of training: a time limit, early stop, NaN caught and a checkpoint every epoch."""

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

from models.batches import SeededBatches
from models.optimizer import FlatAdamW
from models.train_config import TrainConfig
from searchspaces.errors import InputError

Measure = Callable[[keras.Model], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a training came to; `stopped` is done, patience, time limit, nan or caller.

    metrics: of the best epoch on the validation examples, by name.  history: every figure, epoch by epoch; those of the
    validation examples begin with ``val_``.
    """

    model: keras.Model = field(repr=False)
    metrics: Mapping[str, float]
    epochs: int
    seconds: float
    stopped: str
    history: Mapping[str, list[float]]


def fit(
    model: keras.Model,
    batches: SeededBatches,
    config: TrainConfig,
    *,
    score: str,
    validation: tuple[Any, Any] | None = None,
    validation_batch: int | None = None,
    measure: Measure | None = None,
    start: float,
    time_limit_s: float | None = None,
    on_epoch: Callable[[int, Mapping[str, float]], bool] | None = None,
    checkpoint: Path | None = None,
) -> TrainResult:
    """Fit a compiled model; it ends with the weights of its best epoch.

    Args:
        batches: of training examples; an interrupted training goes on with those of its next epoch.
        score: the validation metric that says which epoch is best, the more the better.
        validation: examples and targets for the metrics that the model was compiled with.
        validation_batch: how many of them at once.
        measure: finds further validation metrics after each epoch, by name.
        start: when the work began (`time.monotonic`), from which the time limit counts.
        time_limit_s, on_epoch, checkpoint: as in `models.training.train`.
    """
    watch = _Watch(start, time_limit_s, on_epoch)
    best = _BestWeights(f"val_{score}", config.patience)
    callbacks: list[keras.callbacks.Callback] = [] if measure is None else [_Measured(measure)]
    callbacks += [watch, best]
    first_epoch, backup = 0, None
    if checkpoint is not None:
        backup = _Backup(checkpoint, best)
        callbacks.append(backup)
        first_epoch = backup.restore(model)
    batches.begin(first_epoch)
    fitted = model.fit(
        batches,
        validation_data=validation,
        validation_batch_size=validation_batch,
        epochs=first_epoch if best.out_of_patience else config.epochs,
        initial_epoch=first_epoch,
        callbacks=callbacks,
        # Keras would shuffle the order of batches once more, from Python's global generator.
        shuffle=False,
        verbose=0,
    )
    best.restore(model)
    epochs = first_epoch + len(fitted.epoch)
    early = best.out_of_patience and epochs < config.epochs
    history = {
        name: [float(value) for value in values]
        for name, values in (fitted.history if backup is None else backup.history).items()
    }
    return TrainResult(
        model=model,
        metrics=_best_figures(history, f"val_{score}"),
        epochs=epochs,
        seconds=time.monotonic() - start,
        stopped=watch.stopped or ("patience" if early else "done"),
        history=history,
    )


def optimizer(model: keras.Model, config: TrainConfig, *, rows: int) -> keras.optimizers.Optimizer:
    """AdamW whose learning rate rises and falls over the steps that `rows` examples an epoch make."""
    steps = config.epochs * max(1, rows // min(config.batch_size, rows))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 50,
        decay_steps=max(1, int(steps * (1 - config.warmup))),
        warmup_target=config.learning_rate,
        warmup_steps=int(steps * config.warmup),
    )
    made = FlatAdamW(schedule, decay=config.weight_decay)
    # Variables made beforehand spare Keras a second tracing of the whole step.
    made.build(model.trainable_variables)
    return made


def _best_figures(history: Mapping[str, list[float]], score: str) -> dict[str, float]:
    """The validation metrics of the epoch whose weights are kept: the last of those with the highest score."""
    scores = history.get(score, [])
    if not scores:
        return {}
    best = max(range(len(scores)), key=lambda epoch: (scores[epoch], epoch))
    return {name[4:]: values[best] for name, values in history.items() if name.startswith("val_")}


class _Measured(keras.callbacks.Callback):
    """Adds what `measure` finds to the epoch's figures, for the callbacks after it and for the history."""

    def __init__(self, measure: Measure) -> None:
        super().__init__()
        self._measure = measure

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None:
            logs.update({f"val_{name}": float(value) for name, value in self._measure(self.model).items()})


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
    """Keeps the weights of the epoch with the highest score; later epochs win ties.

    After `patience` epochs in a row that brought no higher one it ends the training; 0 never does.
    """

    def __init__(self, metric: str, patience: int) -> None:
        super().__init__()
        self._metric, self._patience = metric, patience
        self.score, self.waited = 0.0, 0
        self.weights: list[NDArray[Any]] | None = None

    @property
    def out_of_patience(self) -> bool:
        """Whether the training has gone without a better epoch for too long."""
        return bool(self._patience) and self.waited >= self._patience

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        score = float((logs or {}).get(self._metric, 0.0))
        self.waited = 0 if self.weights is None or score > self.score else self.waited + 1
        if self.weights is None or score >= self.score:
            self.score, self.weights = score, self.model.get_weights()
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
        self._best.score, self._best.waited = float(saved["score"]), int(saved["waited"])
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
            best = {"score": self._best.score, "waited": self._best.waited}
            np.savez(stream, epoch=epoch + 1, count=len(variables), **best, **arrays)
        temporary.replace(self._file)
