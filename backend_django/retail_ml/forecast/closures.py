"""Silence: which days without a sale were closed days, and which closures come back every year.

A day without a sale may be a closed day or a day without customers. The difference is a matter of probability:
in a shop that sells on 95 of 100 open days a run of five empty days is a closure, in one that sells on 8 of 100
it is nothing. Every rule here asks how likely the silence would be if the shop had been open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

CLOSED_SHARE = 0.10  # a weekday open on fewer of its last OCCURRENCES is closed
OCCURRENCES = 26
FEWEST_OCCURRENCES = 4
LONG_RUN = 5  # days without a sale that may be a closure of the whole shop
UNLIKELY = 0.01
CHANCE = 0.05  # days of the year that chance may make look closed every year
ADVENT = 4  # weeks before Christmas in which a weekly closing day may be open
CHRISTMAS_DAYS = (3, 21)  # length of a closure around Christmas or New Year
YEARLY_DAYS = (5, 42)  # length of any other closure that comes back every year, when it was seen once
SEASON = 300  # and at most, when it was seen more often: a shop by the sea is closed all winter
SUMMER = ((6, 20), (9, 15))  # where a closure seen once is taken for the summer holidays
SOUTHERN_SUMMER = ((12, 20), (2, 28))
SOUTHERN = frozenset({"AR", "AU", "BO", "BR", "CL", "NZ", "PE", "PY", "UY", "ZA"})


@dataclass(frozen=True)
class Shutdown:
    """A closure that returns every year: its latest dates, both included, and the years it was seen in.

    `by_week`: it keeps its weekdays (three weeks from a Monday), not its dates.

    >>> Shutdown(date(2025, 8, 4), date(2025, 8, 24), by_week=True).within(date(2026, 1, 1), 365)
    [(214, 235)]
    """

    first: date
    last: date
    by_week: bool = False
    seen: int = 1

    def shifted(self, years: int) -> tuple[date, date] | None:
        """First and last day so many years later (earlier: negative); None outside the calendar."""
        if not 1 < self.first.year + years < MAXYEAR:
            return None
        if self.by_week:
            days = timedelta(days=7 * round(years * 365.25 / 7))
            return self.first + days, self.last + days
        first = _same_day(self.first, self.first.year + years)
        return first, first + (self.last - self.first)

    def within(self, start: date, days: int) -> list[tuple[int, int]]:
        """(first, one past the last) position of every year's closure among `days` days from `start`."""
        end = start + timedelta(days=max(days - 1, 0))
        out = []
        for year in range(start.year - 1, end.year + 2):
            span = self.shifted(year - self.first.year)
            if span and span[0] <= end and span[1] >= start:
                out.append((max((span[0] - start).days, 0), min((span[1] - start).days + 1, days)))
        return out


def weekdays(start: date, days: int) -> npt.NDArray[np.int64]:
    """Weekday (Monday 0) of `days` days from `start` on.

    >>> weekdays(date(2026, 1, 3), 3).tolist()
    [5, 6, 0]
    """
    return (start.weekday() + np.arange(days)) % 7


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


def closures(sold: BoolArray, regular: BoolArray) -> BoolArray:
    """Days of the past inside a closure of the whole shop: improbable runs of LONG_RUN or more silent days.

    `sold` and `regular` (open by its weekday), both (days,).

    >>> sold = np.array([True] * 60 + [False] * 40 + [True] * 60)
    >>> int(closures(sold, np.ones(160, dtype=bool)).sum())
    40
    """
    mask = np.zeros(len(sold), dtype=bool)
    for _ in range(2):  # the second look knows how often it sells outside the closures
        rate = sold_share(sold, regular & ~mask)
        mask[:] = False
        for first, last in silent_runs(sold):
            chances = int(regular[first:last].sum())
            if last - first >= LONG_RUN and (1 - rate) ** chances < UNLIKELY / 10 and (chances or last - first > 7):
                mask[first:last] = True
    return mask


def closed_weekdays(start: date, sold: BoolArray) -> frozenset[int]:
    """Weekdays open on fewer than CLOSED_SHARE of their last occurrences, in weeks in which the shop sold.

    >>> week = np.array([True] * 6 + [False])  # Monday to Saturday
    >>> sorted(closed_weekdays(date(2026, 1, 5), np.tile(week, 8)))
    [6]
    """
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


