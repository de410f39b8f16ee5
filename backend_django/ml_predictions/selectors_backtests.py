"""Looking back: what would have been said on a past day, or was said, beside what came and a naive baseline."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Count

from ml_predictions.models import MLModel
from ml_predictions.models_accuracy import ForecastScore, PastForecast
from ml_predictions.services import get_service

log = logging.getLogger(__name__)
MOST_PUBLISHED = 20


def tried() -> list[dict[str, Any]]:
    """The origins of the back-test of the forecast in service, newest first: `key, day, forecast, actual`, errors.

    `error` is forecast ÷ what came − 1 over all the days; `wape` and `baseline_wape` are of single days.
    """
    receipt = MLModel.objects.filter(service="sales_forecast", is_active=True).values_list("receipt", flat=True).first()
    found = [
        {
            "key": fold["cutoff"], "day": date.fromisoformat(fold["cutoff"]), "days": fold["horizon_days"],
            "error": _share(fold["forecast"] - fold["actual"], fold["actual"]),
            **{name: fold[name] for name in ("forecast", "actual", "wape", "baseline_wape", "coverage_80")},
        }
        for fold in (receipt or {}).get("folds", [])
    ]  # fmt: skip
    return found[::-1]


def published() -> list[dict[str, Any]]:
    """Forecasts that were in service and of which days are over, newest first: `key, day, days, version`."""
    scored = ForecastScore.objects.filter(level="total").values_list("published", flat=True)
    rows = (
        PastForecast.objects.filter(published__in=scored.distinct(), level="total", actual__isnull=False)
        .values("published", "published__as_of", "published__version")
        .annotate(days=Count("id"))
        .order_by("-published__as_of", "-published")[:MOST_PUBLISHED]
    )
    return [
        {
            "key": f"v{row['published']}", "day": row["published__as_of"], "days": row["days"],
            "version": row["published__version"],
        }
        for row in rows
    ]  # fmt: skip


def look_back(key: str) -> dict[str, Any] | None:
    """The days of one of `tried` or `published`, by its key: `rows`, and their figures together; None for no such one.

    A row has `date, forecast, lower_80 … upper_95, baseline, actual`. `lower_80` and `upper_80` of the whole are
    bounds of the sum; None where no sum was calibrated for these days.
    """
    if key.startswith("v") and key[1:].isascii() and key[1:].isdigit() and len(key) < 18:
        rows = _said(int(key[1:]))
        return {"rows": rows, **_together(rows)} if rows else None
    if not any(one["key"] == key for one in tried()):
        return None
    from ml_predictions.artifacts import ArtifactRefused
    from ml_predictions.services import backtests

    service: Any = get_service("sales_forecast")
    try:
        arrays = service.content(service.active()).arrays
    except ArtifactRefused as error:
        log.warning("The days of the back-test are not shown: %s", error)
        return None
    origin = date.fromisoformat(key)
    rows = backtests.days_of(arrays, origin)
    return {"rows": rows, **_together(rows), **backtests.sums_of(arrays, origin)} if rows else None


def _said(published_id: int) -> list[dict[str, Any]]:
    """The days of a published forecast that are over."""
    same = ("lower_80", "upper_80", "lower_95", "upper_95", "actual")
    rows = PastForecast.objects.filter(published=published_id, level="total", actual__isnull=False).order_by("start")
    return [
        {
            "date": row["start"],
            "forecast": row["mean"],
            "baseline": row["naive"],
            **{name: row[name] for name in same},
        }
        for row in rows.values("start", "mean", "naive", *same)
    ]


def _together(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The days as one: sums, errors of single days as a share of what came, and how many lay in their band."""
    known = [row for row in rows if row["actual"] is not None]
    naive = [row for row in known if row["baseline"] is not None]
    # That nothing came of nothing is no merit: such days do not count for the band.
    counted = [row for row in known if row["forecast"] > 0 or row["actual"] > 0]
    inside = [row["lower_80"] <= row["actual"] <= row["upper_80"] for row in counted]
    return {
        "days": len(known), "first": rows[0]["date"] if rows else None, "last": rows[-1]["date"] if rows else None,
        "forecast": _sum(known, "forecast"), "actual": _sum(known, "actual"), "lower_80": None, "upper_80": None,
        "error": _share(_sum(known, "forecast") - _sum(known, "actual"), _sum(known, "actual")),
        "baseline_error": _share(_sum(naive, "baseline") - _sum(naive, "actual"), _sum(naive, "actual")),
        "wape": _wape(known, "forecast"), "baseline_wape": _wape(naive, "baseline"),
        "coverage_80": _share(sum(inside), len(inside)),
    }  # fmt: skip


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(sum(row[name] for row in rows))


def _wape(rows: Iterable[Mapping[str, Any]], name: str) -> float | None:
    """Sum of the errors' sizes of single days as a share of what came."""
    pairs = [(row[name], row["actual"]) for row in rows]
    return _share(sum(abs(said - came) for said, came in pairs), sum(abs(came) for _, came in pairs))


def _share(part: float, of: float) -> float | None:
    return part / of if of > 0 else None
