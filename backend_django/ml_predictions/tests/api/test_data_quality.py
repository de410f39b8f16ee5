"""`data-quality/`."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import translation

from ml_predictions.messages import TEXTS
from retail_ml import quality

PATH = "/api/ml/data-quality/"


def test_faults_with_counts_examples_and_sentences(api: Any, make_shop: Any, django_assert_max_num_queries: Any):
    from orders.models import Order, OrderItem
    from products.models import ProductVariant

    make_shop(orders=60, products=6, customers=20)
    item = OrderItem.objects.order_by("pk").first()
    OrderItem.objects.filter(pk=item.pk).update(amount=0)
    ProductVariant.objects.filter(pk=item.variant_id).update(cost=None)
    last = Order.objects.exclude(pk=item.order_id).order_by("-pk").first()
    Order.objects.filter(pk=last.pk).update(is_test=True)
    with django_assert_max_num_queries(25):
        body = api.get(PATH).json()
    found = {one["code"]: one for one in body["findings"]}
    assert found["free_lines"]["count"] == 1
    assert found["free_lines"]["examples"][0]["order_id"] == str(item.order_id)
    assert found["no_cost"]["services"] == ["inventory_optimization"]
    assert found["left_out_test_order"]["count"] == last.items.count()
    assert found["free_lines"]["message"].startswith("1 of ")
    assert body["services"]["inventory_optimization"] >= 2
    assert api.get(PATH, HTTP_ACCEPT_LANGUAGE="es").json()["note"].startswith("Con todo esto se entrena")
    out = StringIO()
    with pytest.raises(SystemExit), translation.override("en"):
        call_command("check_ml_data", stdout=out)
    assert found["no_cost"]["message"][:20] in out.getvalue()


def test_a_shop_without_anything(api: Any):
    body = api.get(PATH).json()
    assert (body["findings"], body["as_of"], body["note"]) == ([], None, "No faults were found.")


def test_every_fault_has_its_sentence():
    import inspect
    import re

    codes = set(re.findall(r'finding\(\s*"(\w+)"', inspect.getsource(quality)))
    codes |= set(re.findall(r'^        "(\w+)": \(', inspect.getsource(quality), re.MULTILINE))
    assert len(codes) == 24
    assert not {code for code in codes if f"quality.{code}" not in TEXTS}
