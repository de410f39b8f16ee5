"""What the stock's say in recommendations costs: NDCG@10 lost, and short and overstocked products shown, by strength.

The stock of the data is not known, so covers are drawn: a quarter of the products has 104 to 400 days of demand on the
shelf, the others 0 to 60; a delivery takes 14 days, more than 120 days are too much.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.recommendation.adapter import Trastienda
from benchmarks.recommendation.online_retail import DATES, day, load
from retail_ml.recommend import evaluation
from retail_ml.recommend.base import Recommender
from retail_ml.recommend.data import Sales
from retail_ml.recommend.models import BasketCompletion, HybridPage, PersonalBlend
from retail_ml.recommend.selection import QUESTIONS
from retail_ml.recommend.steering import STRENGTHS, Cost, Stock, by_row, chosen, pressure
from retail_ml.recommend.tables import Tables

BOUND = 0.01
RULES: dict[str, Callable[[], Recommender]] = {
    "page": HybridPage, "basket": BasketCompletion, "customer": PersonalBlend, "customer_novel": PersonalBlend,
    "customer_repeat": PersonalBlend,
}  # fmt: skip


class OnlySales(Trastienda):
    """The adapter up to the shop's sales, without learning."""

    def learn(self) -> None:
        """Nothing: this benchmark learns for its own windows."""


def drawn(sales: Sales, *, seed: int) -> dict[str, float]:
    """The pressure of each product by a cover drawn at random."""
    rng, count = np.random.default_rng(seed), len(sales.products)
    cover = np.where(rng.random(count) < 0.25, rng.uniform(104, 400, count), rng.uniform(0, 60, count))
    push = pressure(cover, daily=np.ones(count), lead_days=np.full(count, 14.0), excess=np.full(count, 120.0))
    return dict(zip(sales.products.external.tolist(), push.tolist(), strict=True))


def main() -> None:
    """A line per list: for each strength the loss, and the shares of places with short and overstocked products."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=5)
    asked = parser.parse_args()
    started = time.process_time()
    sales = OnlySales().fit(*load(asked.folder), day(DATES["Nov"])).sales
    stock = Stock(drawn(sales, seed=asked.seed), BOUND)
    known = [(Tables.learn(sales.before(w[0]), passing=True), w) for w in evaluation.windows(sales)[-2:]]
    print("strengths", (0.0, *STRENGTHS))
    for surface, rule in RULES.items():
        pair = [(rule().attach(tables), QUESTIONS[surface](sales, tables, w, seed=0)) for tables, w in known]
        model, questions = pair[1]
        cost = Cost.of(model, questions, by_row(model.tables_, stock.pressure), STRENGTHS)
        for name, figures in (("loss", cost.loss), ("short", cost.short), ("overstock", cost.over)):
            print(f"{surface:16}{name:10}" + "".join(f"{100 * x:8.1f}" for x in figures))
        print(f"{surface:16}chosen    {chosen(pair[0], pair[1], stock)}", flush=True)
    print(f"{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
