"""Shops small enough to be checked by eye."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time

import polars as pl

from retail_ml import frames

AS_OF = date(2026, 6, 30)


def order_lines(
    baskets: Mapping[str, Iterable[str]],
    *,
    days: Mapping[str, date] | None = None,
    customers: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """`frames.ORDER_LINES` of orders given as their products: one unit each, on AS_OF unless `days` says else."""
    rows = []
    for order, products in baskets.items():
        day = (days or {}).get(order, AS_OF)
        for product in products:
            rows.append(
                {
                    "order_id": order,
                    "customer_id": (customers or {}).get(order),
                    "product_id": product,
                    "variant_id": product + "-1",
                    "at": datetime.combine(day, time(12), tzinfo=UTC),
                    "day": day,
                    "units": 1.0,
                    "amount": 10.0,
                    "is_return": False,
                }
            )
    return pl.DataFrame(rows, schema=frames.ORDER_LINES)


def catalogue(products: Iterable[str], **columns: list) -> pl.DataFrame:
    """`frames.PRODUCTS`: active, price 10, the id as name unless `columns` say else."""
    ids = list(products)
    n = len(ids)
    given = {
        "product_id": ids,
        "name": [f"Product {i}" for i in ids],
        "category": [""] * n,
        "brand": [""] * n,
        "description": [""] * n,
        "price": [10.0] * n,
        "active": [True] * n,
        "image_url": [""] * n,
        "created": [None] * n,
    }
    return pl.DataFrame(given | columns, schema=frames.PRODUCTS)


def checkerboard(orders: int = 40, products: str = "abcdefgh") -> pl.DataFrame:
    """Orders of a, c, e… and orders of b, d, f…: products of one colour are never bought with the other's.

    One order in three days up to AS_OF, by ten customers who keep to a colour; each order lacks every fourth product.
    """
    colours = (products[::2], products[1::2])
    baskets = {f"{i:03}": [p for j, p in enumerate(colours[i % 2]) if (i // 2 + j) % 4] for i in range(orders)}
    customers = {f"{i:03}": f"c{i % 2}{i % 5}" for i in range(orders)}
    days = {f"{i:03}": date.fromordinal(AS_OF.toordinal() - 3 * (orders - 1 - i)) for i in range(orders)}
    return order_lines(baskets, days=days, customers=customers)
