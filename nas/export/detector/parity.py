"""The parity gate of detectors: does the file find what the Keras network finds, in pictures neither was trained on?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.detection.annotations import Annotations
from models.detection.boxes import iou
from models.detection.coder import decode
from models.detection.mean_ap import mean_ap
from models.detection.postprocess import Detections, probabilities
from nas.export.convert import Precision
from nas.export.detector.predict import Heads
from nas.intervals import share_with_interval
from searchspaces.errors import InputError, NoResultError

# Two detections are the same: one class, boxes that overlap so much, scores no further apart.
SAME_IOU: Final = 0.5
SAME_SCORE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorBounds:
    """What a precision has to hold; None leaves a bound out.

    min_agreement: share of Keras's detections that the file finds too.  max_error: largest difference of a score, or of
    a side of a decoded box as a share of the picture, cut at its edge, over all anchors.  max_map_drop: how far the
    file's mean average precision may lie below Keras's.
    """

    min_agreement: float
    max_map_drop: float
    max_error: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"bound {name}: expected a share from 0 to 1, got {value!r}; write 0.95 for 95 %.")


DEFAULT_BOUNDS: Final[Mapping[Precision, DetectorBounds]] = MappingProxyType(
    {
        # Boxes and scores agree to float32's rounding. Suppression does not: of two boxes that nearly tie it may keep
        # the other one, and what that one leaves room for differs (0.5 % of a weak detector's boxes, measured).
        "float32": DetectorBounds(min_agreement=0.98, max_map_drop=0.001, max_error=1e-3),
        "float16": DetectorBounds(min_agreement=0.97, max_map_drop=0.01),
        "dynamic": DetectorBounds(min_agreement=0.95, max_map_drop=0.02),
        "int8": DetectorBounds(min_agreement=0.90, max_map_drop=0.02),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorParity:
    """LiteRT against Keras on the same held-out pictures.

    compared: Keras's detections that were looked for, the best of each picture, as many as it has objects.
    max_abs_error: of scores and decoded boxes over all anchors; None where the file gives detections only.
    """

    precision: Precision
    pictures: int
    compared: int
    agreement: float
    max_abs_error: float | None
    map_keras: float
    map_litert: float
    map_50_keras: float
    map_50_litert: float

    def to_dict(self) -> dict[str, Any]:
        """JSON data; the agreement with its 95 % interval."""
        return {**asdict(self), "agreement": share_with_interval(self.agreement, self.compared)}


def compare(
    keras: Sequence[Detections],
    litert: Sequence[Detections],
    truth: Annotations,
    image: tuple[int, int],
    *,
    precision: Precision,
    max_abs_error: float | None,
) -> DetectorParity:
    """The parity of what two detectors found in the same pictures, of height and width `image`."""
    compared = found = 0
    for picture, (ours, theirs) in enumerate(zip(keras, litert, strict=True)):
        wanted = min(len(ours), max(1, len(truth.of(picture)[0])))
        compared += wanted
        found += sum(_is_found(ours, row, theirs) for row in range(wanted))
    worth = {name: mean_ap(truth, detections, image) for name, detections in (("keras", keras), ("litert", litert))}
    return DetectorParity(
        precision=precision,
        pictures=len(truth),
        compared=compared,
        agreement=found / compared if compared else 1.0,
        max_abs_error=max_abs_error,
        map_keras=worth["keras"].map,
        map_litert=worth["litert"].map,
        map_50_keras=worth["keras"].map_50,
        map_50_litert=worth["litert"].map_50,
    )


def largest_error(keras: Heads, litert: Heads, anchors: NDArray[np.float32]) -> float:
    """The largest difference of a score or of a decoded box within the picture, over all pictures and anchors."""
    ours, theirs = (np.clip(decode(each[0], anchors), 0, 1) for each in (keras, litert))
    boxes = np.abs(ours - theirs).max()
    scores = np.abs(probabilities(keras[1]) - probabilities(litert[1])).max()
    return float(max(boxes, scores))


def gate(parity: DetectorParity, bounds: DetectorBounds) -> None:
    """Refuse a file that is too far from its network.

    Raises:
        NoResultError: names the bound, the value found, and what to try.
    """
    if parity.max_abs_error is not None and not math.isfinite(parity.max_abs_error):
        raise _refused(parity, "finite boxes and scores", "NaN or infinity")
    drop = parity.map_keras - parity.map_litert
    if parity.agreement < bounds.min_agreement:
        expected = f"at least {bounds.min_agreement:.4g} of Keras's detections found again"
        raise _refused(parity, expected, f"{parity.agreement:.4g} of {parity.compared}")
    if bounds.max_error is not None and parity.max_abs_error is not None and parity.max_abs_error > bounds.max_error:
        raise _refused(parity, f"boxes and scores within {bounds.max_error:.4g}", f"{parity.max_abs_error:.4g}")
    # A hair more than the bound: differences are not exact in floating point.
    if drop > bounds.max_map_drop + 1e-9:
        expected = f"mAP at most {bounds.max_map_drop:.4g} below Keras's {parity.map_keras:.4g}"
        raise _refused(parity, expected, f"{parity.map_litert:.4g}")


def _is_found(ours: Detections, row: int, theirs: Detections) -> bool:
    near = (theirs.classes == ours.classes[row]) & (np.abs(theirs.scores - ours.scores[row]) <= SAME_SCORE)
    return bool(near.any() and iou(ours.boxes[row : row + 1], theirs.boxes[near]).max() >= SAME_IOU)


def _refused(parity: DetectorParity, expected: str, got: str) -> NoResultError:
    tries = {
        "int8": "train longer, try more calibration examples, or precision dynamic or float16",
        "dynamic": "try precision float16",
        "float16": "try precision float32",
        "float32": "check that the file was made from this network",
    }
    return NoResultError(
        f"parity gate, {parity.precision}: expected {expected} in {parity.pictures} held-out pictures, got {got}; "
        f"no file was written: {tries[parity.precision]}."
    )