def yearly_shutdowns(
    start: date, sold: BoolArray, *, regular: BoolArray, named: BoolArray, country: str = ""
) -> tuple[Shutdown, ...]:
    """Closures that will come back: around Christmas when seen once, in summer when seen once and no other year
    speaks against it, elsewhere when seen in most of the years that the days cover.

    `sold`, `regular` (open by its weekday) and `named` (closed by the name of a holiday), all (days,). The current
    run, whose end is not known, is none; nor is one whose return was due and did not happen.

    >>> sold = np.ones(400, dtype=bool)
    >>> sold[213:234] = False  # 2 to 22 August 2026
    >>> every = np.ones(400, dtype=bool)
    >>> yearly_shutdowns(date(2026, 1, 1), sold, regular=every, named=~every)[0].first
    datetime.date(2026, 8, 2)
    """
    rate = sold_share(sold, regular & ~closures(sold, regular))
    out = []
    for first, last in silent_runs(sold):
        chances = int(regular[first:last].sum())
        if first == 0 or last == len(sold) or last - first > SEASON or (1 - rate) ** chances >= UNLIKELY:
            continue
        inner = np.flatnonzero((regular & ~named)[first:last]) + first  # what weekday and name do not explain
        whole = (start + timedelta(days=first), start + timedelta(days=last - 1))
        christmas = CHRISTMAS_DAYS[0] <= last - first <= CHRISTMAS_DAYS[1] and _holds_christmas(*whole)
        if not len(inner) or (not christmas and last - first < YEARLY_DAYS[0]):
            continue
        span = (start + timedelta(days=int(inner[0])), start + timedelta(days=int(inner[-1])))
        found = Shutdown(*span, by_week=not christmas and _whole_weeks(whole, inner, regular=regular, start=start))
        year_on = found.shifted(1)
        over = year_on is not None and (year_on[1] - start).days < len(sold)
        closed, opened = _other_years(found, start, sold, regular=regular, years=(1,))
        if opened or (closed and over):  # it did not return, or its return is a run of its own
            continue
        before = range(-1, start.year - span[0].year - 1, -1)
        closed, opened = _other_years(found, start, sold, regular=regular, years=before)
        once = last - first <= YEARLY_DAYS[1] and not opened and _in_summer(*span, country)
        if christmas or closed > opened or once:
            out.append(Shutdown(found.first, found.last, by_week=found.by_week, seen=1 + closed))
    return tuple(out)


def christmas_runs(start: date, sold: BoolArray) -> BoolArray:
    """Days in a run without a sale that is a closure around Christmas or New Year, shape (days,).

    >>> sold = np.ones(40, dtype=bool)
    >>> sold[20:30] = False  # 21 to 30 December
    >>> int(christmas_runs(date(2026, 12, 1), sold).sum())
    10
    """
    out = np.zeros(len(sold), dtype=bool)
    for first, last in silent_runs(sold):
        whole = (start + timedelta(days=first), start + timedelta(days=last - 1))
        out[first:last] = CHRISTMAS_DAYS[0] <= last - first <= CHRISTMAS_DAYS[1] and _holds_christmas(*whole)
    return out


def closed_every_year(start: date, sold: BoolArray, opened: BoolArray) -> frozenset[tuple[int, int]]:
    """Days of the year, as (month, day), on which a shop that else sells was silent every time, twice or more.

    `opened` (days,): days on which nothing else explains a silence. A local feast shows in this way. None is
    returned when chance would make one.

    >>> sold = np.ones(730, dtype=bool)
    >>> sold[[134, 134 + 365]] = False
    >>> closed_every_year(date(2025, 1, 1), sold, np.ones(730, dtype=bool))
    frozenset({(5, 15)})
    """
    silence = 1 - sold_share(sold, opened)
    times: dict[tuple[int, int], list[bool]] = {}
    silent = {(d.month, d.day) for d in (start + timedelta(days=int(i)) for i in np.flatnonzero(opened & ~sold))}
    for i in np.flatnonzero(opened):
        day = start + timedelta(days=int(i))
        if (day.month, day.day) in silent:
            times.setdefault((day.month, day.day), []).append(bool(sold[i]))
    chance = {day: 366 * silence ** len(seen) for day, seen in times.items()}
    return frozenset(day for day, seen in times.items() if len(seen) > 1 and not any(seen) and chance[day] < CHANCE)


