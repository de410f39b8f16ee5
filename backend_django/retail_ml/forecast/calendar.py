"""When the shop is closed, learned from the days on which it sold.

A day without a sale may be a closed day or a day without customers. The difference is a matter of probability:
in a shop that sells on 95 of 100 open days a run of five empty days is a closure, in one that sells on 8 of 100
it is nothing. Every rule here asks how likely the silence would be if the shop had been open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from retail_ml.forecast import public_holidays
from retail_ml.forecast.events import Event

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

CLOSED_SHARE = 0.10  # a weekday open on fewer of its last OCCURRENCES is closed
OCCURRENCES = 26
FEWEST_OCCURRENCES = 4
LONG_RUN = 5  # days without a sale that may be a closure of the whole shop
SHUTDOWN = (3, 21)  # days of a closure around Christmas or New Year
UNLIKELY = 0.01
DENSE = 0.90  # share of open days with a sale from which an empty open day is a holiday

CHRISTMAS_CAP = 75.0
EASTER_CAP = 40.0


def weekdays(start: date, days: int) -> npt.NDArray[np.int64]:
    """Weekday (Monday 0) of `days` days from `start` on.

    >>> weekdays(date(2026, 1, 3), 3).tolist()
    [5, 6, 0]
    """
    return (start.weekday() + np.arange(days)) % 7


@dataclass(frozen=True)
class Marks:
    """What the calendar says of a run of days; every array has the shape (days,).

    `holiday` is an index into `names` (-1: none), public and own feasts alike, whether the shop opens on them or
    not. `before_closed` and `after_closed`: the next (last) day that is open by its weekday is closed all the same;
    the weekly closing day is left to the weekday. `to_christmas`: days to 25 December, at most CHRISTMAS_CAP, which
    it also is from 26 to 31 December. `to_easter`: days to the nearest Easter Sunday, negative after it, between
    -EASTER_CAP and EASTER_CAP. `promotion`: 1 on the days of a promotion of the whole shop. `uplift`: the sum of the
    logarithms of the uplifts stated for it, NaN when one of them is unknown, 0 without a promotion.

    `names` is the same for all marks of one calendar, not for two calendars.
    """

    names: tuple[str, ...]
    open: BoolArray
    holiday: IntArray
    before_closed: BoolArray
    after_closed: BoolArray
    to_christmas: Array
    to_easter: Array
    promotion: Array
    uplift: Array


@dataclass(frozen=True)
class Calendar:
    """The shop's closed days: weekdays, month-days of its yearly shutdowns, names of holidays; and its events.

    >>> shut = Calendar(frozenset({6}), frozenset({(12, 25)}))
    >>> shut.is_open(date(2026, 12, 24), 4).tolist()
    [True, False, True, False]
    """

    closed_weekdays: frozenset[int]
    shutdown: frozenset[tuple[int, int]]
    country: str = ""
    region: str = ""
    guessed: bool = False
    closed_names: frozenset[str] = frozenset()
    open_names: frozenset[str] = frozenset()
    closed_unseen: bool = False
    events: tuple[Event, ...] = ()
    years: tuple[int, int] = (1, 0)  # first and last whose holidays `names` holds

    def is_open(self, start: date, days: int) -> BoolArray:
        """Is the shop open on each of `days` days from `start` on? Shape (days,)."""
        opened = ~np.isin(weekdays(start, days), sorted(self.closed_weekdays))
        if self.shutdown:
            dates = (start + timedelta(days=i) for i in range(days))
            opened &= np.array([(d.month, d.day) not in self.shutdown for d in dates], dtype=bool)
        for name, at in self._named(start, days).items():
            if name in self.closed_names or (self.closed_unseen and name not in self.open_names):
                opened[at] = False
        for kind, value in (("opening", True), ("closure", False)):
            for first, last in self._spans(kind, start, days):
                opened[first:last] = value
        return opened

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every holiday that the calendar knows, in alphabetical order."""
        own = {event.name for event in self.events if event.kind == "holiday"}
        return tuple(sorted(own | set(public_holidays.of_years(self.country, self.region, *self.years).values())))

    def marks(self, start: date, days: int) -> Marks:
        """What is known in advance of each of `days` days from `start` on.

        >>> marks = Calendar(frozenset({6}), frozenset({(12, 25)})).marks(date(2026, 12, 23), 4)
        >>> marks.before_closed.tolist(), marks.after_closed.tolist(), marks.to_christmas.tolist()
        ([False, True, False, False], [False, False, False, True], [2.0, 1.0, 0.0, 75.0])
        """
        holiday = np.full(days, -1, dtype=np.int64)
        place = {name: i for i, name in enumerate(self.names)}
        for name, at in self._named(start, days).items():
            holiday[at] = place.get(name, -1)
        before, after = self._beside_closed(start, days)
        promotion, uplift = np.zeros(days), np.zeros(days)
        for event in self.events:
            if event.kind == "promotion" and event.level == "total":
                first, last = _span(event, start, days)
                promotion[first:last] = 1.0
                uplift[first:last] += np.nan if event.uplift is None else np.log(event.uplift)
        christmas, eastern = self._feasts(start, days)
        return Marks(
            self.names, self.is_open(start, days), holiday, before, after, christmas, eastern, promotion, uplift
        )

    def _named(self, start: date, days: int) -> dict[str, list[int]]:
        """Holiday → positions among `days` days from `start`; an own feast goes before a public one."""
        last = start + timedelta(days=max(days - 1, 0))
        table = public_holidays.of_years(self.country, self.region, start.year, last.year)
        of_day = {(day - start).days: name for day, name in table.items() if start <= day <= last}
        for event in self.events:
            if event.kind == "holiday":
                of_day |= dict.fromkeys(range(*_span(event, start, days)), event.name)
        out: dict[str, list[int]] = {}
        for at, name in sorted(of_day.items()):
            out.setdefault(name, []).append(at)
        return out

    def _spans(self, kind: str, start: date, days: int) -> list[tuple[int, int]]:
        """(first, one past the last) of the events of one kind among `days` days from `start`."""
        return [_span(event, start, days) for event in self.events if event.kind == kind]

    def _beside_closed(self, start: date, days: int) -> tuple[BoolArray, BoolArray]:
        """Is the next, and is the last, day that is open by its weekday closed all the same?"""
        reach = 7
        first = start - timedelta(days=reach)
        regular = ~np.isin(weekdays(first, days + 2 * reach), sorted(self.closed_weekdays))
        closed = regular & ~self.is_open(first, days + 2 * reach)
        out = []
        for step in (1, -1):
            flag, state = np.zeros(len(closed), dtype=bool), False
            order = range(len(closed)) if step < 0 else range(len(closed) - 1, -1, -1)
            for i in order:
                flag[i] = state
                state = bool(closed[i]) if regular[i] else state
            out.append((flag & ~closed)[reach : reach + days])
        return out[0], out[1]

    def _feasts(self, start: date, days: int) -> tuple[Array, Array]:
        """Days to Christmas, and signed days to the nearest Easter, capped."""
        dates = [start + timedelta(days=i) for i in range(days)]
        christmas = np.array([(date(d.year, 12, 25) - d).days for d in dates], dtype=float)
        christmas = np.where(christmas < 0, CHRISTMAS_CAP, np.minimum(christmas, CHRISTMAS_CAP))
        when = public_holidays.easter_of(self.country)
        signed = np.array([[(when(d.year + k) - d).days for k in (-1, 0, 1)] for d in dates], dtype=float)
        signed = signed.reshape(-1, 3)
        nearest = np.take_along_axis(signed, np.abs(signed).argmin(axis=1)[:, None], axis=1)[:, 0]
        return christmas, np.clip(nearest, -EASTER_CAP, EASTER_CAP)

    def facts(self) -> dict[str, object]:
        """What was learned, as plain data for the receipt.

        >>> Calendar(frozenset({6}), frozenset({(12, 25), (1, 1)})).facts()["shutdown"]
        ['01-01', '12-25']
        """
        return {
            "closed_weekdays": sorted(self.closed_weekdays),
            "shutdown": [f"{month:02d}-{day:02d}" for month, day in sorted(self.shutdown)],
            "country": self.country,
            "region": self.region,
            "country_guessed": self.guessed,
            "holidays_closed": sorted(self.closed_names),
            "holidays_open": sorted(self.open_names),
        }


