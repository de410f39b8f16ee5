"""What the weekly brief says: the week that was, the one to come, what to do, and how things stand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from ml_predictions import selectors, selectors_accuracy, selectors_morning, selectors_sales
from ml_predictions.errors import NotTrained
from ml_predictions.models_inventory import InventoryAlert, InventoryHealthDay

WEEK, YEAR, BEFORE = 7, 364, 28
"""Days: of a week; back to the same weekdays a year ago; before these, in which a shop that was there has sold."""


def brief() -> dict[str, Any]:
    """`as_of` (None: nothing was ever sold), `week`, `next`, `jobs`, `health`, `changed`, `models`, `currency`."""
    from ml_predictions.sources import get_source  # it brings Polars along, which the server's start does without

    until, models = get_source().data_until(), selectors.active_models()
    as_of = until.as_of if until else None
    return {
        "as_of": as_of,
        "week": _week(as_of) if as_of else None,
        "next": _next(as_of) if as_of else None,
        "jobs": selectors_morning.jobs_of_today(),
        "health": _health() | {"business": selectors.figures(models)["business_health"]["score"]},
        "changed": selectors_morning.changed(hours=24 * WEEK),
        "models": [(model, selectors.drift_warnings(model)) for model in models.values()],
        "currency": selectors_sales.currency(),
    }


def _week(as_of: date) -> dict[str, Any]:
    """The last seven whole days: `sold`; `forecast` and `naive` made before each day; `last_year`. None: not known."""
    first = as_of - timedelta(days=WEEK - 1)
    past = selectors_sales.history("total", "", days=BEFORE + YEAR + WEEK)
    before, then, now = past[:BEFORE], past[BEFORE : BEFORE + WEEK], past[-WEEK:]
    said = [row for row in selectors_accuracy.last_days(WEEK) if first <= row["date"] <= as_of]
    whole = len(said) == WEEK
    return {
        "first": first,
        "last": as_of,
        "sold": _sum(now, "sales"),
        "forecast": _sum(said, "forecast") if whole else None,
        "naive": _sum(said, "baseline") if whole and all(row["baseline"] is not None for row in said) else None,
        "last_year": _sum(then, "sales") if _sum(before, "sales") > 0 else None,
    }


def _next(as_of: date) -> dict[str, Any] | None:
    """The seven days that the forecast in service begins with, and their sum with its 80 % band; None: none to come."""
    from ml_predictions.artifacts import ArtifactRefused  # it brings NumPy along

    try:
        found = selectors_sales.forecast("total", "", days=WEEK)
    except (NotTrained, ArtifactRefused):
        return None
    first, last = (found["model"].as_of + timedelta(days=days) for days in (1, WEEK))
    if last <= as_of:
        return None
    near = found["summary_80"]
    return {
        "first": first,
        "last": last,
        "sales": near["total_predicted_sales"],
        "low": near["total_lower"],
        "high": near["total_upper"],
    }


def _health() -> dict[str, float | None]:
    """The stock's health as of the last day it was looked at, and a week before."""
    last = InventoryHealthDay.objects.order_by("-day").first()
    if last is None:
        return {"stock": None, "stock_before": None}
    before = InventoryHealthDay.objects.filter(day__lte=last.day - timedelta(days=WEEK)).order_by("-day").first()
    return {"stock": last.health_score, "stock_before": before.health_score if before else None}


def critical(today: date) -> list[InventoryAlert]:
    """Stock-outs that want a decision today and are not snoozed, the most money first."""
    alerts = InventoryAlert.objects.awake(today).filter(alert_type__in=selectors_morning.ALERTS["order"])
    return list(alerts.filter(urgency_level__gte=selectors.CRITICAL_URGENCY).order_by("-expected_money", "id"))


def _sum(rows: list[dict[str, Any]], name: str) -> float:
    return round(sum(float(row[name]) for row in rows), 2)
