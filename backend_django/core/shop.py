"""What the project's apps ask of each other without knowing each other."""

from __future__ import annotations

from ml_predictions import conf


def currency() -> str:
    """The currency that the owner, else the project, has decided on; empty: neither."""
    return str(conf.get("CURRENCY") or "")
