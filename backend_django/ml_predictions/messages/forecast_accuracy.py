"""Sentences on how well past forecasts kept their word; their codes begin with `accuracy.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "accuracy.counts": _(
        "Scored up to {until}. Every forecast was written down before its days came; returns count on the day they "
        "came back; orders delivered later are added for four weeks, then a day stands."
    ),
    "accuracy.few": _(
        "Some lines rest on {periods} periods only: below {needed}, one period more or less inside its interval moves "
        "the coverage by more than 3 points."
    ),
    "accuracy.none_published": _(
        "No sales forecast has been in service yet, so there is nothing to score. Call POST {call} first."
    ),
    "accuracy.none_fits": _("No scored forecast fits this choice. Ask with fewer filters."),
    "accuracy.waiting": _(
        "Nothing has been scored yet. {day} is the first day to be scored: by the first training after the shop's "
        "sales reach beyond it."
    ),
}
