"""Morning: what needs the owner today, how sales go, and how the machine does."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dashboard import charts
from dashboard.views.base import Page
from ingest.models import ImportRun
from ml_predictions import selectors, selectors_accuracy, selectors_morning, selectors_sales

PAST_DAYS, NEXT_DAYS = 28, 14


class Morning(Page):
    """The first page of the day."""

    template = "dashboard/morning.html"
    title = _("Morning")
    entry = "morning"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """Jobs by money, sales against their band, what changed, the models."""
        models = selectors.active_models()
        shop = selectors_sales.shop()
        past = selectors_sales.history("total", "", days=PAST_DAYS, source=shop)
        ahead = selectors_sales.next_days(NEXT_DAYS)
        said = selectors_accuracy.last_days(PAST_DAYS)
        return {
            "pull": ImportRun.failed_pull(),
            "now": timezone.localtime(),
            "currency": selectors_sales.currency(shop),
            "jobs": selectors_morning.jobs_of_today(),
            "changed": selectors_morning.since_yesterday(),
            "known": selectors.figures(models),
            "models": models,
            "receipt": models["sales_forecast"].receipt if "sales_forecast" in models else None,
            "chart": charts.sales(past, ahead, said=said) if past or ahead else None,
            "rows": charts.table(past, ahead),
            "yesterday": past[-1] if past else None,
        }
