"""Values and chances: shrinkage, the hold-out, and that nobody sees the future."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from scipy.stats import gamma, poisson

from retail_ml.segment import holdout, probability
from retail_ml.segment.features import Visits, features, visits
from retail_ml.segment.value import METHODS, SIMPLE, activity, cells, expect, gamma_poisson, mean_visit, ratio_table
from retail_ml.tests.segment.shops import AS_OF, busy, lines


@pytest.fixture(scope="module")
def shop() -> Visits:
    """A busy shop."""
    return visits(lines(busy(400)), AS_OF)


def test_gamma_poisson_finds_the_parameters_it_was_drawn_from():
    rng = np.random.default_rng(0)
    days = rng.uniform(100, 700, 200_000)
    counts = poisson.rvs(gamma.rvs(0.8, scale=1 / 60, size=len(days), random_state=rng) * days, random_state=rng)
    r, alpha = gamma_poisson(counts.astype(float), days)
    assert (r, alpha) == (pytest.approx(0.8, rel=0.03), pytest.approx(60, rel=0.03))


def test_a_mean_visit_lies_between_the_customers_own_and_the_shops(shop):
    known = features(shop, AS_OF)
    value, k = mean_visit(shop, known, AS_OF)
    n, own = known["visits"].to_numpy(), known["spent"].to_numpy() / known["visits"].to_numpy()
    overall = np.average(own, weights=n / (n + k))
    assert 0.1 <= k <= 50
    assert (value >= np.minimum(own, overall) - 1e-9).all()
    assert (value <= np.maximum(own, overall) + 1e-9).all()
    pull = np.abs(value - own) / np.abs(overall - own)
    np.testing.assert_allclose(pull, k / (n + k))  # fewer visits, more of the shop


def test_a_cell_without_customers_takes_the_shops_ratio():
    shop_of_one = features(visits(lines([("a", 10, 5.0)]), AS_OF), AS_OF)
    table = ratio_table(shop_of_one, np.array([3.0]), np.array([1.5]), 5.0)
    np.testing.assert_allclose(table, 2.0)


def test_activity_by_hand():
    """Forty came once, 100 days ago; twenty of them again in the last 50 days.

    50 days ago nobody had come twice, so the rate was half an order in all 40 x 50 days: 0.5 orders are expected of the
    forty, 20 came, and every cell borrows that ratio of 40.
    """
    sales = [(f"c{i:02}", 100, 10.0) for i in range(40)] + [(f"c{i:02}", 20, 10.0) for i in range(20)]
    np.testing.assert_allclose(activity(visits(lines(sales), AS_OF), AS_OF, 50), 40.0, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_expectations_do_not_see_the_future(shop, method):
    """Another future, the same expectation."""
    then = AS_OF - timedelta(days=90)
    past = [sale for sale in busy(400) if sale[1] >= 90]
    other = visits(lines([*past, *((f"c{i:03}", 5, 9_999.0) for i in range(0, 400, 2))]), AS_OF)
    for seen in (other, visits(lines(past), AS_OF)):
        known, again = features(shop, then), features(seen, then)
        ours = expect(method, shop, known, then, days=90, window=90)
        theirs = expect(method, seen, again, then, days=90, window=90)
        by_id = dict(zip(seen.ids.gather(again["row"]), theirs.revenue, strict=True))
        np.testing.assert_array_equal([by_id[i] for i in shop.ids.gather(known["row"])], ours.revenue)


def test_the_holdout_beside_naive_methods(shop):
    proof = holdout.validate(shop, AS_OF)
    table = proof.table
    assert set(table["methods"]) == set(METHODS)
    assert table["days"] == (AS_OF - shop.first_day).days // 3 or table["days"] == 180
    cutoff = AS_OF - timedelta(days=table["days"])
    assert table["customers"] == len(features(shop, cutoff)) < len(features(shop, AS_OF))
    simple, mean = (table["methods"][name] for name in (SIMPLE, "mean_rate"))
    assert simple["revenue"]["rmse"] < mean["revenue"]["rmse"]
    assert simple["top_decile_share"] > mean["top_decile_share"]
    assert 0.7 <= table["coverage_same_days"] <= 1
    assert table["coverage"] is None  # a window and its own past before the one before: longer than the history
    assert proof.method == SIMPLE


def test_a_naive_method_that_is_clearly_better_serves():
    """Customers who changed their rhythm long ago: their own last window is right, their lifelong rate is not."""
    sales = []
    for i in range(80):
        late, early = (7, 45) if i % 2 else (45, 7)
        sales += [(f"c{i:02}", 1 + i % 5 + late * j, 10.0 + i) for j in range(560 // late)]
        sales += [(f"c{i:02}", 570 + early * j, 10.0 + i) for j in range(400 // early)]
    proof = holdout.validate(visits(lines(sales), AS_OF), AS_OF)
    assert proof.method in METHODS[1:]
    assert proof.beats_baseline is None


def test_what_loses_to_a_naive_method_does_not_serve():
    def table(**rmse: float) -> dict:
        return {name: {"revenue": {"mae": 1.0, "rmse": rmse.get(name, 9.0)}} for name in METHODS}

    assert holdout.choose(table(simple_rate=5.0)) == SIMPLE
    assert holdout.choose(table(simple_rate=5.0, previous_window_repeats=4.99)) == "previous_window_repeats"
    assert holdout.choose(table(simple_rate=5.0, mean_rate=5.0)) == "mean_rate"  # as good is not better


def test_a_band_of_yesterday_covers_today_where_nothing_turns():
    long = visits(lines(busy(800, days=900)), AS_OF)
    table = holdout.validate(long, AS_OF).table
    assert 0.75 <= table["coverage"] <= 1


def test_coverage_is_that_of_a_band_made_before():
    """Everybody spends in each window of 100 days what was spent in the one before, but ten times that in the last."""
    steady = [(f"c{i:02}", 50 + 100 * j, 10.0 + i) for i in range(60) for j in range(6)]
    boom = [(c, ago, 10 * amount if ago < 100 else amount) for c, ago, amount in steady]
    cutoff = AS_OF - timedelta(days=100)
    kept, lost = (
        holdout.coverage("previous_window", visits(lines(sales), AS_OF), cutoff, days=100) for sales in (steady, boom)
    )
    assert kept == 1
    assert lost == 0
    few = visits(lines(steady[: 6 * (holdout.GROUP - 1)]), AS_OF)
    assert holdout.coverage("previous_window", few, cutoff, days=100) is None


def test_a_band_holds_its_expectation_and_covers():
    rng = np.random.default_rng(1)
    expected = rng.gamma(1, 100, 4_000)
    actual = rng.gamma(2, expected / 2)
    lower, upper = holdout.Band.fit(expected[::2], actual[::2], 30).bounds(expected[1::2], 30)
    assert (lower <= expected[1::2]).all()
    assert (upper >= expected[1::2]).all()
    inside = (actual[1::2] >= lower) & (actual[1::2] <= upper)
    assert 0.76 <= inside.mean() <= 0.86
    np.testing.assert_allclose(holdout.Band.fit(expected, actual, 30).bounds(expected, 60)[1][:1] > 0, True)


def test_too_little_history_gives_a_reason_instead_of_a_value():
    few = visits(lines([(f"c{i}", 3 + i, 10.0) for i in range(12)]), AS_OF)
    assert holdout.validate(few, AS_OF).reason["code"] == "segment.no_holdout"
    assert probability.learn(few, AS_OF).reason["code"] == "segment.no_probability_history"


def test_chances_order_customers_and_beat_the_base_rate(shop):
    chance = probability.learn(shop, AS_OF)
    assert chance.receipt["auc"] > 0.65
    assert chance.receipt["brier"] < chance.receipt["baseline"]["brier"]
    known = features(shop, AS_OF)
    found = chance.of(known)
    assert ((found > 0) & (found < 1)).all()
    recency = cells(known)[0]
    assert found[recency == 0].mean() > found[recency == recency.max()].mean()


def test_the_tested_chances_do_not_see_the_tested_days(shop, monkeypatch):
    """The table that is tested is learnt from windows that end before the test begins."""
    seen_until = []
    real = probability.ratio_table

    def spy(known, hit, ones, prior):
        seen_until.append(len(hit))
        return real(known, hit, ones, prior)

    monkeypatch.setattr(probability, "ratio_table", spy)
    probability.learn(shop, AS_OF)
    test_size = len(features(shop, AS_OF - timedelta(days=90)))
    assert seen_until[1] == seen_until[0] + test_size


def test_chances_that_tell_nothing_are_not_given():
    """The last 90 days turn all round: who always came stays away, and who was gone comes back."""
    sales = [(f"loyal{i:02}", 95 + 30 * j, 10.0) for i in range(40) for j in range(12)]
    sales += [(f"gone{i:02}", ago, 10.0) for i in range(40) for ago in (440, 50)]
    chance = probability.learn(visits(lines(sales), AS_OF), AS_OF)
    assert chance.table is None
    assert chance.reason["code"] == "segment.probability_not_better"


def test_auc_against_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    score, hit = rng.integers(0, 5, 300).astype(float), rng.integers(0, 2, 300).astype(float)
    assert probability.auc(score, hit) == pytest.approx(roc_auc_score(hit, score))
    assert probability.auc(score, np.zeros(300)) is None
