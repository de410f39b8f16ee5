"""Small tables for the tests of inventory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from retail_ml import frames

AS_OF = date(2026, 6, 30)


def lines(units: dict[str, np.ndarray], *, price: float = 10.0, as_of: date = AS_OF) -> pl.DataFrame:
    """Order lines from daily units per variant, the last of them on `as_of`."""
    rows: list[dict[str, Any]] = []
    for variant, daily in units.items():
        first = as_of - timedelta(days=len(daily) - 1)
        for t in np.flatnonzero(daily):
            day = first + timedelta(days=int(t))
            rows.append(
                {
                    "order_id": f"{variant}-{t}",
                    "customer_id": None,
                    "product_id": f"p-{variant}",
                    "variant_id": variant,
                    "at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
                    "day": day,
                    "units": float(daily[t]),
                    "amount": float(daily[t]) * price,
                    "is_return": bool(daily[t] < 0),
                }
            )
    return frames.check(pl.DataFrame(rows, schema=frames.ORDER_LINES), frames.ORDER_LINES, name="lines")


def stock(variants: list[str], **columns: Any) -> pl.DataFrame:
    """Stock of `variants`; each column a value for all or a list."""
    usual = {
        "product_id": [f"p-{v}" for v in variants],
        "sku": variants,
        "options": "",
        "active": True,
        "on_hand": 10.0,
        "reserved": 0.0,
        "on_order": 0.0,
        "drafted": 0.0,
        "price": 10.0,
        "cost": 5.0,
        "pack_size": 1.0,
        "minimum_order": 1.0,
        "lead_time_days": 7.0,
        "lead_time_sd": 2.0,
        "supplier_id": "1",
        "supplier": "Norte",
        "season_end": None,
        "minimum_order_value": 0.0,
    } | columns
    filled = {name: v if isinstance(v, list) else [v] * len(variants) for name, v in usual.items()}
    return frames.check(
        pl.DataFrame({"variant_id": variants, **filled}, schema=frames.STOCK), frames.STOCK, name="stock"
    )


def products(variants: list[str], **columns: Any) -> pl.DataFrame:
    """One product per variant."""
    usual = {
        "name": variants,
        "category": "",
        "brand": "",
        "description": "",
        "price": 10.0,
        "active": True,
        "image_url": "",
        "created": None,
    } | columns
    filled = {name: v if isinstance(v, list) else [v] * len(variants) for name, v in usual.items()}
    return frames.check(
        pl.DataFrame({"product_id": [f"p-{v}" for v in variants], **filled}, schema=frames.PRODUCTS),
        frames.PRODUCTS,
        name="products",
    )


def demand(days: int, rate: float, *, seed: int = 1, lot: int = 3) -> np.ndarray:
    """Lumpy units per day: customers come by chance, each takes 1…lot."""
    rng = np.random.default_rng(seed)
    return rng.poisson(rate / ((1 + lot) / 2), days) * rng.integers(1, lot + 1, days)
