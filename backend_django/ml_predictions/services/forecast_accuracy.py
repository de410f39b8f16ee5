"""Past forecasts held against what came: written down when they are published, scored when their days are over.

What counts. A forecast is scored from the day after it went into service on: no day that anybody knew when it was
published, so a version that is trained back in time or put back into service later proves nothing about the days in
between. What came is counted as the training counts it: orders that count as sales, wholly reversed lines of one day
taken out, returns on the day they came back; so a later return changes no earlier day. A day that was scored is looked
at again at every scoring for `RECHECKED` days, because orders are delivered, and become sales, after their day; then
it stands for good.

What is kept. Of the total every day to 91 days ahead; of each category its days to 28 and of each product its first
four weeks and their sum (the horizon that is tested and that orders are placed by), from a forecast every five days:
those made on neighbouring days say nearly the same, and the table stays small. Of a shop with more than
`MOST_PRODUCTS` living products evenly spread ones. When a horizon of a forecast is over and stands, its sums stay and
its periods go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from django.db import connections, router, transaction
from django.db.models import Exists, F, Min, Model, OuterRef, Q

from ml_predictions.models import MLModel, SalesForecast
from ml_predictions.models_accuracy import ForecastScore, Horizon, PastForecast, PublishedForecast
from ml_predictions.sources import get_source
from ml_predictions.sources.base import Source
from retail_ml import frames
from retail_ml.forecast import history, shop
from retail_ml.forecast.history import History
from retail_ml.forecast.models import SeasonalNaive

KEPT_DAYS = {"total": 91, "category": 28, "product": 28}
"""Days ahead up to which each level is kept."""
RECHECKED = 28
"""Days for which a scored period is looked at again."""
BETWEEN_WHOLE = 5
"""Days between two forecasts of which categories and products are kept: a weekly training may be a day early."""
MOST_PRODUCTS = 2_000
LIVING_DAYS = 182
SLACK = 1e-9
"""Share by which a value may miss its interval: floats do not survive every database to the last bit."""
SINGLE = [horizon for horizon in Horizon if horizon != Horizon.FOUR_WEEKS]
"""The horizons of days and weeks; the sum of four weeks is apart."""
WIDTHS = ("lower_80", "upper_80", "lower_95", "upper_95")
KEY = ("published_id", "level", "horizon")
STORED = {
    "level": pl.String, "object_id": pl.String, "start": pl.Date, "days": pl.Int64,
    **{f"{what}{end}": pl.Float64 for what in ("sales", "quantity") for end in ("", *(f"_{w}" for w in WIDTHS))},
}  # fmt: skip
OVER = {
    "id": pl.Int64, "published_id": pl.Int64, "level": pl.String, "object_id": pl.String, "horizon": pl.String,
    "start": pl.Date, "end": pl.Date, "mean": pl.Float64, **dict.fromkeys(WIDTHS, pl.Float64), "naive": pl.Float64,
    "actual": pl.Float64, "closed": pl.Boolean, "as_of": pl.Date,
}  # fmt: skip


# --- at the training: the baseline, from what the forecast had seen -------------------------------


def to_score(forecast: shop.ShopForecast) -> dict[str, npt.NDArray[Any]]:
    """What is scored and not among the stored rows, for the version's file.

    The naive baseline: `total_naive` (1, 91) and `category_naive` (categories, 28), sales of each day ahead;
    `product_naive` (scored products, 4), units of each week ahead. The sum of the four weeks: `product_sum` (scored
    products, 5), its mean and bounds (`WIDTHS`). `scored_product_ids` names the scored products.
    """
    data, whole = forecast.data, forecast.total["sales"].trial.history
    found = {"total_naive": _naive(whole, KEPT_DAYS["total"])}
    if len(forecast.category_ids):
        found["category_naive"] = _naive(forecast.category["sales"].trial.history, KEPT_DAYS["category"])
    lately = pl.col("day").is_between(data.as_of - timedelta(days=LIVING_DAYS), data.as_of)
    living = data.lines.filter(lately & ~pl.col("is_return"))["product_id"].unique().sort()
    chosen = np.unique(np.linspace(0, len(living) - 1, min(len(living), MOST_PRODUCTS)).round().astype(int))
    ids = np.asarray(living.to_list(), dtype=str)[chosen]
    _, units = history.panel(data.lines, "product_id", ids, until=data.as_of)
    days = _naive(replace(whole, y=units.y), KEPT_DAYS["product"])
    found["product_naive"] = days.reshape(len(ids), -1, 7).sum(axis=2)
    return found | {"scored_product_ids": ids, "product_sum": _four_weeks(forecast, ids)}


def _four_weeks(forecast: shop.ShopForecast, ids: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Mean and bounds of the sum over the days that products are kept for: made for the sum, not added up."""
    days, product = KEPT_DAYS["product"], forecast.product
    row = frames.IdMap(forecast.product_ids).internal(ids)
    mean = np.asarray(product.mean[row, :days], dtype=float).sum(axis=1)
    bounds = {c: product.widths.total(mean, days, c / 100, spread=product.spread[row]) for c in (80, 95)}
    return np.column_stack([mean, *bounds[80], *bounds[95]])


