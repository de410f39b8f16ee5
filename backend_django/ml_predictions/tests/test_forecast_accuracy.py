"""Past forecasts held against what came: what is written down, what counts, hand-computed sums, nothing twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ml_predictions.models import MLModel, SalesForecast
from ml_predictions.models_accuracy import ForecastScore, PastForecast, PublishedForecast
from ml_predictions.services import forecast_accuracy, retention
from ml_predictions.services.sales_forecast import SalesForecastService
from ml_predictions.sources.base import DataUntil, LeftOut
from retail_ml import frames
from retail_ml.tests.forecast import shops

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

AS_OF = shops.START + timedelta(days=27)  # a Sunday: the first day ahead is a Monday
RECEIPT = {
    "horizon_days": 28, "wape": 0.2, "baseline_wape": 0.3, "coverage_80": 0.81, "coverage_95": 0.94,
    "category": {"sales": {"horizon_days": 7, "wape": 0.4, "baseline_wape": 0.5, "coverage_80": None}},
    "product": {"wape_7": 0.6, "baseline_wape_7": 0.7, "wape_28": 0.5, "coverage": {"coverage_80_7": 0.79}},
}  # fmt: skip
SUMS = ("total_predicted_quantity", "quantity_total_lower", "quantity_total_upper")
WIDTH = {"lower_95": 0.5, "lower_80": 0.8, "upper_80": 1.2, "upper_95": 1.5}


class Shop:
    """A source that knows its lines up to a day that moves."""

    def __init__(self, lines: pl.DataFrame, until: date, *, category: str = "") -> None:
        self.lines, self.until, self.category = lines, until, category

    def data_until(self) -> DataUntil:
        end = datetime.combine(self.until + timedelta(days=1), datetime.min.time(), UTC)
        return DataUntil(end, live=False, time_zone="UTC")

    def order_lines(self, **_: Any) -> pl.DataFrame:
        return self.lines.filter(pl.col("day") <= self.until)

    def products(self, **_: Any) -> pl.DataFrame:
        return shops.products(sorted(set(self.lines["product_id"].to_list())), category=self.category)

    def stock(self, **_: Any) -> pl.DataFrame:
        return frames.empty(frames.STOCK)

    def stock_history(self) -> None:
        return None

    def left_out(self) -> LeftOut:
        return LeftOut()

    def fingerprint(self) -> dict[str, Any]:
        return {"lines": len(self.lines)}


class AddingUp(Shop):
    """A source whose database adds up days; knows from where on its lines were read."""

    since: date | None = None

    def sold_by_day(self) -> pl.DataFrame:
        return frames.daily_sales(self.lines, [], until=self.until)

    def order_lines(self, *, since: date | None = None, **_: Any) -> pl.DataFrame:
        self.since = since
        lines = super().order_lines()
        return lines if since is None else lines.filter(pl.col("day") >= since)


def shop_of(came: dict[int, float], *, until: int, units: float = 1) -> Shop:
    """100 a day for four weeks, then what came by day number: all of the product p0 (category: other)."""
    before = [(f"b{day}", "p0", day, units, 100.0) for day in range(28)]
    after = [(f"a{day}", "p0", day, units, amount) for day, amount in came.items()]
    return Shop(shops.lines(before + after), shops.START + timedelta(days=until), category="toys")


def published(
    days: int = 10, *, version: int = 1, as_of: date = AS_OF, known: date | None = None, parts: bool = False
) -> MLModel:
    """A version in service that forecasts 100 a day, and where asked for two weeks of 7 units of p0 and a category."""
    model = MLModel.objects.create(
        service="sales_forecast", version=version, model_type="linear", as_of=as_of, artifact=f"x/{version}",
        receipt=RECEIPT,
    )  # fmt: skip
    rows = [("total", "", ahead, 1, 100.0) for ahead in range(1, days + 1)]
    arrays = {"total_naive": np.full((1, 91), 90.0)}
    if parts:
        rows += [("category", "other", ahead, 1, 50.0) for ahead in range(1, 36)]
        rows += [(level, "p0", 1 + 7 * week, 7, 7.0) for week in range(13) for level in ("product", "variant")]
        rows += [("product", name, 1, 7, 3.0) for name in ("gone", "not chosen")]
        arrays |= {
            "category_ids": np.array(["other"]), "category_naive": np.full((1, 28), 40.0),
            "scored_product_ids": np.array(["gone", "p0"]), "product_naive": np.full((2, 4), 5.0),
            "product_sum": np.array([[0.0] * 5, [30.0, 20, 40, 10, 60]]),
        }  # fmt: skip
    SalesForecast.objects.bulk_create(
        SalesForecast(
            model=model, level=level, object_id=object_id, start=as_of + timedelta(days=ahead), days=length,
            sales=mean, quantity=mean,
            **{f"{what}_{name}": mean * share for what in ("sales", "quantity") for name, share in WIDTH.items()},
        )
        for level, object_id, ahead, length, mean in rows
    )  # fmt: skip
    forecast_accuracy.seal(model, arrays, known=known or as_of)
    return model


def stored() -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "id"} for row in ForecastScore.objects.order_by("level").values()]


WEEK = {28: 110, 29: 130, 30: 55, 31: 160, 33: 40, 34: 100}
"""What came in the first week after AS_OF; nothing on day 32."""


def test_a_week_of_the_total_by_hand():
    published()
    assert forecast_accuracy.refresh(shop_of({**WEEK, 35: 100, 36: 90}, until=36)) == 9
    week, second = ForecastScore.objects.order_by("first_day")
    assert (week.level, week.horizon, second.horizon) == ("total", "1-7", "8-14")
    assert (week.first_day, week.last_day) == (AS_OF + timedelta(days=1), AS_OF + timedelta(days=7))
    assert (week.periods, second.periods, second.last_day) == (7, 2, AS_OF + timedelta(days=9))
    assert week.actual == 110 + 130 + 55 + 160 + 0 + 40 + 100
    assert week.error == pytest.approx(700 - 595)
    assert week.absolute_error == pytest.approx(10 + 30 + 45 + 60 + 100 + 60 + 0)
    assert week.naive_error == pytest.approx(630 - 595)
    assert week.naive_absolute_error == pytest.approx(20 + 40 + 35 + 70 + 90 + 50 + 10)
    assert (week.counted, week.inside_80, week.inside_95) == (7, 2, 4)  # 80…120: 110, 100; 50…150: 130, 55 as well
    assert (week.final, week.closed) == (False, 0)


def test_scoring_twice_changes_nothing_and_writes_nothing_to_the_periods():
    published(parts=True)
    source = shop_of(WEEK, until=36)
    assert forecast_accuracy.refresh(source) > 0
    before, periods = stored(), list(PastForecast.objects.values())
    with CaptureQueriesContext(connection) as queries:
        assert forecast_accuracy.refresh(source) == 0
    assert not [q for q in queries if q["sql"].startswith("UPDATE")]
    assert stored() == before
    assert list(PastForecast.objects.values()) == periods


@pytest.mark.parametrize("reversed_day", [None, 20])
@pytest.mark.parametrize("every", [1, 4])
def test_lines_are_read_from_the_first_day_that_is_scored_and_the_days_before_are_added_up(
    every: int, reversed_day: int | None
):
    """The sums are those of all lines; a day whose sum does not say whether anything was sold makes it read them all.

    Eight days of silence are a closure in a shop that sold every day before, and nothing in one that did not.
    """
    came = [(f"a{day}", "p0", day, 1, float(amount)) for day, amount in {**WEEK, 43: 120}.items()]
    before = [(f"b{day}", "p0", day, 1, 100.0) for day in range(0, 28, every) if day != reversed_day]
    if reversed_day is not None:
        before += [("r1", "p0", reversed_day, 1, 100.0), ("r2", "p0", reversed_day, -1, -100.0)]
    lines, until = shops.lines(before + came), shops.START + timedelta(days=45)
    published(18, parts=True)
    adding = AddingUp(lines, until, category="toys")
    count = forecast_accuracy.refresh(adding)
    assert count
    assert adding.since == (AS_OF + timedelta(days=1) if reversed_day is None else None)
    found = stored()
    PastForecast.objects.update(actual=None, closed=False)
    ForecastScore.objects.all().delete()
    assert forecast_accuracy.refresh(Shop(lines, until, category="toys")) == count
    assert stored() == found
    assert any(row["closed"] for row in found) == (every == 1)


def test_categories_by_day_and_products_by_week():
    published(parts=True)
    forecast_accuracy.refresh(shop_of({**WEEK, 35: 100}, until=40, units=2))
    category = ForecastScore.objects.get(level="category", horizon="1-7")
    assert category.absolute_error == pytest.approx(60 + 80 + 5 + 110 + 50 + 10 + 50)
    assert category.naive_absolute_error == pytest.approx(70 + 90 + 15 + 120 + 40 + 0 + 60)
    product = ForecastScore.objects.get(level="product")  # the second week is not over
    assert (product.horizon, product.periods, product.actual) == ("1-7", 1, 6 * 2)  # six orders of 2 units
    assert (product.error, product.naive_error) == (7 - 12, 5 - 12)
    assert PastForecast.objects.get(object_id="gone").actual is None  # the shop does not know it any more
    assert set(PastForecast.objects.filter(level="product").values_list("horizon", flat=True)) == {
        "1-7", "8-14", "15-28", "1-28",
    }  # fmt: skip
    assert not PastForecast.objects.filter(object_id="not chosen").exists()  # of very many, some are kept
    assert PastForecast.objects.filter(level="category").count() == 28
    assert not PastForecast.objects.filter(level="variant").exists()


def test_the_sum_of_four_weeks_has_its_own_interval():
    published(parts=True)
    source = shop_of(dict.fromkeys(range(28, 56), 50.0), until=54, units=2)
    forecast_accuracy.refresh(source)
    assert not ForecastScore.objects.filter(horizon="1-28").exists()
    source.until += timedelta(days=1)
    forecast_accuracy.refresh(source)
    score = ForecastScore.objects.get(horizon="1-28")
    assert (score.level, score.periods, score.actual) == ("product", 1, 28 * 2)
    assert (score.error, score.naive_error) == (30 - 56, 4 * 5 - 56)
    assert (score.inside_80, score.inside_95) == (0, 1)  # 20…40, 10…60


def test_the_promise_is_the_receipts_and_stays_when_the_version_is_deleted():
    model = published()
    model.delete()
    kept = PublishedForecast.objects.get()
    assert (kept.model, kept.version, kept.model_type, kept.as_of) == (None, 1, "linear", AS_OF)
    assert set(kept.promised["total"]) == {"1-7", "8-14", "15-28"}  # tested to 28 days
    assert kept.promised["total"]["8-14"] == {
        "wape": 0.2, "baseline_wape": 0.3, "coverage_80": 0.81, "coverage_95": 0.94,
    }  # fmt: skip
    assert (set(kept.promised["category"]), set(kept.promised["product"])) == ({"1-7"}, {"1-7", "1-28"})
    assert kept.promised["product"]["1-28"]["wape"] == 0.5
    assert kept.promised["product"]["1-7"] == {
        "wape": 0.6, "baseline_wape": 0.7, "coverage_80": 0.79, "coverage_95": None,
    }  # fmt: skip
    assert forecast_accuracy.refresh(shop_of(WEEK, until=34)) == 7
    assert ForecastScore.objects.get().published == kept


class TestWhatCounts:
    def test_a_day_is_scored_when_it_is_over(self):
        published()
        assert forecast_accuracy.refresh(shop_of(WEEK, until=27)) == 0
        assert forecast_accuracy.refresh(shop_of(WEEK, until=28)) == 1
        assert forecast_accuracy.refresh(shop_of(WEEK, until=29)) == 1
        assert ForecastScore.objects.get().actual == 110 + 130

    def test_a_return_counts_on_the_day_it_came_back(self):
        published()
        forecast_accuracy.refresh(shop_of({28: 110}, until=28))
        source = shop_of({28: 110, 29: 130}, until=29)
        back = source.lines.filter(pl.col("order_id") == "a28").with_columns(
            day=pl.lit(shops.START + timedelta(days=29)),
            amount=pl.lit(-110.0),
            units=pl.lit(-1.0),
            is_return=pl.lit(True),
        )
        source.lines = frames.check(pl.concat([source.lines, back]), frames.ORDER_LINES, name="lines")
        forecast_accuracy.refresh(source)
        assert list(PastForecast.objects.order_by("start").values_list("actual", flat=True)[:2]) == [110, 20]

    def test_an_order_that_is_delivered_later_counts_until_the_day_stands(self):
        published()
        assert forecast_accuracy.refresh(shop_of({28: 110}, until=34)) == 7
        assert forecast_accuracy.refresh(shop_of({28: 115}, until=34 + 21)) == 3  # only the rest is new
        assert ForecastScore.objects.get(horizon="1-7").actual == 115
        forecast_accuracy.refresh(shop_of({28: 999}, until=28 + 28))  # this day stands, the others do not yet
        assert ForecastScore.objects.get(horizon="1-7").actual == 115

    def test_a_horizon_that_stands_keeps_its_sums_and_loses_its_periods(self):
        published()
        forecast_accuracy.refresh(shop_of(WEEK, until=34 + 27))
        assert not ForecastScore.objects.filter(final=True).exists()
        assert PastForecast.objects.count() == 10
        forecast_accuracy.refresh(shop_of(WEEK, until=34 + 28))
        week, second = ForecastScore.objects.order_by("first_day")
        assert (week.final, week.absolute_error, second.final) == (True, pytest.approx(305), False)
        assert set(PastForecast.objects.values_list("horizon", flat=True)) == {"8-14"}
        before = stored()
        forecast_accuracy.refresh(shop_of(dict.fromkeys(WEEK, 1.0), until=34 + 28))
        assert stored() == before

    def test_an_import_that_takes_days_back_takes_their_scores_back(self):
        published()
        forecast_accuracy.refresh(shop_of(WEEK, until=34))
        forecast_accuracy.refresh(shop_of(WEEK, until=29))
        assert ForecastScore.objects.get().periods == 2
        assert PastForecast.objects.filter(actual__isnull=False).count() == 2

    def test_a_closure_that_nobody_foresaw_counts_and_is_told_apart(self):
        published()
        forecast_accuracy.refresh(shop_of({28: 110, 36: 100, 37: 100}, until=37))
        week = ForecastScore.objects.get(horizon="1-7")
        assert (week.periods, week.closed, week.closed_error) == (7, 6, 600)
        assert (week.absolute_error, week.inside_95) == (610, 1)

    def test_a_foreseen_closed_day_is_no_success_of_the_interval(self):
        model = published()
        PastForecast.objects.filter(start=AS_OF + timedelta(days=5)).update(mean=0, lower_80=0, upper_80=0, upper_95=0)
        forecast_accuracy.refresh(shop_of(WEEK, until=34))
        week = ForecastScore.objects.get()
        assert (week.periods, week.counted, week.inside_80, week.published.model_id) == (7, 6, 2, model.pk)

    def test_a_shop_that_lost_its_orders_scores_nothing(self):
        published()
        source = shop_of(WEEK, until=34)
        source.lines = source.lines.clear()
        assert forecast_accuracy.refresh(source) == 0


class TestWhatIsWrittenDown:
    def test_only_days_that_nobody_knew(self):
        """A version trained back in time, or activated late, proves nothing about the days in between."""
        published(known=AS_OF + timedelta(days=4))
        forecast_accuracy.refresh(shop_of(WEEK, until=34))
        assert ForecastScore.objects.get().first_day == AS_OF + timedelta(days=5)

    def test_once_per_version(self):
        model = published()
        before = list(PastForecast.objects.values())
        assert forecast_accuracy.seal(model, {}, known=AS_OF) is None
        assert list(PastForecast.objects.values()) == before

    def test_the_last_version_of_a_day_replaces_those_without_a_score(self):
        published()
        published(version=2)
        assert PublishedForecast.objects.get().version == 2
        forecast_accuracy.refresh(shop_of(WEEK, until=34))
        published(version=3, known=AS_OF + timedelta(days=7))
        assert set(PublishedForecast.objects.values_list("version", flat=True)) == {2, 3}

    def test_categories_and_products_of_a_forecast_every_five_days(self):
        for day in range(9):
            published(version=day + 1, as_of=AS_OF + timedelta(days=day), parts=True)
        assert list(PublishedForecast.objects.order_by("as_of").values_list("whole", flat=True)) == [
            True, *[False] * 4, True, *[False] * 3,
        ]  # fmt: skip
        assert PastForecast.objects.filter(level="product").values("published").distinct().count() == 2

    def test_a_file_of_before_is_scored_by_its_total_without_a_baseline(self):
        model = published(parts=True)
        PublishedForecast.objects.all().delete()
        forecast_accuracy.seal(model, {}, known=AS_OF)
        forecast_accuracy.refresh(shop_of(WEEK, until=34))
        score = ForecastScore.objects.get()
        assert (score.level, score.naive_absolute_error) == ("total", None)


class TestThroughTheService:
    def trained(self, source: Shop, run: Any) -> MLModel:
        return SalesForecastService(source).train(run, model_type="window_average")  # type: ignore[arg-type]

    def test_trainings_write_down_and_score(self, run: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "KEEP_VERSIONS": 1, "KEEP_SERVED_DAYS": 0}
        monkeypatch.setattr(retention, "IN_USE", timedelta(0))
        source = Shop(shops.shop_lines(180, 3), shops.START + timedelta(days=118), category="toys")
        first = self.trained(source, run)
        said = dict(
            SalesForecast.objects.filter(level="total", start__lte=source.until + timedelta(days=10)).values_list(
                "start", "sales"
            )
        )
        units = list(
            SalesForecast.objects.filter(level="product", start=source.until + timedelta(days=1)).values_list(
                "object_id", "quantity"
            )
        )
        revenue = dict(source.lines.group_by("day").agg(pl.col("amount").sum()).iter_rows())
        week = {day: revenue.get(day - timedelta(days=7), 0.0) for day in said if (day - source.until).days <= 7}

        month = PastForecast.objects.get(object_id="p1", horizon="1-28")
        for coverage, low, high in ((0.8, month.lower_80, month.upper_80), (0.95, month.lower_95, month.upper_95)):
            answer = SalesForecastService(source).predict(  # type: ignore[arg-type]
                level="product", object_id="p1", days_ahead=28, coverage=coverage
            )["summary"]
            told = [answer[name] for name in SUMS]
            assert told == pytest.approx([month.mean, low, high], abs=0.006)

        source.until += timedelta(days=10)
        second = self.trained(source, run)
        assert not MLModel.objects.filter(pk=first.pk).exists()  # forgotten, and held to its word all the same
        scores = {(s.level, s.horizon): s for s in ForecastScore.objects.filter(published__version=1)}
        assert set(scores) == {(level, h) for level in ("total", "category") for h in ("1-7", "8-14")} | {
            ("product", "1-7")
        }
        total = scores["total", "1-7"]
        assert total.published.model is None
        for level in ("total", "category", "product"):  # the receipts of today are understood
            assert total.published.promised[level]["1-7"]["wape"] > 0, level
            assert total.published.promised[level]["1-7"]["baseline_wape"] > 0, level
        assert total.absolute_error == pytest.approx(sum(abs(said[day] - revenue.get(day, 0.0)) for day in week))
        assert total.naive_absolute_error == pytest.approx(sum(abs(week[day] - revenue.get(day, 0.0)) for day in week))
        sold = source.lines.filter(pl.col("day").is_in(list(week))).group_by("product_id").agg(pl.col("units").sum())
        came = dict(sold.iter_rows())
        assert scores["product", "1-7"].absolute_error == pytest.approx(sum(abs(q - came.get(i, 0)) for i, q in units))
        assert scores["category", "1-7"].periods == 7 * 2

        before = stored()
        third = self.trained(source, run)  # of the same day: nothing more is over, and it stands for that day
        assert stored() == before
        assert list(PublishedForecast.objects.order_by("id").values_list("model", flat=True)) == [None, third.pk]
        assert second.as_of == third.as_of

    def test_of_very_many_products_evenly_spread_ones_are_kept(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forecast_accuracy, "MOST_PRODUCTS", 3)
        self.trained(Shop(shops.shop_lines(60, 3), shops.START + timedelta(days=58)), run)
        kept = PastForecast.objects.filter(level="product").values_list("object_id", flat=True)
        assert set(kept) == {"p0", "p2", "p5"}
        assert len(kept) == 3 * (4 + 1)

    def test_a_version_that_is_put_back_says_nothing_anew_about_days_that_passed(self, run: Any) -> None:
        source = Shop(shops.shop_lines(150, 3), shops.START + timedelta(days=118))
        service = SalesForecastService(source)  # type: ignore[arg-type]
        first = self.trained(source, run)
        source.until += timedelta(days=10)
        self.trained(source, run)
        before = list(PastForecast.objects.values())
        service.put_in_service(first, service.content(first))
        assert list(PastForecast.objects.values()) == before
        PublishedForecast.objects.filter(model=first).delete()  # as if it had never been in service
        service.put_in_service(first, service.content(first))
        first_day = PastForecast.objects.filter(published__model=first).order_by("start")[0].start
        assert first_day == source.until + timedelta(days=1)

    def test_one_that_is_not_promoted_is_not_scored(self, run: Any) -> None:
        source = Shop(shops.shop_lines(150, 3), shops.START + timedelta(days=118))
        self.trained(source, run)
        SalesForecastService(source).train(run, model_type="seasonal_naive")  # type: ignore[arg-type]
        published = PublishedForecast.objects.get()
        assert published.model is not None
        assert published.model.is_active


def test_a_thousand_products_cost_a_few_statements():
    model = published()
    PublishedForecast.objects.all().delete()
    ids = [f"p{i}" for i in range(1_000)]
    SalesForecast.objects.bulk_create(
        SalesForecast(
            model=model, level="product", object_id=i, start=AS_OF + timedelta(days=1 + 7 * week), days=7, sales=1,
            quantity=1, **{f"{what}_{name}": 1 for what in ("sales", "quantity") for name in WIDTH},
        )
        for i in ids for week in range(4)
    )  # fmt: skip
    arrays = {
        "total_naive": np.ones((1, 91)),
        "scored_product_ids": np.array(ids),
        "product_naive": np.ones((1_000, 4)),
    }
    with CaptureQueriesContext(connection) as sealing:
        forecast_accuracy.seal(model, arrays, known=AS_OF)
    assert PastForecast.objects.count() == 4_010
    rows = [(f"o{i}", name, 28 + i % 28, 2, 10.0) for i, name in enumerate(ids)]
    source = Shop(shops.lines([("first", "p0", 0, 1, 5.0), *rows]), AS_OF + timedelta(days=28))
    with CaptureQueriesContext(connection) as scoring:
        assert forecast_accuracy.refresh(source) == 4_010
    assert len(sealing) <= 8
    assert len(scoring) <= 10
    product = ForecastScore.objects.filter(level="product")
    assert sum(product.values_list("periods", flat=True)) == 4_000
    assert sum(product.values_list("absolute_error", flat=True)) == 1_000 * (1 + 3 * 1)


@pytest.mark.django_db(transaction=True)
def test_two_scorings_at_the_same_time_wait_for_each_other(monkeypatch: pytest.MonkeyPatch):
    """SQLite lets one writer in at a time by itself, and cannot share a database in memory among threads."""
    if connection.vendor == "sqlite":
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
        return
    published()
    daily = forecast_accuracy._daily

    def slowly(*args: Any, **more: Any) -> pl.DataFrame:
        time.sleep(0.3)
        return daily(*args, **more)

    def scored(_: int) -> int:
        try:
            return forecast_accuracy.refresh(shop_of(WEEK, until=34))
        finally:
            connection.close()

    monkeypatch.setattr(forecast_accuracy, "_daily", slowly)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(scored, range(2))) == [0, 7]
    assert ForecastScore.objects.get().periods == 7
