"""Public holidays by name, of a country and one of its regions. The package `holidays` is loaded when first needed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from retail_ml.dates import easter, orthodox_easter
from retail_ml.errors import BadParameter

EASTER = "Easter Sunday"
ORTHODOX = frozenset({"BG", "BY", "CY", "GE", "GR", "MD", "ME", "MK", "RO", "RS", "RU", "UA"})
NEW_YEAR, CHRISTMAS = "New Year's Day", "Christmas Day"
FEASTS = frozenset({NEW_YEAR, CHRISTMAS, EASTER})
GUESSED = (
    "ES", "GB", "DE", "FR", "IT", "PT", "NL", "BE", "AT", "CH", "IE", "PL", "SE", "NO", "DK", "FI", "CZ",
    "SK", "HU", "RO", "BG", "GR", "HR", "SI", "RS", "EE", "LV", "LT", "LU", "RU", "TR", "IL", "US",
    "CA", "MX", "BR", "AR", "CL", "CO", "PE", "UY", "EC", "CR", "DO", "AU", "NZ", "ZA", "JP", "KR", "IN",
)  # fmt: skip
"""Countries among which the shop's own is guessed; the order decides between equals."""
GUESSED_REGIONS = ("ES", "GB", "DE", "CH", "AU", "CA")
_REMARK = re.compile(r" \((estimated|substituted from [^)]*)\)")
NAMES = {"UK": "GB", "GREAT BRITAIN": "GB", "ENGLAND": "GB", "USA": "US", "AMERICA": "US", "HOLLAND": "NL"}
"""Names in daily use that the package does not know."""


def country_code(text: str) -> str:
    """ISO 3166 alpha-2 code of a country given as alpha-2, alpha-3 or English name; "" stays "" (unknown).

    Raises BadParameter for anything else.

    >>> country_code("United Kingdom"), country_code("GBR"), country_code("es"), country_code("")
    ('GB', 'GB', 'ES', '')
    """
    key = _plain(text)
    if not key:
        return ""
    code = _codes().get(key)
    if code is None:
        raise BadParameter(
            f"no public holidays are known for the country {text!r}; give its ISO 3166 code (ES, GB, …) or its "
            "English name, or leave it empty.",
            code="unknown_country", country=text,
        )  # fmt: skip
    return code


def region_code(country: str, text: str) -> str:
    """The subdivision of `country` (alpha-2) as the holiday tables write it; "" is the whole country.

    Raises BadParameter when the country's tables do not know it.

    >>> region_code("GB", "eng"), region_code("ES", "ES-MD"), region_code("ES", "")
    ('ENG', 'MD', '')
    """
    asked = text.strip().removeprefix(f"{country}-")
    if not asked:
        return ""
    known = {code.casefold(): code for code in regions(country)}
    if asked.casefold() not in known:
        raise BadParameter(
            f"the country {country or 'unknown'} has no region {text!r}; known: {', '.join(known.values()) or 'none'}.",
            code="unknown_region", country=country, region=text,
        )  # fmt: skip
    return known[asked.casefold()]


@lru_cache(maxsize=256)
def regions(country: str) -> tuple[str, ...]:
    """Subdivisions of a country (alpha-2) that have holidays of their own.

    >>> regions("GB")
    ('ENG', 'NIR', 'SCT', 'WLS')
    """
    import holidays

    return tuple(holidays.list_supported_countries(include_aliases=False).get(country, ())) if country else ()


@lru_cache(maxsize=512)
def of_years(country: str, region: str, first: int, last: int) -> MappingProxyType[date, str]:
    """Day → English name of the holidays of the years `first` to `last`; Easter Sunday is always among them.

    Without a country, New Year and Christmas are added too. Two holidays on one day: the name that the tables put
    first. "(observed)" stays in the name: shops treat the day in lieu otherwise than the feast. Years that the
    tables do not know have Easter alone.

    >>> of_years("GB", "ENG", 2026, 2026)[date(2026, 8, 31)], of_years("", "", 2026, 2026)[date(2026, 4, 5)]
    ('Late Summer Bank Holiday', 'Easter Sunday')
    """
    when = easter_of(country)
    table = {when(year): EASTER for year in range(first, last + 1)}
    if not country:
        for year in range(first, last + 1):
            table |= {date(year, 1, 1): NEW_YEAR, date(year, 12, 25): CHRISTMAS}
    else:
        for day, name in _table(country, region, range(first, last + 1), "en_US").items():
            table.setdefault(day, name)
    return MappingProxyType(dict(sorted(table.items())))


def in_language(country: str, region: str, years: tuple[int, int], language: str) -> dict[str, str]:
    """English name → name in `language` ("es") of the holidays of the years, first and last included.

    Empty when the tables of the country are not written in it; Easter Sunday is missing where it is no holiday.

    >>> in_language("ES", "", (2026, 2026), "es")["Labor Day"]
    'Fiesta del Trabajo'
    """
    import holidays

    if not country or language not in getattr(holidays, country).supported_languages:
        return {}
    span = range(years[0], years[1] + 1)
    own = _table(country, region, span, language)
    return {name: own[day] for day, name in _table(country, region, span, "en_US").items() if day in own}


def _table(country: str, region: str, years: range, language: str) -> dict[date, str]:
    """Day → first name, in the language if the country's tables have it, else in their own."""
    import holidays

    kind = getattr(holidays, country)
    known = language if language in kind.supported_languages else None
    with warnings.catch_warnings():  # of years that a table does not know: they have no holidays then, as documented
        warnings.filterwarnings("ignore", message="Requested Holidays are available only", category=UserWarning)
        days = kind(subdiv=region or None, years=years, language=known)
    return {day: _REMARK.sub("", names.split("; ")[0]) for day, names in days.items()}


@lru_cache(maxsize=64)
def candidates(country: str = "") -> tuple[tuple[str, str], ...]:
    """(country, region) among which a shop's holidays are guessed; with `country`, it and its regions.

    >>> candidates("GB")
    (('GB', ''), ('GB', 'ENG'), ('GB', 'NIR'), ('GB', 'SCT'), ('GB', 'WLS'))
    """
    countries = [country] if country else GUESSED
    with_regions = (country,) if country else GUESSED_REGIONS
    return tuple((c, r) for c in countries for r in ("", *(regions(c) if c in with_regions else ())))


def easter_of(country: str) -> Callable[[int], date]:
    """Year → Easter Sunday as the country keeps it.

    >>> easter_of("GR")(2026)
    datetime.date(2026, 4, 12)
    """
    return orthodox_easter if country in ORTHODOX else easter


def _plain(text: str) -> str:
    """Capital letters and single spaces."""
    return " ".join(text.replace("_", " ").upper().split())


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    """Every spelling of every country → alpha-2."""
    from holidays.registry import COUNTRIES

    out: dict[str, str] = {}
    for snake, (_, two, three, *_more) in COUNTRIES.items():
        out |= {_plain(snake): two, two: two, three: two}
    return out | NAMES
