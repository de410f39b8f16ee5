"""`import_products` and `import_stock`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.models import ImportRun
from ingest.tests.platforms import GOLDEN
from products.models import Product, ProductVariant, StockMovement
from purchasing.models import Supplier

pytestmark = pytest.mark.django_db
PRODUCTS = """sku;product_code;product_name;category;price;cost;supplier;supplier_lead_time_days;pack_size;size
A-S;A;Camisa;Camisas;29,90;12,4050;Norte;9;6;S
A-M;A;Camisa;Camisas;29,90;12,4050;Norte;9;6;M
B;;Bolso;Bolsos;49;;;;0;
C;;;Bolsos;49;;;;;
A-S;A;Camisa;;1;;;;;
D;;Gorra;;-3;;;;;
"""


def run(command: str, path: Path, text: str, **options) -> str:
    path.write_text(text)
    out = StringIO()
    call_command(command, str(path), stdout=out, **options)
    return out.getvalue()


@pytest.mark.postgres
def test_products_with_costs_and_suppliers(tmp_path):
    out = run("import_products", tmp_path / "p.csv", PRODUCTS)
    assert "Products                         2 new         0 unchanged         0 changed" in out
    for line in (
        "line 4: Units per pack is “0”", "line 5: the shop has no SKU C; with a product's name it is made",
        "line 6: the SKU A-S stands in an earlier row", "line 7: Price is “-3”",
    ):  # fmt: skip
        assert line in out
    product = Product.objects.get()
    assert (product.name, product.category.name, product.price) == ("Camisa", "Camisas", Decimal("29.90"))
    small = product.variants.get(sku="A-S")
    assert (small.cost, small.pack_size, small.options) == (Decimal("12.4050"), 6, {"size": "S"})
    assert (small.supplier_item.supplier.name, Supplier.objects.get().lead_time_days) == ("Norte", 9)
    assert "Products                         0 new         2 unchanged         0 changed" in run(
        "import_products", tmp_path / "p.csv", PRODUCTS
    )
    changed = run("import_products", tmp_path / "q.csv", "sku,cost\nA-M,11\n")
    assert "Products                         0 new         0 unchanged         1 changed" in changed
    assert ProductVariant.objects.get(sku="A-M").cost == 11
    assert Product.objects.get().category.name == "Camisas"


def test_a_seasons_end_is_a_day_of_the_shop(tmp_path):
    out = run("import_products", tmp_path / "p.csv", "sku,product_name,season_end\nA,Shirt,31/08/2026\nB,Hat,soon\n")
    assert "line 3: Last day of the season is “soon”" in out
    assert ProductVariant.objects.get().season_end == date(2026, 8, 31)


@pytest.mark.postgres
def test_a_count_sets_the_stock_once(tmp_path):
    run("import_products", tmp_path / "p.csv", "sku,product_name\nA,Shirt\nB,Hat\n")
    counts = "sku,counted\nA,12\nB,0\nZ,5\n"
    out = run("import_stock", tmp_path / "s.csv", counts, errors=tmp_path / "e.csv")
    assert "Counts                           1 new         1 unchanged" in out
    assert "line 4: the shop has no SKU Z" in (tmp_path / "e.csv").read_text().replace(",4,", ", line 4: ")
    assert "Counts                           0 new         2 unchanged" in run(
        "import_stock", tmp_path / "s.csv", counts
    )
    run("import_stock", tmp_path / "s.csv", "sku,counted\nA,9\n")
    run("import_stock", tmp_path / "s.csv", "sku,counted\nA,12\n")
    assert ProductVariant.objects.get(sku="A").stock == 12
    assert list(StockMovement.objects.order_by("pk").values_list("kind", "units")) == [
        ("adjustment", 12), ("adjustment", -3), ("adjustment", 3),
    ]  # fmt: skip


def test_a_count_in_the_past_leaves_what_was_sold_since(tmp_path):
    run("import_products", tmp_path / "p.csv", "sku,product_name\nA,Shirt\n")
    variant = ProductVariant.objects.get()
    StockMovement.objects.create(variant=variant, kind="sale", units=-2, at=timezone.now(), reference="x")
    ProductVariant.objects.update(stock=-2)
    run("import_stock", tmp_path / "s.csv", "sku,counted,counted_at\nA,10,2026-01-05 20:00\n")
    assert ProductVariant.objects.get().stock == 8
    out = run("import_stock", tmp_path / "s.csv", "sku,counted,counted_at\nA,10,2026-01-05 20:00\n")
    assert "Counts                           0 new         1 unchanged" in out


@pytest.mark.postgres
@pytest.mark.parametrize("batch", [1, 1000])
def test_counts_of_many_days_become_the_past_of_the_stock(tmp_path, monkeypatch, batch):
    monkeypatch.setattr("ingest.undo.BATCH", batch)
    run("import_products", tmp_path / "p.csv", "sku,product_name\nA,Shirt\nB,Hat\n")
    variant = ProductVariant.objects.get(sku="A")
    for day, units in ((6, -2), (9, -3), (20, -1)):
        at = datetime(2026, 1, day, 12, tzinfo=UTC)
        StockMovement.objects.create(variant=variant, kind="sale", units=units, at=at, reference=str(day))
    ProductVariant.objects.filter(sku="A").update(stock=-6)
    counts = "sku,counted,counted_at\nA,4,2026-01-10 20:00\nB,7,2026-01-10 20:00\nA,9,2026-01-05 20:00\n"
    counts += "A,0,2026-01-08 20:00\nA,1,2026-01-10 20:00\n"
    out = run("import_stock", tmp_path / "s.csv", counts)
    assert "line 6: the SKU A stands in an earlier row" in out
    assert "Counts                           4 new         0 unchanged" in out
    adjustments = StockMovement.objects.filter(variant=variant, kind="adjustment").order_by("at")
    # 9 where 0 was known; 2 were sold, 0 left instead of 7; 3 were sold, 4 there instead of -3
    assert list(adjustments.values_list("at__day", "units")) == [(5, 9), (8, -7), (10, 7)]
    assert ProductVariant.objects.get(sku="A").stock == 3  # one was sold since the last count
    assert "0 new         4 unchanged" in run("import_stock", tmp_path / "s.csv", counts)
    call_command("undo_import", str(ImportRun.objects.get(counts__counts__created=4).pk), yes=True, stdout=StringIO())
    assert dict(ProductVariant.objects.values_list("sku", "stock")) == {"A": -6, "B": 0}


def test_a_count_before_a_stored_one_does_not_move_the_stock_of_today(tmp_path):
    run("import_products", tmp_path / "p.csv", "sku,product_name\nA,Shirt\nB,Hat\n")
    run("import_stock", tmp_path / "s.csv", "sku,counted,counted_at\nA,10,2026-01-09 20:00\n")
    out = run(
        "import_stock", tmp_path / "s.csv", "sku,counted,counted_at\nA,3,2026-01-05 20:00\nB,1,2026-01-05 20:00\n"
    )
    assert "line 2: the SKU A was counted later already" in out
    assert dict(ProductVariant.objects.values_list("sku", "stock")) == {"A": 10, "B": 1}


def test_a_dry_run_and_a_missing_column(tmp_path):
    out = run("import_products", tmp_path / "p.csv", PRODUCTS, dry_run=True)
    assert "2 new" in out
    assert Product.objects.count() == 0
    with pytest.raises(CommandError, match=r"lacks a column for: counted; it has: sku, units.*--map counted"):
        run("import_stock", tmp_path / "s.csv", "sku,units\nA,1\n")


TABLES = [
    *((GOLDEN / "shopify" / name, kind) for name, kind in (
        ("products_old.csv", "products"), ("products_new.csv", "products"), ("products_old.csv", "stock"),
        ("inventory_new.csv", "stock"), ("inventory_places.csv", "stock"),
    )),
    (GOLDEN / "woocommerce/products.json", "products"), (GOLDEN / "woocommerce/products.json", "stock"),
    (GOLDEN / "prestashop/products.json", "products"), (GOLDEN / "prestashop/stock_availables.json", "stock"),
]  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.data(), st.sampled_from(TABLES))
def test_damaged_tables_of_platforms_are_never_a_crash(tmp_path, data, table):
    source, kind = table
    text = source.read_text()
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text = (
            text[:at] + data.draw(st.sampled_from(["", "x", ",", '"', "-1", "0", "ñ" * 60, "9" * 12])) + text[at + 1 :]
        )
    path = tmp_path / source.name
    path.write_text(text[: data.draw(st.just(len(text)) | st.integers(0, len(text)))])
    out = StringIO()
    try:
        call_command(f"import_{kind}", str(path), stdout=out)
    except CommandError as error:
        message = str(error)
    else:
        message = ""
    assert (source.name in message) if message else ("Rows left out" in out.getvalue())
