"""`import_sales` on small files: every trap of the real data, every row and cent accounted for."""

from __future__ import annotations

import csv
import gzip
import os
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from django.core.management import CommandError, call_command
from django.db.models import F, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authentication.models import User
from ingest import report, rows, sales
from ingest.presets import PRESETS
from orders.models import Order, OrderItem, OrderReturn
from products.models import Product, ProductVariant, StockMovement

pytestmark = pytest.mark.django_db
HEADER = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
UK = "United Kingdom"
INVOICES = [
    ["489434", "85048", "GLASS BALL ", 12, "2010-07-01 07:45", "6.95", "13085", UK],
    ["489434", "85048", "GLASS BALL ", 12, "2010-07-01 07:45", "6.95", "13085", UK],
    ["489434", "79323p", "PINK  LIGHTS", 2, "2010-07-01 07:46", "6.75", "13085", UK],
    ["489434", "POST", "POSTAGE", 1, "2010-07-01 07:45", "18.00", "13085", UK],
    ["489435", "79323P", "damaged?", 3, "2010-07-02 09:00", "6.75", "", UK],
    ["489436", "79323P", "PINK LIGHTS", 80995, "2010-07-03 09:15", "2.08", "16446", UK],
    ["C489437", "79323P", "PINK LIGHTS", -80995, "2010-07-03 09:27", "2.08", "16446", UK],
    ["C489438", "85048", "GLASS BALL", -20, "2010-07-09 10:00", "6.95", "13085", UK],
    ["C489439", "85048", "GLASS BALL", -5, "2010-07-10 10:00", "6.95", "13085", UK],
    ["C489440", "85048", "GLASS BALL", -1, "2010-07-10 10:00", "6.95", "", UK],
    ["489441", "85048", "wet", -7, "2010-07-10 10:00", "0", "", UK],
    ["489442", "85048", "found", 4, "2010-07-10 10:00", "0", "", UK],
    ["A506401", "B", "Adjust bad debt", 1, "2010-07-11 10:00", "-53594.36", "", UK],
    ["489443", "M", "Manual", 1, "2010-07-11 10:00", "5.00", "13085", UK],
    ["489443", "POST", "POSTAGE", 1, "2010-07-11 10:00", "3.00", "13085", UK],
    ["489444", "85048", "GLASS BALL", 1, "2010-07-11 10:00", "-1.00", "13085", UK],
    ["C489445", "85048", "GLASS BALL", 1, "2010-07-11 10:00", "1.00", "13085", UK],
]


