"""`manage.py import_products FILE`: names, prices, costs, suppliers, categories, pack sizes, one row per SKU."""

from __future__ import annotations

from typing import Any

from ingest.management.table_command import TableCommand


class Command(TableCommand):
    """Bring in or correct products; an empty cell leaves what is stored."""

    help = (
        "Import products, costs and suppliers from CSV, Parquet or XLSX: one row per SKU. A second run changes nothing."
    )
    what = "products"
    required = ("sku",)

    def fields(self) -> dict[str, str]:
        """The columns that the file may have."""
        from ingest.tables import PRODUCT_FIELDS

        return PRODUCT_FIELDS

    def write(self, table: Any) -> tuple[dict[str, Any], Any]:
        """Write suppliers and products."""
        from ingest.tables import write_products

        return write_products(table)
