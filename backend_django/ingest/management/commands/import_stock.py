"""`manage.py import_stock FILE`: counted stock, one row per SKU."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ingest.management.table_command import TableCommand


class Command(TableCommand):
    """Set the stock to what was counted, by one adjustment per SKU that differs."""

    help = "Import counted stock (columns sku, counted, counted_at) from CSV, Parquet or XLSX, as adjustments."
    what = "stock"
    required = ("sku", "counted")

    def fields(self) -> dict[str, str]:
        """The columns that the file may have."""
        from ingest.tables import STOCK_FIELDS

        return STOCK_FIELDS

    def write(self, table: Any) -> tuple[dict[str, Any], Any]:
        """Write the adjustments."""
        from ingest.tables import write_counts

        counts, whole = write_counts(table, now=timezone.now())
        return {"counts": counts}, whole
