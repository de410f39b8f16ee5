"""What stands beside a forecast: why it is what it is, in sentences and factors, and its months."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from django.utils.translation import get_language, gettext

from ml_predictions.messages import message
from retail_ml.forecast.explain import PARTS
from retail_ml.forecast.public_holidays import CHRISTMAS, EASTER, NEW_YEAR, in_language
from retail_ml.forecast.serving import Ahead, Forecasts

SAID = 0.02
"""Changes below this share are not worth a sentence."""
MOST_NAMED = 6


def explanation(forecasts: Forecasts, *, days: int, calendar: dict[str, Any], currency: str) -> dict[str, Any] | None:
    """What drives the shop's revenue over the next `days` days: `sentences` (messages), `factors`, `named_days`.

    `factors`: the mean of each part over the open days, whose product is about the mean open day. `calendar`: that of
    the receipt; public holidays are named in the language of the answer. None for a version that was trained before
    explanations were kept.
    """
    if "explain" not in forecasts.arrays:
        return None
    parts = dict(zip(PARTS, np.asarray(forecasts.arrays["explain"], dtype=float)[:, :days], strict=True))
    opened = parts["closure"] > 0
    factors = {name: _mean(parts[name][opened]) for name in PARTS if name != "closure"}
    last = (forecasts.as_of + timedelta(days=days)).isoformat()
    own = _holiday_names(calendar, (forecasts.as_of.year, forecasts.as_of.year + 1))
    named = [
        {**one, "name": own.get(one["name"], one["name"])} if one["kind"] == "holiday" else one
        for one in forecasts.meta["named_days"]
        if one["date"] <= last
    ]
    closed = [day for day in forecasts.meta["closed"] if day <= last]
    sentences = [*_sentences(factors, parts, forecasts.as_of, days, currency=currency)]
    sentences += _of_days(named, closed, parts, forecasts.as_of)
    return {
        "sentences": sentences,
        "factors": {name: round(value, 4) for name, value in factors.items() if value is not None},
        "named_days": named,
        "closed_days": closed,
    }


def months(forecasts: Forecasts, level: str, object_id: str, *, days: int, coverage: float) -> list[dict[str, Any]]:
    """Sums of each calendar month of the next `days` days, with an interval made for the month's sum.

    Of the shop and its categories; a month that begins before the forecast or ends after it counts `days` of it.
    """
    row = forecasts.row(level, object_id)
    ahead = forecasts.dates(days)
    out = []
    for month, group in groupby(range(days), key=lambda i: ahead[i].strftime("%Y-%m")):
        inside = list(group)
        first, last = inside[0], inside[-1] + 1
        entry: dict[str, Any] = {"month": month, "days": last - first}
        for target, key in (("sales", "sales"), ("units", "quantity")):
            mean = np.asarray(forecasts.arrays[f"{level}_{target}_mean"][row : row + 1], dtype=float)
            widths = forecasts.widths(f"{level}_{target}", slice(row, row + 1))
            lower, upper = widths.between(mean, first, last, coverage=coverage)
            entry |= {
                f"predicted_{key}": round(float(mean[:, first:last].sum()), 2),
                f"{key}_lower": round(float(lower[0]), 2),
                f"{key}_upper": round(float(upper[0]), 2),
            }
        out.append(entry)
    return out


def summary(sales: Ahead, units: Ahead, *, days: int) -> dict[str, float]:
    """The whole of the days: its intervals are made for the whole."""
    return {
        "total_predicted_sales": round(sales.total, 2),
        "avg_daily_sales": round(sales.total / days, 2),
        "total_predicted_quantity": round(units.total, 2),
        "total_lower": round(sales.total_lower, 2),
        "total_upper": round(sales.total_upper, 2),
        "quantity_total_lower": round(units.total_lower, 2),
        "quantity_total_upper": round(units.total_upper, 2),
    }


def _holiday_names(calendar: dict[str, Any], years: tuple[int, int]) -> dict[str, str]:
    """English name → name in the language of the answer: by the country's table, where it is written in it.

    The feasts that stand without a table have their names here.
    """
    feasts = {
        EASTER: gettext("Easter Sunday"),
        NEW_YEAR: gettext("New Year's Day"),
        CHRISTMAS: gettext("Christmas Day"),
    }
    language = (get_language() or "en").split("-")[0]
    known = calendar.get("country") if language != "en" else ""
    return feasts | (in_language(known, calendar.get("region", ""), years, language) if known else {})


def _mean(values: np.ndarray) -> float | None:
    """Geometric mean; None of nothing."""
    return float(np.exp(np.log(np.maximum(values, 1e-12)).mean())) if values.size else None


def _percent(factor: float) -> int:
    """How many per cent more or less a factor makes, without the sign."""
    return round(abs(factor - 1) * 100)


def _sentences(
    factors: dict[str, float | None], parts: dict[str, np.ndarray], as_of: date, days: int, *, currency: str
) -> Iterator[dict[str, Any]]:
    """Level, trend, season and weekdays."""
    level = factors["level"]
    if level is None:
        return
    yield message("forecast.why_level", amount=round(level, 2 if level < 100 else None), currency=currency)
    for name in ("trend", "season"):
        factor = factors[name] or 1.0
        if abs(factor - 1) >= SAID:
            yield message(f"forecast.why_{name}_{'up' if factor > 1 else 'down'}", percent=_percent(factor), days=days)
    near = np.arange(min(days, 28))
    weekday = (as_of.weekday() + 1 + near) % 7
    opened = parts["closure"][near] > 0
    found = {int(d): _mean(parts["weekday"][near][(weekday == d) & opened]) for d in np.unique(weekday[opened])}
    effects = {d: value for d, value in found.items() if value is not None}
    if len(effects) < 2:
        return
    best, worst = max(effects, key=lambda d: effects[d]), min(effects, key=lambda d: effects[d])
    if effects[best] / effects[worst] >= 1 + 2 * SAID:
        yield message(
            "forecast.why_weekday",
            weekday_best=best, weekday_worst=worst, more=_percent(effects[best]), less=_percent(effects[worst]),
        )  # fmt: skip


def _of_days(
    named: list[dict[str, Any]], closed: list[str], parts: dict[str, np.ndarray], as_of: date
) -> Iterator[dict[str, Any]]:
    """Feasts and promotions that change an open day, and the days on which the shop is closed."""
    said = 0
    for (kind, name), group in groupby(
        sorted(named, key=lambda one: (one["kind"], one["name"], one["date"])), lambda one: (one["kind"], one["name"])
    ):
        if kind not in ("holiday", "promotion") or said == MOST_NAMED:
            continue
        at = [(date.fromisoformat(one["date"]) - as_of).days - 1 for one in group if one["open"]]
        factor = _mean(parts[kind][at]) if at else None
        if factor is None or not math.isfinite(factor) or abs(factor - 1) < SAID:
            continue
        said += 1
        first = (as_of + timedelta(days=at[0] + 1)).isoformat()
        code = f"forecast.why_{kind}_{'up' if factor > 1 else 'down'}"
        yield message(code, name_id=name, first=first, percent=_percent(factor))
    if closed:
        code = "forecast.why_closed" if len(closed) <= MOST_NAMED else "forecast.why_closed_many"
        yield message(code, count=len(closed), closed=closed[:MOST_NAMED])
