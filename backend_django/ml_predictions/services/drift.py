"""Is the forecast in service still of this shop? Its error on live days, and what is sold, then and now.

Two looks, every night. The days that are over and were forecast: did more of them fall outside the 95 % interval than
it allows? And the distributions that the forecast has learned from: the 13 weeks up to the version's last day beside
the days since (a week at least, four at most). What is found stands on the version, and is told by `forecast-accuracy/`
and the dashboard.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from django.db.models import F, Q

from ml_predictions.messages import message
from ml_predictions.models import MLModel
from ml_predictions.models_accuracy import PastForecast
from ml_predictions.sources import get_source
from ml_predictions.sources.base import Source
from retail_ml import drift

SERVICE = "sales_forecast"
LIVE_DAYS = 28
FEWEST_DAYS = 14
"""Scored days from which the error on live days says something."""
BEFORE = timedelta(days=91)
SINCE = (7, 28)
"""Days since the version's last day that are held against those before: at least, at most."""
FEWEST_ORDERS = 50
"""Orders of either time below which distributions are not compared."""


def watch(source: Source | None = None) -> dict[str, Any] | None:
    """Look, and store what was found on the forecast in service; None where nothing is in service or was sold."""
    model = MLModel.objects.filter(service=SERVICE, is_active=True).first()
    source = source or get_source()
    until = source.data_until()
    if model is None or until is None:
        return None
    live, inputs = _live(until.as_of), _inputs(source, model, until.as_of)
    warnings = [*_of_error(live), *_of_inputs(inputs)]
    found = {
        "checked_until": until.as_of.isoformat(),
        "drifted": bool(warnings),
        "live_days": live,
        "inputs": inputs,
        "warnings": warnings,
    }
    MLModel.objects.filter(pk=model.pk).update(drift=found)
    return found


def _live(as_of: date) -> dict[str, Any]:
    """The last days that are over, each by the last forecast made before it: how many, and how many were outside."""
    rows = (
        PastForecast.objects.filter(level="total", actual__isnull=False, start__gt=as_of - timedelta(days=LIVE_DAYS))
        .exclude(closed=True)
        .order_by("start", "published__as_of", "published")
        .annotate(inside=Q(actual__gte=F("lower_95"), actual__lte=F("upper_95")))
        .values_list("start", "inside")
    )
    newest = {start: not inside for start, inside in rows}
    days, outside = len(newest), sum(newest.values())
    enough = days >= FEWEST_DAYS
    return {
        "days": days,
        "outside_95": outside,
        "drifted": drift.outside_too_often(outside, days, 0.95) if enough else None,
    }


def _inputs(source: Source, model: MLModel, as_of: date) -> list[dict[str, Any]]:
    """The stability index of each distribution; empty while too little has been sold since."""
    if (as_of - model.as_of).days < SINCE[0]:
        return []
    sold = source.order_lines(since=model.as_of - BEFORE).filter(~pl.col("is_return") & (pl.col("units") > 0))
    sold = sold.join(source.products().select("product_id", "category"), on="product_id", how="left")
    then = sold.filter(pl.col("day") <= model.as_of)
    now = sold.filter((pl.col("day") > model.as_of) & (pl.col("day") > as_of - timedelta(days=SINCE[1])))
    if min(then["order_id"].n_unique(), now["order_id"].n_unique()) < FEWEST_ORDERS:
        return []
    return [
        {"of": name, "index": round(index, 4), "chance": chance, "drifted": drift.shifted(index, chance)}
        for name, (reference, recent) in _distributions(then, now).items()
        for index in [drift.stability_index(reference, recent)]
        for chance in [float(f"{drift.chance_of(index, reference, recent):.3g}")]
    ]


def _distributions(then: pl.DataFrame, now: pl.DataFrame) -> dict[str, tuple[Any, Any]]:
    """Name → counts by bin, before and since: money of an order, price of a unit, categories, days of the week."""

    def orders(lines: pl.DataFrame) -> pl.DataFrame:
        return lines.group_by("order_id").agg(pl.col("amount").sum(), pl.col("day").first())

    def prices(lines: pl.DataFrame) -> Any:
        return lines.select(pl.col("amount") / pl.col("units")).to_series().to_numpy()

    def shares(a: pl.Series, b: pl.Series) -> tuple[Any, Any]:
        names = pl.concat([a, b]).unique().sort()
        counts = (dict(one.drop_nulls().value_counts().iter_rows()) for one in (a, b))
        return tuple(np.array([found.get(name, 0) for name in names.drop_nulls()], dtype=float) for found in counts)  # type: ignore[return-value]

    before, since = orders(then), orders(now)
    return {
        "order_value": drift.binned(before["amount"].to_numpy(), since["amount"].to_numpy()),
        "unit_price": drift.binned(prices(then), prices(now)),
        "category": shares(then["category"], now["category"]),
        "weekday": shares(before["day"].dt.weekday(), since["day"].dt.weekday()),
    }


def _of_error(live: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if live["drifted"]:
        yield message("drift.error", days=live["days"], outside=live["outside_95"])


def _of_inputs(inputs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in inputs:
        if one["drifted"]:
            yield message(f"drift.{one['of']}", index=one["index"])
