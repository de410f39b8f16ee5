"""Mean and variance of demand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from retail_ml.inventory import demand as dm
from retail_ml.inventory import history as hs
from retail_ml.tests.inventory.tables import AS_OF, demand, lines


def variants(*ids: str, created=None, category: str = "") -> pl.DataFrame:
    return pl.DataFrame(
        {"variant_id": list(ids), "category": [category] * len(ids), "created": [created] * len(ids)},
        schema={"variant_id": pl.String, "category": pl.String, "created": pl.Date},
    )


def history(units: dict[str, np.ndarray], *extra: str, created=None) -> hs.History:
    return hs.history(lines(units), variants(*units, *extra, created=created), until=AS_OF)


def estimate(h: hs.History, protection: int = 14) -> dm.Demand:
    n = len(h.start)
    return dm.estimate(h, protection=np.full(n, protection), lead_sd=np.zeros(n))


def test_recency_weighted_mean_by_hand():
    """28 days of 4 a day after 154 of 2: the formula of the docstring, typed out."""
    h = history({"v": np.r_[np.full(154, 2.0), np.full(28, 4.0)]})
    year = (308 + 112) / 182
    expected = 0.45 * (112 + 5 * year) / 33 + 0.35 * (63 * 2 + 112 + 5 * year) / 96 + 0.20 * (420 + 5 * year) / 187
    found = dm.base_rate(h, np.array([h.days]), (np.zeros(1), np.full(1, 14.0)))[0, 0]
    assert found == pytest.approx(expected, rel=1e-12)


def test_closed_weekdays_do_not_lower_the_daily_mean():
    daily = np.ones(210)
    weekday = (np.arange(210) + (AS_OF - timedelta(days=209)).weekday()) % 7
    daily[weekday == 6] = 0
    found = estimate(history({"v": daily})).daily[0]
    assert found == pytest.approx(6 / 7, rel=0.02)


def test_same_day_reversals_are_no_demand_and_returns_are_not_subtracted():
    table = lines({"v": np.r_[np.zeros(60), 5.0, np.zeros(10)]}).with_columns(customer_id=pl.lit("7"))
    big = table.with_columns(units=pl.lit(80_995.0), order_id=pl.lit("big"), day=pl.col("day") + timedelta(days=3))
    back = big.with_columns(units=-pl.col("units"), is_return=pl.lit(True))
    later = table.with_columns(units=pl.lit(-2.0), is_return=pl.lit(True), day=pl.col("day") + timedelta(days=5))
    h = hs.history(pl.concat([table, big, back, later]), variants("v"), until=AS_OF)
    assert h.units[0, -1] == 5.0


def test_row_order_does_not_matter():
    units = {f"v{i}": demand(300, 0.3 * i + 0.1, seed=i) for i in range(8)}
    table = lines(units)
    one = hs.history(table, variants(*units), until=AS_OF)
    other = hs.history(table.sample(fraction=1, shuffle=True, seed=3), variants(*reversed(list(units))), until=AS_OF)
    assert np.array_equal(one.units, other.units)
    assert np.array_equal(estimate(one).variance, estimate(other).variance)


def test_the_future_changes_nothing():
    units = {f"v{i}": demand(400, 1.0, seed=i) for i in range(5)}
    whole = lines(units)
    cut = AS_OF - timedelta(days=50)
    early = hs.history(whole.filter(pl.col("day") <= cut), variants(*units), until=cut)
    late = hs.history(whole, variants(*units), until=AS_OF).until(early.days)
    protection, none = np.full(5, 21), np.zeros(5)
    for name in ("daily", "variance"):
        one, other = (getattr(dm.estimate(h, protection=protection, lead_sd=none), name) for h in (early, late))
        assert np.allclose(one, other, rtol=1e-9), name


def test_a_new_item_has_the_rate_of_its_category_and_wide_errors():
    units = {f"v{i}": demand(200, 1.0, seed=i) for i in range(10)}
    table = lines(units)
    made = pl.concat([variants(*units), variants("new", created=AS_OF)])
    found = estimate(hs.history(table, made, until=AS_OF))
    new = found_index(made, "new")
    others = np.delete(found.daily, new)
    assert found.daily[new] == pytest.approx(others.mean(), rel=0.35)
    assert found.ratio[new] > 1.5


def found_index(made: pl.DataFrame, variant: str) -> int:
    return made["variant_id"].sort().to_list().index(variant)


def test_no_sale_in_a_year_means_no_demand():
    found = estimate(history({"old": np.r_[np.full(200, 2.0), np.zeros(380)], "other": demand(580, 1.0)}))
    assert found.daily[0] == 0
    assert found.daily[1] > 0


def test_variance_is_what_forecasts_miss_by():
    """Poisson demand of 2 a day: the error over 14 days is near 28 plus the mean's own noise, far from lumpy."""
    rng = np.random.default_rng(5)
    units = {f"v{i:02}": rng.poisson(2, 400) for i in range(80)}
    ratio = float(np.median(estimate(history(units)).ratio))
    assert 1.02 <= ratio < 2.2
    lumpy = {f"v{i:02}": rng.poisson(0.2, 400) * 10 for i in range(80)}
    assert float(np.median(estimate(history(lumpy)).ratio)) > 6


