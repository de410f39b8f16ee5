"""Sentences of runs that the worker starts by itself; the codes of the nightly refresh begin with `nightly.`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

TEXTS: dict[str, Any] = {
    "nightly.score_forecasts": _("Past forecasts are held against what came."),
    "nightly.refresh_alerts": _("The alerts are brought in line with today's stock and sales."),
    "nightly.refresh_customers": _("The customers' figures are brought up to date."),
    "nightly.step": _("The step {name} of the nightly refresh."),
    "nightly.failed": _("These steps of the nightly refresh failed: {names}. The worker's log has the details."),
}  # fmt: skip
