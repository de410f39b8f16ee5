"""Other shops than the one the product was developed on: derived from it, and synthetic ones of another character.

Each is a `Shop`: what is known, when "now" is, and what came then. None ends after 2011-06-17, the earlier test date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.recommendation import online_retail, protocol
from benchmarks.recommendation.protocol import Split

Ints = npt.NDArray[np.int64]
LAST = 562.0
"""2011-06-16 in days from 2009-12-01: the real data beyond is not looked at here."""
WORDS = ("linen", "cotton", "wool", "denim", "silk", "jersey", "velvet", "corduroy")
KINDS = ("shirt", "dress", "coat", "skirt", "trousers", "jumper", "scarf", "blouse", "jacket", "belt")
COLOURS = ("black", "white", "navy", "red", "green", "sand", "rose", "grey", "mustard", "teal")


@dataclass(frozen=True)
class Shop:
    """`days`: length of the window that judges; `numbers`: `ts` are numbers of a customer's orders."""

    name: str
    lines: pl.DataFrame
    products: pl.DataFrame
    now: float
    days: float = protocol.DAYS
    numbers: bool = False

    @property
    def split(self) -> Split:
        """What is known and what comes."""
        return Split.at(self.lines, self.now, days=self.days)

    def validation(self, lines: pl.DataFrame, now: float) -> Split:
        """What peers are tuned on: the window before, or the last known order of each customer."""
        if not self.numbers:
            return Split.at(lines, now - self.days, days=self.days)
        last = pl.col("ts") == pl.col("ts").max().over("customer")
        again = pl.col("order").n_unique().over("customer") > 1
        marked = lines.with_columns(judges=last & again & (pl.col("customer") >= 0))
        before, window = (marked.filter(found).drop("judges") for found in (~pl.col("judges"), pl.col("judges")))
        return Split(before, window.join(before.select("product").unique(), on="product", how="semi"), now)


def shops(folder: Path) -> Iterator[tuple[str, Callable[[], Shop]]]:
    """All of them by name, made when they are called."""
    for make in (bakery, groceries, undated_groceries, fashion, corner_shop):
        yield make.__name__.replace("_", " "), make
    for derive in (numbered, numbered_from_the_end, one_number_per_order, few_orders, thinned, quarter):
        yield derive.__name__.replace("_", " "), lambda derive=derive: derive(*_real(folder))  # type: ignore[misc]


