"""Was it right? What alerts and order suggestions said is written down at birth and scored when its days are over.

A claim of a variant and code is made when none of them is under way: while an alert goes on, the next one follows the
last. Beside the alerts and suggestions stands a naive rule (less than 7 days of the 30-day average in stock), claimed
and scored alike. What came is read from sales and stock history; it is looked at again for `RECHECKED` days, because
orders become sales after their day. Claims are kept for `KEPT_DAYS`.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
from django.db import transaction

from api_base import prepared
from ml_predictions.models_inventory import InventoryAlert, InventoryClaim
from ml_predictions.services.inventory_answers import Analysis
from ml_predictions.sources.base import Source, read_optional, stock_history_since
from retail_ml.inventory import claims

RECHECKED = 28
"""Days for which a scored claim is looked at again."""
KEPT_DAYS = 730
READ: dict[str, Any] = {
    "id": pl.Int64, "code": pl.String, "variant_id": pl.String, "abc": pl.String, "made_on": pl.Date, "due_on": pl.Date,
    "units": pl.Float64, "stock": pl.Float64, "bound": pl.Float64, "unit_money": pl.Float64, "alert_id": pl.Int64,
    "scored_on": pl.Date,
}  # fmt: skip
WRITTEN = ("came_true", "units_came", "money_came", "base_rate", "unknown", "done", "scored_on", "final")
Done = InventoryClaim.Done


def refresh(analysis: Analysis, source: Source) -> dict[str, int]:
    """Score what is over, then write down what is claimed now: `claims_made`, `claims_scored`."""
    if not analysis.counted:
        return {"claims_made": 0, "claims_scored": 0}
    with transaction.atomic():
        scored = score(analysis, source)
        made = _make(analysis)
        old = analysis.as_of - timedelta(days=KEPT_DAYS)
        InventoryClaim.objects.filter(final=True, due_on__lt=old).delete()
    return {"claims_made": made, "claims_scored": scored}


def _make(analysis: Analysis) -> int:
    """Write down the claims of now, for which none of the same kind, code and variant is under way."""
    found = claims.make(analysis.frame, review_days=analysis.rules.review_days)
    under_way = set(
        InventoryClaim.objects.filter(due_on__gt=analysis.as_of).values_list("kind", "code", "variant_id").order_by()
    )
    alerts = dict(InventoryAlert.objects.active().order_by().values_list("variant_id", "pk"))
    new = []
    for row in found.to_dicts():
        if (row["kind"], row["code"], row["variant_id"]) in under_way:
            continue
        due = analysis.as_of + timedelta(days=row.pop("days"))
        alert = None if row["kind"] == InventoryClaim.Kind.RULE else alerts.get(row["variant_id"])
        new.append(InventoryClaim(**row, alert_id=alert, made_on=analysis.as_of, due_on=due))
    prepared.insert(new)
    return len(new)


def score(analysis: Analysis, source: Source) -> int:
    """Hold the claims that are over against what came; how many have been scored for the first time.

    A claim is never looked at before its last day is over. As many queries for a thousand as for one.
    """
    as_of = analysis.as_of
    due = InventoryClaim.objects.filter(final=False, due_on__lte=as_of).order_by("id")
    rows = pl.DataFrame(list(due.values_list(*READ)), schema=READ, orient="row")
    if rows.is_empty():
        return 0
    first = rows.select(pl.col("made_on").min()).item() - timedelta(days=claims.RATE_DAYS)
    found = claims.outcomes(
        rows,
        source.order_lines(since=first),
        analysis.frame,
        stock_history_since(source, first),
        abc=analysis.frame.select("variant_id", "abc"),
        as_of=as_of,
    )
    done = _done(rows, source)
    changed = [
        InventoryClaim(
            pk=row["id"],
            **what,
            done=done[row["id"]],
            scored_on=row["scored_on"] or as_of,
            final=row["due_on"] <= as_of - timedelta(days=RECHECKED),
        )
        for row, what in zip(rows.to_dicts(), found.to_dicts(), strict=True)
    ]
    prepared.update(changed, WRITTEN)
    return rows["scored_on"].null_count()


def _done(rows: pl.DataFrame, source: Source) -> dict[int, str]:
    """What was done about each claim within its days: ordered, else what a person did to its alert."""
    touched = InventoryAlert.objects.filter(claims__final=False, claims__due_on__lte=rows["due_on"].max()).distinct()
    columns = ("pk", "resolved_how", "resolved_at", "snoozed_by", "acknowledged_at")
    alerts = {alert["pk"]: alert for alert in touched.order_by().values(*columns)}
    found = {row["id"]: _by_hand(alerts.get(row["alert_id"]), row["due_on"]) for row in rows.to_dicts()}
    sent = [
        read_optional(source, "deliveries").select("variant_id", "ordered"),
        read_optional(source, "open_orders").filter(~pl.col("draft")).select("variant_id", "ordered"),
    ]
    hit = rows.join(pl.concat(sent).drop_nulls(), on="variant_id")
    hit = hit.filter(pl.col("ordered") > pl.col("made_on"), pl.col("ordered") <= pl.col("due_on"))
    return found | dict.fromkeys(hit["id"].to_list(), Done.ORDERED.value)


def _by_hand(alert: dict[str, Any] | None, due: date) -> str:
    if alert is None:
        return Done.NOTHING.value
    if alert["resolved_how"] == InventoryAlert.How.HAND and alert["resolved_at"].date() <= due:
        return Done.RESOLVED.value
    if alert["snoozed_by"]:
        return Done.SNOOZED.value
    return Done.ACKNOWLEDGED.value if alert["acknowledged_at"] else Done.NOTHING.value
