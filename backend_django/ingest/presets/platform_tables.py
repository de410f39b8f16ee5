"""Products and stock that are JSON or XML, not a table: which platform's they are."""

from __future__ import annotations

from pathlib import Path

from ingest.presets import woocommerce_products
from ingest.readers import Part, is_document


def read(path: Path, *, stock: bool) -> Part | None:
    """The products of this file or folder, or their stock, under the fields of `ingest.tables`; None: it is a table.

    Raises BadFile when they cannot be read.
    """
    if not path.is_dir():
        if not path.is_file():
            return None
        with path.open("rb") as file:
            if not is_document(file.read(200)):
                return None
    return woocommerce_products.read(path, stock=stock)
