"""`--mapping FILE`: a shop's own table read by a file that is kept beside it, in every kind of table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from django.core.management import CommandError

from ingest.tests.platforms import run
from orders.models import Order

pytestmark = pytest.mark.django_db
TOML = """
[columns]
order_number = "Nº"
placed_at = "Día"
sku = "Art."
units = "Uds"
unit_price = "PVP"
status = "Situación"
[options]
time_zone = "Atlantic/Canary"
currency = "EUR"
date_order = "dmy"
[constants]
channel = "mercado"
[status]
Servido = "completed"
Anulado = "cancelled"
[rules]
not_a_product = "BOLSA|P\\\\d+"
upper_case_sku = true
"""
HEADER = ["Nº", "Día", "Art.", "Uds", "PVP", "Situación"]
ROWS = [
    ["7", "02/03/2026 10:00", "a1", "2", "12.5", "SERVIDO"],
    ["7", "02/03/2026 10:00", "bolsa", "1", "0.1", "servido"],
    ["8", "03/03/2026 10:00", "b2", "1", "5", "Anulado"],
]


def write(path: Path) -> None:
    """The rows as CSV, Parquet or XLSX, by the name."""
    table = pl.DataFrame(ROWS, schema=HEADER, orient="row")
    if path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        book = xlsxwriter.Workbook(path)
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADER, *ROWS]):
            sheet.write_row(number, 0, row)
        book.close()


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx"])
@pytest.mark.parametrize("form", ["toml", "json"])
def test_a_mapping_says_columns_options_constants_statuses_and_rules(tmp_path, name, form):
    import tomllib

    mapping = tmp_path / f"shop.{form}"
    mapping.write_text(TOML if form == "toml" else json.dumps(tomllib.loads(TOML)))
    write(tmp_path / name)
    text = run(tmp_path / name, preset="generic", mapping=mapping, time_zone=None, currency=None)
    sold, gone = Order.objects.order_by("order_number")
    assert (sold.status, gone.status, sold.channel, sold.currency) == ("completed", "cancelled", "mercado", "EUR")
    assert sold.placed_at == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert sold.total == Decimal(25)
    assert sold.items.get().variant.sku == "A1"
    assert "not_a_product" in text


def test_the_command_line_wins_over_the_mapping(tmp_path):
    mapping = tmp_path / "shop.toml"
    mapping.write_text(TOML)
    write(tmp_path / "a.csv")
    run(
        tmp_path / "a.csv",
        preset="generic",
        mapping=mapping,
        time_zone="Europe/Madrid",
        currency="CHF",
        map=["units=Uds"],
    )
    sold = Order.objects.get(order_number="7")
    assert (sold.placed_at, sold.currency) == (datetime(2026, 3, 2, 9, tzinfo=UTC), "CHF")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[columns", "cannot be read as TOML or JSON"),
        ('[column]\nsku = "x"', "column is not known; known are: preset, columns, options"),
        ('[columns]\ncolour = "x"', "columns colour is not known; known are: order_number"),
        ('[options]\ndecimal = "dot"', "options.decimal is dot; auto, point, comma is needed"),
        ('[options]\ntime_zone = "Madrid"', "options.time_zone is Madrid"),
        ('[status]\nServido = "gone"', "status is gone; pending, confirmed"),
        ('[rules]\nnot_a_sale = "("', "rules.not_a_sale is .; a regular expression is needed"),
        ('[rules]\nupper_case_sku = "yes"', "rules.upper_case_sku is yes; true or false is needed"),
        ("[columns]\nsku = 1", "columns.sku is 1; a text is needed"),
        ('preset = "magento"', "preset magento is not known; known are: online-retail-ii"),
        ('[columns]\nsku = "Artículo"', "no column 'Artículo'"),
    ],
)
def test_a_mapping_that_is_wrong_says_where(tmp_path, text, message):
    (tmp_path / "shop.toml").write_text(text)
    write(tmp_path / "a.csv")
    with pytest.raises(CommandError, match=message):
        run(tmp_path / "a.csv", preset="generic", mapping=tmp_path / "shop.toml")
    assert not Order.objects.exists()
