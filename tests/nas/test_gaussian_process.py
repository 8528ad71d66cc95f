from __future__ import annotations

import numpy as np
import pytest

from nas.gaussian_process import Kernel, encode, fit_kernel, normal_scores, predict
from nas.testing import ToySpace
from searchspaces.nasbench201 import NASBench201Cells


def test_normal_scores_are_quantiles_and_equal_values_share_theirs() -> None:
    assert normal_scores(np.array([3.0, 1.0, 2.0])) == pytest.approx([0.967421566, -0.967421566, 0.0], abs=1e-8)
    assert normal_scores(np.array([5.0, 5.0, 1.0])) == pytest.approx([0.430727300, 0.430727300, -0.967421566])
    assert normal_scores(np.array([7.0, 7.0])).tolist() == [0, 0]
    # One hopeless network changes no distance among the others.
    good = np.array([0.9, 0.8, 0.7, 0.1])
    assert normal_scores(good).tolist() == normal_scores(np.array([0.9, 0.8, 0.7, -1e9])).tolist()


def test_numbers_are_near_their_neighbours_and_blanks_in_the_middle() -> None:
    space = ToySpace()
    rows = encode(space, [space.parse("toy:0-0-x-3"), space.parse("toy:1-1-2-0")])
    assert rows.tolist() == [[0, 0, 0.5, 1], [0.5, 1, 1, 0]]


def test_equal_networks_are_alike_though_the_space_holds_them_apart() -> None:
    space = NASBench201Cells()
    none, skip = ({choice.name: value for choice in space.choices} for value in ("none", "skip_connect"))
    # What leaves a node that nothing reaches makes no difference.
    twins = [space.architecture(**none), space.architecture(**{**none, space.choices[1].name: "nor_conv_3x3"})]
    rows = encode(space, [*twins, space.architecture(**skip)])
    assert rows[0].tolist() == rows[1].tolist() != rows[2].tolist()
    assert space.representatives(space.representatives(twins)) == space.representatives(twins)


def test_prediction_by_hand() -> None:
    """Two points that differ in one choice of weight ln 2 are half alike."""
    kernel = Kernel(weights=np.array([np.log(2.0)]), noise=0.0)
    rows, scores = np.array([[0]]), np.array([2.0])
    mean, deviation = predict(kernel, rows, scores, np.array([[0], [1]]))
    assert mean == pytest.approx([2.0, 1.0])
    # The variance is scores' own, 4 over one point; what is unexplained of it is 0 and 3/4.
    assert deviation == pytest.approx([0.0, (4 * 0.75) ** 0.5], abs=1e-4)


def test_the_choices_that_matter_are_found() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 4, (60, 5))
    kernel = fit_kernel(rows, normal_scores(3.0 * rows[:, 1] + 1.0 * (rows[:, 3] == 2)))
    weights = kernel.weights
    assert weights[1] > 3 * max(weights[0], weights[2], weights[4])
    assert weights[3] > max(weights[0], weights[2], weights[4])


def test_the_gradient_is_that_of_the_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    import scipy.optimize

    asked = []

    def look(function, start, **_):  # type: ignore[no-untyped-def]
        point = start + 0.3 * np.arange(len(start))
        value, slope = function(point)
        for column in range(len(point)):
            step = np.zeros(len(point))
            step[column] = 1e-6
            asked.append(((function(point + step)[0] - function(point - step)[0]) / 2e-6, slope[column]))
        return scipy.optimize.OptimizeResult(x=start, fun=value)

    monkeypatch.setattr(scipy.optimize, "minimize", look)
    rng = np.random.default_rng(1)
    fit_kernel(rng.integers(0, 3, (20, 4)), rng.standard_normal(20))
    assert len(asked) == 5
    for numeric, exact in asked:
        assert exact == pytest.approx(numeric, rel=1e-4, abs=1e-5)


def test_it_predicts_what_it_has_not_seen() -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 4, (300, 6))
    truth = rows[:, 0] * 1.0 + 2 * (rows[:, 1] == rows[:, 2]) + 0.5 * rows[:, 4]
    scores = normal_scores(truth)
    kernel = fit_kernel(rows[:120], scores[:120])
    mean, deviation = predict(kernel, rows[:120], scores[:120], rows[120:])
    error = mean - scores[120:]
    assert np.corrcoef(mean, scores[120:])[0, 1] > 0.8
    assert (np.abs(error) < 2 * deviation).mean() > 0.85


def test_rows_that_are_all_alike_or_come_twice_are_no_trouble() -> None:
    same = np.zeros((5, 3), dtype=np.int64)
    kernel = fit_kernel(same, np.zeros(5))
    mean, deviation = predict(kernel, same, np.zeros(5), np.array([[0, 0, 0], [1, 1, 1]]))
    assert np.isfinite([mean, deviation]).all()
    twice = np.repeat(np.arange(6)[:, None], 2, axis=0)
    kernel = fit_kernel(twice, normal_scores(np.arange(12.0)))
    assert np.isfinite(predict(kernel, twice, normal_scores(np.arange(12.0)), twice)).all()
