"""The morning and the sales over a shop that is really trained: the figures are those of the services."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.templatetags.dashboard import amount
from ml_predictions.models import SERVICES, MLTrainingLog
from ml_predictions.services import get_service

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
    ben.get("/")  # what is remembered for a while is read now
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