def _naive(past: History, days: int) -> npt.NDArray[np.float64]:
    return SeasonalNaive().fit(past).predict(days)


# --- at the publication: the forecast is written down ---------------------------------------------


def seal(model: MLModel, arrays: Mapping[str, npt.NDArray[Any]], *, known: date) -> PublishedForecast | None:
    """Write down what the version in service forecasts, from its stored rows, for the days after `known`.

    `arrays`: its file, with what `to_score` gave; a file without that is scored by its total alone. `known`: the last
    day of sales that the shop knows now. Inside the caller's transaction. A version that was written down before is
    not written again (None); one of the same day of data that has no score yet is replaced.
    """
    if PublishedForecast.objects.filter(model=model).exists():
        return None
    PublishedForecast.objects.filter(as_of=model.as_of, scores=None).delete()
    near = timedelta(days=BETWEEN_WHOLE - 1)
    others = PublishedForecast.objects.filter(whole=True, as_of__range=(model.as_of - near, model.as_of + near))
    published = PublishedForecast.objects.create(
        model=model,
        version=model.version,
        model_type=model.model_type,
        as_of=model.as_of,
        whole="scored_product_ids" in arrays and not others.exists(),
        promised=promised(model.receipt),
    )
    rows = _to_keep(published, known).join(
        _naive_rows(arrays, model.as_of), on=["level", "object_id", "start"], how="left", maintain_order="left"
    )
    if published.whole:
        scored = pl.Series(np.asarray(arrays["scored_product_ids"]).tolist(), dtype=pl.String)
        rows = rows.filter((pl.col("level") != "product") | pl.col("object_id").is_in(scored.implode()))
        rows = pl.concat([rows, _sums_ahead(arrays, model.as_of).filter(pl.col("start") > known).select(rows.columns)])
    _insert(PastForecast, rows.with_columns(published_id=pl.lit(published.pk), closed=pl.lit(False)))
    return published


