"""Customers and recommendations over a trained shop: the pages say what the services say, files are audited."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ml_predictions import selectors_customers
from ml_predictions.models import CustomerSegment, MLModel, MLTrainingLog
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.services import get_service
from products.models import Product


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
    assert 'href="?ordering=recency_days#list"' in page  # what the dots show, for who cannot see or point at them
    found = ben.get("/customers/", {"search": "c7@mail"}).content.decode()
    assert len(names(found)) == 1
    assert "Nobody fits" in ben.get("/customers/", {"search": "zzz"}).content.decode()


def test_the_picture_draws_evenly_from_the_version_in_service(ben: Client) -> None:
    mine = list(CustomerSegment.objects.in_service().order_by("id"))
    other = MLModel.objects.create(
        service="customer_segmentation", version=99, model_type="x", as_of=mine[0].model.as_of, artifact="x"
    )
    CustomerSegment.objects.filter(pk=mine[4].pk).update(model=other)  # rows of another version between its own
    drawn = selectors_customers.points(-(-len(mine) // 4))
    assert [one["total_spent"] for one in drawn] == [row.total_spent for row in mine[::4] if row != mine[4]]
    assert len(selectors_customers.points(1_500)) == len(mine) - 1


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


def offered(page: str, heading: str) -> list[str]:
    """The products of the list below a heading, in its order."""
    part = page.split(f">{heading}</h", 1)[1].split("</ol>", 1)[0]
    return re.findall(r'class="name" href="[^"]*\?product=(\w+)"', part)


def test_the_owner_puts_a_product_first_or_leaves_it_out_and_takes_it_back(ben: Client) -> None:
    page = ben.get("/recommendations/").content.decode()
    product = re.search(r'name="product" value="(\w+)"', page)
    assert product
    before = offered(page, "On the product&#x27;s page")
    asked = {"item": before[2], "surface": "page", "product": product[1]}

    def decided(what: str) -> tuple[str, list[str]]:
        answer = ben.post("/recommendations/decide/", {**asked, "what": what}, follow=True)
        assert answer.redirect_chain == [(f"/recommendations/?product={product[1]}", 302)]
        text = answer.content.decode()
        return text, offered(text, "On the product&#x27;s page")

    page, now = decided("pin")
    assert now[0] == before[2]
    assert "comes first here" in page
    again = decided("pin")[0]
    assert "There is such a rule already" in again
    assert again.count('action="/recommendations/rules/') == 1
    page, now = decided("here")
    assert before[2] not in now
    assert RecommendationRule.objects.get(kind="exclude").source_product_id == product[1]
    for rule in RecommendationRule.objects.all():
        assert f'action="/recommendations/rules/{rule.pk}/"' in page
        page = ben.post(f"/recommendations/rules/{rule.pk}/", {"product": product[1]}, follow=True).content.decode()
    assert offered(page, "On the product&#x27;s page") == before
    assert LogEntry.objects.filter(change_message="Rule deleted.").count() == 2
    assert before[2] not in decided("nowhere")[1]
    rule = RecommendationRule.objects.get()
    assert (rule.surface, rule.source_product_id, rule.created_by) == ("", "", "ben@shop.test")


@pytest.mark.parametrize("change", [{"what": "x"}, {"item": "999999"}, {"surface": "moon"}, {"item": ""}])
def test_a_decision_that_means_nothing_is_not_found(ben: Client, change: dict[str, str]) -> None:
    product = str(Product.objects.order_by("pk")[0].pk)
    asked = {"what": "pin", "item": product, "surface": "trending", "product": "", **change}
    assert ben.post("/recommendations/decide/", asked).status_code == 404
    assert not RecommendationRule.objects.exists()


def test_a_product_does_not_come_first_beside_itself(ben: Client) -> None:
    product = str(Product.objects.order_by("pk")[0].pk)
    asked = {"what": "pin", "item": product, "surface": "page", "product": product}
    page = ben.post("/recommendations/decide/", asked, follow=True).content.decode()
    assert "never recommended beside itself" in page
    assert not RecommendationRule.objects.exists()


def test_a_product_that_was_searched_for_comes_first(ben: Client) -> None:
    shown, other = Product.objects.order_by("pk")[0], Product.objects.order_by("pk")[5]
    page = ben.get("/recommendations/", {"product": shown.pk, "text": other.name}).content.decode()
    form = page.split('<li class="line">', 1)[1].split("</form>", 1)[0]
    fields = dict(re.findall(r'name="(item|surface|product|what)" value="(\w+)"', form))
    assert fields == {"item": str(other.pk), "surface": "page", "product": str(shown.pk), "what": "pin"}


def test_sets_are_those_of_the_service(ben: Client) -> None:
    service: Any = get_service("product_recommendation")
    page = ben.get("/recommendations/").content.decode()
    part = page.split('id="sets"', 1)[1].split("</section>", 1)[0]
    expected = [product["product_id"] for one in service.sets(top_n=6) for product in one["products"]]
    assert re.findall(r"\?product=(\w+)", part) == expected
    assert expected or "No two products" in part
