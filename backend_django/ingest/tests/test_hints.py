"""What the console adds to an error about a file."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from ingest.tests.test_import_sales import INVOICES, csv_file

pytestmark = pytest.mark.django_db


def test_the_layout_that_fits_is_named(tmp_path):
    path = csv_file(tmp_path / "a.csv", INVOICES)
    with pytest.raises(
        CommandError, match=r"lacks a column.*The file looks like one for import_sales --preset online-retail-ii$"
    ):
        call_command("import_sales", str(path), preset="generic")


def test_a_file_that_no_layout_fits_gets_no_hint(tmp_path):
    path = csv_file(tmp_path / "a.csv", [["1", "2", "3"]], header=["one", "two", "three"])
    with pytest.raises(CommandError, match="lacks") as raised:
        call_command("import_sales", str(path), preset="generic")
    assert "looks like" not in str(raised.value)


def test_other_errors_stay_as_they_are(tmp_path):
    with pytest.raises(CommandError, match="does not exist; give the path of a CSV, Parquet or XLSX file$"):
        call_command("import_sales", str(tmp_path / "missing.csv"), preset="generic")
