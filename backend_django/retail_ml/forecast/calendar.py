"""When the shop is closed, and what is special about a day: learned from the days on which it sold.

From them come the weekly closing days, the holidays that the shop keeps, by name, the country whose holidays they
are, closures that return every year and Sundays that open before Christmas. The owner's events are added: they are
plans, known before their day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import closures, observance, public_holidays
from retail_ml.forecast.closures import BoolArray, IntArray, Shutdown, weekdays
from retail_ml.forecast.events import Event
from retail_ml.forecast.observance import Guess, Kept

Array = npt.NDArray[np.float64]

CHRISTMAS_CAP = 75.0
EASTER_CAP = 40.0


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
    """The shop's closed days, its holidays and its events.

    `closed_weekdays`; `shutdowns` that return every year; `closed_dates` (month, day) on which it was closed every
    year without a name; `advent`: (weekday, n) for a weekly closing day that is open the n-th time before Christmas;
    `kept`: what the past says of each holiday seen, `keeps_unseen`: are those not seen yet closed?, `keeps_feasts`:
    are New Year, Easter and Christmas, when not seen yet?

    >>> shut = Calendar(frozenset({6}), (Shutdown(date(2025, 12, 25), date(2025, 12, 25)),))
    >>> shut.is_open(date(2026, 12, 24), 4).tolist()
    [True, False, True, False]
    """

    closed_weekdays: frozenset[int]
    shutdowns: tuple[Shutdown, ...] = ()
    closed_dates: frozenset[tuple[int, int]] = frozenset()
    advent: frozenset[tuple[int, int]] = frozenset()
    country: str = ""
    region: str = ""
    country_set: bool = True  # by the owner; else guessed or unknown
    guess: Guess | None = None  # None: the region is the owner's too
    kept: tuple[Kept, ...] = ()
    keeps_unseen: bool = False
    keeps_feasts: bool = False
    events: tuple[Event, ...] = ()
    years: tuple[int, int] = (1, 0)  # first and last whose holidays `names` holds

    def is_open(self, start: date, days: int) -> BoolArray:
        """Is the shop open on each of `days` days from `start` on? Shape (days,)."""
        opened = self.regular(start, days)
        opened[list(self._advent_days(start, days))] = True
        for shutdown in self.shutdowns:
            for first, last in shutdown.within(start, days):
                opened[first:last] = False
        if self.closed_dates:
            dates = (start + timedelta(days=i) for i in range(days))
            opened &= np.array([(d.month, d.day) not in self.closed_dates for d in dates], dtype=bool)
        for name, at in self.named(start, days).items():
            if self._keeps(name):
                opened[at] = False
        for kind, value in (("opening", True), ("closure", False)):
            for event in self.events:
                if event.kind == kind:
                    opened[slice(*_span(event, start, days))] = value
        return opened

    def regular(self, start: date, days: int) -> BoolArray:
        """Is the shop open by the weekday alone? Shape (days,).

        >>> Calendar(frozenset({6})).regular(date(2026, 1, 3), 3).tolist()
        [True, False, True]
        """
        return ~np.isin(weekdays(start, days), sorted(self.closed_weekdays))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every holiday of `years` and the owner's, in alphabetical order."""
        own = {event.name for event in self.events if event.kind == "holiday"}
        return tuple(sorted(own | set(public_holidays.of_years(self.country, self.region, *self.years).values())))

    def named(self, start: date, days: int) -> dict[str, list[int]]:
        """Holiday → positions among `days` days from `start`; the owner's feasts go before public ones.

        >>> Calendar(frozenset(), country="ES").named(date(2026, 5, 1), 2)
        {'Labor Day': [0]}
        """
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

    def marks(self, start: date, days: int) -> Marks:
        """What is known in advance of each of `days` days from `start` on.

        >>> shut = Calendar(frozenset({6}), (Shutdown(date(2025, 12, 25), date(2025, 12, 25)),))
        >>> marks = shut.marks(date(2026, 12, 23), 4)
        >>> marks.before_closed.tolist(), marks.after_closed.tolist(), marks.to_christmas.tolist()
        ([False, True, False, False], [False, False, False, True], [2.0, 1.0, 0.0, 75.0])
        """
        holiday = np.full(days, -1, dtype=np.int64)
        place = {name: i for i, name in enumerate(self.names)}
        for name, at in self.named(start, days).items():
            holiday[at] = place.get(name, -1)
        before, after = self._beside_closed(start, days)
        promotion, uplift = np.zeros(days), np.zeros(days)
        for event in self.events:
            if event.kind == "promotion" and event.level == "total":
                at_event = slice(*_span(event, start, days))
                promotion[at_event] = 1.0
                uplift[at_event] += np.nan if event.uplift is None else np.log(event.uplift)
        christmas, eastern = self._feasts(start, days)
        opened = self.is_open(start, days)
        return Marks(self.names, opened, holiday, before, after, christmas, eastern, promotion, uplift)

    def facts(self) -> dict[str, Any]:
        """What was learned, as plain data for the receipt; dates as ISO text, weekdays from Monday 0.

        `country_source`: "set" by the owner, "guessed", or "unknown"; `region_source` likewise, or "assumed" where no
        closed day tells; `guess` is the evidence. `holidays`: every holiday seen on an open weekday, on how many of
        its days the shop was silent, and whether it is expected closed. `shutdowns`: latest dates, years seen; those
        seen once may not come back.

        >>> Calendar(frozenset({6}), country="ES").facts()["country_source"]
        'set'
        """
        source = "set" if self.guess is None else "guessed"
        assumed = self.guess is not None and not self.guess.explained
        return {
            "closed_weekdays": sorted(self.closed_weekdays),
            "open_before_christmas": [list(one) for one in sorted(self.advent)],
            "closed_dates": [f"{month:02d}-{day:02d}" for month, day in sorted(self.closed_dates)],
            "shutdowns": [
                {"first": s.first.isoformat(), "last": s.last.isoformat(), "by_week": s.by_week, "years_seen": s.seen}
                for s in self.shutdowns
            ],
            "country": self.country,
            "country_source": ("set" if self.country_set else source) if self.country else "unknown",
            "region": self.region,
            "region_source": ("assumed" if assumed else source) if self.region else "unknown",
            "guess": {} if self.guess is None else asdict(self.guess),
            "holidays": [asdict(one) for one in self.kept],
            "unseen_holidays_closed": self.keeps_unseen,
            "events": len(self.events),
        }

    def _keeps(self, name: str) -> bool:
        """Is the shop closed on the holiday of this name? A day in lieu not seen yet follows its feast."""
        known = self._closed_by_name
        if name in known:
            return known[name]
        feast = name.removesuffix(" (observed)")
        return known.get(feast, self.keeps_feasts if feast in public_holidays.FEASTS else self.keeps_unseen)

    @cached_property
    def _closed_by_name(self) -> dict[str, bool]:
        return {one.name: one.closed for one in self.kept}

    def _advent_days(self, start: date, days: int) -> list[int]:
        """Positions of the weekly closing days that open before Christmas."""
        years = range(start.year, (start + timedelta(days=days)).year + 1) if self.advent else ()
        at = [(closures.before_christmas(year, *one) - start).days for year in years for one in self.advent]
        return [i for i in at if 0 <= i < days]

    def _beside_closed(self, start: date, days: int) -> tuple[BoolArray, BoolArray]:
        """Is the next, and is the last, day that is open by its weekday closed all the same?"""
        reach = 7
        first = start - timedelta(days=reach)
        regular = self.regular(first, days + 2 * reach)
        closed = regular & ~self.is_open(first, days + 2 * reach)
        ordinary = np.flatnonzero(regular)
        at = np.arange(reach, reach + days)
        after = np.searchsorted(ordinary, at, side="right")
        before = np.searchsorted(ordinary, at, side="left") - 1
        here = ~closed[at]
        return closed[ordinary[after]] & here, closed[ordinary[before]] & here

    def _feasts(self, start: date, days: int) -> tuple[Array, Array]:
        """Days to Christmas, and signed days to the nearest Easter, capped."""
        at = start.toordinal() + np.arange(days)
        years = range(start.year - 1, (start + timedelta(days=days)).year + 2)
        christmas = np.array([date(year, 12, 25).toordinal() for year in years])
        ahead = christmas[np.searchsorted(christmas, at)] - at
        ahead = np.where(ahead > 358, CHRISTMAS_CAP, np.minimum(ahead, CHRISTMAS_CAP))  # 26 to 31 December
        easter = np.array([public_holidays.easter_of(self.country)(year).toordinal() for year in years])
        signed = easter[None, :] - at[:, None]
        nearest = np.take_along_axis(signed, np.abs(signed).argmin(axis=1)[:, None], axis=1)[:, 0]
        return ahead.astype(float), np.clip(nearest, -EASTER_CAP, EASTER_CAP).astype(float)


