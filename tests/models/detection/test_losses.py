"""Focal and smooth-L1 loss against numbers taken by hand in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection.losses import FocalLoss, SmoothL1Loss


def test_focal_loss_by_hand() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (2, 5, 4)).astype(np.float32)
    classes = np.array([[0, 2, -1, 0, 3], [0, 0, 0, 1, -1]])
    total = 0.0
    for picture, row in enumerate(classes):
        for anchor, label in enumerate(row):
            for output in range(4):
                p = 1 / (1 + np.exp(-logits[picture, anchor, output]))
                p_t, alpha = (p, 0.75) if output == label else (1 - p, 0.25)
                total += (label >= 0) * -alpha * (1 - p_t) ** 2 * np.log(p_t)
    assert float(FocalLoss()(classes, logits)) == pytest.approx(total / 3, rel=1e-5)


def test_focal_loss_is_finite_for_any_logit_and_without_matches() -> None:
    logits = np.array([[[1e4, -1e4], [-1e4, 1e4]]], np.float32)
    assert float(FocalLoss()(np.zeros((1, 2), int), logits)) == pytest.approx(0.75 * 1e4 + 0.25 * 1e4, rel=1e-5)
    assert float(FocalLoss()(np.full((1, 2), -1), logits)) == 0


def test_smooth_l1_by_hand() -> None:
    codes = np.zeros((2, 3, 5), np.float32)
    codes[0, 1] = (1, 2, 3, 4, 1)
    codes[1, 2] = (0, 0, 0, 0, 1)
    found = np.zeros((2, 3, 4), np.float32)
    found[0, 1] = (1.5, 2, 1, 4)  # errors 0.5, 0, 2, 0
    found[1, 2] = (0, 0, 0, -1)
    found[:, 0] = 100  # not matched: no part of it
    expected = (0.125 + 1.5) / 4 + 0.5 / 4
    assert float(SmoothL1Loss()(codes, found)) == pytest.approx(expected / 2)
    assert float(SmoothL1Loss()(np.zeros_like(codes), found)) == 0
