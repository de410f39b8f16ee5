"""Values: the blend, the hold-out, the bands, and that nobody sees the future."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from retail_ml.segment import holdout
from retail_ml.segment.features import Visits, features, visits
from retail_ml.segment.past import Band, Past
from retail_ml.segment.value import BLEND, METHODS, MODEL, NAIVE, Shop, flat_discount, margin_share
from retail_ml.segment.worth import VALUES, WINDOWS, Money, appraise, next_day
from retail_ml.tests.segment.shops import AS_OF, busy, lines


@pytest.fixture(scope="module")
def seen() -> Visits:
    """A busy shop of 500 days."""
    return visits(lines(busy(400)), AS_OF)


@pytest.fixture(scope="module")
def shop(seen: Visits) -> Shop:
    """The same, as of its last day."""
    return Shop(seen, AS_OF)


@pytest.mark.parametrize("method", METHODS)
def test_expectations_do_not_see_the_future(seen, method):
    """Another future, the same expectation."""
    then = AS_OF - timedelta(days=90)
    past = [sale for sale in busy(400) if sale[1] >= 90]
    other = visits(lines([*past, *((f"c{i:03}", 5, 9_999.0) for i in range(0, 400, 2))]), AS_OF)
    for changed in (other, visits(lines(past), AS_OF)):
        ours, theirs = Shop(seen, then), Shop(changed, then)
        found = theirs.expect(method, days=90, window=90, share=0.3).revenue
        by_id = dict(zip(changed.ids.gather(theirs.known["row"]), found, strict=True))
        wanted = ours.expect(method, days=90, window=90, share=0.3).revenue
        np.testing.assert_array_equal([by_id[i] for i in seen.ids.gather(ours.known["row"])], wanted)


def test_neither_the_weight_nor_the_band_sees_the_future(seen):
    cutoff = AS_OF - timedelta(days=120)
    past = [sale for sale in busy(400) if sale[1] >= 120]
    other = visits(lines([*past, *((f"c{i:03}", 5, 9_999.0) for i in range(0, 400, 2))]), AS_OF)
    assert Past(seen).own_share(cutoff, 100) == Past(other).own_share(cutoff, 100)
    bands = [Past(one).band(BLEND, cutoff, window=100, share=0.3) for one in (seen, other)]
    assert bands[0] is not None
    assert bands[1] is not None
    np.testing.assert_array_equal(bands[0].upper, bands[1].upper)


def test_the_blend_lies_between_its_halves(shop):
    days, window = 90, 90
    blend, model = (shop.expect(m, days=days, window=window, share=0.25) for m in (BLEND, MODEL))
    own = shop.naive(days, window)["previous_window_repeats"]
    np.testing.assert_allclose(blend.orders, 0.75 * model.orders + 0.25 * own.orders)
    np.testing.assert_allclose(blend.revenue, 0.75 * model.revenue + 0.25 * own.revenue)


def test_the_weight_follows_what_would_have_been_right():
    """Customers who changed their rhythm long ago: their own last window is right, their lifelong rate is not."""
    past = Past(visits(lines(turncoats()), AS_OF))
    assert past.own_share(AS_OF, 180) >= 0.7
    assert Past(visits(lines(busy(400)), AS_OF)).own_share(AS_OF, 120) <= 0.5


def turncoats() -> list[tuple[str | None, int, float]]:
    """Every other customer quick in the last 560 days and slow before; the others the other way round."""
    sales: list[tuple[str | None, int, float]] = []
    for i in range(80):
        late, early = (7, 45) if i % 2 else (45, 7)
        sales += [(f"c{i:02}", 1 + i % 5 + late * j, 10.0 + i) for j in range(560 // late)]
        sales += [(f"c{i:02}", 570 + early * j, 10.0 + i) for j in range(400 // early)]
    return sales


def test_the_holdout_beside_naive_methods(seen):
    proof = holdout.validate(Past(seen), AS_OF)
    table = proof.table
    assert set(table["methods"]) == set(METHODS)
    assert table["days"] == min(180, (AS_OF - seen.first_day).days // 3)
    cutoff = AS_OF - timedelta(days=table["days"])
    assert table["customers"] == len(features(seen, cutoff)) < len(features(seen, AS_OF))
    blend, mean = (table["methods"][name] for name in (BLEND, "mean_rate"))
    assert blend["revenue"]["rmse"] < mean["revenue"]["rmse"]
    assert blend["top_decile_share"] > mean["top_decile_share"]
    assert 0.7 <= table["coverage"] <= 1
    assert proof.method == BLEND


def test_a_naive_method_that_is_clearly_better_serves():
    proof = holdout.validate(Past(visits(lines(turncoats()), AS_OF)), AS_OF)
    assert proof.method in NAIVE
    assert proof.beats_baseline is None


def test_what_loses_to_a_naive_method_does_not_serve():
    def table(orders: float = 9.0, revenue: float = 9.0, lead: float = 0.0) -> dict:
        out = {name: {"orders": {"rmse": 9.0}, "revenue": {"rmse": 9.0}, "lead": {"squared": 0.0}} for name in METHODS}
        out[BLEND] = {"orders": {"rmse": 5.0}, "revenue": {"rmse": 5.0}}
        out["personal_rate"] = {"orders": {"rmse": orders}, "revenue": {"rmse": revenue}, "lead": {"squared": lead}}
        return out

    assert holdout.choose(table()) == (BLEND, True)
    assert holdout.choose(table(orders=5.0)) == ("personal_rate", None)  # as good is not better
    assert holdout.choose(table(revenue=4.0, lead=1.9)) == (BLEND, None)  # three large customers' chance
    assert holdout.choose(table(revenue=4.0, lead=2.1)) == ("personal_rate", None)


def test_errors_by_hand():
    expected, actual = np.arange(20.0, 0, -1), np.r_[np.full(10, 15.0), np.full(10, 5.0)]
    found = holdout.errors(expected, actual)
    assert found["bias"] == pytest.approx(10 / 200, abs=1e-4)
    pairs = np.abs((expected - actual).reshape(10, 2).sum(axis=1)).sum()
    assert found["decile_error"] == pytest.approx(pairs / 200, abs=1e-4)
    assert found["mae"] == pytest.approx(np.abs(expected - actual).mean())


def test_a_band_holds_its_expectation_and_covers():
    rng = np.random.default_rng(1)
    expected = rng.gamma(1, 100, 4_000)
    actual = rng.gamma(2, expected / 2)
    band = Band.fit(expected[::2], actual[::2], 30)
    lower, upper = band.bounds(expected[1::2], 30)
    assert (lower <= expected[1::2]).all()
    assert (upper >= expected[1::2]).all()
    assert 0.76 <= band.coverage(expected[1::2], actual[1::2], 30) <= 0.86
    np.testing.assert_allclose(Band.fit(expected, actual, 30).bounds(expected, 60)[1][:1] > 0, True)


def test_coverage_is_that_of_a_band_made_before():
    """Everybody spends in each window of 100 days what was spent in the one before, but ten times that in the last."""
    steady = [(f"c{i:02}", 50 + 100 * j, 10.0 + i) for i in range(60) for j in range(6)]
    boom = [(c, ago, 10 * amount if ago < 100 else amount) for c, ago, amount in steady]
    cutoff = AS_OF - timedelta(days=100)
    found = []
    for sales in (steady, boom):
        past = Past(visits(lines(sales), AS_OF))
        told = past.expect("previous_window", cutoff, window=100, share=0.0).revenue
        band = past.band("previous_window", cutoff, window=100, share=0.0)
        assert band is not None
        found.append(band.coverage(told, past.came(cutoff, 100).revenue, 100))
    assert found == [1, 0]


def test_origins_end_before_the_day_and_have_history(seen):
    past = Past(seen)
    origins = past.origins(AS_OF, 90)
    assert origins == [AS_OF - timedelta(days=90 * j) for j in range(1, len(origins) + 1)]
    assert len(origins) == 4
    assert past.origins(AS_OF - timedelta(days=490), 90) == []


def test_a_sample_is_every_kth_customer(seen, monkeypatch):
    monkeypatch.setattr("retail_ml.segment.past.SAMPLE", 100)
    past = Past(seen)
    assert past.sampled
    rows = past.at(AS_OF).known["row"].to_list()
    assert rows == [row for row in features(seen, AS_OF)["row"].to_list() if row % 4 == 0]
    assert holdout.validate(past, AS_OF).table["sampled"]


def test_values_grow_and_are_discounted(seen, shop):
    dear, free = (appraise(seen, shop, Money(0.4, 1.0, rate)) for rate in (0.01, 0.0))
    for months in WINDOWS:
        now, later = (one.columns[f"value_{months}"].to_numpy() for one in (dear, free))
        assert (now <= later + 1e-9).all()
        assert now.sum() / later.sum() == pytest.approx(flat_discount(months, 0.01), rel=0.01)
        lower, upper = (dear.columns[f"value_{months}_{side}"].to_numpy() for side in ("lower", "upper"))
        assert (lower <= now).all()
        assert (now <= upper).all()
    assert (dear.columns["value_6"] >= dear.columns["value_3"]).all()
    assert (dear.columns["orders_12"] >= dear.columns["orders_6"]).all()
    assert dear.clv["margin_totals"]["months_12"] == pytest.approx(0.4 * dear.clv["totals"]["months_12"], abs=0.01)


def test_the_model_alone_is_discounted_month_by_month(shop):
    times = 30.0 * np.arange(1.0, 5.0)
    monthly = np.diff(shop.buying.expected(shop.history, times), axis=1, prepend=0.0)
    wanted = (monthly / 1.02 ** np.arange(1, 5)).sum(axis=1) / monthly.sum(axis=1)
    np.testing.assert_allclose(shop.buying.discount(shop.history, times, 0.02), wanted, rtol=1e-9)


def test_next_days_are_in_order_and_within_a_year(shop):
    early, even = next_day(shop, 0.25), next_day(shop, 0.5)
    both = pl.DataFrame({"early": early, "even": even}).drop_nulls()
    assert (both["early"] <= both["even"]).all()
    assert (early.drop_nulls() > AS_OF).all()
    assert (even.drop_nulls() <= AS_OF + timedelta(days=365)).all()
    assert even.null_count() > early.null_count()


def test_margin_needs_the_cost_of_half_of_the_revenue():
    sold = pl.DataFrame(
        {"variant_id": ["a", "b", "a"], "units": [1.0, 1.0, -1.0], "amount": [40.0, 60.0, -40.0],
         "is_return": [False, False, True]}
    )  # fmt: skip
    costs = pl.DataFrame(
        {"variant_id": ["a", "b"], "cost": [10.0, None]}, schema={"variant_id": pl.String, "cost": pl.Float64}
    )
    assert margin_share(sold, costs) == (None, 0.4)
    assert margin_share(sold, costs.with_columns(cost=pl.lit(20.0))) == (0.6, 1.0)
    assert margin_share(sold.clear(), costs) == (None, 0.0)


def test_too_little_history_gives_a_reason_instead_of_a_value():
    few = visits(lines([(f"c{i}", 3 + i, 10.0) for i in range(12)]), AS_OF)
    found = appraise(few, Shop(few, AS_OF), Money())
    assert found.clv["reason"]["code"] == "segment.no_holdout"
    assert found.clv["model"] is None
    assert all(found.columns[name] is None for name in VALUES)


def test_one_wholesaler_among_one_time_buyers():
    """500 orders of one, one each of 80 others over 500 days: answered, and the wholesaler is worth the most."""
    sales = [("whale", j, 1_000.0) for j in range(500)] + [(f"c{i:02}", 6 * i, 20.0) for i in range(80)]
    seen = visits(lines(sales), AS_OF)
    shop = Shop(seen, AS_OF)
    found = appraise(seen, shop, Money())
    assert found.clv["model"] is not None
    value = found.columns["value_12"]
    assert value.is_finite().all()
    assert seen.ids[int(shop.known["row"][int(value.arg_max())])] == "whale"
    assert value.max() == pytest.approx(365_000, rel=0.2)
