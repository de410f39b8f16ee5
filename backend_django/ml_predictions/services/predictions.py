"""Answers of `predict-sales/` looked back on when their days are over, and made again from the version behind them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl
from django.db import connections, router
from django.db.models import F, Q

from ml_predictions import artifacts
from ml_predictions.messages import message
from ml_predictions.models import Prediction
from ml_predictions.services.forecast_accuracy import RECHECKED, SLACK
from ml_predictions.sources import get_source
from ml_predictions.sources.base import Source
from retail_ml import frames

MOST = 2_000
"""Predictions looked back on at once; those that are left come the next night."""
COLUMN = {"category": "category", "product": "product_id", "variant": "variant_id"}
Came = dict[tuple[str, str], dict[date, tuple[float, float]]]
"""Level and id → day → revenue and units."""


class VersionGone(Exception):
    """The version behind a prediction was deleted: its numbers cannot be made again."""

    code = "version_gone"

    def __init__(self, prediction: Prediction) -> None:
        self.details = {"prediction_id": prediction.pk, "as_of": prediction.as_of.isoformat()}
        super().__init__(
            f"The version behind prediction {prediction.pk} was deleted, so its numbers cannot be made again; what was "
            "answered is stored with the prediction."
        )


# --- looking back ---------------------------------------------------------------------------------


def look_back(source: Source | None = None) -> int:
    """Hold the predictions whose days are over against what came; returns how many.

    One read of the predictions, of the sales and of the range each, and one write, however many there are. Looked at
    again until they are RECHECKED days old, because orders become sales after their day.
    """
    source = source or get_source()
    until = source.data_until()
    if until is None:
        return 0
    again = Q(looked_back_on__lt=until.as_of, last_day__gt=until.as_of - timedelta(days=RECHECKED))
    over = Prediction.objects.filter(Q(looked_back_on=None) | again, last_day__lte=until.as_of)
    rows = list(over.order_by(F("looked_back_on").asc(nulls_first=True), "id")[:MOST])
    if not rows:
        return 0
    came, known = _came(source, rows, until=until.as_of)
    _store([(json.dumps(_held_against(row, came, known)), until.as_of, row.pk) for row in rows])
    return len(rows)


def _came(source: Source, rows: list[Prediction], *, until: date) -> tuple[Came, set[tuple[str, str]]]:
    """What came of everything that the predictions are of, and which of it the shop (still) has."""
    wanted = defaultdict(set)
    for row in rows:
        wanted[row.parameters.get("level", "total")].add(row.parameters.get("id", ""))
    lines = frames.net_same_day(source.order_lines(since=min(row.as_of for row in rows)))
    products = source.products()
    lines = lines.join(products.select("product_id", "category"), on="product_id", how="left")
    came: Came = defaultdict(dict)
    known = {("total", "")} | {("category", name) for name in products["category"].unique()}
    known |= {("product", one) for one in products["product_id"]}
    if "variant" in wanted:
        known |= {("variant", one) for one in source.stock()["variant_id"]}
    for level, ids in wanted.items():
        named = lines.with_columns(object_id=pl.lit("") if level == "total" else pl.col(COLUMN[level]))
        daily = frames.daily_sales(named.filter(pl.col("object_id").is_in(list(ids))), ["object_id"], until=until)
        for object_id, day, sales, units in daily.iter_rows():
            came[level, object_id][day] = (sales, units)
    return came, known | came.keys()


def _held_against(row: Prediction, came: Came, known: set[tuple[str, str]]) -> dict[str, Any]:
    """Promise and truth of one prediction."""
    key = (row.parameters.get("level", "total"), row.parameters.get("id", ""))
    if key not in known:
        return {"reason": message("prediction.gone", id=key[1])}
    days, found = row.result["predictions"], came.get(key, {})
    truth = [found.get(date.fromisoformat(day["date"]), (0.0, 0.0)) for day in days]
    sales, units = (round(sum(column), 2) for column in zip(*truth, strict=True))
    errors = [day["predicted_sales"] - day_sales for day, (day_sales, _) in zip(days, truth, strict=True)]
    inside = [
        _inside(day_sales, day["confidence_lower"], day["confidence_upper"])
        for day, (day_sales, _) in zip(days, truth, strict=True)
    ]
    summary, size = row.result["summary"], sum(abs(day_sales) for day_sales, _ in truth)
    promised = {name: summary[name] for name in ("total_predicted_sales", "total_lower", "total_upper")}
    return {
        "promised": {**promised, "total_predicted_quantity": summary["total_predicted_quantity"]},
        "came": {"sales": sales, "quantity": units, "days": [list(one) for one in truth]},
        "error": round(summary["total_predicted_sales"] - sales, 2),
        "error_share": round(summary["total_predicted_sales"] / sales - 1, 4) if sales > 0 else None,
        "wape": round(sum(map(abs, errors)) / size, 4) if size > 0 else None,
        "total_inside": _inside(sales, summary["total_lower"], summary["total_upper"]),
        "days_inside": round(sum(inside) / len(inside), 4),
        "coverage": row.parameters.get("coverage", 0.95),
    }


def _inside(value: float, lower: float, upper: float) -> bool:
    slack = SLACK * (1 + abs(value)) + 0.005  # bounds are told in cents
    return lower - slack <= value <= upper + slack


def _store(rows: Iterable[tuple[str, date, int]]) -> None:
    """Write what was found, in one statement for all."""
    connection = connections[router.db_for_write(Prediction)]
    table = connection.ops.quote_name(Prediction._meta.db_table)
    cast = "%s::jsonb" if connection.vendor == "postgresql" else "%s"
    sql = f"UPDATE {table} SET looked_back = {cast}, looked_back_on = %s WHERE id = %s"
    with connection.cursor() as cursor:
        cursor.executemany(sql, list(rows))


# --- again ----------------------------------------------------------------------------------------


def reproduce(prediction: Prediction) -> dict[str, Any]:
    """The numbers of a prediction, made again from the file of the version that gave them.

    `identical`: are they what was answered? If not, `largest_difference` and what has `changed_since` (libraries,
    code). Raises VersionGone, or artifacts.ArtifactRefused where the file cannot be read.
    """
    from ml_predictions.services.sales_forecast import SalesForecastService

    model = prediction.model
    if model is None:
        raise VersionGone(prediction)
    asked = prediction.parameters
    found = SalesForecastService().predict(
        days_ahead=asked["days_ahead"],
        level=asked["level"],
        object_id=asked.get("id", ""),
        coverage=asked["coverage"],
        model=model,
    )
    again = json.loads(json.dumps({name: found[name] for name in ("predictions", "summary")}, default=str))
    before = {name: prediction.result[name] for name in again}
    now = artifacts.libraries()
    return {
        "identical": again == before,
        "largest_difference": _largest_difference(again["predictions"], before["predictions"]),
        "changed_since": sorted(name for name in now if model.libraries.get(name) != now[name]),
        "predictions": again["predictions"],
        "summary": again["summary"],
        "model": model,
    }


def _largest_difference(again: list[Mapping[str, Any]], before: list[Mapping[str, Any]]) -> float:
    """Of any figure of any day."""
    pairs = zip(again, before, strict=True)
    return max((abs(new[n] - old[n]) for new, old in pairs for n in new if n != "date"), default=0.0)
