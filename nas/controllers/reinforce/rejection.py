"""The probability of the feasible set, by which TabNAS corrects for the samples it discards (TabNAS §3).

What is kept of a policy P after rejection is drawn from P(y)/P(V), V the feasible set, so the gradient of its
log-probability is that of log P(y) less that of log P(V). The latter is the mean gradient of log P(z) over the feasible
z: here it is represented by architectures and their weights, which sum to 1.
"""

from __future__ import annotations

import numpy as np

from nas.controllers.reinforce.learner import Mask
from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from searchspaces.space import Indices


def sampled_weights(feasible: Mask) -> Floats:
    """Of N samples drawn from the policy ``[*runs, N]``: equal for the feasible ones, all 0 where there is none.

    It is the gradient of log Phat(V), Phat(V) being the mean over z of p(z)/q(z)·1(z in V) at the drawing policy q = p.
    """
    counts = feasible.sum(axis=-1, keepdims=True)
    return np.asarray(feasible / np.maximum(counts, 1))


def exact_weights(policy: FactorisedPolicy, feasible_rows: Indices) -> Floats:
    """Of all feasible architectures ``[*runs, N, choices]``: P(z)/P(V), for spaces that can be listed."""
    logs = policy.log_prob(feasible_rows)
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
