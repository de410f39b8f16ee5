"""How much of each variant will be asked for: mean per day, and variance over the time that stock must last.

The mean weighs the last 28, 91 and 182 days, each shrunk to the last year's rate, which itself is shrunk to the
category while an item is new; a variant that was sold a year ago is moved by what happened then in the weeks that
now lie ahead. The variance is what such forecasts really missed by, over rolling origins, shrunk by half to a law
pooled over the shop. Demand is units sold: purchases reversed on the same day are taken out, later returns are not
subtracted (they come back as stock, and the next look at the shelf counts them).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import history as hs
from retail_ml.inventory.history import History

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WINDOWS = ((28, 0.45), (91, 0.35), (182, 0.20))
"""Days looked back, and the weight of each in the mean."""
PSEUDO_DAYS = 5.0
"""Open days of last year's rate that are added to each window: no window alone can bring a forecast to zero."""
NEW_DAYS = 91
"""Open days after which an item stands on its own history alone."""
YEAR_AGO_PSEUDO_DAYS = 30.0
ORIGINS = 39
"""Weekly origins whose errors make the variance."""
MOSTLY_THERE = 0.8
"""Share of a past period's open days that an item must have been in stock for its error to count."""
OWN_WEIGHT = 0.5
"""Weight of an item's own (log) variance beside the pooled law's."""
SPIKE_TIMES = 20.0
"""A day counts in the rates with at most so many times a variant's mean selling day; in the errors with all it had."""
MIN_RATIO = 1.02
"""The variance is never below this multiple of the mean."""
DEFAULT_LAW = (0.7, 1.5)
"""log variance = a + b·log mean, where a shop is too small for a law of its own: overdispersed on purpose."""


# --- the mean -------------------------------------------------------------------------------------


def _windows(h: History, at: Ints) -> Callable[[int], tuple[Floats, Floats]]:
    """days → units and open days of so many days before each origin: (N, K) each."""
    sold, opened, begun = h.usual(at), h.open_days[:, at], h.open_at_start()

    def window(days: int) -> tuple[Floats, Floats]:
        low = np.maximum(at - days, 0)
        before = np.minimum(np.maximum(h.open_days[:, low], begun), opened)  # of the later of low and start: they rise
        return sold - h.usual(low), opened - before

    return window


def prior(h: History) -> tuple[Floats, Floats]:
    """Gamma prior (k, θ) of the units per open day of a new item, from the items of its category: (N,) each.

    k and θ by the method of moments over items with at least 28 open days; θ at least 14 and at most 91 days, since
    units come in lots and one purchase says less than Poisson would have it. Zero where nothing was ever sold.

    >>> from datetime import date
    >>> import polars as pl
    >>> from retail_ml.inventory.history import history
    >>> lines = pl.DataFrame({"customer_id": ["7"], "variant_id": ["v"], "day": [date(2026, 1, 1)], "units": [3.0],
    ...                       "is_return": [False]})
    >>> variants = pl.DataFrame({"variant_id": ["v"], "category": [""], "created": pl.Series([None], dtype=pl.Date)})
    >>> [round(float(x[0]), 3) for x in prior(history(lines, variants, until=date(2026, 1, 30)))]
    [9.1, 91.0]
    """
    now = np.array([h.days])
    sold, open_ = (a[:, 0] for a in _windows(h, now)(365))
    groups = int(h.group.max(initial=0)) + 1
    known = open_ >= 28
    mean, spread, count = _moments(np.where(known, sold / np.maximum(open_, 1), 0.0), known, h.group, groups=groups)
    # A category of few items leans on the shop as a whole; a shop of few days has nothing but its total.
    all_sold, all_open = float(sold.sum()), float(open_.sum())
    shop_mean = all_sold / all_open if all_open else 0.0
    mean = (mean * count + 5 * shop_mean) / (count + 5)
    theta = np.clip(mean / np.maximum(spread, 1e-12), 14.0, float(NEW_DAYS))
    return (mean * theta)[h.group], theta[h.group]


def _moments(rate: Floats, known: Bools, group: Ints, *, groups: int) -> tuple[Floats, Floats, Floats]:
    count = np.bincount(group[known], minlength=groups).astype(float)
    mean = np.bincount(group[known], weights=rate[known], minlength=groups) / np.maximum(count, 1)
    square = np.bincount(group[known], weights=rate[known] ** 2, minlength=groups) / np.maximum(count, 1)
    return mean, np.maximum(square - mean**2, 0.0), count


