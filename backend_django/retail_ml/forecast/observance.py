"""On which holidays does the shop close, and whose holidays are they?

One model answers both. A holiday, by its name, is either kept by the shop (then it sells with chance ODD_SALE) or
not (then it sells as on any open day); the share of the names that are kept is unknown, uniform between 0 and 1. The
days with and without a sale then speak for or against each name, and for or against the holidays of each country.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import public_holidays

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

ODD_SALE = 0.02  # chance of a sale on a day on which the shop is closed
FADING = 0.7  # weight of an occurrence beside the next one of the same name
SHARES = np.linspace(0.025, 0.975, 20)  # of the names kept
SURE = 1.0  # log-odds from which a holiday is expected closed: a shop that seldom sells is often silent on them
RECENT = 6 * 366  # days that are looked at to guess a country
FEWEST_HITS = 3
EVIDENCE = 7.0  # log-likelihood by which a country must explain the silent days better than chance
LEAD = 3.0  # and by which it must lead the next country
REGION_LEAD = 4.0  # and a region its whole country
LAST_RESORT = {"GB": "ENG"}  # the whole kingdom shares too few holidays to stand for any shop


@dataclass(frozen=True)
class Kept:
    """What the past says of one holiday: `silent` of its `seen` days on an open weekday; is it `closed` next time?"""

    name: str
    silent: int
    seen: int
    closed: bool


@dataclass(frozen=True)
class Guess:
    """The country whose holidays explain the closed days, "" when none does well enough.

    `silent`: days without a sale that neither the weekday nor a long closure, Christmas, New Year or Easter
    explains, of `days` open ones; `explained`: those on holidays of the country (of the best one, when none is
    named); `holidays`: its holidays among the days; `by_chance`: how many of them would be silent by chance.
    `second`: the country that explains them nearly as well, when that is why none is named.
    """

    country: str = ""
    region: str = ""
    days: int = 0
    silent: int = 0
    explained: int = 0
    holidays: int = 0
    by_chance: float = 0.0
    second: str = ""


def kept_names(sold: BoolArray, told: BoolArray, named: Mapping[str, Sequence[int]], *, silence: float) -> list[Kept]:
    """For every name: does the shop close on it?

    `sold` (days,); `told` (days,): days that say something (open by their weekday, in no long closure); `named`:
    positions of each holiday; `silence`: chance of a day without a sale when the shop is open. Later occurrences
    weigh more. A name without a day that says something is not returned.

    >>> sold = np.array([True, False, True, True, False, True])
    >>> kept_names(sold, np.ones(6, dtype=bool), {"Feast": [1, 4], "Fair": [3]}, silence=0.01)
    [Kept(name='Feast', silent=2, seen=2, closed=True), Kept(name='Fair', silent=0, seen=1, closed=False)]
    """
    names = {name: [i for i in sorted(at) if told[i]] for name, at in named.items()}
    names = {name: at for name, at in names.items() if at}
    if not names:
        return []
    of_sale, of_silence = float(np.log(ODD_SALE / (1 - silence))), float(np.log((1 - ODD_SALE) / silence))
    day_odds: Array = np.where(sold, of_sale, of_silence)
    odds = [float(day_odds[np.array(at)] @ FADING ** np.arange(len(at))[::-1]) for at in names.values()]
    likelihood = _by_share(np.array(odds), np.zeros(len(odds)))
    weight = np.exp(likelihood - likelihood.max())
    share = float(np.clip(weight @ SHARES / weight.sum(), 0.1, 0.9))
    closed = np.array(odds) + np.log(share / (1 - share)) > SURE
    return [
        Kept(name, int((~sold[at]).sum()), len(at), bool(is_closed))
        for (name, at), is_closed in zip(names.items(), closed, strict=True)
    ]


def guess(start: date, sold: BoolArray, told: BoolArray, *, country: str = "") -> Guess:
    """The country and region whose holidays the shop keeps; with `country`, the region alone.

    `sold` and `told` as in `kept_names`, first day `start`. Days that nearly every country keeps (Christmas, New
    Year, Easter) say nothing here: leave them out of `told`.

    >>> days = np.arange(np.datetime64("2024-01-08"), np.datetime64("2025-12-20"))
    >>> feasts = {"05-01", "08-15", "10-12", "11-01", "12-06", "12-08", "01-06"}
    >>> sold = np.array([str(day)[5:] not in feasts for day in days])
    >>> guess(date(2024, 1, 8), sold, np.ones(len(sold), dtype=bool)).country
    'ES'
    """
    late = max(0, len(sold) - RECENT)
    start, sold, told = start + timedelta(days=late), sold[late:], told[late:]
    years = start.year, (start + timedelta(days=len(sold))).year
    days, silent = int(told.sum()), int((told & ~sold).sum())
    candidates = public_holidays.candidates(country)
    if silent < (1 if country else FEWEST_HITS):
        return Guess(country, _last_resort(country), days, silent)
    chance = _silence_alone(silent, days)
    scores: dict[tuple[str, str], float] = {}
    for candidate in candidates:
        ordinals, ids = _table(*candidate, *years)
        at = ordinals - start.toordinal()
        inside = (at >= 0) & (at < len(sold))
        inside[inside] = told[at[inside]]
        at, of_name = at[inside], ids[inside]
        if country or (~sold[at]).sum() >= FEWEST_HITS:
            scores[candidate] = _explained(~sold[at], of_name, silent=silent, days=days) - chance
    return _decide(scores, start, sold, told, country=country)


def _decide(
    scores: Mapping[tuple[str, str], float], start: date, sold: BoolArray, told: BoolArray, *, country: str
) -> Guess:
    """The best candidate when it explains enough and leads the next country; the region when it leads its country."""
    days, silent = int(told.sum()), int((told & ~sold).sum())
    if not scores:
        return Guess(country, _last_resort(country), days, silent)
    best = max(scores, key=lambda candidate: scores[candidate])
    others = [candidate for candidate in scores if candidate[0] != best[0]]
    second = max(others, key=lambda candidate: scores[candidate]) if others else ("", "")
    close = bool(others) and scores[best] - scores[second] < LEAD
    whole = scores.get((best[0], ""), -np.inf)
    region = best[1] if scores[best] - whole >= REGION_LEAD else _last_resort(best[0])
    table = public_holidays.of_years(best[0], region, start.year, (start + timedelta(days=len(sold))).year)
    at = _positions(start, len(sold), table)
    at = at[told[at]]
    named = bool(country) or (scores[best] >= EVIDENCE and not close)
    return Guess(
        best[0] if named else "", region if named else "", days, silent, int((~sold[at]).sum()), len(at),
        round(len(at) * silent / max(days, 1), 2), second[0] if close and scores[best] >= EVIDENCE else "",
    )  # fmt: skip


def _explained(silent_day: BoolArray, of_name: IntArray, *, silent: int, days: int) -> float:
    """Log-likelihood of all days when these holidays, and chance on the others, explain the silent ones."""
    hits = int(silent_day.sum())
    rest, rest_silent = days - len(silent_day), silent - hits
    silence = (rest_silent + 0.5) / (rest + 1.0)
    n = int(of_name.max(initial=-1)) + 1
    quiet = np.bincount(of_name[silent_day], minlength=n)
    sales = np.bincount(of_name[~silent_day], minlength=n)
    seen = (quiet + sales) > 0
    quiet, sales = quiet[seen], sales[seen]
    kept = quiet * np.log(1 - ODD_SALE) + sales * np.log(ODD_SALE)
    not_kept = quiet * np.log(silence) + sales * np.log(1 - silence)
    likelihood = _by_share(kept, not_kept)
    top = likelihood.max()
    return float(top + np.log(np.exp(likelihood - top).mean())) + _silence_alone(rest_silent, rest)


def _by_share(kept: Array, not_kept: Array) -> Array:
    """Log-likelihood of the names' days for each of SHARES; `kept`, `not_kept` (names,): log-likelihood either way."""
    shares = SHARES[:, None]
    return np.logaddexp(np.log(shares) + kept, np.log(1 - shares) + not_kept).sum(axis=1)


def _silence_alone(silent: int, days: int) -> float:
    """Log-likelihood of so many silent days when each is silent with one chance."""
    silence = (silent + 0.5) / (days + 1.0)
    return float(silent * np.log(silence) + (days - silent) * np.log(1 - silence))


def _last_resort(country: str) -> str:
    """The region that stands for a country of which nothing more is known; "" is the whole country."""
    return LAST_RESORT.get(country, "")


def _positions(start: date, days: int, dates: Mapping[date, str]) -> IntArray:
    """Positions of the dates among `days` days from `start`."""
    at = np.array([day.toordinal() for day in dates], dtype=np.int64) - start.toordinal()
    return at[(at >= 0) & (at < days)]


@lru_cache(maxsize=1024)
def _table(country: str, region: str, first: int, last: int) -> tuple[IntArray, IntArray]:
    """Ordinals of the holidays of these years, and the number of each one's name."""
    table = public_holidays.of_years(country, region, first, last)
    ordinals = np.array([day.toordinal() for day in table], dtype=np.int64)
    return ordinals, np.unique(list(table.values()), return_inverse=True)[1].astype(np.int64)
