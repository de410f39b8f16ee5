"""What can be wrong with a file as a whole; single rows are faults and are reported, not raised."""

from __future__ import annotations

from retail_ml.errors import RetailMLError


class BadFile(RetailMLError):
    """A file cannot be read, or lacks a column."""

    code = "bad_file"
