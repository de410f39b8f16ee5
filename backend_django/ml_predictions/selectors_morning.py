"""What needs the owner today, by the money that hangs on it, and what has changed since yesterday."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone

from ml_predictions import selectors_customers
from ml_predictions.models import CustomerSegment, MLTrainingLog
from ml_predictions.models_inventory import InventoryAlert

TOP = 3
"""Things that are named of each kind."""
LOW = ("reorder_now", "low_stock")
IDLE = ("overstock", "slow_moving")


def jobs_of_today() -> list[dict[str, Any]]:
    """`kind` (order, idle, win_back), `count`, `money` and the `top` three of each, the most money first."""
    active = InventoryAlert.objects.filter(status=InventoryAlert.Status.ACTIVE)
    found = [
        _alerts("order", active.filter(alert_type__in=LOW)),
        _alerts("idle", active.filter(alert_type__in=IDLE)),
        _late(),
    ]
    return sorted((job for job in found if job["count"]), key=lambda job: -job["money"])


def _alerts(kind: str, alerts: Any) -> dict[str, Any]:
    sums = alerts.order_by().aggregate(count=Count("id"), money=Sum("money_at_stake"))
    top = [
        {
            "name": row.product_name,
            "detail": row.sku,
            "money": row.money_at_stake,
            "id": row.variant_id,
            "urgency": row.urgency_level,
        }
        for row in alerts.order_by("-money_at_stake", "id")[:TOP]
    ]
    return {"kind": kind, "count": sums["count"], "money": sums["money"] or 0.0, "top": top}


def _late() -> dict[str, Any]:
    """Customers at risk, by what they spent in a year and will not spend any more."""
    risk = CustomerSegment.objects.in_service().filter(segment="at_risk", money_at_risk__gt=0)
    sums = risk.order_by().aggregate(count=Count("*"), money=Sum("money_at_risk"))
    rows = list(risk.order_by("-money_at_risk", "id")[:TOP])
    people = selectors_customers.contacts([row.customer_id for row in rows])
    top = [
        {
            "name": people.get(row.customer_id, {}).get("name") or row.customer_id,
            "detail": row.recency_days, "money": row.money_at_risk, "id": row.customer_id,
        }
        for row in rows
    ]  # fmt: skip
    return {"kind": "win_back", "count": sums["count"], "money": sums["money"] or 0.0, "top": top}


def since_yesterday() -> dict[str, int]:
    """What `changed` counts in the last 24 hours."""
    return changed(hours=24)


def changed(*, hours: int) -> dict[str, int]:
    """Alerts that came and went, and trainings that ended or failed, in the last so many hours."""
    since = timezone.now() - timedelta(hours=hours)
    alerts = InventoryAlert.objects.aggregate(
        new_alerts=Count("id", filter=Q(created_at__gte=since)),
        gone_alerts=Count("id", filter=Q(resolved_at__gte=since)),
    )
    ended = MLTrainingLog.objects.filter(finished_at__gte=since).aggregate(
        trained=Count("id", filter=Q(status=MLTrainingLog.Status.COMPLETED)),
        failed=Count("id", filter=Q(status=MLTrainingLog.Status.FAILED)),
    )
    return {**alerts, **ended}
