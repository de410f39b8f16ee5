"""A file brought in from the page: guessed columns, first rows, dry run, import, and what can go wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ingest import uploads
from ingest.models import ImportRun
from ml_predictions import jobs
from ml_predictions.jobs import rows
from ml_predictions.messages import message
from ml_predictions.models import MLTrainingLog
from orders.models import Order
from products.models import Product, ProductVariant
from purchasing.models import Supplier

pytestmark = pytest.mark.django_db
SALES = (
    "Pedido;Fecha;Referencia;Unidades;Precio;Cliente;Notas\n"
    "1001;13/03/2026 10:00;A-1;2;12,50;77;x\n"
    "1001;13/03/2026 10:00;B-2;1;5,00;77;x\n"
    "1002;14/03/2026 11:00;A-1;muchas;12,50;;x\n"
    "1003;15/03/2026 12:00;B-2;3;5,00;;x\n"
)


@pytest.fixture(autouse=True)
def _uploads(settings: Any, tmp_path: Path) -> None:
    """Uploads go to a folder of the test."""
    settings.DATA_FOLDER = tmp_path


def upload(ben: Client, content: str | bytes, name: str = "sales.csv", what: str = "sales") -> ImportRun:
    """Upload a file; returns its row."""
    data = content.encode() if isinstance(content, str) else content
    answer = ben.post("/data/upload/", {"what": what, "file": SimpleUploadedFile(name, data)})
    run = ImportRun.objects.first()
    assert run is not None
    assert answer["Location"] == f"/data/imports/{run.pk}/"
    return run


def form(run: ImportRun, do: str, **changes: str) -> dict[str, str]:
    """The page's form as a browser would send it."""
    columns = {f"field-{name}": header for name, header in run.columns.items()}
    return {"do": do, "preset": run.preset, **columns, **run.options, **changes}


def press(ben: Client, run: ImportRun, do: str, **changes: str) -> str:
    """Press a button and let the worker do what it queued; returns the page that follows."""
    ben.post(f"/data/imports/{run.pk}/", form(run, do, **changes))
    log = MLTrainingLog.objects.filter(status="queued").first()
    if log is not None:
        assert rows.take(log, "worker")
        jobs.execute(log.pk, log.owner)
    run.refresh_from_db()
    return ben.get(f"/data/imports/{run.pk}/").content.decode()


@pytest.mark.postgres
def test_a_file_is_read_checked_and_imported_and_a_second_time_changes_nothing(ben: Client, tmp_path: Path) -> None:
    run = upload(ben, SALES)
    assert run.preset == "generic"
    assert run.columns == {
        "order_number": "Pedido", "placed_at": "Fecha", "sku": "Referencia", "units": "Unidades",
        "unit_price": "Precio", "customer_id": "Cliente",
    }  # fmt: skip
    (path,) = uploads.paths_of(run)
    assert path.is_relative_to(tmp_path)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    page = ben.get(f"/data/imports/{run.pk}/").content.decode()
    assert "Units is “muchas”, which cannot be" in page
    assert '<td class="text">12.5</td>' in page

    page = press(ben, run, "check")
    assert (run.state, Order.objects.count()) == ("checked", 0)
    assert (run.report["rows_read"], run.report["orders"], run.report["cents_in"]) == (4, 2, 4500)
    assert (run.report["difference"], run.report["left_out"][0]["reason"]) == (0, "unreadable")
    assert "every row and every cent is accounted for" in page
    assert "sales.csv, line 4: Units is “muchas”, which cannot be" in page

    page = press(ben, run, "import")
    assert run.state == "imported", run.error
    assert set(Order.objects.values_list("order_number", "total")) == {("1001", 30), ("1003", 15)}
    assert run.counts["orders"] == {"created": 2, "unchanged": 0, "updated": 0, "kept": 0}
    assert not uploads.paths_of(run)
    assert "The file is imported." in page

    again = upload(ben, SALES)
    assert "A file with the same content was imported" in ben.get(f"/data/imports/{again.pk}/").content.decode()
    press(ben, again, "check")
    assert again.report["known"] == 2
    page = press(ben, again, "import")
    assert not again.changed
    assert "Nothing changed: the shop had all of it already." in page
    assert "nothing was new" in ben.get("/data/").content.decode()


def test_columns_are_changed_and_what_is_not_chosen_is_not_read(ben: Client) -> None:
    run = upload(ben, SALES.replace("Precio", "P.V.P."))
    assert "unit_price" not in run.columns
    page = press(ben, run, "check")
    assert "Choose which column is: Price of one unit." in page
    assert not MLTrainingLog.objects.exists()
    columns = {"field-unit_price": "P.V.P.", "field-customer_id": ""}
    press(ben, run, "check", **columns)
    assert (run.state, run.report["guests"], run.report["customers"]) == ("checked", 2, 0)
    press(ben, run, "show")  # another look makes the dry run stale
    assert (run.state, run.report) == ("uploaded", None)
    assert "Make a dry run first" in press(ben, run, "import")


