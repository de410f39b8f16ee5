"""The service: from the shop's tables to stored rows with their sentences."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from django.db import connection
from django.utils import translation
from polars.testing import assert_frame_equal

from ml_predictions.artifacts import Content
from ml_predictions.errors import NotTrained
from ml_predictions.messages import TEXTS, render
from ml_predictions.messages.readable import NAMES as READABLE
from ml_predictions.models import CustomerSegment, MLModel
from ml_predictions.models_segments import Driver, Segment
from ml_predictions.services.customer_rows import as_rows, pack, remembered, unpack
from ml_predictions.services.customer_segmentation import CustomerSegmentationService
from ml_predictions.sources.base import DataUntil
from retail_ml.errors import BadParameter, NotEnoughHistory, UnknownId
from retail_ml.segment import AXES, DRIVERS, NAMES, RULES, segment_customers
from retail_ml.segment.value import NAIVE
from retail_ml.tests.segment.shops import AS_OF, Sale, busy, lines, obvious


class HandMade:
    """A source over hand-made sales: enough of `sources.base.Source` for this service."""

    def __init__(self, sales: list[Sale]) -> None:
        self.lines = lines(sales)

    def data_until(self) -> DataUntil | None:
        """Noon of the day after AS_OF."""
        noon = datetime.combine(AS_OF + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)
        return DataUntil(noon, live=False, time_zone="Europe/Madrid") if len(self.lines) else None

    def order_lines(self, **_: Any) -> pl.DataFrame:
        """All of them."""
        return self.lines

    def stock(self, **_: Any) -> pl.DataFrame:
        """One variant costs 4; the others' costs are not known."""
        return pl.DataFrame({"variant_id": ["v0"], "cost": [4.0]})

    def customer_exists(self, customer_id: str) -> bool:
        """Those who bought, and one who did not."""
        return customer_id == "looked_only" or customer_id in set(self.lines["customer_id"].drop_nulls())

    def fingerprint(self) -> dict[str, Any]:
        """How many lines."""
        return {"lines": len(self.lines)}


def service(sales: list[Sale]) -> CustomerSegmentationService:
    """The service over hand-made sales."""
    return CustomerSegmentationService(HandMade(sales))  # type: ignore[arg-type]


def sentences(stored: Any) -> list[str]:
    """Rendered messages."""
    return [render(one) for one in stored]


@pytest.mark.postgres
def test_the_small_shop_from_its_tables_to_rows(shop, run):
    work = CustomerSegmentationService()
    model = work.train(run)
    rows = list(CustomerSegment.objects.filter(model=model))
    sold = work.source.order_lines().filter(pl.col("day") <= model.as_of, ~pl.col("is_return"))
    assert model.is_active
    assert model.metrics["n_customers"] == len(rows) == sold["customer_id"].drop_nulls().n_unique() > 50
    assert model.metrics["method"] == "kmeans"
    assert run.result["metrics"]["guests"]["orders"] > 0
    assert [step for step, _ in run.steps] == sorted(step for step, _ in run.steps)
    json.dumps([model.metrics, model.receipt], allow_nan=False)
    assert {row.segment for row in rows} <= set(NAMES)
    for row in rows:
        assert 0 <= row.confidence <= 1
        assert len(row.explanation) >= 2
        assert all(sentences(row.explanation))
        assert len(row.advice) >= 1
        assert "{" not in "".join(sentences(row.explanation) + sentences(row.advice))


def test_obvious_customers_and_their_own_figures(run):
    work = service(obvious())
    work.train(run)
    for name in NAMES:
        row = work.segment(f"{name}03")
        assert row.segment == name
        assert sentences(row.advice)
    vip = work.segment("vip03")
    assert vip.usual_interval_days == 15
    assert "Buys every 15 days on average; the last order was 5 days ago." in sentences(vip.explanation)
    lost = work.segment("at_risk03")
    text = "Buys every 30 days on average; the last order was 263 days ago, 8.8 times as long."
    assert sentences(lost.explanation)[0] == text
    with translation.override("es"):
        assert sentences(vip.explanation)


def test_one_customer_is_one_query(run, django_assert_num_queries):
    work = service(obvious())
    work.train(run)
    with django_assert_num_queries(1):
        assert work.segment("vip00").model.is_active
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "EXPLAIN QUERY PLAN SELECT * FROM ml_predictions_customersegment "
                "WHERE model_id = 1 AND customer_id = 'x'"
            )
            assert "USING INDEX" in str(cursor.fetchall())


