"""How far the stated chances that goods are left are believed, learnt from the shop's own past shelves.

Dead, slow and too much stock is picked by rates that were low lately, and a negative binomial at such a rate knows
nothing of seasons that come back, nor of goods that never will. So the same alerts are raised on past days, on the
shelf as it lay there, and their chances are held against what came: p' = 1/(1 + exp(-(a + b·log(p/(1 - p))))), Platt's
scaling (1999), a and b for each code. Seasons that are over teach the same of goods that a season may leave: shops
reduce prices before the end, which no rate of before knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import alerts, likely, policy
from retail_ml.inventory import demand as dm
from retail_ml.inventory import history as hs
from retail_ml.inventory.history import History
from retail_ml.shelf import at_night

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CODES = ("DEAD_STOCK", "OVERSTOCK", "SLOW_MOVING", "SEASON_END_RISK")
ORIGINS, APART = 13, 28
"""Past days on which the alerts are raised, and the days between them."""
SEASON_DAYS = 180
"""Days before the end of a season from which it is looked at."""
FEWEST = 30
"""Past alerts of a code below which its chances stay as they are."""
MOST = 5_000
"""Variants that are looked at, at most."""
PRIOR = 4.0
"""Weight with which a and b are held to 0 and 1: that of about sixteen alerts of even chances."""
BOUNDS = (0.01, 0.99)
"""Chances are moved within these only."""
AS_STATED = np.tile([0.0, 1.0], (len(CODES), 1))
"""(a, b) of each code where nothing is learnt."""


@dataclass(frozen=True, eq=False)
class Goods:
    """What the alerts are raised with, one entry per variant; of today, since it hardly changes."""

    protection: Ints
    lead_days: Floats
    ratio: Floats
    interval: Floats
    on_hand: Floats
    season: Ints
    """The day of the histories after the last one of its season, by which that is over; 0: it has no end."""

    def of(self, rows: slice) -> Goods:
        """Of some of the variants."""
        return Goods(*(column[rows] for column in vars(self).values()))


def learn(h: History, sold: History, goods: Goods, *, shelves: Floats | None) -> Floats:
    """(a, b) of each of `CODES`, (4, 2), from up to 13 past days, 28 days apart, and the days that followed each.

    `h` is the demand behind the sales, `sold` what was sold; `shelves` the units that lay there on the evening before
    each of `origins` (N, K), None where no stock history tells: then only what is dead is known, of what has stock now.
    Nothing after the end of the histories is looked at.
    """
    found: list[tuple[Ints, Floats, Bools]] = []
    if len(h.start):
        usual = hs.without_spikes(h, times=dm.SPIKE_TIMES)
        at = origins(h)
        recent, chance = likely.seen_from(usual, at, protection=goods.protection)
        for k in range(len(at)):
            shelf = goods.on_hand if shelves is None else shelves[:, k]
            seen = (recent[:, k], chance[:, k], shelf)
            found.append(_raised(sold, goods, seen, at=int(at[k]), shelves=shelves is not None))
            if shelves is not None:
                found.append(_ended(sold, goods, seen, at=int(at[k])))
    learnt = AS_STATED.copy()
    if found:
        code, stated, came = (np.concatenate(column) for column in zip(*found, strict=True))
        for i in range(len(CODES)):
            if (code == i).sum() >= FEWEST:
                learnt[i] = platt(stated[code == i], came[code == i])
    return learnt


def origins(h: History) -> Ints:
    """The days from which the alerts are raised: the last one has a quarter after it, the first half a year before it.

    >>> from datetime import date
    >>> h = History(np.array(["v"]), date(2026, 1, 1), np.zeros((1, 401)), np.zeros(401), np.zeros((1, 401)),
    ...             np.array([0]), np.array([0]))
    >>> origins(h).tolist()
    [309, 281, 253]
    """
    return np.arange(h.days - alerts.STILL_DAYS, alerts.DEAD_DAYS + alerts.YOUNG_DAYS, -APART)[:ORIGINS]


def nights(h: History, stock_history: pl.DataFrame, stock: pl.DataFrame) -> Floats:
    """Units of each variant of `h` on the evening before each of its `origins`, (N, K)."""
    at = origins(h)
    if not len(at):
        return np.zeros((len(h.start), 0))
    first: date = h.first_day + timedelta(days=int(at[-1]) - 1)
    found = at_night(stock_history, stock, ids=h.variant_ids, start=first, days=int(at[0] - at[-1]) + 1)
    return found[:, at - at[-1]].astype(float)


def _raised(
    sold: History, goods: Goods, seen: tuple[Floats, Floats, Floats], *, at: int, shelves: bool
) -> tuple[Ints, Floats, Bools]:
    """Row in `CODES`, stated chance and what came of every alert that one past day would have raised.

    `seen`: the recent rate, the rate of chances, and the shelf. Without past `shelves` only what is dead.
    """
    daily, chance, shelf = seen
    there = at - sold.start
    limit = np.ceil(alerts.dead_after(goods.interval)).astype(np.int64)
    still = sold.units[:, at] - sold.units[np.arange(len(there)), np.maximum(at - limit, 0)] <= 0
    dead = (shelf > 0) & still & (there >= limit)
    horizon = alerts.OVERSTOCK_DAYS + goods.lead_days
    excess = policy.probability_above(shelf - 1, daily, goods.ratio, days=horizon) < 1 - alerts.EXCESS_QUANTILE
    over, slow = alerts.lies(
        shelf, daily, excess=excess & (there >= alerts.YOUNG_DAYS), lead_days=goods.lead_days, dead=dead,
        young=there < alerts.YOUNG_DAYS,
    )  # fmt: skip
    code = np.select([dead, over & (there > 0), slow & (there > 0)], [0, 1, 2], -1)
    days = np.where(code == 1, np.ceil(horizon), alerts.STILL_DAYS).astype(np.int64)
    known = (code >= 0) & (at + days <= sold.days) & (shelves | (code == 0))
    rows = np.flatnonzero(known)
    bound = np.where(code == 2, np.floor(shelf / 2), 0.0)
    some = rows[code[rows] == 1]
    bound[some] = policy.demand_quantile(alerts.EXCESS_QUANTILE, daily[some], goods.ratio[some], days=horizon[some])
    bought = sold.units[rows, at + days[rows]] - sold.units[rows, at]
    stated = 1 - policy.probability_above(bound[rows], chance[rows], goods.ratio[rows], days=days[rows].astype(float))
    return code[rows], stated, bought <= bound[rows]


def _ended(sold: History, goods: Goods, seen: tuple[Floats, Floats, Floats], *, at: int) -> tuple[Ints, Floats, Bools]:
    """The same of the alerts of seasons that were then to end and are over now: `SEASON_END_RISK`."""
    _, chance, shelf = seen
    days = goods.season - at
    rows = np.flatnonzero((days > 0) & (days <= SEASON_DAYS) & (goods.season <= sold.days) & (shelf > 0))
    there, law, left = shelf[rows], (chance[rows], goods.ratio[rows]), days[rows].astype(float)
    expected = there - law[0] * left + policy.units_short(there, *law, days=left)
    rows = rows[expected > alerts.LEFTOVER_SHARE * there]
    bound, left = (1 - alerts.LEFTOVER_SHARE) * shelf[rows], days[rows].astype(float)
    stated = 1 - policy.probability_above(np.ceil(bound) - 1, chance[rows], goods.ratio[rows], days=left)
    bought = sold.units[rows, goods.season[rows]] - sold.units[rows, at]
    return np.full(len(rows), CODES.index("SEASON_END_RISK"), np.int64), stated, bought <= bound


def platt(stated: Floats, came: Bools) -> Floats:
    """(a, b) of the log odds with the greatest likelihood of what `came`, b never below 0.

    Newton's steps from (0, 1), which `PRIOR` holds the two to.

    >>> platt(np.repeat([0.2, 0.8], 50), np.repeat([False, True], 50)).round(1).tolist()
    [-0.0, 2.3]
    >>> believed(np.array([0.9]), platt(np.full(400, 0.9), np.arange(400) % 2 == 0)).round(1).tolist()
    [0.5]
    """
    x = np.stack([np.ones(len(stated)), log_odds(stated)])
    start = np.array([0.0, 1.0])
    free = np.array([True, True])
    theta = start.copy()
    for _ in range(50):
        p = _logistic(theta @ x)
        slope = x @ (p - came) + PRIOR * (theta - start)
        bend = (x * (p * (1 - p))) @ x.T + PRIOR * np.eye(2)
        step = np.zeros(2)
        step[free] = np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        theta = theta - np.clip(step, -1.0, 1.0)
        if theta[1] < 0:  # a higher chance never means less: only the level is learnt then
            theta, free = np.array([theta[0], 0.0]), np.array([True, False])
        if np.abs(step).max() < 1e-9:
            break
    return theta


def log_odds(p: Floats) -> Floats:
    """log(p/(1 - p)), p held within `BOUNDS`."""
    held = np.clip(p, *BOUNDS)
    return np.log(held / (1 - held))


def believed(p: Floats, learnt: Floats) -> Floats:
    """Stated chances as they came true, by the (a, b) of their code; as stated with (0, 1).

    >>> p = np.array([0.3, 1.0])
    >>> believed(p, np.array([0.0, 1.0])).tolist(), believed(p, np.array([-2.0, 1.0])).round(2).tolist()
    ([0.3, 1.0], [0.05, 0.93])
    """
    if learnt[0] == 0 and learnt[1] == 1:
        return p
    return _logistic(learnt[0] + learnt[1] * log_odds(p))


def _logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))
