"""The factorised policy against enumeration: probabilities, gradients, draws, and the correction for rejection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nas.controllers.reinforce.policy import FactorisedPolicy, Floats
from nas.controllers.reinforce.rejection import exact_weights, sampled_weights
from nas.testing import ToySpace
from searchspaces.bignas import BigNAS
from searchspaces.catalog import create_space
from searchspaces.space import Indices, SearchSpace
from searchspaces.tabnas import TabNAS

FEATURES, OUTPUTS, LIMIT = 1027, 1, 41_153
SPACES = {
    "conditional": ToySpace(),
    "pinned parent": ToySpace(layers=2, width=16),
    "pinned to nothing": ToySpace(layers=1),
    "three layers": TabNAS((FEATURES,), OUTPUTS, layers=3),
}


def some_policy(space: SearchSpace, seed: int = 0, spread: float = 1.5) -> FactorisedPolicy:
    policy = FactorisedPolicy(space)
    policy.shift(spread * np.random.default_rng(seed).normal(size=policy.probabilities.shape))
    return policy


def all_rows(space: SearchSpace) -> Indices:
    return np.array([architecture.indices for architecture in space.enumerate()])


def numeric_gradient(policy: FactorisedPolicy, value: Callable[[], float]) -> Floats:
    """Central differences, one logit at a time."""
    gradient, step = np.zeros_like(policy.probabilities), 1e-5
    for place in np.ndindex(gradient.shape):
        move = np.zeros_like(gradient)
        move[place] = step
        policy.shift(move)
        above = value()
        policy.shift(-2 * move)
        gradient[place] = (above - value()) / (2 * step)
        policy.shift(move)
    return gradient


def dense_params(rows: Indices, space: SearchSpace) -> Floats:
    widths = np.array(space.choices[1].values)[rows[:, 1:4]]
    sizes = np.column_stack([np.full(len(rows), FEATURES), widths, np.full(len(rows), OUTPUTS)])
    return np.asarray(((sizes[:, :-1] + 1) * sizes[:, 1:]).sum(axis=1), dtype=np.float64)


@pytest.mark.parametrize("name", SPACES)
def test_probabilities_of_all_architectures_sum_to_one(name: str) -> None:
    policy = some_policy(SPACES[name])
    assert np.exp(policy.log_prob(all_rows(SPACES[name]))).sum() == pytest.approx(1)


def test_a_choice_that_does_not_reach_the_network_does_not_count() -> None:
    space, policy = ToySpace(), some_policy(ToySpace())
    (row,) = np.array([space.architecture(width=16, layers=1, last=4).indices])
    width, layers, _, last = policy.probabilities
    assert policy.log_prob(row[None]) == pytest.approx(np.log(width[1] * layers[0] * last[2]))
    gradient = policy.score(row[None], np.ones(1))
    assert (gradient[2] == 0).all()
    assert (gradient[1, :2] != 0).all()


@pytest.mark.parametrize("name", SPACES)
def test_the_score_is_the_gradient_of_the_log_probability(name: str) -> None:
    space = SPACES[name]
    policy = some_policy(space)
    rows = all_rows(space)[::7][:5]
    weights = np.random.default_rng(1).normal(size=len(rows))
    numeric = numeric_gradient(policy, lambda: float(weights @ policy.log_prob(rows)))
    assert policy.score(rows, weights) == pytest.approx(numeric, abs=1e-8)


@pytest.mark.parametrize("name", ["conditional", "pinned parent", "pinned to nothing"])
def test_reinforce_s_mean_step_is_the_gradient_of_the_mean_reward(name: str) -> None:
    """Exactly, by enumeration: sum over y of P(y)·R(y)·grad log P(y)."""
    space = SPACES[name]
    policy, rows = some_policy(space), all_rows(space)
    rewards = np.random.default_rng(2).normal(size=len(rows))
    numeric = numeric_gradient(policy, lambda: float(rewards @ np.exp(policy.log_prob(rows))))
    assert policy.score(rows, np.exp(policy.log_prob(rows)) * rewards) == pytest.approx(numeric, abs=1e-9)


@pytest.mark.parametrize("name", ["conditional", "three layers"])
def test_with_the_correction_it_is_that_of_the_policy_renormalised_on_the_feasible_set(name: str) -> None:
    """8,000 networks under 41,153 parameters, of which 856 are feasible; a third of the conditional space."""
    space = SPACES[name]
    policy, rows = some_policy(space), all_rows(space)
    feasible = dense_params(rows, space) <= LIMIT if name == "three layers" else np.arange(len(rows)) % 3 == 0
    assert int(feasible.sum()) == {"three layers": 856, "conditional": 16}[name]
    kept = rows[feasible]
    rewards = np.random.default_rng(3).normal(size=len(kept))

    def mean_reward() -> float:
        probabilities = np.exp(policy.log_prob(kept))
        return float(rewards @ probabilities / probabilities.sum())

    # What is drawn and kept, each with its step A·(grad log P(y) − grad log P(V)).
    conditional = exact_weights(policy, kept)
    of_the_set = policy.score(kept, conditional)
    expected = policy.score(kept, conditional * rewards) - (conditional @ rewards) * of_the_set
    assert expected == pytest.approx(numeric_gradient(policy, mean_reward), abs=1e-8)
    # And the correction alone is the gradient of log P(V).
    numeric = numeric_gradient(policy, lambda: float(np.log(np.exp(policy.log_prob(kept)).sum())))
    assert of_the_set == pytest.approx(numeric, abs=1e-8)


def test_the_estimate_of_the_feasible_probability_is_unbiased_and_so_is_its_gradient() -> None:
    """Means over 4,000 estimates of 16 samples against enumeration, within 5 standard errors."""
    space = SPACES["three layers"]
    policy, rows = some_policy(space, spread=0.5), all_rows(space)
    feasible = dense_params(rows, space) <= LIMIT
    probabilities = np.exp(policy.log_prob(rows))
    drawn = policy.sample(np.random.default_rng(4), 4000 * 16)
    in_set = (dense_params(drawn, space) <= LIMIT).reshape(4000, 16)
    estimates = in_set.mean(axis=1)
    exact = probabilities[feasible].sum()
    assert abs(estimates.mean() - exact) < 5 * estimates.std() / np.sqrt(len(estimates))
    # The derivative of Phat(V), sum over z of 1(z in V)·grad p(z)/q(z) over N, along a direction.
    direction = np.random.default_rng(5).normal(size=policy.probabilities.shape)
    slopes = np.array(
        [
            (policy.score(batch, kept / 16.0) * direction).sum()
            for batch, kept in zip(drawn.reshape(4000, 16, -1), in_set, strict=True)
        ]
    )
    slope = (policy.score(rows[feasible], probabilities[feasible]) * direction).sum()
    assert abs(slopes.mean() - slope) < 5 * slopes.std() / np.sqrt(len(slopes))
    assert abs(slope) > 10 * slopes.std() / np.sqrt(len(slopes))


def test_many_samples_come_to_the_exact_correction() -> None:
    space = SPACES["three layers"]
    policy, rows = some_policy(space, spread=0.5), all_rows(space)
    kept = rows[dense_params(rows, space) <= LIMIT]
    drawn = policy.sample(np.random.default_rng(6), 200_000)
    estimate = policy.score(drawn, sampled_weights(dense_params(drawn, space) <= LIMIT))
    # About 20,000 feasible draws: a probability's standard error is at most 0.0035.
    assert estimate == pytest.approx(policy.score(kept, exact_weights(policy, kept)), abs=5 * 0.0035)


def test_sampled_weights_share_one_among_the_feasible() -> None:
    weights = sampled_weights(np.array([[True, False, True, True], [False] * 4]))
    assert weights.tolist() == [[1 / 3, 0, 1 / 3, 1 / 3], [0.0] * 4]


@pytest.mark.parametrize("name", ["conditional", "pinned parent", "pinned to nothing"])
def test_draws_have_the_policy_s_probabilities(name: str) -> None:
    """Chi-square over all architectures, its value within 5 standard deviations of its mean."""
    space = SPACES[name]
    policy, rows = some_policy(space, spread=0.7), all_rows(space)
    drawn = policy.sample(np.random.default_rng(7), 50_000)
    position = {tuple(row): index for index, row in enumerate(rows.tolist())}
    counts = np.bincount([position[tuple(row)] for row in drawn.tolist()], minlength=len(rows))
    expected = 50_000 * np.exp(policy.log_prob(rows))
    degrees = len(rows) - 1
    assert abs((((counts - expected) ** 2) / expected).sum() - degrees) < 5 * np.sqrt(2 * degrees)


@pytest.mark.parametrize("space", [BigNAS((224, 224, 3)), create_space("movinet"), create_space("mobilenet-v3")])
def test_a_new_policy_is_uniform_on_any_space(space: SearchSpace) -> None:
    """Blanked and pinned choices too: log-probabilities are those of the space's own uniform draws."""
    policy = FactorisedPolicy(space)
    rows = space.sample_indices(np.random.default_rng(8), 200)
    sizes = np.where(rows >= 0, space.drawable.sum(axis=1), 1)
    assert policy.log_prob(rows) == pytest.approx(-np.log(sizes).sum(axis=1))
    for architecture in space.from_indices(policy.sample(np.random.default_rng(9), 200)):
        assert space.parse(architecture.id) == architecture
        values = space.values(architecture)
        assert all(values[name] in (None, value) for name, value in space.pins.items())