def test_sheets_of_a_workbook_are_read_and_one_file_goes_after_the_other(ben: Client, tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "book.xlsx") as book:
        for sheet, number in (("March", 1), ("April", 2)):
            page = book.add_worksheet(sheet)
            page.write_row(0, 0, ["order", "date", "sku", "units", "price"])
            page.write_row(1, 0, [number, f"2026-0{number}-20", "A", 2, 1.5])
        book.add_worksheet("Notes").write_row(0, 0, ["nothing of interest"])
    run = upload(ben, (tmp_path / "book.xlsx").read_bytes(), "book.xlsx")
    assert '<td class="text">1.5</td>' in ben.get(f"/data/imports/{run.pk}/").content.decode()
    ben.post(f"/data/imports/{run.pk}/", form(run, "check"))
    other = upload(ben, SALES)
    answer = ben.post(f"/data/imports/{other.pk}/", form(other, "check"), follow=True).content.decode()
    assert "Another file is being checked or imported" in answer
    press(ben, other, "show")
    run.refresh_from_db()
    assert (run.state, run.report["orders"], run.report["cents_in"]) == ("checked", 2, 600)


def test_another_layout_brings_its_own_columns(ben: Client) -> None:
    run = upload(ben, "Invoice,InvoiceDate,StockCode,Quantity,Price\n1,2026-03-01,A,1,2.00\n")
    assert (run.preset, run.options["currency"]) == ("online-retail-ii", "GBP")
    press(ben, run, "show", preset="generic")
    assert (run.preset, run.options["currency"]) == ("generic", "EUR")
    assert "placed_at" not in run.columns


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\0\1\2binary", "neither text nor Parquet nor XLSX"),
        (b"PK\x03\x04 cut", "it was cut off"),
        (b'a,b\n"never closed,1\n', "A quotation mark that is never closed"),
    ],
)
def test_what_cannot_be_read_is_said_and_not_kept(ben: Client, content: bytes, says: str) -> None:
    file = SimpleUploadedFile("odd.csv", content)
    page = ben.post("/data/upload/", {"what": "sales", "file": file}, follow=True).content.decode()
    assert says in page
    assert not ImportRun.objects.exists()
    assert not uploads.root().is_dir() or not list(uploads.root().iterdir())


def test_a_file_that_is_too_large_is_refused_and_never_stored(ben: Client, settings: Any) -> None:
    settings.IMPORT_MAX_MB = 1
    file = SimpleUploadedFile("big.csv", b"a,b\n" * 300_000)
    page = ben.post("/data/upload/", {"what": "sales", "file": file}, follow=True).content.decode()
    assert "The file is larger than 1 MB" in page
    assert not uploads.root().is_dir()


def test_dates_that_can_be_either_are_shown_and_said(ben: Client) -> None:
    run = upload(ben, "order,date,sku,units,price\n1,02/03/2026,A,1,2\n")
    assert "In these rows day and month can be either way round" in ben.get(f"/data/imports/{run.pk}/").content.decode()
    page = press(ben, run, "check")
    assert run.state == "failed"
    assert "Date and time: a date such as 02-03-2026 can be day first or month first" in page
    press(ben, run, "check", date_order="mdy")
    assert run.state == "checked"


def test_an_import_is_cancelled_before_it_writes(ben: Client) -> None:
    run = upload(ben, SALES)
    press(ben, run, "check")
    ben.post(f"/data/imports/{run.pk}/", form(run, "import"))
    log = MLTrainingLog.objects.get(status="queued")
    assert rows.take(log, "worker")
    part = ben.get(f"/data/imports/{run.pk}/progress/")
    assert 'hx-trigger="every 1s"' in part.content.decode()
    assert "HX-Refresh" not in part
    ben.post(f"/data/imports/{run.pk}/", {"do": "cancel"})
    jobs.execute(log.pk, log.owner)
    assert ben.get(f"/data/imports/{run.pk}/progress/")["HX-Refresh"] == "true"
    run.refresh_from_db()
    assert (run.state, Order.objects.count()) == ("cancelled", 0)
    press(ben, run, "check")
    press(ben, run, "import")
    assert (run.state, Order.objects.count()) == ("imported", 2)


