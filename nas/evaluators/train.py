"""Training as evaluation: accuracy, or mean average precision, on validation examples that the weights never saw."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.train_config import TrainConfig
from nas.detection_task import DetectionSplit, DetectionTask
from nas.evaluators.base import Report, Request, keep_going
from nas.frameworks import load_keras
from nas.intervals import wilson_interval
from nas.metrics import is_detection, trained_metrics
from nas.task import Split, Task, TaskDescription
from nas.trial import Outcome
from searchspaces.errors import InputError
from searchspaces.space import SearchSpace
from searchspaces.spec import NetworkSpec

if TYPE_CHECKING:
    from models.fitting import TrainResult


def prepared(spec: NetworkSpec, task: TaskDescription) -> NetworkSpec:
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
        patience: stop when so many epochs brought no better metric; 0 never does.

    Raises:
        MissingError: a detection task, and no tool that finds its metric.
    """

    cheap = False

    def __init__(
        self,
        space: SearchSpace,
        task: Task | DetectionTask,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        patience: int = 0,
    ) -> None:
        self._space, self._task = space, task
        self.metrics = trained_metrics(task)
        if is_detection(task):
            from models.detection.mean_ap import check_tools

            check_tools()
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
        """Train one prepared network; the result holds the Keras model, a classifier's ending in logits."""
        load_keras()

        def on_epoch(epoch: int, figures: Mapping[str, float]) -> bool:
            return report(epoch, {"loss": figures["loss"], **{name: figures[f"val_{name}"] for name in self.metrics}})

        shared: dict[str, Any] = {
            "seed": seed,
            "time_limit_s": time_limit_s,
            "on_epoch": on_epoch,
            "checkpoint": checkpoint,
            **asdict(self._task.augmentation),
        }
        match self._task.split("train"), self._task.split("validation"):
            case Split() as training, Split() as validation:
                from models.training import train

                return train(spec, (training.x, training.y), (validation.x, validation.y), self._config, **shared)
            case DetectionSplit() as pictures, DetectionSplit() as unseen:
                from models.detection.training import train_detector

                return train_detector(
                    spec,
                    (pictures.x, pictures.annotations),
                    (unseen.x, unseen.annotations),
                    self._config,
                    classes=len(self._task.class_names),
                    **shared,
                )
        raise InputError(f"task {self._task.name}: expected splits of one kind, got several; mend the task.")

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
        metrics = {name: result.metrics[name] for name in self.metrics if name in result.metrics}
        if result.stopped in ("nan", "time limit") or not all(map(math.isfinite, metrics.values())):
            reason = "loss is not a number" if result.stopped == "nan" else f"over {request.time_limit_s:g} s"
            return _failed(reason, start)
        return Outcome(
            state="COMPLETE",
            metrics=metrics,
            seconds=time.monotonic() - start,
            details={
                "epochs": result.epochs,
                "stopped": result.stopped,
                "train": asdict(self._config),
                "intervals": self._intervals(metrics),
                "history": {name: [round(value, 6) for value in values] for name, values in result.history.items()},
            },
        )

    def _intervals(self, metrics: Mapping[str, float]) -> dict[str, list[float]]:
        """Of accuracy, which is a share of examples; mean average precision is none."""
        examples = len(self._task.split("validation"))
        return {name: list(wilson_interval(value, examples)) for name, value in metrics.items() if name == "accuracy"}


def _refusals(keras: Any) -> tuple[type[Exception], ...]:
    """What a framework raises for a network it cannot train; TensorFlow has errors that are none of Python's."""
    known: tuple[type[Exception], ...] = (ValueError, RuntimeError, MemoryError, ArithmeticError)
    if keras.backend.backend() != "tensorflow":
        return known
    import tensorflow as tf

    return (*known, tf.errors.OpError)


def _failed(reason: str, start: float) -> Outcome:
    return Outcome(state="FAILED", reason=reason, seconds=time.monotonic() - start)
