"""Everything that is learned of a shop's baskets: arrays, and no customer's id."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from retail_ml.frames import IdMap
from retail_ml.recommend import copurchase, ridge
from retail_ml.recommend.content import TextIndex
from retail_ml.recommend.copurchase import Together
from retail_ml.recommend.data import Sales, day_of
from retail_ml.recommend.evidence import Support
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.neighbours import Neighbours, strongest
from retail_ml.recommend.popularity import HALF_LIVES, steadied, trend
from retail_ml.recommend.second_stage import SecondStage
from retail_ml.recommend.weights import Weights

KEPT = 100
"""Pairs kept per product; half of it above 20,000 products."""
AT_ONCE = 250
"""Products whose likeness to all others is in memory together."""
ALIKE = 50
"""Products described alike that are kept per product."""
RECENT = 50
"""Products of a customer (the most recent) that the person table learns from."""
LARGEST_ORDER = 100
"""Products of an order that the basket table learns from: of longer ones the best sellers."""
PART = 50_000
"""Customers whose histories are in memory at a time."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Tables:
    """What `learn` found, ready to be stored as arrays and memory-mapped again.

    Attributes
    ----------
    products : IdMap
    active : array of bool, one per product
        On sale when the tables were learned.
    orders_with : array of int32, one per product
        Orders that hold it.
    first_sold : array of float64, one per product
        Time of its first order; NaN: never sold.
    created : array of float64, one per product
        Day since which it has been in the range (days since 1970-01-01); NaN: not known.
    orders : int
        All orders.
    shares : array of float64, half-lives × products
        Decayed share of the order lines, for the half-lives `popularity.HALF_LIVES`; see `popularity.steadied`.
    person, basket : csr_matrix of float32, products × products
        Local ridge: row j says what follows from having bought j, having j in the basket (there without negatives).
    together : Together
        What goes with one product.
    similar : Neighbours or None
        Content similarity, 0…1, the 50 most alike; None in tables that only measure: found there when it is asked for.
    text : TextIndex
        For products that are newer than the tables.
    weights : Weights
    now : float
        The moment as of which all of this was learned, see `Sales.now`.
    second : SecondStage or None
        The learned second stage of lists for customers, where it won.
    """

    products: IdMap
    active: npt.NDArray[np.bool_]
    orders_with: npt.NDArray[np.int32]
    first_sold: npt.NDArray[np.float64]
    created: npt.NDArray[np.float64]
    orders: int
    shares: npt.NDArray[np.float64]
    person: sparse.csr_matrix
    basket: sparse.csr_matrix
    together: Together
    similar: Neighbours | None
    text: TextIndex
    weights: Weights
    now: float
    second: SecondStage | None = None

    @classmethod
    def learn(
        cls,
        sales: Sales,
        *,
        weights: Weights | None = None,
        neighbours: int | None = None,
        persons_only: bool = False,
        passing: bool = False,
        gram: sparse.csr_matrix | None = None,
    ) -> Tables:
        """Learn all tables of a shop's baskets and catalogue; `weights` None: the defaults for its rhythm.

        `persons_only` leaves out baskets, pairs and texts, which lists for customers do not need; `passing` the table
        of similar products, which is not worth while for the few questions of a test. `gram`: what `gram_of` gives,
        where it is known already.

        >>> from retail_ml.tests.recommend.small import catalogue, order_lines
        >>> baskets = order_lines({"1": "ab", "2": "ab", "3": "c"})
        >>> tables = Tables.learn(Sales.of(baskets, catalogue("abc"), as_of=date(2026, 6, 30)))
        >>> tables.support("a", "b").together, tables.orders
        (2, 3)
        """
        weights = default_weights(sales) if weights is None else weights
        matrix, count = sales.matrix, len(sales.products)
        usual = KEPT if count <= ridge.LARGE else KEPT // 2
        k = max(min(neighbours or usual, count - 1), 1)
        share = steadied(matrix, sales.age)
        rising = trend(share[HALF_LIVES.index(14)], share[HALF_LIVES.index(365)])
        price = sales.catalogue["price"].fill_null(float("nan")).to_numpy()
        text = TextIndex.of([""] * count, price) if persons_only else TextIndex.counted(sales.terms, price)
        some = without_orders(sales) if persons_only else sales
        return cls(
            products=sales.products,
            active=sales.catalogue["active"].to_numpy(),
            orders_with=np.bincount(matrix.indices, minlength=count).astype(np.int32),
            first_sold=_first_sold(sales),
            created=sales.catalogue["created"].to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            orders=sales.orders,
            shares=share,
            person=person_table(sales, weights),
            basket=basket_table(some, weights, gram=gram),
            together=copurchase.learn(some.matrix, some.age, rising, half_life=weights.together_half_life, k=k),
            similar=None if passing or persons_only else text.neighbours(max(min(ALIKE, count - 1), 1)),
            text=text,
            weights=weights,
            now=sales.now,
        )

    @property
    def as_of(self) -> date:
        """The last day wholly before `now`."""
        return day_of(self.now - 1)

    def __len__(self) -> int:
        return len(self.active)

    def share(self, half_life: int) -> npt.NDArray[np.float64]:
        """Decayed share of each product, for one of `popularity.HALF_LIVES`."""
        return np.asarray(self.shares[HALF_LIVES.index(half_life)])

    def trend(self, short: int) -> npt.NDArray[np.float64]:
        """Rising (above 1) or falling: the share with half-life `short` over that with 365 days."""
        return self._trends[short]

    @cached_property
    def _trends(self) -> dict[int, npt.NDArray[np.float64]]:
        return {days: trend(self.share(days), self.share(365)) for days in HALF_LIVES}

    @cached_property
    def newness(self) -> npt.NDArray[np.float64]:
        """Of the products never sold the newest has 1, the others less the longer they are there; 0: it was sold."""
        unsold = np.flatnonzero(self.orders_with == 0)
        since = np.nan_to_num(self.created[unsold], nan=-np.inf)
        out = np.zeros(len(self))
        out[unsold[np.argsort(-since, kind="stable")]] = 1 - np.arange(len(unsold)) / max(len(unsold), 1)
        return out

    @cached_property
    def best_sellers(self) -> npt.NDArray[np.bool_]:
        """True for the twentieth part (at least ten) of the products that sell most lately (share_28)."""
        top = max(10, len(self.products) // 20)
        share = np.where(self.orders_with > 0, self.share(28), 0.0)
        out = np.zeros(len(share), bool)
        out[np.argsort(-share, kind="stable")[:top]] = True
        return out & (share > 0)

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Place of each product among the best sellers of late (share_28), from 1."""
        out = np.empty(len(self), np.int64)
        out[np.argsort(-self.share(28), kind="stable")] = np.arange(1, len(self) + 1)
        return out

    def pairs_of(self, source: int, other: int) -> int | None:
        """Orders that hold both products; None when `other` is not among the strongest of `source`."""
        at = np.flatnonzero(self.together.table.ids[source] == other)
        return int(self.together.pairs[source][at[0]]) if len(at) else None

    @cached_property
    def row_weight(self) -> float:
        """Mean sum of a product's basket row: brings a basket's sum to the scale of a share."""
        total = float(self.basket.data.sum(dtype=np.float64))
        return total / len(self) if total > 0 else 1.0

    def likeness(self, row: int) -> npt.NDArray[np.float64]:
        """Content similarity of the 50 products most like one; 0 for the others."""
        return self.likenesses(np.array([row]))[0]

    def likenesses(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """`likeness` of several products, rows × products: where nothing is stored, one product of matrices for all."""
        if self.similar is not None:
            return np.array([self.similar.dense(row) for row in rows])
        known, distinct = self._likeness_known, np.unique(rows)
        asked = distinct[[row not in known for row in distinct.tolist()]]
        for first in range(0, len(asked), AT_ONCE):
            some = asked[first : first + AT_ONCE]
            found = self.text.alike(some)
            kept = strongest(found, max(min(ALIKE, len(self) - 1), 1))
            known |= {int(row): (found.indices[at], found.data[at]) for row, at in zip(some, kept, strict=True)}
        out = np.zeros((len(rows), len(self)))
        for at, row in enumerate(rows.tolist()):
            ids, score = known[row]
            out[at, ids] = score
        return out

    @cached_property
    def _likeness_known(self) -> dict[int, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
        """Of tables without `similar`: what was worked out before, for every rule of a trial asks the same."""
        return {}

    def rows(self, ids: Iterable[str]) -> npt.NDArray[np.int64]:
        """Row numbers of product ids; -1 for unknown ones. Quick for a few ids, unlike `IdMap.internal`."""
        wanted = np.array([str(i) for i in ids] or [""], dtype=str)
        external = self.products.external
        if not len(external):
            return np.full(len(wanted), -1, np.int64)
        at = np.minimum(np.searchsorted(external, wanted), len(external) - 1)
        return np.where(external[at] == wanted, at, -1).astype(np.int64)

    def mask(self, allowed: Collection[str] | None) -> npt.NDArray[np.bool_]:
        """True for the products that may be recommended; None: those on sale when the tables were learned."""
        if allowed is None:
            return np.asarray(self.active)
        out = np.zeros(len(self.products), bool)
        rows = self.rows(allowed)
        out[rows[rows >= 0]] = True
        return out

    def support(self, source: str, other: str) -> Support | None:
        """The counts behind a pair, or None when the pair is not among the strongest of `source`."""
        i, j = self.rows([source, other])
        return self.supports(int(i)).get(int(j)) if i >= 0 else None

    def supports(self, row: int) -> dict[int, Support]:
        """The counts behind the strongest pairs of one product, by the row of the other."""
        source = int(self.orders_with[row])
        entries = zip(
            self.together.table.ids[row].tolist(),
            self.together.pairs[row].tolist(),
            self.together.shown[row].tolist(),
            strict=True,
        )
        return {
            other: Support(pairs, source, int(self.orders_with[other]), self.orders, shown)
            for other, pairs, shown in entries
            if other >= 0
        }

    def to_arrays(self) -> tuple[dict[str, Any], Arrays]:
        """JSON values and arrays that `from_arrays` takes back."""
        vectors, similar = self.text.vectors, self.similar
        if similar is None:
            raise ValueError("these tables were learned in passing, for a test: they have no table of similar products")
        meta = {
            "orders": self.orders,
            "now": self.now,
            "text_shape": list(vectors.shape),
            "tables_weights": self.weights.to_dict(),
        }
        more, second = self.second.to_arrays() if self.second is not None else ({}, {})
        return meta | more, second | {
            "products": self.products.external,
            "active": self.active,
            "orders_with": self.orders_with,
            "first_sold": self.first_sold,
            "created": self.created,
            "shares": self.shares,
            **_unfold("person", self.person),
            **_unfold("basket", self.basket),
            "together_ids": self.together.table.ids,
            "together_score": self.together.table.score,
            "pairs": self.together.pairs,
            "shown": self.together.shown,
            "similar_ids": similar.ids,
            "similar_score": similar.score,
            **_unfold("text", vectors),
            "text_idf": self.text.idf,
            "price": self.text.price,
        }

    @classmethod
    def from_arrays(cls, meta: dict[str, Any], arrays: Arrays) -> Tables:
        """The tables that `to_arrays` gave; the arrays may be memory-mapped."""
        count = len(arrays["products"])
        return cls(
            products=IdMap(arrays["products"]),
            active=arrays["active"],
            orders_with=arrays["orders_with"],
            first_sold=arrays["first_sold"],
            created=arrays.get("created", np.full(count, np.nan)),  # versions before it was stored do not know
            orders=int(meta["orders"]),
            shares=arrays["shares"],
            person=fold("person", arrays, (count, count)),
            basket=fold("basket", arrays, (count, count)),
            together=Together(
                Neighbours(arrays["together_ids"], arrays["together_score"]), arrays["pairs"], arrays["shown"]
            ),
            similar=Neighbours(arrays["similar_ids"], arrays["similar_score"]),
            text=TextIndex(fold("text", arrays, tuple(meta["text_shape"])), arrays["text_idf"], arrays["price"]),
            weights=Weights(**meta["tables_weights"]),
            now=float(meta["now"]),
            second=SecondStage.from_arrays(meta, arrays, products=count),
        )


def without_orders(sales: Sales) -> Sales:
    """The same products, nothing bought."""
    none = np.zeros(0)
    return replace(sales, matrix=sales.matrix[:0], customer=none.astype(np.int32), time=none)


def default_weights(sales: Sales) -> Weights:
    """The defaults for a shop of this size, the customers' half-lives scaled to the median gap of their orders."""
    gaps = Histories.of(sales, np.arange(min(sales.customers, PART))).gaps
    return Weights.for_rhythm(float(np.median(gaps)) if len(gaps) else None).for_size(sales.orders)


def person_table(sales: Sales, weights: Weights) -> sparse.csr_matrix:
    """W of the persons: local ridge on X = √D_h over the most recent products of each customer."""
    parts = [sparse.csr_matrix((0, len(sales.products)), dtype=np.float32)]
    for first in range(0, sales.customers, PART):
        some = Histories.of(sales, np.arange(first, min(first + PART, sales.customers)))
        kept = some.decayed(weights.fit_half_life).multiply(some.recent(RECENT)).sqrt().astype(np.float32).tocsr()
        kept.eliminate_zeros()
        parts.append(kept)
    matrix = sparse.vstack(parts, format="csr", dtype=np.float32)
    found = ridge.gram(matrix, keep=ridge.kept_per_product(matrix.shape[1]))
    return ridge.local_ridge(found, penalty=weights.ridge)


def basket_table(sales: Sales, weights: Weights, *, gram: sparse.csr_matrix | None = None) -> sparse.csr_matrix:
    """A of the baskets, negatives left out: local ridge on the orders, the older the lighter."""
    found = gram_of(sales, weights) if gram is None else gram
    return completing(ridge.local_ridge(found, penalty=weights.basket_ridge))


def gram_of(sales: Sales, weights: Weights) -> sparse.csr_matrix:
    """`basket_gram` of a shop's orders under its weights."""
    return basket_gram(
        sales.matrix, sales.age, half_life=weights.basket_half_life, size_power=weights.basket_size_power
    )


def completing(table: sparse.csr_matrix) -> sparse.csr_matrix:
    """A table without its negatives: what speaks against a product does not empty a basket's list."""
    table.data = np.maximum(table.data, 0)
    table.eliminate_zeros()
    return table


def basket_gram(
    matrix: sparse.csr_matrix, age: npt.NDArray[np.float64], *, half_life: float, size_power: float
) -> sparse.csr_matrix:
    """G of the orders with weight 0.5^(age / h) · size^-power, in each order at most the 100 best sellers."""
    size = np.diff(matrix.indptr)
    order = np.repeat(np.arange(len(size)), size)
    weight = np.power(0.5, age / half_life) * np.power(np.maximum(size, 1), -size_power)
    data = np.sqrt(weight)[order].astype(np.float32)
    if size.max(initial=0) > LARGEST_ORDER:
        bought = np.bincount(matrix.indices, minlength=matrix.shape[1])
        ranked = np.lexsort((matrix.indices, -bought[matrix.indices], order))  # orders stay where they are
        place = np.empty(len(ranked), np.int64)
        place[ranked] = np.arange(len(ranked)) - np.repeat(matrix.indptr[:-1], size)
        data[place >= LARGEST_ORDER] = 0
    rows = sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape, copy=True)
    rows.eliminate_zeros()
    return ridge.gram(rows, keep=ridge.kept_per_product(matrix.shape[1]))


def fold(name: str, arrays: Arrays, shape: tuple[int, ...]) -> sparse.csr_matrix:
    """The csr matrix whose three arrays stand under `name`; nothing is copied."""
    parts = (arrays[f"{name}_data"], arrays[f"{name}_indices"], arrays[f"{name}_indptr"])
    return sparse.csr_matrix(parts, shape=shape)


def _unfold(name: str, matrix: sparse.csr_matrix) -> Arrays:
    return {
        f"{name}_data": matrix.data,
        f"{name}_indices": matrix.indices.astype(np.int32),
        f"{name}_indptr": matrix.indptr.astype(np.int32),
    }


def _first_sold(sales: Sales) -> npt.NDArray[np.float64]:
    out = np.full(len(sales.products), np.inf)
    np.minimum.at(out, sales.matrix.indices, np.repeat(sales.time, np.diff(sales.matrix.indptr)))
    return np.where(np.isfinite(out), out, np.nan)
