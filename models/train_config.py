"""How to train: plain numbers, so that a configuration can be checked without loading Keras."""

from __future__ import annotations

import math
from dataclasses import dataclass

from searchspaces.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How to train. The learning rate rises over `warmup` (a share of all steps) and falls along a cosine."""

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1
    patience: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 1,
            "learning_rate": 0 < self.learning_rate < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "warmup": 0 <= self.warmup < 1,
            "patience": self.patience >= 0,
        }
        for name, holds in bounds.items():
            if not holds:
                raise InputError(f"{name}: got {getattr(self, name)}, which no training can use; see the defaults.")
