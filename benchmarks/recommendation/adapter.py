"""The product's own recommender behind the benchmark's interface: any data set with these two frames can be run.

lines     order, customer (-1: anonymous), product, ts (days), qty, price     ids int64
products  product, text, category, price
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backend_django"))

from benchmarks.recommendation.reading import lines_of, products_of
from retail_ml.frames import PRODUCTS, IdMap
from retail_ml.recommend.audience import audience
from retail_ml.recommend.base import Batch, Mode
from retail_ml.recommend.clock import on_one_clock
from retail_ml.recommend.content import product_texts
from retail_ml.recommend.data import GUEST, Sales
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.learning import learn
from retail_ml.recommend.models import BoughtTogether, Popularity, SimilarContent, subjects_of
from retail_ml.recommend.selection import RUNGS, SURFACE


class Trastienda:
    """Fit once, then ask. Every answer is a list of product ids, the best first; unknown ids are no error."""

    def fit(self, lines: Any, products: Any, now: float) -> Trastienda:
        """Learn from the lines before `now` (days); frames of polars or pandas."""
        lines, products = lines_of(lines).filter(pl.col("ts") < now), products_of(products)
        self.products = np.unique(np.concatenate([products["product"].to_numpy(), lines["product"].to_numpy()]))
        self.customers = np.unique(lines.filter(pl.col("customer") >= 0)["customer"].to_numpy())
        self.sales = self._sales(lines, products, now)
        self.learn()
        return self

    def learn(self) -> None:
        """What the product does with a shop's sales."""
        learnt = learn(self.sales, seed=0)
        self.tables, self.choice = learnt.tables, learnt.choice
        self.served = {name: RUNGS[name][found.method]() for name, found in self.choice.surfaces.items()}

    def _sales(self, lines: pl.DataFrame, products: pl.DataFrame, now: float) -> Sales:
        count = len(self.products)
        names = IdMap(np.array([f"{row:0{len(str(count))}}" for row in range(count)], dtype=str))
        customer = np.searchsorted(self.customers, lines["customer"].to_numpy())
        numbered = pl.DataFrame(
            {
                "order": lines["order"],
                "customer": np.where(lines["customer"].to_numpy() >= 0, customer, GUEST),
                "product": np.searchsorted(self.products, lines["product"].to_numpy()),
                "time": lines["ts"].cast(pl.Float64),
            }
        )
        numbered = on_one_clock(numbered, now=now)
        return Sales.numbered(numbered, names, self._catalogue(products, names), now=now)

    def _catalogue(self, products: pl.DataFrame, names: IdMap) -> pl.DataFrame:
        known = products.rename({"text": "name"})
        return (
            pl.DataFrame({"product": self.products, "product_id": names.external.tolist()})
            .join(known, on="product", how="left", maintain_order="left")
            .with_columns(
                pl.col("name", "category").fill_null(""),
                brand=pl.lit(""), description=pl.lit(""), image_url=pl.lit(""), active=pl.lit(value=True),
                created=pl.lit(None, dtype=pl.Date),
            )
            .select(list(PRODUCTS))
        )  # fmt: skip

    # --- questions ----------------------------------------------------------------------------

    def recommend_for_customer(self, customer: int, k: int, mode: Mode = "all") -> list[int]:
        """What to offer a customer; popularity for one who never bought (nothing in mode "repeat")."""
        batch = Batch.of_customers(self._history(customer), mask=self._candidates(), mode=mode)
        return self._ids(self.served[SURFACE[mode]].attach(self.tables).top_many(batch, k=k)[0][0])

    def recommend_for_basket(self, basket: Sequence[int], k: int, customer: int | None = None) -> list[int]:
        """How a basket goes on."""
        history = self._history(-1 if customer is None else customer)
        batch = Batch(subjects_of([self._rows(basket)], len(self.products)), history, self._candidates())
        return self._ids(self.served["basket"].attach(self.tables).top_many(batch, k=k)[0][0])

    def bought_together(self, product: int, k: int, *, shown_only: bool = False) -> list[int]:
        """What goes with one product; `shown_only`: patterns alone, false discoveries controlled."""
        return self._beside(BoughtTogether(shown_only=shown_only), product, k)

    def similar(self, product: int, k: int) -> list[int]:
        """What is described alike."""
        return self._beside(SimilarContent(), product, k)

    def beside_new(self, product: int, k: int) -> list[int]:
        """The page of a product, new ones included."""
        return self._beside(self.served["page"], product, k)

    def customers_for(self, product: int, k: int) -> list[int]:
        """Whom to tell of a new product (its words and price stand in `products`)."""
        row = self._rows([product])
        if not len(row):
            return []
        texts, price = product_texts(self.sales.catalogue[row]), self.sales.catalogue["price"][int(row[0])]
        found = audience(self.sales, self.tables, text=texts[0], price=price, k=k)
        return self.customers[[number for number, _ in found]].tolist()

    def popular(self, k: int) -> list[int]:
        """What sells most lately."""
        batch = Batch.of_subjects(subjects_of([self._rows([])], len(self.products)), mask=self._candidates())
        return self._ids(Popularity().attach(self.tables).top_many(batch, k=k)[0][0])

    def _beside(self, model: Any, product: int, k: int) -> list[int]:
        batch = Batch.of_subjects(subjects_of([self._rows([product])], len(self.products)), mask=self._candidates())
        return self._ids(model.attach(self.tables).top_many(batch, k=k)[0][0])

    def _history(self, customer: int) -> Histories:
        at = int(np.searchsorted(self.customers, customer))
        if at == len(self.customers) or self.customers[at] != customer:
            return Histories.none(1, len(self.products))
        return Histories.of(self.sales, np.array([at]))

    def _rows(self, ids: Sequence[int]) -> np.ndarray:
        wanted = np.unique(np.asarray(list(ids), np.int64))
        at = np.searchsorted(self.products, wanted)
        at = np.minimum(at, max(len(self.products) - 1, 0))
        return at[self.products[at] == wanted] if len(self.products) else np.empty(0, np.int64)

    def _candidates(self) -> np.ndarray:
        return np.asarray(self.tables.active)

    def _ids(self, rows: np.ndarray) -> list[int]:
        return self.products[rows].tolist()
