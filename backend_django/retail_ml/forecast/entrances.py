"""The forecast of this project as three functions of one signature, for series that do not come from its database.

    forecast_total(train, horizon, country)      one or many dense daily series, each forecast as a shop of its own
    forecast_products(train, horizon, country)   the products of one shop, learned together
    forecast_periods(train, horizon, freq)       weekly and monthly series (`periods`)

`train` is a frame of polars or pandas: unique_id, ds, y (closed days 0) and, for products, price and text where they
are known. The answer is {"daily": unique_id, ds, mean, q0.025 … q0.99, "cum": unique_id, window, q0.025 … q0.99} in
frames of the same kind. `cum` holds quantiles of the sum over the first `window` days, calibrated for sums.

The models are those that SalesForecastService serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.errors import BadParameter
from retail_ml.forecast import backtest, levels, long_frames, reopening
from retail_ml.forecast.backtest import Plan
from retail_ml.forecast.buckets import Extras
from retail_ml.forecast.history import History
from retail_ml.forecast.intervals import RatioIntervals
from retail_ml.forecast.long_frames import QUANTILES, LongTable
from retail_ml.forecast.models import DEFAULT, Gam
from retail_ml.forecast.periods import forecast_periods
from retail_ml.forecast.products import ProductsTrained, train_products
from retail_ml.forecast.public_holidays import country_code
from retail_ml.forecast.shop import ENOUGH_DAYS

__all__ = ["forecast_periods", "forecast_products", "forecast_total"]

Array = npt.NDArray[np.float64]

SUMS = (7, 14, 28)
"""Windows of `cum`, as far as the horizon reaches; the whole horizon is always one."""
EPOCH = date(1970, 1, 1)
SHOP = Gam.name
"""Model of all products together."""


def forecast_total(train: Any, horizon: int, country: str | None = None, *, seed: int = 0) -> dict[str, Any]:
    """Daily totals ahead: each series is a shop of its own, with a calendar, a choice of model and widths of its own.

    Parameters
    ----------
    train : polars.DataFrame or pandas.DataFrame
        Columns unique_id, ds (day), y (amount of the day; closed days 0 or left out). Any order of rows. A series
        begins with its first day above 0; all end on the last day of the table: a shop without rows at the end did
        not sell.
    horizon : int
        Days ahead, 1 to 365, from the day after the last day of the table on.
    country : str or None
        Whose public holidays count: ISO code or English name; None, "" or an unknown one: they are guessed from the
        closed days.
    seed : int
        Seed of the models that draw at random.

    Returns
    -------
    dict
        "daily": unique_id, ds, mean, q0.025 … q0.99; "cum": unique_id, window, q0.025 … q0.99 of sums over the first
        7, 14, 28 and all days. Quantiles rise, are finite and never negative.

    Raises
    ------
    BadFrame
        A column is missing, the table is empty, an id or a day is missing.
    BadParameter
        `horizon` is not a whole number from 1 to 365.

    Examples
    --------
    >>> import polars as pl
    >>> days = pl.date_range(date(2026, 1, 5), date(2026, 2, 15), eager=True)
    >>> train = pl.DataFrame({"unique_id": "shop", "ds": days, "y": [100.0] * 42})
    >>> answer = forecast_total(train, 2)
    >>> answer["daily"].select("ds", pl.col("mean").round(6)).rows()
    [(datetime.date(2026, 2, 16), 100.0), (datetime.date(2026, 2, 17), 100.0)]
    """
    long_frames.check_horizon(horizon)
    table = long_frames.read(train)
    place = _country(country)
    ahead = [_total(table, row, int(horizon), place, seed) for row in range(len(table.ids))]
    return _answer(table, ahead, int(horizon))


def forecast_products(train: Any, horizon: int, country: str | None = None, *, seed: int = 0) -> dict[str, Any]:
    """Daily units of the products of one shop ahead, and quantiles of their sums.

    Parameters
    ----------
    train : polars.DataFrame or pandas.DataFrame
        Columns unique_id, ds (day), y (units; days without sale 0 or left out) and, where known, price (per unit) and
        text (title). A day on which none of the products sold may be a closed day of the shop.
    horizon, country, seed
        As for `forecast_total`.

    Returns
    -------
    dict
        As `forecast_total`.

    Raises
    ------
    BadFrame, BadParameter
        As `forecast_total`.

    Examples
    --------
    >>> import polars as pl
    >>> days = pl.date_range(date(2026, 1, 5), date(2026, 2, 15), eager=True)
    >>> train = pl.DataFrame({"unique_id": ["a"] * 42 + ["b"] * 42, "ds": [*days, *days], "y": [2, 0, 1] * 28})
    >>> answer = forecast_products(train, 28)
    >>> answer["daily"].height, answer["cum"]["window"].unique().sort().to_list()
    (56, [7, 14, 28])
    """
    long_frames.check_horizon(horizon)
    table = long_frames.read(train)
    if not (table.y > 0).any():
        return _answer(table, [Ahead.nothing(int(horizon))] * len(table.ids), int(horizon))
    return _products(table, int(horizon), _country(country), seed)


@dataclass(frozen=True)
class Ahead:
    """One series: `mean` (days,), `daily` (days, 14), `cum` by window (14,)."""

    mean: Array
    daily: Array
    cum: dict[int, Array]

    @classmethod
    def nothing(cls, horizon: int) -> Ahead:
        """A series that never sold."""
        none = np.zeros(len(QUANTILES))
        return cls(np.zeros(horizon), np.zeros((horizon, len(none))), dict.fromkeys(_windows(horizon), none))


def _windows(horizon: int) -> list[int]:
    return sorted({w for w in SUMS if w < horizon} | {horizon})


def _country(country: str | None) -> str:
    """The ISO code; "" (guess from the closed days) for a country without known holidays."""
    try:
        return country_code(country or "")
    except BadParameter:
        return ""


def _total(table: LongTable, row: int, horizon: int, country: str, seed: int) -> Ahead:
    first = int(table.first[row])
    y = table.y[row : row + 1, first:]
    if not y.size:
        return Ahead.nothing(horizon)
    history = History(EPOCH + timedelta(days=table.start + first), y, y[0] > 0, country)
    untried = levels.Trial(history, Plan((), 1, 1), asked=DEFAULT)  # its widths come from its own replays
    trained = levels.finish(untried, DEFAULT, seed=seed)
    mean, widths = trained.mean[:, :horizon], trained.widths
    silent = reopening.silent_days(history)
    if silent:
        return _reopened(mean, widths, reopening.still_closed(silent, horizon))
    daily = widths.quantiles(mean, QUANTILES)[:, 0].T
    cum = {w: widths.total_quantiles(mean[:, :w], QUANTILES)[:, 0] for w in _windows(horizon)}
    return Ahead(mean[0], daily, cum)


def _reopened(mean: Array, widths: RatioIntervals, closed: Array) -> Ahead:
    """The forecast of a shop that is closed now and opens again some day; `closed`: the probability of each day."""

    def of_day(day: int, probabilities: Sequence[float]) -> Array:
        return widths.quantiles(mean[:, : day + 1], probabilities)[:, 0, day]

    def of_sum(first: int, probabilities: Sequence[float], *, days: int) -> Array:
        open_from = np.where(np.arange(days) >= first, mean[:, :days], 0.0)
        return widths.total_quantiles(open_from, probabilities)[:, 0]

    windows = _windows(len(closed))
    cum = {w: reopening.total(closed[:w], partial(of_sum, days=w), QUANTILES) for w in windows}
    return Ahead(mean[0] * (1 - closed), reopening.days(closed, of_day, QUANTILES), cum)


def _shop(history: History, seed: int) -> tuple[levels.Trial, Array]:
    """The forecast of all products together at the origins of its back-test (in the trial) and now, (AHEAD,).

    It gives the products their days within a week, and what comes after four weeks; one model is replayed for that.
    """
    trial = levels.Trial(history, backtest.plan(history.days), asked=SHOP, tiny=int(history.sold.sum()) < ENOUGH_DAYS)
    levels.try_daily(trial, [SHOP], seed=seed)
    return trial, levels.finish(trial, SHOP, seed=seed).mean[0]


def _products(table: LongTable, horizon: int, country: str, seed: int) -> dict[str, Any]:
    first = int(table.first.min())
    y = table.y[:, first:]
    history = History(EPOCH + timedelta(days=table.start + first), y, np.asarray((y > 0).any(axis=0)), country)
    trial, shop = _shop(history.summed(), seed)
    extras = Extras(price=table.price, titles=table.titles if any(table.titles) else None)
    trained = train_products(history, trial, SHOP, shop, extras=extras, seed=seed)
    mean = trained.mean[:, :horizon].astype(float)
    silent = reopening.silent_days(history)
    mean, daily, cum = _of_products(trained, mean, reopening.still_closed(silent, horizon))
    days = long_frames.ahead_days(table.last, horizon)
    daily = daily * (shop[:horizon] > 0)[None, :, None]
    return {"daily": table.answer(days, mean, daily), "cum": table.sums(list(cum), cum)}


def _of_products(trained: ProductsTrained, mean: Array, closed: Array) -> tuple[Array, Array, dict[int, Array]]:
    """`mean` (products, days), quantiles of each day (…, 14) and of sums, by window, (products, 14).

    `closed`: probability that the shop, closed now, still is on each day.
    """
    quantiles = partial(trained.widths.quantiles, spread=trained.spread)
    windows = _windows(mean.shape[1])
    if not closed.any():
        cum = {w: quantiles(mean[:, :w].sum(axis=1), w, QUANTILES) for w in windows}
        return mean, quantiles(mean, 1, QUANTILES), cum

    def of_day(day: int, probabilities: Sequence[float]) -> Array:
        return quantiles(mean[:, day], 1, probabilities).T

    def of_sum(first: int, probabilities: Sequence[float], *, days: int) -> Array:
        return quantiles(mean[:, first:days].sum(axis=1), max(days - first, 1), probabilities).T

    daily = reopening.days(closed, of_day, QUANTILES).transpose(2, 0, 1)
    cum = {w: reopening.total(closed[:w], partial(of_sum, days=w), QUANTILES).T for w in windows}
    return mean * (1 - closed), daily, cum


def _answer(table: LongTable, ahead: list[Ahead], horizon: int) -> dict[str, Any]:
    windows = _windows(horizon)
    days = long_frames.ahead_days(table.last, horizon)
    daily = table.answer(days, np.stack([a.mean for a in ahead]), np.stack([a.daily for a in ahead]))
    return {"daily": daily, "cum": table.sums(windows, {w: np.stack([a.cum[w] for a in ahead]) for w in windows})}
