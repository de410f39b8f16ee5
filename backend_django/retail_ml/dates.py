"""Dates of the church year, on which the public holidays of many countries hang."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache


@lru_cache(maxsize=512)
def easter(year: int) -> date:
    """Easter Sunday of the western churches (the anonymous Gregorian computus).

    Source: J. Meeus, *Astronomical Algorithms* (1991), chapter 8.

    >>> easter(2026)
    datetime.date(2026, 4, 5)
    """
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    f = (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=512)
def orthodox_easter(year: int) -> date:
    """Easter Sunday of the eastern churches, as a date of today's calendar.

    Source: J. Meeus, *Astronomical Algorithms* (1991), chapter 8: the Julian computus, moved to the Gregorian calendar.

    >>> orthodox_easter(2026)
    datetime.date(2026, 4, 12)
    """
    d = (19 * (year % 19) + 15) % 30
    e = (2 * (year % 4) + 4 * (year % 7) - d + 34) % 7
    month, day = divmod(d + e + 114, 31)
    return date(year, month, day + 1) + timedelta(days=year // 100 - year // 400 - 2)
