"""Ours beside the peers by the protocol R1-R4: Online Retail II on two dates, shops of every size, other shops.

Every figure is added to results.json beside this file, so that a long run can be made in parts; `--write-readme`
puts the tables of that file into the README.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.recommendation import online_retail, protocol, report, shops
from benchmarks.recommendation.adapter import Trastienda
from benchmarks.recommendation.peers import peers
from benchmarks.recommendation.protocol import Split

Cells = dict[str, float]
OURS = report.OURS
SIZES = (30, 100, 300, 1_000, 5_000)
DRAWS = 5
MOST_ASKED = 1_000
"""Customers of one of the other shops that are asked."""
FOR_SHOPS = (
    "Pop", "PTopFreq", "TIFU-KNN", "UP-CF", "TF-IDF", "EASE", "PureSVD", "rules, confidence", "rules, jaccard",
    "rules, cosine",
)  # fmt: skip


@dataclass(frozen=True)
class Questions:
    """Everything that is asked about one split; `lines`: with those of products nobody could know.

    `most`: customers that are asked at the most, drawn at random.
    """

    split: Split
    lines: pl.DataFrame
    products: pl.DataFrame
    most: int = 10**9

    @cached_property
    def known(self) -> int:
        """Products sold before."""
        return self.split.before["product"].n_unique()

    @cached_property
    def persons(self) -> dict[str, list[protocol.Person]]:
        """R1 and R2."""
        found = {"R1": protocol.people(self.split), "R2": protocol.people(self.split, next_basket=True)}
        rng = np.random.default_rng(0)
        return {name: [p[i] for i in rng.permutation(len(p))[: self.most]] for name, p in found.items()}

    @cached_property
    def baskets(self) -> list[list[np.ndarray]]:
        """R3, five draws."""
        return [protocol.baskets(self.split, seed=seed) for seed in range(DRAWS)]

    def judge(self, make: Callable[[], Any]) -> Cells:
        """Fit, then ask everything the model answers."""
        start = time.process_time()
        model = make().fit(self.split.before, self.products, self.split.now)
        cells: Cells = {"fit CPU s": time.process_time() - start}
        asked = getattr(model, "asked", ("customer", "basket", "new"))
        if "customer" in asked:
            for name, persons in self.persons.items():
                cells |= self._persons(model, name, persons)
        if "basket" in asked:
            cells |= self._baskets(model)
        if "new" in asked:
            cells |= self._newcomers(model)
        return {name: round(float(value), 5) for name, value in cells.items() if np.isfinite(value)}

    def _persons(self, model: Any, name: str, persons: list[protocol.Person]) -> Cells:
        cells: Cells = {}
        for mode in protocol.MODES:
            found = protocol.personal(model, persons, mode, products=self.known)
            if found.cases:
                cells |= {
                    f"{name} {mode} recall": found.recall, f"{name} {mode} NDCG": found.ndcg,
                    f"{name} {mode} coverage": found.coverage, f"{name} {mode} cases": found.cases,
                }  # fmt: skip
        return cells

    def _baskets(self, model: Any) -> Cells:
        if not self.baskets[0]:
            return {}
        rows = []
        for asked in self.baskets:
            rest = protocol.completion(model, asked, products=self.known)
            one = protocol.single(model, asked, products=self.known)
            rows.append((rest.hit5, rest.hit10, rest.reciprocal, rest.coverage, one.hit10, one.precision, rest.cases))
        names = ("hit@5", "hit@10", "MRR", "coverage", "single hit@10", "single prec@10", "cases")
        return {f"R3 {name}": value for name, value in zip(names, np.mean(rows, axis=0).tolist(), strict=True)}

    def _newcomers(self, model: Any) -> Cells:
        new = protocol.newcomers(self.lines, self.split.now)
        found = protocol.cold(model, new, products=self.known)
        cells = {"R4 hit@10": found.hit10, "R4 prec@10": found.precision, "R4 events": float(found.cases)}
        if hasattr(model, "customers_for"):
            cells["R4 customers recall@50"], cells["R4 AUC"] = protocol.audience(model, self.lines, self.split)
        return cells if found.cases else {}


def main() -> None:
    """Measure, note, write."""
    given = _arguments()
    found: dict[str, dict[str, Cells]] = json.loads(given.results.read_text()) if given.results.exists() else {}

    def note(group: str, model: str, cells: Cells) -> None:
        print(group, model, json.dumps(cells), flush=True)
        again = json.loads(given.results.read_text()) if given.results.exists() else {}  # another run may have written
        again.setdefault(group, {})[model] = cells
        given.results.write_text(json.dumps(again, indent=1))
        found.clear()
        found.update(again)

    if given.dates or given.sizes:
        lines, products = online_retail.load(given.folder)
        for when in given.dates:
            split = Split.at(lines, online_retail.day(when))
            several(Questions(split, lines, products), when.isoformat(), given.models, note, protocol.last_days)
        if given.sizes:
            sizes(lines, products, given.sizes, note)
    for name, make in shops.shops(given.folder):
        if name in given.shops or given.shops == ["all"]:
            shop = make()
            several(Questions(shop.split, shop.lines, shop.products, MOST_ASKED), f"shop: {name}",
                    given.models or [*FOR_SHOPS, OURS], note, shop.validation)  # fmt: skip
    if given.write_readme:
        report.write(Path(__file__).with_name("README.md"), found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the Parquet files of Online Retail II")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path(__file__).with_name("results.json"),
        help="JSON file that takes the figures",
    )
    parser.add_argument("--dates", nargs="*", type=date.fromisoformat, default=[], help="2011-11-11 2011-06-17")
    parser.add_argument("--models", nargs="*", default=[], help=f"all when left out: {', '.join(peers())}, {OURS}")
    parser.add_argument("--sizes", type=date.fromisoformat, help="R3 at every size of shop, drawn before this date")
    parser.add_argument("--shops", nargs="*", default=[], help="other shops by name, or all")
    parser.add_argument("--write-readme", action="store_true")
    return parser.parse_args()


def several(
    asked: Questions, group: str, models: Sequence[str], note: Callable[[str, str, Cells], None], validation: Any
) -> None:
    """Models beside each other on the same questions."""
    known: dict[str, Callable[[], Any]] = {**peers(validation), OURS: Trastienda}
    for name in models or list(known):
        if name == "EASE" and asked.known > 6_000:
            continue  # a dense matrix of so many products
        note(group, name, asked.judge(known[name]))


def sizes(lines: pl.DataFrame, products: pl.DataFrame, when: date, note: Callable[[str, str, Cells], None]) -> None:
    """R3 (rest of the basket) with so many orders drawn at random; mean of five draws, one of 5,000."""
    split = Split.at(lines, online_retail.day(when))
    asked = protocol.baskets(split)
    orders = split.before["order"].unique().sort().to_numpy()
    makers = {name: peers()[name] for name in ("Pop", "rules, confidence")} | {OURS: Trastienda}
    for size in SIZES:
        rows = []
        for seed in range(DRAWS if size < 5_000 else 1):
            drawn = np.random.default_rng(seed).choice(orders, size, replace=False)
            some = split.before.join(pl.DataFrame({"order": drawn}), on="order", how="semi")
            fitted = [make().fit(some, products, split.now) for make in makers.values()]
            rows.append([protocol.completion(m, asked, products=len(products)).hit10 for m in fitted])
        found = np.mean(rows, axis=0).round(4).tolist()
        note(f"sizes {when}", str(size), dict(zip(makers, found, strict=True)))


if __name__ == "__main__":
    main()
