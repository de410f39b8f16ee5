"""Stated chances of an empty shelf in a shop whose demand is known: they come true as often as they say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import poisson

from retail_ml import frames
from retail_ml.inventory import claims, live, plan, recalibration
from retail_ml.inventory.policy import Rules
from retail_ml.tests.inventory.tables import AS_OF, products, stock

VARIANTS, PAST, AHEAD, LEAD, SPREAD = 2_500, 400, 45, 14, 3.5
MADE = AS_OF - timedelta(days=AHEAD)
IDS = [f"v{i:04}" for i in range(VARIANTS)]
RULES = Rules()


@dataclass(frozen=True, eq=False)
class Shop:
    """Poisson demand of steady, known rates; an owner who orders once a week; suppliers who come early and late."""

    rate: np.ndarray
    sold: np.ndarray
    arrived: np.ndarray
    evening: np.ndarray
    orders: list[tuple[np.ndarray, int, np.ndarray, np.ndarray]]

    def lines(self, days: int) -> pl.DataFrame:
        row, t = np.nonzero(self.sold[:, :days])
        units = self.sold[row, t]
        table = _events(row, t, units).with_columns(
            order_id=pl.format("{}-{}", "variant_id", "day"),
            customer_id=pl.lit(None, pl.String),
            product_id="p-" + pl.col("variant_id"),
            amount=10 * pl.col("units"),
            is_return=pl.lit(value=False),
        )
        return frames.check(table.select(list(frames.ORDER_LINES)), frames.ORDER_LINES, name="lines")

    def moves(self, days: int) -> pl.DataFrame:
        came, went = self.arrived[:, :days], self.sold[:, :days]
        parts = []
        for units, sign, hour, kind in ((came, 1.0, 8, "receipt"), (went, -1.0, 12, "sale")):
            row, t = np.nonzero(units)
            parts.append(_events(row, t, sign * units[row, t], hour=hour).with_columns(kind=pl.lit(kind)))
        table = pl.concat(parts).select(list(frames.STOCK_HISTORY))
        return frames.check(table, frames.STOCK_HISTORY, name="stock history")

    def stock(self, days: int) -> pl.DataFrame:
        waiting = self.open_orders(days).group_by("variant_id").agg(pl.col("units").sum())
        table = stock(IDS, on_hand=self.evening[:, days - 1].tolist(), lead_time_days=float(LEAD), lead_time_sd=SPREAD)
        table = table.drop("on_order").join(waiting.rename({"units": "on_order"}), on="variant_id", how="left")
        return table.with_columns(pl.col("on_order").fill_null(0.0)).select(list(frames.STOCK))

    def open_orders(self, days: int) -> pl.DataFrame:
        """Those sent before day `days` that come on it or later."""
        parts = []
        for rows, sent, comes, units in self.orders:
            late = (comes >= days) & (sent < days)
            on = _day(sent)
            parts.append(
                pl.DataFrame(
                    {
                        "variant_id": [IDS[i] for i in rows[late]], "order_id": str(sent), "number": str(sent),
                        "supplier_id": "1", "ordered": on, "expected": on + timedelta(days=LEAD),
                        "units": units[late], "draft": False,
                    },
                    schema=frames.OPEN_ORDERS,
                )
            )  # fmt: skip
        return pl.concat(parts)


def _day(t: int) -> date:
    return AS_OF - timedelta(days=PAST + AHEAD - 1 - t)


def _events(row: np.ndarray, t: np.ndarray, units: np.ndarray, *, hour: int = 12) -> pl.DataFrame:
    day = pl.lit(_day(0)) + pl.duration(days=pl.col("t"))
    table = pl.DataFrame({"variant_id": np.array(IDS)[row], "t": t, "units": units.astype(float)})
    at = day.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + pl.duration(hours=hour)
    return table.with_columns(day=day.cast(pl.Date), at=at).drop("t")


@pytest.fixture(scope="module")
def shop() -> Shop:
    rng = np.random.default_rng(20)
    rate = np.exp(rng.normal(np.log(0.06), 0.9, VARIANTS))
    days = PAST + AHEAD
    asked = rng.poisson(rate[:, None], (VARIANTS, days)).astype(float)
    sold, arrived, evening = np.zeros_like(asked), np.zeros((VARIANTS, days + 90)), np.zeros_like(asked)
    arrived[:, 0] = np.ceil(rate * rng.uniform(5, 60, VARIANTS))
    shelf, on_order, orders = np.zeros(VARIANTS), np.zeros(VARIANTS), []
    for t in range(days):
        shelf += arrived[:, t]
        on_order -= arrived[:, t] if t else 0.0
        sold[:, t] = np.minimum(asked[:, t], shelf)
        shelf -= sold[:, t]
        evening[:, t] = shelf
        if t % 7 == 0:
            rows = np.flatnonzero(shelf + on_order <= np.ceil(rate * (LEAD + 7)))
            comes = t + np.maximum(np.rint(rng.normal(LEAD, SPREAD, len(rows))), 1).astype(int)
            units = np.ceil(rate[rows] * 45)
            arrived[rows, comes] += units
            on_order[rows] += units
            orders.append((rows, t, comes, units))
    return Shop(rate, sold, arrived[:, :days], evening, orders)


@pytest.fixture(scope="module")
def trained(shop: Shop) -> plan.Arrays:
    records = plan.Records(stock_history=shop.moves(PAST))
    return plan.make(shop.lines(PAST), shop.stock(PAST), products(IDS), as_of=MADE, rules=RULES, records=records).arrays


@pytest.fixture(scope="module")
def scored(shop: Shop, trained: plan.Arrays) -> pl.DataFrame:
    """Claims of an empty shelf made on one day, one per variant, with what came and the true chance."""
    frame = live.assess(
        trained, shop.stock(PAST), products(IDS), open_orders=shop.open_orders(PAST),
        days=(MADE, MADE + timedelta(days=1)), rules=RULES,
    ).frame  # fmt: skip
    made = claims.make(frame, review_days=RULES.review_days).filter(pl.col("code") == claims.SUGGESTION)
    made = made.with_columns(made_on=pl.lit(MADE), due_on=pl.lit(MADE) + pl.duration(days="days"))
    abc = frame.select("variant_id", "abc")
    days = PAST + AHEAD
    came = claims.outcomes(made, shop.lines(days), shop.stock(days), shop.moves(days), abc=abc, as_of=AS_OF)
    rate = shop.rate[made["variant_id"].str.slice(1).cast(pl.Int64).to_numpy()]
    truth = poisson.sf(made["stock"].to_numpy() - 1, rate * made["days"].to_numpy())
    return pl.concat([made, came], how="horizontal").with_columns(truth=pl.Series(truth))


@pytest.mark.parametrize(("low", "high"), [(0.25, 0.4), (0.4, 0.9)])
def test_a_stated_chance_is_the_true_one(scored: pl.DataFrame, low: float, high: float):
    """Goods are suggested because their recent sales were high and their shelf is low, and half of that is chance."""
    some = scored.filter(pl.col("probability").is_between(low, high))
    assert len(some) > 50
    assert some["probability"].mean() == pytest.approx(some["truth"].mean(), abs=0.07)


def test_what_came_is_what_was_stated(scored: pl.DataFrame):
    """Deliveries that come early empty no shelf, and make no claim of it false."""
    some = scored.filter(pl.col("probability") > 0.2, pl.col("unknown") == "")
    said, came = some["probability"], some["came_true"].sum()
    spread = float((said * (1 - said)).sum() ** 0.5)
    assert len(some) > 140
    assert abs(said.sum() - came) < 2.5 * spread


@pytest.fixture(scope="module")
def slow(shop: Shop, trained: plan.Arrays) -> tuple[pl.DataFrame, np.ndarray]:
    """Claims of slow goods on shelves of 160 days, and the true mean demand until each is decided.

    The shop never had such shelves: what its own past teaches (`recalibration`) is of others.
    """
    full = stock(IDS, on_hand=np.ceil(160 * shop.rate).tolist())
    plain = trained | {"recalibration": recalibration.AS_STATED}
    frame = live.assess(
        plain, full, products(IDS), days=(MADE, MADE + timedelta(days=1)), rules=RULES,
        open_orders=frames.empty(frames.OPEN_ORDERS),
    ).frame  # fmt: skip
    made = claims.make(frame, review_days=RULES.review_days).filter(pl.col("code") == "SLOW_MOVING")
    rate = shop.rate[made["variant_id"].str.slice(1).cast(pl.Int64).to_numpy()]
    return made, rate * made["days"].to_numpy()


def test_what_is_called_slow_was_picked_by_its_recent_rate_too(slow: tuple[pl.DataFrame, np.ndarray]):
    """Those that sold little lately are called slow, and sell more again."""
    made, mean = slow
    truth = poisson.cdf(np.floor(made["bound"].to_numpy()), mean)
    assert len(made) > 300
    assert made["probability"].mean() == pytest.approx(truth.mean(), abs=0.05)


def test_the_money_promised_is_that_of_what_will_lie_there(slow: tuple[pl.DataFrame, np.ndarray]):
    """Not that of all that lies: some of it sells."""
    made, mean = slow
    there, named, worth = (made[name].to_numpy()[:, None] for name in ("stock", "units", "unit_money"))
    sold = np.arange(200.0)
    left = worth * np.minimum(np.maximum(there - sold, 0), named)
    truth = float((poisson.pmf(sold, mean[:, None]) * left).sum())
    assert made["money"].sum() == pytest.approx(truth, rel=0.05)
    assert float((named * worth).sum()) > 1.15 * truth


def test_nothing_after_the_cut_off_touches_the_chance(shop: Shop, trained: plan.Arrays):
    days = PAST + AHEAD
    records = plan.Records(stock_history=shop.moves(days))
    later = plan.make(shop.lines(days), shop.stock(days), products(IDS), as_of=MADE, rules=RULES, records=records)
    for name in ("likely", "daily", "ratio", "recalibration"):
        np.testing.assert_allclose(later.arrays[name], trained[name], rtol=1e-12, err_msg=name)
