"""Whom to tell of a product: customers who lately bought what is described like it, read live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from ml_predictions.messages import message
from ml_predictions.services.recommendation_answers import Shelf
from ml_predictions.services.recommendation_pages import words
from ml_predictions.sources.base import Source
from retail_ml.recommend.audience import ALIKE, HALF_LIFE, MOST_ALIKE, REACH, interested
from retail_ml.recommend.base import best
from retail_ml.recommend.data import day_number
from retail_ml.recommend.tables import Tables


def audience(tables: Tables, product_id: str, source: Source, *, top_n: int) -> dict[str, Any]:
    """The `top_n` customers most interested in a product, with the reason of each: four queries, however many buy.

    Who bought the product itself in that time is left out. Raises UnknownId for a product that the shop has not.
    """
    shelf = Shelf(source)
    shelf.look([], also=[product_id])
    alike = _alike(tables, product_id, shelf.known(product_id))
    found = _interested(tables, alike, product_id, source) if alike else pl.DataFrame()
    chosen = found.head(top_n).to_dicts()
    shelf.look([], also=[row["nearest"] for row in chosen])
    customers = [_item(row, rank, shelf) for rank, row in enumerate(chosen, start=1)]
    told = {} if customers else {"note": message("recommend.nobody_alike" if alike else "recommend.nothing_alike")}
    receipt = {"surface": "audience", "sentence": message("recommend.receipt_audience")}
    return {"customers": customers, **told, "receipt": receipt}


def _alike(tables: Tables, product_id: str, product: Mapping[str, Any]) -> dict[str, float]:
    """Likeness of the products most like one, by its words and price of now; itself left out."""
    asked = words(product)
    if not asked["text"].strip():
        return {}
    likeness = tables.text.similar_to(asked["text"], price=asked["price"])
    own = int(tables.rows([product_id])[0])
    if own >= 0:
        likeness[own] = 0.0
    rows = best(np.where(likeness >= ALIKE, likeness, 0.0), MOST_ALIKE)
    return dict(zip(tables.products.external[rows].tolist(), likeness[rows].tolist(), strict=True))


def _interested(tables: Tables, alike: dict[str, float], product_id: str, source: Source) -> pl.DataFrame:
    """`interested`, of what is in the shop's books now."""
    rhythm = tables.weights.rhythm
    until = source.data_until()
    today = max(tables.as_of, until.as_of) if until else tables.as_of
    since = max(today - timedelta(days=round(REACH * HALF_LIFE * rhythm)), date(1970, 1, 2))
    bought = source.buyers([*alike, product_id], since=since)
    theirs = bought.filter(pl.col("product_id") == product_id)["customer_id"].unique()
    bought = bought.filter(pl.col("product_id") != product_id, ~pl.col("customer_id").is_in(theirs.to_list()))
    visits = source.visits_of_buyers(list(alike), since=since)
    return interested(bought, visits, alike, now=float(day_number(today)) + 1, rhythm=rhythm)


def _item(row: dict[str, Any], rank: int, shelf: Shelf) -> dict[str, Any]:
    figures = {"products": row["products"], "day": row["last"].isoformat(), "similarity": round(100 * row["alike"])}
    code = "recommend.bought_alike_one" if row["products"] == 1 else "recommend.bought_alike"
    name = shelf.name(row["nearest"]) or row["nearest"]
    return {
        "customer_id": row["customer_id"],
        "rank": rank,
        "score": round(row["score"], 4),
        "reason": message(code, product=name, **figures),
        "support": row["orders"],
        "last_bought": row["last"],
    }