@cache
def _real(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Online Retail II before the earlier test date."""
    lines, products = online_retail.load(folder)
    return lines.filter(pl.col("ts") < LAST), products


# --- derived from the real one ---


def numbered(lines: pl.DataFrame, products: pl.DataFrame) -> Shop:
    """No dates: `ts` is the number of the order with its customer, 1 …; judged by the last order of each."""
    ranked = _ranked(lines)
    last = ranked.group_by("customer").agg(last=pl.col("number").max())
    ranked = ranked.join(last, on="customer")
    # the order that judges gets the number after the longest history, whatever its own
    longest = float(ranked["last"].max())  # type: ignore[arg-type]
    when = pl.when((pl.col("number") == pl.col("last")) & (pl.col("last") > 1)).then(longest + 1)
    found = _shop("order numbers", ranked.with_columns(ts=when.otherwise(pl.col("number"))), products, longest + 1, 1.0)
    return replace(found, numbers=True)


def numbered_from_the_end(lines: pl.DataFrame, products: pl.DataFrame) -> Shop:
    """No dates: `ts` counts the customer's orders back from his last one, which judges."""
    ranked = _ranked(lines)
    last = ranked.group_by("customer").agg(last=pl.col("number").max())
    ranked = ranked.join(last, on="customer")
    ts = pl.col("number") - pl.col("last") + 500.0
    once = (pl.col("last") == 1).cast(pl.Float64)  # who came once is known, not asked
    found = _shop("numbers from the end", ranked.with_columns(ts=ts - once), products, 500.0, 1.0)
    return replace(found, numbers=True)


def one_number_per_order(lines: pl.DataFrame, products: pl.DataFrame) -> Shop:
    """No dates: `ts` is the place of the order among all; the last twentieth judges."""
    order = lines.group_by("order").agg(pl.col("ts").min()).sort("ts", "order")
    order = order.with_row_index("place").select("order", ts=pl.col("place").cast(pl.Float64))
    days = float(len(order) // 20)
    return _shop("one number per order", lines.drop("ts").join(order, on="order"), products, len(order) - days, days)


def few_orders(lines: pl.DataFrame, products: pl.DataFrame) -> Shop:
    """Only the first three orders of each customer."""
    return _shop("three orders each", _ranked(lines).filter(pl.col("number") <= 3), products, LAST - 28)


def thinned(lines: pl.DataFrame, products: pl.DataFrame) -> Shop:
    """One order in twelve."""
    return _shop("one order in twelve", _drawn(lines, "order", 1 / 12), products, LAST - 28)


def quarter(lines: pl.DataFrame, products: pl.DataFrame) -> Shop:
    """One customer in four, in his whole length; guests left out."""
    drawn = _drawn(lines.filter(pl.col("customer") >= 0), "customer", 0.25)
    return _shop("a quarter of them", drawn, products, LAST - 28)


def _shop(name: str, lines: pl.DataFrame, products: pl.DataFrame, now: float, days: float = 28.0) -> Shop:
    """The six columns."""
    return Shop(name, lines.select("order", "customer", "product", "ts", "qty", "price"), products, now, days)


def _ranked(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of known customers with the number of the order, from 1."""
    heads = lines.filter(pl.col("customer") >= 0).group_by("order").agg(pl.col("customer").max(), pl.col("ts").min())
    heads = heads.sort("customer", "ts", "order").select(
        "order", number=pl.int_range(1, pl.len() + 1).over("customer").cast(pl.Float64)
    )
    return lines.join(heads, on="order")


def _drawn(lines: pl.DataFrame, column: str, share: float) -> pl.DataFrame:
    ids = lines[column].unique().sort()
    kept = ids.filter(pl.Series(np.random.default_rng(7).random(len(ids)) < share))
    return lines.join(pl.DataFrame({column: kept}), on=column, how="semi")


# --- synthetic ---


def bakery(seed: int = 0) -> Shop:
    """Sixty products, small baskets, nobody is known; coffee goes with nearly everything, breakfast with breakfast."""
    rng = np.random.default_rng(seed)
    count, orders, days = 60, 9_000, 160
    weight = 1 / np.arange(1, count + 1) ** 1.1
    theme = rng.integers(0, 4, count)
    kind = rng.integers(0, 4, orders)
    size = np.minimum(rng.geometric(0.45, orders), 8)
    order = np.repeat(np.arange(orders), size)
    lift = np.where(theme[None, :] == np.arange(4)[:, None], 2.5, 1.0) * weight
    product = _draw(rng, lift, kind[order])
    when = np.sort(rng.integers(0, days, orders))[order] + rng.uniform(0.3, 0.8, orders)[order]
    return _made("bakery", (order, np.full(len(order), -1), product, when), _words(rng, count), now=days - 28)


def groceries(seed: int = 0) -> Shop:
    """170 products, 9,800 anonymous orders, all with the same time: the last part of the file judges."""
    rng = np.random.default_rng(seed)
    count, orders = 170, 9_800
    weight = rng.lognormal(0.0, 1.2, count)
    kind = rng.integers(0, 12, orders)
    size = np.minimum(rng.geometric(0.23, orders), 30)
    order = np.repeat(np.arange(orders), size)
    lift = np.where(rng.integers(0, 12, count)[None, :] == np.arange(12)[:, None], 6.0, 1.0) * weight
    product = _draw(rng, lift, kind[order])
    later = (rng.random(orders) < 0.1)[order]
    columns = (order, np.full(len(order), -1), product, later.astype(float))
    return _made("groceries, one time", columns, _words(rng, count), now=0.5, days=1.0)


def undated_groceries(seed: int = 0) -> Shop:
    """Staples bought again and again, tastes shared by groups, `ts` the number of the order with its customer."""
    rng = np.random.default_rng(seed)
    count, people, groups = 3_000, 4_000, 25
    orders = 2 + rng.geometric(0.25, people)
    base = rng.lognormal(0.0, 1.3, count)
    taste = base * rng.lognormal(0.0, 1.6, (groups, count))
    group = rng.integers(0, groups, people)
    customer = np.repeat(np.arange(people), orders)
    size = rng.geometric(0.16, len(customer))
    order = np.repeat(np.arange(len(customer)), size)
    owner = customer[order]
    staples = _draw(rng, taste, group[np.repeat(np.arange(people), 14)]).reshape(people, 14)
    fond = rng.dirichlet(np.full(14, 0.6), people).cumsum(axis=1)
    pick = (rng.random(len(owner))[:, None] > fond[owner]).sum(axis=1).clip(0, 13)
    product = np.where(rng.random(len(owner)) < 0.3, staples[owner, pick], _draw(rng, taste, group[owner]))
    first = np.cumsum(orders) - orders
    number = (np.arange(len(customer)) - first[customer] + 1)[order]
    longest = float(orders.max())
    when = np.where(number == orders[owner], longest + 1, number)
    found = _made("undated groceries", (order, owner, product, when), _words(rng, count), now=longest + 1, days=1.0)
    return replace(found, numbers=True)


def fashion(seed: int = 0) -> Shop:
    """New products every week that live for some ten; customers come twice or three times and keep to their style."""
    rng = np.random.default_rng(seed)
    count, people, days = 2_500, 9_000, 400
    born = rng.uniform(-60, days, count)
    style, strength = rng.integers(0, 10, count), rng.lognormal(0.0, 1.0, count)
    orders = rng.geometric(0.4, people)
    customer = np.repeat(np.arange(people), orders)
    when = rng.uniform(0, days, len(customer))
    size = rng.geometric(0.5, len(customer))
    liked = rng.integers(0, 10, people)
    parts = []
    for day in range(days):
        at = np.flatnonzero(when.astype(int) == day)
        age = day - born
        alive = np.where(age > 0, strength * (age / 20) * np.exp(1 - np.maximum(age, 0) / 20), 0.0) + 1e-9
        lift = np.where(style[None, :] == np.arange(10)[:, None], 6.0, 1.0) * alive
        order = np.repeat(at, size[at])
        parts.append((order, _draw(rng, lift, liked[customer[order]])))
    order, product = (np.concatenate(x) for x in zip(*parts, strict=True))
    text = [f"{KINDS[style[p]]} {WORDS[p % 8]} {COLOURS[p % 10]} {p % 97}" for p in range(count)]
    named = pl.DataFrame({"product": np.arange(count), "text": text, "category": [KINDS[s] for s in style],
                          "price": rng.lognormal(3.5, 0.5, count)})  # fmt: skip
    return _made("fashion", (order, customer[order], product, when[order]), named, now=days - 28)


def corner_shop(seed: int = 0) -> Shop:
    """800 orders of 90 products in five months, most of them of sixty regulars."""
    rng = np.random.default_rng(seed)
    count, orders, days = 90, 800, 150
    weight = 1 / np.arange(1, count + 1)
    owner = np.where(rng.random(orders) < 0.3, -1, rng.integers(0, 60, orders))
    size = rng.geometric(0.35, orders)
    order = np.repeat(np.arange(orders), size)
    usual = _draw(rng, weight[None, :], np.zeros(600, int)).reshape(60, 10)
    own = usual[owner[order], rng.integers(0, 10, len(order))]
    free = _draw(rng, weight[None, :], np.zeros(len(order), int))
    product = np.where((owner[order] >= 0) & (rng.random(len(order)) < 0.5), own, free)
    when = np.sort(rng.uniform(0, days, orders))
    return _made("corner shop", (order, owner[order], product, when[order]), _words(rng, count), now=days - 28)


def _draw(rng: np.random.Generator, weight: npt.NDArray[np.float64], row: Ints) -> Ints:
    """One column for every entry of `row`, with the odds of that row of `weight`."""
    edges = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
    out, draw = np.empty(len(row), np.int64), rng.random(len(row))
    for value in np.unique(row):
        here = row == value
        out[here] = np.searchsorted(edges[value], draw[here], side="right")
    return np.minimum(out, weight.shape[1] - 1)


def _words(rng: np.random.Generator, count: int) -> pl.DataFrame:
    return pl.DataFrame({"product": np.arange(count), "text": [f"article {i}" for i in range(count)],
                         "category": [f"aisle {i % 7}" for i in range(count)],
                         "price": rng.lognormal(1.0, 0.6, count)})  # fmt: skip


def _made(
    name: str, columns: tuple[Ints, Ints, Ints, npt.NDArray[np.float64]], products: pl.DataFrame, *, now: float,
    days: float = 28.0,
) -> Shop:  # fmt: skip
    """Columns: order, customer, product, ts."""
    lines = pl.DataFrame(dict(zip(("order", "customer", "product", "ts"), columns, strict=True)))
    lines = lines.unique(["order", "product"], keep="first", maintain_order=True).with_columns(
        pl.col("ts").cast(pl.Float64), qty=pl.lit(1.0), price=pl.lit(1.0)
    )
    return Shop(name, lines, products, float(now), days)
