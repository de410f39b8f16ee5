"""Closed days are learned, and silence in a shop that seldom sells is not taken for a closure."""

import json
from datetime import date, timedelta

import numpy as np
import pytest

from retail_ml.forecast import calendar, closures, public_holidays
from retail_ml.forecast.calendar import Calendar
from retail_ml.forecast.closures import Shutdown
from retail_ml.forecast.events import Event
from retail_ml.forecast.history import History, from_lines
from retail_ml.tests.forecast.shops import history, shop_lines


def test_closed_weekday_needs_silence_that_is_improbable():
    open_six = np.resize([True] * 6 + [False], 70)
    assert calendar.learn(date(2024, 1, 1), open_six).closed_weekdays == {6}
    rng = np.random.default_rng(0)
    seldom = rng.random(400) < 0.08
    assert calendar.learn(date(2024, 1, 1), seldom).closed_weekdays == frozenset()


def test_a_weekday_opened_lately_is_open():
    sold = np.resize([True] * 6 + [False], 600)
    sold[-60:] = True
    assert calendar.learn(date(2024, 1, 1), sold).closed_weekdays == frozenset()


def test_christmas_shutdown_returns_but_a_refurbishment_does_not():
    start = date(2024, 6, 3)
    sold = np.ones(300, dtype=bool)
    christmas = (date(2024, 12, 24) - start).days
    sold[christmas : christmas + 5] = False
    learned = calendar.learn(start, sold)
    assert learned.is_open(date(2025, 12, 23), 7).tolist() == [True, False, False, False, False, False, True]
    sold[christmas - 60 : christmas + 60] = False  # four months: not a Christmas shutdown
    assert calendar.learn(start, sold).shutdowns == ()


def test_long_closure_stays_out_of_levels():
    y = np.full(200, 10.0)
    y[150:190] = 0.0
    h = history(y)
    assert h.closed_long.sum() == 40
    assert h.usable.sum() == 160


def test_closures_in_a_sparse_shop_need_to_be_long():
    rng = np.random.default_rng(1)
    sold = rng.random(365) < 0.08
    assert not closures.closures(sold, np.ones(365, dtype=bool)).any()


def test_shutdown_uses_month_and_day_across_new_year():
    start = date(2024, 9, 2)
    sold = np.ones(200, dtype=bool)
    eve = (date(2024, 12, 31) - start).days
    sold[eve : eve + 3] = False
    learned = calendar.learn(start, sold)
    assert learned.is_open(date(2025, 12, 30), 5).tolist() == [True, False, False, False, True]


def silent(start, days, *spans):
    """A shop that sells every day but those of the spans (first, last)."""
    sold = np.ones(days, dtype=bool)
    for first, last in spans:
        sold[(first - start).days : (last - start).days + 1] = False
    return sold


AUGUST = (date(2024, 8, 5), date(2024, 8, 25))  # three weeks from a Monday
START = date(2024, 1, 8)


def closed_days(learned, start, days):
    """Dates on which the calendar expects the shop closed."""
    return [start + timedelta(days=int(i)) for i in np.flatnonzero(~learned.is_open(start, days))]


def test_a_summer_closing_seen_once_returns_on_the_same_weekdays():
    learned = calendar.learn(START, silent(START, 480, AUGUST))
    assert closed_days(learned, date(2025, 6, 1), 120) == [date(2025, 8, 4) + timedelta(days=i) for i in range(21)]
    assert learned.facts()["shutdowns"] == [
        {"first": "2024-08-05", "last": "2024-08-25", "by_week": True, "years_seen": 1}
    ]


def test_a_summer_closing_of_a_month_keeps_its_dates():
    learned = calendar.learn(START, silent(START, 480, (date(2024, 8, 1), date(2024, 8, 31))))
    assert closed_days(learned, date(2025, 6, 1), 120) == [date(2025, 8, 1) + timedelta(days=i) for i in range(31)]


def test_two_months_of_works_in_summer_are_no_summer_closing():
    learned = calendar.learn(START, silent(START, 480, (date(2024, 6, 24), date(2024, 8, 31))))
    assert closed_days(learned, date(2025, 6, 1), 120) == []


