"""The paper's searches: a policy draws, learns from what it is told, and is asked for networks at the end.

As with shared weights, a network may be drawn again and again, and every draw that is learned from is a step. Rewards
that only weigh the parameters draw what is over the limit too; rejection draws on until something is within it. At
the end a policy is worth the networks it stands for: its most probable one, and the best to see of 50 draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.tabnas_tables.truth import Floats, Mask, Truth
from nas.controllers.reinforce.learner import Learner
from nas.controllers.reinforce.policy import FactorisedPolicy
from nas.controllers.reinforce.rejection import sampled_weights
from nas.rewards import REWARDS
from searchspaces.space import Indices

DRAWS: Final = 50
# Draws at a time under rejection, and how often at most; the limits leave a tenth of the space.
_BLOCK, _BLOCKS = 16, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A reward, and what it has to be tuned by: `beta` of the shaped ones, `extra_samples` (N) of rejection.

    Rejection with N = 0 leaves the correction out; `uniform` learns nothing.
    """

    reward: str
    beta: float = 0.0
    extra_samples: int = 0
    learning_rate: float = 0.1

    @property
    def rejects(self) -> bool:
        """Whether what is over the limit is discarded unseen."""
        return self.reward in ("rejection", "uniform")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The network each run ends with, ``[runs]``; regrets in points, NaN for runs without one within the limit."""

    feasible: Mask
    regret: Floats
    seen_regret: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """What every run came to.

    mode: its most probable network.
    draws: the best to see among the draws within the limit.
    probability: of drawing a network within the limit, ``[runs]``.
    distinct: different networks that were learned from, ``[runs]``.
    """

    mode: Ends
    draws: Ends
    probability: Floats
    distinct: Floats


def run_policies(truth: Truth, way: Way, *, steps: int, runs: int, seed: int) -> Finals:
    """Let `runs` policies learn side by side for so many steps from a uniform start."""
    rng = np.random.default_rng(seed)
    policy = FactorisedPolicy(truth.space, (runs,))
    learner = Learner(policy, momentum=0.9, beta1=0.9)
    rewards = reward_table(truth, way)
    drawn = np.zeros((runs, truth.params.size), dtype=np.bool_)
    for _ in range(steps if way.reward != "uniform" else 0):
        rows, accepted = _draw(truth, way, policy, rng)
        cells = truth.cells(rows)
        places = np.ravel_multi_index(cells, truth.params.shape)
        drawn[np.arange(runs), places[:, 0]] |= accepted[:, 0]
        kept = None
        if way.extra_samples:
            extra = policy.sample(rng, way.extra_samples)
            kept = extra, sampled_weights(truth.feasible[truth.cells(extra)])
        learner.step(rows, rewards[cells], way.learning_rate, accepted=accepted, kept=kept)
    return _finals(truth, policy, drawn.sum(axis=1).astype(np.float64), rng)


def reward_table(truth: Truth, way: Way) -> Floats:
    """The reward of every network, in the form of the truth's arrays."""
    if way.rejects:
        return truth.seen
    return REWARDS[way.reward](truth.seen, truth.params / truth.limit, way.beta)


def _draw(truth: Truth, way: Way, policy: FactorisedPolicy, rng: np.random.Generator) -> tuple[Indices, Mask]:
    """One network a run ``[runs, 1, choices]``; under rejection its first within the limit, and whether it has one."""
    rows = policy.sample(rng, 1)
    if not way.rejects:
        return rows, np.ones(rows.shape[:-1], dtype=np.bool_)
    accepted = truth.feasible[truth.cells(rows)]
    for _ in range(_BLOCKS):
        if accepted.all():
            break
        more = policy.sample(rng, _BLOCK)
        within = truth.feasible[truth.cells(more)]
        first = np.take_along_axis(more, within.argmax(axis=1)[:, None, None], axis=1)
        rows = np.where(accepted[..., None], rows, first)
        accepted = accepted | within.any(axis=1, keepdims=True)
    return rows, accepted


def probability_feasible(truth: Truth, policy: FactorisedPolicy) -> Floats:
    """How likely each policy draws a network within the limit, ``[runs]``: summed over all of them."""
    axes = "abcd"[: truth.params.ndim]
    layers = [policy.probabilities[:, 1 + layer] for layer in range(len(axes))]
    terms = ",".join(f"r{axis}" for axis in axes)
    return np.asarray(np.einsum(f"{terms},{axes}->r", *layers, truth.feasible.astype(np.float64), optimize=True))


def _finals(truth: Truth, policy: FactorisedPolicy, distinct: Floats, rng: np.random.Generator) -> Finals:
    mode = truth.cells(policy.most_probable())
    cells = truth.cells(policy.sample(rng, DRAWS))
    pick = np.where(truth.feasible[cells], truth.seen[cells], -np.inf).argmax(axis=1)
    runs = np.arange(len(pick))
    return Finals(
        mode=_ends(truth, mode),
        draws=_ends(truth, tuple(layer[runs, pick] for layer in cells)),
        probability=probability_feasible(truth, policy),
        distinct=distinct,
    )


def _ends(truth: Truth, cells: tuple[Indices, ...]) -> Ends:
    return Ends(feasible=truth.feasible[cells], regret=truth.regret[cells], seen_regret=truth.seen_regret[cells])
