"""The rate that a chance is stated with: what was sold lately, believed as far as it was more than chance.

A shelf is low because much was sold of it lately, and the goods that an alert names are those whose recent rate is
high: picked so, a good part of it was chance. Levels keep the recent rate, because they are of every variant and a
unit short costs more than one over; a stated chance has to come true as often as it says.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import demand as dm
from retail_ml.inventory import history as hs
from retail_ml.inventory.history import History

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ORIGINS, APART = 13, 28
"""Past days from which it is learnt how far the recent rate is believed, and the days between them."""
DEFAULT_UNITS = 4.0
"""Half is believed at so many units in 28 days, where a shop is too small to tell."""
FEWEST = 200
"""Pairs of a variant and a past day from which a shop can tell."""
GRID = np.concatenate([[0.0], 2.0 ** np.arange(-2, 11)])
CATEGORY_UNITS = 20.0
"""Units at which a category's move away from last year's rate counts as much as the shop's."""
MONTH = 28


def daily(h: History, *, protection: Ints, forecast: Floats) -> Floats:
    """Units per calendar day to state chances with, (N,): y + λ·(recent - y), λ = v/(v + v0).

    `recent` is `demand.daily_mean` of today, y last year's rate moved as its category moves, v the units of 28 days at
    y; v0 is learnt from the shop's own past (`half_believed`). Where another `forecast` (units per calendar day, NaN
    where there is none) is known, the mean of both, as in `demand.estimate`. What has no demand keeps none.

    >>> from datetime import date
    >>> sold = np.stack([np.arange(365.0), np.concatenate([np.zeros(358), np.arange(1.0, 8.0)])])  # b: 6 in a week
    >>> open_ = np.arange(365.0)
    >>> h = History(np.array(["a", "b"]), date(2026, 1, 1), sold, open_, open_[None, :], np.zeros(2, int),
    ...             np.zeros(2, int))
    >>> recent = dm.daily_mean(h, np.array([364]), protection=np.full(2, 14), gamma=dm.prior(h))[:, 0]
    >>> found = daily(h, protection=np.full(2, 14), forecast=np.full(2, np.nan))
    >>> recent.round(2).tolist(), found.round(2).tolist()
    ([1.0, 0.13], [1.01, 0.04])
    """
    h = hs.without_spikes(h, times=dm.SPIKE_TIMES)
    gamma, now = dm.prior(h), np.array([h.days])
    recent, year = _rates(h, now, protection=protection, gamma=gamma)
    rate = _mixed(recent, year, half_believed(h, protection=protection, gamma=gamma))[:, 0]
    return np.where(np.isfinite(forecast) & (rate > 0), (rate + np.maximum(forecast, 0.0)) / 2, rate)


def seen_from(h: History, at: Ints, *, protection: Ints) -> tuple[Floats, Floats]:
    """Units per calendar day seen from past days, (N, K) each: the recent rate, and that to state chances with.

    `h` is without spikes. What half is believed at is learnt from all of it, as for today.
    """
    gamma = dm.prior(h)
    recent, year = _rates(h, at, protection=protection, gamma=gamma)
    return recent, _mixed(recent, year, half_believed(h, protection=protection, gamma=gamma))


def half_believed(h: History, *, protection: Ints, gamma: tuple[Floats, Floats]) -> float:
    """v0: units in 28 days at which half of the recent rate's difference from last year's came true.

    The value of a grid with the least squared error, each weighed with 1 / (y + ½), over up to 13 past days of which
    the days after are known. `DEFAULT_UNITS` below 200 pairs of a variant and a past day.
    """
    last = h.days - int(protection.max(initial=1))
    at = np.arange(last, dm.NEW_DAYS, -APART)[:ORIGINS]
    if not len(at) or not len(h.start):
        return DEFAULT_UNITS
    recent, year = _rates(h, at, protection=protection, gamma=gamma)
    end = at[None, :] + protection[:, None]
    there = dm.share_there(h, at, end)
    known = (h.start[:, None] < at) & (there >= dm.MOSTLY_THERE) & (recent > 0) & (year > 0)
    if known.sum() < FEWEST:
        return DEFAULT_UNITS
    days = (protection[:, None] * there)[known]
    came = (np.take_along_axis(h.units, end, 1) - h.units[:, at])[known]
    recent, year = recent[known], year[known]
    weight = 1 / (year * days + 0.5)
    errors = [float((weight * (came - _mixed(recent, year, units) * days) ** 2).sum()) for units in GRID]
    return float(GRID[int(np.argmin(errors))])


def _rates(h: History, at: Ints, *, protection: Ints, gamma: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Units per calendar day seen from each origin, (N, K): the recent rate, and last year's moved as its category."""
    recent = dm.daily_mean(h, at, protection=protection, gamma=gamma)
    return recent, _anchor(h, recent, dm.year_rate(h, at, gamma) * dm.open_share(h, at))


def _mixed(recent: Floats, year: Floats, units: float) -> Floats:
    month = MONTH * year
    share = np.divide(month, month + units, out=np.ones_like(month), where=month + units > 0)
    return np.where(recent > 0, year + share * (recent - year), 0.0)


def _anchor(h: History, recent: Floats, year: Floats) -> Floats:
    """Last year's rates, moved so that each category sells what its recent rates say, the shop where it is small."""
    groups = int(h.group.max(initial=0)) + 1
    both = (recent > 0) & (year > 0)

    def total(rates: Floats) -> Floats:
        found = np.zeros((groups, rates.shape[1]))
        np.add.at(found, h.group, np.where(both, rates, 0.0) * MONTH)
        return found

    new, old = total(recent), total(year)
    shop = np.divide(new.sum(axis=0), old.sum(axis=0), out=np.ones(new.shape[1]), where=old.sum(axis=0) > 0)
    return year * ((new + CATEGORY_UNITS * shop) / (old + CATEGORY_UNITS))[h.group]
