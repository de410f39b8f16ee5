"""How well past forecasts kept their word: scores pooled over versions, and the last days of the total."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from django.db.models import Max, Min, QuerySet

from ml_predictions.messages import message
from ml_predictions.models import MLModel
from ml_predictions.models_accuracy import ForecastScore, Horizon, PastForecast, PublishedForecast, ScoredLevel

LAST_DAYS = 28
MOST_VERSIONS = 50
FEW = 28
"""Fewer periods than this say little about a coverage: of 28, one more or less is 4 points."""
UNITS = {"total": ("sales", 1), "category": ("sales", 1), "product": ("units", 7)}
"""What is scored at each level, and the days of a period."""
DAY_NAMES = {"mean": "forecast", "naive": "baseline"}
FILTERS = {"level": "level", "horizon": "horizon", "model_id": "published__model", "since": "published__as_of__gte"}
SUMS = (
    "periods", "actual", "error", "absolute_error", "counted", "inside_80", "inside_95", "closed", "closed_error",
)  # fmt: skip

PROMISES = {"wape": "actual", "baseline_wape": "actual", "coverage_80": "counted", "coverage_95": "counted"}
"""What a back-test promises, and what it is weighed by when versions are pooled."""


def forecast_accuracy(wanted: dict[str, Any]) -> dict[str, Any]:
    """Promise and truth per level and horizon (`scores`), the `versions` behind them, and the total's `last_days`.

    `wanted`: level, horizon, model_id and since (forecasts made from that day of data on), each of them optional.
    """
    rows = list(_chosen(ForecastScore.objects, wanted).select_related("published"))
    groups: dict[tuple[str, str], list[ForecastScore]] = defaultdict(list)
    for row in rows:
        groups[row.level, row.horizon].append(row)
    order = [(level, horizon) for level in ScoredLevel.values for horizon in Horizon.values]
    scores = [pooled(groups[key]) for key in order if key in groups]
    scored_until = max((row.last_day for row in rows), default=None)
    return {
        "scored_until": scored_until,
        "scores": scores,
        "versions": _versions(rows),
        "last_days": _last_days(wanted, scored_until),
        "drift": MLModel.objects.filter(service="sales_forecast", is_active=True)
        .values_list("drift", flat=True)
        .first(),
        "notes": _notes(scores, scored_until, chosen=bool(wanted)),
    }


def pooled(rows: list[ForecastScore]) -> dict[str, Any]:
    """One level and horizon over all its versions: shares of sums, never means of shares.

    What was promised is weighed like what came (errors by sales, coverage by periods), over the versions that
    promised something.
    """
    level, horizon = rows[0].level, rows[0].horizon
    total = {name: sum(getattr(row, name) for row in rows) for name in SUMS}
    naive = [row for row in rows if row.naive_absolute_error is not None]
    naive_sums = [
        sum(getattr(row, name) for row in naive) for name in ("naive_absolute_error", "naive_error", "actual")
    ]
    found: dict[str, Any] = {
        "level": level,
        "unit": UNITS[level][0],
        "period_days": Horizon(horizon).last if horizon == Horizon.FOUR_WEEKS else UNITS[level][1],
        "horizon": horizon,
        "versions": len({row.published_id for row in rows}),
        "periods": total["periods"],
        "counted_periods": total["counted"],
        "wape": _share(total["absolute_error"], total["actual"]),
        "baseline_wape": _share(naive_sums[0], naive_sums[2]),
        "bias": _share(total["error"], total["actual"]),
        "baseline_bias": _share(naive_sums[1], naive_sums[2]),
        "coverage_80": _share(total["inside_80"], total["counted"]),
        "coverage_95": _share(total["inside_95"], total["counted"]),
    }
    for name, weight in PROMISES.items():
        promises = [(promise(row, name), getattr(row, weight)) for row in rows]
        told = [(value, by) for value, by in promises if value is not None]
        found[f"promised_{name}"] = _share(sum(value * by for value, by in told), sum(by for _, by in told))
    return found | {
        "closure_periods": total["closed"],
        "wape_without_closures": _share(total["absolute_error"] - total["closed_error"], total["actual"]),
        "final": all(row.final for row in rows),
    }


def promise(row: ForecastScore, name: str) -> float | None:
    """What the back-test of a score's version promised for its level and horizon."""
    value: float | None = row.published.promised.get(row.level, {}).get(row.horizon, {}).get(name)
    return value


def _chosen(rows: Any, wanted: dict[str, Any]) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.filter(**{FILTERS[name]: value for name, value in wanted.items()})
    return found


def _share(part: float, of: float) -> float | None:
    return round(part / of, 4) if of > 0 else None


def _versions(rows: list[ForecastScore]) -> list[dict[str, Any]]:
    """The newest versions behind the scores, newest first."""
    found = {row.published_id: row.published for row in rows}
    return [
        {
            "model_id": one.model_id,
            "version": one.version,
            "model_type": one.model_type,
            "as_of": one.as_of,
            "published_at": one.published_at,
        }
        for _, one in sorted(found.items(), reverse=True)[:MOST_VERSIONS]
    ]


def last_days(days: int = LAST_DAYS) -> list[dict[str, Any]]:
    """The total's last scored days, each with the last forecast that was made before it: for a chart. Two queries."""
    until = PastForecast.objects.filter(level="total", actual__isnull=False).aggregate(last=Max("start"))["last"]
    return _last_days({}, until)[-days:]


def _last_days(wanted: dict[str, Any], until: date | None) -> list[dict[str, Any]]:
    """The last days of the total that are over, each with the last forecast that was made before it."""
    if until is None or wanted.get("level", "total") != "total":
        return []
    over = PastForecast.objects.filter(level="total", actual__isnull=False, start__gt=until - timedelta(days=LAST_DAYS))
    bounds = ("mean", "lower_80", "upper_80", "lower_95", "upper_95", "naive", "actual")
    rows = (
        _chosen(over, wanted)
        .order_by("start", "published__as_of", "published")
        .values("start", "closed", "published__version", "published__as_of", *bounds)
    )
    found = {
        row["start"]: {
            "date": row["start"],
            **{DAY_NAMES.get(name, name): _money(row[name]) for name in bounds},
            "unforeseen_closure": row["closed"],
            "version": row["published__version"],
            "days_ahead": (row["start"] - row["published__as_of"]).days,
        }
        for row in rows  # the newest forecast of a day comes last, and stays
    }
    return list(found.values())


def _money(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _notes(scores: list[dict[str, Any]], until: date | None, *, chosen: bool) -> list[dict[str, Any]]:
    """What counts, and how much it says; where there is nothing, when the first score will be there."""
    if scores:
        notes = [message("accuracy.counts", until=until)]
        fewest = min(score["periods"] for score in scores)
        return [*notes, message("accuracy.few", periods=fewest, needed=FEW)] if fewest < FEW else notes
    if not PublishedForecast.objects.exists():
        return [message("accuracy.none_published", call="/api/ml/train-sales-forecast/")]
    if chosen and ForecastScore.objects.exists():
        return [message("accuracy.none_fits")]
    waiting = PastForecast.objects.filter(actual__isnull=True).aggregate(first=Min("end"))["first"]
    return [message("accuracy.waiting", day=waiting) if waiting else message("accuracy.none_fits")]
