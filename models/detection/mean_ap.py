"""Mean average precision as COCO defines it, by COCO's own tool (pycocotools)."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.annotations import Annotations
from models.detection.postprocess import Detections
from searchspaces.errors import InputError, MissingError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanAP:
    """Average precision over recalls 0 to 1, the mean of all classes that occur.

    map: mean over IoU 0.50 to 0.95 in steps of 0.05.  map_50, map_75: at that IoU.
    per_class: as `map`, by class number; only classes that occur.
    """

    map: float
    map_50: float
    map_75: float
    per_class: Mapping[int, float]


def mean_ap(truth: Annotations, found: Sequence[Detections], image: tuple[int, int]) -> MeanAP:
    """What detections are worth, at most 100 a picture.

    Args:
        truth: of N pictures; ignored boxes are neither asked for nor counted against a detection that lies in them.
        found: detections of the same pictures.
        image: height and width in pixels, to which shares are brought.

    Raises:
        InputError: other pictures, or none that has a box.
        MissingError: pycocotools is not installed.
    """
    if len(truth) != len(found):
        raise InputError(f"detections: expected those of {len(truth)} pictures, got {len(found)}; detect in each.")
    occurring = np.unique(truth.classes[~truth.ignored]).tolist()
    if not occurring:
        raise InputError("annotations: expected a box in at least one picture, got none; mAP has no value then.")
    rows = _detection_rows(found, image)
    if not len(rows):
        return MeanAP(map=0.0, map_50=0.0, map_75=0.0, per_class=dict.fromkeys(occurring, 0.0))
    coco, coco_eval = _tools()
    with contextlib.redirect_stdout(io.StringIO()):  # The tool reports its progress there.
        expected = coco.COCO()
        expected.dataset = _dataset(truth, image)
        expected.createIndex()
        evaluation = coco_eval.COCOeval(expected, expected.loadRes(rows), "bbox")
        evaluation.params.catIds = [label + 1 for label in occurring]
        evaluation.evaluate()
        evaluation.accumulate()
    # [IoU, recall, class, area, detections]: all areas, 100 detections.
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    return MeanAP(
        map=float(precision.mean()),
        map_50=float(precision[0].mean()),
        map_75=float(precision[5].mean()),
        per_class={label: float(precision[:, :, place].mean()) for place, label in enumerate(occurring)},
    )


def check_tools() -> None:
    """Raise MissingError unless pycocotools is installed: before hours of training, not after."""
    _tools()


def _tools() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pycocotools.coco"), importlib.import_module("pycocotools.cocoeval")
    except ImportError as error:
        raise MissingError(
            "pycocotools: expected it for mean average precision, found none; install it with"
            " `pip install 'paretonas[detection]'`."
        ) from error


def _dataset(truth: Annotations, image: tuple[int, int]) -> dict[str, Any]:
    """COCO's records; ids count from 1, because 0 means no match to the tool."""
    pictures = np.repeat(np.arange(len(truth)), np.diff(truth.starts))
    boxes = _pixels(truth.boxes, image)
    records = zip(pictures.tolist(), truth.classes.tolist(), boxes.tolist(), truth.ignored.tolist(), strict=True)
    return {
        "info": {},
        "images": [{"id": picture + 1} for picture in range(len(truth))],
        "categories": [{"id": int(label) + 1} for label in np.unique(truth.classes)],
        "annotations": [
            {
                "id": number,
                "image_id": picture + 1,
                "category_id": label + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": int(ignored),
            }
            for number, (picture, label, box, ignored) in enumerate(records, start=1)
        ],
    }


def _detection_rows(found: Sequence[Detections], image: tuple[int, int]) -> NDArray[np.float64]:
    """[M, 7]: picture, x, y, width, height, score, class."""
    rows = [
        np.column_stack(
            [np.full(len(each), picture), _pixels(each.boxes, image), each.scores.astype(np.float64), each.classes + 1]
        )
        for picture, each in enumerate(found, start=1)
        if len(each)
    ]
    return np.concatenate(rows) if rows else np.zeros((0, 7))


def _pixels(boxes: NDArray[np.float32], image: tuple[int, int]) -> NDArray[np.float64]:
    """(x, y, width, height) in pixels."""
    height, width = image
    ymin, xmin, ymax, xmax = boxes.astype(np.float64).T
    return np.stack([xmin * width, ymin * height, (xmax - xmin) * width, (ymax - ymin) * height], axis=1)