def csv_file(path: Path, lines: list[list], *, header=HEADER, sep=",", encoding="utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=sep)
        writer.writerows([header, *lines])
    return path


def run(*files: Path, preset: str = "online-retail-ii", **options) -> str:
    out = StringIO()
    call_command("import_sales", *map(str, files), preset=preset, stdout=out, **options)
    return out.getvalue()


def snapshot() -> list:
    return [list(m.objects.order_by("pk").values_list()) for m in (Order, OrderItem, OrderReturn, Product, User)]


@pytest.mark.postgres
def test_the_traps_of_online_retail(tmp_path):
    text = run(csv_file(tmp_path / "a.csv", INVOICES), errors=tmp_path / "left.csv")
    assert "Difference                             0.00" in text
    assert set(Order.objects.values_list("order_number", "status", "currency")) == {
        (n, "completed", "GBP") for n in ("489434", "489435", "489436")
    }
    first = Order.objects.get(order_number="489434")
    assert first.placed_at == datetime(2010, 7, 1, 6, 45, tzinfo=UTC)  # British summer time
    assert (first.shipping, first.items.count(), first.customer.external_id) == (Decimal(18), 3, "13085")
    assert Order.objects.get(order_number="489435").customer is None
    assert set(ProductVariant.objects.values_list("sku", "product__name")) == {
        ("85048", "GLASS BALL"), ("79323P", "PINK LIGHTS"),
    }  # fmt: skip
    whole = OrderReturn.objects.get(units=80995)
    assert (whole.item.order.order_number, whole.item.units, whole.amount) == ("489436", 80995, Decimal("168469.60"))
    split = OrderReturn.objects.filter(reference__startswith="C489438/").order_by("reference")
    assert [(r.units, r.amount) for r in split] == [(12, Decimal("83.40")), (8, Decimal("55.60"))]
    part = OrderReturn.objects.get(reference__startswith="C489439/")
    assert (part.units, part.amount) == (4, Decimal("27.80"))  # 24 sold, 20 back before: the fifth has no sale
    with (tmp_path / "left.csv").open() as file:
        reasons = {(row["order_number"], row["reason"]) for row in csv.DictReader(file)}
    assert reasons == {
        ("C489440", "return_unmatched"), ("489441", "write_off"), ("489442", "zero_price"), ("A506401", "not_a_sale"),
        ("489443", "not_a_product"), ("489443", "charge_alone"), ("489444", "negative_price"),
        ("C489445", "cancellation_positive"),
    }  # fmt: skip
    assert "wholly alike: 1; kept" in text
    assert StockMovement.objects.count() == 0


@pytest.mark.postgres
def test_a_second_run_changes_nothing(tmp_path):
    file = csv_file(tmp_path / "a.csv", INVOICES)
    options = {"cost_share": Decimal("0.5"), "supplier": "Norte", "category": "common-word", "opening_stock_days": 30}
    run(file, **options)
    before = snapshot()
    assert "Orders                           0 new         3 unchanged         0 changed" in run(file, **options)
    assert snapshot() == before
    variant = ProductVariant.objects.get(sku="85048")
    assert (variant.cost, variant.supplier_item.supplier.name) == (Decimal("3.4750"), "Norte")
    assert variant.stock == 8  # 24 units in 90 days, for 30 days
    assert not ProductVariant.objects.annotate(sum=Sum("movements__units")).exclude(stock=F("sum")).exists()


def test_files_one_after_the_other_give_the_same_as_together(tmp_path):
    months = [
        csv_file(tmp_path / f"{i}.csv", part) for i, part in enumerate((INVOICES[:7], INVOICES[4:9], INVOICES[9:]))
    ]
    for month in months:
        run(month)
    apart = sorted(OrderReturn.objects.values_list("reference", "item__order__order_number", "units", "amount"))
    lines = sorted(OrderItem.objects.values_list("order__order_number", "variant__sku", "units"))
    Order.objects.all().delete()
    run(*months)
    assert sorted(OrderReturn.objects.values_list("reference", "item__order__order_number", "units", "amount")) == apart
    assert sorted(OrderItem.objects.values_list("order__order_number", "variant__sku", "units")) == lines


def test_sheets_that_overlap_and_parquet_names(tmp_path):
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx", {"default_date_format": "yyyy-mm-dd hh:mm"})
    for name, lines in (("Year 1", INVOICES[:6]), ("Year 2", INVOICES[3:])):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, HEADER)
        for number, row in enumerate(lines, 1):
            at = datetime.fromisoformat(row[4])
            cells = [
                int(row[0]) if row[0].isdigit() else row[0],
                *row[1:4],
                at,
                float(row[5]),
                row[6] and int(row[6]),
                UK,
            ]
            sheet.write_row(number, 0, cells)
    book.add_worksheet("Notes").write(0, 0, "made in 2011")
    book.close()
    text = run(tmp_path / "a.xlsx")
    assert "copy: the same row stands in another file" in text
    assert f"Rows read {6 + len(INVOICES) - 3:>14,}" in text
    from_book = sorted(OrderItem.objects.values_list("order__placed_at", "variant__sku", "units", "unit_price"))
    Order.objects.all().delete()
    names = ["invoice", "stock_code", "description", "quantity", "invoice_date", "price", "customer_id", "country"]
    typed = pl.DataFrame(INVOICES, schema=names, orient="row").with_columns(
        pl.col("invoice_date").str.to_datetime("%Y-%m-%d %H:%M", time_unit="us"),
        pl.col("price").cast(pl.Float64),
        pl.col("customer_id").cast(pl.Int32, strict=False),
    )
    typed.write_parquet(tmp_path / "a.parquet")
    run(tmp_path / "a.parquet")
    assert sorted(OrderItem.objects.values_list("order__placed_at", "variant__sku", "units", "unit_price")) == from_book
    assert OrderItem.objects.count() == 5


def test_two_exports_joined_in_one_file(tmp_path):
    """The published CSV: both sheets one after the other, and invoices of the overlap stand in two places."""
    text = run(csv_file(tmp_path / "a.csv", [*INVOICES[:7], *INVOICES[:4], *INVOICES[7:]]))
    assert "left out               4   copy" in text
    assert Order.objects.get(order_number="489434").items.count() == 3
    Order.objects.all().delete()
    # The order goes on further down with other rows: no copy.
    more = ["489434", "85048", "GLASS BALL", 12, "2010-07-01 07:45", "6.95", "13085", UK]
    text = run(csv_file(tmp_path / "b.csv", [*INVOICES[:7], more, *INVOICES[7:]]))
    assert "   copy: " not in text
    assert Order.objects.get(order_number="489434").items.count() == 4