def before_christmas(year: int, weekday: int, n: int) -> date:
    """The n-th last `weekday` (Monday 0) before 25 December; n = 1 is the last.

    >>> before_christmas(2026, 6, 1)
    datetime.date(2026, 12, 20)
    """
    eve = date(year, 12, 24)
    return eve - timedelta(days=(eve.weekday() - weekday) % 7 + 7 * (n - 1))


def open_before_christmas(start: date, sold: BoolArray, regular: BoolArray) -> frozenset[tuple[int, int]]:
    """(weekday, n) of weekly closing days on which the shop sold in the ADVENT weeks before its latest Christmas.

    At least two of a weekday, and hardly ever (CLOSED_SHARE / 2) outside these weeks.

    >>> sold = np.tile([True] * 6 + [False], 60)  # Monday to Saturday
    >>> sold[[349, 356]] = True  # Sundays 13 and 20 December 2026
    >>> shut = np.tile([True] * 6 + [False], 60)
    >>> sorted(open_before_christmas(date(2025, 12, 29), sold, shut))
    [(6, 1), (6, 2)]
    """
    end = start + timedelta(days=len(sold) - 1)
    year = end.year if end >= date(end.year, 12, 24) else end.year - 1
    day = weekdays(start, len(sold))
    out: set[tuple[int, int]] = set()
    for weekday in np.unique(day[~regular]).tolist():
        at = np.array([(before_christmas(year, weekday, n) - start).days for n in range(1, ADVENT + 1)])
        if at.min() < 0:
            continue
        hits = sold[at] & ~regular[at]
        rest = (day == weekday) & ~regular
        rest[at] = False
        if hits.sum() >= 2 and sold[rest].sum() < CLOSED_SHARE / 2 * rest.sum():
            out |= {(weekday, int(n) + 1) for n in np.flatnonzero(hits)}
    return frozenset(out)


def _other_years(
    found: Shutdown, start: date, sold: BoolArray, *, regular: BoolArray, years: Sequence[int]
) -> tuple[int, int]:
    """In how many of these years, counted from its own, was the shop (closed, open) on the days of a closure?

    A year of which fewer than three of its open weekdays are known does not count.
    """
    closed = opened = 0
    for year in years:
        span = found.shifted(year)
        if span is None:
            continue
        at = np.arange(max((span[0] - start).days, 0), min((span[1] - start).days + 1, len(sold)))
        at = at[regular[at]]
        if len(at) >= min(3, (found.last - found.first).days + 1):
            closed += bool(2 * sold[at].sum() < len(at))
            opened += bool(2 * sold[at].sum() >= len(at))
    return closed, opened


def _holds_christmas(first: date, last: date) -> bool:
    """Does a run of days hold 25 December or 1 January?"""
    return any(first <= date(year, m, d) <= last for year in (first.year, last.year) for m, d in ((12, 25), (1, 1)))


def _whole_weeks(whole: tuple[date, date], inner: IntArray, *, regular: BoolArray, start: date) -> bool:
    """Does a closure go from the first open weekday of a week to the last of one, and is it no whole month?"""
    months = whole[0].day == 1 or (whole[1] + timedelta(days=1)).day == 1
    day = weekdays(start, len(regular))
    ordinary = np.flatnonzero(np.bincount(day[regular], minlength=7))
    return not months and bool(day[inner[0]] == ordinary[0] and day[inner[-1]] == ordinary[-1])


def _in_summer(first: date, last: date, country: str) -> bool:
    """Does a closure lie within the summer holidays of its half of the world?"""
    (from_, to) = SOUTHERN_SUMMER if country in SOUTHERN else SUMMER
    begin = date(first.year - (from_ > to and (first.month, first.day) < from_), *from_)
    end = date(begin.year + (from_ > to), *to)
    return begin <= first and last <= end


def _same_day(day: date, year: int) -> date:
    """The same day of another year; 28 February for a 29th that it does not have."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
