"""What can be wrong with a file as a whole; single rows are faults and are reported, not raised."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_noop as _

from retail_ml.errors import RetailMLError

TEXTS = {
    "file.folder": _("{path} is a folder; give the path of a CSV, Parquet or XLSX file"),
    "file.missing": _("{path} does not exist; give the path of a CSV, Parquet or XLSX file"),
    "file.empty": _("{path} is empty"),
    "file.binary": _(
        "{path} is neither text nor Parquet nor XLSX: it holds binary data. An old Excel file (.xls) "
        "is to be saved as .xlsx or CSV"
    ),
    "file.locked": _(
        "{path} is protected by a password; open it in Excel or LibreOffice, save it without one (or as CSV), and try "
        "again"
    ),
    "file.web_page": _(
        "{path} is a web page and no table: often the page to sign in, saved in the place of the export. Sign in and "
        "export again"
    ),
    "file.zip": _("{path} is a ZIP archive; unpack it and give what is in it: {names}"),
    "file.parquet": _("{path} cannot be read as Parquet, perhaps it is cut off: {error}"),
    "file.cut_off": _("{path} cannot be read as XLSX: its end is missing; it was cut off when it was copied"),
    "file.xlsx": _("{path} cannot be read as XLSX: {error}"),
    "file.sheet": _("{label} cannot be read: {error}"),
    "file.no_sheet": _("{path} holds no sheet with data"),
    "file.csv": _(
        "{path} cannot be read as CSV ({encoding}): {error}. A quotation mark that is never closed, or a file that "
        "was cut off, does this"
    ),
    "file.json": _("{path} cannot be read as JSON, perhaps it is cut off: {error}"),
    "file.xml_document": _("{path} cannot be read as XML, perhaps it is cut off: {error}"),
    "file.xml_kind": _("{path} holds no records that are known; known are: {kinds}"),
    "file.json_kind": _("{path} holds records with the fields {fields}; known are records of: {kinds}"),
    "file.empty_folder": _("{path} holds no file ending in {suffixes}"),
    "file.no_orders": _("{path} holds no orders, but {found}"),
    "file.no_products": _("{path} holds no products"),
    "file.refund_of_what": _(
        "{path}: refund {refund} does not say of which order; give it a parent_id, or put its file into a folder named "
        "by the order's number"
    ),
    "file.documents": _(
        "{path} holds JSON or XML, not a table; bring it in on the console: import_sales … --preset woocommerce or "
        "--preset prestashop"
    ),
    "mapping.unreadable": _("{path} cannot be read as TOML or JSON: {error}"),
    "mapping.unknown": _("{path}: {section} {name} is not known; known are: {known}"),
    "mapping.wrong": _("{path}: {name} is {found}; {needed} is needed"),
    "pull.not_set": _("set WOOCOMMERCE_URL, WOOCOMMERCE_KEY and WOOCOMMERCE_SECRET first: there is no shop to ask"),
    "pull.insecure": _("WOOCOMMERCE_URL is {url}; give an https address, for the key goes with every question"),
    "pull.refused": _("the shop refuses {url}: {status} {text}. See whether address, key and secret are right"),
    "pull.silent": _(
        "the shop did not answer {url} in {tries} tries ({reason}); nothing was brought in, try again later"
    ),
    "file.no_rows": _("{path}: a header, but no rows"),
    "file.no_such_column": _("{label} has no column for --map {wrong}; it has: {headers}"),
    "file.no_column_given": _(
        "{label} has no column {column!r}, which --map {field}={column} names; it has: {headers}"
    ),
    "file.lacks_fields": _(
        "{label} lacks a column for: {missing}; it has: {headers}. Say which it is with {hints}. Known columns: {known}"
    ),
    "file.lacks_columns": _(
        "{label} lacks a column for {missing} ({meaning}; looked for: {known}). It has: {headers}. Say which it is "
        "with {hints}"
    ),
    "import.busy": _(
        "Another import, undo or pull is being written: import {name}. Nothing was begun; do this again when it is over"
    ),
    "import.stopped": _(
        "It was stopped while it was being written (killed, or the machine went off). Import the same files again, "
        "which completes it, or undo import {number}"
    ),
    "import.undo_stopped": _("Its undo was stopped half-way. Undo it again: it goes on where it stood"),
    "file.leave_out": _("{wrong} cannot be left out; these can: {known}"),
    "file.two_decimals": _(
        "{column} holds numbers with a decimal comma ({commas}) and with a decimal point ({points}); say which is "
        "right with --decimal comma or --decimal point"
    ),
    "file.day_or_month": _(
        "{column}: a date such as {example} can be day first or month first, and no date of the file decides it; say "
        "it with --date-order dmy or --date-order mdy"
    ),
}
"""The sentences, in English for the console; `ingest.said` puts them into the reader's language for a page."""


class BadFile(RetailMLError):
    """A file cannot be read, or lacks a column: one of TEXTS with its figures.

    >>> BadFile("file.empty", path="orders.csv").message
    'orders.csv is empty'
    """

    def __init__(self, code: str, **figures: Any) -> None:
        super().__init__(TEXTS[code].format(**figures), code=code, **figures)
