"""Sentences that are stored with results as code and figures, and put into the reader's language when shown.

A stored message is `{"code": "forecast.beats_baseline", "params": {"wape": 0.21}}`. Each service has a file here
with its codes; `render` gives the sentence in the active language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_predictions.messages import (
    common,
    customer_segmentation,
    inventory_optimization,
    product_recommendation,
    sales_forecast,
)

TEXTS: dict[str, Any] = {
    **common.TEXTS,
    **sales_forecast.TEXTS,
    **product_recommendation.TEXTS,
    **customer_segmentation.TEXTS,
    **inventory_optimization.TEXTS,
}


def message(code: str, **params: Any) -> dict[str, Any]:
    """A message to store: its code, which must be known, and the figures of its sentence."""
    if code not in TEXTS:
        raise KeyError(f"no text for the message {code!r}: add it to ml_predictions/messages/")
    return {"code": code, "params": params}


def render(stored: Mapping[str, Any] | None) -> str:
    """The sentence of a stored message in the active language; "" for none."""
    if not stored:
        return ""
    text = TEXTS.get(stored["code"])
    if text is None:  # an error without a translation, or a code of another version: better that than nothing
        return str(stored.get("text") or stored["code"])
    return str(text).format(**stored.get("params", {}))
