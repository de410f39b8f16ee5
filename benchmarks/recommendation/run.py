"""Ours beside simple baselines on Online Retail II, by the protocol R1-R4. A peer is one more entry of MODELS."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.recommendation import baselines, online_retail, protocol
from benchmarks.recommendation.adapter import Trastienda

MODELS: dict[str, Callable[[], Any]] = {
    "Pop": baselines.Popularity,
    "PTopFreq": baselines.PersonalFrequency,
    "ours": Trastienda,
}


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the Parquet files of Online Retail II")
    parser.add_argument("--dates", nargs="*", type=date.fromisoformat, default=list(online_retail.DATES.values()))
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--sizes", action="store_true", help="R3 at every size of shop, too")
    given = parser.parse_args()
    lines, products = online_retail.load(given.folder)
    for when in given.dates:
        one_date(lines, products, when, given.models)
        if given.sizes:
            sizes(lines, products, when)


def one_date(lines: pl.DataFrame, products: pl.DataFrame, when: date, names: list[str]) -> None:
    """R1 to R4 of every model at one date."""
    split = protocol.Split.at(lines, online_retail.day(when))
    count = split.before["product"].n_unique()
    fitted = {}
    print(f"\n## {when}\n")
    for name in names:
        start = time.process_time()
        fitted[name] = MODELS[name]().fit(split.before, products, split.now)
        print(f"- {name}: fitted in {time.process_time() - start:.1f} CPU s")
    for title, next_basket in (("R1, next 28 days", False), ("R2, next basket", True)):
        persons = protocol.people(split, next_basket=next_basket)
        head(title, ["all R@10", "all NDCG", "novel R@10", "novel NDCG", "repeat NDCG", "coverage all/novel", "cases"])
        for name, model in fitted.items():
            found = {mode: protocol.personal(model, persons, mode, products=count) for mode in protocol.MODES}
            row(name, found["all"].recall, found["all"].ndcg, found["novel"].recall, found["novel"].ndcg,
                found["repeat"].ndcg, f"{found['all'].coverage:.2f}/{found['novel'].coverage:.2f}",
                f"{found['all'].cases}/{found['novel'].cases}")  # fmt: skip
    head("R3, baskets (mean of 5 draws)", ["hit@5", "hit@10", "MRR", "single hit@10", "single prec@10", "coverage"])
    for name, model in fitted.items():
        rows = []
        for seed in range(5):
            asked = protocol.baskets(split, seed=seed)
            rest, one = (f(model, asked, products=count) for f in (protocol.completion, protocol.single))
            rows.append((rest.hit5, rest.hit10, rest.reciprocal, one.hit10, one.precision, rest.coverage))
        row(name, *np.mean(rows, axis=0).tolist())
    new = protocol.newcomers(lines, split.now)
    head("R4, products first sold in the window", ["hit@10", "prec@10", "customers recall@50", "AUC", "events"])
    for name, model in fitted.items():
        beside = protocol.cold(model, new, products=count)
        buyers = protocol.audience(model, lines, split) if hasattr(model, "customers_for") else (float("nan"),) * 2
        row(name, beside.hit10, beside.precision, *buyers, str(beside.cases))


def sizes(lines: pl.DataFrame, products: pl.DataFrame, when: date) -> None:
    """R3 (rest of the basket) with so many orders, drawn at random; mean of five draws (one of 5,000)."""
    split = protocol.Split.at(lines, online_retail.day(when))
    asked = protocol.baskets(split)
    orders = split.before["order"].unique().sort().to_numpy()
    head("R3 hit@10 at every size of shop", ["Pop", "confidence", "ours"])
    for size in (30, 100, 300, 1_000, 5_000):
        rows = []
        for seed in range(5 if size < 5_000 else 1):
            drawn = np.random.default_rng(seed).choice(orders, size, replace=False)
            some = split.before.join(pl.DataFrame({"order": drawn}), on="order", how="semi")
            models = (baselines.Popularity(days=1e9), baselines.Confidence(), Trastienda())
            found = [m.fit(some, products, split.now) for m in models]
            rows.append([protocol.completion(m, asked, products=len(products)).hit10 for m in found])
        row(str(size), *np.mean(rows, axis=0).tolist())


def head(title: str, columns: list[str]) -> None:
    """Title and head of a table."""
    print(f"\n### {title}\n\n| | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}")


def row(name: str, *values: float | str) -> None:
    """One row of a table."""
    cells = [value if isinstance(value, str) else f"{value:.4f}" for value in values]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
