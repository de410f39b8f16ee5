"""What needs the owner today, by the money that hangs on it, and what has changed since yesterday."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, F, Q, Sum, Value, When, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from ml_predictions import selectors_customers
from ml_predictions.models import CustomerSegment, MLTrainingLog
from ml_predictions.models_inventory import InventoryAlert

TOP = 3
"""Things that are named of each kind."""
ALERTS = {"order": ("reorder_now", "low_stock"), "idle": ("overstock", "slow_moving")}
"""Types of alert that are one kind of thing to do."""


def jobs_of_today() -> list[dict[str, Any]]:
    """`kind` (order, idle, win_back), `count`, `money` and the `top` three of each, the most money first."""
    found = [*_alerts(), _late()]
    return sorted((job for job in found if job["count"]), key=lambda job: -job["money"])


def _alerts() -> list[dict[str, Any]]:
    """Active alerts of both kinds: one query gives count, sum and top of each."""
    names = {name: kind for kind, types in ALERTS.items() for name in types}
    each: Any = {"partition_by": F("kind")}
    rows = (
        InventoryAlert.objects.active()
        .filter(alert_type__in=names)
        .annotate(kind=Case(*(When(alert_type__in=types, then=Value(kind)) for kind, types in ALERTS.items())))
        .annotate(
            place=Window(RowNumber(), **each, order_by=["-money_at_stake", "id"]),
            count=Window(Count("*"), **each),
            money=Window(Sum("money_at_stake"), **each),
        )
        .filter(place__lte=TOP)
        .order_by("kind", "place")
        .values("kind", "count", "money", "product_name", "sku", "money_at_stake", "variant_id", "urgency_level")
    )
    jobs: dict[str, dict[str, Any]] = {}
    for row in rows:
        job = jobs.setdefault(row["kind"], {name: row[name] for name in ("kind", "count", "money")} | {"top": []})
        job["top"].append(
            {
                "name": row["product_name"],
                "detail": row["sku"],
                "money": row["money_at_stake"],
                "id": row["variant_id"],
                "urgency": row["urgency_level"],
            }
        )
    return list(jobs.values())


def _late() -> dict[str, Any]:
    """Customers at risk, by what they spent in a year and will not spend any more."""
    risk = CustomerSegment.objects.in_service().filter(segment="at_risk", money_at_risk__gt=0)
    sums = risk.order_by().aggregate(count=Count("*"), money=Sum("money_at_risk"))
    rows = list(risk.order_by("-money_at_risk", "id")[:TOP])
    people = selectors_customers.contacts([row.customer_id for row in rows])
    top = [
        {
            "name": _called(people.get(row.customer_id, {})) or row.customer_id,
            "detail": row.recency_days, "money": row.money_at_risk, "id": row.customer_id,
        }
        for row in rows
    ]  # fmt: skip
    return {"kind": "win_back", "count": sums["count"], "money": sums["money"] or 0.0, "top": top}


def _called(person: Mapping[str, str]) -> str:
    return person.get("name") or person.get("email") or ""


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
