"""When the shop is closed, learned from the days on which it sold.

A day without a sale may be a closed day or a day without customers. The difference is a matter of probability:
in a shop that sells on 95 of 100 open days a run of five empty days is a closure, in one that sells on 8 of 100
it is nothing. Every rule here asks how likely the silence would be if the shop had been open.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

BoolArray = npt.NDArray[np.bool_]

CLOSED_SHARE = 0.10  # a weekday open on fewer of its last OCCURRENCES is closed
OCCURRENCES = 26
FEWEST_OCCURRENCES = 4
LONG_RUN = 5  # days without a sale that may be a closure of the whole shop
SHUTDOWN = (3, 21)  # days of a closure around Christmas or New Year
UNLIKELY = 0.01
DENSE = 0.90  # share of open days with a sale from which an empty open day is a holiday


def weekdays(start: date, days: int) -> npt.NDArray[np.int64]:
    """Weekday (Monday 0) of `days` days from `start` on.

    >>> weekdays(date(2026, 1, 3), 3).tolist()
    [5, 6, 0]
    """
    return (start.weekday() + np.arange(days)) % 7


@dataclass(frozen=True)
class Calendar:
    """The shop's regular closed days: weekdays, and month-days of the shutdown around Christmas.

    >>> shut = Calendar(frozenset({6}), frozenset({(12, 25)}))
    >>> shut.is_open(date(2026, 12, 24), 4).tolist()
    [True, False, True, False]
    """

    closed_weekdays: frozenset[int]
    shutdown: frozenset[tuple[int, int]]

    def is_open(self, start: date, days: int) -> BoolArray:
        """Is the shop open on each of `days` days from `start` on? Shape (days,)."""
        opened = ~np.isin(weekdays(start, days), sorted(self.closed_weekdays))
        if self.shutdown:
            dates = (start + timedelta(days=i) for i in range(days))
            opened &= np.array([(d.month, d.day) not in self.shutdown for d in dates], dtype=bool)
        return opened


def learn(start: date, sold: BoolArray) -> Calendar:
    """The calendar that the days with a sale (`sold`, shape (days,), first day `start`) show.

    >>> week = np.array([True] * 6 + [False])  # Monday to Saturday
    >>> sorted(learn(date(2026, 1, 5), np.tile(week, 8)).closed_weekdays)
    [6]
    """
    closed = _closed_weekdays(start, sold)
    regular = Calendar(closed, frozenset())
    return Calendar(closed, _shutdown(start, sold, regular))


def closures(start: date, sold: BoolArray, calendar: Calendar) -> BoolArray:
    """Days of the past inside a closure of the whole shop: improbable runs of LONG_RUN or more silent days.

    >>> sold = np.array([True] * 60 + [False] * 40 + [True] * 60)
    >>> int(closures(date(2026, 1, 1), sold, Calendar(frozenset(), frozenset())).sum())
    40
    """
    opened = calendar.is_open(start, len(sold))
    mask = np.zeros(len(sold), dtype=bool)
    for _ in range(2):  # the second look knows how often it sells outside the closures
        rate = sold_share(sold, opened & ~mask)
        mask[:] = False
        for first, last in silent_runs(sold):
            chances = int(opened[first:last].sum())
            if last - first >= LONG_RUN and (1 - rate) ** chances < UNLIKELY / 10 and (chances or last - first > 7):
                mask[first:last] = True
    return mask


def sold_share(sold: BoolArray, opened: BoolArray) -> float:
    """Share of the open days with a sale, kept off 0 and 1.

    >>> sold_share(np.array([True, False]), np.array([True, True]))
    0.5
    """
    return (float((sold & opened).sum()) + 0.5) / (float(opened.sum()) + 1.0)


def silent_runs(sold: BoolArray) -> list[tuple[int, int]]:
    """Runs of days without a sale as (first, one past the last).

    >>> silent_runs(np.array([True, False, False, True, False]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~sold, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _closed_weekdays(start: date, sold: BoolArray) -> frozenset[int]:
    """Weekdays open on fewer than CLOSED_SHARE of their last occurrences, in weeks in which the shop sold."""
    day = weekdays(start, len(sold))
    alive = sold.copy()
    for shift in range(1, 4):  # a sale within three days: the shop was not shut altogether
        alive[shift:] |= sold[:-shift]
        alive[:-shift] |= sold[shift:]
    closed = set()
    for weekday in range(7):
        own = np.flatnonzero((day == weekday) & alive)[-OCCURRENCES:]
        if len(own) < FEWEST_OCCURRENCES:
            continue
        times = int(sold[own].sum())
        others = alive & (day != weekday)
        others[: own[0]] = False
        rate = np.sort([sold_share(sold, others & (day == d)) for d in range(7) if d != weekday])[2:].mean()
        if times < CLOSED_SHARE * len(own) and bdtr(times, len(own), rate) < UNLIKELY:
            closed.add(weekday)
    return frozenset(closed) if len(closed) < 7 else frozenset()


def _shutdown(start: date, sold: BoolArray, regular: Calendar) -> frozenset[tuple[int, int]]:
    """Month-days of the latest closed run of 3 to 21 days that holds 25 December or 1 January."""
    opened = regular.is_open(start, len(sold))
    rate = sold_share(sold, opened)
    for first, last in reversed(silent_runs(sold)):
        if not SHUTDOWN[0] <= last - first <= SHUTDOWN[1] or last == len(sold):
            continue
        run = {((start + timedelta(days=i)).month, (start + timedelta(days=i)).day) for i in range(first, last)}
        if run & {(12, 25), (1, 1)} and (1 - rate) ** int(opened[first:last].sum()) < UNLIKELY:
            return frozenset(run)
    return frozenset()
