"""Training as evaluation: the accuracy on validation rows that the weights never saw."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.train_config import TrainConfig
from nas.evaluators.base import Report, Request, keep_going
from nas.frameworks import load_keras
from nas.intervals import wilson_interval
from nas.task import Task
from nas.trial import Outcome
from searchspaces.errors import InputError
from searchspaces.space import SearchSpace
from searchspaces.spec import NetworkSpec

if TYPE_CHECKING:
    from models.fitting import TrainResult


def prepared(spec: NetworkSpec, task: Task) -> NetworkSpec:
    """The network as the task wants it: with its preprocessing inside, where it has any."""
    preprocessing = task.preprocessing
    if preprocessing.scale is None or preprocessing.offset is None:
        return spec
    return spec.with_rescale(preprocessing.scale, preprocessing.offset)


class TrainEvaluator:
    """Trains each network from scratch. The task it is given holds no test split.

    Args:
        space: whose architectures are asked for.
        task: data; only its training and validation splits are read.
        epochs: at most so many passes over the training split.
        batch_size: rows a step.
        learning_rate: the highest of its cosine schedule.
        weight_decay: decoupled, on matrices and kernels.
        patience: stop when so many epochs brought no better accuracy; 0 never does.
    """

    cheap = False
    metrics = ("accuracy",)

    def __init__(
        self,
        space: SearchSpace,
        task: Task,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        patience: int = 0,
    ) -> None:
        self._space, self._task = space, task
        self._config = TrainConfig(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            patience=patience,
        )

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Train them one after the other."""
        return [self._train(request) for request in requests]

    def fit(
        self,
        spec: NetworkSpec,
        *,
        seed: int,
        time_limit_s: float | None = None,
        report: Report = keep_going,
        checkpoint: Path | None = None,
    ) -> TrainResult:
        """Train one prepared network; the result holds the Keras model, ending in logits."""
        load_keras()
        from models.training import train

        training, validation = self._task.split("train"), self._task.split("validation")

        def on_epoch(epoch: int, figures: Mapping[str, float]) -> bool:
            return report(epoch, {"accuracy": figures["val_accuracy"], "loss": figures["loss"]})

        return train(
            spec,
            (training.x, training.y),
            (validation.x, validation.y),
            self._config,
            seed=seed,
            shift=self._task.augmentation.shift,
            flip=self._task.augmentation.flip,
            time_limit_s=time_limit_s,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
        )

    def _train(self, request: Request) -> Outcome:
        start = time.monotonic()
        keras = load_keras()
        spec = prepared(self._space.network(request.architecture), self._task)
        try:
            result = self.fit(
                spec,
                seed=request.seed,
                time_limit_s=request.time_limit_s,
                report=request.report,
                checkpoint=request.checkpoint,
            )
        except InputError:
            raise
        except _refusals(keras) as error:
            # One network that a framework refuses must not end the search; the log keeps its words.
            text = " ".join(str(error).split())[:300]
            return _failed(f"{type(error).__name__}: {text}", start)
        finally:
            keras.backend.clear_session()
        if result.stopped in ("nan", "time limit") or not math.isfinite(result.metrics["accuracy"]):
            reason = "loss is not a number" if result.stopped == "nan" else f"over {request.time_limit_s:g} s"
            return _failed(reason, start)
        low, high = wilson_interval(result.metrics["accuracy"], len(self._task.split("validation")))
        return Outcome(
            state="COMPLETE",
            metrics={"accuracy": result.metrics["accuracy"]},
            seconds=time.monotonic() - start,
            details={
                "epochs": result.epochs,
                "stopped": result.stopped,
                "train": asdict(self._config),
                "intervals": {"accuracy": [low, high]},
                "history": {name: [round(value, 6) for value in values] for name, values in result.history.items()},
            },
        )


def _refusals(keras: Any) -> tuple[type[Exception], ...]:
    """What a framework raises for a network it cannot train; TensorFlow has errors that are none of Python's."""
    known: tuple[type[Exception], ...] = (ValueError, RuntimeError, MemoryError, ArithmeticError)
    if keras.backend.backend() != "tensorflow":
        return known
    import tensorflow as tf

    return (*known, tf.errors.OpError)


def _failed(reason: str, start: float) -> Outcome:
    return Outcome(state="FAILED", reason=reason, seconds=time.monotonic() - start)
