"""Small shops made for these tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from retail_ml import frames
from retail_ml.forecast.history import History

START = date(2024, 1, 1)  # a Monday
WEEK = np.array([0.8, 0.8, 0.9, 1.0, 1.3, 1.6, 0.0])  # closed on Sundays


def history(y: np.ndarray, sold: np.ndarray | None = None, start: date = START) -> History:
    """A history of one series (days,) or several (series, days)."""
    y = np.atleast_2d(np.asarray(y, dtype=float))
    return History(start, y, (y > 0).any(axis=0) if sold is None else sold)


def days(n: int, rng: np.random.Generator, *, season: float = 0.0, noise: float = 0.2) -> np.ndarray:
    """Revenue of n days: weekday × yearly wave × noise with mean 1."""
    t = np.arange(n)
    wave = 1 + season * np.sin(2 * np.pi * t / 365.25)
    return 1_000 * np.resize(WEEK, n) * wave * rng.gamma(1 / noise**2, noise**2, n)


def lines(rows: list[tuple[str, str, int, float, float]]) -> pl.DataFrame:
    """Order lines from (order, product, day number, units, amount); negative units are returns."""
    at = [datetime.combine(START + timedelta(days=r[2]), datetime.min.time(), UTC) + timedelta(hours=12) for r in rows]
    frame = pl.DataFrame(
        {
            "order_id": [r[0] for r in rows],
            "customer_id": [None] * len(rows),
            "product_id": [r[1] for r in rows],
            "variant_id": [r[1] for r in rows],
            "at": at,
            "day": [x.date() for x in at],
            "units": [float(r[3]) for r in rows],
            "amount": [float(r[4]) for r in rows],
            "is_return": [r[3] < 0 for r in rows],
        },
        schema=frames.ORDER_LINES,
    )
    return frames.check(frame, frames.ORDER_LINES, name="lines")


def shop_lines(n: int, seed: int, *, products: int = 6) -> pl.DataFrame:
    """Several sales a day over n days of a few products, with a weekly season."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(n):
        for i in range(rng.poisson(4 * WEEK[day % 7])):
            product = int(rng.integers(0, products))
            units = int(rng.integers(1, 4))
            rows.append((f"o{day}-{i}", f"p{product}", day, units, units * (5.0 + product)))
    return lines(rows)


def products(ids: list[str], *, category: str = "") -> pl.DataFrame:
    """A product table; every other product is in `category`."""
    n = len(ids)
    return pl.DataFrame(
        {
            "product_id": ids,
            "name": ids,
            "category": [category if i % 2 else "other" for i in range(n)] if category else [""] * n,
            "brand": [""] * n,
            "description": [""] * n,
            "price": [5.0] * n,
            "active": [True] * n,
            "image_url": [""] * n,
            "created": [None] * n,
        },
        schema=frames.PRODUCTS,
    )
