"""The days of the shop: which are open, and how much is bought on each compared with an average day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from retail_ml.dates import easter
from retail_ml.synthetic.plan import Plan

Floats = npt.NDArray[np.float64]

WEEKDAY_FACTORS = (0.80, 0.84, 0.90, 1.00, 1.26, 1.70, 0.0)
"""Demand by day of the week, Monday first. Sunday the shop is closed."""
EVENT_FACTORS = {
    "christmas": 1.85, "kings": 1.55, "winter_sales": 1.45, "summer_sales": 1.35, "black_week": 1.50,
    "mothers_day": 1.25,
}  # fmt: skip
"""Demand at the height of a season, compared with the same weekday without it."""
NOISE_SD, NOISE_MEMORY = 0.10, 0.45
"""Weather and whatever else moves whole days: first-order autoregression on the logarithm."""
BEFORE, AFTER = 1_461, 420
"""Days before the first one in which customers were already won, and after the last one that the shop plans for."""


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """Spain's national holidays of `year`: the shop is closed.

    >>> date(2026, 4, 3) in holidays(2026)  # Good Friday
    True
    """
    fixed = ((1, 1), (1, 6), (5, 1), (8, 15), (10, 12), (11, 1), (12, 6), (12, 8), (12, 25))
    return frozenset({date(year, m, d) for m, d in fixed} | {easter(year) - timedelta(days=2)})


def black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 22)


def _event_factor(day: date) -> float:
    """Christmas, Kings, sales weeks and the like: 1 on a day without any."""
    year, factor = day.year, 1.0
    if date(year, 12, 9) <= day <= date(year, 12, 24):
        factor *= 1 + (EVENT_FACTORS["christmas"] - 1) * (day.day - 8) / 16
    elif day.month == 12 and day.day > 25:
        factor *= 1.2
    elif day <= date(year, 1, 5):
        factor *= EVENT_FACTORS["kings"]
    elif day.month == 1:
        factor *= 1 + (EVENT_FACTORS["winter_sales"] - 1) * max(0.0, 1 - (day.day - 7) / 30)
    elif day.month == 7:
        factor *= 1 + (EVENT_FACTORS["summer_sales"] - 1) * max(0.0, 1 - (day.day - 1) / 35)
    if -4 <= (day - black_friday(year)).days <= 1:
        factor *= EVENT_FACTORS["black_week"]
    first_may = date(year, 5, 1)
    mothers = first_may + timedelta(days=(6 - first_may.weekday()) % 7)
    if 0 <= (mothers - day).days <= 6:
        factor *= EVENT_FACTORS["mothers_day"]
    return factor


def _plain_factor(day: date) -> float:
    """Weekday × yearly wave × events; 0 on a closed day."""
    if day.weekday() == 6 or day in holidays(day.year):
        return 0.0
    angle = 2 * np.pi * day.timetuple().tm_yday / 365.25
    yearly = 1 + 0.10 * np.cos(angle - 2 * np.pi * 330 / 365.25) + 0.09 * np.cos(2 * (angle - 2 * np.pi * 135 / 365.25))
    return WEEKDAY_FACTORS[day.weekday()] * float(yearly) * _event_factor(day)


@lru_cache(maxsize=1)
def _mean_factor() -> float:
    """Mean of the plain factor over four fixed years, so that a longer shop has the same scale."""
    first = date(2023, 1, 1)
    return float(np.mean([_plain_factor(first + timedelta(days=i)) for i in range(1461)]))


@dataclass(frozen=True)
class Calendar:
    """Every day from `BEFORE` days before the first one to `AFTER` days after the last, by position.

    `factor` holds the demand of the day (mean about 1 over a year, 0: closed) with its noise, `expected`
    without; `first` is the position of the shop's first day, `n` the number of its days.
    """

    dates: npt.NDArray[np.datetime64]
    open: npt.NDArray[np.bool_]
    expected: Floats
    factor: Floats
    weekday: npt.NDArray[np.int64]
    day_of_year: npt.NDArray[np.int64]
    first: int
    n: int

    def at(self, position: int) -> date:
        """The date at a position."""
        return date.fromisoformat(str(self.dates[position]))


def make_calendar(plan: Plan) -> Calendar:
    """The days of this shop; those of a longer shop begin with the same ones."""
    length = BEFORE + plan.days + AFTER
    begin = plan.start - timedelta(days=BEFORE)
    days = [begin + timedelta(days=i) for i in range(length)]
    expected = np.array([_plain_factor(day) for day in days]) / _mean_factor()
    shocks = plan.stream("weather").normal(size=length)
    level, noise = 0.0, np.empty(length)
    fresh = float(np.sqrt(1 - NOISE_MEMORY**2))
    for i, shock in enumerate(shocks):
        level = NOISE_MEMORY * level + fresh * NOISE_SD * shock
        noise[i] = level
    return Calendar(
        dates=np.array(days, dtype="datetime64[D]"),
        open=expected > 0,
        expected=expected,
        factor=expected * np.exp(noise - NOISE_SD**2 / 2),
        weekday=np.array([day.weekday() for day in days]),
        day_of_year=np.array([day.timetuple().tm_yday for day in days]),
        first=BEFORE,
        n=plan.days,
    )
