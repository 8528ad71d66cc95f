"""TuNAS's controller with its own numbers, on figures that take no training: many runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from nas.controllers.reinforce.learner import Learner
from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from nas.schedules import TUNAS_GROWTH, TUNAS_LEARNING_RATE, controller_learning_rate
from searchspaces.space import Indices, SearchSpace

STEPS, BATCH = 4000, 16
_TRAINING_BATCH = 4096

Reward: TypeAlias = Callable[[Indices, np.random.Generator], Floats]


def tunas_search(space: SearchSpace, reward: Reward, *, runs: int, seed: int, steps: int = STEPS) -> Indices:
    """The most probable network of each run ``[runs, choices]``.

    Adam without momentum, the learning rate of a training batch of 4096, 0 for the first quarter and then growing
    tenfold; every step draws sixteen architectures of each run, as sixteen replicas would.
    """
    rng = np.random.default_rng(seed)
    policy = FactorisedPolicy(space, (runs,))
    learner = Learner(policy, momentum=0.95, beta1=0.0)
    base = TUNAS_LEARNING_RATE * _TRAINING_BATCH / 256
    for step in range(steps):
        rows = policy.sample(rng, BATCH)
        learner.step(rows, reward(rows, rng), controller_learning_rate(step / steps, base, growth=TUNAS_GROWTH))
    return policy.most_probable()