def test_lead_time_spread_adds_its_share():
    h = history({f"v{i}": demand(300, 2.0, seed=i) for i in range(4)})
    protection = np.full(4, 21)
    without = dm.estimate(h, protection=protection, lead_sd=np.zeros(4))
    with_ = dm.estimate(h, protection=protection, lead_sd=np.full(4, 4.0))
    assert np.allclose(with_.variance - without.variance, (4 * without.daily) ** 2)


def test_a_year_ago_moves_the_mean():
    """The shop sold three times as much in the weeks that lie ahead, a year ago."""
    daily = np.full(560, 2.0)
    ahead = 560 - 365
    daily[ahead : ahead + 28] = 6.0
    level = np.full(560, 2.0)
    up = estimate(history({f"v{i}": daily for i in range(3)}), 28).daily[0]
    flat = estimate(history({f"v{i}": level for i in range(3)}), 28).daily[0]
    assert up > 1.3 * flat
    short = {f"v{i}": daily[-300:] for i in range(3)}
    assert estimate(history(short), 28).daily[0] < 1.1 * flat


def test_days_sold_out_do_not_count_as_days_without_demand():
    """60 of 120 days sold out: with the shelf known, the rate is that of the days in stock."""
    daily = np.tile(np.r_[np.full(10, 3.0), np.zeros(10)], 10)
    h = history({"v": daily, "shop": np.ones(200)})
    there = np.broadcast_to(h.open_days, (2, h.days + 1)).copy()
    there[1 if h.variant_ids[1] == "v" else 0] = np.r_[0, np.cumsum(daily > 0)]
    row = list(h.variant_ids).index("v")
    known = estimate(replace(h, open_days=there)).daily[row]
    assert known == pytest.approx(3.0, rel=0.1)
    assert estimate(h).daily[row] < 2.0


def test_one_huge_order_is_no_rate_but_an_error():
    """A day of 60 times the mean selling day: little of it stays in the rate, all of it in the variance."""
    daily = demand(300, 1.0, seed=2)
    huge = daily.astype(float)
    huge[-40] = 400
    units = {f"v{i}": demand(300, 1.0, seed=10 + i) for i in range(8)}
    plain, with_ = (estimate(history(units | {"w": d})) for d in (daily, huge))
    mean = huge.sum() / (huge > 0).sum()
    cut = huge.copy()
    cut[-40] = dm.SPIKE_TIMES * mean
    h = history(units | {"w": cut})
    rate = dm.daily_mean(h, np.array([h.days]), protection=np.full(9, 14), gamma=dm.prior(h))
    assert with_.daily == pytest.approx(rate[:, 0], rel=1e-9)
    assert with_.daily[-1] < 2.5 * plain.daily[-1]
    assert with_.variance[-1] > 3 * plain.variance[-1]


def test_selling_days_that_are_kept_while_a_history_grows_say_what_a_first_look_says():
    units = {f"v{i}": demand(200, 0.4, seed=i).astype(float) for i in range(9)}
    units["v3"][70], units["v7"][[20, 150]] = 90.0, 60.0
    h, selling = history(units), hs.SellingDays.none(9)
    for days in (50, 57, 57, 120, 200):
        grown, fresh = (hs.without_spikes(h.until(days), times=5.0, selling=kept).excess for kept in (selling, None))
        assert grown is not None
        assert fresh is not None
        for mine, anew in zip(grown, fresh, strict=True):
            np.testing.assert_array_equal(mine, anew)
    assert set(grown[0]) >= {3, 7}


def test_an_empty_shop_has_no_demand():
    found = estimate(hs.history(lines({}), variants("a", "b"), until=AS_OF))
    assert found.daily.tolist() == [0, 0]
    assert np.isfinite(found.variance).all()


def test_kinds_of_demand():
    daily = {
        "smooth": np.full(300, 4.0),
        "lumpy": np.where(np.arange(300) % 20 == 0, np.where(np.arange(300) % 40 == 0, 40.0, 1.0), 0.0),
        "steady_seldom": np.where(np.arange(300) % 10 == 0, 2.0, 0.0),
    }
    found = hs.facts(history(daily))
    assert found["kind"].tolist() == [3, 0, 2]  # in the order of the ids: lumpy, smooth, steady_seldom
    assert found["idle_days"].tolist() == [19, 0, 9]
