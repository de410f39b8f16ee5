"""The mistakes of a first day: files that Spanish Excel saved, and files that are something else."""

from __future__ import annotations

import zipfile
from io import StringIO
from pathlib import Path

import pytest
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils import translation

from authentication.models import User
from orders.models import Order

pytestmark = pytest.mark.django_db
HEAD = "Nº pedido;Fecha;SKU;Artículo;Unidades;Precio"
ROWS = (
    "P-1;28/2/2026 9:05;CAM-S;Camiseta niño;2;1.249,50",
    "P-2;1/3/2026 18:40;PAN;Pantalón;1;35,00",
)
TOTAL = "TOTAL;;;;3;2.534,00"
TITLE = "Pedidos de la tienda, enero a marzo;;;;;"
MAP = ["sku=SKU", "product_name=Artículo", "units=Unidades", "unit_price=Precio"]
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def run(path: Path, **options) -> str:
    """What the command prints."""
    out = StringIO()
    call_command("import_sales", path, stdout=out, **{"preset": "generic", "map": MAP, **options})
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("above", [[], [TITLE, ";;;;;"], ["Pedidos", ""]], ids=["no title", "title", "short title"])
def test_what_spanish_excel_saves_comes_in_to_the_cent(tmp_path, encoding, above):
    path = tmp_path / "pedidos.csv"
    path.write_bytes("\r\n".join([*above, HEAD, *ROWS, TOTAL, ""]).encode(encoding))
    text = run(path)
    assert f"pedidos.csv, line {len(above) + 4}: Date and time is empty" in text  # the row of totals, and nothing else
    found = Order.objects.order_by("order_number").values_list("order_number", "total", "placed_at__month")
    assert [(number, str(total), month) for number, total, month in found] == [
        ("P-1", "2499.00", 2), ("P-2", "35.00", 3),
    ]  # fmt: skip


def test_a_workbook_with_a_title_above_its_header(tmp_path):
    path = tmp_path / "pedidos.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Hoja1")
        sheet.merge_range(0, 0, 0, 5, "Pedidos de la tienda")
        for at, line in enumerate([HEAD, *ROWS, TOTAL], start=2):
            sheet.write_row(at, 0, line.split(";"))
    text = run(path, decimal="comma")
    assert "pedidos.xlsx [Hoja1], line 6: Date and time is empty" in text
    assert Order.objects.count() == 2


def packed(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "a,b\n1,2\n")


WRONG = {
    "orders.zip": (lambda path: packed(path, "orders.csv"), "ZIP archive; unpack it and .*: orders.csv"),
    "locked.xlsx": (
        lambda path: path.write_bytes(OLE + "EncryptedPackage".encode("utf-16-le")), "protected by a password",
    ),
    "old.xls": (lambda path: path.write_bytes(OLE + "Workbook".encode("utf-16-le")), "is to be saved as .xlsx or CSV"),
    "page.csv": (lambda path: path.write_text("\n<!DOCTYPE html><html>Sign in</html>"), "is a web page and no table"),
    "scan.csv": (lambda path: path.write_bytes(b"%PDF-1.7\nBT (Pedidos) Tj ET"), "neither text nor Parquet nor XLSX"),
    "empty.csv": (lambda path: path.write_text("\r\n"), "is empty"),
    "header.csv": (lambda path: path.write_text(HEAD + "\n"), "a header, but no rows"),
    "articles.csv": (
        lambda path: path.write_text("sku;price;cost\nA;9,95;4,00\n"), "The file looks like one for import_products",
    ),
    "count.csv": (lambda path: path.write_text("sku;counted\nA;4\n"), "The file looks like one for import_stock"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_something_else_is_named(tmp_path, name):
    write, message = WRONG[name]
    write(tmp_path / name)
    with pytest.raises(CommandError, match=f"{name}.*{message}"):
        run(tmp_path / name, map=[])
    assert not Order.objects.exists()


def test_sales_given_as_products_or_counts_are_named(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text("order_number,placed_at,units,unit_price,article\n1,2026-01-05,1,2.00,A\n")
    for command in ("import_products", "import_stock"):
        with pytest.raises(CommandError, match="lacks"):
            call_command(command, path, stdout=StringIO())
    path.write_text("Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n")
    with pytest.raises(CommandError, match="one for import_sales --preset online-retail-ii"):
        call_command("import_products", path, stdout=StringIO())


def test_a_table_in_the_place_of_another_is_named_on_the_page(tmp_path, settings, client):
    settings.DATA_FOLDER = tmp_path
    client.force_login(User.objects.create_superuser("owner@shop.test", "a-long-password"))

    def upload(what: str, text: str) -> str:
        file = SimpleUploadedFile("file.csv", text.encode())
        return client.post("/data/upload/", {"what": what, "file": file}, follow=True).content.decode()

    sales = "order_number,placed_at,sku,units,unit_price\n1,2026-01-05,A,1,2.00\n"
    assert "It looks like “Past sales” and not like “Counted stock”" in upload("stock", sales)
    assert "It looks like" not in upload("sales", sales)
    assert "It looks like “Products and costs”" in upload("sales", "sku,price,cost\nA,9.95,4.00\n")
    assert "It looks like" not in upload("sales", "\n".join([HEAD, *ROWS]))  # sales under names of their own


def test_the_console_speaks_one_language(tmp_path):
    path = tmp_path / "pedidos.csv"
    path.write_text("\n".join([HEAD, *ROWS, TOTAL]))
    with translation.override("es"):
        text = run(path, dry_run=True)
        with pytest.raises(CommandError, match="le falta|falta una columna|no tiene"):
            run(path, preset="shopify", map=[])
    english = (
        "Rows",
        "orders",
        "Money",
        "stays empty",
        "what",
        "left out",
        "nothing was",
        "lines",
        "returned",
        "is empty",
    )
    assert [word for word in english if word in text] == []
    assert "Filas leídas" in text