def test_who_is_not_there(run):
    work = service(obvious())
    with pytest.raises(NotTrained):
        work.segment("vip00")
    work.train(run)
    with pytest.raises(UnknownId) as unknown:
        work.segment("nobody")
    assert render(unknown.value.stored()) == unknown.value.message
    with pytest.raises(NotEnoughHistory) as no_orders:
        work.segment("looked_only")
    assert no_orders.value.code == "customer_without_orders"
    said = render(no_orders.value.stored())
    assert said.startswith("The customer looked_only is known, but has no order up to ")


@pytest.mark.postgres
def test_previous_segments_are_remembered(run):
    before = service(obvious())
    before.train(run)
    assert set(CustomerSegment.objects.values_list("previous_segment", flat=True)) == {""}
    was = before.segment("new00").segment
    grown = [*obvious(), *[("new00", 2 + i, 150.0) for i in range(5)], ("brand_new", 1, 20.0)]
    after = service(grown)
    after.train(run)
    assert after.segment("new00").previous_segment == was == "new"
    assert after.segment("new00").segment != "new"
    assert after.segment("new00").changed_on == AS_OF
    assert after.segment("vip00").previous_segment == ""  # has never been anything else
    assert after.segment("vip00").changed_on is None
    assert after.segment("brand_new").previous_segment == ""
    after.train(run)
    assert after.segment("new00").previous_segment == "new"  # the change before last week's counts as well
    assert MLModel.objects.filter(service="customer_segmentation", is_active=True).count() == 1
    assert CustomerSegment.objects.values("model").distinct().count() == 1


def test_an_old_version_can_be_put_back_from_its_file(run):
    work = service(obvious())
    first = work.train(run)
    columns = ["customer_id", "segment", "confidence", "value_12", "explanation", "advice", "expected_next"]
    rows = list(CustomerSegment.objects.order_by("customer_id").values_list(*columns))
    work.train(run, n_clusters=9)
    work.put_in_service(first, work.content(first))
    assert list(CustomerSegment.objects.order_by("customer_id").values_list(*columns)) == rows


def test_the_file_holds_everything():
    result = segment_customers(lines([*busy(60), ("ñandú 北", 3, 5.0)]), AS_OF)
    content = pack(result)
    assert_frame_equal(unpack(content), result.customers, check_exact=True)
    assert not any(array.dtype.hasobject for array in content.arrays.values())
    assert (
        as_rows(unpack(content), 1, currency="EUR")["customer_id"].to_list()
        == result.customers["customer_id"].to_list()
    )
    memory = remembered(content)
    assert (memory.as_of, memory.drawn) == (result.as_of, result.drawn)
    frozen, kept = result.groups.frozen, memory.frozen
    assert frozen is not None
    assert kept is not None
    for name in ("centres", "names", "far", "edges", "shares"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(frozen, name))
    again = segment_customers(lines([*busy(60), ("ñandú 北", 3, 5.0)]), AS_OF, memory=memory)
    assert again.changes is not None
    assert again.changes.is_empty()


def test_a_file_of_an_older_release_is_read_with_what_it_has():
    result = segment_customers(lines(busy(40)), AS_OF)
    content = pack(result)
    younger = {"rival", "axis_1", "axis_2", "held", "previous", "changed_on", "spent_year", "at_stake"}
    arrays = {name: array for name, array in content.arrays.items() if name not in younger}
    meta = {name: value for name, value in content.meta.items() if name != "drawn"}
    old = Content(meta, arrays)
    rows = as_rows(unpack(old), 1, currency="EUR")
    assert rows["segment"].to_list() == as_rows(result.customers, 1, currency="EUR")["segment"].to_list()
    assert set(rows["previous_segment"]) == {""}
    assert remembered(old).frozen is None


@pytest.mark.parametrize("k", [2, 12])
def test_other_numbers_of_clusters_say_how_they_share_the_names(run, k):
    model = service(obvious()).train(run, n_clusters=k)
    assert len(model.metrics["cluster_names"]) == k
    assert set(CustomerSegment.objects.values_list("segment", flat=True)) <= set(NAMES)
    assert CustomerSegment.objects.order_by("-cluster").first().cluster < k  # type: ignore[union-attr]


