"""Customers and recommendations over a trained shop: the pages say what the services say, files are audited."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ml_predictions.models import CustomerSegment, MLTrainingLog
from ml_predictions.services import get_service


@pytest.fixture(scope="module")
def trained(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Path]:
    """The small shop with segments and recommendations, trained once for this file."""
    from conftest import RecordingRun, fill_shop, undone_at_the_end

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        fill_shop(orders=200, products=12, customers=40, days=300)
        for name in ("customer_segmentation", "product_recommendation"):
            log = MLTrainingLog.objects.create(kind=name, status="completed")
            get_service(name).train(RecordingRun(log.pk))
        yield folder


@pytest.fixture(autouse=True)
def _files(trained: Path, settings: Any) -> None:
    """Each test finds the files of the trained shop."""
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": trained}


def names(page: str) -> list[str]:
    """The customers of the list, in its order."""
    return re.findall(r'/customers/(\d+)/">', page)


def test_the_list_is_filtered_sorted_and_paged_on_the_server(ben: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = ben.get("/customers/").content.decode()
    assert len(queries) <= 20
    by_money = [row.customer_id for row in CustomerSegment.objects.order_by("-total_spent", "id")]
    assert names(page) == by_money[:25]
    assert names(ben.get("/customers/", {"page": 2}).content.decode()) == by_money[25:50]
    oldest = CustomerSegment.objects.order_by("-recency_days", "id").values_list("customer_id", flat=True)
    assert names(ben.get("/customers/", {"ordering": "-recency_days"}).content.decode()) == list(oldest[:25])
    segment = CustomerSegment.objects.get(customer_id=by_money[0]).segment
    same = set(CustomerSegment.objects.filter(segment=segment).values_list("customer_id", flat=True))
    assert set(names(ben.get("/customers/", {"segment": segment}).content.decode())) <= same
    found = ben.get("/customers/", {"search": "c7@mail"}).content.decode()
    assert len(names(found)) == 1
    assert "Nobody fits" in ben.get("/customers/", {"search": "zzz"}).content.decode()


def test_a_filter_that_cannot_be_is_said(ben: Client) -> None:
    page = ben.get("/customers/", {"min_value": "much"})
    assert page.status_code == 200
    assert "min_value" in page.content.decode()


def test_one_customer_in_full(ben: Client) -> None:
    row = CustomerSegment.objects.order_by("-total_spent")[0]
    page = ben.get(f"/customers/{row.customer_id}/").content.decode()
    orders = get_service("customer_segmentation").source.order_lines(customer_id=row.customer_id)
    for order in orders["order_id"].unique():
        assert f"<td>{order}</td>" in page
    assert row.get_segment_display() in page
    assert "What to do" in page
    unknown = ben.get("/customers/999999/")
    assert unknown.status_code == 404
    assert "999999" in unknown.content.decode()


def test_the_campaign_file_follows_the_list_and_is_audited(ben: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "ml_predictions.audit"):
        answer = ben.get("/customers/export/", {"ordering": "-recency_days", "contact": "1"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))  # type: ignore[arg-type]
    oldest = CustomerSegment.objects.order_by("-recency_days", "id").values_list("customer_id", flat=True)
    assert [row["customer_id"] for row in rows] == list(oldest)
    assert all("@" in row["email"] for row in rows)
    assert "ben@shop.test: customers exported with contacts" in caplog.text


def test_the_lists_of_a_product_and_their_proof(ben: Client) -> None:
    service = get_service("product_recommendation")
    product = service.trending()["recommendations"][0]["product_id"]
    page = ben.get("/recommendations/", {"product": product}).content.decode()
    for found in (service.for_product(product, top_n=8), service.similar(product, top_n=8)):
        for item in found["recommendations"]:
            assert item["product_name"] in page
    assert "best sellers" in page
    assert "no such" in ben.get("/recommendations/", {"product": "no such"}).content.decode()
    assert "Linen" in ben.get("/recommendations/", {"text": "linen"}).content.decode()