def test_an_order_that_goes_on_elsewhere_is_no_copy_unless_all_of_it_is(tmp_path):
    other = [["3", "2026-01-04", "C", "1", "10", "", "", "", ""]]
    first = [["1", "2026-01-02", sku, "1", "10", "", "", "", ""] for sku in "AB"]
    again = [["1", "2026-01-02", sku, "1", "10", "", "", "", ""] for sku in "AC"]
    text = run(csv_file(tmp_path / "a.csv", first + other + again, header=GENERIC), preset="generic")
    assert "   copy: " not in text
    assert OrderItem.objects.count() == 5


def test_lines_of_two_orders_in_turn_are_no_copies(tmp_path):
    lines = [[number, "2026-01-02", "A", "1", "10", "", "", "", ""] for number in "1212"]
    run(csv_file(tmp_path / "a.csv", lines, header=GENERIC), preset="generic")
    assert OrderItem.objects.count() == 4


def test_returns_of_later_files_share_what_is_left(tmp_path):
    lines = [["1", "2026-01-02", "A", "5", "10", "7"], ["2", "2026-01-05", "A", "-3", "10", "7"],
             ["3", "2026-01-09", "A", "-4", "10", "7"]]  # fmt: skip
    for number, line in enumerate(lines):
        text = run(csv_file(tmp_path / f"{number}.csv", [line], header=GENERIC[:6]), preset="generic")
    assert "Of these returns 2 units (-20.00) found no sale" in text
    run(tmp_path / "1.csv", preset="generic")
    assert list(OrderReturn.objects.order_by("returned_at").values_list("units", "amount")) == [(3, 30), (2, 20)]


def test_a_file_sorted_by_article_keeps_lines_that_are_alike(tmp_path):
    lines = [["1", "2026-01-02", sku, "1", "10", "", "", "", ""] for sku in "AABB"]
    lines += [["2", "2026-01-03", sku, "1", "10", "", "", "", ""] for sku in "AB"]
    text = run(csv_file(tmp_path / "a.csv", sorted(lines, key=lambda x: x[2]), header=GENERIC), preset="generic")
    assert "   copy: " not in text
    assert OrderItem.objects.count() == 6


GENERIC = ["order", "date", "sku", "quantity", "price", "customer", "status", "shipping", "discount"]


@pytest.mark.parametrize(("encoding", "sep"), [("utf-8", ";"), ("utf-8-sig", "\t"), ("latin-1", ";"), ("utf-16", ",")])
def test_encodings_separators_and_decimal_comma(tmp_path, encoding, sep):
    lines = [
        ["1", "31/12/2025 23:30", "Camisón", "2", "1.234,50", "7", "", "4,90", "0,50"],
        ["1", "31/12/2025 23:30", "B", "1", "10", "", "delivered", "", ""],
        ["1", "05/01/2026", "B", "-1", "10", "", "", "", ""],
    ]
    run(csv_file(tmp_path / "a.csv", lines, header=GENERIC, sep=sep, encoding=encoding), preset="generic",
        time_zone="Europe/Madrid", currency="EUR")  # fmt: skip
    order = Order.objects.get()
    assert order.placed_at == datetime(2025, 12, 31, 22, 30, tzinfo=UTC)
    assert (order.subtotal, order.total, order.status) == (Decimal("2478.50"), Decimal("2483.40"), "delivered")
    assert set(order.items.values_list("variant__sku", flat=True)) == {"Camisón", "B"}
    assert OrderReturn.objects.get().item.variant.sku == "B"


