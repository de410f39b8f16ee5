"""What to try when a file does not fit: said behind the error, on the console."""

from __future__ import annotations

from pathlib import Path

from ingest.errors import BadFile
from retail_ml.errors import RetailMLError

LACKING = ("file.lacks_fields", "file.lacks_columns")


def another_layout(error: RetailMLError, path: Path, preset: str) -> str:
    """A sentence that names the preset with every column that is needed, where `preset` lacks some; else "".

    Columns are looked for in the beginning of the file alone; nothing is raised.
    """
    from ingest.models import ImportRun
    from ingest.presets import PRESETS
    from ingest.presets.base import REQUIRED
    from ingest.sample import guess, take

    if error.code not in LACKING:
        return ""
    try:
        best, found = guess(ImportRun.What.SALES, take(path).headers)
    except BadFile:  # the error says already why the file cannot be read
        return ""
    if best == preset or best not in PRESETS or not set(REQUIRED) <= set(found):
        return ""
    return f". The file looks like --preset {best}"
