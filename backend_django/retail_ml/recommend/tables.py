"""Everything that is learned of a shop: arrays, and nothing about any one customer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.frames import IdMap
from retail_ml.recommend import copurchase
from retail_ml.recommend.content import TextIndex, product_texts
from retail_ml.recommend.data import Sales
from retail_ml.recommend.neighbours import Neighbours
from retail_ml.recommend.popularity import HALF_LIVES, shares, trend

KEPT = 100
"""Neighbours kept per product and table."""

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
    orders : int
        All orders.
    shares : array of float64, half-lives × products
        Decayed share of the order lines, for the half-lives `popularity.HALF_LIVES`.
    together, cosine : Neighbours
        See `copurchase.CoPurchase`; `pairs` are the counts beside `together`.
    similar : Neighbours
        Content similarity, 0…1.
    text : TextIndex
        For products that are newer than the tables.
    as_of : date
    """

    products: IdMap
    active: npt.NDArray[np.bool_]
    orders_with: npt.NDArray[np.int32]
    orders: int
    shares: npt.NDArray[np.float64]
    together: Neighbours
    pairs: npt.NDArray[np.int32]
    cosine: Neighbours
    similar: Neighbours
    text: TextIndex
    as_of: date

    @classmethod
    def learn(cls, sales: Sales, *, neighbours: int = KEPT) -> Tables:
        """Learn all tables of a shop's baskets and catalogue.

        >>> from retail_ml.tests.recommend.small import catalogue, order_lines
        >>> baskets = order_lines({"1": "ab", "2": "ab", "3": "c"})
        >>> tables = Tables.learn(Sales.of(baskets, catalogue("abc"), as_of=date(2026, 6, 30)))
        >>> tables.support("a", "b").together, tables.orders
        (2, 3)
        """
        matrix, count = sales.matrix, len(sales.products)
        k = max(min(neighbours, count - 1), 1)
        share = np.stack([shares(matrix, sales.age, days) for days in HALF_LIVES])
        rising = trend(share[HALF_LIVES.index(14)], share[HALF_LIVES.index(365)])
        pairs = copurchase.learn(matrix, sales.age, rising, k=k)
        price = sales.catalogue["price"].fill_null(float("nan")).to_numpy()
        text = TextIndex.of(product_texts(sales.catalogue), price)
        return cls(
            products=sales.products,
            active=sales.catalogue["active"].to_numpy(),
            orders_with=np.bincount(matrix.indices, minlength=count).astype(np.int32),
            orders=sales.orders,
            shares=share,
            together=pairs.together,
            pairs=pairs.pairs,
            cosine=pairs.cosine,
            similar=text.neighbours(k),
            text=text,
            as_of=sales.as_of,
        )

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
    def best_sellers(self) -> npt.NDArray[np.bool_]:
        """True for the twentieth part (at least ten) of the products that sell most lately (share_28)."""
        top = max(10, len(self.products) // 20)
        share = np.where(self.orders_with > 0, self.share(28), 0.0)
        out = np.zeros(len(share), bool)
        out[np.argsort(-share, kind="stable")[:top]] = True
        return out & (share > 0)

    @cached_property
    def row_weight(self) -> float:
        """Mean sum of a product's cosine row: brings a basket's sum to the scale of a share."""
        sums = self.cosine.score.sum(axis=1, dtype=np.float64)
        return float(sums.mean()) if sums.any() else 1.0

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

    def support(self, source: str, other: str) -> copurchase.Support | None:
        """The counts behind a pair, or None when the pair is not among the strongest of `source`."""
        i, j = self.rows([source, other])
        return self.supports(int(i)).get(int(j)) if i >= 0 else None

    def supports(self, row: int) -> dict[int, copurchase.Support]:
        """The counts behind the strongest pairs of one product, by the row of the other."""
        source, pairs = int(self.orders_with[row]), self.pairs[row].tolist()
        return {
            other: copurchase.Support(together, source, int(self.orders_with[other]), self.orders)
            for other, together in zip(self.together.ids[row].tolist(), pairs, strict=True)
            if other >= 0
        }

    def to_arrays(self) -> tuple[dict[str, Any], Arrays]:
        """JSON values and arrays that `from_arrays` takes back."""
        vectors = self.text.vectors
        meta = {"orders": self.orders, "as_of": self.as_of.isoformat(), "text_shape": list(vectors.shape)}
        return meta, {
            "products": self.products.external,
            "active": self.active,
            "orders_with": self.orders_with,
            "shares": self.shares,
            "together_ids": self.together.ids,
            "together_score": self.together.score,
            "pairs": self.pairs,
            "cosine_ids": self.cosine.ids,
            "cosine_score": self.cosine.score,
            "similar_ids": self.similar.ids,
            "similar_score": self.similar.score,
            "text_data": vectors.data,
            "text_indices": vectors.indices.astype(np.int32),
            "text_indptr": vectors.indptr.astype(np.int64),
            "text_idf": self.text.idf,
            "price": self.text.price,
        }

    @classmethod
    def from_arrays(cls, meta: dict[str, Any], arrays: Arrays) -> Tables:
        """The tables that `to_arrays` gave; the arrays may be memory-mapped."""
        vectors = sparse.csr_matrix(
            (arrays["text_data"], arrays["text_indices"], arrays["text_indptr"]), shape=tuple(meta["text_shape"])
        )
        return cls(
            products=IdMap(arrays["products"]),
            active=arrays["active"],
            orders_with=arrays["orders_with"],
            orders=int(meta["orders"]),
            shares=arrays["shares"],
            together=Neighbours(arrays["together_ids"], arrays["together_score"]),
            pairs=arrays["pairs"],
            cosine=Neighbours(arrays["cosine_ids"], arrays["cosine_score"]),
            similar=Neighbours(arrays["similar_ids"], arrays["similar_score"]),
            text=TextIndex(vectors, arrays["text_idf"], arrays["price"]),
            as_of=date.fromisoformat(meta["as_of"]),
        )
