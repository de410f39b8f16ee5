"""SEG-1 to SEG-5: are the six segments stable, the same whatever the order, apart, useful and quick? Prints Markdown.

python -m benchmarks.segmentation.segments --cdnow $WHEEL/lifetimes/datasets --retail $DATA [PART …]
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from benchmarks.segmentation import data
from benchmarks.segmentation.clv import table
from retail_ml.segment.clusters import silhouette
from retail_ml.segment.features import Visits, bought_between, features
from retail_ml.segment.groups import group
from retail_ml.segment.memory import Memory, Placed, place
from retail_ml.segment.naming import NAMES
from retail_ml.segment.review import QUARTER
from retail_ml.segment.space import logs

RETAIL = (date(2010, 11, 30), date(2011, 2, 28), date(2011, 5, 31), date(2011, 8, 31))
CDNOW = (date(1997, 9, 30), date(1998, 3, 31))
WEEK = timedelta(days=7)
ORDER = ("vip", "frequent", "at_risk", "occasional", "inactive")
"""From the most to the least revenue per customer that is to come."""


@dataclass
class Trained:
    """One training: customers with their segments, and what the next one is given."""

    placed: Placed
    customers: pl.DataFrame

    @property
    def memory(self) -> Memory:
        """What it leaves."""
        return Memory(self.placed.as_of, self.customers, self.placed.groups.frozen, self.placed.drawn)


def train(seen: Visits, day: date, before: Trained | None = None, *, k: int = 6) -> Trained:
    """The segments as of a day; without `before` from nothing."""
    known = features(seen, day)
    ids = seen.ids.gather(known["row"])
    placed = place(known, ids, k, as_of=day, memory=before.memory if before else None)
    groups = placed.groups
    columns = {"segment": groups.segment, "cluster": groups.cluster, "guard": groups.guard}
    return Trained(placed, known.with_columns(ids.alias("customer_id"), *(pl.Series(n, c) for n, c in columns.items())))


def weeks(seen: Visits, first: date, count: int, *, remember: bool = True) -> list[Trained]:
    """A training a week, `count` weeks after the first one."""
    found = [train(seen, first)]
    for i in range(1, count + 1):
        found.append(train(seen, first + i * WEEK, found[-1] if remember else None))
    return found


def agreement(found: list[Trained]) -> list[dict[str, Any]]:
    """From each week to the next: adjusted Rand index and share of equal labels, of all and of who did not order."""
    out = []
    for before, now in itertools.pairwise(found):
        both = before.customers.join(now.customers, on="customer_id", suffix="_now")
        still = both.filter(pl.col("visits") == pl.col("visits_now"))
        ageing = (pl.col("segment") == NAMES.index("new")) & (pl.col("tenure_days_now") > 60)
        rows = {"all": both, "still": still, "still_not_ageing": still.filter(~ageing)}
        told: dict[str, Any] = {"day": now.placed.as_of, "anew": now.placed.told["anew"]}
        for name, frame in rows.items():
            one, other = frame["segment"].to_numpy(), frame["segment_now"].to_numpy()
            told |= {f"ari_{name}": adjusted_rand_score(one, other), f"same_{name}": float((one == other).mean())}
        out.append(told)
    return out


def stability(seen: Visits) -> None:
    """SEG-1: 24 weeks at four dates; and a year on end, with its quarterly reviews."""
    print("\n## SEG-1 Stability from week to week (Online Retail II)")
    rows = []
    for title, remember in (("served", True), ("drawn anew each week", False)):
        told = [one for day in RETAIL for one in agreement(weeks(seen, day, 6, remember=remember))]
        rows.append([title, *_ranges(told)])
    year = agreement(weeks(seen, RETAIL[0], 52))
    rows.append(["served, 52 weeks on end", *_ranges(year)])
    rows.append(["… weeks without a review", *_ranges([one for one in year if not one["anew"]])])
    reviews = [one for one in year if one["anew"]]
    rows.append([f"… {len(reviews)} reviews", *_ranges(reviews)])
    table(
        ["24 weeks, four dates", "ARI mean", "min", "no order: ARI", "same label", "… and not ageing out of new: ARI",
         "same label"], rows,
    )  # fmt: skip


def _ranges(told: list[dict[str, Any]]) -> list[float]:
    def mean(name: str) -> float:
        return float(np.mean([one[name] for one in told]))

    least = min(one["ari_all"] for one in told)
    names = ("ari_still", "same_still", "ari_still_not_ageing", "same_still_not_ageing")
    return [mean("ari_all"), least, *(mean(name) for name in names)]


def seeds(shops: list[Visits], last: date) -> None:
    """SEG-1 on drawn shops: one week on, over all of them, beside a cold K-Means of another seed."""
    ours, cold = [], []
    for i, seen in enumerate(shops):
        found = weeks(seen, last - 2 * WEEK, 1)
        ours.append(agreement(found)[0]["ari_all"])
        one, other = (free(logs(part.customers), i + j) for j, part in enumerate(found))
        both = found[0].customers.select("customer_id", one=pl.Series(one)).join(
            found[1].customers.select("customer_id", other=pl.Series(other)), on="customer_id"
        )  # fmt: skip
        cold.append(adjusted_rand_score(both["one"].to_numpy(), both["other"].to_numpy()))
    rows = [[name, float(np.mean(v)), min(v)] for name, v in (("served", ours), ("cold K-Means, another seed", cold))]
    table([f"{len(shops)} drawn shops, one week", "ARI mean", "min"], rows)


def free(raw: NDArray[np.float64], seed: int, n_init: int = 1) -> NDArray[np.int32]:
    """Labels of an unconstrained K-Means on the standardised logarithms."""
    points = (raw - raw.mean(axis=0)) / np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1)
    with threadpool_limits(limits=1):
        return np.asarray(KMeans(n_clusters=6, n_init=n_init, random_state=seed).fit(points).labels_)


def determinism(seen: Visits, day: date) -> None:
    """SEG-2: the same customers in another order, and the medians of the segments."""
    print("\n## SEG-2 Determinism and order")
    known = features(seen, day)
    turned = known.sample(fraction=1, shuffle=True, seed=1)
    one, other = group(known).segment, group(turned).segment
    back = dict(zip(turned["row"].to_list(), other.tolist(), strict=True))
    same = all(back[row] == label for row, label in zip(known["row"].to_list(), one.tolist(), strict=True))
    print(f"\nrows shuffled: {'identical labels' if same else 'LABELS DIFFER'}")
    rows = []
    for i, name in enumerate(NAMES):
        part = known.filter(pl.Series(one == i))
        medians = [part[c].median() for c in ("recency_days", "visits", "spent", "tenure_days")]
        rows.append([name, len(part), *(0.0 if m is None else float(m) for m in medians)])  # type: ignore[arg-type]
    table([f"{day}", "customers", "recency", "visits", "spent", "tenure"], rows)


def separation(shops: dict[str, tuple[Visits, tuple[date, ...]]]) -> None:
    """SEG-3: silhouette of the clusters before the guards, beside a free K-Means of ten starts.

    On the points that both see (four axes, recency as log(R + 30)), and on the plain scale of RFM, standardised
    log(1 + R), log(1 + F), log(1 + M), where the free one is fitted anew.
    """
    print("\n## SEG-3 Separation (silhouette, five samples of 2,000)")
    rows = []
    for title, (seen, days) in shops.items():
        for day in days:
            known = features(seen, day)
            groups = group(known)
            raw = known.select(pl.col("recency_days", "visits", "spent").clip(lower_bound=0).log1p()).to_numpy()
            plain = (raw - raw.mean(axis=0)) / raw.std(axis=0)
            told: list[float] = []
            for points in (groups.points, plain):
                with threadpool_limits(limits=1):
                    other = KMeans(n_clusters=6, n_init=10, random_state=0).fit(points).labels_
                for labels in (groups.cluster, other):
                    told += silhouette(points, labels.astype(np.int8), np.random.default_rng(0)) or (0.0, 0.0)
            rows.append([f"{title}, {day}", *told])
    columns = ["", "ours", "sd", "free K-Means, n_init=10", "sd", "plain RFM: ours", "sd", "free", "sd"]
    table(columns, rows)


def usefulness(shops: dict[str, tuple[Visits, tuple[date, ...]]]) -> None:
    """SEG-4: what each segment brought in the 90 days after, and the VIPs beside as many picked by past spend."""
    print("\n## SEG-4 Usefulness (revenue of the next 90 days)")
    rows = []
    for title, (seen, days) in shops.items():
        for day in days:
            found = train(seen, day)
            known, segment = found.customers, found.customers["segment"].to_numpy()
            came = bought_between(seen, known, day, day + timedelta(days=90))["spent"].to_numpy()
            each = [float(came[segment == NAMES.index(n)].mean()) if (segment == NAMES.index(n)).any() else 0.0
                    for n in ORDER]  # fmt: skip
            vip = segment == 0
            best = np.argsort(-known["spent"].to_numpy(), kind="stable")[: vip.sum()]
            held = all(a >= 0.9 * b for a, b in itertools.pairwise(each))
            shares = (float(vip.mean()), float(came[vip].sum() / came.sum()), float(came[best].sum() / came.sum()))
            rows.append([f"{title}, {day}", *each, "yes" if held else "no", *shares])
    columns = ["per customer", *ORDER, "in order", "VIP share", "of revenue", "as many by past spend"]
    table(columns, rows)


def speed(seen: Visits, day: date) -> None:
    """SEG-5: CPU seconds of features, K-Means and labels of so many customers, cold and with a memory."""
    rows = []
    before: Trained | None = None
    for title, at in (("first training", day - timedelta(days=QUARTER)), ("review after a quarter", day),
                      ("the week after", day + WEEK)):  # fmt: skip
        start = time.process_time()
        before = train(seen, at, before)
        rows.append([title, f"{len(before.customers):,}", time.process_time() - start])
    print("\n## SEG-5 Speed")
    table(["", "customers", "CPU s"], rows)


PARTS = ("seg-1", "seg-2", "seg-3", "seg-4", "seg-5")


def main() -> None:
    """Run the parts asked for, in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--cdnow", type=Path, required=True, help="folder lifetimes/datasets of the unpacked wheel")
    parser.add_argument("--retail", type=Path, required=True, help="folder with the Parquet files of Online Retail II")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    seen = data.online_retail(given.retail) if set(given.parts) - {"seg-5"} else None
    if seen is not None:
        shops = {"Online Retail II": (seen, RETAIL), "CDNOW": (data.cdnow(given.cdnow), CDNOW)}
        if "seg-1" in given.parts:
            stability(seen)
            seeds([data.drawn_visits(3_000, seed=i) for i in range(20)], data.RETAIL_END)
        if "seg-2" in given.parts:
            determinism(seen, RETAIL[-1])
        if "seg-3" in given.parts:
            separation(shops)
        if "seg-4" in given.parts:
            usefulness(shops)
    if "seg-5" in given.parts:
        speed(data.drawn_visits(1_000_000), data.RETAIL_END - WEEK)


if __name__ == "__main__":
    main()
