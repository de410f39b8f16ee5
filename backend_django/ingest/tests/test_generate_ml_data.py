"""The demo generator: into an empty database, never over a real shop, and on with it day by day."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.management import call_command
from django.db.models import Sum
from django.utils import timezone
from rich.console import Console

import generate_ml_data as demo
from authentication.models import User
from ingest import canonical, hints
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant, StockMovement
from purchasing.models import PurchaseOrder
from retail_ml import synthetic

END = date(2026, 6, 30)


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "memory_path", lambda: tmp_path / "demo_shop.json")


def fill(**options):
    return demo.fill_demo(**{"orders": 80, "end": END, "quiet": True} | options)


def contents() -> dict[str, list]:
    """Everything that the generator writes, without database ids."""
    return {
        "orders": list(
            Order.objects.order_by("order_number").values_list(
                "order_number", "placed_at", "status", "subtotal", "shipping", "total", "customer__external_id"
            )
        ),
        "items": sorted(
            OrderItem.objects.values_list("order__order_number", "variant__sku", "units", "unit_price", "amount")
        ),
        "returns": sorted(OrderReturn.objects.values_list("reference", "units", "amount", "returned_at")),
        "movements": sorted(StockMovement.objects.values_list("kind", "reference", "units", "at")),
        "stock": sorted(ProductVariant.objects.values_list("sku", "stock", "product__status")),
        "purchases": sorted(
            PurchaseOrder.objects.values_list("number", "status", "lines__variant__sku", "lines__received_units")
        ),
        "customers": sorted(User.objects.filter(role="customer").values_list("external_id", "email")),
    }


def test_the_tables_are_the_canonical_ones():
    assert {name: schema for name, (schema, _) in canonical.TABLES.items()} == synthetic.SCHEMAS
    shop = synthetic.make_shop(orders=40, days=60, end=END, seed=2)
    for name, frame in shop.tables().items():
        assert canonical.check(frame, name).equals(frame), name


@pytest.mark.django_db
def test_an_empty_database_gets_the_whole_shop():
    shop = fill()
    assert Order.objects.count() == shop.orders.height
    assert OrderItem.objects.count() == shop.lines.height
    assert OrderReturn.objects.count() == shop.returns.height
    assert StockMovement.objects.count() == shop.movements.height
    assert ProductVariant.objects.count() == shop.catalogue.height
    assert User.objects.filter(role="customer").count() == shop.customers.height
    amount = shop.lines["units"] * shop.lines["unit_price"]
    stored = OrderItem.objects.aggregate(total=Sum("amount"))["total"]
    assert float(stored) == pytest.approx(float(amount.sum() - shop.lines["discount"].sum()), abs=0.001)


@pytest.mark.django_db
def test_stock_is_the_sum_of_its_movements_and_never_negative():
    fill()
    moved = dict(StockMovement.objects.values_list("variant").annotate(Sum("units")))
    stock = dict(ProductVariant.objects.values_list("pk", "stock"))
    assert stock == {pk: moved.get(pk, 0) for pk in stock}
    assert min(stock.values()) >= 0
    assert max(stock.values()) > 0


@pytest.mark.django_db
def test_totals_of_an_order_are_those_of_its_lines():
    fill()
    order = Order.objects.filter(channel="online", shipping__gt=0).first()
    assert order.subtotal == sum(item.amount for item in order.items.all())
    assert order.total == order.subtotal + order.shipping


@pytest.mark.django_db
def test_a_second_run_changes_nothing():
    fill()
    before = contents()
    fill()
    assert contents() == before


@pytest.mark.django_db
def test_a_run_that_was_broken_off_is_finished(monkeypatch):
    from ingest import load

    def broken(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(load, "movements", broken)
        with pytest.raises(KeyboardInterrupt):
            fill()
    assert not StockMovement.objects.exists()
    shop = fill()
    assert StockMovement.objects.count() == shop.movements.height


@pytest.mark.django_db
def test_appended_days_give_the_shop_that_was_longer_from_the_start():
    fill()
    for days in (20, 25):
        demo.write(demo.plan_append(days), progress=lambda done, step: None)
    grown = contents()
    assert demo.remembered().last_day == END + timedelta(days=45)
    longer = synthetic.make_shop(orders=80, days=demo.DAYS, end=END, seed=demo.SEED, extra_days=45)
    assert len(grown["orders"]) == longer.orders.height
    assert [row[:3] for row in grown["orders"]] == longer.orders.select("order_number", "placed_at", "status").rows()
    assert len(grown["movements"]) == longer.movements.height
    assert len(grown["returns"]) == longer.returns.height
    purchases = longer.purchases.select("number", "status", "sku", "received_units").rows()
    assert grown["purchases"] == sorted(purchases)
    assert max(row[1] for row in grown["orders"]) > datetime(2026, 7, 20, tzinfo=UTC)


@pytest.mark.django_db
def test_a_real_shop_is_not_written_into_unless_forced(make_shop, capsys):
    make_shop(orders=5, products=4, customers=3)
    with pytest.raises(demo.Refused, match=r"real shop \(5 orders, 4 products\).*--force"):
        fill()
    assert demo.run(demo.options(["--orders", "20", "--end", "2026-06-30"])) == 2
    assert "--force" in capsys.readouterr().err
    assert Order.objects.count() == 5
    assert demo.run(demo.options(["--orders", "20", "--end", "2026-06-30", "--force"])) == 0
    assert Order.objects.exclude(order_number__startswith=synthetic.ORDER_PREFIX).count() == 5
    assert Order.objects.count() > 15


@pytest.mark.django_db
def test_another_demo_is_not_mixed_with_the_one_that_is_there(tmp_path):
    fill()
    with pytest.raises(demo.Refused, match="seed 7, until 2026-06-30"):
        fill(seed=8)
    (tmp_path / "demo_shop.json").unlink()
    with pytest.raises(demo.Refused, match="demo shop already"):
        fill()
    with pytest.raises(demo.Refused, match="no demo shop to add days to"):
        demo.plan_append(3)


@pytest.mark.django_db
def test_orders_that_are_not_of_this_demo_are_noticed():
    fill()
    Order.objects.filter(order_number="DEMO-0000001").update(placed_at=timezone.now())
    with pytest.raises(demo.Refused, match="DEMO-0000001"):
        fill()


@pytest.mark.django_db
def test_append_needs_a_demo_and_a_positive_number(capsys):
    assert demo.run(demo.options(["--append", "3"])) == 2
    assert "Make one first" in capsys.readouterr().err
    assert demo.run(demo.options(["--append", "0"])) == 2


@pytest.mark.django_db
def test_what_is_forgotten_with_the_database_does_not_hold_up_a_new_one():
    """The file of parameters outlived its database: an empty one starts anew."""
    demo._remember(demo.Demo(orders=50, lines=None, seed=3, days=100, end="2025-01-01", written_until="2025-01-01"))
    shop = fill()
    assert Order.objects.count() == shop.orders.height
    assert demo.remembered().seed == demo.SEED


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["catalogue", "orders", "movements"])
def test_a_demo_that_was_cut_short_is_finished_by_the_next_start(monkeypatch, where):
    from core.management.commands import start
    from ingest import load

    def killed(*_, **__):
        raise KeyboardInterrupt

    assert not demo.finish_demo(quiet=True)  # nothing was begun
    with monkeypatch.context() as broken:
        broken.setattr(load, where, killed)
        with pytest.raises(KeyboardInterrupt):
            fill()
    if where == "catalogue":  # nothing was written: it begins anew
        fill()
    start._fill(Console(quiet=True))
    whole = contents()
    assert all(whole.values())
    assert not demo.finish_demo(quiet=True)
    start._fill(Console(quiet=True))
    assert contents() == whole


@pytest.mark.django_db
def test_it_ends_yesterday_unless_told_otherwise():
    with time_machine.travel(datetime(2026, 3, 4, 12, tzinfo=UTC), tick=False):
        assert demo.fill_demo(orders=20, quiet=True).end == date(2026, 3, 3)


@pytest.mark.django_db
def test_progress_is_told_and_ends_at_a_hundred():
    told = []
    fill(progress=lambda done, step: told.append((done, step)))
    done = [percent for percent, _ in told]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 100)
    assert {"Orders", "Customers", "Stock movements"} <= {step for _, step in told}


@pytest.mark.django_db
def test_the_summary_and_the_warning_about_days_to_come(capsys):
    with time_machine.travel(datetime(2026, 6, 20, 12, tzinfo=UTC), tick=False):
        demo.fill_demo(orders=20, end=END)
    printed = capsys.readouterr().out
    for word in ("Orders", "Customers", "Revenue", "Stock-outs", "2026-06-30", "future"):
        assert word in printed


@pytest.mark.django_db
def test_the_shops_currency_is_used(settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "CURRENCY": "GBP"}
    fill(orders=20)
    assert set(Order.objects.values_list("currency", flat=True)) == {"GBP"}


def test_a_size_that_cannot_be_is_a_sentence_not_a_traceback(db, capsys):
    assert demo.run(demo.options(["--orders", "3"])) == 2
    assert "between 10 and" in capsys.readouterr().err
    assert not Product.objects.exists()


def test_append_goes_with_no_other_choice(capsys):
    with pytest.raises(SystemExit):
        demo.options(["--append", "3", "--seed", "4"])
    assert "leave out --seed" in capsys.readouterr().err


@pytest.mark.django_db
def test_the_sales_as_a_file_to_try_an_import_with(tmp_path):
    path = tmp_path / "orders.csv"
    wanted = demo.options(["--csv", str(path), "--orders", "80", "--end", str(END), "--days", "90"])
    assert demo.run(wanted) == 0
    assert not Order.objects.exists()
    shop = synthetic.make_shop(orders=80, days=90, end=END, seed=demo.SEED)
    named = ["--map", "order_number=Order", "--map", "placed_at=Date"]
    call_command("import_sales", str(path), "--preset", "generic", *named, stdout=io.StringIO())
    assert Order.objects.count() == shop.orders["order_number"].n_unique()
    assert OrderItem.objects.aggregate(n=Sum("units"))["n"] == shop.lines["units"].sum()
    first = shop.orders.row(0, named=True)
    assert Order.objects.get(order_number=first["order_number"]).placed_at == first["placed_at"].replace(second=0)


@pytest.mark.django_db
def test_a_file_that_cannot_be_written_is_a_sentence_not_a_traceback(tmp_path, capsys):
    wanted = demo.options(["--csv", str(tmp_path / "missing" / "orders.csv"), "--orders", "40", "--days", "60"])
    assert demo.run(wanted) == 2
    assert "missing/orders.csv" in capsys.readouterr().err


def test_nothing_happens_at_import():
    code = "import sys, generate_ml_data; print([m for m in ('django', 'polars', 'numpy') if m in sys.modules])"
    folder = Path(demo.__file__).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.django_db
def test_imports_warn_beside_the_demo():
    assert hints.beside_the_demo() == ""
    fill()
    assert "demo boutique" in hints.beside_the_demo()
