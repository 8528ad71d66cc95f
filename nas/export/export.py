"""`export`: a trained network in, a checked .tflite file with its papers out, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.cost import Cost
from nas.export.calibration import representative_rows
from nas.export.candidate import Candidate, make_candidate
from nas.export.card import make_card, make_metadata
from nas.export.convert import Precision
from nas.export.exported import Exported, checked_precisions, exported, file_name, papers
from nas.export.parity import DEFAULT_BOUNDS, Bounds, Parity, accuracy
from nas.export.predict import predict_keras, predict_litert
from nas.export.publish import check_out, publish, staging_folder, write_staged
from nas.task import Preprocessing, Task, TaskDescription
from searchspaces.blocks import RescaleBlock
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec

Measure = Callable[[Path], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult(Exported):
    """What was written, and the figures that let it through.

    test_accuracy: of `keras` and of every precision.
    """

    parity: Mapping[Precision, Parity]
    test_accuracy: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            **Exported.to_dict(self),
            "parity": {precision: parity.to_dict() for precision, parity in self.parity.items()},
            "test_accuracy": dict(self.test_accuracy),
        }


def export(
    model: Any,
    spec: NetworkSpec,
    task: Task,
    *,
    precision: Precision,
    out: Path,
    seed: int,
    promised: Sequence[Mapping[str, Any]] = (),
    measure: Measure | None = None,
    calibration_examples: int = 256,
    bounds: Mapping[Precision, Bounds] = DEFAULT_BOUNDS,
    also: Sequence[Precision] = (),
) -> ExportResult:
    """Convert a trained network, check it on held-out examples, and write it with labels and cards.

    A causal network for clips is written as the stream it can run as, and held to what it says of whole clips. The gate
    runs on the validation split; the test split is read once, after every precision has passed.

    Args:
        model: Keras, built from `spec` and trained; raw input to probabilities.
        spec: the network, with the task's rescale as its first block where the task has one.
        precision: of `out`.
        out: path of the .tflite; its papers go beside it, files of `also` as `F-int8.tflite` and so on.
        seed: of the choice of calibration examples.
        promised: cost records (`Cost.to_dict`) the search decided on, for the card.
        measure: gives the cost record of a .tflite file, such as a target's `cost_of_file`.
        calibration_examples: how many training examples int8 looks at, balanced over the classes.
        bounds: of the gate, where they differ from the default ones.
        also: further precisions.

    Raises:
        InputError: the arguments do not fit together, or `out` cannot be written.
        NoResultError: the gate or the converter refused, or the disk is full. Nothing is left behind.
        MissingError: no runtime, or Keras runs on another backend.
    """
    precisions = checked_precisions(precision, also)
    check_out(out)
    _check_fit(spec, task)
    promises = [Cost.from_dict(cost).to_dict() for cost in promised]
    with staging_folder(out) as stage:
        calibration = _calibration(task, calibration_examples, seed) if "int8" in precisions else None
        candidates = _candidates(model, spec, task, precisions, out=out, calibration=calibration, bounds=bounds)
        files = {candidate.file: candidate.tflite for candidate in candidates}
        write_staged(stage, files)
        measured = Cost.from_dict(measure(stage / out.name)).to_dict() if measure else None
        test_accuracy, test_examples = _test(model, task, candidates)
        card = make_card(
            spec,
            task,
            candidates,
            test_accuracy=test_accuracy,
            test_examples=test_examples,
            promised=promises,
            measured=measured,
            seed=seed,
            calibration_examples=0 if calibration is None else len(calibration),
        )
        written = papers(card, out, task.class_names)
        write_staged(stage, written)
        publish(stage, out.parent, (*written, *files))
    return ExportResult(
        **exported(out, spec, candidates, measured),
        parity={candidate.precision: candidate.parity for candidate in candidates},
        test_accuracy=test_accuracy,
    )


def _check_fit(spec: NetworkSpec, task: Task) -> None:
    """Spec and task belong together: input, classes, and the rescale inside the network."""
    if spec.input_shape != tuple(task.input_shape):
        raise InputError(
            f"spec {spec.name}: expected input {tuple(task.input_shape)} of task {task.name}, got {spec.input_shape}; "
            "build the network for this task."
        )
    outputs, classes = spec.output_shape, len(task.class_names)
    if outputs != (classes,) and not (outputs == (1,) and classes == 2):
        raise InputError(
            f"spec {spec.name}: expected {classes} outputs, the classes of task {task.name}, got {outputs}; "
            "build the network for this task."
        )
    check_rescale(spec, task)


def check_rescale(spec: NetworkSpec, task: TaskDescription) -> None:
    """Raise InputError unless the task's rescale is the network's first block."""
    first = spec.blocks[0]
    got = (first.scale, first.offset) if isinstance(first, RescaleBlock) else None
    expected = _rescale(task.preprocessing)
    if got != expected:
        raise InputError(
            f"spec {spec.name}: expected the rescale {expected or 'none'} of task {task.name} inside the network, "
            f"got {got or 'none'}; use spec.with_rescale(task.preprocessing.scale, task.preprocessing.offset)."
        )


def _rescale(steps: Preprocessing) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    return None if steps.scale is None or steps.offset is None else (tuple(steps.scale), tuple(steps.offset))


def _calibration(task: Task, count: int, seed: int) -> NDArray[Any]:
    train = task.split("train")
    return train.x[representative_rows(train.y, count, np.random.default_rng(seed))]


def _candidates(
    model: Any,
    spec: NetworkSpec,
    task: Task,
    precisions: Sequence[Precision],
    *,
    out: Path,
    calibration: NDArray[Any] | None,
    bounds: Mapping[Precision, Bounds],
) -> list[Candidate]:
    """Every precision, converted and through the gate on the validation split; the first takes the name of `out`."""
    held_out = task.split("validation")
    keras = predict_keras(model, held_out.x)
    return [
        make_candidate(
            model,
            spec,
            precision=precision,
            file=file_name(out, precision, precisions[0]),
            metadata=make_metadata(spec, task, precision),
            held_out=held_out,
            keras=keras,
            calibration=calibration if precision == "int8" else None,
            bounds=bounds.get(precision, DEFAULT_BOUNDS[precision]),
        )
        for precision in precisions
    ]


def _test(model: Any, task: Task, candidates: Sequence[Candidate]) -> tuple[dict[str, float], int]:
    """Accuracy on the test split, which is read here and nowhere else."""
    test = task.split("test")
    found = {"keras": accuracy(predict_keras(model, test.x), test.y)}
    for candidate in candidates:
        found[candidate.precision] = accuracy(predict_litert(candidate.tflite, test.x), test.y)
    return found, len(test)