def test_broken_rows_are_named_and_the_rest_is_stored(tmp_path):
    lines = [
        ["1", "2026-01-02 10:00", "A", "1", "2.50", "7", "", "", ""],
        ["2", "2026-02-30", "A", "1", "2.50", "7", "", "", ""],
        ["3", "2026-01-02", "A", "one", "2.50", "7", "", "", ""],
        ["4", "2026-01-02", "A", "1", "", "7", "", "", ""],
        ["5", "2026-01-02", "", "1", "2.50", "7", "", "", ""],
        ["6", "2026-01-02", "A", "1", "2.50", "7", "lost", "", ""],
        ["7", "2026-01-02", "A", "1", "2.50", "7", "", "", "3.00"],
        ["8", "2026-01-02", "A", "1.5", "2.50", "7", "", "", ""],
        ["9", "2026-01-02", 'A "x\n y"', "1", "2.50", "7"],
        ["10", "2026-01-02", "A", "1", "2.50", "7", "", "-1", ""],
        ["11", "2026-01-02", "A", "1", "100000000", "7", "", "", ""],
        ["12", "2026-01-02", "A", "20000", "99999999", "7", "", "", ""],
        ["13", "2026-01-02", "A", "2000000000", "99999999", "7", "", "", ""],
    ]
    text = run(csv_file(tmp_path / "a.csv", lines, header=GENERIC), preset="generic", errors=tmp_path / "e.csv")
    assert Order.objects.get().order_number == "1"
    with (tmp_path / "e.csv").open() as file:
        found = {int(row["line"]): row["detail"] for row in csv.DictReader(file)}
    assert found == {
        3: 'placed_at is "2026-02-30"', 4: 'units is "one"', 5: "unit_price is empty", 6: "sku is empty",
        7: 'status is "lost"', 8: "discount is more than the line", 9: 'units is "1.5"',
        11: found[11], 12: 'shipping is "-1"', 13: 'unit_price is "100000000"',
        14: "units × unit_price is more than a line can hold", 15: "units × unit_price is more than a line can hold",
    }  # fmt: skip
    assert found[11].startswith("6 columns instead of 9")
    assert "a.csv, line 3: Date and time" in text
    assert "Difference                             0.00" in text


def test_numbers_and_dates_stay_what_they_are_after_a_thousand_others(tmp_path):
    lines = [[str(i), "2026-01-02", "A", "1", "10", "", "", "", ""] for i in range(1000)]
    lines.append(["x", "2026-01-02", "B", "1", "2.5049", "g7", "", "", ""])
    run(csv_file(tmp_path / "a.csv", lines, header=GENERIC), preset="generic")
    assert OrderItem.objects.get(variant__sku="B").unit_price == Decimal("2.5049")
    assert Order.objects.get(order_number="x").customer.external_id == "g7"


def test_clock_changes(tmp_path):
    at = ["2010-03-28 01:30", "2010-10-31 01:30", "2010-10-31 02:30"]
    lines = [[f"48943{i}", "85048", "BALL", 1, moment, "1.00", "7", UK] for i, moment in enumerate(at)]
    run(csv_file(tmp_path / "a.csv", lines))
    stored = Order.objects.order_by("placed_at").values_list("placed_at", flat=True)
    assert [f"{moment:%m-%d %H:%M}" for moment in stored] == ["03-28 01:30", "10-31 00:30", "10-31 02:30"]


def test_files_that_cannot_be_read_say_so_and_leave_nothing(tmp_path):
    good = csv_file(tmp_path / "good.csv", INVOICES)
    pl.read_csv(good).write_parquet(tmp_path / "whole.parquet")
    book = xlsxwriter.Workbook(tmp_path / "whole.xlsx")
    book.add_worksheet().write_row(0, 0, HEADER)
    book.close()
    bad = {
        "missing.csv": (None, "does not exist"),
        "empty.csv": (b"", "is empty"),
        "blank.csv": (b"\n\n  \n", "is empty"),
        "picture.csv": (gzip.compress(b"x" * 99) + b"\0\0", "binary data"),
        "quote.csv": (good.read_bytes() + b'"489999,never closed', "cannot be read as CSV"),
        "cut.parquet": ((tmp_path / "whole.parquet").read_bytes()[:-60], "cannot be read as Parquet"),
        "cut.xlsx": ((tmp_path / "whole.xlsx").read_bytes()[:-60], "cut off"),
        "other.csv": (
            b"Invoice,StockCode,Qty\n1,2,3\n",
            r"lacks a column for placed_at, units.*It has: Invoice.*--map",
        ),
    }
    for name, (content, message) in bad.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(CommandError, match=message):
            run(good, tmp_path / name)
    with pytest.raises(CommandError, match="a header, but no rows"):
        run(csv_file(tmp_path / "header.csv", []))
    assert Order.objects.count() == 0
    assert Product.objects.count() == 0


