"""Which frames of a clip a network sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError, unknown_name

Short = Literal["refuse", "loop", "hold"]
SHORT: Final[tuple[Short, ...]] = ("refuse", "loop", "hold")
# Steps such as 25 / 10 frames are not exact; a position a hair below a whole number is that number.
_HAIR: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """`frames` frames of a clip, evenly spaced.

    With neither `stride` nor `fps` they are spread over the whole clip: the middle of each of as many equal pieces.
    Else they form a window in the middle of the clip: every `stride`-th frame, or `fps` frames a second.

    short: what becomes of a clip with too few frames: refuse it, begin again (loop), or repeat its last frame (hold).
    """

    frames: int
    stride: int | None = None
    fps: float | None = None
    short: Short = "refuse"

    def __post_init__(self) -> None:
        for option in ("frames", "stride"):
            value = getattr(self, option)
            optional = option == "stride" and value is None
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{option}: expected a whole number from 1, got {value!r}; try {option}=8.")
        fps = self.fps
        is_number = isinstance(fps, int | float) and not isinstance(fps, bool)
        if fps is not None and not (is_number and 0 < fps < math.inf):
            raise InputError(f"fps: expected frames a second above 0, got {fps!r}; try fps=5.")
        if self.stride is not None and fps is not None:
            raise InputError(f"stride, fps: expected one of them, got stride={self.stride} and fps={fps}; drop one.")
        if self.short not in SHORT:
            raise unknown_name("short", self.short, SHORT)

    @property
    def is_spread(self) -> bool:
        """Whether the frames come from the whole clip."""
        return self.stride is None and self.fps is None

    def numbers(self, count: int, rate: float | None, *, what: str) -> NDArray[np.int64]:
        """The numbers (from 0, int64 [frames]) of the frames seen of a clip of `count` frames at `rate` a second.

        Raises:
            InputError: no frames, too few of them, or an `fps` that the clip does not have; begins with `what`.
        """
        return np.asarray(self.windows(count, rate, 1, what=what)[0], np.int64)

    def windows(self, count: int, rate: float | None, many: int, *, what: str) -> NDArray[np.int64]:
        """int64 [many, frames]: windows whose starts are spread from the first possible to the last; one is centred."""
        step = self._step(count, rate, what)
        offsets = np.floor(np.arange(self.frames) * step + _HAIR).astype(np.int64)
        if self.is_spread and count >= self.frames:
            middles = (2 * np.arange(self.frames) + 1) * count // (2 * self.frames)
            return np.tile(middles, (many, 1))
        needed = int(offsets[-1]) + 1
        if count < needed:
            return np.tile(self._filled(offsets, count, needed, what), (many, 1))
        room = count - needed
        starts = np.array([room // 2]) if many == 1 else np.arange(many) * room // (many - 1)
        return np.asarray(starts[:, np.newaxis] + offsets, np.int64)

    def step(self, rate: float | None, *, what: str) -> float:
        """Frames of the source from one seen to the next; 1 where the frames are spread over a whole clip."""
        if self.stride is not None or self.fps is None:
            return float(self.stride or 1)
        if rate is None:
            raise InputError(f"{what}: expected a clip that says its frames a second, got none; use stride for fps.")
        if self.fps > rate * (1 + _HAIR):
            raise InputError(f"{what}: expected at least {self.fps:g} frames a second, got {rate:g}; lower fps.")
        return rate / self.fps

    def _step(self, count: int, rate: float | None, what: str) -> float:
        if count < 1:
            raise InputError(f"{what}: expected frames, got none; remove it.")
        return self.step(rate, what=what)

    def _filled(self, offsets: NDArray[np.int64], count: int, needed: int, what: str) -> NDArray[np.int64]:
        if self.short == "loop":
            return np.asarray(offsets % count, np.int64)
        if self.short == "hold":
            return np.minimum(offsets, count - 1)
        spacing = "" if needed == self.frames else f" ({self.frames} of them, evenly spaced)"
        raise InputError(
            f"{what}: expected at least {needed} frames{spacing}, got {count}; ask for fewer, remove the clip, or"
            " let it be filled with short=loop or short=hold."
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON data; `from_dict` reads it back."""
        return {"frames": self.frames, "stride": self.stride, "fps": self.fps, "short": self.short}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The sampling that `to_dict` wrote, other keys left aside."""
        return cls(frames=data["frames"], stride=data["stride"], fps=data["fps"], short=data["short"])
