"""Hand-made shops for these tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from retail_ml import frames

AS_OF = date(2026, 6, 30)
Sale = tuple[str | None, int, float]
"""Customer (None: a guest), days before AS_OF, amount (negative: a return)."""


def lines(sales: Iterable[Sale]) -> pl.DataFrame:
    """`frames.ORDER_LINES` with one order per sale."""
    rows = []
    for i, (customer, ago, amount) in enumerate(sales):
        day = AS_OF - timedelta(days=ago)
        rows.append(
            {
                "order_id": f"o{i}",
                "customer_id": customer,
                "product_id": "p",
                "variant_id": f"v{i}",
                "at": datetime.combine(day, time(12), UTC),
                "day": day,
                "units": -1.0 if amount < 0 else 1.0,
                "amount": float(amount),
                "is_return": amount < 0,
            }
        )
    return frames.check(pl.DataFrame(rows, schema=frames.ORDER_LINES), frames.ORDER_LINES, name="order_lines")


def obvious(each: int = 20) -> list[Sale]:
    """Six kinds of customers whose names nobody would dispute; the id begins with the name."""
    sales: list[Sale] = []
    for i in range(each):
        sales += [(f"vip{i:02}", 2 + i % 5 + 15 * j, 200.0 + i) for j in range(30)]
        sales += [(f"frequent{i:02}", 8 + i % 9 + 40 * j, 60.0 + i) for j in range(9)]
        sales += [(f"occasional{i:02}", 110 + i + 120 * j, 45.0 + i) for j in range(2)]
        sales += [(f"at_risk{i:02}", 260 + i + 30 * j, 90.0 + i) for j in range(10)]
        sales += [(f"new{i:02}", 10 + i, 30.0 + i / 2)]
        sales += [(f"inactive{i:02}", 450 + 5 * i, 25.0 + i / 2)]
    return sales


def busy(customers: int = 120, days: int = 500, seed: int = 3) -> list[Sale]:
    """Customers with a gamma-distributed rate who join over time and may stop: enough to test values on."""
    rng = np.random.default_rng(seed)
    sales: list[Sale] = []
    for i in range(customers):
        rate, size = rng.gamma(1.2, 1 / 40), rng.gamma(4, 15)
        day, joined = 0.0, int(rng.integers(60, days))
        while day < joined:
            sales.append((f"c{i:03}", joined - int(day), round(float(rng.gamma(3, size / 3)) + 1, 2)))
            day += rng.exponential(1 / rate) + 1
            if rng.random() < 0.02:
                break
    return sales
