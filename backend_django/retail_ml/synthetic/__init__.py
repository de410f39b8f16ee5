"""Seeded shops with known parameters: a boutique whose customers, seasons, prices and suppliers are on record.

Everything is drawn day by day from generators of its own, so the first days of a longer shop are the shorter one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from retail_ml.synthetic import demand, people, tables, words
from retail_ml.synthetic.calendar import EVENT_FACTORS, WEEKDAY_FACTORS, make_calendar
from retail_ml.synthetic.catalogue import make_range
from retail_ml.synthetic.people import make_people
from retail_ml.synthetic.plan import make_plan
from retail_ml.synthetic.tables import ORDER_PREFIX, SCHEMAS
from retail_ml.synthetic.trade import Trade

__all__ = ["ORDER_PREFIX", "SCHEMAS", "Shop", "Truth", "make_shop"]


@dataclass(frozen=True)
class Truth:
    """What a good method should find in the shop's data.

    Customers buy by the MBG/NBD process on the operational clock (`days.clock`): rates per operational day are
    Gamma(`rate_shape`, 1 / `rate_scale`), dropouts Beta(`dropout_a`, `dropout_b`). `days` holds `day, open, expected,
    factor, clock`; `customers` holds `customer, external_id, rate, dropout, born, born_day` (also of those won before
    the first day), `purchases` holds `customer, day, at`; `styles` holds `product_code, look, taste, popularity,
    launch, end` (null: no end).
    """

    rate_shape: float
    rate_scale: float
    dropout_a: float
    dropout_b: float
    guest_share: float
    growth: float
    weekday_factors: tuple[float, ...]
    event_factors: dict[str, float]
    elasticity: float
    look_share: float
    lead_times: dict[str, tuple[float, float]]
    days: pl.DataFrame
    customers: pl.DataFrame
    purchases: pl.DataFrame
    styles: pl.DataFrame
    variant_days: int
    empty_days: int
    lost_units: int
    walked_out: int

    @property
    def stock_out_share(self) -> float:
        """Share of variant-days (variants in the range × open days) that ended without stock."""
        return self.empty_days / max(self.variant_days, 1)


@dataclass(frozen=True)
class Shop:
    """A whole shop as canonical tables (`SCHEMAS`), and its truth."""

    start: date
    end: date
    suppliers: pl.DataFrame
    catalogue: pl.DataFrame
    prices: pl.DataFrame
    customers: pl.DataFrame
    orders: pl.DataFrame
    lines: pl.DataFrame
    returns: pl.DataFrame
    movements: pl.DataFrame
    purchases: pl.DataFrame
    truth: Truth

    def tables(self) -> dict[str, pl.DataFrame]:
        """The nine tables by name."""
        return {name: getattr(self, name) for name in SCHEMAS}


def make_shop(
    *,
    orders: float | None = None,
    lines: float | None = None,
    days: int = 730,
    end: date,
    seed: int = 7,
    extra_days: int = 0,
    time_zone: str = "Europe/Madrid",
) -> Shop:
    """A believable boutique of about `orders` orders (or `lines` order lines) over `days` days up to `end`.

    `extra_days` watches the same shop for so many days after `end`: its first days are those of the shop without
    them, row for row (but for what is open at the end: pending orders, purchase orders, discontinued styles).
    Money in EUR; times in UTC, business days in `time_zone`. Raises BadParameter.

    >>> shop = make_shop(orders=60, days=90, end=date(2026, 6, 30), seed=1)
    >>> shop.movements["units"].sum() >= 0, shop.orders["order_number"][0]
    (True, 'DEMO-0000001')
    """
    plan = make_plan(
        orders=orders, lines=lines, days=days, end=end, seed=seed, extra_days=extra_days, time_zone=time_zone
    )
    calendar = make_calendar(plan)
    crowd = make_people(plan, calendar)
    range_ = make_range(plan, calendar)
    trade = Trade(plan, calendar, crowd, range_)
    books = trade.run()
    frames = tables.Writer(plan, calendar, crowd, range_).tables(books, trade.supply)
    customers, purchases = tables.truth_of_customers(crowd, calendar)
    truth = Truth(
        rate_shape=people.RATE_SHAPE,
        rate_scale=people.RATE_SCALE,
        dropout_a=people.DROPOUT_A,
        dropout_b=people.DROPOUT_B,
        guest_share=people.GUEST_SHARE,
        growth=people.GROWTH,
        weekday_factors=WEEKDAY_FACTORS,
        event_factors=dict(EVENT_FACTORS),
        elasticity=demand.ELASTICITY,
        look_share=demand.LOOK_SHARE,
        lead_times={s.name: (s.lead_mean, s.lead_sd) for s in words.SUPPLIERS},
        days=tables.day_table(calendar),
        customers=customers,
        purchases=purchases,
        styles=tables.truth_of_styles(range_, calendar),
        variant_days=books.variant_days,
        empty_days=books.empty_days,
        lost_units=books.lost_units,
        walked_out=books.walked_out,
    )
    return Shop(start=plan.start, end=plan.end, truth=truth, **frames)
