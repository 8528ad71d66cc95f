"""The NumPy trainer: its gradient, its optimiser, and that it learns as scikit-learn's does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.tabnas_tables.mlp import Mlp, Recipe, _Adam, gradient, parameter_count, train_mlp
from searchspaces.errors import InputError
from searchspaces.tabnas import TabNAS

RECIPE = Recipe(epochs=10, batch_size=32)


def made_up(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes by distance from the origin in the plane: no line tells them apart."""
    x = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return x, np.digitize(np.hypot(*x.T), [0.8, 1.5])


def test_the_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    sizes = (3, 5, 4, 2)
    network = Mlp(sizes, rng.normal(size=parameter_count(sizes)))
    slope = Mlp(sizes, np.empty_like(network.values))
    x, targets = rng.normal(size=(7, 3)), np.eye(2)[rng.integers(2, size=7)]

    def loss() -> float:
        logits = network.activations(x)[-1]
        return float((np.log(np.exp(logits).sum(axis=1)) - (logits * targets).sum(axis=1)).mean())

    gradient(network, slope, x, targets)
    for index in range(len(network.values)):
        kept = network.values[index]
        network.values[index] = kept + 1e-6
        above = loss()
        network.values[index] = kept - 1e-6
        below = loss()
        network.values[index] = kept
        assert slope.values[index] == pytest.approx((above - below) / 2e-6, abs=1e-7)


def test_adam_is_the_one_of_its_paper():
    rng = np.random.default_rng(1)
    values = rng.normal(size=6)
    expected, mean, square = values.copy(), np.zeros(6), np.zeros(6)
    optimizer = _Adam(values, steps=20)
    for step in range(20):
        slope = rng.normal(size=6)
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        rate = 0.1 * 0.5 * (1 + math.cos(math.pi * step / 20)) * min(1, (step + 1) / 4)
        corrected = mean / (1 - 0.9 ** (step + 1)), square / (1 - 0.999 ** (step + 1))
        expected -= rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
        optimizer.step(slope.copy(), 0.1)
        np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_a_seed_decides_everything():
    x, y = made_up()
    one, again, other = (train_mlp(x, y, (8, 8), 3, recipe=RECIPE, seed=seed).values for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)


def test_it_learns_what_scikit_learn_learns():
    neural_network = pytest.importorskip("sklearn.neural_network")
    x, y = made_up(1200)
    held_out = made_up(2000, seed=1)
    ours = train_mlp(x, y, (32, 16), 3, recipe=Recipe(epochs=20, batch_size=32), seed=0).accuracy(*held_out)
    fixed = {"max_iter": 20, "n_iter_no_change": 21, "tol": 0.0, "batch_size": 32, "learning_rate_init": 5e-3}
    peer = neural_network.MLPClassifier((32, 16), random_state=0, alpha=0.0, **fixed)
    with pytest.warns(match="Maximum iterations"):
        peer.fit(x, y)
    assert ours > 0.9
    assert ours == pytest.approx(peer.score(*held_out), abs=0.03)


@pytest.mark.parametrize("widths", [(8, 512), (24, 48, 8), (16, 16, 16, 16)])
def test_it_has_the_parameters_of_its_space(widths):
    space = TabNAS((9,), 7, layers=len(widths))
    named = {f"width_{number}": width for number, width in enumerate(widths, start=1)}
    assert parameter_count((9, *widths, 7)) == space.network(space.architecture(**named)).params


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}])
def test_a_recipe_of_nothing_is_refused(wrong):
    with pytest.raises(InputError, match="numbers above 0"):
        Recipe(**wrong)
