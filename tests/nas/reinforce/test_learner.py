"""Steps of REINFORCE by hand: baseline, Adam, batches, and what is left out of a step."""

from __future__ import annotations

import numpy as np
import pytest

from nas.controllers.reinforce.learner import Adam, Learner, MovingBaseline
from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from nas.controllers.reinforce.rejection import sampled_weights
from nas.testing import ToySpace
from searchspaces.errors import InputError

YES = np.array(True)


def test_the_baseline_without_its_bias_towards_zero() -> None:
    baseline = MovingBaseline(0.9)
    found = [float(baseline.update(np.array(reward), YES)) for reward in (1.0, 2.0, 4.0)]
    # Sums 0.1, 0.29, 0.661 over weights 0.1, 0.19, 0.271.
    assert found == pytest.approx([1.0, 0.29 / 0.19, 0.661 / 0.271])
    tunas = MovingBaseline(0.95)
    assert [float(tunas.update(np.array(0.7), YES)) for _ in range(3)] == pytest.approx([0.7] * 3)


def test_the_baseline_of_a_run_that_saw_nothing_stays() -> None:
    baseline = MovingBaseline(0.9, (2,))
    baseline.update(np.array([1.0, 5.0]), np.array([True, True]))
    found = baseline.update(np.array([2.0, np.pi]), np.array([True, False]))
    assert found == pytest.approx([0.29 / 0.19, 5.0])


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_adam_as_it_is_written_down(beta1: float) -> None:
    gradients = np.random.default_rng(0).normal(size=(5, 1, 2))
    adam = Adam((1, 2), beta1=beta1, beta2=0.999)
    mean = square = np.zeros((1, 2))
    for number, gradient in enumerate(gradients, start=1):
        mean = beta1 * mean + (1 - beta1) * gradient
        square = 0.999 * square + 0.001 * gradient**2
        expected = 0.1 * (mean / (1 - beta1**number)) / (np.sqrt(square / (1 - 0.999**number)) + 1e-8)
        assert adam.step(gradient, 0.1, YES) == pytest.approx(expected)


def learner(**options: float) -> Learner:
    return Learner(FactorisedPolicy(ToySpace()), **options)


def step(which: Learner, rewards: list[float], rate: float = 0.1, **options: object) -> Floats:
    """Rows are the first architectures of the space; the probabilities after the step."""
    rows = np.array([each.indices for each in list(ToySpace().enumerate())[: len(rewards)]])
    which.step(rows, np.array(rewards), rate, **options)  # type: ignore[arg-type]
    return which.policy.probabilities


def test_the_first_reward_is_its_own_baseline() -> None:
    which = learner()
    assert (step(which, [0.7]) == FactorisedPolicy(ToySpace()).probabilities).all()
    after = step(which, [0.9])
    assert after[0, 0] > after[0, 1] == after[0, 2]
    # The choice that does not exist in this network stays uniform.
    assert after[2, :3] == pytest.approx([1 / 3] * 3)


def test_a_batch_is_held_against_its_mean() -> None:
    after = step(learner(), [0.2, 0.4, 0.9, 0.1])
    # The rows differ in their last choice alone.
    assert after[3, 2] == after[3].max()
    assert after[3, 3] == after[3].min()
    assert after[0, :3] == pytest.approx([1 / 3] * 3)


def test_a_learning_rate_of_zero_teaches_the_baseline_alone() -> None:
    which = learner()
    for reward in (0.1, 0.2):
        assert (step(which, [reward], rate=0.0) == FactorisedPolicy(ToySpace()).probabilities).all()
    later = learner()
    assert step(which, [0.15])[0, 0] != pytest.approx(step(later, [0.15])[0, 0])


def test_what_is_not_accepted_counts_nowhere() -> None:
    both, one = learner(), learner()
    for rewards in ([0.3, np.nan], [0.8, np.inf]):
        found = step(both, rewards, accepted=np.array([True, False]))
        assert (found == step(one, rewards[:1])).all()
    before = both.policy.probabilities
    assert (step(both, [np.nan], accepted=np.array([False])) == before).all()
    assert (step(both, [0.5]) == step(one, [0.5])).all()


def test_a_step_is_skipped_where_no_extra_sample_is_feasible() -> None:
    which = learner()
    step(which, [0.1])
    before = which.policy.probabilities
    extra = which.policy.sample(np.random.default_rng(0), 6)
    none = extra, sampled_weights(np.zeros(6, dtype=bool))
    assert (step(which, [0.9], kept=none) == before).all()
    some = extra, sampled_weights(np.arange(6) < 2)
    assert (step(which, [0.9], kept=some) != before).any()


def test_runs_side_by_side_learn_as_alone() -> None:
    space, rng = ToySpace(), np.random.default_rng(1)
    together = Learner(FactorisedPolicy(space, (3,)), momentum=0.9, beta1=0.9, entropy=0.01)
    alone = [Learner(FactorisedPolicy(space), momentum=0.9, beta1=0.9, entropy=0.01) for _ in range(3)]
    for _ in range(6):
        rows, rewards = together.policy.sample(rng, 2), rng.normal(size=(3, 2))
        extra, accepted = together.policy.sample(rng, 4), rng.random((3, 2)) < 0.6
        weights = sampled_weights(rng.random((3, 4)) < 0.4)
        together.step(rows, rewards, 0.1, accepted=accepted, kept=(extra, weights))
        for run, each in enumerate(alone):
            each.step(rows[run], rewards[run], 0.1, accepted=accepted[run], kept=(extra[run], weights[run]))
            assert together.policy.probabilities[run] == pytest.approx(each.policy.probabilities, abs=1e-12)


def test_entropy_keeps_a_policy_undecided() -> None:
    sharp, soft = learner(), learner(entropy=0.5)
    rng = np.random.default_rng(2)
    for which in (sharp, soft):
        for _ in range(200):
            rows = which.policy.sample(rng, 1)
            which.step(rows, rows[:, 3].astype(float), 0.1)
    assert soft.policy.probabilities[3].max() < sharp.policy.probabilities[3].max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, "baseline_momentum: expected 0 or more and below 1, got 1.0"),
        ({"beta1": -0.1}, "adam_beta1: .* got -0.1"),
        ({"beta2": float("nan")}, "adam_beta2: .* got nan"),
        ({"entropy": -1.0}, "entropy: expected a weight of 0 or more, got -1.0"),
    ],
)
def test_it_refuses(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        learner(**options)
