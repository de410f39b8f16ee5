"""How good a rule is on baskets it has not seen, and how good plain popularity is on the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.recommend.base import Query, Recommender
from retail_ml.recommend.data import Sales

TOP = 10
WINDOW_DAYS = 28


@dataclass(frozen=True)
class Case:
    """One question about the past, and what was really bought."""

    query: Query
    bought: frozenset[str]


@dataclass(frozen=True)
class Measure:
    """Means over cases. Coverage: share of the products that could be shown that were shown at least once."""

    cases: int
    hit_rate_10: float
    ndcg_10: float
    coverage: float

    def beats(self, other: Measure) -> bool:
        """More hits; with as many hits, the better order."""
        return (self.hit_rate_10, self.ndcg_10) > (other.hit_rate_10, other.ndcg_10)

    def rounded(self) -> dict[str, float | int]:
        """For a receipt."""
        return {
            "hit_rate_10": round(self.hit_rate_10, 4),
            "ndcg_10": round(self.ndcg_10, 4),
            "coverage": round(self.coverage, 4),
            "cases": self.cases,
        }


def test_window(sales: Sales, *, end: date) -> tuple[date, date] | None:
    """First and last day of the test window that ends with `end`: 28 days, or a quarter of a shorter history.

    None when fewer than four days of sales lie before its end.

    >>> from retail_ml.tests.recommend.small import catalogue, order_lines
    >>> year = order_lines({"1": "ab", "2": "a"}, days={"1": date(2025, 6, 30), "2": date(2026, 6, 30)})
    >>> test_window(Sales.of(year, catalogue("ab"), as_of=date(2026, 6, 30)), end=date(2026, 6, 30))
    (datetime.date(2026, 6, 3), datetime.date(2026, 6, 30))
    """
    first = sales.first_day
    if first is None or (end - first).days < 3:
        return None
    days = min(WINDOW_DAYS, ((end - first).days + 1) // 4)
    return end - timedelta(days=days - 1), end


def _baskets(sales: Sales, start: date, end: date, smallest: int) -> pl.DataFrame:
    """Baskets of the window with their products as a list, in a fixed order."""
    return (
        sales.lines.filter(pl.col("day").is_between(start, end))
        .group_by("order_id")
        .agg(pl.col("product_id").sort())
        .filter(pl.col("product_id").list.len() >= smallest)
        .sort("order_id")
    )


def page_cases(
    sales: Sales, start: date, end: date, *, limit: int = 1_200, smallest: int = 2, seed: int = 0
) -> list[Case]:
    """One product of a later basket is shown; was another of the basket among the answers?

    One product per basket drawn at random; up to five where there are fewer than 300 baskets, so that a small
    shop's figure rests on more than a handful of questions.
    """
    rng = np.random.default_rng(seed)
    baskets = _baskets(sales, start, end, smallest)["product_id"].to_list()
    each = 1 if len(baskets) >= 300 else 5
    cases = [
        Case(Query(products=(basket[i],)), frozenset(basket) - {basket[i]})
        for basket in baskets
        for i in rng.permutation(len(basket))[:each]
    ]
    return _sample(cases, limit, rng)


def basket_cases(
    sales: Sales, start: date, end: date, *, limit: int = 1_200, smallest: int = 3, seed: int = 0
) -> list[Case]:
    """One product of a later basket, drawn at random, is hidden; is it among the answers for the rest?"""
    rng = np.random.default_rng(seed)
    cases = []
    for basket in _baskets(sales, start, end, smallest)["product_id"].to_list():
        hidden = basket[int(rng.integers(len(basket)))]
        cases.append(Case(Query(products=tuple(p for p in basket if p != hidden)), frozenset([hidden])))
    return _sample(cases, limit, rng)


def customer_cases(sales: Sales, start: date, end: date, *, limit: int = 500, seed: int = 0) -> list[Case]:
    """What customers known before `start` bought in the window, all of it."""
    rng = np.random.default_rng(seed)
    known = sales.lines.filter(pl.col("customer_id").is_not_null())
    before, later = known.filter(pl.col("day") < start), known.filter(pl.col("day").is_between(start, end))
    both = later.join(before, on="customer_id", how="semi")["customer_id"].unique().sort()
    chosen = both.gather(np.sort(rng.permutation(len(both))[:limit]))
    histories = before.filter(pl.col("customer_id").is_in(chosen.to_list())).partition_by("customer_id", as_dict=True)
    bought = (
        later.filter(pl.col("customer_id").is_in(chosen.to_list()))
        .group_by("customer_id")
        .agg(pl.col("product_id").unique().sort())
        .sort("customer_id")
    )
    return [Case(Query(history=histories[customer,]), frozenset(products)) for customer, products in bought.iter_rows()]


def _sample(cases: list[Case], limit: int, rng: np.random.Generator) -> list[Case]:
    if len(cases) <= limit:
        return cases
    return [cases[i] for i in np.sort(rng.choice(len(cases), limit, replace=False))]


def measure(model: Recommender, cases: Sequence[Case]) -> Measure | None:
    """Hit rate, NDCG and coverage at 10 of a fitted model; None without a case.

    Every product of the model is a candidate: what was in stock on the day is not known. A product first sold in
    the test window cannot be hit, and counts as missed. NDCG: binary gains, ideal order of min(10, bought).

    >>> ndcg(np.array([0.0, 1.0]), relevant=1).round(4)
    np.float64(0.6309)
    """
    if not cases:
        return None
    everything = np.ones(len(model.tables_.products), bool)
    external = model.tables_.products.external
    hits, gains, shown = 0, 0.0, set[int]()
    for case in cases:
        rows, _ = model.top(case.query, k=TOP, mask=everything)
        found = np.array([product in case.bought for product in external[rows].tolist()], dtype=np.float64)
        hits += bool(found.any())
        gains += float(ndcg(found, relevant=len(case.bought)))
        shown.update(rows.tolist())
    return Measure(len(cases), hits / len(cases), gains / len(cases), len(shown) / max(len(external), 1))


def ndcg(found: npt.NDArray[np.float64], *, relevant: int) -> np.float64:
    """Discounted gain of a list of hits (1) and misses (0), over that of the best possible list of ten.

    Järvelin and Kekäläinen 2002, with log2(rank + 1).

    >>> ndcg(np.array([1.0, 1.0]), relevant=2)
    np.float64(1.0)
    """
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    ideal = discount[: min(TOP, relevant)].sum()
    return np.float64((found * discount[: len(found)]).sum() / ideal) if ideal else np.float64(0.0)
