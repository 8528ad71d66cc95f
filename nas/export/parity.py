"""The parity gate: does the exported file say what the Keras network says, on examples neither was trained on?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.litert import Model
from nas.export.convert import PRECISIONS, Precision
from nas.export.predict import predict_keras, predict_litert, top_class
from nas.intervals import share_with_interval
from searchspaces.errors import InputError, NoResultError, unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a precision has to hold; None leaves a bound out.

    min_agreement: share of examples with the same top class.  max_error: largest difference of a probability.
    max_accuracy_drop: how far the file's accuracy may lie below Keras's. One example is always allowed, since fewer
    cannot be seen: of 24 examples one is already four points.
    """

    min_agreement: float
    max_error: float | None = None
    max_accuracy_drop: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"bound {name}: expected a share from 0 to 1, got {value!r}; write 0.95 for 95 %.")


DEFAULT_BOUNDS: Final[Mapping[Precision, Bounds]] = MappingProxyType(
    {
        "float32": Bounds(min_agreement=0.999, max_error=1e-3),
        "float16": Bounds(min_agreement=0.98),
        "dynamic": Bounds(min_agreement=0.98),
        "int8": Bounds(min_agreement=0.95, max_accuracy_drop=0.02),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """LiteRT against Keras on the same held-out examples."""

    precision: Precision
    examples: int
    top1_agreement: float
    max_abs_error: float
    accuracy_keras: float
    accuracy_litert: float

    def to_dict(self) -> dict[str, Any]:
        """JSON data; every share with its 95 % interval."""
        return {
            "precision": self.precision,
            "examples": self.examples,
            "top1_agreement": share_with_interval(self.top1_agreement, self.examples),
            "max_abs_error": self.max_abs_error,
            "accuracy_keras": share_with_interval(self.accuracy_keras, self.examples),
            "accuracy_litert": share_with_interval(self.accuracy_litert, self.examples),
        }


def accuracy(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    """Share of examples whose top class is their label."""
    return float((top_class(probabilities) == y).mean())


def compare(
    keras: NDArray[np.float32], litert: NDArray[np.float32], y: NDArray[np.int64], *, precision: Precision
) -> Parity:
    """The parity of two sets of probabilities [N, classes] of the same examples."""
    if keras.shape != litert.shape or len(keras) != len(y) or not len(y):
        raise InputError(
            f"parity: expected probabilities of one shape and a label for each, got Keras {keras.shape}, LiteRT "
            f"{litert.shape} and {len(y)} labels; give the file of this network."
        )
    return Parity(
        precision=precision,
        examples=len(y),
        top1_agreement=float((top_class(keras) == top_class(litert)).mean()),
        max_abs_error=float(np.abs(keras - litert).max()),
        accuracy_keras=accuracy(keras, y),
        accuracy_litert=accuracy(litert, y),
    )


def gate(parity: Parity, bounds: Bounds) -> None:
    """Refuse a file that is too far from its network.

    Raises:
        NoResultError: names the bound, the value found, and what to try.
    """
    drop = parity.accuracy_keras - parity.accuracy_litert
    checks = [
        ("top-1 agreement", parity.top1_agreement, ">=", bounds.min_agreement),
        ("maximum error of a probability", parity.max_abs_error, "<=", bounds.max_error),
        ("accuracy drop", drop, "<=", _visible_drop(bounds, parity.examples)),
    ]
    if not math.isfinite(parity.max_abs_error):
        raise _refused(parity, "finite probabilities", "NaN or infinity from LiteRT")
    for name, value, relation, bound in checks:
        if bound is None:
            continue
        if value < bound if relation == ">=" else value > bound:
            raise _refused(parity, f"{name} {relation} {bound:.4g}", f"{value:.4g}")


def check_parity(
    model: Any,
    tflite: Model,
    x: NDArray[Any],
    y: NDArray[np.int64],
    *,
    precision: Precision,
    bounds: Bounds | None = None,
) -> Parity:
    """Run network and file over the same held-out examples, and pass or refuse.

    Args:
        model: Keras, raw input to probabilities.
        tflite: the file of batch 1, as bytes or path.
        x: raw examples [N, …] as the task delivers them.
        y: their class numbers [N].
        precision: whose default bounds hold.
        bounds: others instead.

    Raises:
        NoResultError: a bound does not hold.
        InputError: file, model and examples do not belong together, or the file is damaged.
    """
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    parity = compare(predict_keras(model, x), predict_litert(tflite, x), y, precision=precision)
    gate(parity, bounds or DEFAULT_BOUNDS[precision])
    return parity


def _visible_drop(bounds: Bounds, examples: int) -> float | None:
    if bounds.max_accuracy_drop is None:
        return None
    # A hair more than the bound: differences of shares are not exact in floating point (0.9 - 0.88 > 0.02).
    return max(bounds.max_accuracy_drop, 1 / examples) + 1e-9


def _refused(parity: Parity, expected: str, got: str) -> NoResultError:
    tries = {
        "int8": f"train longer (Keras is right on {100 * parity.accuracy_keras:.0f} % of them; an undecided network "
        "changes its answer at a touch), or try precision dynamic or float16",
        "dynamic": "try precision float16",
        "float16": "try precision float32",
        "float32": "check that the file was made from this network",
    }
    return NoResultError(
        f"parity gate, {parity.precision}: expected {expected} on {parity.examples} held-out examples, got {got}; "
        f"no file was written: {tries[parity.precision]}."
    )
