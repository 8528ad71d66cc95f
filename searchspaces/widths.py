"""Channel counts as the mobile families round them."""

from __future__ import annotations

# Of a base width: what TuNAS searches, and MobileDets and the multi-hardware space after it.
WIDTH_MULTIPLIERS = (0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)


def scale_filters(filters: int, multiplier: float, base: int = 8) -> int:
    """`filters` × `multiplier` to the nearest multiple of `base`, halves upwards, at least `base` (TuNAS)."""
    return max(base, base * int(filters * multiplier / base + 0.5))


def make_divisible(filters: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, but never under nine tenths of `filters` (MobileNetV2 and V3)."""
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * filters else rounded


def width_options(filters: int, base: int = 8) -> tuple[int, ...]:
    """The distinct widths that `WIDTH_MULTIPLIERS` make of a base width, the smallest first."""
    return tuple(sorted({scale_filters(filters, multiplier, base) for multiplier in WIDTH_MULTIPLIERS}))
