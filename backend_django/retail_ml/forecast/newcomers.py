"""Products that nobody knows yet: what their look-alikes sold at the same age, and what they have sold themselves.

A look-alike is a product that was new before: the more words of its title it shares, the same category and brand, a
like price, the more it counts. Rates are per open day, relative to what a
product of the shop sold on average at the time. Look-alikes and the
mean of all past newcomers are mixed to a prior, and a product that has sold s units in its first n open days is
believed to sell

    (K·prior + φ·s) / (K + n)    units per open day,

the mean of a gamma-Poisson law with a prior of K open days (credibility; Bühlmann & Gisler 2005). φ is what past
newcomers sold later for every unit of their first days (a first day has a sale by definition, and often a launch);
K is the weight under which they were forecast best. Widths are quantiles of actual ÷ forecast by volume.

Every forecast of a past newcomer is made from those whose weeks were over when it was new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from retail_ml.forecast.history import History
from retail_ml.forecast.look_alikes import Looks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

YOUNG = 28
"""Open days since the first sale below which a product is a newcomer."""
KNOWN_FROM = 28
"""Days of the data before which a product's first sale need not be its first."""
SETTLED = 182
"""Days of the data before which too much looks new."""
AHEAD = 28
"""Days over which rates are looked up."""
AGES = (0, 7, 14, 21)
"""Days since the first sale at which past newcomers are looked at."""
WEIGHTS = (1.0, 2.0, 4.0, 7.0, 10.0, 14.0, 20.0, 28.0, 56.0, 112.0)
"""Open days K that the prior may be worth."""
USUAL_WEIGHT = 14.0
NEAREST = 30
"""Look-alikes that count at most."""
MIXED = 1.0
"""Squared likeness that the mean of all newcomers counts as."""
SHOWN, LEAST_LIKE = 5, 0.2
"""Look-alikes named as evidence, and how alike they must be."""
MOST = 3_000
"""Latest past newcomers that are remembered."""
FEWEST = 10
"""Past newcomers below which all products stand in for them."""
PROBABILITIES = np.array([0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.995])
WINDOWS = (7, 14, 28, 56, 91)
BATCH = 1_000
PER_BIN = 60
MOST_BINS = 4


@dataclass(frozen=True, eq=False)
class Starts:
    """When each product began. `first` (products,): day of the first sale, `days` if none; `total` (products,): units.

    `before` (days + 1,): open days before each day; `level` (days + 1,): units per open day and product that sold, in
    the 28 days before: a wider range shares the same shoppers. `rows`: past newcomers, those that began after the first
    28 days of the data, the latest 3,000, oldest first; `began` (rows,) their first days; `units` (rows, days + 1)
    their running totals.
    """

    first: Ints
    total: Floats
    before: Ints
    level: Floats
    rows: Ints
    began: Ints
    units: Floats

    @classmethod
    def of(cls, history: History) -> Starts:
        """From units of all products."""
        sold = history.y > 0
        first = np.where(sold.any(axis=1), sold.argmax(axis=1), history.days)
        before = np.concatenate([[0], np.cumsum(history.usable)])
        total = _running(np.maximum(np.where(history.usable, history.y.sum(axis=0), 0.0), 0.0)[None])[0]
        low = np.maximum(np.arange(history.days + 1) - 28, 0)
        level = (total - total[low]) / np.maximum(before - before[low], 1) / np.maximum(_selling(sold), 1)
        rows = np.flatnonzero((first >= KNOWN_FROM) & (first < history.days))
        rows = rows[np.argsort(first[rows], kind="stable")][-MOST:]
        units = _running(np.maximum(history.y[rows], 0.0))
        own = np.maximum(history.y.sum(axis=1), 0.0)
        return cls(first, own, before, np.maximum(level, 1e-9), rows, first[rows], units)

    @property
    def days(self) -> int:
        """Days known."""
        return len(self.level) - 1

    def sold(self, age: int, days: int) -> tuple[Floats, Floats, Bools]:
        """Units and open days of past newcomers in the `days` days from their age `age` on; are all of them known?"""
        at = np.minimum(self.began + age, self.days)
        end = np.minimum(at + days, self.days)
        line = np.arange(len(self.rows))
        full = self.began + age + days <= self.days
        return self.units[line, end] - self.units[line, at], (self.before[end] - self.before[at]).astype(float), full

    def newcomers(self) -> Bools:
        """Products sold for fewer than 28 open days, or never, (products,)."""
        young = self.before[-1] - self.before[self.first] < YOUNG
        return young & ((self.first >= KNOWN_FROM) | (self.first >= self.days))


