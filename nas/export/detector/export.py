"""`export_detector`: a trained detector in, a checked .tflite file with its papers out, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.cost import Cost
from hardware_profiles.op_graph import OpGraph
from hardware_profiles.read_tflite import read_tflite
from models.detection.annotations import Annotations
from models.detection.heads import check_detector, detector_anchors
from models.detection.mean_ap import map_interval, mean_ap
from models.detection.postprocess import Detections, PostProcessing, detect
from nas.detection_task import DetectionSplit, DetectionTask
from nas.export.calibration import representative_rows
from nas.export.candidate import check_graph
from nas.export.convert import Precision
from nas.export.detector.card import TEMPLATE, make_card, make_metadata
from nas.export.detector.convert import POST_PROCESS, convert_detector
from nas.export.detector.parity import DEFAULT_BOUNDS, DetectorBounds, DetectorParity, compare, gate, largest_error
from nas.export.detector.predict import detections_litert, heads_litert
from nas.export.export import check_rescale
from nas.export.exported import Exported, checked_precisions, exported, file_name, papers
from nas.export.metadata import embed_metadata
from nas.export.publish import check_out, publish, staging_folder, write_staged
from searchspaces.errors import InputError, NoResultError
from searchspaces.spec import NetworkSpec

Measure = Callable[[Path], Mapping[str, Any]]
Worth = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFile:
    """A .tflite file that passed everything but is not written yet."""

    precision: Precision
    file: str
    tflite: bytes
    graph: OpGraph
    graph_equal: bool | None
    parity: DetectorParity
    bounds: DetectorBounds


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorExport(Exported):
    """What was written, and the figures that let it through.

    nms: whether the files hold the post-processing.  test: `map`, the ends `map_low` and `map_high` of its 95 %
    interval, and `map_50`, each of `keras` and every precision.
    """

    nms: bool
    parity: Mapping[Precision, DetectorParity]
    test: Worth

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            **Exported.to_dict(self),
            "nms": self.nms,
            "parity": {precision: parity.to_dict() for precision, parity in self.parity.items()},
            **{f"test_{metric}": dict(values) for metric, values in self.test.items()},
        }


def export_detector(
    model: Any,
    spec: NetworkSpec,
    task: DetectionTask,
    *,
    precision: Precision,
    out: Path,
    seed: int,
    nms: bool = False,
    post_processing: PostProcessing | None = None,
    promised: Sequence[Mapping[str, Any]] = (),
    measure: Measure | None = None,
    calibration_examples: int = 256,
    bounds: Mapping[Precision, DetectorBounds] = DEFAULT_BOUNDS,
    also: Sequence[Precision] = (),
) -> DetectorExport:
    """Convert a trained detector, check it on held-out pictures, and write it with labels and cards.

    The gate runs on the validation split; the test split is read once, after every precision has passed.

    Args:
        model: Keras, built from `spec` and trained; raw pictures to the heads `boxes` and `scores`.
        spec: the network, with the task's rescale as its first block.
        nms: put decoding and suppression into the file, as TFLite_Detection_PostProcess; else the card holds the
            anchors and says how the host decodes.
        post_processing: what is kept of the anchors' answers.
        precision, out, seed, promised, measure, calibration_examples, bounds, also: as in `nas.export.export.export`.

    Raises:
        InputError: the arguments do not fit together, or `out` cannot be written.
        NoResultError: the gate or the converter refused, or the disk is full. Nothing is left behind.
        MissingError: no runtime, no pycocotools, or Keras runs on another backend.
    """
    precisions = checked_precisions(precision, also)
    check_out(out)
    check_detector(spec, len(task.class_names))
    if spec.input_shape != tuple(task.input_shape):
        raise InputError(
            f"spec {spec.name}: expected input {tuple(task.input_shape)} of task {task.name}, got {spec.input_shape}; "
            "build the network for this task."
        )
    check_rescale(spec, task)
    maker = _Maker(model, spec, task, post_processing or PostProcessing(), nms=nms)
    promises = [Cost.from_dict(cost).to_dict() for cost in promised]
    calibration = _calibration(task, calibration_examples, seed) if "int8" in precisions else None
    with staging_folder(out) as stage:
        made = [
            maker.make(
                name,
                file_name(out, name, precision),
                calibration if name == "int8" else None,
                bounds.get(name, DEFAULT_BOUNDS[name]),
            )
            for name in precisions
        ]
        files = {each.file: each.tflite for each in made}
        write_staged(stage, files)
        measured = Cost.from_dict(measure(stage / out.name)).to_dict() if measure else None
        test = maker.test(made, np.random.default_rng(seed))
        card = make_card(
            spec,
            task,
            made,
            anchors=maker.anchors,
            post_processing=maker.post_processing,
            nms=nms,
            test=test,
            test_pictures=len(task.split("test")),
            promised=promises,
            measured=measured,
            seed=seed,
            calibration_examples=0 if calibration is None else len(calibration),
        )
        written = papers(card, out, task.class_names, TEMPLATE)
        write_staged(stage, written)
        publish(stage, out.parent, (*written, *files))
    return DetectorExport(
        **exported(out, spec, made, measured),
        nms=nms,
        parity={each.precision: each.parity for each in made},
        test=test,
    )


class _Maker:
    """Files of one network, each through the gate, and what they are worth on the test pictures."""

    def __init__(
        self, model: Any, spec: NetworkSpec, task: DetectionTask, post_processing: PostProcessing, *, nms: bool
    ) -> None:
        from models.detection.training import heads

        self.anchors, self.post_processing = detector_anchors(spec), post_processing
        self._model, self._spec, self._task, self._nms = model, spec, task, nms
        self._image = (spec.input_shape[0], spec.input_shape[1])
        self._heads = heads
        self._held_out = task.split("validation")
        self._expected = heads(model, self._held_out.x)
        if not all(np.isfinite(each).all() for each in self._expected):
            raise NoResultError(
                "model: expected finite boxes and scores, got NaN or infinity from Keras; train it again with a lower "
                "learning rate, or pick another network."
            )

    def make(
        self, precision: Precision, file: str, calibration: NDArray[Any] | None, bounds: DetectorBounds
    ) -> DetectorFile:
        """Convert and check; the bytes that pass the gate are the bytes that are written."""
        nms = self.post_processing if self._nms else None
        tflite = convert_detector(self._model, self.anchors, precision=precision, calibration=calibration, nms=nms)
        metadata = make_metadata(self._spec, self._task, precision, self.anchors, self.post_processing, nms=self._nms)
        tflite = embed_metadata(tflite, metadata)
        graph = read_tflite(tflite)
        graph_equal = check_graph(self._spec, _without_post_processing(graph), precision)
        parity = self._compare(tflite, precision)
        gate(parity, bounds)
        return DetectorFile(
            precision=precision,
            file=file,
            tflite=tflite,
            graph=graph,
            graph_equal=graph_equal,
            parity=parity,
            bounds=bounds,
        )

    def test(self, made: Sequence[DetectorFile], rng: np.random.Generator) -> dict[str, dict[str, float]]:
        """`map` with the ends of its interval, and `map_50`, on the test split, which is read here and nowhere else."""
        split = self._task.split("test")
        found = {"keras": self._decoded(*self._heads(self._model, split.x))}
        found |= {each.precision: self._found(each.tflite, split)[0] for each in made}
        worth = {name: mean_ap(split.annotations, each, self._image) for name, each in found.items()}
        ends = {name: map_interval(split.annotations, each, self._image, rng) for name, each in found.items()}
        return {
            "map": {name: each.map for name, each in worth.items()},
            "map_low": {name: low for name, (low, _) in ends.items()},
            "map_high": {name: high for name, (_, high) in ends.items()},
            "map_50": {name: each.map_50 for name, each in worth.items()},
        }

    def _compare(self, tflite: bytes, precision: Precision) -> DetectorParity:
        found, error = self._found(tflite, self._held_out)
        truth: Annotations = self._held_out.annotations
        return compare(
            self._decoded(*self._expected), found, truth, self._image, precision=precision, max_abs_error=error
        )

    def _found(self, tflite: bytes, split: DetectionSplit) -> tuple[list[Detections], float | None]:
        """The file's detections and, where it gives heads, how far they are from Keras's."""
        if self._nms:
            return detections_litert(tflite, split.x), None
        found = heads_litert(tflite, split.x)
        error = largest_error(self._expected, found, self.anchors) if split is self._held_out else None
        return self._decoded(*found), error

    def _decoded(self, codes: NDArray[np.float32], logits: NDArray[np.float32]) -> list[Detections]:
        pairs = zip(codes, logits, strict=True)
        return [detect(code, logit, self.anchors, self.post_processing) for code, logit in pairs]


def _without_post_processing(graph: OpGraph) -> OpGraph:
    """The graph up to the heads: without the custom operator, and what brings scores and floats to it."""
    last = [op for op in graph.ops if op.kind == f"CUSTOM:{POST_PROCESS}"]
    if not last:
        return graph
    makers = {tensor: op for op in graph.ops for tensor in op.outputs}
    tail, wanted = list(last), list(last[0].inputs)
    while wanted:
        op = makers.get(wanted.pop())
        if op is not None and op.kind in ("DEQUANTIZE", "LOGISTIC"):
            tail.append(op)
            wanted += op.inputs
    return OpGraph(graph.tensors, tuple(op for op in graph.ops if op not in tail), graph.inputs, graph.outputs)


def _calibration(task: DetectionTask, count: int, seed: int) -> NDArray[Any]:
    """Training pictures; each counts for the first of its classes, so that all of them come up."""
    train = task.split("train")
    first = [next(iter(train.annotations.of(row)[1].tolist()), -1) for row in range(len(train))]
    return train.x[representative_rows(np.array(first, np.int64), count, np.random.default_rng(seed))]
