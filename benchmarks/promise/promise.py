"""Does the promise hold? Cut the last weeks off, train, forecast them, and look at what came.

    python benchmarks/promise/promise.py [--weeks 8]

Works on the shop that is in the database (`TRASTIENDA_DATA`, `DATABASE_URL`), whose trainings are left as they are:
everything it writes is undone at the end. Prints the error and coverage that the receipt promised from the days
before the cut, beside those of the weeks after it.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

BACKEND = Path(__file__).resolve().parents[2] / "backend_django"


def cut_source(weeks: int) -> Any:
    """The shop as it was `weeks` before its last whole day."""
    from dataclasses import replace

    from ml_predictions.sources.django_shop import DjangoShop

    class CutShop(DjangoShop):
        """Nothing after the cut is read."""

    shop = CutShop()
    until = shop._until
    assert until is not None, "the database has no sales"
    shop._until = replace(until, at=until.at - timedelta(weeks=weeks), live=False)
    return shop


def actual_days(lines: pl.DataFrame, first: Any, last: Any) -> pl.DataFrame:
    """What came, per day from `first` to `last`; a day without sales is 0."""
    from retail_ml import frames

    sold = frames.daily_sales(frames.net_same_day(lines), [], until=last)
    days = pl.DataFrame({"day": pl.date_range(first, last, eager=True)})
    return days.join(sold, on="day", how="left").with_columns(pl.col("sales", "units").fill_null(0.0))


def compare(weeks: int) -> list[tuple[str, str, str]]:
    """Rows (what, promised, came)."""
    from ml_predictions.models import MLTrainingLog
    from ml_predictions.services.sales_forecast import SalesForecastService
    from ml_predictions.sources.django_shop import DjangoShop

    class Quiet:
        """A run that nobody watches."""

        def __init__(self, log_id: int) -> None:
            self.log_id = log_id

        def progress(self, percent: float, step: dict[str, Any]) -> None:
            """Nobody is told."""

        def published(self, result: dict[str, Any]) -> None:
            """Nobody is told."""

    source = cut_source(weeks)
    service = SalesForecastService(source=source)
    service.train(Quiet(MLTrainingLog.objects.create(kind="promise", status="completed").pk))
    receipt = service.active().receipt
    first = source.data_until().as_of + timedelta(days=1)
    last = first + timedelta(days=7 * weeks - 1)
    actual = actual_days(DjangoShop().order_lines(), first, last)["sales"].to_numpy()
    rows = [("model", receipt["method"], f"{first} to {last}")]
    for coverage in (0.8, 0.95):
        answer = service.predict(days_ahead=7 * weeks, coverage=coverage)
        low, high, middle = (
            np.array([p[key] for p in answer["predictions"]])
            for key in ("confidence_lower", "confidence_upper", "predicted_sales")
        )
        open_days = (middle > 0) | (actual != 0)
        held = (low <= actual) & (actual <= high)
        promised = receipt[f"coverage_{round(100 * coverage)}"]
        before = f"{coverage:.0%} (back-test {promised:.1%})"
        rows.append((f"{coverage:.0%} interval, open days", before, f"{held[open_days].mean():.1%}"))
        s = answer["summary"]
        bounds = f"{s['total_lower']:,.0f} to {s['total_upper']:,.0f}"
        rows.append((f"sum, {coverage:.0%} interval", bounds, f"{actual.sum():,.0f}"))
    rows.append(("WAPE", f"{receipt['wape']:.1%}", f"{np.abs(actual - middle).sum() / np.abs(actual).sum():.1%}"))
    rows.append(("WAPE, naive baseline", f"{receipt['baseline_wape']:.1%}", f"{naive_wape(source, actual, weeks):.1%}"))
    rows.append(("bias", "0 %", f"{(middle.sum() - actual.sum()) / actual.sum():+.1%}"))
    return rows


def naive_wape(source: Any, actual: np.ndarray, weeks: int) -> float:
    """Error of the seasonal naive forecast: the last week before the cut, again and again."""
    as_of = source.data_until().as_of
    week = actual_days(source.order_lines(), as_of - timedelta(days=6), as_of)["sales"].to_numpy()
    return float(np.abs(actual - np.tile(week, weeks)).sum() / np.abs(actual).sum())


def main() -> None:
    """Run, print, undo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=8)
    weeks = parser.parse_args().weeks
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    sys.path.insert(0, str(BACKEND))
    import django

    django.setup()
    from django.db import transaction
    from rich.console import Console
    from rich.table import Table

    table = Table("", "promised before the cut", "came")
    with transaction.atomic():
        for row in compare(weeks):
            table.add_row(*row)
        transaction.set_rollback(True)
    Console().print(table)


if __name__ == "__main__":
    main()
