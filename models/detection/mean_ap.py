"""Mean average precision as COCO defines it, by COCO's own tool (pycocotools)."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.detection.annotations import Annotations
from models.detection.postprocess import Detections
from searchspaces.errors import InputError, MissingError

_MOST: Final = 100
# At which precision is read off, as the tool has them.
_RECALLS: Final = np.linspace(0, 1, 101)


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
    occurring, rows = _occurring(truth, found), _detection_rows(found, image)
    if not len(rows):
        return MeanAP(map=0.0, map_50=0.0, map_75=0.0, per_class=dict.fromkeys(occurring, 0.0))
    evaluation = _evaluated(truth, rows, occurring, image)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    # [IoU, recall, class, area, detections]: one area, one number of detections.
    precision = evaluation.eval["precision"][:, :, :, 0, 0]
    return MeanAP(
        map=float(precision.mean()),
        map_50=float(precision[0].mean()),
        map_75=float(precision[5].mean()),
        per_class={label: float(precision[:, :, place].mean()) for place, label in enumerate(occurring)},
    )


def map_interval(
    truth: Annotations,
    found: Sequence[Detections],
    image: tuple[int, int],
    rng: np.random.Generator,
    *,
    draws: int = 400,
) -> tuple[float, float]:
    """The 95 % interval of `map`: what it is over as many pictures drawn anew from these (Efron's bootstrap).

    It says how much the figure hangs on which pictures were taken, not on the seed of the training.

    Args:
        truth, found, image: as in `mean_ap`, and so are the errors.
        draws: samples of pictures; one without any box is left out.
    """
    occurring, rows, pictures = _occurring(truth, found), _detection_rows(found, image), len(truth)
    if not len(rows):
        return 0.0, 0.0
    evaluation = _evaluated(truth, rows, occurring, image)
    ranked = [
        _Ranked.of(evaluation.evalImgs[start : start + pictures])
        for start in range(0, len(evaluation.evalImgs), pictures)
    ]
    values = []
    for _ in range(draws):
        times = np.bincount(rng.integers(pictures, size=pictures), minlength=pictures)
        present = [each.average_precision(times) for each in ranked if each.wanted @ times]
        if present:
            values.append(np.mean(present))
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    """One class's detections in all pictures, the highest score first.

    picture: [D], where each is.  counted: [10, D], by IoU, all but what lies on an ignored box.  right: the rows of
    those that found a box, by IoU.  wanted: boxes of the class in each picture.
    """

    picture: NDArray[np.int64]
    counted: NDArray[np.bool_]
    right: Sequence[NDArray[np.int64]]
    wanted: NDArray[np.int64]

    @classmethod
    def of(cls, evaluated: Sequence[Mapping[str, Any] | None]) -> _Ranked:
        """From the tool's records of each picture; None where it holds neither box nor detection."""
        wanted = [0 if each is None else int((np.asarray(each["gtIgnore"]) == 0).sum()) for each in evaluated]
        held = [(number, each) for number, each in enumerate(evaluated) if each is not None]
        order = np.argsort(-np.concatenate([each["dtScores"] for _, each in held]), kind="stable")
        matched = np.concatenate([each["dtMatches"] for _, each in held], axis=1)[:, order] != 0
        counted = np.concatenate([each["dtIgnore"] for _, each in held], axis=1)[:, order] == 0
        places = np.concatenate([np.full(len(each["dtScores"]), number) for number, each in held])
        right = [np.flatnonzero(line) for line in matched & counted]
        return cls(picture=places[order], counted=counted, right=right, wanted=np.array(wanted))

    def average_precision(self, times: NDArray[np.int64]) -> float:
        """COCO's average precision where each picture is there so many times."""
        weight, wanted, values = times[self.picture], self.wanted @ times, []
        for rows, seen in zip(self.right, np.cumsum(weight * self.counted, axis=1), strict=True):
            right = np.cumsum(weight[rows])
            precision = right / np.maximum(seen[rows], 1)
            # At a recall the best precision of this or any higher one counts, and nothing beyond the highest.
            best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
            values.append(best[np.searchsorted(right / wanted, _RECALLS)])
        return float(np.mean(values))


def _occurring(truth: Annotations, found: Sequence[Detections]) -> list[int]:
    """The classes that there are boxes of."""
    if len(truth) != len(found):
        raise InputError(f"detections: expected those of {len(truth)} pictures, got {len(found)}; detect in each.")
    occurring: list[int] = np.unique(truth.classes[~truth.ignored]).tolist()
    if not occurring:
        raise InputError("annotations: expected a box in at least one picture, got none; mAP has no value then.")
    return occurring


def _evaluated(truth: Annotations, rows: NDArray[np.float64], occurring: Sequence[int], image: tuple[int, int]) -> Any:
    """COCO's tool after it has matched detections to boxes, of any size, at most 100 a picture."""
    coco, coco_eval = _tools()
    with contextlib.redirect_stdout(io.StringIO()):  # The tool reports its progress there.
        expected = coco.COCO()
        expected.dataset = _dataset(truth, image)
        expected.createIndex()
        evaluation = coco_eval.COCOeval(expected, expected.loadRes(rows), "bbox")
        params = evaluation.params
        params.catIds = [label + 1 for label in occurring]
        params.areaRng, params.areaRngLbl, params.maxDets = params.areaRng[:1], params.areaRngLbl[:1], [_MOST]
        evaluation.evaluate()
    return evaluation


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
