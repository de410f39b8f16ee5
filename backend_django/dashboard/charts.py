"""Charts as data: what is drawn, with its labels in the reader's language. `charts.js` gives it colours and draws it.

A chart is `{"kind", "series": [{"role", "name", "x", "y", …}], "unit", "marks"}`. Roles (actual, forecast, band_80,
band_95, before) decide how a series looks, in the light as in the dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from ml_predictions.models_segments import Segment

Row = Mapping[str, Any]


def iso(day: Any) -> str:
    """A day as the chart wants it."""
    return day if isinstance(day, str) else str(day.isoformat())


def sales(
    past: Sequence[Row],
    ahead: Sequence[Row],
    *,
    measure: str = "sales",
    said: Iterable[Row] = (),
    marks: Iterable[Row] = (),
) -> dict[str, Any]:
    """Days that were, the forecast with its bands, what had been said of past days, and marked days."""
    days = [iso(row["date"]) for row in ahead]
    series: list[dict[str, Any]] = []
    for share in ("95", "80"):
        bands = [row[f"{measure}_{share}"] for row in ahead]
        series.append(
            {
                "role": f"band_{share}",
                "name": _("{share} % of days fall in here").format(share=share),
                "x": days,
                "low": [low for low, _high in bands],
                "high": [high for _low, high in bands],
            }
        )
    series.append({"role": "forecast", "name": _("Forecast"), "x": days, "y": [row[measure] for row in ahead]})
    before = list(said)
    if before:
        x = [iso(row["date"]) for row in before]
        series.append(
            {"role": "before", "name": _("Forecast made before"), "x": x, "y": [row["forecast"] for row in before]}
        )
    x, y = [iso(row["date"]) for row in past], [row[measure] for row in past]
    series.append({"role": "actual", "name": _("Sold"), "x": x, "y": y})
    return {"kind": "time", "unit": measure, "series": series, "marks": [dict(mark) for mark in marks]}


def looked_back(rows: Sequence[Row]) -> dict[str, Any]:
    """What was said of past days with its bands, what the naive baseline said, and what came."""
    known = [row for row in rows if row["forecast"] is not None]
    days = [iso(row["date"]) for row in known]
    bands = [
        {
            "role": f"band_{share}", "name": _("{share} % of days fall in here").format(share=share), "x": days,
            "low": [row[f"lower_{share}"] for row in known], "high": [row[f"upper_{share}"] for row in known],
        }
        for share in ("95", "80")
    ]  # fmt: skip
    names = {"forecast": _("Forecast"), "before": _("Naive"), "actual": _("Actual")}
    read = {"before": "baseline"}
    lines = [
        {"role": role, "name": name, "x": days, "y": [row[read.get(role, role)] for row in known]}
        for role, name in names.items()
    ]
    return {"kind": "time", "unit": "sales", "series": bands + lines, "marks": []}


def over_time(rows: Sequence[Row], *, share: bool) -> dict[str, Any]:
    """The figure of each version beside the naive baseline's; a `share` as per cent."""
    x, by = [f"v{row['version']}" for row in rows], 100 if share else 1
    roles = {"forecast": ("value", _("Model")), "before": ("baseline", _("Naive"))}
    series = [
        {"role": role, "name": name, "x": x, "y": [None if row[key] is None else by * row[key] for row in rows]}
        for role, (key, name) in roles.items()
    ]
    return {"kind": "time", "unit": "%" if share else "money", "series": series, "marks": [], "dots": True,
            "digits": 1 if share else 0, "x_type": "category"}  # fmt: skip


def table(past: Sequence[Row], ahead: Sequence[Row], *, measure: str = "sales") -> list[dict[str, Any]]:
    """The same figures as rows, for those who read rather than look."""
    rows = [{"date": iso(row["date"]), "actual": row[measure]} for row in past]
    return rows + [
        {
            "date": iso(row["date"]),
            "forecast": row[measure],
            "low": row[f"{measure}_80"][0],
            "high": row[f"{measure}_80"][1],
        }
        for row in ahead
    ]


def segments(found: Iterable[Row]) -> dict[str, Any]:
    """A treemap of the segments: as large as the customers in them."""
    rows = [row for row in found if row["customers"]]
    return {
        "kind": "treemap",
        "labels": [row["name"] for row in rows],
        "values": [row["customers"] for row in rows],
        "text": [_("{n} customers").format(n=row["customers"]) for row in rows],
        "names": [row["segment"] for row in rows],
    }


def customers(points: Sequence[Row]) -> dict[str, Any]:
    """Days since the last order against all that was spent, by segment."""
    series = []
    for name, label in Segment.choices:
        mine = [p for p in points if p["segment"] == name and p["total_spent"] > 0]
        texts = [_("{orders} orders").format(orders=p["total_orders"]) for p in mine]
        series.append(
            {
                "name": str(label), "segment": name, "text": texts,
                "x": [p["recency_days"] for p in mine], "y": [p["total_spent"] for p in mine],
            }
        )  # fmt: skip
    return {
        "kind": "points", "series": series, "y_type": "log",
        "x_title": _("days since the last order"), "y_title": _("spent in all"),
    }  # fmt: skip


def stock(row: Row) -> dict[str, Any]:
    """One variant's stock at the end of each of the next days: expected, and the low side."""
    days = [iso(one["date"]) for one in row["projected_stock"]]
    expected = [one["expected"] for one in row["projected_stock"]]
    low = [one["lower"] for one in row["projected_stock"]]
    level = [row["reorder_point"]] * len(days)
    marks = (
        [{"date": iso(row["estimated_stockout_date"]), "name": _("sold out")}] if row["estimated_stockout_date"] else []
    )
    edge = _("9 times out of 10 more than the lower edge")
    return {
        "kind": "time", "unit": "units", "digits": 1, "marks": marks,
        "series": [
            {"role": "band_80", "name": edge, "x": days, "low": low, "high": expected},
            {"role": "before", "name": _("Reorder point"), "x": days, "y": level},
            {"role": "forecast", "name": _("Stock expected"), "x": days, "y": expected},
        ],
    }  # fmt: skip
