"""`forecast-accuracy/`: promise and truth, filters, sentences where there is nothing, and the admin's lists."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ml_predictions.models_accuracy import ForecastScore, PastForecast, PublishedForecast

pytestmark = pytest.mark.postgres

URL = "/api/ml/forecast-accuracy/"
PROMISED = {"total": {"1-7": {"wape": 0.2, "baseline_wape": 0.3, "coverage_80": 0.8, "coverage_95": None}}}
SUMS = {
    "periods": 7, "actual": 1000, "error": 50, "absolute_error": 300, "naive_error": -100, "naive_absolute_error": 400,
    "counted": 7, "inside_80": 5, "inside_95": 7, "closed": 1, "closed_error": 100,
}  # fmt: skip


def publish(version: int, as_of: date, **extra: Any) -> PublishedForecast:
    values = {"model_type": "linear", "whole": True, "promised": PROMISED, **extra}
    return PublishedForecast.objects.create(version=version, as_of=as_of, **values)


def score(published: PublishedForecast, *, level: str = "total", horizon: str = "1-7", **sums: Any) -> ForecastScore:
    days = {"first_day": published.as_of + timedelta(days=1), "last_day": published.as_of + timedelta(days=7)}
    return ForecastScore.objects.create(published=published, level=level, horizon=horizon, **days, **{**SUMS, **sums})


def period(published: PublishedForecast, ahead: int, *, actual: float | None, **values: Any) -> PastForecast:
    day = published.as_of + timedelta(days=ahead)
    row = {"level": "total", "horizon": "1-7", "start": day, "end": day, "mean": 100 + ahead, "naive": 90.0}
    width = {"lower_80": 80, "upper_80": 120, "lower_95": 60, "upper_95": 150}
    return PastForecast.objects.create(published=published, actual=actual, **{**row, **width, **values})


@pytest.fixture
def two(db: None, make_model: Any) -> list[PublishedForecast]:
    """Two forecasts a week apart, the older one's version deleted since."""
    first = publish(1, date(2026, 6, 1))
    second = publish(2, date(2026, 6, 8), model=make_model(version=2), promised={"total": {"1-7": {"wape": 0.5}}})
    score(first)
    score(
        second, actual=3000, absolute_error=600, naive_absolute_error=None, naive_error=None, closed=0, closed_error=0
    )
    score(first, level="product", actual=0, absolute_error=0)
    for ahead in range(1, 12):
        period(first, ahead, actual=100.126)
        period(second, ahead, actual=99.0 if ahead < 3 else None)
    return [first, second]


