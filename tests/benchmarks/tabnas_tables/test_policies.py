"""Policies under rejection and under shaped rewards, on a made-up table."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.tabnas_tables.policies import Way, probability_feasible, reward_table, run_policies
from nas.controllers.reinforce.policy import FactorisedPolicy

REJECTION = Way(reward="rejection", extra_samples=16)


def test_an_even_policy_draws_within_the_limit_as_often_as_the_space_is(truth):
    policy = FactorisedPolicy(truth.space, (3,))
    np.testing.assert_allclose(probability_feasible(truth, policy), truth.feasible.mean())


def test_an_uneven_policy_draws_within_the_limit_as_often_as_it_says(truth):
    policy = FactorisedPolicy(truth.space, (2,))
    policy.shift(np.random.default_rng(0).normal(size=policy.probabilities.shape))
    drawn = policy.sample(np.random.default_rng(1), 40_000)
    share = truth.feasible[truth.cells(drawn)].mean(axis=1)
    # Five sigmas of a share of 40,000 draws.
    np.testing.assert_allclose(probability_feasible(truth, policy), share, atol=5 * 0.5 / 200)


def test_rejection_learns_from_nothing_over_the_limit(truth):
    found = run_policies(truth, REJECTION, steps=400, runs=20, seed=0)
    assert (found.distinct <= truth.feasible.sum()).all()
    assert run_policies(truth, Way(reward="mnas_hard", beta=-0.1), steps=400, runs=20, seed=0).distinct.mean() > 40


def test_rejection_ends_within_the_limit_near_its_best_and_a_shaped_reward_does_not(truth):
    ours = run_policies(truth, REJECTION, steps=600, runs=20, seed=0)
    assert ours.mode.feasible.mean() > 0.9
    assert np.nanmean(ours.mode.regret) < 1
    assert ours.probability.mean() > 0.5
    # The weight that TuNAS took leaves policies over the limit, a heavy one on networks that are too small.
    light = run_policies(truth, Way(reward="absolute", beta=-0.01), steps=600, runs=20, seed=0)
    heavy = run_policies(truth, Way(reward="mnas_soft", beta=-1.0), steps=600, runs=20, seed=0)
    assert light.mode.feasible.mean() < 0.1
    assert heavy.mode.feasible.mean() == 1
    assert np.nanmean(heavy.mode.regret) > 5 * np.nanmean(ours.mode.regret)


def test_without_a_step_every_way_is_the_uniform_one(truth):
    found = run_policies(truth, Way(reward="uniform"), steps=100, runs=50, seed=3)
    assert (found.distinct == 0).all()
    np.testing.assert_allclose(found.probability, truth.feasible.mean())
    assert found.draws.feasible.mean() > 0.9


def test_a_seed_decides_everything(truth):
    one, again = (run_policies(truth, REJECTION, steps=30, runs=5, seed=4) for _ in range(2))
    np.testing.assert_equal(asdict(one), asdict(again))


@pytest.mark.parametrize(("reward", "sign"), [("absolute", -1), ("mnas_soft", -1), ("mnas_hard", -1)])
def test_shaped_rewards_are_those_of_the_papers(truth, reward, sign):
    ratio = truth.params / truth.limit
    expected = {
        "absolute": truth.seen - 0.3 * np.abs(ratio - 1),
        "mnas_soft": truth.seen * ratio**-0.3,
        "mnas_hard": truth.seen * np.minimum(1, ratio**-0.3),
    }
    np.testing.assert_allclose(reward_table(truth, Way(reward=reward, beta=sign * 0.3)), expected[reward])
    assert reward_table(truth, REJECTION) is truth.seen
