"""REINFORCE as TuNAS has it (Bender, Liu et al., CVPR 2020), with TabNAS's rejection (Yang et al., NeurIPS 2022)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np

from nas.controllers.reinforce.learner import Learner
from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from nas.controllers.reinforce.rejection import sampled_weights
from nas.problem import Problem
from nas.rewards import BETA, REWARDS
from nas.schedules import controller_learning_rate
from nas.trial import Trial
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture, Indices

REJECTION: Final = "rejection"

# Draws of a suggestion come in blocks that double; a policy that only repeats itself is then flattened, ever more.
_FIRST_BLOCK, _DOUBLINGS = 8, 8
_TEMPERATURES = (2.0, 4.0, 8.0, 16.0)
# Repeated samples that are learned from after one result, and how many are drawn at a time.
_MOST_REPEATS, _REPEAT_BLOCK = 32, 16
# Architectures whose feasibility is remembered.
_REMEMBERED = 1 << 17

Row: TypeAlias = tuple[int, ...]


class Reinforce:
    """Draws from a factorised policy and makes probable what was rewarded.

    In the papers a policy draws what it likes, again and again. A search evaluates nothing twice: so after each result
    the steps that repeats would have caused are made from remembered rewards, with a generator made of the trials so
    far, until the policy draws something new; what is suggested then is again a draw among what is new. Only where
    that takes more than 32 steps has the policy converged; it is then flattened to look around, and what is found so is
    remembered but, not being a draw of the policy, makes no step of its own.

    Args:
        problem: the first objective is the quality.
        reward: `rejection` takes the quality, never suggests what breaks a hard limit that is known without a
            measurement, and corrects the gradient for that. `absolute`, `mnas_soft` and `mnas_hard` weigh the quality
            against `cost` (`nas.rewards`); what breaks a hard limit then teaches nothing.
        cost, target: the metric those rewards bring to a value; left out, the first upper limit among the constraints.
        beta: the weight of the cost, 0 or less.
        batch: samples a step.
        learning_rate: of Adam, from the end of the delay on.
        steps: how many steps delay and growth are shares of; 0 keeps the learning rate as it is.
        delay, growth: see `nas.schedules`; TuNAS, whose weights are shared, has 0.25 and 10.
        baseline_momentum, adam_beta1, adam_beta2: TabNAS's toy example has these, TuNAS 0.95, 0 and 0.999.
        entropy: weight of the policy's entropy.
        extra_samples: TabNAS's N, samples a step for the probability of the feasible set; more is better.
    """

    learns = True

    def __init__(
        self,
        problem: Problem,
        *,
        reward: str = REJECTION,
        cost: str = "",
        target: float = 0.0,
        beta: float = BETA,
        batch: int = 1,
        learning_rate: float = 0.1,
        steps: int = 0,
        delay: float = 0.0,
        growth: float = 1.0,
        baseline_momentum: float = 0.9,
        adam_beta1: float = 0.9,
        adam_beta2: float = 0.999,
        entropy: float = 0.0,
        extra_samples: int = 64,
    ) -> None:
        if reward not in (REJECTION, *REWARDS):
            raise unknown_name("reward", reward, (REJECTION, *REWARDS))
        for name, number in (("batch", batch), ("extra_samples", extra_samples)):
            if number < 1:
                raise InputError(f"{name}: expected 1 or more, got {number}; leave it out for the default.")
        if not 0 < learning_rate < math.inf or not 0 <= delay < 1 or not 0 < growth < math.inf or steps < 0:
            raise InputError(
                "reinforce: expected a learning_rate and a growth above 0, a delay from 0 to below 1 and steps of 0 or "
                f"more, got {learning_rate}, {growth}, {delay} and {steps}; leave them out for the defaults."
            )
        if not steps and (delay or growth != 1):
            raise InputError(
                f"steps: expected how many there will be, since delay {delay} and growth {growth} are shares of them, "
                "got none; about as many as the trials of the budget divided by the batch."
            )
        self._problem, self._space, self._quality = problem, problem.space, problem.objectives[0]
        self._reward, self._beta, self._batch_size, self._extra_samples = reward, beta, batch, extra_samples
        self._cost, self._target = ("", 1.0) if reward == REJECTION else self._soft_limit(cost, target)
        self._schedule = (learning_rate, steps, delay, growth)
        self._policy = FactorisedPolicy(self._space)
        self._learner = Learner(
            self._policy, momentum=baseline_momentum, beta1=adam_beta1, beta2=adam_beta2, entropy=entropy
        )
        # NaN where a trial gave nothing to learn from.
        self._rewards: dict[Row, float] = {}
        # Found infeasible by a trial, which may have measured; and whether each one that was asked about is feasible.
        self._infeasible: set[Row] = set()
        self._keeps: dict[Row, bool] = {}
        self._batch: list[tuple[Row, float]] = []
        self._trials, self._steps, self._converged = 0, 0, False

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """Draws of the policy that are new and, under rejection, feasible; others where so many cannot be found."""
        found: list[Row] = []
        others: list[Row] = []
        for size, temperature in self._draws(count):
            drawn = _tuples(self._policy.sample(rng, size, temperature=temperature))
            new = [row for row in drawn if row not in self._rewards]
            keep = self._feasible(new)
            found += [row for row, kept in zip(new, keep, strict=True) if kept]
            if len(found) >= count:
                break
            others = [row for row, kept in zip(new, keep, strict=True) if not kept] + drawn
        return [Architecture(self._space.name, row) for row in (found + others)[:count]]

    def update(self, trials: Sequence[Trial]) -> None:
        """A step on every result, and those of the repeats that would have come before the next new sample."""
        for trial in trials:
            self._trials += 1
            indices = trial.architecture.indices
            rng = np.random.default_rng([self._trials, *(index + 1 for index in indices)])
            self._rewards[indices] = reward = self._reward_of(trial)
            if trial.state == "INFEASIBLE":
                self._infeasible.add(indices)
                self._keeps[indices] = False
            if not self._converged and math.isfinite(reward):
                self._learn(indices, reward, rng)
            self._converged = not self._repeat(rng)

    def most_probable(self) -> Architecture:
        """The most probable value of every choice: what the papers take at the end."""
        return self._space.from_indices(self._policy.most_probable()[None])[0]

    # -- learning ------------------------------------------------------------------------------------------------------

    def _repeat(self, rng: np.random.Generator) -> bool:
        """Draw and learn from remembered rewards until something new comes up; False where nothing does."""
        if len(self._rewards) >= self._space.size:
            return False
        for _ in range(_MOST_REPEATS):
            for row in _tuples(self._policy.sample(rng, _REPEAT_BLOCK)):
                reward = self._rewards.get(row)
                if reward is None:
                    if self._feasible([row])[0]:
                        return True
                elif math.isfinite(reward) and self._learn(row, reward, rng):
                    # The policy has changed: what else was drawn is no longer its.
                    break
        return False

    def _learn(self, row: Row, reward: float, rng: np.random.Generator) -> bool:
        """Put a sample into the batch; True where that was full and made a step."""
        self._batch.append((row, reward))
        if len(self._batch) < self._batch_size:
            return False
        rows, rewards = zip(*self._batch, strict=True)
        self._batch = []
        base, steps, delay, growth = self._schedule
        rate = controller_learning_rate(self._steps / steps, base, delay=delay, growth=growth) if steps else base
        self._steps += 1
        kept = self._kept(rng) if rate else None
        self._learner.step(np.array(rows, dtype=np.int64), np.array(rewards), rate, kept=kept)
        return True

    def _kept(self, rng: np.random.Generator) -> tuple[Indices, Floats] | None:
        """What stands for the feasible set in the correction; None where nothing was ever discarded."""
        if self._reward != REJECTION or not (self._problem.constraints or self._infeasible):
            return None
        rows = self._policy.sample(rng, self._extra_samples)
        return rows, sampled_weights(np.array(self._feasible(_tuples(rows))))

    def _feasible(self, rows: Sequence[Row]) -> Sequence[bool]:
        """What rejection keeps; the other rewards keep everything."""
        if self._reward != REJECTION:
            return [True] * len(rows)
        if len(self._keeps) > _REMEMBERED:
            self._keeps = dict.fromkeys(self._infeasible, False)
        unknown = [row for row in rows if row not in self._keeps] if self._problem.constraints else []
        if unknown:
            keep = self._problem.feasible([Architecture(self._space.name, row) for row in unknown])
            self._keeps.update(zip(unknown, keep.tolist(), strict=True))
        return [self._keeps.get(row, True) for row in rows]

    def _draws(self, count: int) -> Iterator[tuple[int, float]]:
        """How many to draw at a time, and at which temperature."""
        block = max(_FIRST_BLOCK, count) if count else 0
        if not self._converged:
            yield from ((block << doubling, 1.0) for doubling in range(_DOUBLINGS))
        yield from ((block << (_DOUBLINGS // 2), temperature) for temperature in _TEMPERATURES)

    # -- rewards -------------------------------------------------------------------------------------------------------

    def _reward_of(self, trial: Trial) -> float:
        """NaN where a trial is not complete or lacks a finite quality or cost."""
        value = trial.metrics.get(self._quality.metric)
        if trial.state != "COMPLETE" or value is None or not math.isfinite(value):
            return math.nan
        quality = value if self._quality.direction == "maximize" else -value
        if self._reward == REJECTION:
            return quality
        cost = trial.metrics.get(self._cost)
        if cost is None:
            cost = float(self._problem.known([trial.architecture], [self._cost])[0, 0])
        if not 0 < cost < math.inf:
            return math.nan
        return float(REWARDS[self._reward](quality, cost / self._target, self._beta))

    def _soft_limit(self, cost: str, target: float) -> tuple[str, float]:
        """The metric that a reward weighs, and the value it is to have."""
        limits = {each.metric: each.bound for each in reversed(self._problem.constraints) if "<" in each.comparison}
        metric = cost or next(reversed(limits), "")
        value = target or limits.get(metric, 0.0)
        if not metric or not 0 < value < math.inf:
            raise InputError(
                f"reward {self._reward}: expected a cost and its target above 0, got {metric or 'none'} and {value:g}; "
                "write for example cost: params, target: 41153, or set an upper limit in the constraints."
            )
        if self._reward != "absolute" and self._quality.direction == "minimize":
            raise InputError(
                f"reward {self._reward}: expected a quality to maximize, since it is multiplied, got {self._quality}; "
                "take absolute, or another first objective."
            )
        REWARDS[self._reward](0.5, 1.0, self._beta)
        return metric, value


def _tuples(rows: Indices) -> list[Row]:
    return list(map(tuple, rows.tolist()))