def test_a_run_that_was_killed_while_it_wrote_says_so(ben: Client) -> None:
    run = upload(ben, SALES)
    press(ben, run, "check")
    ben.post(f"/data/imports/{run.pk}/", form(run, "import"))
    killed = message("training_killed", signal=9, megabytes=1, attempt=3, attempts=3)
    MLTrainingLog.objects.filter(status="queued").update(status="failed", error=killed)
    ImportRun.objects.update(state="writing", progress=60)
    page = ben.get(f"/data/imports/{run.pk}/").content.decode()
    assert ImportRun.objects.get().state == "failed"
    assert "It was stopped while it was being written" in page
    assert 'class="main" name="do" value="check"' in page  # and can be tried again
    again = jobs.retry(MLTrainingLog.objects.get(status="failed"), requested_by="ben")
    assert rows.take(again, "worker")
    jobs.execute(again.pk, again.owner)
    run.refresh_from_db()
    assert (run.state, run.run_id, run.error, Order.objects.count()) == ("imported", again.pk, None, 2)


@pytest.mark.postgres
def test_products_and_counts_come_in_too(ben: Client) -> None:
    run = upload(ben, "sku,product_name,cost\nA-1,Mug,2.50\nB-2,,1\n", "p.csv", "products")
    page = press(ben, run, "check")
    assert not ProductVariant.objects.exists()
    assert "the shop has no SKU B-2" in page
    press(ben, run, "import")
    assert list(ProductVariant.objects.values_list("sku", "cost")) == [("A-1", 2.5)]
    run = upload(ben, "sku;counted\nA-1;7\n", "s.csv", "stock")
    press(ben, run, "check")
    press(ben, run, "import")
    assert (run.counts["counts"]["created"], ProductVariant.objects.get().stock) == (1, 7)


def test_uploads_go_after_a_day(ben: Client) -> None:
    run = upload(ben, SALES)
    assert uploads.drop_old() == {"files": 0}
    ImportRun.objects.update(created_at=timezone.now() - uploads.KEPT)
    assert uploads.drop_old() == {"files": 1}
    assert not uploads.paths_of(run)
    assert "The file is no longer here" in ben.get(f"/data/imports/{run.pk}/").content.decode()
    assert ben.get("/data/imports/999/").status_code == 404


def test_the_page_shows_faults_of_the_data(ben: Client) -> None:
    assert "Looked at: 0 order lines" in ben.get("/data/quality/").content.decode()


def test_a_platforms_export_is_recognised_and_read_with_the_fields_that_nobody_chooses(ben: Client) -> None:
    """Shopify's file: its own layout is guessed, its refunds and totals are read, and the page says what it took."""
    content = (Path(uploads.__file__).parent / "tests/golden/shopify/orders_new.csv").read_bytes()
    run = upload(ben, content, name="orders_export.csv")
    assert run.preset == "shopify"
    assert run.columns["refunded"] == "Refunded Amount"
    page = press(ben, run, "check", time_zone="Europe/Madrid")
    assert "spread over its lines as a discount" in page
    assert "order #2007: its total is 21.50, its parts add up to 20.00" in page
    assert "every row and every cent is accounted for" in page
    press(ben, run, "import")
    assert Order.objects.get(order_number="#2005").shipping == 0
    run.refresh_from_db()
    assert run.report is not None
    assert run.report["cents_in"] == 260_74


def test_several_files_are_one_import_with_the_doctors_word_and_what_is_assumed(ben: Client) -> None:
    other = SALES.replace("1001", "2001").replace("1002", "2002").replace("1003", "2003").replace("A-1", "TEST-1")
    files = [SimpleUploadedFile("sales.csv", one.encode()) for one in (SALES, other)]
    ben.post("/data/upload/", {"what": "sales", "file": files})
    run = ImportRun.objects.get()
    assert (run.file_name, [path.name for path in uploads.paths_of(run)]) == (
        "sales.csv, 2_sales.csv",
        ["2_sales.csv", "sales.csv"],
    )
    page = press(ben, run, "check", expect_total="90,00", expect_orders="4", cost_share="2")
    assert "Cost as a share of the price: Ensure this value is less than or equal to 1." in page
    page = press(ben, run, "check", expect_total="88.00", expect_orders="4", cost_share="0.5", opening_stock_days="90")
    assert (run.state, run.report["orders"], run.report["stored"]) == ("checked", 4, 9000)
    assert "Not explained" in page
    assert "SKUs have no known cost" in page
    page = press(ben, run, "check", expect_total="90.00", cost_share="0.5", opening_stock_days="90")
    assert run.report["explained"]["unexplained"] == 0
    press(ben, run, "import")
    assert run.state == "imported", run.error
    assert Order.objects.count() == 4
    assert {str(v.cost) for v in ProductVariant.objects.all()} == {"6.2500", "2.5000"}
    assert ProductVariant.objects.get(sku="B-2").stock == 8
    assert run.counts["cost"]["updated"] == 3
    assert not Supplier.objects.exists()
    answer = ben.post("/data/upload/", {"what": "stock", "file": files}, follow=True).content.decode()
    assert "upload one file at a time" in answer