def promised(receipt: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Level → horizon → `wape, baseline_wape, coverage_80, coverage_95` that the back-test in a receipt promised.

    A horizon that the back-test did not reach has no promise. The back-test of products is of sums: of the first week
    and of four weeks.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    names = ("wape", "baseline_wape", "coverage_80", "coverage_95")
    for level, part in (("total", receipt), ("category", (receipt.get("category") or {}).get("sales") or {})):
        tested = part.get("horizon_days") or 0
        found[level] = {h.value: {n: part.get(n) for n in names} for h in SINGLE if h.first <= tested}
    product = receipt.get("product") or {}
    for horizon, days in ((Horizon.WEEK, 7), (Horizon.FOUR_WEEKS, 28)):
        if product.get(f"wape_{days}") is not None:
            told = {name: product.get(f"{name}_{days}") for name in ("wape", "baseline_wape")}
            coverage = product.get("coverage") or {}
            told |= {name: coverage.get(f"{name}_{days}") for name in ("coverage_80", "coverage_95")}
            found.setdefault("product", {})[horizon.value] = told
    return found


def _to_keep(published: PublishedForecast, known: date) -> pl.DataFrame:
    """The stored periods of a version that will be scored, in the columns of `PastForecast`."""
    wanted = Q(pk__in=[])
    for level, days in KEPT_DAYS.items():
        if level == "total" or published.whole:
            wanted |= Q(level=level, start__lte=published.as_of + timedelta(days=days))
    stored = SalesForecast.objects.filter(wanted, model=published.model_id, start__gt=known).order_by("id")
    rows = pl.DataFrame(list(stored.values_list(*STORED)), schema=STORED, orient="row")
    of_product, ahead = pl.col("level") == "product", (pl.col("start") - published.as_of).dt.total_days()
    horizons = {day: h.value for h in SINGLE for day in range(h.first, h.last + 1)}
    return rows.select(
        "level",
        "object_id",
        "start",
        horizon=ahead.replace_strict(horizons, return_dtype=pl.String),
        end=pl.col("start") + pl.duration(days=pl.col("days") - 1),
        mean=pl.when(of_product).then("quantity").otherwise("sales"),
        **{w: pl.when(of_product).then(f"quantity_{w}").otherwise(f"sales_{w}") for w in WIDTHS},
    )


def _naive_rows(arrays: Mapping[str, npt.NDArray[Any]], as_of: date) -> pl.DataFrame:
    """`level, object_id, start, naive` of everything that the file has a baseline of."""
    schema = {"level": pl.String, "object_id": pl.String, "start": pl.Date, "naive": pl.Float64}
    parts = [pl.DataFrame(schema=schema)]
    for level, ids, step in (("total", None, 1), ("category", "category_ids", 1), ("product", "scored_product_ids", 7)):
        if f"{level}_naive" not in arrays:
            continue
        values = np.asarray(arrays[f"{level}_naive"], dtype=float)
        names = [""] if ids is None else np.asarray(arrays[ids]).tolist()
        starts = [as_of + timedelta(days=1 + step * i) for i in range(values.shape[1])]
        columns = {
            "level": [level] * values.size,
            "object_id": [name for name in names for _ in starts],
            "start": starts * len(names),
            "naive": values.ravel(),
        }
        parts.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(parts)


def _sums_ahead(arrays: Mapping[str, npt.NDArray[Any]], as_of: date) -> pl.DataFrame:
    """The sums over four weeks of the scored products of which something is forecast, as in `PastForecast`."""
    schema = {"object_id": pl.String, "naive": pl.Float64, "mean": pl.Float64, **dict.fromkeys(WIDTHS, pl.Float64)}
    found = pl.DataFrame(schema=schema)
    if "product_sum" in arrays:
        naive = np.asarray(arrays["product_naive"], dtype=float).sum(axis=1)
        ids = np.asarray(arrays["scored_product_ids"]).tolist()
        columns = [ids, naive.tolist(), *np.asarray(arrays["product_sum"], dtype=float).T.tolist()]
        found = pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema)
    return found.filter(pl.col("mean") > 0).with_columns(
        level=pl.lit("product"),
        horizon=pl.lit(Horizon.FOUR_WEEKS.value),
        start=pl.lit(as_of + timedelta(days=1)),
        end=pl.lit(as_of + timedelta(days=Horizon.FOUR_WEEKS.last)),
    )


# --- when the days are over -----------------------------------------------------------------------


def refresh(source: Source | None = None) -> int:
    """Score what is over, without training; how many periods have been scored for the first time."""
    source = source or get_source()
    until = source.data_until()
    if until is None or not PastForecast.objects.filter(end__lte=until.as_of).exists():
        return 0
    since: date = PastForecast.objects.aggregate(first=Min("start"))["first"]
    before = _days_sold_before(source, since)
    lines = frames.net_same_day(source.order_lines(since=None if before is None else since))
    days = lines.filter(~pl.col("is_return") & (pl.col("day") <= until.as_of))["day"]
    if before is not None:
        days = pl.concat([before, days])
    if days.is_empty():
        return 0
    start, sold = history.days_with_sales(days, until=until.as_of)
    return score(lines, source.products(), History(start, np.zeros((1, len(sold))), sold))


