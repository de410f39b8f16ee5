"""What to try when a file does not fit: said behind the error, on the console."""

from __future__ import annotations

from pathlib import Path

from django.utils.translation import gettext

from ingest.errors import BadFile
from retail_ml.errors import RetailMLError

DEMO = "demo"
"""Under which source the customers of the demo boutique are known (`generate_ml_data.py`)."""
WRONG_LAYOUT = ("file.no_column_given", "file.lacks_fields", "file.lacks_columns", "file.json", "file.xml_document")


def beside_the_demo() -> str:
    """A sentence that warns where this database holds the demo boutique; else ""."""
    from authentication.models import User

    if not User.objects.filter(source=DEMO).exists():
        return ""
    return gettext(
        "This database holds the demo boutique: what you bring in will stand among its sales. For your own shop choose "
        "another folder first (TRASTIENDA_DATA)."
    )


def another_layout(error: RetailMLError, path: Path, preset: str, *, what: str = "sales") -> str:
    """A sentence that names what the file looks like, where that is not `what` (of sales: by `preset`); else "".

    Columns are looked for in the beginning of the file alone; nothing is raised.
    """
    from ingest.models import ImportRun
    from ingest.presets import PRESETS
    from ingest.presets.base import REQUIRED
    from ingest.sample import guess, other_kind, take

    if error.code not in WRONG_LAYOUT:
        return ""
    try:
        headers = take(path).headers
    except BadFile:  # the error says already why the file cannot be read
        return ""
    best, found = guess(ImportRun.What.SALES, headers)
    if best in PRESETS and set(REQUIRED) <= set(found):
        return "" if best == preset and what == ImportRun.What.SALES else _like(f"import_sales --preset {best}")
    other = other_kind(what, headers)
    return _like(f"import_{other}") if other else ""


def _like(command: str) -> str:
    return ". " + gettext("The file looks like one for {command}").format(command=command)
