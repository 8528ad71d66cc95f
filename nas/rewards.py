"""Scalar rewards that weigh quality against one cost (Bender, Liu et al., "TuNAS", CVPR 2020, §2 of its code).

`ratio` is the cost over its target T/T0: of one device, or over several their `average_case` or `worst_case`
(`hardware_profiles.multi_hardware`; Chu et al. 2021). `beta` is 0 or less: the nearer to 0, the less the cost counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchspaces.errors import InputError

BETA: Final = -0.10

Rewards: TypeAlias = NDArray[np.float64]


def absolute(quality: ArrayLike, ratio: ArrayLike, beta: float = BETA) -> Rewards:
    """``Q + beta·|T/T0 − 1|``: too fast costs as much as too slow, so that a search ends at its target."""
    values, ratios = _checked(quality, ratio, beta)
    return np.asarray(values + beta * np.abs(ratios - 1))


def mnas_soft(quality: ArrayLike, ratio: ArrayLike, beta: float = BETA) -> Rewards:
    """``Q·(T/T0)^beta`` (Tan et al., "MnasNet", CVPR 2019); Q is above 0, such as an accuracy."""
    values, ratios = _checked(quality, ratio, beta)
    return np.asarray(values * ratios**beta)


def mnas_hard(quality: ArrayLike, ratio: ArrayLike, beta: float = BETA) -> Rewards:
    """``Q·min((T/T0)^beta, 1)``: as `mnas_soft` above the target, quality alone below it."""
    values, ratios = _checked(quality, ratio, beta)
    return np.asarray(values * np.minimum(ratios**beta, 1))


REWARDS: Final[Mapping[str, Callable[[ArrayLike, ArrayLike, float], Rewards]]] = MappingProxyType(
    {"absolute": absolute, "mnas_soft": mnas_soft, "mnas_hard": mnas_hard}
)


def _checked(quality: ArrayLike, ratio: ArrayLike, beta: float) -> tuple[Rewards, Rewards]:
    """Both as arrays; what is no number stays none, so that its reward is none."""
    # Written so that NaN is refused.
    if not beta <= 0:
        raise InputError(f"beta: expected 0 or less, since costs are to be low, got {beta}; TuNAS has {BETA}.")
    ratios = np.asarray(ratio, dtype=np.float64)
    if (ratios <= 0).any():
        raise InputError(f"ratio: expected costs over their target, above 0, got {ratios.min()}; check the target.")
    return np.asarray(quality, dtype=np.float64), ratios