def _selling(sold: Bools) -> Ints:
    """How many products sold in the 28 days before each day, (days + 1,): from the gaps between the days of sale."""
    row, day = np.nonzero(sold)
    days = sold.shape[1]
    following = np.append(np.where(row[1:] == row[:-1], day[1:], days), days) if len(row) else day
    begins = np.bincount(day + 1, minlength=days + 2)
    ends = np.bincount(np.minimum(np.minimum(following, day + 28) + 1, days + 1), minlength=days + 2)
    return np.cumsum(begins - ends)[: days + 1]


def _running(daily: Floats) -> Floats:
    return np.concatenate([np.zeros((len(daily), 1)), np.cumsum(daily, axis=1)], axis=1)


@dataclass(frozen=True, eq=False)
class NewcomerRates:
    """What is believed of the products `rows`: `rate` units per open day, `prior` the same before their own sales.

    `spread` (rows, windows, probabilities): quantiles of the sums over `WINDOWS` as multiples of the forecast sum.
    `look_alikes`: rows of the products that counted most, nearest first; `count` (rows,): how many counted at all.
    `age` (rows,): days since the first sale, 0 without one; `stage` (rows,): the last of `AGES` that it has reached.
    """

    rows: Ints
    rate: Floats
    prior: Floats
    spread: Floats
    look_alikes: list[list[int]]
    count: Ints
    age: Ints
    stage: Ints

    def quantiles(self, mean: Floats, days: int, probabilities: Sequence[float]) -> Floats:
        """Quantiles of the sum over `days` days whose forecast is `mean` (rows,): (rows, probabilities).

        Windows between the calibrated ones take the nearest in log days.
        """
        w = int(np.argmin(np.abs(np.log(np.array(WINDOWS)) - np.log(days))))
        found = np.array([np.interp(probabilities, PROBABILITIES, row) for row in self.spread[:, w]])
        return found.reshape(len(self.rows), len(probabilities)) * mean[:, None]


@dataclass(frozen=True, eq=False)
class NewcomerModel:
    """What past newcomers teach: their rows, rates by age (ages, newcomers), φ by age, K, and the widths.

    `established`: too few newcomers were seen, all products stand in for them (of unknown age): low confidence.
    """

    starts: Starts
    looks: Looks
    rows: Ints
    rates: Floats
    later: Floats
    weight: float
    edges: Floats
    spread: Floats
    established: bool

    def forecast(self, rows: Ints, *, listed: Ints | None = None) -> NewcomerRates:
        """Rates of the products `rows` from today on.

        `listed` (rows,): day of the grid since which a product that never sold is for sale (default: since today).
        """
        s, today = self.starts, self.starts.days
        sold = s.first[rows] < today
        since = np.where(sold, s.first[rows], today if listed is None else np.clip(listed, 0, today))
        open_, age = (s.before[today] - s.before[since]).astype(float), np.where(sold, today - s.first[rows], 0)
        stage = np.minimum(np.searchsorted(AGES, age, side="right") - 1, len(AGES) - 1)
        prior, count, named = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64), []
        for begin in range(0, len(rows), BATCH):
            some = slice(begin, begin + BATCH)
            prior[some], count[some], found = self._look_up(rows[some], stage[some])
            named += found
        prior *= float(s.level[today])
        rate = (self.weight * prior + self.later[stage] * s.total[rows]) / (self.weight + open_)
        spread = self.spread[stage, :, np.searchsorted(self.edges, rate * AHEAD, side="right")]
        return NewcomerRates(rows, rate, prior, spread, named, count, age, stage)

    def _look_up(self, rows: Ints, stage: Ints) -> tuple[Floats, Ints, list[list[int]]]:
        """Relative prior rate, number of look-alikes and the nearest of them."""
        likeness = self.looks.likeness(rows, self.rows)
        likeness[rows[:, None] == self.rows] = 0.0
        rates = self.rates[stage]
        prior, weight = mixed(likeness, np.nan_to_num(rates), np.isfinite(rates))
        alike = weight >= LEAST_LIKE**2
        nearest = np.argsort(-weight, axis=1, kind="stable")[:, :SHOWN]
        named = [[int(self.rows[j]) for j in line if alike[i, j]] for i, line in enumerate(nearest)]
        return prior, alike.sum(axis=1), named


