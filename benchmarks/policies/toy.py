"""The toy example of TabNAS: nine networks, of which the best feasible one looks bad to each layer on its own.

Two inputs, two hidden layers of 2, 3 or 4 units, one output, at most 25 parameters; the losses are given (notebooks of
the authors). 500 iterations from a uniform policy, one sample each, as often as there are runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from nas.controllers.reinforce.learner import Learner, Mask
from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from nas.controllers.reinforce.rejection import exact_weights, sampled_weights
from nas.rewards import absolute
from searchspaces.blocks import DenseBlock
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture, Choice, Indices, SearchSpace
from searchspaces.spec import NetworkSpec

LIMIT: Final = 25
BEST: Final = "4-2"
# 1 − loss; rows are the first layer's 2, 3, 4 units, columns the second's.
QUALITY: Final = 1 - np.array([[0.9, 0.9, 0.66], [0.9, 0.66, 0.3], [0.6, 0.3, 0.1]])

_ITERATIONS = 500
_DRAWS = 50
_RESAMPLES = 400

Correction: TypeAlias = Literal["none", "exact"] | int
_T = TypeVar("_T", bound=np.generic)


class ToySpace(SearchSpace):
    """The space of the example."""

    name: ClassVar[str] = "tabnas-toy"
    choices = (Choice(name="first", values=(2, 3, 4)), Choice(name="second", values=(2, 3, 4)))
    references = {}  # noqa: RUF012 (a constant of the space)

    def network(self, architecture: Architecture) -> NetworkSpec:
        """Dense layers over two inputs."""
        values = self.values(architecture)
        units = (int(values["first"] or 0), int(values["second"] or 0), 1)
        blocks = tuple(DenseBlock(name=f"dense_{index}", units=each) for index, each in enumerate(units))
        return NetworkSpec(name=architecture.id, input_shape=(2,), blocks=blocks)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ToyResult:
    """What became of all runs.

    layers: the probabilities of each layer's widths at the end ``[runs, layers, 3]``.
    found: whether the best feasible network is among 50 draws from the final policy ``[runs]``.
    feasible: whether any feasible one is ``[runs]``.
    conditional: whether shares are of the feasible networks alone, since the others are discarded.
    """

    layers: Floats
    found: Mask
    feasible: Mask
    conditional: bool

    def shares(self, runs: Indices | slice = slice(None)) -> Floats:
        """The notebooks' statistic ``[3, 3]``: the product of the layers' mean probabilities over runs."""
        first, second = self.layers[runs].mean(axis=0)
        product = np.outer(first, second)
        if self.conditional:
            product = np.where(parameters() <= LIMIT, product, 0.0)
        return np.asarray(product / product.sum())

    def spread(self) -> tuple[Floats, Floats]:
        """The ends of the 95 % intervals of all shares ``[3, 3]``, by drawing runs anew."""
        rng, count = np.random.default_rng(0), len(self.layers)
        drawn = [self.shares(rng.integers(count, size=count)) for _ in range(_RESAMPLES)]
        low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
        return low, high


def widths_at(network: str) -> tuple[int, int]:
    """Row and column of a network such as 4-2."""
    names = {f"{first}-{second}": (first - 2, second - 2) for first in (2, 3, 4) for second in (2, 3, 4)}
    if network not in names:
        raise unknown_name("network of the toy example", network, names)
    return names[network]


@cache
def parameters() -> Floats:
    """Of every network ``[3, 3]``, counted from its layers."""
    space = ToySpace()
    return np.array([space.network(each).params for each in space.enumerate()], dtype=np.float64).reshape(3, 3)


@cache
def run_absolute(beta: float, *, runs: int, seed: int = 0) -> ToyResult:
    """TuNAS's absolute reward with the weight `beta` (below 0), learning rate 0.05."""
    return _run(absolute(QUALITY, parameters() / LIMIT, beta), None, learning_rate=0.05, runs=runs, seed=seed)


@cache
def run_rejection(correction: Correction, *, runs: int, seed: int = 0) -> ToyResult:
    """Rejection, learning rate 0.1.

    Args:
        correction: how many samples there are for the probability of the feasible set; `exact` adds it up, and `none`
            leaves the gradient as it is.
        runs: how many searches.
        seed: of all of them.
    """
    if correction not in ("none", "exact") and not (isinstance(correction, int) and correction > 0):
        raise InputError(f"correction: expected a number of samples, exact or none, got {correction!r}; try 5.")
    return _run(QUALITY, correction, learning_rate=0.1, runs=runs, seed=seed)


def _run(rewards: Floats, correction: Correction | None, *, learning_rate: float, runs: int, seed: int) -> ToyResult:
    space, rng = ToySpace(), np.random.default_rng(seed)
    policy = FactorisedPolicy(space, (runs,))
    learner = Learner(policy, momentum=0.9, beta1=0.9)
    feasible = parameters() <= LIMIT
    every = np.broadcast_to(np.argwhere(feasible), (runs, int(feasible.sum()), 2))
    for _ in range(_ITERATIONS):
        rows = policy.sample(rng, 1)
        accepted = None if correction is None else _at(feasible, rows)
        kept = None
        if correction == "exact":
            kept = every, exact_weights(policy, every)
        elif isinstance(correction, int):
            extra = policy.sample(rng, correction)
            kept = extra, sampled_weights(_at(feasible, extra))
        learner.step(rows, _at(rewards, rows), learning_rate, accepted=accepted, kept=kept)
    drawn = policy.sample(rng, _DRAWS)
    return ToyResult(
        layers=policy.probabilities,
        found=(drawn == widths_at(BEST)).all(axis=-1).any(axis=-1),
        feasible=_at(feasible, drawn).any(axis=-1),
        conditional=correction is not None,
    )


def _at(table: NDArray[_T], rows: Indices) -> NDArray[_T]:
    """The entries of a table ``[3, 3]`` for rows ``[..., 2]``."""
    return table[rows[..., 0], rows[..., 1]]
