"""INV-8: what levels, alerts and an order draft of a large shop cost, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.forecast.worker import peak_mb
from retail_ml import frames
from retail_ml.inventory import live, ordering, plan
from retail_ml.inventory.policy import Rules

SIZES = {"50,000 variants": (50_000, 1_200_000), "100 variants": (100, 20_000)}
DAYS, END = 730, date(2026, 6, 30)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}


def main() -> dict[str, Any]:
    """CPU seconds and peak memory for each size."""
    return {name: _apart(*size) for name, size in SIZES.items()}


def _apart(variants: int, lines: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.inventory.cost", str(variants), str(lines)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD, cwd=root)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(variants: int, lines: int) -> dict[str, Any]:
    """From the tables of a shop to levels, alerts and orders by supplier; drawing the tables is not counted."""
    sold, stock, products = _tables(variants, lines)
    tables = peak_mb()
    before = time.process_time()
    made = plan.make(sold, stock, products, as_of=END, rules=Rules())
    levels = time.process_time()
    today = END + timedelta(days=1)
    found = live.assess(made.arrays, stock, products, days=(END, today), rules=Rules()).frame
    alerts = time.process_time()
    wanted = found.filter(pl.col(ordering.UNITS) > 0)
    wanted = ordering.best_breaks(wanted, frames.empty(frames.PRICE_BREAKS), today=today, rules=Rules())
    draft = ordering.scheduled(ordering.priced(wanted, frames.empty(frames.PRICE_BREAKS)), today=today)
    suppliers = ordering.by_supplier(draft)
    after = time.process_time()
    return {
        "lines": len(sold),
        "cpu_seconds": round(after - before, 2),
        "levels": round(levels - before, 2),
        "alerts": round(alerts - levels, 2),
        "draft": round(after - alerts, 2),
        "peak_mb": round(peak_mb()),
        "tables_mb": round(tables),
        "alerts_found": int(found["code"].is_not_null().sum()),
        "order_lines": len(draft),
        "suppliers": len(suppliers),
    }


def _tables(variants: int, lines: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Sales by chance: rates lognormal, 1 to 5 units a line; shelves of 0 to 60 days, 40 suppliers."""
    rng = np.random.default_rng(1)
    weight = np.exp(rng.normal(0, 1.5, variants))
    which = rng.choice(variants, lines, p=weight / weight.sum())
    ids = pl.Series(np.arange(variants)).cast(pl.String)
    day = pl.Series(rng.integers(0, DAYS, lines))
    days = pl.select(pl.lit(END) - pl.duration(days=pl.lit(day))).to_series()
    units = rng.integers(1, 6, lines).astype(float)
    price = np.round(np.exp(rng.normal(2.5, 0.7, variants)), 2)
    sold = pl.DataFrame(
        {
            "order_id": pl.Series(np.arange(lines)).cast(pl.String),
            "customer_id": pl.Series([None] * lines, dtype=pl.String),
            "product_id": ids.gather(which),
            "variant_id": ids.gather(which),
            "at": days.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            "day": days,
            "units": units,
            "amount": units * price[which],
            "is_return": np.zeros(lines, dtype=bool),
        }
    )
    daily = np.bincount(which, weights=units, minlength=variants) / DAYS
    supplier = pl.Series(rng.integers(0, 40, variants)).cast(pl.String)
    none = [None] * variants
    stock = pl.DataFrame(
        {
            "variant_id": ids, "product_id": ids, "sku": ids, "options": [""] * variants, "active": [True] * variants,
            "on_hand": np.round(daily * rng.uniform(0, 60, variants)), "reserved": 0.0, "on_order": 0.0,
            "drafted": 0.0, "price": price, "cost": price / 2, "pack_size": rng.choice([1.0, 6.0], variants),
            "minimum_order": 1.0, "lead_time_days": rng.choice([7.0, 14.0, 30.0], variants), "lead_time_sd": none,
            "supplier_id": supplier, "supplier": supplier, "season_end": none, "minimum_order_value": 0.0,
        },
        schema=frames.STOCK,
    )  # fmt: skip
    category = pl.Series(rng.integers(0, 30, variants)).cast(pl.String)
    products = pl.DataFrame(
        {
            "product_id": ids, "name": ids, "category": category, "brand": "", "description": "", "price": price,
            "active": [True] * variants, "image_url": "", "created": none,
        },
        schema=frames.PRODUCTS,
    )  # fmt: skip
    checked = frames.check(sold, frames.ORDER_LINES, name="lines"), frames.check(stock, frames.STOCK, name="stock")
    return *checked, frames.check(products, frames.PRODUCTS, name="products")


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]), int(sys.argv[2]))))
