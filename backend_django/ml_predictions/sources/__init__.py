"""Where a shop's data comes from: one file per kind of shop, chosen by `ML_PREDICTIONS["SOURCE"]`."""

from __future__ import annotations

from django.utils.module_loading import import_string

from ml_predictions import conf
from ml_predictions.sources.base import Source


def get_source() -> Source:
    """The shop of this installation, made with SOURCE_OPTIONS."""
    source: Source = import_string(conf.get("SOURCE"))(**conf.get("SOURCE_OPTIONS"))
    return source


def currency_of(source: Source) -> str:
    """The currency that a shop counts in: its own, where it knows one, else the setting."""
    return str(getattr(source, "currency", "") or conf.get("CURRENCY"))