def test_a_supplier_and_categories_are_assumed_where_the_file_names_none(ben: Client) -> None:
    run = upload(ben, SALES)
    page = press(ben, run, "check", lead_time_days="21", cost_share="0.4", currency="EURO")
    assert "Its lead time, days: Name the supplier too." in page
    assert "EURO is no currency" in page
    assert 'value="0.4"' in page  # the rest of what was typed stays
    page = press(ben, run, "check", supplier="Telas Norte", lead_time_days="21.5", category="common-word")
    assert 'value="Telas Norte"' in page
    assert 'value="21.5"' in page
    press(ben, run, "import")
    assert run.state == "imported", run.error
    norte = Supplier.objects.get()
    assert (norte.name, norte.lead_time_days, norte.lead_time_sd) == ("Telas Norte", 21.5, 4.0)
    assert norte.items.count() == ProductVariant.objects.count() == 2
    assert not Product.objects.filter(category=None).exists()


def test_the_doctor_shows_what_it_found_and_leaves_out_what_the_owner_says(ben: Client) -> None:
    run = upload(ben, SALES + "TEST-9;16/03/2026 10:00;A-1;1;12,50;;x\n")
    page = press(ben, run, "check")
    assert "1 of 4 lines look like a test" in page
    assert "your decision" in page
    press(ben, run, "check", leave_out="test_orders")
    assert run.options["leave_out"] == ["test_orders"]
    assert {one["reason"] for one in run.report["left_out"]} == {"unreadable", "test_orders"}
    press(ben, run, "import")
    assert not Order.objects.filter(order_number="TEST-9").exists()


def test_a_platforms_products_and_stock_go_through_the_page(ben: Client) -> None:
    """Shopify's tables: variants under their product, the stock of all places, the same in the first rows shown."""
    golden = Path(uploads.__file__).parent / "tests/golden/shopify"
    run = upload(ben, (golden / "products_old.csv").read_bytes(), what="products")
    page = press(ben, run, "show")
    assert '<td class="text">Pañuelo - Verde</td>' in page
    press(ben, run, "check")
    press(ben, run, "import")
    assert ProductVariant.objects.get(sku="CAM-A-M").product.code == "camiseta-lino"
    run = upload(ben, (golden / "inventory_places.csv").read_bytes(), what="stock")
    assert "Tienda Centro, Almacén" in press(ben, run, "check")
    press(ben, run, "import")
    assert ProductVariant.objects.get(sku="CAM-R-M").stock == 7


@pytest.mark.postgres
def test_an_import_is_undone_from_the_page_once_it_is_seen_what_that_does(ben: Client) -> None:
    run = upload(ben, SALES)
    press(ben, run, "check")
    page = press(ben, run, "import")
    assert "See what undoing it would do" in page
    assert "See first what undoing it would do." in press(ben, run, "undo")
    assert Order.objects.count() == 2
    page = press(ben, run, "weigh")
    assert (run.state, Order.objects.count()) == ("imported", 2)
    assert "To be removed" in page
    assert "Undo the import now" in page
    page = press(ben, run, "undo")
    assert (run.state, Order.objects.count(), ProductVariant.objects.count()) == ("undone", 0, 0)
    assert "The import is undone. Trained models still know of it" in page
    assert "What had come in" in page
    assert "nothing is written" not in page
    assert "It is undone already." in press(ben, run, "undo")
    assert "undone" in ben.get("/data/").content.decode()


def test_an_undo_that_fails_leaves_an_import_that_can_be_undone(ben: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest import undo_rows

    run = upload(ben, SALES)
    press(ben, run, "check")
    press(ben, run, "import")
    press(ben, run, "weigh")

    def fail(*args: Any) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(undo_rows, "remove", fail)
        page = press(ben, run, "undo")
    assert (run.state, Order.objects.count()) == ("imported", 2)
    assert "Undo the import now" in page
    press(ben, run, "undo")
    assert (run.state, Order.objects.count()) == ("undone", 0)


def test_examples_of_faults_are_words_and_figures(ben: Client) -> None:
    product = Product.objects.create(name="Scarf", price=10)
    page = ben.get("/data/quality/").content.decode()
    assert f"product {product.pk}, name Scarf" in page
    assert "&#x27;" not in page
