"""The losses of a single-shot detector, over all anchors and divided by how many of the batch have a box."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class FocalLoss(keras.losses.Loss):
    """Sigmoid focal loss (Lin et al. 2017, eq. 5) of class logits [B, A, classes + 1], background first.

    The target is the class of each anchor [B, A]: 0 for background, the class number plus 1, or -1 to leave it out.
    """

    def __init__(self, alpha: float = 0.75, gamma: float = 2.0) -> None:
        super().__init__(name="focal_loss")
        self.alpha, self.gamma = alpha, gamma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number a picture; their mean is the sum over the batch divided by its matches."""
        classes = ops.cast(y_true, "int32")
        wanted = ops.one_hot(ops.maximum(classes, 0), y_pred.shape[-1], dtype=y_pred.dtype)
        probability = ops.sigmoid(y_pred)
        missed = wanted * (1 - probability) + (1 - wanted) * probability
        weight = wanted * self.alpha + (1 - wanted) * (1 - self.alpha)
        cross_entropy = ops.softplus(y_pred) - y_pred * wanted
        losses = ops.sum(weight * missed**self.gamma * cross_entropy, axis=-1)
        losses = losses * ops.cast(classes >= 0, losses.dtype)
        return ops.sum(losses, axis=1) / _matches_a_picture(ops.cast(classes > 0, losses.dtype))


class SmoothL1Loss(keras.losses.Loss):
    """Smooth L1 (Girshick 2015, eq. 3) of box codes [B, A, 4], the mean of their four numbers.

    The target [B, A, 5] holds a fifth number: 1 for anchors that have a box, 0 for those that are left out.
    """

    def __init__(self) -> None:
        super().__init__(name="smooth_l1_loss")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number a picture; their mean is the sum over the batch divided by its matches."""
        matched = y_true[..., 4]
        error = ops.abs(y_true[..., :4] - y_pred)
        losses = ops.mean(ops.where(error < 1, 0.5 * error**2, error - 0.5), axis=-1)
        return ops.sum(losses * matched, axis=1) / _matches_a_picture(matched)


def _matches_a_picture(matched: Any) -> Any:
    """Matches of the whole batch over its pictures."""
    pictures = ops.cast(ops.shape(matched)[0], matched.dtype)
    return ops.maximum(ops.sum(matched), 1) / pictures
