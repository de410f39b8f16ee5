"""Demand behind censored sales."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import nbinom

from retail_ml import frames
from retail_ml.inventory import censoring, plan
from retail_ml.inventory import demand as dm
from retail_ml.inventory import history as hs
from retail_ml.inventory.policy import Rules
from retail_ml.shelf import StockDays
from retail_ml.tests.inventory.tables import AS_OF, demand, lines, products, stock


@pytest.mark.parametrize(("x", "r", "mean"), [(0, 2, 2), (1, 0.3, 0.5), (7, 1.5, 3), (30, 0.8, 4), (2, 20, 9)])
def test_expectations_beyond_a_bound_against_the_sum(x, r, mean):
    k = np.arange(x, 4_000)
    mass = nbinom.pmf(k, r, r / (r + mean))
    found = censoring.expected_beyond(np.array(float(x)), np.array(float(r)), np.array(float(mean)))
    assert float(found[0]) == pytest.approx(float((k * mass).sum() / mass.sum()), rel=1e-6)
    assert float(found[1]) == pytest.approx(float((k.astype(float) ** 2 * mass).sum() / mass.sum()), rel=1e-6)


def served(fill_days: float, *, seed: int, variants: int = 500, days: int = 365):
    """Negative binomial demand met from a shelf that is reordered at so many days of demand; what is missed is lost."""
    rng = np.random.default_rng(seed)
    rate, shape = np.exp(rng.normal(0, 1, variants)), rng.gamma(2, 0.5, variants) + 0.1
    asked = rng.negative_binomial(shape[:, None], (shape / (shape + rate))[:, None], (variants, days)).astype(float)
    shelf, coming, arrivals = np.ceil(rate * 14), np.zeros(variants), np.zeros((variants, days + 20))
    sold, out, ran_out = np.zeros_like(asked), np.zeros(asked.shape, bool), np.zeros(asked.shape, bool)
    for t in range(days):
        shelf, coming = shelf + arrivals[:, t], coming - arrivals[:, t]
        out[:, t], ran_out[:, t] = shelf <= 0, (shelf > 0) & (asked[:, t] >= shelf)
        sold[:, t] = np.minimum(shelf, asked[:, t])
        shelf = shelf - sold[:, t]
        order = np.where(shelf + coming <= rate * fill_days, np.ceil(rate * 14), 0.0)
        arrivals[np.arange(variants), t + rng.integers(5, 12, variants)] += order
        coming += order
    return asked, sold, out, ran_out


@pytest.mark.parametrize(("fill_days", "raw", "most"), [(8, -0.08, 0.03), (3, -0.20, 0.06)])
def test_bias_of_the_mean_is_small_where_sales_are_far_too_low(fill_days, raw, most):
    asked, sold, out, ran_out = served(fill_days, seed=3)
    found = censoring.demand_behind(sold, ~out, ran_out)
    rate = found.sum(axis=1) / np.maximum((~out).sum(axis=1), 1)
    true = asked.mean(axis=1)
    assert sold.sum() / asked.sum() - 1 < raw
    assert abs(rate.sum() / true.sum() - 1) <= most


def test_only_days_that_ran_out_are_changed_and_only_upwards():
    _, sold, out, ran_out = served(5, seed=4, variants=60)
    found = censoring.demand_behind(sold, ~out, ran_out)
    assert (found[ran_out] >= sold[ran_out]).all()
    assert (found[~ran_out] == sold[~ran_out]).all()
    nothing = np.zeros_like(ran_out)
    assert censoring.demand_behind(sold, ~out, nothing) is sold


def shelf_of(ids: list[str], out: np.ndarray, ran_out: np.ndarray | None = None) -> StockDays:
    start = AS_OF - timedelta(days=out.shape[1] - 1)
    ran = np.zeros_like(out) if ran_out is None else ran_out
    return StockDays(np.array(ids), start, out, ran, np.ones(len(out), bool), {}, refused=False)


def test_days_without_stock_are_missing_and_not_zero():
    """Half of the days sold out: the rate is that of the other half; a long absence is believed after a quarter."""
    daily = np.tile(np.r_[np.full(10, 3.0), np.zeros(10)], 15)
    gone = np.r_[np.full(140, 3.0), np.zeros(160)]
    units = {"gone": gone, "shop": np.ones(300), "v": daily}
    variants = pl.DataFrame(
        {"variant_id": list(units), "category": [""] * 3, "created": pl.Series([None] * 3, dtype=pl.Date)}
    )
    h = hs.history(lines(units), variants, until=AS_OF)
    out = np.stack([gone == 0, np.zeros(300, bool), daily == 0])
    known = hs.behind(h, shelf_of(list(units), out))
    protection, none = np.full(3, 14), np.zeros(3)
    rates = [dm.estimate(x, protection=protection, lead_sd=none).daily for x in (h, known)]
    assert rates[0][2] < 2.0
    assert rates[1][2] == pytest.approx(3.0, rel=0.1)
    assert rates[1][1] == pytest.approx(rates[0][1], rel=0.1)
    assert rates[1][0] < 1.0  # silent for 160 days, 69 of them count
    assert np.array_equal(known.units, h.units)


def test_the_plan_orders_more_of_what_ran_out():
    """On every second of the last eighty days nothing was there."""
    daily = demand(300, 2.0)
    out = np.zeros(300, bool)
    out[220:] = np.arange(80) % 2 == 0
    daily[out] = 0
    first = AS_OF - timedelta(days=299)
    rows: list[tuple[date, int, float]] = [(first, 8, 1_000.0 + float(daily.sum()))]  # day, hour, units
    for t in np.flatnonzero(daily):
        rows.append((first + timedelta(days=int(t)), 12, -float(daily[t])))
    for t in range(220, 300, 2):  # all taken away the night before, brought back the morning after
        left = 1_000.0 + float(daily[t:].sum())
        rows.append((first + timedelta(days=t - 1), 22, -left))
        rows.append((first + timedelta(days=t + 1), 7, left))
    history = pl.DataFrame(
        {
            "variant_id": ["v"] * len(rows),
            "at": [datetime(d.year, d.month, d.day, hour, tzinfo=UTC) for d, hour, _ in rows],
            "day": [d for d, _, _ in rows],
            "units": [u for _, _, u in rows],
            "kind": ["x"] * len(rows),
        },
        schema=frames.STOCK_HISTORY,
    )
    tables = (lines({"v": daily}), stock(["v"], on_hand=1_000.0), products(["v"]))
    plain = plan.make(*tables, as_of=AS_OF, rules=Rules())
    knowing = plan.make(*tables, as_of=AS_OF, rules=Rules(), records=plan.Records(stock_history=history))
    assert knowing.facts["shelf_used"]
    assert knowing.arrays["daily"][0] > 1.3 * plain.arrays["daily"][0]
    assert knowing.arrays["sold_365"][0] == plain.arrays["sold_365"][0]