def test_ambiguous_dates_are_asked_about_and_map_names_a_column(tmp_path):
    file = csv_file(
        tmp_path / "a.csv", [["1", "02/03/2026", "A", "1", "2"]], header=["n", "day", "sku", "units", "net"]
    )
    names = ["order_number=n", "day=placed_at", "unit_price=net"]
    with pytest.raises(CommandError, match="--date-order dmy or --date-order mdy"):
        run(file, preset="generic", map=names)
    run(file, preset="generic", map=names, date_order="dmy", time_zone="UTC")
    assert Order.objects.get().placed_at == datetime(2026, 3, 2, tzinfo=UTC)
    with pytest.raises(CommandError, match="no column 'gross'"):
        run(file, preset="generic", map=[*names[:2], "unit_price=gross"])


def test_a_dry_run_writes_nothing_and_says_the_same(tmp_path):
    file = csv_file(tmp_path / "a.csv", INVOICES)
    dry = run(file, dry_run=True)
    assert "Dry run: nothing was written." in dry
    assert Order.objects.count() == Product.objects.count() == User.objects.count() == 0
    money = [line.split()[-1] for line in dry.splitlines() if line.startswith(("  = lines", "  − returned"))]
    wet = run(file)
    assert money == [line.split()[-1] for line in wet.splitlines() if line.startswith(("  = lines", "  − returned"))]


def test_an_owners_changes_stay(tmp_path):
    file = csv_file(tmp_path / "a.csv", INVOICES)
    run(file)
    Product.objects.filter(code="85048").update(name="Bauble", price=Decimal("7.50"), status="inactive")
    run(file, cost_share=Decimal("0.4"))
    product = Product.objects.get(code="85048")
    assert (product.name, product.price, product.status) == ("Bauble", Decimal("7.50"), "inactive")


INVOICE = st.builds(
    lambda number, kind, code, units, price, customer, minute: [
        f"{kind}{number}", code, "THING", -units if kind == "C" else units,
        f"2010-07-{1 + minute // 60:02} 10:{minute % 60:02}", price, customer, UK,
    ],
    st.integers(489000, 489008), st.sampled_from(["", "", "C", "A"]),
    st.sampled_from(["85048", "22041a", "22041A", "POST", "M"]), st.integers(-3, 40),
    st.decimals(-2, 30, places=3).map(str) | st.sampled_from(["x", ""]),
    st.sampled_from(["", "12345", "12346"]), st.integers(0, 600),
)  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(INVOICE, min_size=1, max_size=25))
def test_every_row_and_cent_of_any_file_is_accounted_for(tmp_path, lines):
    for model in (Order, Product, User):
        model.objects.all().delete()
    preset = PRESETS["online-retail-ii"]
    how = rows.Options("Europe/London", "GBP", "web")
    read = rows.read_rows([csv_file(tmp_path / "h.csv", lines)], preset, how)
    built = sales.build(read, preset, how, source="t")
    account = report.reconcile(read, built, sales.write(built, source="t", progress=lambda *_: None))
    assert account.balanced
    # Once more by hand, from the file and the tables.
    known = [line for line in lines if line[5] not in ("x", "")]
    cents = sum(round(Decimal(line[5]) * line[3], 2) for line in known if line[3])
    stored = Order.objects.aggregate(x=Sum("total"))["x"] or 0
    back = OrderReturn.objects.aggregate(x=Sum("amount"))["x"] or 0
    assert round(Decimal(account.cents_in) / 100, 2) == cents
    assert Decimal(account.cents_in - account.left) / 100 == round(Decimal(stored) - Decimal(back), 2)
    for item in OrderItem.objects.annotate(back=Sum("returns__units")).exclude(back=None):
        assert item.back <= item.units


@pytest.mark.skipif("ONLINE_RETAIL_II" not in os.environ, reason="ONLINE_RETAIL_II (the data's folder) is not set")
def test_the_real_files():
    text = run(*sorted(Path(os.environ["ONLINE_RETAIL_II"]).glob("*.parquet")))
    assert "Rows read      1,067,371" in text
    assert "left out          22,523   copy" in text
    assert "Difference                             0.00" in text
    assert (Order.objects.count(), OrderItem.objects.count()) == (39_516, 1_014_947)
    big = OrderReturn.objects.get(units=80_995)
    assert (big.item.units, big.item.order.order_number, big.reference) == (80_995, "581483", "C581484/23843/0")
