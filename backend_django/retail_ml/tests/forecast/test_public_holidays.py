"""Countries by any of their names, and holidays by name."""

from datetime import date

import pytest

from retail_ml.dates import easter, orthodox_easter
from retail_ml.errors import BadParameter
from retail_ml.forecast import public_holidays


@pytest.mark.parametrize("text", ["GB", "gb", "GBR", "UK", "United Kingdom", "united  kingdom", "Great Britain"])
def test_one_country_by_all_its_names(text):
    assert public_holidays.country_code(text) == "GB"


@pytest.mark.parametrize("text", ["Narnia", "X", "GBRR", "1"])
def test_an_unknown_country_is_refused(text):
    with pytest.raises(BadParameter, match=text) as refused:
        public_holidays.country_code(text)
    assert refused.value.details["country"] == text


@pytest.mark.parametrize(("country", "region"), [("ES", "BY"), ("", "MD"), ("PL", "XX")])
def test_an_unknown_region_is_refused(country, region):
    with pytest.raises(BadParameter):
        public_holidays.region_code(country, region)


@pytest.mark.parametrize("code", public_holidays.GUESSED)
def test_every_country_that_is_guessed_has_holidays(code):
    assert public_holidays.country_code(code) == code
    assert len(public_holidays.of_years(code, "", 2025, 2025)) > 4


def test_easter_sunday_is_always_there_in_the_way_of_the_country():
    assert public_holidays.of_years("ES", "MD", 2026, 2026)[easter(2026)] == public_holidays.EASTER
    assert public_holidays.of_years("GR", "", 2026, 2026)[orthodox_easter(2026)] == public_holidays.EASTER
    assert public_holidays.EASTER not in {public_holidays.of_years("GR", "", 2026, 2026).get(easter(2026))}


def test_years_that_the_tables_do_not_know_have_easter_alone():
    assert list(public_holidays.of_years("ES", "", 2150, 2150).values()) == [public_holidays.EASTER]
    assert len(public_holidays.of_years("IN", "", 1950, 1950)) >= 1  # its table warns of years before 2001


def test_names_are_one_for_all_years():
    names = [set(public_holidays.of_years("SA", "", year, year).values()) for year in (2024, 2025)]
    assert any("Eid" in name for name in names[0])
    assert not any("estimated" in name for name in names[0] | names[1])


@pytest.mark.parametrize(("year", "day"), [(2008, (4, 27)), (2024, (5, 5)), (2025, (4, 20)), (2027, (5, 2))])
def test_orthodox_easter(year, day):
    """Dates of the tables of the Greek Orthodox Archdiocese of America."""
    assert orthodox_easter(year) == date(year, *day)


def test_names_in_the_language_of_the_country():
    assert public_holidays.in_language("ES", "", (2026, 2026), "es")["Good Friday"] == "Viernes Santo"
    assert public_holidays.in_language("JP", "", (2026, 2026), "es") == {}
