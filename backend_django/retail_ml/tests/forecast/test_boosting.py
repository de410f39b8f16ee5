"""The same pipeline runs on LightGBM and, where that cannot be loaded, on scikit-learn."""

import sys

import numpy as np
import pytest

from retail_ml.forecast import boosting


@pytest.fixture(params=["lightgbm", "without it"])
def library(request, monkeypatch):
    if request.param == "without it":
        monkeypatch.setitem(sys.modules, "lightgbm", None)  # import raises ImportError
    boosting.available.cache_clear()
    yield request.param
    monkeypatch.undo()
    boosting.available.cache_clear()


def rows(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 3))
    X[rng.random(n) < 0.1, 1] = np.nan
    return X, rng


def test_learns_a_step_with_unknowns_and_ranks_its_column(library):
    X, rng = rows()
    y = 5 + 4 * (X[:, 0] > 0) + rng.normal(0, 0.1, len(X))
    model = boosting.regressor(rounds=60).fit(X, y)
    low, high = model.predict(np.array([[-0.5, np.nan, 0.0], [0.5, np.nan, 0.0]]))
    assert (low, high) == (pytest.approx(5, abs=0.4), pytest.approx(9, abs=0.4))
    assert model.importances_.argmax() == 0
    assert bool(model.text_) == (library == "lightgbm")
    assert (model.estimator_ is None) == (library == "lightgbm")


def test_offset_of_a_log_link_is_a_rate_to_multiply(library):
    X, rng = rows(2_000, 1)
    rate = rng.uniform(1, 100, len(X))
    y = rng.poisson(rate * np.where(X[:, 0] > 0, 2.0, 0.5)).astype(float)
    model = boosting.regressor(objective="tweedie", rounds=80).fit(X, y, offset=np.log(rate))
    ahead = np.array([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0], [0.5, 0.0, 0.0]])
    found = model.predict(ahead, offset=np.log([10.0, 10.0, 70.0]))
    np.testing.assert_allclose(found, [20, 5, 140], rtol=0.15)


def test_the_stored_text_answers_as_the_model_does():
    lightgbm = pytest.importorskip("lightgbm")
    X, _ = rows()
    model = boosting.regressor(rounds=10, seed=3).fit(X, X[:, 0])
    again = lightgbm.Booster(model_str=model.text_).predict(X, num_threads=1)
    np.testing.assert_allclose(again, model.predict(X))
    assert boosting.regressor(rounds=10, seed=3).fit(X, X[:, 0]).text_ == model.text_
