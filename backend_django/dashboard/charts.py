"""Charts as data: what is drawn, with its labels in the reader's language. `charts.js` gives it colours and draws it.

A chart is `{"kind", "series": [{"role", "name", "x", "y", …}], "unit", "marks"}`. Roles (actual, forecast, band_80,
band_95, before) decide how a series looks, in the light as in the dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

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