def test_heat_flattens_draws() -> None:
    policy = some_policy(ToySpace(layers=1), spread=12.0)
    rng = np.random.default_rng(10)
    distinct = [len(np.unique(policy.sample(rng, 200, temperature=heat), axis=0)) for heat in (1.0, 4.0, 100.0)]
    assert distinct[0] < distinct[1] < distinct[2] == 12


def test_the_entropy_s_gradient() -> None:
    space = ToySpace()
    policy, rows = some_policy(space), all_rows(space)[[0, 1, 20]]
    weights = np.array([0.5, 0.3, 0.2])

    def entropy() -> float:
        logs = np.log(np.where(policy.probabilities > 0, policy.probabilities, 1))
        of_choices = -(policy.probabilities * logs).sum(axis=1)
        return float(weights @ ((rows >= 0) * of_choices).sum(axis=1))

    assert policy.entropy_gradient(rows, weights) == pytest.approx(numeric_gradient(policy, entropy), abs=1e-8)


def test_runs_are_policies_of_their_own() -> None:
    space = ToySpace()
    many = FactorisedPolicy(space, (2, 3))
    steps = np.random.default_rng(11).normal(size=many.probabilities.shape)
    many.shift(steps)
    rows = many.sample(np.random.default_rng(12), 4)
    weights = np.random.default_rng(13).normal(size=(2, 3, 4))
    assert rows.shape == (2, 3, 4, 4)
    for run in np.ndindex(2, 3):
        one = FactorisedPolicy(space)
        one.shift(steps[run])
        assert many.log_prob(rows)[run] == pytest.approx(one.log_prob(rows[run]))
        assert many.score(rows, weights)[run] == pytest.approx(one.score(rows[run], weights[run]))
        assert many.most_probable()[run].tolist() == one.most_probable().tolist()


def test_the_most_probable_value_of_every_choice_makes_the_final_network() -> None:
    space = ToySpace()
    policy = FactorisedPolicy(space)
    step = np.zeros_like(policy.probabilities)
    step[0, 2] = step[1, 0] = step[2, 1] = step[3, 3] = 1
    policy.shift(step)
    assert space.from_indices(policy.most_probable()[None]) == [space.architecture(width=32, layers=1, last=5)]