def test_a_closing_in_spring_returns_only_when_seen_twice():
    once, twice = (date(2024, 3, 4), date(2024, 3, 17)), (date(2025, 3, 3), date(2025, 3, 16))
    assert closed_days(calendar.learn(START, silent(START, 400, once)), date(2025, 2, 20), 60) == []
    learned = calendar.learn(START, silent(START, 600, once, twice))
    assert closed_days(learned, date(2026, 2, 15), 60)[0] == date(2026, 3, 2)
    assert [shutdown.seen for shutdown in learned.shutdowns] == [2]


def test_a_closing_that_did_not_return_is_not_expected_again():
    assert closed_days(calendar.learn(START, silent(START, 800, AUGUST)), date(2026, 6, 1), 120) == []
    open_before = calendar.learn(date(2022, 1, 10), silent(date(2022, 1, 10), 1100, AUGUST))
    assert closed_days(open_before, date(2025, 6, 1), 120) == []


def test_a_refurbishment_of_half_a_year_is_not_expected_again():
    learned = calendar.learn(START, silent(START, 500, (date(2024, 5, 1), date(2024, 10, 20))))
    assert closed_days(learned, date(2025, 5, 23), 200) == []


def test_a_shop_by_the_sea_is_closed_every_winter():
    winters = [(date(year, 10, 15), date(year + 1, 3, 20)) for year in (2024, 2025)]
    learned = calendar.learn(START, silent(START, 870, *winters))
    assert closed_days(learned, date(2026, 9, 1), 300)[::156] == [date(2026, 10, 15), date(2027, 3, 20)]


def test_two_closures_that_overlap_by_chance_make_no_yearly_dates():
    flood, works = (date(2024, 5, 1), date(2024, 8, 31)), (date(2025, 8, 20), date(2025, 12, 31))
    assert closed_days(calendar.learn(START, silent(START, 760, flood, works)), date(2026, 3, 1), 300) == []


def test_a_southern_shop_has_its_summer_in_january():
    closing = (date(2024, 1, 15), date(2024, 2, 4))
    start = date(2023, 6, 1)
    sold = silent(start, 420, closing)
    assert len(closed_days(calendar.learn(start, sold, country="AR"), date(2025, 1, 10), 40)) == 21
    assert closed_days(calendar.learn(start, sold, country="PT"), date(2025, 1, 10), 40) == []


def test_a_closing_under_way_ends_when_it_did_last_year():
    sold = silent(START, (date(2025, 8, 12) - START).days, AUGUST, (date(2025, 8, 4), date(2025, 8, 11)))
    learned = calendar.learn(START, sold)
    assert closed_days(learned, date(2025, 8, 12), 60)[-1] == date(2025, 8, 24)


def test_a_local_feast_shows_by_its_date_when_seen_twice():
    feast = [(date(year, 5, 15), date(year, 5, 15)) for year in (2024, 2025)]
    learned = calendar.learn(START, silent(START, 700, *feast))
    assert closed_days(learned, date(2026, 5, 1), 31) == [date(2026, 5, 15)]
    assert closed_days(calendar.learn(START, silent(START, 400, feast[0])), date(2025, 5, 1), 31) == []
    rebuilt = silent(START, 700, *feast, (date(2024, 9, 1), date(2024, 12, 31)))
    assert calendar.learn(START, rebuilt).closed_dates == {(5, 15)}
    often = silent(START, 700, *feast, *((START + timedelta(days=i),) * 2 for i in range(3, 700, 11)))
    assert calendar.learn(START, often).closed_dates == frozenset()  # silent so often that chance would do it


def test_easter_and_christmas_are_known_without_a_country():
    easter_day, christmas = date(2024, 3, 31), date(2024, 12, 25)
    learned = calendar.learn(START, silent(START, 355, (easter_day, easter_day), (christmas, christmas)))
    assert learned.country == ""
    assert closed_days(learned, date(2025, 4, 1), 300) == [date(2025, 4, 20), date(2025, 12, 25), date(2026, 1, 1)]


