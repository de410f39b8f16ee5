"""Times that are no dates: order numbers, one time for all, days since a customer's first order.

Windows, half-lives and trends need a common clock. Where the times of a data set are none, what they do say (the order
of a customer's purchases, the order of all orders) is put on one; real dates are left as they are.
"""

from __future__ import annotations

import numpy as np
import polars as pl

STEP = 28.0
"""Days that stand for one order of a customer, where times are order numbers: a window then holds each one's last."""
SPAN = 365.0
"""Days that stand for the whole history, where every order has a number of its own."""
ALIKE = 0.95
"""Share of customers (gaps) that must agree before times are taken for something else than dates."""
FEWEST = 20
"""Customers with two orders below whom nothing is concluded from them."""
FEWEST_TIMES = 5
"""Different times below which the order ids say more about what came first."""
MANY_ORDERS = 730
"""Numbered orders below which one order a day is a plausible reading."""


def on_one_clock(lines: pl.DataFrame, *, now: float) -> pl.DataFrame:
    """`lines` (`order`, `customer` (-1: a guest), `time`, …, all before `now`) with times that can be compared.

    * Every customer's orders are evenly spaced and all begin, or all end, at the same time: order numbers. A customer's
      last order is then half a step of 28 days old, the one before it one and a half.
    * All begin at the same time, spaced as they like: days since the first order. Everybody's last order is put half a
      day before `now`.
    * Fewer than five different times, or one for each of more than 730 orders: the order of all orders, the ids where
      times are equal, is spread over a year.

    >>> same = pl.DataFrame({"order": [7, 5], "customer": [-1, -1], "time": [0.0, 0.0]})
    >>> on_one_clock(same, now=1.0)["time"].to_list()
    [-90.25, -272.75]
    """
    heads = lines.group_by("order").agg(pl.col("customer").max(), pl.col("time").min()).sort("time", "order")
    if len(heads) < 2:
        return lines
    known = _known(heads)
    if heads["time"].n_unique() < FEWEST_TIMES and not _numbers(known):
        found = _spread(heads, now)
    elif _numbers(known):
        since = pl.int_range(pl.len(), 0, -1).over("customer") - 1
        own = known.with_columns(time=now - STEP * (since + 0.5))
        found = pl.concat([own, _guests(heads, own)], how="diagonal")
    elif _agree(known, "first"):
        own = known.with_columns(time=pl.col("time") - pl.col("time").max().over("customer") + now - 0.5)
        found = pl.concat([own, _guests(heads, own)], how="diagonal")
    elif _one_each(heads):
        found = _spread(heads, now)
    else:
        return lines
    return lines.drop("time").join(found.select("order", "time"), on="order", how="left", maintain_order="left")


def _known(heads: pl.DataFrame) -> pl.DataFrame:
    """Orders of customers, by customer and time."""
    return heads.filter(pl.col("customer") >= 0).sort("customer", "time", "order")


def _numbers(known: pl.DataFrame) -> bool:
    """Are times the numbers of a customer's orders?"""
    gap = known.select(pl.col("time").diff().over("customer"))["time"].drop_nulls()
    return (_agree(known, "first") or _agree(known, "last")) and _even(gap)


def _agree(known: pl.DataFrame, end: str) -> bool:
    """Do (nearly) all customers with two orders or more have their first (last) one at the same time?"""
    at = pl.col("time").min() if end == "first" else pl.col("time").max()
    often = known.group_by("customer").agg(at, pl.col("time").len().alias("orders")).filter(pl.col("orders") > 1)
    if len(often) < FEWEST:
        return False
    _, same = np.unique(often["time"].to_numpy(), return_counts=True)
    return float(same.max() / len(often)) >= ALIKE


def _one_each(heads: pl.DataFrame) -> bool:
    """Has every one of many orders a number of its own, evenly spaced?"""
    return len(heads) > MANY_ORDERS and _even(heads["time"].diff().drop_nulls())


def _even(gap: pl.Series) -> bool:
    """Are (nearly) all gaps the same?"""
    gaps = gap.to_numpy()
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    return usual > 0 and float((np.abs(gaps - usual) < 1e-6 * usual).mean()) >= ALIKE


def _spread(heads: pl.DataFrame, now: float) -> pl.DataFrame:
    """The orders in their order over a year that ends with `now`."""
    place = (pl.int_range(pl.len()) + 0.5) / pl.len()
    return heads.with_columns(time=now - SPAN * (1 - place))


def _guests(heads: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Orders of guests in their order over the time of the customers' orders."""
    time = own["time"].to_numpy()
    first, last = float(time.min()), float(time.max())
    place = (pl.int_range(pl.len()) + 0.5) / pl.len()
    return heads.filter(pl.col("customer") < 0).with_columns(time=first + (last - first) * place)
