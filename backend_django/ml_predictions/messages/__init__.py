"""Sentences that are stored with results as code and figures, and put into the reader's language when shown.

A stored message is `{"code": "forecast.beats_baseline", "params": {"wape": 0.21}}`. Each service has a file here
with its codes; `render` gives the sentence in the active language.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.utils.translation import get_language

from ml_predictions.messages import (
    calendar,
    common,
    customer_segmentation,
    edge,
    erasure,
    forecast_accuracy,
    inventory_optimization,
    jobs,
    product_recommendation,
    quality,
    sales_forecast,
)
from ml_predictions.messages.readable import readable

logger = logging.getLogger(__name__)

TEXTS: dict[str, Any] = {
    **common.TEXTS,
    **edge.TEXTS,
    **jobs.TEXTS,
    **quality.TEXTS,
    **erasure.TEXTS,
    **calendar.TEXTS,
    **sales_forecast.TEXTS,
    **forecast_accuracy.TEXTS,
    **product_recommendation.TEXTS,
    **customer_segmentation.TEXTS,
    **inventory_optimization.TEXTS,
}


class Figures(dict[str, Any]):
    """The figures of a message that was perhaps stored by another version: one that it lacks is shown as …"""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        super().__init__(figures)
        self.missing: list[str] = []

    def __missing__(self, name: str) -> str:
        self.missing.append(name)
        return "…"


def message(code: str, **params: Any) -> dict[str, Any]:
    """A message to store: its code, which must be known, and the figures of its sentence."""
    if code not in TEXTS:
        raise KeyError(f"no text for the message {code!r}: add it to ml_predictions/messages/")
    return {"code": code, "params": params}


@lru_cache(maxsize=4096)
def _text(code: str, language: str | None) -> str:
    """The text of a code in the active language, which is part of what it is kept by."""
    return str(TEXTS[code])


def render(stored: Mapping[str, Any] | None) -> str:
    """The sentence of a stored message in the active language; "" for none."""
    if not stored:
        return ""
    if stored["code"] not in TEXTS:  # an error without a translation, a code of another version: better than nothing
        return str(stored.get("text") or stored["code"])
    figures = Figures(readable(stored.get("params") or {}))
    sentence = _text(stored["code"], get_language()).format_map(figures)
    if figures.missing:
        logger.warning("The stored message %s lacks %s", stored["code"], ", ".join(figures.missing))
    return sentence


def spoken(error: Exception) -> str:
    """The sentence of one of our own exceptions (`code`, `details`) in the active language, else its English one."""
    text = TEXTS.get(getattr(error, "code", ""))
    if text is None:
        return str(error)
    try:
        return str(text).format(**readable(getattr(error, "details", None) or {}))
    except (KeyError, IndexError, ValueError):
        logger.warning("The text of %s does not fit the details of: %s", getattr(error, "code", ""), error)
        return str(error)
