"""Time, memory and latency of ours on a synthetic shop: Zipf popularity, themes and repeats."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl

from benchmarks.recommendation.adapter import Trastienda
from retail_ml.recommend import learned
from retail_ml.recommend.base import Batch, Recommender
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.models import PersonalBlend


def shop(lines: int, products: int, *, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Orders of some ten lines in 730 days: a third from the customer's own past, the rest of one of 200 themes."""
    rng = np.random.default_rng(seed)
    orders = lines // 10
    customers = max(orders // 8, 1)
    weight = 1 / np.arange(1, products + 1) ** 0.9
    cumulative = np.cumsum(weight / weight.sum())
    owner = rng.integers(0, customers, orders)
    size = rng.geometric(1 / 10, orders)
    order = np.repeat(np.arange(orders), size)
    theme = np.repeat(rng.integers(0, 200, orders), size)
    drawn = np.searchsorted(cumulative, rng.random(len(order)))
    themed = (drawn // 200) * 200 + theme  # the same popularity, products of the order's theme
    own = (owner[order].astype(np.int64) * 7919 + rng.integers(0, 30, len(order)) * 104_729) % products
    product = np.where(rng.random(len(order)) < 0.33, own, np.minimum(themed, products - 1))
    when = np.sort(rng.random(orders)) * 730
    frame = pl.DataFrame(
        {"order": order, "customer": np.where(owner[order] % 10 == 0, -1, owner[order]), "product": product,
         "ts": when[order], "qty": np.ones(len(order)), "price": np.ones(len(order))}
    )  # fmt: skip
    names = pl.DataFrame({"product": np.arange(products)}).with_columns(
        text=pl.format("item {} kind {} colour {}", pl.col("product"), pl.col("product") % 500, pl.col("product") % 37),
        category=pl.format("theme {}", pl.col("product") % 200),
        price=(pl.col("product") % 97 + 1).cast(pl.Float64),
    )
    return frame, names


def peak() -> float:
    """Largest resident size so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def latency(name: str, ask: Callable[[int], object], rounds: int = 400) -> None:
    """Milliseconds of single answers: median, 95 and 99 per cent."""
    took = []
    for i in range(rounds):
        start = time.perf_counter()
        ask(i)
        took.append(1000 * (time.perf_counter() - start))
    print(f"| {name} | {' | '.join(f'{v:.1f}' for v in np.percentile(took[10:], [50, 95, 99]))} |", flush=True)


def one(rule: Recommender, histories: list[Histories], mask: np.ndarray, i: int) -> object:
    """One customer's list."""
    return rule.top_many(Batch.of_customers(histories[i], mask=mask), k=10)


def main() -> None:
    """Print training cost, then latencies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--linear", action="store_true", help="without the second stage")
    given = parser.parse_args()
    lines, products = shop(given.lines, given.products)
    print(f"{len(lines)} lines, {given.products} products; input and libraries {peak():.2f} GB", flush=True)
    if given.linear:
        learned.FEWEST_CUSTOMERS = 10**9
    start, model = time.process_time(), Trastienda().fit(lines, products, 730.0)
    print(f"fitted in {time.process_time() - start:.1f} CPU s, peak {peak():.2f} GB", flush=True)
    print({name: found.method for name, found in model.choice.surfaces.items()})
    rng = np.random.default_rng(1)
    histories = [model._history(int(c)) for c in rng.choice(model.customers, 400)]
    some = rng.choice(lines["product"].to_numpy(), (400, 4))
    print("\n| answer, ms | p50 | p95 | p99 |\n|---|--:|--:|--:|")
    served = {"customer, linear": PersonalBlend(), "customer, as served": model.served["customer"]}
    for name, rule in served.items():
        rule.attach(model.tables)
        latency(name, partial(one, rule, histories, model.tables.active))
    latency("basket of 4", lambda i: model.recommend_for_basket(some[i].tolist(), 10))
    latency("bought together", lambda i: model.bought_together(int(some[i, 0]), 10))
    latency("similar", lambda i: model.similar(int(some[i, 0]), 10))


if __name__ == "__main__":
    main()