def test_sundays_before_christmas_open_again():
    sold = np.resize([True] * 6 + [False], 700)
    for day in (date(2024, 12, 15), date(2024, 12, 22)):
        sold[(day - START).days] = True
    learned = calendar.learn(START, sold[:400])
    sundays = [date(2025, 12, 7) + timedelta(days=7 * i) for i in range(3)]
    assert [bool(learned.is_open(day, 1)[0]) for day in sundays] == [False, True, True]
    sold[(date(2024, 12, 15) - START).days] = False  # one Sunday alone may be an odd sale
    assert calendar.learn(START, sold[:400]).advent == frozenset()


def test_a_country_is_not_guessed_from_the_feasts_that_all_keep():
    feasts = public_holidays.of_years("", "", 2020, 2025)
    start = date(2020, 1, 6)
    learned = calendar.learn(start, np.array([start + timedelta(days=i) not in feasts for i in range(2000)]))
    assert (learned.country, learned.guess.silent) == ("", 0)


def test_holidays_within_a_closing_at_christmas_count_as_kept():
    """Nothing else is seen yet: the shop that was closed on Boxing Day is expected closed on Good Friday."""
    sold = silent(date(2024, 9, 2), 160, (date(2024, 12, 24), date(2025, 1, 2)))
    learned = calendar.learn(date(2024, 9, 2), sold, country="GB", region="ENG")
    assert {one.name: one.closed for one in learned.kept}["Boxing Day"]
    assert date(2025, 4, 18) in closed_days(learned, date(2025, 4, 1), 30)


SHUT = date(2025, 5, 13)  # a Tuesday


def test_the_owner_knows_better():
    events = (
        Event("closure", "Stocktaking", SHUT, SHUT),
        Event("opening", "Book fair", date(2025, 5, 11), date(2025, 5, 11)),
        Event("opening", "Open house", date(2025, 5, 1), date(2025, 5, 1)),
    )
    sold = np.resize([True] * 6 + [False], 400)
    learned = calendar.learn(START, sold, country="ES", region="MD", events=events)
    assert closed_days(learned, date(2025, 5, 8), 7) == [SHUT]
    assert learned.is_open(date(2025, 5, 1), 1)[0]


def test_an_own_feast_is_learned_by_its_name():
    def feast(year, day):
        return Event("holiday", "Village feast", date(year, 9, day), date(year, 9, day))

    events = (feast(2024, 10), feast(2025, 16))
    sold = silent(START, 400, (date(2024, 9, 10), date(2024, 9, 10)))
    assert closed_days(calendar.learn(START, sold, events=events), date(2025, 9, 1), 30) == [date(2025, 9, 16)]
    assert closed_days(calendar.learn(START, silent(START, 400), events=events), date(2025, 9, 1), 30) == []


def test_marks_name_holidays_whether_the_shop_opens_or_not():
    table = public_holidays.of_years("ES", "MD", 2024, 2026)
    shut = {day for day, name in table.items() if name in ("Christmas Day", "New Year's Day", "Epiphany", "Labor Day")}
    sold = np.array([START + timedelta(days=i) not in shut for i in range(900)])
    learned = calendar.learn(START, sold[:700], country="ES", region="MD")
    marks = learned.marks(START, 900)
    for day, name in table.items():
        at = (day - START).days
        if 0 <= at < 900:
            assert marks.names[marks.holiday[at]] == name
            assert marks.open[at] == (day not in shut)
    assert (marks.holiday < 0).sum() == 900 - sum(START <= day < START + timedelta(days=900) for day in table)
    assert learned.marks(START + timedelta(days=5), 30).names == marks.names


def test_marks_beside_a_closure_skip_the_weekly_closing_day():
    """Monday 4 May 2026 is closed: Saturday stands before it (Sunday is always shut), Tuesday after it."""
    events = (Event("closure", "Works", date(2026, 5, 4), date(2026, 5, 4)),)
    marks = Calendar(frozenset({6}), events=events).marks(date(2026, 4, 30), 8)  # from Thursday
    assert marks.before_closed.tolist() == [False, False, True, True, False, False, False, False]
    assert marks.after_closed.tolist() == [False, False, False, False, False, True, False, False]


