"""CLV-6: CPU seconds and memory of a million drawn customers, each measurement in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.segmentation import data, peers
from retail_ml.segment import buying, spending
from retail_ml.segment.features import FEATURES, MONTH, Visits
from retail_ml.segment.groups import group
from retail_ml.segment.value import Shop
from retail_ml.segment.worth import WINDOWS, Money, appraise

CUSTOMERS = 1_000_000


def draw(folder: Path, customers: int) -> None:
    """What is measured, as files: a process that drew it would have the peak."""
    who, mean = data.drawn(customers)
    np.savez(folder / "arrays.npz", x=who.x, last=who.last, age=who.age, mean=mean)
    data.drawn_visits(customers).days.write_parquet(folder / "visits.parquet")


def stored(folder: Path) -> tuple[buying.History, np.ndarray]:
    """The drawn histories and mean spends."""
    arrays = np.load(folder / "arrays.npz")
    return buying.History(arrays["x"], arrays["last"], arrays["age"]), arrays["mean"]


def peak() -> float:
    """Most memory of this process so far, MB. Not `ru_maxrss`: a child takes that over from its parent."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


class Clock:
    """Prints the CPU seconds of each step and the most memory so far."""

    def __init__(self) -> None:
        self.at = time.process_time()

    def step(self, name: str) -> None:
        """The step that has just ended."""
        now = time.process_time()
        print(f"| {name} | {now - self.at:.2f} | {peak():.0f} |", flush=True)
        self.at = time.process_time()


def ours(folder: Path) -> None:
    """Fit and score: P(alive), P(buy), next days, expected orders and discounted values of 3, 6 and 12 months."""
    who, mean = stored(folder)
    clock = Clock()
    clock.step("ours: arrays read (not counted)")
    model, money = buying.fit(who), spending.fit(who.x + 1, mean)
    clock.step("ours: fit MBG/NBD + Gamma-Gamma, all visits")
    if money is None:
        raise SystemExit("nobody paid anything")
    model.alive(who)
    model.buys_within(who, 90)
    for share in (0.25, 0.5):
        model.time_until(who, share)
    spend = money.expected(who.x + 1, mean)
    for months in WINDOWS:
        orders = model.expected(who, np.array([months * MONTH]))[:, 0]
        orders * spend * model.discount(who, MONTH * np.arange(1.0, months + 1), 0.01)
    clock.step("ours: all scores")
    group(known(who, mean))
    clock.step("ours: six segments (K-Means, names, guards)")


def known(who: buying.History, mean: np.ndarray) -> pl.DataFrame:
    """The drawn customers as `features.FEATURES`."""
    visits, recency = who.x + 1, who.age - who.last
    interval = np.where(who.x > 0, who.last / np.maximum(who.x, 1), np.nan)
    columns = {
        "row": np.arange(len(visits)), "recency_days": recency, "tenure_days": who.age, "orders": visits,
        "visits": visits, "spent": mean * visits, "avg_order_value": mean,
        "monthly": visits * MONTH / np.maximum(who.age, MONTH), "interval_days": interval,
        "overdue": recency / np.maximum(interval, 14),
    }  # fmt: skip
    return pl.DataFrame(columns).with_columns(pl.col("interval_days", "overdue").fill_nan(None)).cast(FEATURES)  # type: ignore[arg-type]


def whole(folder: Path) -> None:
    """From visits to segments, values with receipts, chances and days: what a training does between reading and
    writing."""
    days = pl.read_parquet(folder / "visits.parquet")
    customers = int(days["row"].max()) + 1  # type: ignore[arg-type]
    seen = Visits(pl.Series("customer_id", np.arange(customers)).cast(pl.String), days, 0, 0.0)
    clock = Clock()
    clock.step(f"whole: {len(days):,} visits read (not counted)")
    shop = Shop(seen, data.RETAIL_END)
    clock.step("whole: features")
    group(shop.known)
    clock.step("whole: six segments")
    appraise(seen, shop, Money())
    clock.step("whole: values, chances, days, and their receipts")


def lifetimes(folder: Path) -> None:
    """The same fit and fewer scores by lifetimes: it has no P(buy) and no dates, and one horizon is asked of it."""
    who, mean = stored(folder)
    clock = Clock()
    clock.step("lifetimes: arrays read (not counted)")
    model = peers.fit_buying(who)
    use = who.x > 0
    peers.fit_spending(who.x[use], mean[use])
    clock.step("lifetimes: fit BG/NBD + Gamma-Gamma, repeaters")
    with np.errstate(all="ignore"):
        model.conditional_expected_number_of_purchases_up_to_time(52, who.x, who.last / 7, who.age / 7)
        model.conditional_probability_alive(who.x, who.last / 7, who.age / 7)
    clock.step("lifetimes: P(alive) and one horizon")


def small(customers: int = 10) -> None:
    """Ten customers: milliseconds of a fit, without what the first call loads."""
    who, mean = data.drawn(customers)
    buying.fit(who)
    start = time.process_time()
    buying.fit(who)
    spending.fit(who.x + 1, mean)
    print(f"\n{customers} customers: fit in {1000 * (time.process_time() - start):.0f} ms")


MEASURED: dict[str, Callable[[Path], None]] = {"ours": ours, "whole": whole, "lifetimes": lifetimes}


def main(customers: int = CUSTOMERS) -> None:
    """Each measurement in a fresh process."""
    print(f"\n## CLV-6 Cost of {customers:,} customers\n")
    print("| step | CPU s | peak MB |\n|---|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("draw", *MEASURED):
            command = [sys.executable, "-m", "benchmarks.segmentation.cost", name, folder, str(customers)]
            subprocess.run(command, check=True)
    small()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*MEASURED, "draw"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("customers", type=int)
    given = parser.parse_args()
    if given.what == "draw":
        draw(given.folder, given.customers)
    else:
        MEASURED[given.what](given.folder)
