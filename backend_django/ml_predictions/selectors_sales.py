"""What the dashboard reads of sales: the days that were, the forecast with both bands, and what to pick from."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ml_predictions import conf
from ml_predictions.models import SalesForecast
from ml_predictions.services import get_service

if TYPE_CHECKING:
    import polars as pl

    from ml_predictions.sources.base import Source

MOST_FOUND = 20


def shop() -> Source:
    """The shop, for reads of one page that belong together: it knows its currency and its last day once."""
    from ml_predictions.sources import get_source  # it brings Polars along, which the server's start does without

    return get_source()


def currency(source: Source | None = None) -> str:
    """The shop's currency, as it is now."""
    if chosen := conf.get("CURRENCY"):
        return str(chosen)
    from ml_predictions.sources import currency_of

    return currency_of(source or shop())


def history(level: str, object_id: str, *, days: int, source: Source | None = None) -> list[dict[str, Any]]:
    """`date, sales, units` of each of the last `days` whole days of the total, a category, a product or a variant."""
    source = source or shop()
    until = source.data_until()
    if until is None:
        return []
    first = until.as_of - timedelta(days=days - 1)
    return _dense(_sold_by_day(source, level, object_id, first, until.as_of), first, until.as_of)


def _sold_by_day(source: Source, level: str, object_id: str, first: date, last: date) -> pl.DataFrame:
    """Added up by the shop's database where it can; else from the order lines."""
    import polars as pl

    from retail_ml import frames

    if (read := getattr(source, "sold_by_day", None)) is not None:
        found: pl.DataFrame = read(since=first, level=level, object_id=object_id)
        return found
    lines = source.order_lines(since=first)
    if level == "category":
        products = source.products().filter(pl.col("category") == object_id)
        lines = lines.join(products.select("product_id"), on="product_id", how="semi")
    elif level != "total":
        lines = lines.filter(pl.col(f"{level}_id") == object_id)
    return frames.daily_sales(lines, [], until=last)


def _dense(daily: pl.DataFrame, first: date, last: date) -> list[dict[str, Any]]:
    """Every day from `first` to `last`, those without a sale as 0."""
    import polars as pl

    days = pl.DataFrame({"day": pl.date_range(first, last, eager=True)})
    joined = days.join(daily, on="day", how="left").fill_null(0.0).sort("day")
    return [
        {"date": day, "sales": sales, "units": units}
        for day, sales, units in joined.select("day", "sales", "units").iter_rows()
    ]


def forecast(level: str, object_id: str, *, days: int) -> dict[str, Any]:
    """The next `days` days with both bands: `days` (dicts), `summary` and `summary_80`, `receipt`, `model`.

    Raises NotTrained, UnknownId, BadParameter.
    """
    service: Any = get_service("sales_forecast")
    wide = service.predict(days_ahead=days, level=level, object_id=object_id, coverage=0.95)
    near = service.predict(days_ahead=days, level=level, object_id=object_id, coverage=0.80)
    rows = [
        {
            "date": far["date"],
            "sales": far["predicted_sales"], "units": far["predicted_quantity"],
            "sales_95": (far["confidence_lower"], far["confidence_upper"]),
            "sales_80": (close["confidence_lower"], close["confidence_upper"]),
            "units_95": (far["quantity_lower"], far["quantity_upper"]),
            "units_80": (close["quantity_lower"], close["quantity_upper"]),
        }
        for far, close in zip(wide["predictions"], near["predictions"], strict=True)
    ]  # fmt: skip
    return {**wide, "predictions": rows, "summary_80": near["summary"]}


def next_days(days: int) -> list[dict[str, Any]]:
    """The stored forecast of the total: one query; nothing before the first training."""
    rows = SalesForecast.objects.in_service().filter(level="total").order_by("start")[:days]
    return [
        {
            "date": row.start, "sales": row.sales, "sales_80": (row.sales_lower_80, row.sales_upper_80),
            "sales_95": (row.sales_lower_95, row.sales_upper_95),
        }
        for row in rows
    ]  # fmt: skip


def categories() -> list[str]:
    """The categories that the forecast in service knows."""
    rows = SalesForecast.objects.in_service().filter(level="category").order_by("object_id")
    return list(rows.values_list("object_id", flat=True).distinct())


def find_products(text: str) -> list[dict[str, str]]:
    """Products whose name or id contains `text`: `product_id`, `name`, `category`; at most 20, active ones first."""
    import polars as pl

    from ml_predictions.sources import get_source

    wanted = text.strip().lower()
    if not wanted:
        return []
    table = get_source().products()
    named = table.filter(
        pl.col("name").str.to_lowercase().str.contains(wanted, literal=True) | (pl.col("product_id") == text)
    )
    rows = named.sort("active", "name", descending=[True, False]).head(MOST_FOUND)
    return rows.select("product_id", "name", "category").to_dicts()