def learn(
    start: date, sold: BoolArray, *, country: str = "", region: str = "", events: Sequence[Event] = ()
) -> Calendar:
    """The calendar that the days with a sale (`sold`, shape (days,), first day `start`) show.

    `country` (ISO 3166 alpha-2) and `region` name the public holidays; left empty they are guessed from these days,
    and from no others. Events are plans: they are known before their day, and so are used whether or not it lies
    within `sold`.

    >>> week = np.array([True] * 6 + [False])  # Monday to Saturday
    >>> sorted(learn(date(2026, 1, 5), np.tile(week, 8)).closed_weekdays)
    [6]
    """
    return _learned(start, np.asarray(sold, dtype=bool).tobytes(), country, region, tuple(events))


@lru_cache(maxsize=256)
def _learned(start: date, sold_bytes: bytes, country: str, region: str, events: tuple[Event, ...]) -> Calendar:
    """`learn`, remembered: all levels of a forecast, and all models at one origin, share the shop's days."""
    sold = np.frombuffer(sold_bytes, dtype=bool)
    days = len(sold)
    found = Calendar(closures.closed_weekdays(start, sold), events=events)
    found = replace(found, advent=closures.open_before_christmas(start, sold, found.regular(start, days)))
    regular = found.is_open(start, days)
    if not regular.any():
        return replace(found, country=country, region=region)
    long = closures.closures(sold, regular)
    found = _with_country(found, start, sold, told=regular & ~long, country=country, region=region)
    named = found.named(start, days)
    ordinary = regular & ~long
    ordinary[[i for at in named.values() for i in at]] = False
    silence = 1 - closures.sold_share(sold, ordinary)
    christmas = closures.christmas_runs(start, sold)
    kept = observance.kept_names(sold, regular & (~long | christmas), named, silence=silence)
    feasts = [one.closed for one in kept if one.name in public_holidays.FEASTS]
    others = [one.closed for one in kept if one.name not in public_holidays.FEASTS]
    unseen = 2 * sum(others) > len(others)
    found = replace(
        found, kept=tuple(kept), keeps_unseen=unseen, keeps_feasts=2 * sum(feasts) >= len(feasts) if feasts else unseen
    )
    by_name = regular & ~found.is_open(start, days)
    shutdowns = closures.yearly_shutdowns(start, sold, regular=regular, named=by_name, country=found.country)
    found = replace(found, shutdowns=shutdowns)
    left = found.is_open(start, days) & ~long
    return replace(found, closed_dates=closures.closed_every_year(start, sold, left))


def _with_country(
    found: Calendar, start: date, sold: BoolArray, *, told: BoolArray, country: str, region: str
) -> Calendar:
    """The calendar with its country and region: the owner's, or guessed from the days that say something (`told`)."""
    years = (start.year, min((start + timedelta(days=len(sold))).year + 2, date.max.year))
    if country and region:
        return replace(found, country=country, region=region, years=years)
    told = told.copy()
    for at in found.named(start, len(sold)).values():
        told[at] = False  # New Year, Easter, Christmas and the owner's feasts are explained
    guess = observance.guess(start, sold, told, country=country)
    return replace(
        found, country=guess.country, region=guess.region, guess=guess, country_set=bool(country), years=years
    )


def _span(event: Event, start: date, days: int) -> tuple[int, int]:
    """(first, one past the last) position of the event among `days` days from `start`; empty when outside."""
    first, last = (event.first - start).days, (event.last - start).days + 1
    return min(max(first, 0), days), min(max(last, 0), days)
