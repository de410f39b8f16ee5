"""The morning and the sales over a shop that is really trained: the figures are those of the services."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.templatetags.dashboard import amount, percent, signed
from ml_predictions.models import SERVICES, MLTrainingLog
from ml_predictions.models_accuracy import ForecastScore, PastForecast, PublishedForecast
from ml_predictions.services import get_service
from retail_ml import frames

QUICK = {"sales_forecast": {"model_type": "weekday_mean"}}


@pytest.fixture(scope="module")
def trained(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Path]:
    """The small shop with its four services, trained once for this file."""
    from conftest import RecordingRun, fill_shop, undone_at_the_end

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        fill_shop(orders=150, products=12, customers=30, days=200)
        for name in SERVICES:
            log = MLTrainingLog.objects.create(kind=name, status="completed")
            get_service(name).train(RecordingRun(log.pk), **QUICK.get(name, {}))
        yield folder


@pytest.fixture(autouse=True)
def _files(trained: Path, settings: Any) -> None:
    """Each test finds the files of the trained shop."""
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": trained}


def chart(page: str, name: str) -> dict[str, Any]:
    """What a chart of the page draws."""
    found = re.search(rf'id="{name}-data">(.*?)</script>', page, re.DOTALL)
    assert found
    spec: dict[str, Any] = json.loads(found[1])
    return {one["role"]: one for one in spec["series"]}


def test_the_morning_shows_what_the_services_say_in_few_queries(ben: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = ben.get("/").content.decode()
    assert len(queries) <= 20, [q["sql"][:90] for q in queries]
    drawn = chart(page, "morning-sales")
    expected = get_service("sales_forecast").predict(days_ahead=14, coverage=0.8)["predictions"]
    assert drawn["forecast"]["x"] == [day["date"] for day in expected]
    assert drawn["forecast"]["y"] == pytest.approx([day["predicted_sales"] for day in expected], abs=0.01)
    assert drawn["band_80"]["low"] == pytest.approx([day["confidence_lower"] for day in expected], abs=0.01)
    assert len(drawn["actual"]["y"]) == 28
    assert drawn["actual"]["x"][-1] < drawn["forecast"]["x"][0]
    assert "How true is this?" in page


@pytest.mark.parametrize("level", ["total", "category", "product", "variant"])
def test_sales_of_every_level_have_both_bands_and_the_past(level: str, ben: Client) -> None:
    service = get_service("sales_forecast")
    content = service.content(service.active())
    object_id = "" if level == "total" else str(content.arrays[f"{level}_ids"][-1])
    page = ben.get("/sales/", {"level": level, "id": object_id, "days": 9, "measure": "units"}).content.decode()
    drawn = chart(page, "sales-chart")
    expected = service.predict(days_ahead=9, level=level, object_id=object_id, coverage=0.95)["predictions"]
    assert drawn["forecast"]["y"] == [day["predicted_quantity"] for day in expected]
    assert drawn["band_95"]["high"] == [day["quantity_upper"] for day in expected]
    lines = service.source.order_lines()
    if level in ("product", "variant"):
        lines = lines.filter(lines[f"{level}_id"] == object_id)
    elif level == "category":
        ours = service.source.products()
        lines = lines.filter(
            lines["product_id"].is_in(ours.filter(ours["category"] == object_id)["product_id"].to_list())
        )
    past = dict(zip(drawn["actual"]["x"], drawn["actual"]["y"], strict=True))
    days = lines["day"].dt.to_string("%Y-%m-%d")
    sold = lines.filter(days.is_in(list(past)))["units"].sum()
    assert sum(past.values()) == pytest.approx(sold)


def test_nonsense_in_the_address_is_answered_with_the_shop_or_said(ben: Client) -> None:
    usual = ben.get("/sales/", {"level": "moon", "days": "-3", "measure": "x"})
    assert usual.status_code == 200
    assert "Expected in 30 days" in usual.content.decode()
    unknown = ben.get("/sales/", {"level": "product", "id": "<b>no"}).content.decode()
    assert "&lt;b&gt;no" in unknown
    assert "<b>no" not in unknown
    assert "Expected in" not in unknown


def test_products_are_found_by_a_part_of_their_name(ben: Client) -> None:
    assert "Linen" in ben.get("/sales/products/", {"text": "LINEN"}).content.decode()
    assert "No product with this name" in ben.get("/sales/products/", {"text": "zzz"}).content.decode()


def test_the_file_holds_the_same_days(ben: Client) -> None:
    answer = ben.get("/sales/export/", {"days": 20})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    expected = get_service("sales_forecast").predict(days_ahead=20, coverage=0.95)["predictions"]
    assert [float(row["sales"]) for row in rows] == [day["predicted_sales"] for day in expected]
    assert [float(row["sales_95_low"]) for row in rows] == [day["confidence_lower"] for day in expected]


def test_the_brief_says_what_the_services_say_and_its_days(ben: Client) -> None:
    page = ben.get("/brief/").content.decode()
    summary = get_service("sales_forecast").predict(days_ahead=7, coverage=0.80)["summary"]
    for name in ("total_predicted_sales", "total_lower", "total_upper"):
        assert amount(summary[name], "EUR") in page
    assert "Next week: June 30, 2026 to July 6, 2026" in page
    assert "Last week: June 23, 2026 to June 29, 2026" in page
    assert "as of June 29, 2026, " in page
    assert "/ 100" in page


def test_one_looks_back_at_a_day_of_the_back_test(ben: Client) -> None:
    service: Any = get_service("sales_forecast")
    fold = service.active().receipt["folds"][1]
    page = ben.get("/sales/look-back/", {"at": fold["cutoff"]}).content.decode()
    drawn = chart(page, "look-back")
    said, came = np.array(drawn["forecast"]["y"]), np.array(drawn["actual"]["y"])
    first = date.fromisoformat(fold["cutoff"]) + timedelta(days=1)
    days = [(first + timedelta(days=n)).isoformat() for n in range(fold["horizon_days"])]
    assert drawn["actual"]["x"] == days
    assert said.sum() == pytest.approx(fold["forecast"], abs=0.01 * len(days))
    lines = frames.net_same_day(service.source.order_lines(since=first))
    sold = dict(
        frames.daily_sales(lines, [], until=first + timedelta(days=len(days) - 1)).select("day", "sales").rows()
    )
    assert came == pytest.approx([sold.get(date.fromisoformat(day), 0.0) for day in days], abs=0.01)
    assert np.abs(said - came).sum() / np.abs(came).sum() == pytest.approx(fold["wape"], abs=1e-3)
    naive = np.array(drawn["before"]["y"])
    assert np.abs(naive - came).sum() / np.abs(came).sum() == pytest.approx(fold["baseline_wape"], abs=1e-3)
    low, high = np.array(drawn["band_80"]["low"]), np.array(drawn["band_80"]["high"])
    counted = (said > 0) | (came > 0)
    assert ((low <= came) & (came <= high))[counted].mean() == pytest.approx(fold["coverage_80"], abs=1e-3)
    assert (np.array(drawn["band_95"]["high"]) >= high).all()
    assert amount(fold["forecast"], "EUR") in page
    assert f'value="{fold["cutoff"]}" selected' in page


def test_one_looks_back_at_a_forecast_that_was_in_service(ben: Client) -> None:
    kept = PublishedForecast.objects.create(version=7, model_type="ensemble", as_of=date(2026, 5, 31), whole=True)
    band = {"lower_80": 80, "upper_80": 120, "lower_95": 60, "upper_95": 140, "naive": 90}
    for n, came in enumerate((110, 130), start=1):
        day = date(2026, 5, 31) + timedelta(days=n)
        of = {"published": kept, "level": "total", "horizon": "1-7", "start": day, "end": day}
        PastForecast.objects.create(**of, mean=100, actual=came, **band)
    sums = dict.fromkeys(("actual", "error", "absolute_error", "counted", "inside_80", "inside_95", "closed"), 0)
    day = date(2026, 6, 1)
    of = {"level": "total", "horizon": "1-7", "first_day": day, "last_day": day, "periods": 2, "closed_error": 0}
    ForecastScore.objects.create(published=kept, **of, **sums)
    page = ben.get("/sales/look-back/").content.decode()  # it is the newest of those that were in service
    drawn = chart(page, "look-back")
    assert drawn["actual"] == {"role": "actual", "name": "Actual", "x": ["2026-06-01", "2026-06-02"], "y": [110, 130]}
    assert "version 7" in page
    assert f'<p class="value">{signed(-40 / 240)}</p>' in page
    assert f"naive: {signed(-60 / 240)}" in page
    assert f"{percent(0.5)} of the days in the 80 % band" in page


@pytest.mark.parametrize("at", ["2020-01-01", "v999999", "v٣", "nonsense"])
def test_a_day_that_is_not_in_the_list_is_said(ben: Client, at: str) -> None:
    page = ben.get("/sales/look-back/", {"at": at}).content.decode()
    assert "There is no such day to look back at" in page
    assert 'id="look-back-data"' not in page


def test_a_version_that_kept_no_days_still_shows_its_tests(ben: Client, monkeypatch: Any) -> None:
    service: Any = get_service("sales_forecast")
    content = service.content(service.active())
    older = {name: part for name, part in content.arrays.items() if not name.startswith("backtest")}
    monkeypatch.setattr(type(service), "content", lambda self, model: replace(content, arrays=older))
    page = ben.get("/sales/look-back/").content.decode()
    assert "The single days of this test are not kept" in page
    assert amount(service.active().receipt["folds"][-1]["actual"], "EUR") in page