def test_marks_of_promotions():
    def promotion(first, last, uplift=None, **of):
        return Event("promotion", "Sale", date(2026, 3, first), date(2026, 3, last), uplift=uplift, **of)

    events = (
        promotion(2, 3, 1.5),
        promotion(3, 3, 2.0),
        promotion(5, 5),
        promotion(6, 6, level="category", object_id="a"),
    )
    marks = Calendar(frozenset(), events=events).marks(date(2026, 3, 1), 6)
    assert marks.promotion.tolist() == [0, 1, 1, 0, 1, 0]
    np.testing.assert_allclose(np.exp(marks.uplift), [1, 1.5, 3, 1, np.nan, 1])


def test_marks_of_christmas_and_easter():
    marks = Calendar(frozenset()).marks(date(2026, 1, 1), 400)
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(400)]
    at = {day: i for i, day in enumerate(days)}
    assert [marks.to_christmas[at[date(2026, *day)]] for day in ((12, 1), (12, 25), (12, 26), (5, 1))] == [
        24,
        0,
        75,
        75,
    ]
    assert [marks.to_easter[at[date(2026, *day)]] for day in ((4, 5), (4, 3), (4, 8), (8, 1))] == [0, 2, -3, -40]
    assert marks.to_easter[at[date(2027, 1, 1)]] == 40


@pytest.mark.parametrize("cutoff", [40, 130, 400, 600])
@pytest.mark.parametrize("country", ["", "ES"])
def test_nothing_after_the_cutoff_changes_the_calendar(cutoff, country):
    """A past is learned alike whatever follows it, and unlike what it is learned with what follows."""
    rng = np.random.default_rng(cutoff)
    table = public_holidays.of_years("ES", "MD", 2024, 2026)
    sold = np.array([START + timedelta(days=i) not in table for i in range(800)]) & (rng.random(800) < 0.99)
    events = (Event("promotion", "Sale", date(2026, 1, 7), date(2026, 2, 7)),)
    learned = set()
    for _ in range(4):
        after = np.concatenate([sold[:cutoff], rng.random(800 - cutoff) < rng.random()])
        history = History(START, after[None, :] * 9.0, after, country, "", events)
        learned.add(history.until(cutoff).calendar)
    assert len(learned) == 1
    whole = History(START, sold[None, :] * 1.0, ~sold, country, "", events)
    assert whole.calendar not in learned


@pytest.mark.parametrize("start", [date(1990, 1, 1), date(2024, 2, 29), date(2089, 10, 1), date(2150, 1, 1)])
@pytest.mark.parametrize("days", [1, 10, 60, 800])
@pytest.mark.parametrize("country", ["", "ES", "IN"])
def test_strange_shops_have_a_calendar(start, days, country):
    rng = np.random.default_rng(days)
    for sells in (0.0, 0.02, 0.5, 1.0):
        sold = rng.random(days) < sells
        sold[0] = True
        history = History(start, sold[None, :] * 1.0, sold, country)
        marks = history.calendar.marks(history.origin + timedelta(days=1), 366)
        assert np.isfinite(np.column_stack([marks.to_christmas, marks.to_easter, marks.promotion, marks.uplift])).all()
        assert marks.holiday.max() < len(marks.names)
        assert history.usable.any()
        json.dumps(history.calendar.facts(), allow_nan=False)


def test_a_shop_closed_since_months_is_expected_open_again():
    sold = np.ones(500, dtype=bool)
    sold[300:] = False
    history = History(START, sold[None, :] * 1.0, sold)
    assert history.closed_long.sum() == 200
    assert history.open_ahead(7).all()


def test_a_leap_day_returns_as_the_day_before():
    leap = Shutdown(date(2024, 2, 29), date(2024, 3, 1), by_week=False)
    assert leap.shifted(1) == (date(2025, 2, 28), date(2025, 3, 1))


def test_history_hands_its_plans_on():
    events = (Event("promotion", "Sale", date(2026, 1, 7), date(2026, 2, 7)),)
    history = History(START, np.ones((2, 50)), np.ones(50, dtype=bool), "ES", "MD", events)
    for copy in (history.until(20), history.summed()):
        assert (copy.country, copy.region, copy.events) == ("ES", "MD", events)
    of_lines = from_lines(shop_lines(30, 1), until=START + timedelta(days=20), country="PT", region="", events=events)
    assert [(one.country, one.events) for one in of_lines] == [("PT", events)] * 2
