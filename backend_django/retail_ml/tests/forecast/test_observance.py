"""Whose holidays the shop keeps, and which of them: told by its silent days, or not told."""

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from retail_ml.forecast import calendar, observance, public_holidays

START = date(2023, 1, 9)


def shop(country, region, days, rng, *, sells=0.995, keeps=1.0, start=START):
    """Days with a sale of a shop that is closed on Sundays and on its country's holidays (a share of the names)."""
    table = public_holidays.of_years(country, region, start.year, start.year + days // 365 + 1)
    kept = {name for name in sorted(set(table.values())) if rng.random() < keeps}
    dates = [start + timedelta(days=i) for i in range(days)]
    closed = np.array([d.weekday() == 6 or table.get(d) in kept for d in dates])
    sold = (rng.random(days) < sells) & ~closed
    sold[0] = True
    return sold


@pytest.mark.parametrize(
    ("country", "region"), [("ES", "MD"), ("ES", "CT"), ("GB", "SCT"), ("DE", "NW"), ("FR", ""), ("MX", ""), ("US", "")]
)
def test_the_country_is_guessed_from_two_years(country, region):
    learned = calendar.learn(START, shop(country, region, 730, np.random.default_rng(1)))
    assert (learned.country, learned.region) == (country, region)
    facts = learned.facts()
    assert facts["country_source"] == "guessed"
    assert facts["guess"]["explained"] > 5 * facts["guess"]["by_chance"]


def test_a_shop_that_keeps_half_of_the_holidays_is_known_by_them():
    rng = np.random.default_rng(4)
    learned = calendar.learn(START, shop("ES", "", 1000, rng, keeps=0.6, sells=0.99))
    assert learned.country == "ES"
    told = {one.name: one for one in learned.kept}
    assert all(one.closed == (2 * one.silent > one.seen) for one in told.values())
    assert {one.closed for one in told.values()} == {True, False}


@pytest.mark.parametrize("sells", [1.0, 0.97, 0.9, 0.5, 0.1])
@pytest.mark.parametrize("days", [30, 200, 900])
def test_no_country_is_named_where_silence_is_chance(sells, days):
    sold = np.random.default_rng(days).random(days) < sells
    sold[0] = True
    learned = calendar.learn(START, sold)
    assert learned.country == ""
    assert learned.facts()["country_source"] == "unknown"


def test_no_country_is_named_while_two_explain_as_much():
    """Good Friday and Easter Monday of one year, and 1 May: half of Europe keeps them."""
    days = [date(2023, 4, 7), date(2023, 4, 10), date(2023, 5, 1)]
    sold = np.ones(150, dtype=bool)
    sold[[(day - START).days for day in days]] = False
    learned = calendar.learn(START, sold)
    assert learned.country == ""
    assert learned.guess.second


def test_a_country_that_is_set_is_not_guessed_but_its_region_is():
    sold = shop("ES", "CT", 730, np.random.default_rng(2))
    learned = calendar.learn(START, sold, country="ES")
    assert (learned.region, learned.facts()["country_source"], learned.facts()["region_source"]) == (
        "CT",
        "set",
        "guessed",
    )
    learned = calendar.learn(START, sold, country="FR", region="")
    assert learned.country == "FR"
    assert calendar.learn(START, sold, country="ES", region="MD").region == "MD"


def test_an_unknown_part_of_the_kingdom_is_assumed_to_be_england():
    learned = calendar.learn(START, np.ones(60, dtype=bool), country="GB")
    assert (learned.region, learned.facts()["region_source"]) == ("ENG", "assumed")


def test_a_holiday_of_a_sparse_shop_is_not_closed_because_it_was_silent_once():
    rng = np.random.default_rng(3)
    sold = rng.random(800) < 0.12
    sold[0] = True
    learned = calendar.learn(START, sold, country="ES", region="MD")
    assert not any(one.closed for one in learned.kept)
    assert learned.is_open(START + timedelta(days=800), 365).all()


@pytest.mark.parametrize(("silent", "closed"), [([0], False), ([3], True), ([0, 3], True), ([], False)])
def test_late_occurrences_weigh_more(silent, closed):
    """A feast seen twice, in a shop that keeps one of two others."""
    sold = np.ones(9, dtype=bool)
    sold[[*silent, 5]] = False
    named = {"Feast": [0, 3], "Fair": [5], "Ball": [6]}
    feast, fair, ball = observance.kept_names(sold, np.ones(9, dtype=bool), named, silence=0.01)
    assert (feast.closed, feast.silent, feast.seen) == (closed, len(silent), 2)
    assert (fair.closed, ball.closed) == (True, False)


def test_online_retail_ii_is_english():
    folder = os.environ.get("ONLINE_RETAIL_II")
    if not folder:
        pytest.skip("ONLINE_RETAIL_II names no folder with the data set")
    frames = [pl.read_parquet(path) for path in sorted(Path(folder).glob("*.parquet"))]
    lines = pl.concat(frames).filter((pl.col("quantity") > 0) & (pl.col("price") > 0))
    days = lines.select(pl.col("invoice_date").dt.date()).to_series().unique().sort()
    start, last = days[0], date(2011, 12, 8)
    sold = np.zeros((last - start).days + 1, dtype=bool)
    sold[[i for i in (days - start).dt.total_days().to_list() if i < len(sold)]] = True
    for ending in (300, 500, len(sold)):
        learned = calendar.learn(start, sold[:ending])
        assert (learned.country, learned.region) == ("GB", "ENG")
        right = learned.is_open(start + timedelta(days=ending), 90)[: len(sold) - ending] == sold[ending : ending + 90]
        assert right.all()