def _days_sold_before(source: Source, since: date) -> pl.Series | None:
    """The days before `since` with a sale that was not wholly reversed, added up by the shop's database.

    More units that went than came back: something was sold that stayed. A day on which no fewer came back does not
    tell by its sum alone; None then, and where the shop has no such read.
    """
    read = getattr(source, "sold_by_day", None)
    if read is None:
        return None
    earlier: pl.DataFrame = read().filter(pl.col("day") < since)
    return earlier["day"] if (earlier["units"] > 0).all() else None


def score(lines: pl.DataFrame, products: pl.DataFrame, whole: History) -> int:
    """Hold every published period that is over by the last day of `whole` against `lines`, and renew the sums.

    `lines`: `frames.ORDER_LINES` from the first of those periods on at least, same-day reversals netted; `products`:
    `frames.PRODUCTS`; `whole`: the whole shop's history, of which only the days with a sale are looked at. Returns how
    many periods have been scored for the first time. Doing it again changes nothing, and two at the same time wait for
    each other. A category or product that the shop no longer has stays unscored.
    """
    as_of = whole.origin
    with transaction.atomic():
        waiting = PublishedForecast.objects.filter(Exists(PastForecast.objects.filter(published=OuterRef("pk"))))
        held = list(waiting.order_by("pk").select_for_update().values_list("pk", flat=True))
        if not held:
            return 0
        before = _over(held, as_of)
        if before.is_empty():
            return 0
        since = before.select(pl.col("start").min()).item()
        rows = _held_against(before, _daily(lines, products, since=since, until=as_of), whole)
        changed = rows.filter(
            pl.col("actual").ne_missing(before["actual"]) | pl.col("closed").ne_missing(before["closed"])
        )
        _update(changed.select("actual", "closed", "id"))
        ForecastScore.objects.filter(published__in=held, final=False).delete()
        _insert(ForecastScore, _sums(rows, as_of))
        stand = (Q(horizon=h.value, published__as_of__lte=_all_stands(h, as_of)) for h in Horizon)
        PastForecast.objects.filter(reduce(or_, stand), published__in=held).delete()
    return changed.filter(pl.col("actual").is_not_null() & pl.col("id").is_in(_unscored(before))).height


def _all_stands(horizon: Horizon, as_of: date) -> date:
    """The last day of data of the forecasts whose whole horizon is over and looked at for the last time."""
    return as_of - timedelta(days=RECHECKED + horizon.last)


def _unscored(rows: pl.DataFrame) -> pl.Series:
    return rows.filter(pl.col("actual").is_null())["id"].implode()


def _over(held: list[int], as_of: date) -> pl.DataFrame:
    """The periods that are over, and those that were when the shop knew more than now."""
    over = PastForecast.objects.filter(Q(end__lte=as_of) | Q(actual__isnull=False), published__in=held)
    columns = [F("published__as_of") if name == "as_of" else name for name in OVER]
    return pl.DataFrame(list(over.order_by("id").values_list(*columns)), schema=OVER, orient="row")


def _daily(lines: pl.DataFrame, products: pl.DataFrame, *, since: date, until: date) -> pl.DataFrame:
    """What came: `level, object_id, day, came`; and one row without a day for everything that the shop still has."""
    lines = lines.filter(pl.col("day") >= since)
    lines = lines.join(products.select("product_id", "category"), on="product_id", how="left")
    parts = []
    for level, column in (("total", None), ("category", "category"), ("product", "product_id")):
        named = lines.with_columns(object_id=pl.lit("") if column is None else pl.col(column))
        daily = frames.daily_sales(named.filter(pl.col("object_id").is_not_null()), ["object_id"], until=until)
        came = "units" if level == "product" else "sales"
        parts.append(daily.select(pl.lit(level).alias("level"), "object_id", "day", pl.col(came).alias("came")))
        known = pl.Series("object_id", [""], dtype=pl.String) if column is None else products[column].unique()
        parts.append(pl.DataFrame({"object_id": known}).select(pl.lit(level).alias("level"), "object_id"))
    return pl.concat(parts, how="diagonal")