def base_rate(h: History, at: Ints, gamma: tuple[Floats, Floats]) -> Floats:
    """Units per open day, seen from each origin: Σ weight·(sales_w + 5·r365)/(open days_w + 5), shape (N, K).

    r365 = (sales + k·f)/(open days + θ·f) with the `prior` (k, θ) fading out: f = 1 - open days/91, not below 0.

    >>> from datetime import date
    >>> h = History(np.array(["v"]), date(2026, 1, 1), np.arange(366.0)[None, :] * 2, np.arange(366.0),
    ...             np.arange(366.0)[None, :], np.array([0]), np.array([0]))
    >>> round(float(base_rate(h, np.array([365]), (np.zeros(1), np.full(1, 14.0)))[0, 0]), 6)
    2.0
    """
    window = _windows(h, at)
    year = _year_rate(window(365), gamma)
    rate = np.zeros_like(year)
    for days, share in WINDOWS:
        sold, open_ = window(days)
        rate += share * (sold + PSEUDO_DAYS * year) / (open_ + PSEUDO_DAYS)
    return rate


def year_rate(h: History, at: Ints, gamma: tuple[Floats, Floats]) -> Floats:
    """r365 of `base_rate`: units per open day of the year before each origin, (N, K), a new item's near its category's.

    >>> from datetime import date
    >>> h = History(np.array(["v"]), date(2026, 1, 1), np.arange(366.0)[None, :] * 2, np.arange(366.0),
    ...             np.arange(366.0)[None, :], np.array([0]), np.array([0]))
    >>> year_rate(h, np.array([365]), (np.zeros(1), np.full(1, 14.0))).tolist()
    [[2.0]]
    """
    return _year_rate(_windows(h, at)(365), gamma)


def _year_rate(window: tuple[Floats, Floats], gamma: tuple[Floats, Floats]) -> Floats:
    """`year_rate` from the units and open days of 365 days."""
    sold, open_ = window
    fade = np.maximum(1 - open_ / NEW_DAYS, 0.0)
    weight = open_ + gamma[1][:, None] * fade
    return np.divide(sold + gamma[0][:, None] * fade, weight, out=np.zeros_like(sold), where=weight > 0)


def year_ago_ratio(h: History, at: Ints, *, protection: Ints, gamma: tuple[Floats, Floats]) -> Floats:
    """√ of what the days ahead brought a year ago against the rate before them, (N, K), within 0.4…2.5.

    Each variant's ratio is shrunk with 30 open days to the shop's. 1 where less than a year and 8 weeks is known.

    >>> from datetime import date
    >>> h = History(np.array(["v"]), date(2026, 1, 1), np.arange(366.0)[None, :], np.arange(366.0),
    ...             np.arange(366.0)[None, :], np.array([0]), np.array([0]))
    >>> gamma = (np.zeros(1), np.full(1, 14.0))
    >>> year_ago_ratio(h, np.array([365]), protection=np.array([21]), gamma=gamma).tolist()
    [[1.0]]
    """
    ratio = np.ones((len(h.start), len(at)))
    known = np.flatnonzero(at - 365 >= 56)
    if not len(known):
        return ratio
    then = at[known] - 365
    rate = base_rate(h, then, gamma)
    high = then + np.minimum(protection, 365)[:, None]
    sold = h.usual_at(high) - h.usual(then)
    open_ = h.shop_open[high] - h.shop_open[then]
    seen = h.start[:, None] <= then - 28
    expected = np.where(seen, rate * open_, 0.0)
    total = expected.sum(axis=0)
    shop = np.divide(np.where(seen, sold, 0.0).sum(axis=0), total, out=np.ones_like(total), where=total > 0)
    own = np.divide(
        sold + YEAR_AGO_PSEUDO_DAYS * rate * shop,
        rate * (open_ + YEAR_AGO_PSEUDO_DAYS),
        out=np.broadcast_to(shop, rate.shape).copy(),
        where=seen & (rate > 0),
    )
    ratio[:, known] = np.clip(np.sqrt(own), 0.4, 2.5)
    return ratio


def open_share(h: History, at: Ints) -> Floats:
    """Share of the last 91 days (or all there are) on which the shop was open, (K,)."""
    low = np.maximum(at - 91, 0)
    return (h.shop_open[at] - h.shop_open[low]) / np.maximum(at - low, 1)


