"""How many examples run at once where nothing depends on it."""

from __future__ import annotations

from math import prod
from typing import Final

# 64 MiB of float32; a clip of a video network alone can be a quarter of it.
_VALUES: Final = 1 << 24


def rows_at_once(shape: tuple[int, ...], *, most: int) -> int:
    """Examples of this shape that make a batch of bounded memory: `most` of them, of large ones fewer."""
    return max(1, min(most, _VALUES // max(1, prod(shape))))
