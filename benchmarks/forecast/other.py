"""Other shops: derived from the real one (smaller, younger, growing, one country, categories) and synthetic ones.

They are there to see whether the forecast holds where it was not designed: no method is tuned by hand on any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.forecast.data import COUNTRY, FIRST, LAST, back, dense, products, totals
from benchmarks.forecast.sets import Benchmark

Array = npt.NDArray[np.float64]

CATEGORIES = 10
GROWING_DAYS = 540
YOUNG = date(2010, 4, 30)


def shops(sold: pl.DataFrame) -> list[Benchmark]:
    """All of them, from the lines of `data.lines`."""
    drawn = _drawn(sold)
    small, young = drawn.filter(pl.col("draw") < 0.05), drawn.filter(pl.col("ds") <= YOUNG)
    age = (pl.col("ds") - pl.lit(FIRST)).dt.total_days().cast(pl.Float64)
    market = drawn.filter(pl.col("draw") < (((age - GROWING_DAYS) / GROWING_DAYS * 3.0).exp().clip(0, 1)))
    last = LAST - timedelta(days=14)  # not the cutoffs of the protocol
    early = tuple(date(2010, 2, 10) + timedelta(days=14 * k) for k in range(4))
    summer = back(date(2011, 7, 7), 28, 3)
    return [
        _total("small shop", totals(small), back(last, 28, 8)),
        _total("young shop", totals(young, last=YOUNG), early),
        _total("young small shop", totals(small.filter(pl.col("ds") <= YOUNG), last=YOUNG), early),
        _total("orders of one country", totals(drawn.filter(pl.col("country") == "EIRE")), back(last, 28, 6)),
        _total("categories", totals(_categories(drawn), "word"), back(last, 28, 4, step=56)),
        _total("marketplace", totals(market), back(date(2011, 9, 30), 28, 6)),
        _items("marketplace items", products(market), summer, 40),
        _items("young items", products(young, last=YOUNG), (date(2010, 3, 5), date(2010, 3, 31)), 20),
        _items("small items", products(small), back(date(2011, 9, 15), 28, 3), 15),
        *_synthetic_shops(),
        *_periods(drawn),
    ]


def _drawn(sold: pl.DataFrame) -> pl.DataFrame:
    """A number from 0 to 1 for every order, the same for all its lines."""
    orders = sold["invoice"].unique().sort()
    draws = pl.DataFrame({"invoice": orders, "draw": np.random.default_rng(5).random(len(orders))})
    return sold.join(draws, on="invoice", how="left")


def _categories(sold: pl.DataFrame) -> pl.DataFrame:
    """The lines of the biggest categories: the last word of the title."""
    worded = sold.with_columns(word=pl.col("description").str.split(" ").list.last())
    size = worded.group_by("word").agg(pl.col("revenue").sum()).sort("revenue", descending=True)
    return worded.filter(pl.col("word").is_in(size["word"].head(CATEGORIES).implode()))


def _total(name: str, frame: pl.DataFrame, cutoffs: tuple[date, ...], *, country: str = COUNTRY) -> Benchmark:
    return Benchmark(name, "total", frame, cutoffs, 28, (7, 28), country)


def _items(
    name: str, frame: pl.DataFrame, cutoffs: tuple[date, ...], least: int, *, country: str = COUNTRY
) -> Benchmark:
    return Benchmark(name, "products", frame, cutoffs, 28, (7, 28), country, least=least)


def _synthetic_shops() -> Iterator[Benchmark]:
    chain = _chain(np.random.default_rng(1))
    ends: date = chain["ds"].max()  # type: ignore[assignment]
    yield _total("chain of shops", chain, back(ends, 28, 3, step=56), country="DE")
    bakery = _bakery(np.random.default_rng(2))
    ends = bakery["ds"].max()  # type: ignore[assignment]
    cutoffs = back(ends, 28, 3)
    daily = bakery.group_by("ds").agg(y=(pl.col("y") * pl.col("price")).sum()).sort("ds")
    yield _total("young bakery", daily.with_columns(unique_id=pl.lit("bakery")), cutoffs, country="FR")
    yield _items("young bakery items", bakery, cutoffs, 10, country="FR")


def _chain(rng: np.random.Generator, stores: int = 12, days: int = 900) -> pl.DataFrame:
    """Stores of one chain in Germany: closed on Sundays and holidays, promotions every other week; two refurbished."""
    import holidays

    start = date(2013, 1, 1)
    when = [start + timedelta(days=i) for i in range(days)]
    feasts = holidays.country_holidays("DE", years=range(2013, 2017))
    weekday = np.array([d.weekday() for d in when])
    of_year = np.array([d.timetuple().tm_yday for d in when])
    closed = np.array([d.weekday() == 6 or d in feasts for d in when])
    promotion = ((np.arange(days) // 7) % 2 == 0) & (weekday < 5)
    before_closure = np.append(closed[1:], False) & (weekday != 5)
    frames = []
    for store in range(stores):
        profile = np.array([1.2, 1.02, 0.97, 0.98, 1.03, 0.9, 0]) * np.exp(rng.normal(0, 0.05, 7))
        season = np.exp(0.1 * np.cos(2 * np.pi * (of_year - 170) / 365.25))
        christmas = 1 + 0.5 * np.clip((of_year - 335) / 22, 0, 1)
        mean = rng.lognormal(8.6, 0.35) * profile[weekday] * season * christmas
        mean *= np.where(promotion, 1 + rng.uniform(0.2, 0.5), 1) * np.where(before_closure, 1.25, 1)
        y = mean * np.exp(np.cumsum(rng.normal(0, 0.006, days)) + rng.normal(0, 0.11, days))
        y[closed] = 0
        if store in (3, 7):
            refurbished = int(rng.integers(330, 560))
            y[refurbished : refurbished + 150] = 0
        frames.append(pl.DataFrame({"unique_id": f"store {store:02d}", "ds": when, "y": y.round()}))
    return pl.concat(frames)


def _bakery(rng: np.random.Generator, items: int = 30, days: int = 180) -> pl.DataFrame:
    """Six months of a bakery that is closed on Mondays; some items are newer than the shop."""
    start = date(2021, 1, 3)
    when = [start + timedelta(days=i) for i in range(days)]
    weekday = np.array([d.weekday() for d in when])
    profile = np.array([0, 0.85, 0.8, 0.9, 1, 1.35, 1.5])[weekday]
    common = np.exp(0.002 * np.arange(days) + rng.normal(0, 0.1, days)) * profile
    frames = []
    for item in range(items):
        mean = rng.lognormal(1.3, 1.2) * common * np.exp(np.cumsum(rng.normal(0, 0.02, days)))
        shape = rng.uniform(2, 10)
        y = np.where(weekday == 0, 0, rng.negative_binomial(shape, shape / (shape + mean))).astype(float)
        first = 0 if item < 24 else int(rng.integers(20, 90))
        frame = pl.DataFrame({"unique_id": f"item {item:02d}", "ds": when, "y": y}).tail(days - first)
        frames.append(frame.with_columns(price=pl.lit(round(float(rng.uniform(0.8, 5)), 1)), text=pl.lit("")))
    return pl.concat(frames)


def _periods(sold: pl.DataFrame) -> Iterator[Benchmark]:
    """Weekly and monthly series."""
    week, month = date(2011, 11, 28), date(2011, 11, 1)
    weeks = back(week, 56, 3, step=56)
    months = (date(2011, 5, 1), date(2011, 8, 1))
    named = _categories(sold).with_columns(unique_id="word", amount="revenue")
    items = sold.with_columns(unique_id="code", amount="quantity")
    yield _period("weekly items", _every(items, "1w", week), weeks, 8, 20)
    yield _period("weekly categories", _every(named, "1w", week), weeks, 8, 20)
    yield _period("monthly items", _every(items, "1mo", month), months, 3, 6)
    yield _period("monthly categories", _every(named, "1mo", month), months, 3, 6)
    parts = (date(2001, 3, 1), date(2001, 9, 1))
    yield _period("monthly spare parts", _parts(np.random.default_rng(7)), parts, 6, 3)
    catalogue = (date(2015, 9, 7), date(2015, 11, 2))
    yield _period("weekly catalogue", _catalogue(np.random.default_rng(8)), catalogue, 8, 3)


def _period(name: str, frame: pl.DataFrame, cutoffs: tuple[date, ...], horizon: int, least: int) -> Benchmark:
    """Weeks or months, as the name says."""
    freq = "W" if name.startswith("weekly") else "M"
    return Benchmark(name, "periods", frame, cutoffs, horizon, (2, horizon), None, freq, least)


def _every(sold: pl.DataFrame, every: str, last: date) -> pl.DataFrame:
    """Sums of `amount` per id and period."""
    starts = sold.with_columns(ds=pl.col("ds").dt.truncate(every))
    return dense(starts.group_by("unique_id", "ds").agg(y=pl.col("amount").sum()), last=last, every=every)


def _parts(rng: np.random.Generator, count: int = 2000, months: int = 51) -> pl.DataFrame:
    """Spare parts: compound Poisson with drifting rates, some begun late, some fading out; most months are 0."""
    when = pl.date_range(date(1998, 1, 1), date(2002, 3, 1), "1mo", eager=True)
    frames = []
    for part in range(count):
        rate, size = rng.beta(1.0, 2.2), rng.gamma(0.6, 1.2)
        alive = np.ones(months)
        if rng.random() < 0.35:
            alive[: rng.integers(1, 30)] = 0
        if rng.random() < 0.15:
            alive[rng.integers(25, months) :] *= 0.3
        orders = rng.poisson(np.minimum(rate * np.exp(np.cumsum(rng.normal(0, 0.06, months))) * alive, 3))
        y = np.array([float(n + rng.poisson(size, n).sum()) for n in orders])
        frames.append(pl.DataFrame({"unique_id": f"part {part:04d}", "ds": when, "y": y}))
    return pl.concat(frames)


def _catalogue(rng: np.random.Generator, count: int = 800, weeks: int = 52) -> pl.DataFrame:
    """A year of a catalogue: negative binomial with drifting means and a faint season."""
    when = [date(2015, 1, 5) + timedelta(weeks=i) for i in range(weeks)]
    frames = []
    for product in range(count):
        season = 1 + 0.15 * np.sin(2 * np.pi * (np.arange(weeks) / 52 + rng.choice([0, 0.1])))
        mean = rng.lognormal(1.2, 1.4) * season * np.exp(np.cumsum(rng.normal(0, 0.03, weeks)))
        shape = rng.uniform(3, 30)
        y = rng.negative_binomial(shape, shape / (shape + mean)).astype(float)
        frames.append(pl.DataFrame({"unique_id": f"product {product:03d}", "ds": when, "y": y}))
    return pl.concat(frames)
