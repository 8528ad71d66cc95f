"""Regressors: what each has to hold, the ranks they learn from, and how candidates are scored."""

from __future__ import annotations

import numpy as np
import pytest

from nas.gaussian_process import normal_scores
from nas.regressors.acquisition import ACQUISITIONS, expected_improvement
from nas.regressors.base import Prediction
from nas.regressors.catalog import REGRESSORS, create_regressor
from nas.regressors.gaussian_process import GaussianProcess
from nas.regressors.graph import GraphRegressor
from nas.regressors.trees import BoostedTrees
from nas.regressors.two_stage import TwoStage
from searchspaces.errors import InputError
from searchspaces.tabnas import TabNAS

SPACE = TabNAS((4,), 3, layers=2)
EVERY = list(SPACE.enumerate())
RNG = np.random.default_rng(0)


def worth(architectures):
    """Smooth in both widths, the best in the middle."""
    rows = np.array([each.indices[1:3] for each in architectures], dtype=float)
    return -((rows[:, 0] - 12) ** 2) - 0.5 * (rows[:, 1] - 6) ** 2


TRAIN = [EVERY[row] for row in np.random.default_rng(0).choice(len(EVERY), 120, replace=False)]


# One of each kind, small; a graph network is compiled once for all tests.
KINDS = {
    "gaussian_process": GaussianProcess(),
    "trees": BoostedTrees(),
    "ensemble": BoostedTrees(members=4, trees=50),
    "graph": GraphRegressor(members=2, width=16, epochs=30),
}


@pytest.fixture(params=KINDS)
def regressor(request):
    return KINDS[request.param]


def test_every_name_makes_one():
    for name in REGRESSORS:
        assert create_regressor(name) is not create_regressor(name)


def test_it_orders_what_it_never_saw(regressor):
    known, asked = regressor.encode(SPACE, TRAIN), regressor.encode(SPACE, EVERY)
    found = regressor.fit(known, normal_scores(worth(TRAIN)), seed=1).predict(asked)
    assert found.mean.shape == found.std.shape == (400,)
    assert np.isfinite(found.mean).all()
    assert (found.std >= 0).all()
    assert np.corrcoef(found.mean, worth(EVERY))[0, 1] > 0.75


def test_the_same_seed_gives_the_same_and_nothing_is_left_over_from_an_earlier_fit(regressor):
    known, asked = regressor.encode(SPACE, TRAIN), regressor.encode(SPACE, EVERY[::7])
    first = regressor.fit(known, worth(TRAIN), seed=3)
    expected = first.predict(asked).mean
    regressor.fit(known[:40], -worth(TRAIN)[:40], seed=4)
    assert (first.predict(asked).mean == expected).all(), "a later fit changed an earlier one"
    assert (regressor.fit(known, worth(TRAIN), seed=3).predict(asked).mean == expected).all()


def test_equal_targets_one_example_twice_and_no_question(regressor):
    known = regressor.encode(SPACE, [TRAIN[0], TRAIN[0], TRAIN[1]])
    found = regressor.fit(known, np.array([2.0, 2.0, 2.0]), seed=0).predict(known)
    assert found.mean == pytest.approx(2.0, abs=0.2)
    assert len(regressor.fit(known, np.array([1.0, 2.0, 3.0]), seed=0).predict(known[:0]).mean) == 0


def test_two_stages_put_what_they_turn_away_below_the_rest(regressor):
    staged = TwoStage(regressor, good=float(np.median(worth(TRAIN))))
    known, asked = staged.encode(SPACE, TRAIN), staged.encode(SPACE, EVERY)
    found = staged.fit(known, worth(TRAIN), seed=0).predict(asked)
    top = np.argsort(-found.mean)[:40]
    assert worth([EVERY[row] for row in top]).mean() > np.quantile(worth(EVERY), 0.8)
    turned_away = found.mean < worth(TRAIN).min() - 0.6
    assert 0.2 < turned_away.mean() < 0.8
    assert (found.std[turned_away] == 0).all()


