"""MBG/NBD, BG/NBD and Gamma-Gamma: published values, other software, and customers that break naive formulas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.special import hyp2f1

from retail_ml.segment import buying, spending
from retail_ml.segment.buying import Buying, History
from retail_ml.segment.spending import Spending
from retail_ml.tests.segment.drawn import drawn

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "lifetime_value.json").read_text())


def one(x: float, last: float, age: float) -> History:
    """A single customer."""
    return History(np.array([float(x)]), np.array([float(last)]), np.array([float(age)]))


def test_published_expectations_of_the_bg_nbd():
    golden = GOLDEN["bg_nbd"]
    model, known = Buying(**golden["parameters"], modified=False), golden["expected_if_known"]
    who = one(known["x"], known["last"], known["age"])
    assert model.expected(who, np.array([known["time"]]))[0, 0] == pytest.approx(known["visits"], abs=1e-3)
    assert model.alive(who)[0] == pytest.approx(known["alive"], abs=1e-5)
    fresh = golden["expected_of_a_newcomer"]
    np.testing.assert_allclose(model.newcomer(np.array(fresh["times"])), fresh["visits"], atol=1e-3)


@pytest.mark.parametrize("row", GOLDEN["bg_nbd"]["log_likelihood"]["rows"])
def test_published_log_likelihoods_of_single_customers(row):
    model = Buying(**GOLDEN["bg_nbd"]["log_likelihood"]["parameters"], modified=False)
    found = buying.log_likelihoods(model, one(row["x"], row["last"], row["age"]))[0]
    assert found == pytest.approx(row["value"], rel=1e-6)


def test_published_expectations_of_the_gamma_gamma():
    golden = GOLDEN["gamma_gamma"]
    model = Spending(**golden["parameters"])
    assert model.mean == pytest.approx(golden["population_mean"], abs=0.1)
    visits, mean, value = (np.array([row[key] for row in golden["expected"]]) for key in ("visits", "mean", "value"))
    np.testing.assert_allclose(model.expected(visits, mean), value, atol=0.1)


@pytest.mark.parametrize("name", ["bg_nbd", "mbg_nbd"])
def test_a_fit_is_that_of_lifetimes(name):
    golden, (who, _) = GOLDEN["drawn_shop"], drawn()
    model = buying.fit(who, modified=name == "mbg_nbd")
    for parameter, value in golden[name]["parameters"].items():
        assert getattr(model, parameter) == pytest.approx(value, rel=2e-6), parameter
    rows = np.array(golden["rows"])
    rows[2] = who.x.argmax()
    some = History(who.x[rows], who.last[rows], who.age[rows])
    np.testing.assert_allclose(model.alive(some), golden[name]["alive"], rtol=1e-6)
    np.testing.assert_allclose(model.expected(some, np.array([10.0]))[:, 0], golden[name]["expected_10"], rtol=1e-6)
    assert model.log_likelihood == pytest.approx(buying.log_likelihoods(model, who).sum(), rel=1e-9)


def test_a_fit_of_spend_is_that_of_lifetimes():
    golden, (who, mean) = GOLDEN["drawn_shop"], drawn()
    model = spending.fit(who.x + 1, mean)
    assert model is not None
    for parameter, value in golden["gamma_gamma"]["parameters"].items():
        assert getattr(model, parameter) == pytest.approx(value, rel=1e-6), parameter
    rows = np.array(golden["rows"])
    rows[2] = who.x.argmax()
    np.testing.assert_allclose(
        model.expected(who.x[rows] + 1, mean[rows]), golden["gamma_gamma"]["expected"], rtol=1e-6
    )


@pytest.mark.parametrize("modified", [False, True])
def test_the_gradient_is_that_of_the_likelihood(modified):
    who, mean = drawn(300)
    z = np.log([0.4, 9.0, 0.7, 2.0])
    for likelihood, at in (
        (buying._Likelihood(np.stack([who.x, who.last, who.age]), np.ones(300), modified), z),
        (spending._Likelihood(who.x + 1, mean), np.log([5.0, 3.0, 12.0])),
    ):
        value, gradient = likelihood(at)
        numeric = approx_fprime(at, lambda point, of=likelihood: of(point)[0], 1e-6)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)
        assert np.isfinite(value)


def test_parameters_are_recovered():
    """MBG/NBD: rate gamma(0.6, 8), leaving beta(0.9, 2)."""
    model = buying.fit(drawn(20_000, seed=1)[0])
    assert (model.r, model.alpha) == (pytest.approx(0.6, rel=0.08), pytest.approx(8.0, rel=0.08))
    assert model.a / (model.a + model.b) == pytest.approx(0.9 / 2.9, rel=0.08)


@pytest.mark.parametrize(("x", "last", "age"), [(0, 0, 20), (3, 15, 20), (30, 19, 20)])
def test_the_expectation_is_the_integral_it_stands_for(x, last, age):
    """E[Y(t)] / P(alive): rate gamma(r+x, alpha+T), leaving beta(a, b+x+1); (1 - (reach/(reach+pt))^(r+x)) / p."""
    model, t = Buying(0.5, 6.0, 0.9, 1.6), 25.0
    reach, k = model.alpha + age, model.r + x
    a, b = model.a, model.b + x + 1

    def inner(s: float) -> float:  # p = s^(1/a) takes the pole of the beta density at 0 away
        p = s ** (1 / a)
        return (1 - (reach / (reach + p * t)) ** k) / p * (1 - p) ** (b - 1) / a

    norm = quad(lambda s: (1 - s ** (1 / a)) ** (b - 1) / a, 0, 1, epsabs=0, epsrel=1e-11)[0]
    wanted = quad(inner, 0, 1, epsabs=0, epsrel=1e-10)[0] / norm
    who = one(x, last, age)
    assert model.expected(who, np.array([t]))[0, 0] / model.alive(who)[0] == pytest.approx(wanted, rel=1e-7)
    z = t / (reach + t)  # and the published form, where that does not overflow
    series = hyp2f1(k, model.b + x + 1, model.a + model.b + x, z)
    published = (model.a + model.b + x) / (model.a - 1) * (1 - (reach / (reach + t)) ** k * series)
    assert wanted == pytest.approx(published, rel=1e-7)


EXTREME = History(
    np.array([0.0, 0.0, 0.0, 1.0, 500.0, 5_000.0, 1.0, 0.0]),
    np.array([0.0, 0.0, 0.0, 0.0, 700.0, 3_000.0, 1e-9, 0.0]),
    np.array([0.0, 1e-9, 4_000.0, 4_000.0, 700.0, 3_650.0, 1e-9, 1.0]),
)


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("a", [1e-3, 0.9999999, 1.0, 1.0000001, 50.0])
def test_extreme_customers_have_finite_expectations(modified, a):
    """Warnings are errors in these tests, so an overflow would fail here."""
    model = Buying(0.3, 40.0, a, 2.0, modified=modified)
    for values in (model.alive(EXTREME), model.buys_within(EXTREME, 90)):
        assert ((values >= 0) & (values <= 1)).all()
    visits = model.expected(EXTREME, np.array([0.0, 1e-6, 90.0, 365.25, 36_525.0]))
    assert np.isfinite(visits).all()
    assert (np.diff(visits, axis=1) >= -1e-9).all()
    assert not np.isnan(model.time_until(EXTREME, 0.5)).any()
    assert (model.time_until(EXTREME, 0.5) > 0).all()
    assert np.isfinite(buying.log_likelihoods(model, EXTREME)[[0, 2, 3, 4, 5, 7]]).all()
    share = model.discount(EXTREME, 30.0 * np.arange(1, 13), 0.01)
    assert ((share > 0.88) & (share < 1)).all()


def test_near_one_the_expectation_has_no_step():
    who, times = one(3, 80, 100), np.array([90.0])
    near = [Buying(0.5, 60.0, a, 2.0).expected(who, times)[0, 0] for a in (0.999, 1 - 1e-7, 1.0, 1 + 1e-7, 1.001)]
    assert near[1:4] == pytest.approx([near[2]] * 3, rel=1e-5)
    assert near[0] > near[2] > near[4]


def test_a_one_time_buyer_fades_in_the_mbg_and_never_in_the_bg():
    long_ago = one(0, 0, 300)
    assert Buying(0.5, 30.0, 0.8, 2.0).alive(long_ago)[0] < 0.5
    assert Buying(0.5, 30.0, 0.8, 2.0, modified=False).alive(long_ago)[0] == 1


def test_the_next_visit_comes_by_its_day_with_its_probability():
    model, who = (
        Buying(0.5, 30.0, 0.8, 2.0),
        History(np.array([4.0, 9.0]), np.array([90.0, 10.0]), np.array([100.0, 300.0])),
    )
    wait = model.time_until(who, 0.5)
    assert model.buys_within(who, float(wait[0]))[0] == pytest.approx(0.5)
    assert wait[1] == np.inf  # gone: the chance never reaches a half


SHOPS = {
    "one customer": History(np.zeros(1), np.zeros(1), np.array([30.0])),
    "all today": History(np.zeros(40), np.zeros(40), np.zeros(40)),
    "all one-time": History(np.zeros(300), np.zeros(300), np.linspace(1, 400, 300)),
    "one wholesaler of 500": History(np.r_[499.0, np.zeros(299)], np.r_[400.0, np.zeros(299)], np.full(300, 400.0)),
    "all alike": History(np.full(300, 3.0), np.full(300, 90.0), np.full(300, 100.0)),
    "like clockwork": History(np.full(300, 50.0), np.full(300, 350.0), np.full(300, 351.0)),
}


@pytest.mark.parametrize("name", SHOPS)
def test_every_shop_has_finite_parameters(name):
    who = SHOPS[name]
    model = buying.fit(who)
    assert all(np.isfinite(getattr(model, p)) and getattr(model, p) > 0 for p in ("r", "alpha", "a", "b"))
    assert np.isfinite(model.expected(who, np.array([90.0]))).all()
    assert model.prior == (int((who.x > 0).sum()) < 200)


def test_the_prior_is_for_small_shops_only():
    """With 20 repeaters the parameters stay within reason; with 200 the likelihood stands alone."""
    few = buying.fit(drawn(50)[0])
    assert few.prior
    assert 0.01 < few.a < 30
    assert not buying.fit(drawn(1_500)[0]).prior


def test_spend_of_nothing_and_less():
    assert spending.fit(np.array([1.0, 2.0]), np.array([0.0, -5.0])) is None
    visits, mean = np.array([1.0, 2.0, 500.0, 3.0]), np.array([-5.0, 10.0, 1e6, 0.0])
    model = spending.fit(visits, mean)
    assert model is not None
    value = model.expected(visits, mean)
    assert (np.isfinite(value) & (value >= 0)).all()


def test_equal_customers_are_computed_once_and_all_get_it():
    model = Buying(0.5, 30.0, 0.8, 2.0)
    who = History(np.array([2.0, 0.0, 2.0]), np.array([10.0, 0.0, 50.0]), np.array([60.0, 5.0, 60.0]))
    alone = [model.expected(one(*row), np.array([30.0]))[0, 0] for row in zip(who.x, who.last, who.age, strict=True)]
    np.testing.assert_allclose(model.expected(who, np.array([30.0]))[:, 0], alone, rtol=1e-12)
