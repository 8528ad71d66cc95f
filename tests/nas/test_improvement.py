from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.improvement import _boxes, expected_improvement
from nas.pareto import hypervolume

SEEDS = st.integers(0, 10**6)


def growth(front: np.ndarray, point: np.ndarray, reference: np.ndarray) -> float:
    directions = ["minimize"] * len(reference)
    return hypervolume(np.vstack([front, point]), directions, reference) - hypervolume(front, directions, reference)


@given(SEEDS, st.integers(1, 4), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_of_a_known_point_it_is_the_growth_of_the_volume(seed: int, objectives: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    front, points = (rng.integers(0, 6, (count, objectives)).astype(float) for count in (size, 9))
    reference = np.full(objectives, 5.0)
    found = expected_improvement(points, np.zeros_like(points), front, reference)
    assert found == pytest.approx([growth(front, point, reference) for point in points])


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_of_a_guess_it_is_the_mean_growth(objectives: int) -> None:
    """Against 800 draws of each point; five of the mean's standard errors allowed."""
    rng = np.random.default_rng(objectives)
    front, reference = rng.random((5, objectives)), np.full(objectives, 1.2)
    mean, deviation = rng.random((3, objectives)), 0.4 * rng.random((3, objectives))
    deviation[0, 0] = 0.0
    found = expected_improvement(mean, deviation, front, reference)
    for row in range(3):
        draws = mean[row] + deviation[row] * rng.standard_normal((800, objectives))
        grown = [growth(front, draw, reference) for draw in draws]
        assert abs(found[row] - np.mean(grown)) <= 5 * np.std(grown) / 800**0.5 + 1e-12


def test_one_objective_is_expected_improvement() -> None:
    # (best - mean) Φ(z) + deviation φ(z) at best 1, mean 1.5, deviation 1.
    found = expected_improvement(np.array([[1.5]]), np.ones((1, 1)), np.array([[1.0], [2.0]]), np.array([9.0]))
    assert found == pytest.approx([-0.5 * 0.30853754 + 0.35206533])


@given(SEEDS, st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_the_boxes_hold_what_is_not_dominated_once(seed: int, objectives: int) -> None:
    rng = np.random.default_rng(seed)
    front, reference = rng.integers(0, 5, (6, objectives)).astype(float), np.full(objectives, 5.0)
    lower, upper = _boxes(front, reference)
    points = rng.uniform(-1, 5, (50, objectives))
    held = ((lower <= points[:, None]) & (points[:, None] < upper)).all(axis=2).sum(axis=1)
    dominated = (front <= points[:, None]).all(axis=2).any(axis=1)
    assert held.tolist() == (~dominated).astype(int).tolist()


def test_a_large_front_is_thinned_to_what_can_be_cut_into_boxes() -> None:
    rng = np.random.default_rng(0)
    directions = rng.random((400, 4)) + 0.01
    front = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    found = expected_improvement(np.full((2, 4), [0.1]), np.zeros((2, 4)), front, np.ones(4))
    assert found[0] == found[1]
    # More than with the whole front, and not by much.
    exact = growth(front[:60], np.full(4, 0.1), np.ones(4))
    assert found[0] == pytest.approx(exact, rel=0.5)
