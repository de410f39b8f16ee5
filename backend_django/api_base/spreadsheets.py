"""CSV for spreadsheets: the mark of UTF-8, and no cell that is taken for a formula. All exports are written with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

UTF8_MARK = "\ufeff"
"""By which spreadsheets know UTF-8; the beginning of every file."""
NOT_PLAIN = tuple("=+-@\t\r\n|%＝＋－＠")
"""Signs at the beginning of a text that make spreadsheets take it for a formula or a command."""
NOT_SEEN = " \u00a0\u200b\ufeff"
"""Signs that may stand before them."""


def harmless(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: a text that looks like one gets an apostrophe before it.

    >>> harmless('=HYPERLINK("http://x")'), harmless(" +34 600"), harmless("Ana"), harmless(-5.0), harmless(None)
    ('\\'=HYPERLINK("http://x")', "' +34 600", 'Ana', -5.0, '')
    """
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and _like_a_formula(value) else value


def original(text: str) -> str:
    """The text behind a cell of `harmless`, for files that are read again.

    >>> original("'=1+1"), original("'tis the season"), original("Ana")
    ('=1+1', "'tis the season", 'Ana')
    """
    return text[1:] if text.startswith("'") and _like_a_formula(text[1:]) else text


def csv_line(cells: Iterable[Any], separator: str = ",") -> str:
    """One line of CSV, its texts made harmless.

    >>> csv_line(["Coat, long", "-20 %", -20, None])
    '"Coat, long",\\'-20 %,-20,\\r\\n'
    """
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerow([harmless(cell) for cell in cells])
    return out.getvalue()


def _like_a_formula(text: str) -> bool:
    return text.lstrip(NOT_SEEN).startswith(NOT_PLAIN)
