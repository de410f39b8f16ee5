"""Keeping the stored alerts in step with the facts, in a handful of queries for any number of variants.

One active alert per variant. A condition that was false in two consecutive refreshes resolves its alert. An alert
resolved by hand stays resolved while the same condition (its type, no more urgent than then) goes on; once that was
false in two consecutive refreshes, it may come back as a new alert. Likewise one that was seen or snoozed stays
so until it is more urgent than it was then, or another thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from api_base import prepared
from ml_predictions.models_inventory import InventoryAlert

RUNS_TO_CLEAR = 2
FIELDS = (
    "variant_id", "product_id", "sku", "product_name", "category", "alert_type", "code", "urgency_level",
    "current_stock", "recommended_stock", "predicted_demand_7days", "predicted_demand_30days", "daily_sales_rate",
    "days_until_stockout", "estimated_stockout_date", "rotation_rate", "price", "money_at_stake",
    "probability", "expected_money", "also", "reason",
)  # fmt: skip
UNDECIDED: dict[str, Any] = {
    "acknowledged_at": None, "acknowledged_by": "", "snoozed_until": None, "snoozed_by": "", "decided_type": "",
    "decided_urgency": 0,
}  # fmt: skip
Status = InventoryAlert.Status


def refresh(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Bring the stored alerts in line with `rows` (at most one per variant): `created`, `updated`, `resolved`, `kept`.

    `kept` counts those that a person has resolved and whose condition goes on.
    """
    now = timezone.now()
    with transaction.atomic():
        active = dict(InventoryAlert.objects.filter(status=Status.ACTIVE).values_list("variant_id", "pk"))
        by_hand = _by_hand()
        new, changed, kept = [], [], []
        for row in rows:
            alert = InventoryAlert(**{name: row[name] for name in FIELDS}, created_at=now, last_seen_at=now)
            hand = by_hand.get(alert.variant_id)
            if alert.variant_id in active:
                alert.pk = active[alert.variant_id]
                changed.append(alert)
            elif hand and hand["alert_type"] == alert.alert_type and alert.urgency_level <= hand["urgency_level"]:
                kept.append(InventoryAlert(pk=hand["pk"], last_seen_at=now, absent_runs=0))
            else:
                new.append(alert)
        prepared.update(changed, (*FIELDS, "last_seen_at", "absent_runs"))
        prepared.update(kept, ("last_seen_at", "absent_runs"))
        prepared.insert(new)
        _forget_decisions()
        resolved = _clear(now)
    return {"created": len(new), "updated": len(changed), "resolved": resolved, "kept": len(kept)}


def _by_hand() -> dict[str, Any]:
    """The latest alert per variant that a person resolved and whose condition has not yet been gone for long enough."""
    found = InventoryAlert.objects.filter(
        status=Status.RESOLVED, resolved_how="hand", absent_runs__lt=RUNS_TO_CLEAR
    ).order_by("resolved_at", "pk")
    return {row["variant_id"]: row for row in found.values("pk", "variant_id", "alert_type", "urgency_level")}


def _forget_decisions() -> None:
    """What became more urgent than when it was seen or snoozed, or another thing, is unseen and awake again."""
    worse = Q(urgency_level__gt=F("decided_urgency")) | ~Q(alert_type=F("decided_type"))
    InventoryAlert.objects.active().filter(worse, decided_urgency__gt=0).update(**UNDECIDED)


def _clear(now: Any) -> int:
    """Count one more run for what was not seen in this one, and resolve what was not seen for long enough."""
    unseen = InventoryAlert.objects.filter(last_seen_at__lt=now)
    unseen.filter(status=Status.ACTIVE).update(absent_runs=F("absent_runs") + 1)
    unseen.filter(status=Status.RESOLVED, resolved_how="hand", absent_runs__lt=RUNS_TO_CLEAR).update(
        absent_runs=F("absent_runs") + 1
    )
    gone = InventoryAlert.objects.filter(status=Status.ACTIVE, absent_runs__gte=RUNS_TO_CLEAR)
    return gone.update(status=Status.RESOLVED, resolved_at=now, resolved_how="facts")
