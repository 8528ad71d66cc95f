"""How promising a candidate is, from what is expected of it and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nas.regressors.base import Prediction

Values = NDArray[np.float64]


def mean(prediction: Prediction, best: float, rng: np.random.Generator) -> Values:
    """What is expected."""
    return prediction.mean


def upper_bound(prediction: Prediction, best: float, rng: np.random.Generator) -> Values:
    """What is expected and its standard deviation together."""
    return prediction.mean + prediction.std


def expected_improvement(prediction: Prediction, best: float, rng: np.random.Generator) -> Values:
    """By how much the best so far is passed on average (Mockus 1978); where there is no doubt, the mean decides."""
    from scipy.special import ndtr

    std = np.maximum(prediction.std, 1e-9)
    z = (prediction.mean - best) / std
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    gain = std * (z * ndtr(z) + density)
    # Far below the best the gain is lost to rounding: a touch of the mean keeps an order there.
    return np.asarray(gain + 1e-9 * (prediction.mean - best), dtype=np.float64)


def thompson(prediction: Prediction, best: float, rng: np.random.Generator) -> Values:
    """A draw for every candidate on its own."""
    return prediction.mean + prediction.std * rng.standard_normal(len(prediction.mean))


ACQUISITIONS: Final[Mapping[str, Callable[[Prediction, float, np.random.Generator], Values]]] = MappingProxyType(
    {"mean": mean, "upper_bound": upper_bound, "expected_improvement": expected_improvement, "thompson": thompson}
)
