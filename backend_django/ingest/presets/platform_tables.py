"""Products and stock that are JSON or XML, not a table: which platform's they are."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.documents import files_of
from ingest.presets import prestashop_products, woocommerce_products
from ingest.readers import Part, is_document

LISTS = b"products|combinations|stock_availables|orders|order_details"
PRESTA = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<|\{\s*\"(?:" + LISTS + rb")\")")


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
    presta = _looks_like_presta(path)
    return (prestashop_products if presta else woocommerce_products).read(path, stock=stock)


def _looks_like_presta(path: Path) -> bool:
    """XML, or JSON whose lists stand under the name of what they hold."""
    for file in files_of([path], (".xml", ".json", ".ndjson", ".jsonl")):
        with file.open("rb") as content:
            start = content.read(200)
        if PRESTA.match(start):
            return True
    return False
