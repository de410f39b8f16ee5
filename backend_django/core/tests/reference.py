"""Tables of docs/reference/ that are written from the code: between marks, compared by tests, written on request."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

FOLDER = Path(settings.BASE_DIR).parent / "docs" / "reference"
WRITE = "WRITE_REFERENCE"


def check(name: str, tables: dict[str, list[str]]) -> None:
    """Fail unless the page holds these tables between `<!-- table -->` and `<!-- /table -->`.

    With WRITE_REFERENCE=1 they are written first, and the test still fails: look at the difference, then run it again.
    """
    page = FOLDER / name
    text = page.read_text()
    wanted = text
    for table, rows in tables.items():
        begin, end = f"<!-- {table} -->\n", f"<!-- /{table} -->"
        before, rest = wanted.split(begin)
        wanted = before + begin + "\n".join(rows) + "\n" + end + rest.split(end)[1]
    if os.environ.get(WRITE):
        page.write_text(wanted)
    assert text == wanted, f"docs/reference/{name} is stale: run this test with {WRITE}=1"