def mixed(likeness: Floats, rates: Floats, known: Bools) -> tuple[Floats, Floats]:
    """Rates of each row from the products `known` to it, and the weight of each: (rows,), (rows, others).

    `rates` (others,) or (rows, others). Weights are likeness², of the nearest 30; the mean of all known ones weighs 1.
    0 where nobody is known.

    >>> rates = np.array([1.0, 3.0, 5.0])
    >>> mixed(np.array([[1.0, 0.0, 0.0]]), rates, np.ones((1, 3), bool))[0].tolist()
    [2.0]
    """
    weight = np.where(known, np.square(likeness), 0.0)
    if weight.shape[1] > NEAREST:
        least = -np.partition(-weight, NEAREST - 1, axis=1)[:, NEAREST - 1]
        weight = np.where(weight >= least[:, None], weight, 0.0)
    mean = (known * rates).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return ((weight * rates).sum(axis=1) + MIXED * mean) / (weight.sum(axis=1) + MIXED), weight


def learn(history: History, looks: Looks) -> NewcomerModel:
    """Learn from the newcomers of the past. `history`: units of all products; `looks`: the same rows."""
    starts = Starts.of(history)
    if (starts.began + AHEAD <= starts.days).sum() < FEWEST:
        return _established(starts, history, looks)
    rates, later = np.full((len(AGES), len(starts.rows)), np.nan), np.ones(len(AGES))
    for k, age in enumerate(AGES):
        units, open_, full = starts.sold(age, AHEAD)
        level = starts.level[np.minimum(starts.began + age, starts.days)]
        rates[k] = np.where(full, units / np.maximum(open_, 1) / level, np.nan)
        own, first, _ = starts.sold(0, age)
        expected = np.divide(own * open_, first, out=np.zeros_like(own), where=full & (first > 0)).sum()
        later[k] = np.clip(units[full].sum() / expected, 0.2, 1.5) if expected > 0 else 1.0
    past = [_replayed(starts, looks, rates=rates[k], age=age) for k, age in enumerate(AGES)]
    weight = _weight(past, later)
    edges, spread = _spread(starts, [p.rate(weight, float(f)) for p, f in zip(past, later, strict=True)])
    return NewcomerModel(starts, looks, starts.rows, rates, later, weight, edges, spread, established=False)


@dataclass(frozen=True, eq=False)
class _Replayed:
    """Past newcomers at one age: prior rate (NaN where too few were known), own units and open days, what came."""

    prior: Floats
    own: Floats
    open: Floats
    came: Floats
    ahead: Floats

    def rate(self, weight: float, later: float) -> Floats:
        return np.asarray((weight * self.prior + later * self.own) / (weight + self.open))


def _replayed(starts: Starts, looks: Looks, *, rates: Floats, age: int) -> _Replayed:
    """Forecast each from those whose days were over by then."""
    rows, began = starts.rows, starts.began
    came, ahead, full = starts.sold(age, AHEAD)
    prior = np.full(len(rows), np.nan)
    for begin in range(0, len(rows), BATCH):
        some = slice(begin, begin + BATCH)
        known = np.isfinite(rates) & (began + AHEAD <= began[some, None])
        found = mixed(looks.likeness(rows[some], rows), np.nan_to_num(rates), known)[0]
        level = starts.level[np.minimum(began[some] + age, starts.days)]
        prior[some] = np.where(full[some] & (known.sum(axis=1) >= FEWEST), found * level, np.nan)
    own, open_, _ = starts.sold(0, age)
    return _Replayed(prior, own, open_, came, ahead)


def _weight(past: Sequence[_Replayed], later: Floats) -> float:
    """The K of least Poisson deviance Σ [y log(y/f) − y + f], with a normal prior on log K so few decide nothing."""
    usual = 0.5 * np.square(np.log(np.array(WEIGHTS) / USUAL_WEIGHT))
    scores = np.zeros(len(WEIGHTS))
    for i, weight in enumerate(WEIGHTS):
        for p, f in zip(past[1:], later[1:], strict=True):
            forecast = p.rate(weight, float(f)) * p.ahead
            ok = np.isfinite(forecast) & (forecast > 0)
            y, m = p.came[ok], forecast[ok]
            scores[i] += (xlogy(y, np.maximum(y, 1e-9) / m) - y + m).sum()
    size = max(float(np.mean(scores)) / 50, 1.0)  # units scatter more than Poisson: some fifty newcomers' worth
    return WEIGHTS[int(np.argmin(scores / size + usual))]