def test_two_stages_with_nothing_to_tell_apart_are_one(regressor):
    known = regressor.encode(SPACE, TRAIN[:6])
    staged = TwoStage(regressor, good=5.0)
    targets = np.arange(6) / 10
    found = staged.fit(known, targets, seed=0).predict(known).mean
    assert (found == regressor.fit(known, targets, seed=0).predict(known).mean).all()


# -- the Gaussian process ----------------------------------------------------------------------------------------------


def test_a_gaussian_process_is_sure_of_what_it_saw_and_in_doubt_elsewhere():
    process = GaussianProcess()
    near = [each for each in EVERY if each not in TRAIN]
    posterior = process.fit(process.encode(SPACE, TRAIN[:30]), worth(TRAIN[:30]), seed=0)
    seen, unseen = (posterior.predict(process.encode(SPACE, each)).std for each in (TRAIN[:30], near))
    assert seen.max() < unseen.max()


def test_a_gaussian_process_agrees_with_scikit_learn_at_its_own_hyperparameters():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    process = GaussianProcess()
    known, asked = process.encode(SPACE, TRAIN[:40]), process.encode(SPACE, EVERY[::5])
    targets = worth(TRAIN[:40])
    posterior = process.fit(known, targets, seed=0)
    found = posterior.predict(asked)
    standard = (targets - targets.mean()) / targets.std()
    whitening = posterior.whitening @ posterior.whitening.T
    noise = float(np.diag(np.linalg.inv(whitening)).mean()) - 1
    peer = GaussianProcessRegressor(RBF(np.sqrt(posterior.reach)), alpha=noise, optimizer=None).fit(known, standard)
    mean, std = peer.predict(asked, return_std=True)
    assert found.mean == pytest.approx(targets.mean() + targets.std() * mean, rel=1e-6, abs=1e-6)
    assert found.std == pytest.approx(targets.std() * np.sqrt(posterior.signal) * std, rel=1e-3, abs=1e-2)


def test_many_examples_are_thinned_to_the_best_and_the_latest():
    features = np.eye(700, dtype=np.float32)
    targets = np.arange(700.0)
    posterior = GaussianProcess().fit(features, np.concatenate([targets[600:], targets[:600]]), seed=0)
    kept = np.flatnonzero(posterior.examples.any(axis=0))
    assert len(kept) == 256
    assert set(range(100)) <= set(kept), "the best"
    assert set(range(688, 700)) <= set(kept), "the latest"


# -- scores ------------------------------------------------------------------------------------------------------------


def test_expected_improvement_is_that_of_drawn_values():
    rng = np.random.default_rng(0)
    prediction = Prediction(mean=np.array([0.0, 1.0, -1.0]), std=np.array([1.0, 0.5, 2.0]))
    drawn = prediction.mean[:, None] + prediction.std[:, None] * rng.standard_normal((3, 200_000))
    # Five standard errors of 200,000 draws.
    assert expected_improvement(prediction, 0.5, rng) == pytest.approx(
        np.maximum(drawn - 0.5, 0).mean(axis=1), abs=0.01
    )


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_where_there_is_no_doubt_the_mean_decides(name):
    prediction = Prediction(mean=np.array([-3.0, 0.2, -1.0, 0.9]), std=np.zeros(4))
    score = ACQUISITIONS[name](prediction, 2.0, np.random.default_rng(0))
    assert np.argsort(-score).tolist() == [3, 1, 2, 0]


def test_graph_networks_need_one_at_least():
    with pytest.raises(InputError, match="expected members of 1 or more"):
        GraphRegressor(members=0)


@pytest.mark.parametrize(("option", "value"), [("members", 0), ("trees", 0), ("depth", -1)])
def test_trees_refuse(option, value):
    with pytest.raises(InputError, match=f"expected {option} of 1 or more"):
        BoostedTrees(**{option: value})


def test_an_unknown_regressor_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'trees'"):
        create_regressor("tres")
