"""The one screen while trainings publish."""

from __future__ import annotations

from typing import Any

import pytest

from ml_predictions import selectors
from ml_predictions.models import CustomerSegment, MLModel

ROW = {
    "cluster": 0, "segment": "vip", "confidence": 1, "recency_days": 1, "total_orders": 1, "total_spent": 10,
    "avg_order_value": 10, "purchase_frequency_monthly": 1, "recency_score": 1, "frequency_score": 1,
    "monetary_score": 1,
}  # fmt: skip


def test_a_version_published_while_it_is_read_is_shown_whole(
    api: Any, make_model: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
):
    old = make_model("customer_segmentation", 1, is_active=True)
    CustomerSegment.objects.create(model=old, customer_id="1", **ROW)
    read = selectors._sales

    def published_meanwhile(*arguments: Any) -> Any:
        if MLModel.objects.count() == 1:
            CustomerSegment.objects.all().delete()
            MLModel.objects.update(is_active=False)
            new = make_model("customer_segmentation", 2, is_active=True)
            CustomerSegment.objects.create(model=new, customer_id="1", **ROW)
        return read(*arguments)

    monkeypatch.setattr(selectors, "_sales", published_meanwhile)
    body = api.get("/api/ml/dashboard-summary/").json()
    assert body["customers"]["vip_customers"] == 1
    assert [row["version"] for row in body["recent_models"] if row["is_active"]] == [2]
    with django_assert_max_num_queries(15):
        api.get("/api/ml/dashboard-summary/")
