"""Online Retail II as daily demand per SKU, and the world that every policy meets in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import policy
from retail_ml.inventory.history import History, history
from retail_ml.inventory.policy import Rules, Terms
from retail_ml.inventory.world import Window, World, draw_leads

Floats = npt.NDArray[np.float64]

TRAIN_END, END = date(2011, 5, 31), date(2011, 11, 30)
WARM_DAYS, SCORED_DAYS = 65, 183  # from Monday 28 March, scored 1 June to 30 November 2011
SALE_DAYS, CAP, SKUS = 40, 0.999, 700
LEAD_DAYS, LEAD_CV = (7.0, 14.0, 30.0), 0.25
RULES = Rules(holding_rate=0.25, review_days=7, order_cost=2.0)


@dataclass(frozen=True, eq=False)
class Shop:
    """Demand of the SKUs that are sold often enough, their median prices before the replay, and what was left out."""

    h: History
    price: Floats
    facts: dict[str, float]


def shop(folder: Path, *, end: date = END, train_end: date = TRAIN_END) -> Shop:
    """SKUs with five digits and at most a letter, sold on 40 days or more up to `train_end`; days up to `end`.

    Returns and cancellations are left out, purchases wholly reversed on the same day too, the days that stand in both
    sheets once. A line above its SKU's 99.9 % quantile (of all dates) is cut to it: single orders of tens of thousands
    of units decide nothing here.
    """
    lines = sales(folder)
    found = lines.filter(pl.col("day") <= train_end).group_by("variant_id").agg(pl.col("day").n_unique())
    often = found.filter(pl.col("day") >= SALE_DAYS)["variant_id"]
    above = pl.col("units") > pl.col("cap")
    facts = {
        "lines": len(lines),
        "skus": len(often),
        "lines_cut": int(lines.select(above.sum()).item()),
        "units_cut": float(
            lines.select((pl.col("units") - pl.min_horizontal("units", "cap")).sum() / pl.col("units").sum()).item()
        ),
    }
    lines = lines.with_columns(units=pl.min_horizontal("units", "cap").round())
    before = lines.filter(pl.col("day") <= train_end, pl.col("variant_id").is_in(often.implode()))
    price = before.group_by("variant_id").agg(pl.col("price").median()).sort("variant_id")
    variants = price.select("variant_id", category=pl.lit(""), created=pl.lit(None, dtype=pl.Date))
    return Shop(history(lines, variants, until=end), price["price"].to_numpy().astype(float), facts)


def sales(folder: Path) -> pl.DataFrame:
    """Lines sold: `customer_id, variant_id, day, units, is_return, price, cap` (its SKU's 99.9 % quantile)."""
    rows = pl.concat([pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])
    rows = rows.filter(~pl.col("is_sheet_overlap")).with_columns(
        code=pl.col("stock_code").str.strip_chars().str.to_uppercase()
    )
    rows = rows.filter(pl.col("code").str.contains(r"^\d{5}[A-Z]?$"), pl.col("price") > 0, pl.col("quantity") != 0)
    lines = rows.select(
        customer_id=pl.col("customer_id").cast(pl.String),
        variant_id="code",
        day=pl.col("invoice_date").dt.date(),
        units=pl.col("quantity").cast(pl.Float64),
        is_return=pl.col("quantity") < 0,
        price="price",
    )
    left = pl.col("units").sum().over("customer_id", "variant_id", "day")
    kept = lines.filter(pl.col("customer_id").is_null() | (left != 0), ~pl.col("is_return"))
    return kept.with_columns(cap=pl.col("units").quantile(CAP, "linear").over("variant_id"))


def world(found: Shop, *, seed: int, cost_share: float = 0.5, pack: float = 1.0) -> World:
    """700 SKUs drawn by `seed`, each with a lead time of 7, 14 or 30 days; the same for every policy."""
    rng = np.random.default_rng(seed)
    h = found.h
    chosen = np.sort(rng.permutation(len(h.start))[:SKUS])
    lead = rng.choice(LEAD_DAYS, len(chosen))
    days = Window(h.days - SCORED_DAYS - WARM_DAYS, h.days - SCORED_DAYS, h.days)
    part = History(
        h.variant_ids[chosen],
        h.first_day,
        h.units[chosen],
        h.shop_open,
        np.repeat(h.open_days, len(chosen), 0),
        h.start[chosen],
        h.group[chosen],
    )
    price = found.price[chosen]
    cost = cost_share * price
    year = part.units[:, days.start] - part.units[:, max(days.start - 365, 0)]
    terms = Terms(cost, price, lead, LEAD_CV * lead, policy.abc_class(year * (price - cost)))
    reviews = -(-(days.end - days.start) // RULES.review_days)
    quarter = (part.units[:, days.start] - part.units[:, days.start - 90]) / 90
    return World(
        part,
        np.diff(part.units, axis=1),
        terms,
        np.full(len(chosen), pack),
        np.full(len(chosen), pack),
        RULES,
        days,
        draw_leads(lead, LEAD_CV * lead, reviews, rng),
        np.ceil(quarter * (RULES.review_days + lead)),
    )
