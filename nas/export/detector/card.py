"""The papers of an exported detector: how it is fed and decoded, what it finds, and how that was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.cost import utc_now
from hardware_profiles.litert import open_interpreter
from models.detection.coder import SCALES
from models.detection.postprocess import PostProcessing
from nas.detection_task import DetectionTask
from nas.export import card as classifier_card
from nas.export.candidate import face
from nas.export.detector.convert import OUTPUTS
from searchspaces.spec import NetworkSpec

if TYPE_CHECKING:
    from nas.export.detector.export import DetectorFile

TEMPLATE: Final = "detector/card.md.j2"


def make_card(
    spec: NetworkSpec,
    task: DetectionTask,
    files: Sequence[DetectorFile],
    *,
    anchors: NDArray[np.float32],
    post_processing: PostProcessing,
    nms: bool,
    test: Mapping[str, Mapping[str, float]],
    test_pictures: int,
    promised: Sequence[Mapping[str, Any]],
    measured: Mapping[str, Any] | None,
    seed: int,
    calibration_examples: int,
) -> dict[str, Any]:
    """The card as JSON data; the first file is the one it is about.

    Args:
        test: `map`, `map_low`, `map_high` and `map_50`, each of `keras` and of every precision.
        calibration_examples: training pictures int8 was calibrated on, 0 where none was.
    """
    main = files[0]
    described = {each.precision: _describe(each) for each in files}
    validation = {
        metric: {
            "keras": getattr(main.parity, f"{metric}_keras"),
            **{each.precision: getattr(each.parity, f"{metric}_litert") for each in files},
        }
        for metric in ("map", "map_50")
    }
    return {
        "format": classifier_card.CARD_FORMAT,
        "kind": "detection",
        **classifier_card.describe_network(spec),
        "precision": main.precision,
        **{key: described[main.precision][key] for key in ("file", "sha256", "size_bytes")},
        "precisions": described,
        "task": classifier_card.describe_task(task),
        "detection": _decoding(anchors, post_processing, nms=nms),
        "metrics": {
            "validation": {"pictures": main.parity.pictures, **validation},
            "test": {"pictures": test_pictures, **{metric: dict(values) for metric, values in test.items()}},
        },
        "latency": {"promised": [dict(cost) for cost in promised], "measured": dict(measured) if measured else None},
        "calibration": {"examples": calibration_examples, "split": "train"} if calibration_examples else None,
        "seed": seed,
        "versions": classifier_card.versions(),
        "created": utc_now(),
    }


def make_metadata(
    spec: NetworkSpec,
    task: DetectionTask,
    precision: str,
    anchors: NDArray[np.float32],
    post_processing: PostProcessing,
    *,
    nms: bool,
) -> dict[str, Any]:
    """What the .tflite itself carries: enough to feed it, to decode its heads and to read its answer."""
    plain = classifier_card.make_metadata(spec, task, precision)
    return {**plain, "kind": "detection", "detection": _decoding(anchors, post_processing, nms=nms)}


def _decoding(anchors: NDArray[np.float32], post_processing: PostProcessing, *, nms: bool) -> dict[str, Any]:
    return {
        "outputs": list(OUTPUTS) if nms else ["boxes", "scores"],
        "post_processing_in_file": nms,
        "post_processing": asdict(post_processing),
        "box_scales": list(SCALES),
        # (y, x, height, width) about the centre, shares of the picture; one row an anchor, as the heads have them.
        # As text first: the fewest digits that give the same float32 back.
        "anchors": [[float(str(value)) for value in anchor] for anchor in anchors],
    }


def _describe(each: DetectorFile) -> dict[str, Any]:
    interpreter = open_interpreter(each.tflite)
    return {
        "file": each.file,
        "sha256": hashlib.sha256(each.tflite).hexdigest(),
        "size_bytes": len(each.tflite),
        "input": face(interpreter.get_input_details()[0]),
        "outputs": [face(details) for details in interpreter.get_output_details()],
        "ops": each.graph.op_counts,
        "graph_equal": each.graph_equal,
        "parity": each.parity.to_dict(),
        "bounds": asdict(each.bounds),
    }
