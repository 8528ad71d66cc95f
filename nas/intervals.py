"""How far a share found on so many examples can be trusted."""

from __future__ import annotations

import math

_Z_95 = 1.959964


def wilson_interval(share: float, examples: int) -> tuple[float, float]:
    """The 95 % interval of a binomial share (Wilson 1927); it stays within 0 to 1 and is right at 0 and 1 too."""
    center = share + _Z_95**2 / (2 * examples)
    half = _Z_95 * math.sqrt(share * (1 - share) / examples + _Z_95**2 / (4 * examples**2))
    scale = 1 + _Z_95**2 / examples
    return max(0.0, (center - half) / scale), min(1.0, (center + half) / scale)


def share_with_interval(share: float, examples: int) -> dict[str, float]:
    """A share as cards hold it: value, and the bounds of its 95 % interval."""
    low, high = wilson_interval(share, examples)
    return {"value": share, "low": min(low, share), "high": max(high, share)}
