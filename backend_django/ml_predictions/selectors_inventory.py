"""What the API and the admin read of the stock and its alerts. Nothing here writes."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce

from ml_predictions import conf
from ml_predictions.messages import message
from ml_predictions.models_inventory import InventoryAlert


def analysis(service: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """One page of the alerts of `service` (InventoryOptimizationService) that pass the filters of `wanted`.

    The summary is over all alerts; only the rows of the page get their reasons. Raises NotTrained.
    """
    import polars as pl

    found = service.analysis()
    rows = found.alerts
    for name in ("alert_type", "code", "category", "product_id"):
        if name in wanted:
            rows = rows.filter(pl.col(name) == wanted[name])
    if "min_urgency" in wanted:
        rows = rows.filter(pl.col("urgency_level") >= wanted["min_urgency"])
    if "search" in wanted:
        text = wanted["search"].lower()
        fits = (pl.col(name).str.to_lowercase().str.contains(text, literal=True) for name in ("sku", "product_name"))
        rows = rows.filter(pl.any_horizontal(fits))
    name = wanted["ordering"].lstrip("-")
    if wanted["ordering"] != "-money_at_stake":  # the order that the alerts come in
        down = wanted["ordering"].startswith("-")
        rows = rows.sort([name, "sku"], descending=[down, False], nulls_last=True)
    first = (wanted["page"] - 1) * wanted["page_size"]
    return {
        "total_products_analyzed": found.total_analyzed,
        "as_of": found.as_of,
        "count": len(rows),
        "page": wanted["page"],
        "page_size": wanted["page_size"],
        "alerts": found.alert_rows(rows.slice(first, wanted["page_size"])),
        "summary": found.summary(),
        **found.note,
    }


# --- the alerts worth the owner's time ------------------------------------------------------------


def digest() -> dict[str, Any]:
    """The alerts of today: those with the most money expected, as many as `ALERTS_A_DAY`; the rest is counted.

    Neither those that somebody has seen nor the snoozed ones are among them; they are counted too. `alerts` are rows.
    """
    today, most = conf.shop_today(), int(conf.get("ALERTS_A_DAY"))
    awake = InventoryAlert.objects.awake(today)
    unseen = awake.filter(acknowledged_at=None)
    alerts = list(unseen.order_by("-expected_money", "-urgency_level", "id")[:most])
    all_, seen = _counted(unseen), _counted(awake.exclude(acknowledged_at=None))
    shown = sum(alert.expected_money for alert in alerts)
    rest = {"count": all_["count"] - len(alerts), "money": max(round(all_["money"] - shown, 2), 0.0)}
    code = "inventory.digest_rest" if rest["count"] else "inventory.digest_all" if alerts else "inventory.digest_none"
    return {
        "today": today,
        "alerts_a_day": most,
        "alerts": alerts,
        "rest": rest,
        "acknowledged": seen,
        "snoozed": _counted(InventoryAlert.objects.active().filter(snoozed_until__gt=today)),
        "sentence": message(code, shown=len(alerts), **rest, currency=_currency()),
    }


def _counted(rows: QuerySet[InventoryAlert]) -> dict[str, Any]:
    found = rows.order_by().aggregate(count=Count("id"), money=Coalesce(Sum("expected_money"), 0.0))
    return {"count": found["count"], "money": round(found["money"], 2)}


def _currency() -> str:
    from ml_predictions.sources import get_source

    return str(getattr(get_source(), "currency", "") or conf.get("CURRENCY"))