def test_shares_are_pooled_over_versions(api: Any, two: Any, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(4):  # two of them to know who asks
        body = api.get(URL).json()
    assert body["success"]
    assert body["scored_until"] == "2026-06-15"
    total, product = body["scores"]
    assert (total["level"], total["unit"], total["period_days"], total["horizon"]) == ("total", "sales", 1, "1-7")
    assert (total["versions"], total["periods"], total["counted_periods"]) == (2, 14, 14)
    assert total["closure_periods"] == 1
    assert total["wape"] == 900 / 4000
    assert total["bias"] == 100 / 4000
    assert total["wape_without_closures"] == 800 / 4000
    assert (total["baseline_wape"], total["baseline_bias"]) == (0.4, -0.1)  # of the version that has one
    assert (total["coverage_80"], total["coverage_95"]) == (round(10 / 14, 4), 1)
    assert total["promised_wape"] == round((0.2 * 1000 + 0.5 * 3000) / 4000, 4)
    assert (total["promised_baseline_wape"], total["promised_coverage_80"]) == (0.3, 0.8)
    assert total["promised_coverage_95"] is None
    assert (product["level"], product["unit"], product["period_days"]) == ("product", "units", 7)
    assert product["wape"] is None  # nothing was sold
    assert [(v["version"], v["model_id"]) for v in body["versions"]] == [(2, two[1].model_id), (1, None)]
    assert "June 15, 2026" in body["notes"][0]
    assert "7 periods only" in body["notes"][1]


def test_the_last_days_have_the_last_forecast_made_before_each(api: Any, two: Any):
    days = api.get(URL).json()["last_days"]
    assert [day["date"] for day in days] == [f"2026-06-{n:02}" for n in range(2, 13)]
    by_day = {day["date"]: day for day in days}
    assert (by_day["2026-06-08"]["version"], by_day["2026-06-08"]["days_ahead"]) == (1, 7)
    assert by_day["2026-06-09"] == {
        "date": "2026-06-09", "forecast": 101, "lower_80": 80, "upper_80": 120, "lower_95": 60, "upper_95": 150,
        "baseline": 90, "actual": 99, "unforeseen_closure": False, "version": 2, "days_ahead": 1,
    }  # fmt: skip
    assert by_day["2026-06-12"]["version"] == 1  # the second one's day is not over
    assert by_day["2026-06-12"]["actual"] == 100.13


@pytest.mark.parametrize(
    ("query", "lines", "days"),
    [
        ("level=total", 1, 11),
        ("level=product", 1, 0),
        ("level=category", 0, 0),
        ("horizon=1-7", 2, 11),
        ("horizon=8-14", 0, 0),
        ("since=2026-06-08", 1, 2),
        ("since=2027-01-01", 0, 0),
        ("level=total&horizon=1-7&since=2026-06-01", 1, 11),
        ("model_id=999999", 0, 0),
    ],
)
def test_filters(api: Any, two: Any, query: str, lines: int, days: int):
    body = api.get(f"{URL}?{query}").json()
    assert (len(body["scores"]), len(body["last_days"])) == (lines, days)
    if not lines:
        assert body["scored_until"] is None
        assert "fewer filters" in body["notes"][0]


def test_one_version(api: Any, two: Any):
    body = api.get(f"{URL}?model_id={two[1].model_id}").json()
    assert [score["wape"] for score in body["scores"]] == [0.2]
    assert {day["version"] for day in body["last_days"]} == {2}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("level", "shelf", "category"),
        ("level", "variant", "product"),
        ("horizon", "1-9", "57-91"),
        ("model_id", "0", "minimum"),
        ("model_id", "x", "minimum"),
        ("since", "yesterday", ""),
        ("since", "2026-02-30", ""),
    ],
)
def test_a_bad_filter_is_400_with_what_is_allowed(api: Any, name: str, value: str, allowed: str):
    answer = api.get(f"{URL}?{name}={value}")
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["details"][name]["received"] == value
    assert allowed in str(error["details"][name]["allowed"])


def test_nothing_in_service_says_what_to_call(api: Any):
    body = api.get(URL).json()
    assert (body["scores"], body["versions"], body["last_days"], body["scored_until"]) == ([], [], [], None)
    assert "POST /api/ml/train-sales-forecast/" in body["notes"][0]


def test_before_the_first_day_is_over_it_says_which_one_that_is(api: Any):
    published = publish(1, date(2026, 6, 1))
    for ahead in (2, 1, 3):
        period(published, ahead, actual=None)
    for query in ("", "?level=total"):
        body = api.get(URL + query).json()
        assert (body["scores"], body["last_days"]) == ([], [])
        assert body["notes"] == [
            "Nothing has been scored yet. June 2, 2026 is the first day to be scored: by the first training after the "
            "shop's sales reach beyond it."
        ]


def test_admin_lists_scores_as_shares_and_the_periods_that_are_over_first(cast: dict[str, Any], two: Any):
    client = Client()
    client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    scores = client.get(reverse("admin:ml_predictions_forecastscore_changelist")).content.decode()
    for text in ("30.0\u00a0% (20.0\u00a0%)", "40.0\u00a0%", "71.4\u00a0% (80.0\u00a0%)", "v1, 06/01/2026", "—"):
        assert text in scores, text
    assert scores.index("v2, 06/08/2026") < scores.index("v1, 06/01/2026")
    periods = client.get(reverse("admin:ml_predictions_pastforecast_changelist")).content.decode()
    assert "60.00 – 150.00" in periods
    assert periods.index("100.13") < periods.index("99.00") < periods.index('field-came">—')
    first = ForecastScore.objects.first()
    assert first is not None
    assert client.get(reverse("admin:ml_predictions_forecastscore_change", args=[first.pk])).status_code == 200
