"""Stock in the admin: read-only on the variant, changed by adding a movement."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from products.models import Product, ProductVariant, StockMovement

ADD = "admin:products_stockmovement_add"


@pytest.fixture
def variant(cast, client):
    client.force_login(cast["ada"])
    return ProductVariant.objects.create(product=Product.objects.create(name="Shirt"), sku="S1", stock=5)


def movement(variant: ProductVariant, kind: str = "write_off", units: int = -2) -> dict[str, Any]:
    return {"variant": variant.pk, "kind": kind, "units": units, "reference": "", "note": ""}


def test_adding_a_movement_moves_the_stock_and_says_who_did_it(client, variant):
    answer = client.post(reverse(ADD), movement(variant))
    assert answer.status_code == 302, answer.context["errors"]
    variant.refresh_from_db()
    row = StockMovement.objects.latest("pk")
    assert (variant.stock, row.units, row.note, row.reference) == (3, -2, "ada@shop.test", None)


@pytest.mark.parametrize(("kind", "units"), [("write_off", 2), ("sale", -1), ("receipt", 1), ("", 1)])
def test_a_wrong_sign_and_kinds_that_have_a_service_of_their_own_are_refused(client, variant, kind, units):
    assert client.post(reverse(ADD), movement(variant, kind, units)).status_code == 200
    assert StockMovement.objects.count() == 1


def test_the_same_reference_twice_is_an_error_of_the_form(client, variant):
    data = movement(variant) | {"reference": "count-1"}
    assert client.post(reverse(ADD), data).status_code == 302
    assert client.post(reverse(ADD), data).status_code == 200
    variant.refresh_from_db()
    assert variant.stock == 3


def test_a_movement_is_never_changed_or_deleted(client, variant):
    pk = StockMovement.objects.get().pk
    change = client.post(reverse("admin:products_stockmovement_change", args=[pk]), movement(variant))
    delete = client.post(reverse("admin:products_stockmovement_delete", args=[pk]), {"post": "yes"})
    assert (change.status_code, delete.status_code) == (403, 403)


def test_stock_is_read_only_on_the_page_of_the_variant(client, variant):
    url = reverse("admin:products_productvariant_change", args=[variant.pk])
    assert 'name="stock"' not in client.get(url).content.decode()
    data = {"product": variant.product_id, "sku": "S1", "options": "{}", "reserved": 0, "pack_size": 6, "stock": 99}
    data |= {"minimum_order": 1, "created_at_0": "2026-01-01", "created_at_1": "10:00"}
    for inline in ("supplier_item", "supplier_prices"):
        data |= {f"{inline}-TOTAL_FORMS": 0, f"{inline}-INITIAL_FORMS": 0}
    answer = client.post(url, data)
    assert answer.status_code == 302, answer.context["errors"]
    variant.refresh_from_db()
    assert (variant.stock, variant.pack_size) == (5, 6)


def test_a_price_that_no_order_line_could_hold_is_refused(client, variant):
    url = reverse("admin:products_product_change", args=[variant.product_id])
    data = {"name": "Shirt", "status": "active", "price": "100000000.00", "created_at_0": "2026-01-01",
            "created_at_1": "10:00", "variants-TOTAL_FORMS": 0, "variants-INITIAL_FORMS": 0}  # fmt: skip
    answer = client.post(url, data)
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["price"]
    assert client.post(url, {**data, "price": "99999999.99"}).status_code == 302


def test_a_variant_with_history_and_a_product_with_variants_are_not_deleted(client, variant):
    for name, pk in (("productvariant", variant.pk), ("product", variant.product_id)):
        assert client.get(reverse(f"admin:products_{name}_delete", args=[pk])).status_code == 403
        assert "delete_selected" not in client.get(reverse(f"admin:products_{name}_changelist")).content.decode()


def test_a_product_without_variants_is_deleted(client, variant):
    bare = Product.objects.create(name="Bare")
    client.post(reverse("admin:products_product_delete", args=[bare.pk]), {"post": "yes"})
    assert not Product.objects.filter(pk=bare.pk).exists()
