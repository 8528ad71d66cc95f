"""What changes over a search with shared weights: its controller's learning rate, and its warm-up (TuNAS, its code).

`progress` is the share of all steps that are done, 0 to 1.
"""

from __future__ import annotations

from typing import Final

# The controller waits until shared weights say something, and so the warm-up must not last longer.
WARM_UP: Final = 0.25
# For a batch of 256 examples; it grows in proportion.
TUNAS_LEARNING_RATE: Final = 3e-4
TUNAS_GROWTH: Final = 10.0


def controller_learning_rate(progress: float, base: float, *, delay: float = WARM_UP, growth: float = 1.0) -> float:
    """0 until `delay`, then from `base` exponentially to `growth` times it at the end; TuNAS grows tenfold.

    Before 0 and after 1 it is what it is there.
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < delay or delay >= 1:
        return 0.0
    return float(base * growth ** ((progress - delay) / (1 - delay)))


def warm_up_probability(progress: float, duration: float = WARM_UP) -> float:
    """How likely a decision is replaced by all of its operations, or by its largest width: linearly from 1 to 0."""
    return max(0.0, 1.0 - max(progress, 0.0) / duration)