def daily_mean(h: History, at: Ints, *, protection: Ints, gamma: tuple[Floats, Floats]) -> Floats:
    """Units per calendar day expected of the days after each origin, (N, K)."""
    return base_rate(h, at, gamma) * year_ago_ratio(h, at, protection=protection, gamma=gamma) * open_share(h, at)


# --- the variance ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Errors:
    """What past forecasts missed by: per variant mean forecast, mean squared error and number of origins."""

    forecast: Floats
    squared: Floats
    origins: Ints


def share_there(h: History, at: Ints, end: Ints) -> Floats:
    """Share of the open days from each origin to `end` (N, K) on which a variant was there to be bought."""
    if h.open_days.shape[0] == 1:
        return np.ones(end.shape)
    shop = h.shop_open[end] - h.shop_open[at]
    own = np.take_along_axis(h.open_days, end, 1) - h.open_days[:, at]
    return np.divide(own, shop, out=np.ones(end.shape), where=shop > 0)


def past_errors(h: History, protection: Ints, gamma: tuple[Floats, Floats]) -> Errors:
    """Errors of the forecast of `protection` days (whole, per variant) over up to 39 weekly origins."""
    count = len(h.start)
    longest = int(protection.max(initial=1))
    first, last = 28, h.days - int(protection.min(initial=1))
    at = np.arange(last, first - 1, -7)[: ORIGINS + -(-longest // 7)]
    if not len(at) or not count:
        return Errors(np.zeros(count), np.zeros(count), np.zeros(count, np.int64))
    end = at[None, :] + protection[:, None]
    closed = (end <= h.days) & (h.start[:, None] < at)
    end = np.minimum(end, h.days)
    there = share_there(h, at, end)
    closed &= there >= MOSTLY_THERE
    closed &= np.cumsum(closed, axis=1) <= ORIGINS
    forecast = daily_mean(h, at, protection=protection, gamma=gamma) * protection[:, None] * there
    actual = np.take_along_axis(h.units, end, 1) - h.units[:, at]
    origins = closed.sum(axis=1)
    many = np.maximum(origins, 1)
    return Errors(
        np.where(closed, forecast, 0).sum(axis=1) / many,
        np.where(closed, (actual - forecast) ** 2, 0).sum(axis=1) / many,
        origins,
    )


def power_law(mean: Floats, variance: Floats, *, bins: int = 12) -> tuple[float, float]:
    """(a, b) of log variance = a + b·log mean, through the totals of `bins` equal groups ordered by mean.

    Taylor's power law, rescaled so that its variances add up to those found. Fewer than 3 items per parameter:
    `DEFAULT_LAW`. The exponent is held within 0.9…2.

    >>> mean = np.linspace(1, 100, 200)
    >>> [round(x, 1) for x in power_law(mean, 3 * mean**1.5)]
    [1.2, 1.5]
    """
    good = (mean > 0) & (variance > 0)
    if good.sum() < 6:
        return DEFAULT_LAW
    order = np.argsort(mean[good], kind="stable")
    x, y = mean[good][order], variance[good][order]
    edges = np.unique(np.linspace(0, len(x), min(bins, len(x) // 2) + 1).astype(int))
    sizes = np.diff(edges)
    log_x = np.log(np.add.reduceat(x, edges[:-1]) / sizes)
    log_y = np.log(np.add.reduceat(y, edges[:-1]) / sizes)
    spread = float(((log_x - log_x.mean()) ** 2).sum())
    slope = float(((log_x - log_x.mean()) * (log_y - log_y.mean())).sum()) / spread if spread > 1e-9 else 1.5
    slope = min(max(slope, 0.9), 2.0)
    return float(np.log(y.sum() / (x**slope).sum())), slope


def error_variance(errors: Errors, mean: Floats, protection: Ints) -> Floats:
    """Variance of demand over the protection period at today's `mean` of it: own errors and the pooled law, half each.

    One law per protection period that at least 60 variants share, else one over all. An item's own weight grows to a
    half over 20 origins. Moved from the mean of the past forecasts to today's by the law's exponent (0.9…1.3).
    """
    variance = np.zeros_like(mean)
    lengths, where, sizes = np.unique(protection, return_inverse=True, return_counts=True)
    common = power_law(errors.forecast, errors.squared)
    for j in range(len(lengths)):  # over lead times, a few dozen at most; not over variants
        mine = where == j
        past, squared = errors.forecast[mine], errors.squared[mine]
        a, b = power_law(past, squared) if sizes[j] >= 60 else common
        own = OWN_WEIGHT * np.minimum(errors.origins[mine] / 20, 1.0) * ((past > 0) & (squared > 0))
        at_past = np.where(past > 0, past, mean[mine])
        law = a + b * np.log(np.maximum(at_past, 1e-9))
        mixed = own * np.log(np.maximum(squared, 1e-12)) + (1 - own) * law
        moved = mixed + np.clip(b, 0.9, 1.3) * np.log(np.maximum(mean[mine], 1e-9) / np.maximum(at_past, 1e-9))
        variance[mine] = np.where(mean[mine] > 0, np.exp(np.minimum(moved, 60.0)), 0.0)
    return variance


# --- both -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Quantiles of the demand over the protection period as another forecast has them; NaN where it has none."""

    probabilities: Floats
    """Ascending, (K,)."""
    units: Floats
    """(N, K)."""
    mean: Floats

    def at(self, tau: Floats) -> Floats:
        """The quantile of each variant's own `tau`, between its neighbours; the first or last one beyond them.

        >>> grid = Quantiles(np.array([0.8, 0.9]), np.array([[4.0, 8.0]] * 3), np.full(3, 2.0))
        >>> grid.at(np.array([0.7, 0.85, 0.99])).round(6).tolist()
        [4.0, 6.0, 8.0]
        """
        p = self.probabilities
        k = np.clip(np.searchsorted(p, tau) - 1, 0, max(len(p) - 2, 0))
        share = np.clip((tau - p[k]) / (p[k + 1] - p[k]), 0.0, 1.0)
        row = np.arange(len(tau))
        return self.units[row, k] + share * (self.units[row, k + 1] - self.units[row, k])


@dataclass(frozen=True, eq=False)
class Demand:
    """What is expected of each variant; arrays of one entry per variant, units and days."""

    daily: Floats
    """Units per calendar day."""
    protection: Ints
    """Days that one decision must cover: review + lead time, whole days."""
    mean: Floats
    variance: Floats
    """Over the protection period, the lead time's own spread included."""
    origins: Ints
    quantiles: Quantiles | None = None
    """Of the same demand by another forecast; None: there is none."""

    def of(self, rows: slice) -> Demand:
        """Of some of the variants."""
        q = self.quantiles
        some = None if q is None else Quantiles(q.probabilities, q.units[rows], q.mean[rows])
        mean = self.mean[rows]
        return Demand(self.daily[rows], self.protection[rows], mean, self.variance[rows], self.origins[rows], some)

    @property
    def ratio(self) -> Floats:
        """Variance over mean, at least 1.02: the same for any number of days."""
        return np.maximum(np.divide(self.variance, self.mean, out=np.ones_like(self.mean), where=self.mean > 0), 1.02)


def estimate(
    h: History,
    *,
    protection: Ints,
    lead_sd: Floats,
    daily: Floats | None = None,
    quantiles: Quantiles | None = None,
    selling: hs.SellingDays | None = None,
) -> Demand:
    """Mean and variance of each variant's demand in the days after the history ends.

    `protection` days per variant (at least 1), `lead_sd` the lead time's standard deviation in days. With `daily`
    (units per calendar day, NaN where unknown) the mean of it and the own one is used: the average of two forecasts
    is seldom worse than the better one. The variance stays that of the own one's errors; `quantiles`, where that
    forecast has them, are handed on for the levels. What has no demand of its
    own gets none. `selling`: as `history.without_spikes` takes it.
    """
    h = hs.without_spikes(h, times=SPIKE_TIMES, selling=selling)
    gamma = prior(h)
    errors = past_errors(h, protection, gamma)
    own = daily_mean(h, np.array([h.days]), protection=protection, gamma=gamma)[:, 0]
    if daily is not None:
        own = np.where(np.isfinite(daily) & (own > 0), (own + np.maximum(daily, 0.0)) / 2, own)
    mean = own * protection
    variance = error_variance(errors, mean, protection)
    # A new item's rate is itself uncertain: the gamma posterior's share, mean²/shape.
    sold, open_ = (a[:, 0] for a in _windows(h, np.array([h.days]))(365))
    shape = sold + gamma[0]
    new = (open_ < NEW_DAYS) & (shape > 0)
    spread = mean + np.divide(mean**2, shape, out=np.zeros_like(mean), where=new)
    variance = np.where(new, np.maximum(variance, spread), variance) + (own * lead_sd) ** 2
    return Demand(own, protection, mean, np.maximum(variance, MIN_RATIO * mean), errors.origins, quantiles)
