"""CDNOW (from the wheel of lifetimes), its 1/10 sample as published, Online Retail II, and drawn shops."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from retail_ml.segment.buying import History
from retail_ml.segment.features import Visits, visits
from retail_ml.segment.space import Array

CDNOW_END = date(1998, 6, 30)
RETAIL_END = date(2011, 12, 8)
LEAVING = (0.8, 5.0)


def cdnow(folder: Path) -> Visits:
    """The master file: 23,570 customers who first bought in the first quarter of 1997, 69,659 orders."""
    rows = [line.split() for line in (folder / "CDNOW_master.txt").read_text().splitlines() if line.split()]
    rows = [row for row in rows if row[0].isdigit()]
    columns = {"customer_id": [row[0] for row in rows], "day": [row[1] for row in rows]}
    table = pl.DataFrame(columns | {"amount": [float(row[3]) for row in rows]})
    lines = table.with_row_index("order_id").with_columns(
        pl.col("order_id").cast(pl.String),
        pl.col("day").str.to_date("%Y%m%d"),
        variant_id=pl.lit("cd"),
        units=pl.lit(1.0),
        is_return=pl.lit(False),
    )
    return visits(lines, CDNOW_END)


def cdnow_sample(folder: Path) -> tuple[History, Array]:
    """The published summary of the 1/10 sample, in weeks, and the mean spend of repeat visits."""
    table = pl.read_csv(folder / "cdnow_customers_summary_with_transactions.csv")
    x, last, age, mean = (table[name].to_numpy().astype(np.float64) for name in ("x", "t_x", "T", "zbar"))
    return History(x, last, age), mean


def online_retail(folder: Path) -> Visits:
    """Both years, the days that stand in both sheets once: products only (five digits), returns netted."""
    rows = pl.concat([pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])
    rows = rows.filter(~pl.col("is_sheet_overlap"), pl.col("price") > 0, pl.col("stock_code").str.contains(r"^\d{5}"))
    lines = rows.select(
        order_id="invoice",
        customer_id=pl.col("customer_id").cast(pl.String),
        variant_id=pl.col("stock_code").str.to_uppercase(),
        day=pl.col("invoice_date").dt.date(),
        units=pl.col("quantity").cast(pl.Float64),
        amount=pl.col("quantity") * pl.col("price"),
        is_return=pl.col("quantity") < 0,
    )
    return visits(lines, RETAIL_END)


def drawn(
    customers: int, seed: int = 1, *, leaving: tuple[float, float] = LEAVING, whole_days: bool = True
) -> tuple[History, Array]:
    """Customers of an MBG/NBD in days, as old as three years at most, and the mean spend of their visits.

    Rate gamma(0.7, 1/70 a day), leaving after a visit beta(*leaving), spend gamma(6) around a mean 240 / gamma(4). Ages
    are whole days; times too, as in a shop's data, unless `whole_days` is off (flooring moves the estimates a little).
    """
    rng = np.random.default_rng(seed)
    age, later = _visits(customers, rng, leaving)
    x = np.bincount(later[0], minlength=customers).astype(np.float64)
    last = np.zeros(customers)
    np.maximum.at(last, later[0], np.floor(later[1]) if whole_days else later[1])
    size = 240 / rng.gamma(4.0, 1.0, customers)
    return History(x, last, age), rng.gamma(6.0 * (x + 1), size / 6.0) / (x + 1)


def drawn_visits(customers: int, seed: int = 1) -> Visits:
    """The same kind of customers, visit by visit; the last day is `RETAIL_END`. Two visits on a day are one."""
    rng = np.random.default_rng(seed)
    age, later = _visits(customers, rng, LEAVING)
    size = 240 / rng.gamma(4.0, 1.0, customers)
    row = np.concatenate([np.arange(customers), later[0]])
    ago = age[row] - np.concatenate([np.zeros(customers), np.floor(later[1])])
    money = rng.gamma(6.0, size[row] / 6.0)
    days = pl.DataFrame({"row": row, "ago": ago.astype(np.int32), "money": (money * 10_000).astype(np.int64)})
    days = days.group_by("row", "ago").agg(pl.col("money").sum()).sort("row", "ago", descending=[False, True])
    days = days.select(
        pl.col("row").cast(pl.Int32),
        day=pl.lit(RETAIL_END) - pl.duration(days=pl.col("ago")),
        orders=pl.lit(1, dtype=pl.Int32),
        money="money",
        first=pl.col("row") != pl.col("row").shift(1).fill_null(-1),
    )
    return Visits(pl.Series("customer_id", np.arange(customers)).cast(pl.String), days, 0, 0.0)


def _visits(
    customers: int, rng: np.random.Generator, leaving: tuple[float, float]
) -> tuple[Array, tuple[np.ndarray, Array]]:
    """Ages, and the later visits: whose, and days since the first one."""
    age = rng.integers(0, 1_095, customers).astype(np.float64)
    rate, leave = rng.gamma(0.7, 1 / 70, customers), rng.beta(*leaving, customers)
    now, active = np.zeros(customers), np.arange(customers)
    whose, when = [], []
    while len(active):
        active = active[rng.uniform(size=len(active)) >= leave[active]]
        now[active] += rng.exponential(1 / rate[active])
        active = active[now[active] <= age[active]]
        whose.append(active)
        when.append(now[active])
    return age, (np.concatenate(whose), np.concatenate(when))
