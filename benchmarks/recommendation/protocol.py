"""Splits and measures R1–R4: what is known before T trains, what comes in [T, T + 28 days) judges.

R1  everything a customer seen before buys in the next 28 days; R2  his next basket (customers with two earlier
baskets); both in three modes: all, novel (he never bought it), repeat. R3  one product of each later basket (three
products or more) is hidden; and, single source: one product is shown, is another of the basket among the ten?
R4  products first sold in the window: what is bought with them, and who buys them.

A peer may answer many questions at a time (`recommend_many`, `complete_many`, `together_many`); ours is asked one by
one, as a shop asks it. No negatives are sampled: every product sold before T is a candidate. Products nobody could know
before T are no part of the truth in R1–R3. NDCG and AP are normalised by min(10, number of relevant products).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

DAYS = 28
K = 10
MODES = ("all", "novel", "repeat")


@dataclass(frozen=True)
class Split:
    """Lines before T, lines of the window (products known before T only), and T."""

    before: pl.DataFrame
    window: pl.DataFrame
    now: float

    @classmethod
    def at(cls, lines: pl.DataFrame, now: float, *, days: float = DAYS) -> Split:
        """Cut `lines` at `now`."""
        before = lines.filter(pl.col("ts") < now)
        window = lines.filter(pl.col("ts") >= now, pl.col("ts") < now + days)
        known = before.select("product").unique()
        return cls(before, window.join(known, on="product", how="semi", maintain_order="left"), now)


def last_days(lines: pl.DataFrame, now: float) -> Split:
    """The window before `now`, on which parameters are chosen."""
    return Split.at(lines, now - DAYS)


@dataclass(frozen=True)
class Person:
    """A customer, what he bought before (distinct), and what he buys."""

    customer: int
    before: frozenset[int]
    bought: frozenset[int]

    def relevant(self, mode: str) -> frozenset[int]:
        """What counts as a hit in this mode."""
        if mode == "all":
            return self.bought
        return self.bought - self.before if mode == "novel" else self.bought & self.before


def people(split: Split, *, next_basket: bool = False) -> list[Person]:
    """The customers of R1; with `next_basket` those of R2."""
    known = split.before.filter(pl.col("customer") >= 0)
    later = split.window.filter(pl.col("customer") >= 0)
    if next_basket:
        twice = known.group_by("customer").agg(pl.col("order").n_unique()).filter(pl.col("order") >= 2)
        known = known.join(twice.select("customer"), on="customer", how="semi")
        first = later.group_by("customer", "order").agg(pl.col("ts").min()).sort("ts", "order")
        first = first.unique("customer", keep="first", maintain_order=True).select("order")
        later = later.join(first, on="order", how="semi")
    bought = later.group_by("customer").agg(pl.col("product").unique())
    earlier = known.group_by("customer").agg(before=pl.col("product").unique())
    both = bought.join(earlier, on="customer").sort("customer")
    return [Person(c, frozenset(e), frozenset(b)) for c, b, e in both.select("customer", "product", "before").rows()]


@dataclass
class Score:
    """Means over the questions asked."""

    recall: float
    ndcg: float
    average_precision: float
    hit5: float
    hit10: float
    reciprocal: float
    precision: float
    coverage: float
    cases: int
    each: list[float] = field(repr=False, default_factory=list)


def measure(lists: Iterable[Sequence[int]], relevant: Iterable[frozenset[int]], *, products: int) -> Score:
    """All measures at 10 of recommendation lists against what was bought; questions without an answer are left out."""
    rows, shown, each = [], set(), []
    discount = 1 / np.log2(np.arange(2, K + 2))
    for found, truth in zip(lists, relevant, strict=True):
        if not truth:
            continue
        top = [int(p) for p in found][:K]
        hit = np.zeros(K)
        hit[: len(top)] = [p in truth for p in top]
        most = min(K, len(truth))
        gain = float((hit * discount).sum() / discount[:most].sum())
        precision = float((np.cumsum(hit) / np.arange(1, K + 1) * hit).sum() / most)
        first = float(1 / (1 + np.argmax(hit))) if hit.any() else 0.0
        rows.append((hit.sum() / len(truth), gain, precision, hit[:5].any(), hit.any(), first, hit.sum() / K))
        shown.update(top)
        each.append(gain)
    mean = np.mean(np.array(rows, float), axis=0).tolist() if rows else [float("nan")] * 7
    return Score(
        recall=mean[0], ndcg=mean[1], average_precision=mean[2], hit5=mean[3], hit10=mean[4], reciprocal=mean[5],
        precision=mean[6], coverage=len(shown) / products, cases=len(rows), each=each,
    )  # fmt: skip


def personal(model: Any, persons: Sequence[Person], mode: str, *, products: int) -> Score:
    """R1 or R2 of one model in one mode."""
    asked = [p for p in persons if p.relevant(mode)]
    if hasattr(model, "recommend_many"):
        lists = model.recommend_many([p.customer for p in asked], K, mode)
    else:
        lists = [model.recommend_for_customer(p.customer, K, mode) for p in asked]
    return measure(lists, [p.relevant(mode) for p in asked], products=products)


def baskets(split: Split, *, most: int = 1_200, smallest: int = 3, seed: int = 0) -> list[np.ndarray]:
    """Baskets of the window with at least three known products, at most 1,200 drawn at random; shuffled inside."""
    rng = np.random.default_rng(seed)
    found = split.window.group_by("order").agg(pl.col("product").unique().sort()).sort("order")
    rows = [np.array(p) for p in found["product"].to_list() if len(p) >= smallest]
    if len(rows) > most:
        rows = [rows[i] for i in np.sort(rng.choice(len(rows), most, replace=False))]
    return [rng.permutation(r) for r in rows]


def completion(model: Any, asked: Sequence[np.ndarray], *, products: int) -> Score:
    """R3: the first product of each (shuffled) basket is hidden, the others are shown."""
    shown = [b[1:].tolist() for b in asked]
    if hasattr(model, "complete_many"):
        lists = model.complete_many(shown, K)
    else:
        lists = [model.recommend_for_basket(basket, K) for basket in shown]
    return measure(lists, [frozenset(b[:1].tolist()) for b in asked], products=products)


def single(model: Any, asked: Sequence[np.ndarray], *, products: int) -> Score:
    """R3 with one source: the first product of each basket is shown, any other is a hit."""
    shown = [int(b[0]) for b in asked]
    if hasattr(model, "together_many"):
        lists = model.together_many(shown, K)
    else:
        lists = [model.bought_together(product, K) for product in shown]
    return measure(lists, [frozenset(b[1:].tolist()) for b in asked], products=products)


def newcomers(lines: pl.DataFrame, now: float, *, days: int = DAYS) -> list[tuple[int, list[frozenset[int]]]]:
    """R4: products first sold in the window, and for each the known products of every basket that holds it."""
    first = lines.group_by("product").agg(pl.col("ts").min()).filter(pl.col("ts") >= now, pl.col("ts") < now + days)
    known = set(lines.filter(pl.col("ts") < now)["product"].unique().to_list())
    window = lines.filter(pl.col("ts") >= now, pl.col("ts") < now + days)
    found = (
        window.join(first.select("product"), on="product", how="semi")
        .select("product", "order")
        .unique()
        .join(window.select("order", other="product").unique(), on="order")
    )
    out = []
    for (product,), rows in sorted(found.partition_by("product", as_dict=True).items()):
        sets = [frozenset(o) & known for o in rows.group_by("order", maintain_order=True).agg("other")["other"]]
        if sets := [s for s in sets if s]:
            out.append((int(product), sets))
    return out


def cold(model: Any, asked: Sequence[tuple[int, list[frozenset[int]]]], *, products: int) -> Score:
    """R4: what is bought with a product never sold before; every later basket with it is one question."""
    lists, truth = [], []
    for product, sets in asked:
        found = model.beside_new(product, K)
        lists += [found] * len(sets)
        truth += sets
    return measure(lists, truth, products=products)


def audience(model: Any, lines: pl.DataFrame, split: Split, *, k: int = 50, days: int = DAYS) -> tuple[float, float]:
    """R4: who buys a new product (two known buyers or more): recall among k customers, and AUC over all known ones."""
    known = split.before.filter(pl.col("customer") >= 0)["customer"].unique().sort().to_numpy()
    first = lines.group_by("product").agg(pl.col("ts").min()).filter(pl.col("ts") >= split.now)
    window = lines.filter(pl.col("ts") >= split.now, pl.col("ts") < split.now + days)
    buyers = (
        window.join(first.select("product"), on="product", how="semi")
        .filter(pl.col("customer").is_in(known.tolist()))
        .group_by("product")
        .agg(pl.col("customer").unique())
        .sort("product")
    )
    recall, area = [], []
    for product, customers in buyers.rows():
        if len(customers) < 2:
            continue
        ranked = model.customers_for(product, len(known))
        recall.append(len(set(ranked[:k]) & set(customers)) / len(customers))
        place = np.full(len(known), (len(ranked) + len(known)) / 2)  # who is not named stands in the middle of the rest
        place[np.searchsorted(known, ranked)] = np.arange(len(ranked))
        bought = np.isin(known, customers)
        beaten = [(place[~bought] > at).mean() + 0.5 * (place[~bought] == at).mean() for at in place[bought]]
        area.append(float(np.mean(beaten)))
    return (float(np.mean(recall)), float(np.mean(area))) if recall else (float("nan"), float("nan"))


def standard_error(one: Score, other: Score, *, rounds: int = 1_000, seed: int = 0) -> tuple[float, float]:
    """Mean difference of NDCG and its bootstrap standard error over the questions."""
    gap = np.array(one.each) - np.array(other.each)
    rng = np.random.default_rng(seed)
    means = [gap[rng.integers(len(gap), size=len(gap))].mean() for _ in range(rounds)]
    return float(gap.mean()), float(np.std(means))
