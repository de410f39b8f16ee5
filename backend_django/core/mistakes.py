"""Mistakes of whoever runs a command, as one sentence instead of a traceback (`--traceback` shows it all the same)."""

from __future__ import annotations

import re

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError


def sentence(error: Exception) -> str | None:
    """What is wrong and what to do; None for an error that is no mistake of this kind."""
    if isinstance(error, ImproperlyConfigured):
        return str(error)
    if not isinstance(error, DatabaseError):
        return None
    text = str(error)
    if re.search(r"no such (table|column)|no column named|(relation|column) \S+ does not exist", text):
        what = text.splitlines()[0]
        return f"The database is empty or of another release ({what}). Bring it up to date first: make migrate"
    if isinstance(error, OperationalError) and re.search(r"connection|could not translate|unable to open", text):
        return f"The database cannot be reached: {text.splitlines()[0]}. DATABASE_URL says where it is."
    return None
