"""Shuffled, augmented batches of arrays, the same for the same seed and epoch."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray


class Batches(keras.utils.PyDataset):
    """Batches of ``x`` as float32; every epoch is shuffled and augmented from the seed and its number.

    The last, shorter batch is left out (its rows come up in other epochs): one batch shape means one compiled step.

    Args:
        shift: random translation of images by up to so many pixels each way, edges repeated.
        flip: mirror images left to right with even odds.
        first_epoch: the number of the first epoch, when a training goes on.
    """

    def __init__(
        self,
        x: NDArray[np.generic],
        y: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        shift: int = 0,
        flip: bool = False,
        first_epoch: int = 0,
    ) -> None:
        super().__init__()
        self._x, self._y = x, y
        self._batch_size = min(batch_size, len(x))
        self._seed, self._shift, self._flip = seed, shift, flip
        self._epoch = first_epoch
        self._begin()

    def __len__(self) -> int:
        return len(self._x) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        x = self._x[rows].astype(np.float32)
        if x.ndim == 4 and (self._shift or self._flip):
            x = self._augmented(x, np.random.default_rng([self._seed, self._epoch, index]))
        return x, self._y[rows]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._begin()

    def _begin(self) -> None:
        self._order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._x))

    def _augmented(self, x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        count, height, width, _ = x.shape
        if self._shift:
            pad = self._shift
            padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge")
            tops, lefts = rng.integers(0, 2 * pad + 1, size=(2, count))
            x = np.stack(
                [
                    image[top : top + height, left : left + width]
                    for image, top, left in zip(padded, tops, lefts, strict=True)
                ]
            )
        if self._flip:
            mirrored = rng.random(count) < 0.5
            x[mirrored] = x[mirrored, :, ::-1]
        return x