def learn(
    start: date, sold: BoolArray, *, country: str = "", region: str = "", events: tuple[Event, ...] = ()
) -> Calendar:
    """The calendar that the days with a sale (`sold`, shape (days,), first day `start`) show.

    `country` (ISO 3166 alpha-2) and `region` name the public holidays. Events are plans: they are known before
    their day, and so are used whether or not it lies within `sold`.

    >>> week = np.array([True] * 6 + [False])  # Monday to Saturday
    >>> sorted(learn(date(2026, 1, 5), np.tile(week, 8)).closed_weekdays)
    [6]
    """
    closed = _closed_weekdays(start, sold)
    years = (start.year, (start + timedelta(days=len(sold))).year + 2)
    regular = Calendar(closed, frozenset(), country=country, region=region, events=events, years=years)
    regular = replace(regular, shutdown=_shutdown(start, sold, regular))
    return _with_holidays(regular, start, sold)


def _with_holidays(regular: Calendar, start: date, sold: BoolArray) -> Calendar:
    """The calendar with the names of the holidays on which the shop was closed more often than not."""
    opened = ~np.isin(weekdays(start, len(sold)), sorted(regular.closed_weekdays))
    if sold_share(sold, opened) < DENSE:
        return regular
    closed: set[str] = set()
    seen_open: set[str] = set()
    for name, at in regular._named(start, len(sold)).items():
        told = [i for i in at if opened[i]]
        if told:
            (closed if 2 * sum(not sold[i] for i in told) > len(told) else seen_open).add(name)
    return replace(
        regular,
        closed_names=frozenset(closed),
        open_names=frozenset(seen_open),
        closed_unseen=len(closed) > len(seen_open),
    )


def _span(event: Event, start: date, days: int) -> tuple[int, int]:
    """(first, one past the last) position of the event among `days` days from `start`; empty when outside."""
    first, last = (event.first - start).days, (event.last - start).days + 1
    return min(max(first, 0), days), min(max(last, 0), days)


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
