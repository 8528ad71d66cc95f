"""Boxes of many pictures, ragged. A box is (ymin, xmin, ymax, xmax) as shares of the picture's height and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotations:
    """What is to be found in each of N pictures; those of picture i lie at ``starts[i]:starts[i + 1]``.

    boxes: float32 [M, 4].  classes: int64 [M], from 0; the background is none of them.
    ignored: bool [M], boxes that a detector is neither asked for nor blamed for: crowds, and what its annotator
    called difficult.  starts: int64 [N + 1], from 0 to M.  The arrays are kept as read-only views.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    starts: NDArray[np.int64]

    def __post_init__(self) -> None:
        types = {"boxes": np.float32, "classes": np.int64, "ignored": np.bool_, "starts": np.int64}
        for name, dtype in types.items():
            array = np.asarray(getattr(self, name), dtype).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        count = len(self.boxes)
        if self.boxes.shape != (count, 4) or self.classes.shape != (count,) or self.ignored.shape != (count,):
            raise InputError(
                f"annotations: expected boxes [M, 4], classes [M] and ignored [M], got {self.boxes.shape},"
                f" {self.classes.shape} and {self.ignored.shape}; give one class for each box."
            )
        starts = self.starts
        if starts.ndim != 1 or len(starts) < 2 or starts[0] or starts[-1] != count or (np.diff(starts) < 0).any():
            raise InputError(f"starts: expected row numbers that rise from 0 to {count}, got {starts}; count again.")
        ymin, xmin, ymax, xmax = self.boxes.T
        sound = (ymin >= 0) & (xmin >= 0) & (ymax <= 1) & (xmax <= 1) & (ymin < ymax) & (xmin < xmax)
        if not sound.all():
            row = int(np.flatnonzero(~sound)[0])
            raise InputError(
                f"boxes: expected 0 <= ymin < ymax <= 1 and 0 <= xmin < xmax <= 1, got {self.boxes[row].tolist()} in"
                f" row {row}; divide by the picture's height and width, and cut at its edge."
            )
        if count and self.classes.min() < 0:
            raise InputError(f"classes: expected numbers from 0, got {self.classes.min()}; number the classes from 0.")

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, picture: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
        """Boxes, classes and ignored flags of one picture."""
        rows = slice(self.starts[picture], self.starts[picture + 1])
        return self.boxes[rows], self.classes[rows], self.ignored[rows]

    def take(self, pictures: Sequence[int] | NDArray[np.int64]) -> Self:
        """The annotations of these pictures, in their order."""
        return type(self).join([self.of(int(picture)) for picture in pictures])

    @classmethod
    def join(cls, pictures: Sequence[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]]) -> Self:
        """From the boxes, classes and ignored flags of each picture."""
        starts = np.cumsum([0, *(len(boxes) for boxes, _, _ in pictures)])
        if not starts[-1]:
            return cls(boxes=np.zeros((0, 4)), classes=np.zeros(0), ignored=np.zeros(0), starts=starts)
        boxes, classes, ignored = (np.concatenate(parts) for parts in zip(*pictures, strict=True))
        return cls(boxes=boxes, classes=classes, ignored=ignored, starts=starts)