def _spread(starts: Starts, rates: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Edges of the bins by forecast of 28 open days, and quantiles of actual ÷ forecast (ages, windows, bins, probs).

    A bin of few newcomers takes the quantiles of its whole age.
    """
    everyone = np.concatenate(rates)
    everyone = everyone[np.isfinite(everyone) & (everyone > 0)] * AHEAD
    bins = int(np.clip(len(everyone) // (PER_BIN * len(AGES)), 1, MOST_BINS))
    edges = np.unique(np.quantile(everyone, np.arange(1, bins) / bins)) if len(everyone) else np.empty(0)
    spread = np.zeros((len(AGES), len(WINDOWS), len(edges) + 1, len(PROBABILITIES)))
    for k, (age, rate) in enumerate(zip(AGES, rates, strict=True)):
        at = np.searchsorted(edges, np.nan_to_num(rate) * AHEAD, side="right")
        for w, days in enumerate(WINDOWS):
            came, open_, full = starts.sold(age, days)
            use = np.isfinite(rate) & (rate > 0) & full & (open_ > 0)
            ratio = np.divide(came, rate * open_, out=np.zeros_like(came), where=use)
            before = spread[k, w - 1] if w else np.broadcast_to(WIDE, spread[k, w].shape)
            whole = _stretched(ratio[use]) if use.sum() >= FEWEST else None
            for b in range(len(edges) + 1):
                mine = use & (at == b)
                spread[k, w, b] = (
                    _stretched(ratio[mine]) if mine.sum() >= 2 * FEWEST else before[b] if whole is None else whole
                )
    return edges, spread


def _stretched(ratio: Floats) -> Floats:
    at = np.clip(0.5 + (PROBABILITIES - 0.5) * (1 + 2 / len(ratio)), 0, 1)
    return np.asarray(np.quantile(ratio, at))


WIDE = np.exp(
    1.2 * np.array([-2.58, -1.96, -1.64, -1.28, -0.84, -0.52, -0.25, 0, 0.25, 0.52, 0.84, 1.28, 1.64, 1.96, 2.58])
)
"""Where no newcomer was ever seen: log-normal with sd 1.2, about a factor 10 either way at 95 %."""


def _established(starts: Starts, history: History, looks: Looks) -> NewcomerModel:
    """All products with sales stand in: their rates of the last 91 days (or since their first sale, at least 7)."""
    rows = np.flatnonzero(starts.first < starts.days)[:MOST]
    low = np.maximum(starts.first[rows], max(starts.days - 91, 0))
    open_ = np.maximum(starts.before[-1] - starts.before[low], 7)
    units = np.maximum(history.y[rows, max(starts.days - 91, 0) :], 0.0).sum(axis=1)
    rates = np.tile(units / open_ / starts.level[-1], (len(AGES), 1))
    spread = np.tile(WIDE, (len(AGES), len(WINDOWS), 1, 1))
    ones = np.ones(len(AGES))
    return NewcomerModel(starts, looks, rows, rates, ones, USUAL_WEIGHT, np.empty(0), spread, established=True)


def appearing_share(history: History, *, windows: Sequence[int] = WINDOWS) -> dict[int, float | None]:
    """Share of the units of the next days that products bring which have not sold yet: add it to a sum of products.

    Over origins 28 days apart in the last year, from the 182nd day of the data on (before, everything looks new):
    Σ units of products first sold after the origin / Σ all units. None with fewer than 4 origins.

    >>> from datetime import date
    >>> y = np.zeros((3, 400)); y[0] = 9.0; y[1, 250:] = 1.0; y[2, 390:] = 1.0
    >>> found = appearing_share(History(date(2026, 1, 1), y, np.ones(400, dtype=bool)), windows=(28,))
    >>> round(found[28], 4)
    0.0104
    """
    sold = history.y > 0
    first = np.where(sold.any(axis=1), sold.argmax(axis=1), history.days)
    new = np.flatnonzero(first >= SETTLED)
    late, everything = _running(np.maximum(history.y[new], 0.0)), _running(np.maximum(history.y, 0.0).sum(axis=0)[None])
    out: dict[int, float | None] = {}
    for days in windows:
        origins = np.arange(history.days - days, SETTLED - 1, -28)[:13]
        total = float((everything[:, origins + days] - everything[:, origins]).sum())
        appeared = np.where(first[new, None] >= origins, late[:, origins + days] - late[:, origins], 0.0).sum()
        out[days] = None if len(origins) < 4 or total <= 0 else float(appeared) / total
    return out