@pytest.mark.parametrize("k", [1, 13, True, "6", 2.5])
def test_clusters_out_of_range(run, k):
    with pytest.raises(BadParameter):
        service(obvious()).train(run, n_clusters=k)


def test_an_unknown_parameter_is_refused(run):
    with pytest.raises(BadParameter, match="clusters_n"):
        service(obvious()).train(run, clusters_n=6)


def test_a_lifetime_value_with_its_receipt(run):
    work = service(busy(300, days=700))
    model = work.train(run)
    clv = model.metrics["clv"]
    assert clv["model"] == "mbg_nbd_blend"
    assert model.receipt["error"] == clv["holdout"]["methods"][clv["model"]]
    assert model.receipt["baseline"]["name"] in NAIVE
    assert render(run.result["served"]["why"])
    assert clv["discount_monthly"] == 0.01
    assert clv["margin"] == {
        "share": None,
        "revenue_covered": pytest.approx(0, abs=0.01),
    }  # one variant's cost is known
    rows = CustomerSegment.objects.all()
    assert clv["totals"]["months_12"] == pytest.approx(sum(row.value_12 or 0 for row in rows), abs=1)
    assert all(row.value_lower <= row.value_12 <= row.value_upper for row in rows)  # type: ignore[operator]
    assert all(0 < (row.probability_90d or 0) < 1 for row in rows)


def test_under_fifteen_months_no_chance_in_digits(run):
    model = service(busy(300, days=400)).train(run)
    assert model.metrics["clv"]["probability"]["digits"] is False
    assert "480" in render(model.metrics["clv"]["probability_reason"])
    assert not CustomerSegment.objects.filter(probability_90d__isnull=False).exists()


@pytest.mark.parametrize(("orders", "customers"), [(10, 5), (12, 1), (30, 20), (40, 3)])
def test_small_shops_are_answered(make_shop, run, orders, customers):
    make_shop(orders=orders, customers=customers)
    model = CustomerSegmentationService().train(run)
    assert model.metrics["method"] in {"rules", "ranks"}
    assert render(model.metrics["method_reason"])
    assert model.metrics["silhouette_score"] is None
    assert render(model.metrics["silhouette_reason"])
    assert render(model.metrics["clv"]["reason"])
    rows = list(CustomerSegment.objects.all())
    assert 1 <= len(rows) <= customers
    assert all(row.value_12 is None for row in rows)


@pytest.mark.parametrize(
    ("orders", "customers", "code"),
    [(0, 5, "segment.not_enough_sales"), (1, 5, "segment.not_enough_sales"), (9, 5, "segment.not_enough_sales"),
     (40, 0, "segment.no_customers")],
)  # fmt: skip
def test_too_little_to_segment_says_what_is_needed(make_shop, run, orders, customers, code):
    make_shop(orders=orders, customers=customers)
    with pytest.raises(NotEnoughHistory) as caught:
        CustomerSegmentationService().train(run)
    assert caught.value.code == code
    assert "{" not in render({"code": code, "params": caught.value.details})
    assert not MLModel.objects.exists()


def test_a_shop_where_everything_was_returned(run):
    sales = [(f"c{i:02}", 40 + i, 10.0) for i in range(40)] + [(f"c{i:02}", 5, -10.0) for i in range(40)]
    work = service(sales)
    work.train(run)
    row = work.segment("c00")
    assert row.total_spent == 0
    assert "Has returned as much as was bought, or more." in sentences(row.explanation)


def test_every_message_the_mathematics_can_name_has_a_text():
    assert all(f"segment.rule_{rule}" in TEXTS for rule in RULES if rule)
    assert all(f"segment.advise_{name}" in TEXTS for name in NAMES)
    assert set(NAMES) | set(AXES) | set(DRIVERS[1:]) <= set(READABLE)
    assert set(DRIVERS[1:]) == set(Driver.values)
    assert list(NAMES) == Segment.values


def test_an_interrupted_publication_leaves_the_rows_alone(run):
    work = service(obvious())
    work.train(run)
    rows = list(CustomerSegment.objects.order_by("customer_id").values_list("customer_id", "model_id"))

    def lost(result: dict[str, Any]) -> None:
        raise RuntimeError("another worker has it")

    with pytest.raises(RuntimeError):
        work.train(SimpleNamespace(log_id=run.log_id, progress=run.progress, published=lost))
    assert list(CustomerSegment.objects.order_by("customer_id").values_list("customer_id", "model_id")) == rows
