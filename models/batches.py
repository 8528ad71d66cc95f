"""Shuffled, augmented batches of arrays, the same for the same seed and epoch."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray


class SeededBatches(keras.utils.PyDataset):
    """Batches of `count` rows whose order follows from the seed and the number of the epoch.

    The last, shorter batch is left out (its rows come up in other epochs): one batch shape means one compiled step.
    """

    def __init__(self, count: int, *, batch_size: int, seed: int) -> None:
        super().__init__()
        self._count, self._batch_size, self._seed = count, min(batch_size, count), seed
        self.begin(0)

    def __len__(self) -> int:
        return self._count // self._batch_size

    def begin(self, epoch: int) -> None:
        """Shuffle for epoch number `epoch`."""
        self._epoch = epoch
        self._order = np.random.default_rng([self._seed, epoch]).permutation(self._count)

    def on_epoch_end(self) -> None:
        self.begin(self._epoch + 1)

    def _rows(self, index: int) -> NDArray[np.int64]:
        """The rows of batch `index`."""
        return self._order[index * self._batch_size : (index + 1) * self._batch_size]

    def _rng(self, index: int) -> np.random.Generator:
        """The generator of what happens at random to batch `index`."""
        return np.random.default_rng([self._seed, self._epoch, index])


class Batches(SeededBatches):
    """Batches of ``x`` as float32, images and clips augmented.

    Args:
        shift: random translation of images by up to so many pixels each way, edges repeated.
        flip: mirror images left to right with even odds. The frames of a clip are moved and mirrored alike.
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
    ) -> None:
        super().__init__(len(x), batch_size=batch_size, seed=seed)
        self._x, self._y = x, y
        self._shift, self._flip = shift, flip

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rows = self._rows(index)
        x = self._x[rows].astype(np.float32)
        if x.ndim in (4, 5) and (self._shift or self._flip):
            x = self._augmented(x, self._rng(index))
        return x, self._y[rows]

    def _augmented(self, x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Images [N, H, W, C] or clips [N, T, H, W, C]; one draw for each example."""
        count, (height, width) = len(x), x.shape[-3:-1]
        if self._shift:
            pad = self._shift
            still = ((0, 0),) * (x.ndim - 3)
            padded = np.pad(x, (*still, (pad, pad), (pad, pad), (0, 0)), mode="edge")
            tops, lefts = rng.integers(0, 2 * pad + 1, size=(2, count))
            x = np.stack(
                [
                    example[..., top : top + height, left : left + width, :]
                    for example, top, left in zip(padded, tops, lefts, strict=True)
                ]
            )
        if self._flip:
            mirrored = rng.random(count) < 0.5
            x[mirrored] = x[mirrored][..., ::-1, :]
        return x
