"""Temporal ensembles: networks of half the frame rate that take turns (MoViNets, arXiv 2103.11511)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.streaming.classifier import StreamingClassifier, softmax
from nas.streaming.sources import Source, frames_of
from searchspaces.errors import InputError

_TINY = float(np.finfo(np.float32).tiny)


class TemporalEnsemble:
    """Streams that take turns: the first sees frames 1, 3, 5, …, the second 2, 4, 6, …; their logits are averaged.

    Two networks at half the rate do together the work of one at the full rate. Until every network has seen a frame,
    the answer is that of those that have.

    Args:
        members: two or more streams of one frame shape and the same classes; each is reset.
    """

    def __init__(self, *members: StreamingClassifier) -> None:
        _check_count(members)
        for member in members[1:]:
            for what in ("frame_shape", "labels"):
                first, other = getattr(members[0], what), getattr(member, what)
                if first != other:
                    raise InputError(
                        f"members: expected one {what.replace('_', ' ')}, got {first} in {members[0].name} and {other} "
                        f"in {member.name}; train them on one task."
                    )
        if len({id(member) for member in members}) < len(members):
            raise InputError("members: expected different streams, got one twice; open the file once for each.")
        self._members = members
        self.labels = members[0].labels
        self.reset()

    def reset(self) -> None:
        """Forget every frame."""
        for member in self._members:
            member.reset()
        self._logits: list[NDArray[np.float32]] = []
        self.frames_seen = 0

    def update(self, frame: NDArray[Any]) -> NDArray[np.float32]:
        """Feed the next frame to the member whose turn it is; returns the probabilities [classes] so far."""
        turn = self.frames_seen % len(self._members)
        self._logits[turn : turn + 1] = [self._members[turn].update_logits(frame, what=f"frame {self.frames_seen + 1}")]
        self.frames_seen += 1
        return softmax(np.mean(self._logits, axis=0, dtype=np.float32))

    def run(self, source: Source, *, stride: int = 1) -> Iterator[NDArray[np.float32]]:
        """Forget every frame, then feed a whole source; gives the probabilities after each frame fed.

        Args:
            source: as for `StreamingClassifier.run`.
            stride: feed every so manieth frame. Two members see every second of these, so that networks trained with
                stride 4 want 2.
        """
        self.reset()
        for frame in frames_of(source, lambda rate: stride):
            yield self.update(frame)


def temporal_ensemble(models: Sequence[Any], x: NDArray[Any], *, from_logits: bool) -> NDArray[np.float32]:
    """Probabilities [N, classes] of clips at the full rate, from Keras models trained at a part of it.

    Args:
        models: two or more; model k of n takes [N, T / n, H, W, C] and is fed the frames k, k + n, k + 2n, ….
        x: [N, T, H, W, C], raw.
        from_logits: whether the models end in logits, as training builds them, or in probabilities.

    Raises:
        InputError: one model, clips that do not divide, or models of other shapes.
    """
    _check_count(models)
    count = len(models)
    if x.ndim != 5 or x.shape[1] % count or not len(x):
        raise InputError(
            f"x: expected clips [N, T, H, W, C] with T a multiple of {count}, got shape {x.shape}; drop a frame."
        )
    part = (x.shape[1] // count, *x.shape[2:])
    for number, model in enumerate(models, start=1):
        if tuple(model.input_shape[1:]) != part:
            raise InputError(
                f"model {number}: expected an input of {part}, one frame in {count} of the clips, got "
                f"{tuple(model.input_shape[1:])}; build it for these clips."
            )
    answers = [
        np.asarray(model.predict(x[:, turn::count].astype(np.float32), verbose=0, batch_size=32), np.float32)
        for turn, model in enumerate(models)
    ]
    # Logarithms of probabilities are logits up to a number for each example, which softmax does not see.
    logits = answers if from_logits else [np.log(np.maximum(answer, _TINY)) for answer in answers]
    return softmax(np.mean(logits, axis=0, dtype=np.float32))


def _check_count(members: Sequence[Any]) -> None:
    if len(members) < 2:
        raise InputError(f"members: expected two or more networks that take turns, got {len(members)}; add one.")