def _held_against(rows: pl.DataFrame, daily: pl.DataFrame, whole: History) -> pl.DataFrame:
    """`rows` with `actual` and `closed` as they are known now, in the same order.

    A period that is not over (any more) has no actual, one that stands keeps its own.
    """
    as_of = whole.origin
    silent = [whole.start + timedelta(days=int(i)) for i in np.flatnonzero(whole.closed_long)]
    days = rows.select("id", "level", "object_id", day=pl.date_ranges("start", "end")).explode("day")
    came = (
        days.join(daily, on=["level", "object_id", "day"], how="left")
        .with_columns(silent=pl.col("day").is_in(pl.Series(silent, dtype=pl.Date).implode()))
        .group_by("id")
        .agg(came=pl.col("came").sum().round(frames.DECIMALS), silent=pl.col("silent").all())
    )
    known = daily.select("level", "object_id", known=pl.lit(True)).unique()
    stands = pl.col("actual").is_not_null() & (pl.col("end") <= as_of - timedelta(days=RECHECKED))
    counts = pl.col("known") & (pl.col("end") <= as_of)
    return (
        rows.join(came, on="id", how="left", maintain_order="left")
        .join(known, on=["level", "object_id"], how="left", maintain_order="left")
        .with_columns(
            actual=pl.when(stands).then("actual").when(counts).then("came"),
            closed=pl.when(stands).then("closed").otherwise(counts.fill_null(False) & pl.col("silent")),
        )
        .with_columns(closed=pl.col("closed") & (pl.col("mean") > 0))
        .select(rows.columns)
    )


def _sums(rows: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per forecast, level and horizon in the columns of `ForecastScore`."""
    error, naive_error = pl.col("mean") - pl.col("actual"), pl.col("naive") - pl.col("actual")
    slack = SLACK * (1 + pl.col("actual").abs())
    counted = (pl.col("mean") > 0) | (pl.col("actual") > 0)

    def inside(coverage: int) -> pl.Expr:
        low, high = pl.col(f"lower_{coverage}") - slack, pl.col(f"upper_{coverage}") + slack
        return (counted & pl.col("actual").is_between(low, high)).sum().cast(pl.Int64)

    over = {h.value: _all_stands(h, as_of) for h in Horizon}
    final = pl.col("as_of") <= pl.col("horizon").replace_strict(over, return_dtype=pl.Date)
    return (
        rows.filter(pl.col("actual").is_not_null())
        .group_by(*KEY)
        .agg(
            first_day=pl.col("start").min(),
            last_day=pl.col("end").max(),
            periods=pl.len().cast(pl.Int64),
            actual=pl.col("actual").abs().sum(),
            error=error.sum(),
            absolute_error=error.abs().sum(),
            naive_error=pl.when(pl.col("naive").is_not_null().all()).then(naive_error.sum()),
            naive_absolute_error=pl.when(pl.col("naive").is_not_null().all()).then(naive_error.abs().sum()),
            counted=counted.sum().cast(pl.Int64),
            inside_80=inside(80),
            inside_95=inside(95),
            closed=pl.col("closed").sum().cast(pl.Int64),
            closed_error=error.abs().filter("closed").sum(),
            final=final.all(),
        )
        .sort(*KEY)
    )


def _insert(table: type[Model], rows: pl.DataFrame) -> None:
    """Write rows as they are, in one statement."""
    connection = connections[router.db_for_write(table)]
    quote = connection.ops.quote_name
    columns, places = ", ".join(map(quote, rows.columns)), ", ".join(["%s"] * len(rows.columns))
    _many(f"INSERT INTO {quote(table._meta.db_table)} ({columns}) VALUES ({places})", rows.iter_rows())


def _update(rows: pl.DataFrame) -> None:
    """Write what came, `actual, closed, id`."""
    table = connections[router.db_for_write(PastForecast)].ops.quote_name(PastForecast._meta.db_table)
    _many(f"UPDATE {table} SET actual = %s, closed = %s WHERE id = %s", rows.iter_rows())


def _many(sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
    if found := list(rows):
        with connections[router.db_for_write(PastForecast)].cursor() as cursor:
            cursor.executemany(sql, found)
