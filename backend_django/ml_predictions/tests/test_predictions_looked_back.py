"""Predictions held against what came, made again from their version; and whether the shop is still the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ml_predictions import actions, artifacts
from ml_predictions.models import MLModel, MLTrainingLog, Prediction, SalesForecast
from ml_predictions.services import drift, predictions
from ml_predictions.services.sales_forecast import SalesForecastService
from ml_predictions.sources import get_source
from ml_predictions.sources.base import DataUntil

AS_OF = date(2026, 6, 29)


class Later:
    """The small shop as it will be some weeks on: what was sold before is sold again, `times` as dear."""

    def __init__(self, days: int, *, times: float = 1.0) -> None:
        self.shop = get_source()
        known = self.shop.data_until()
        assert known is not None
        self.until = DataUntil(known.at + timedelta(days=days), live=False, time_zone=known.time_zone)
        lines = self.shop.order_lines()
        again = lines.filter(pl.col("day") > AS_OF - timedelta(days=days)).with_columns(
            pl.col("day") + timedelta(days=days), pl.col("amount") * times, order_id=pl.lit("x") + pl.col("order_id")
        )
        self.lines = pl.concat([lines, again])

    def data_until(self) -> DataUntil:
        return self.until

    def order_lines(self, *, since: date | None = None, **_: Any) -> pl.DataFrame:
        return self.lines if since is None else self.lines.filter(pl.col("day") >= since)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shop, name)


@pytest.fixture(scope="module")
def once(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[tuple[Path, int]]:
    """A small shop of many orders, trained once."""
    from conftest import RecordingRun, fill_shop, undone_at_the_end

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        fill_shop(orders=900)
        run = RecordingRun(MLTrainingLog.objects.create(kind="test", status="running").pk)
        yield folder, SalesForecastService().train(run, model_type="weekday_mean").pk


@pytest.fixture
def model(once: tuple[Path, int], db: None, settings: Any) -> MLModel:
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": once[0], "LIVE": "no"}
    return MLModel.objects.get(pk=once[1])


def ask(**parameters: Any) -> Prediction:
    wanted = {"days_ahead": 7, "level": "total", "coverage": 0.95, **parameters}
    return Prediction.objects.get(pk=actions.predict_sales(wanted, user="ben")["prediction_id"])


def test_each_level_is_held_against_what_came_in_queries_that_do_not_grow(model: MLModel):
    later = Later(14)
    product = SalesForecast.objects.filter(level="product").values_list("object_id", flat=True)[0]
    variant = SalesForecast.objects.filter(level="variant").values_list("object_id", flat=True)[0]
    asked = {
        "total": ask(), "category": ask(level="category", id="Shoes"), "product": ask(level="product", id=product),
        "variant": ask(level="variant", id=variant),
    }  # fmt: skip
    waiting = ask(days_ahead=30)
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert predictions.look_back(later) == 4
    lines = later.lines.filter(pl.col("day").is_between(AS_OF + timedelta(days=1), AS_OF + timedelta(days=7)))
    expected = {
        "total": lines, "product": lines.filter(pl.col("product_id") == product),
        "variant": lines.filter(pl.col("variant_id") == variant),
    }  # fmt: skip
    for level, frame in expected.items():
        asked[level].refresh_from_db()
        assert asked[level].looked_back["came"]["sales"] == pytest.approx(frame["amount"].sum(), abs=0.05), level
        assert asked[level].looked_back["came"]["quantity"] == pytest.approx(frame["units"].sum()), level
    found = asked["total"].looked_back
    assert found["error"] == pytest.approx(
        found["promised"]["total_predicted_sales"] - found["came"]["sales"], abs=0.01
    )
    assert len(found["came"]["days"]) == 7
    assert sum(day[0] for day in found["came"]["days"]) == pytest.approx(found["came"]["sales"], abs=0.01)
    waiting.refresh_from_db()
    assert (waiting.looked_back, waiting.last_day) == (None, AS_OF + timedelta(days=30))
    for _ in range(8):
        ask()
    with CaptureQueriesContext(connection) as many:
        assert predictions.look_back(later) == 8  # the others were looked back on today
    assert len(many) <= len(few)


@pytest.mark.postgres
def test_promise_and_truth_of_three_days_against_the_shops_own_tables(model: MLModel):
    from django.db.models import Sum

    from orders.models import OrderItem, OrderReturn

    days = [date(2026, 6, day) for day in (24, 25, 26)]
    told = {"predicted_quantity": 1.0, "confidence_lower": 0.0, "confidence_upper": 1e6}
    row = Prediction.objects.create(
        service="sales_forecast", as_of=date(2026, 6, 23), last_day=days[-1], parameters={"level": "total", "id": ""},
        result={
            "predictions": [{"date": day.isoformat(), "predicted_sales": 100.0, **told} for day in days],
            "summary": {"total_predicted_sales": 300.0, "total_lower": 0.0, "total_upper": 1e6,
                        "total_predicted_quantity": 3.0},
        },
    )  # fmt: skip
    later = Prediction.objects.create(service="sales_forecast", as_of=days[0], last_day=date(2026, 6, 30))
    assert predictions.look_back() == 1
    row.refresh_from_db()
    later.refresh_from_db()
    sold = OrderItem.objects.filter(order__placed_at__date__in=days).aggregate(s=Sum("amount"))["s"] or 0
    back = OrderReturn.objects.filter(returned_at__date__in=days).aggregate(s=Sum("amount"))["s"] or 0
    found = row.looked_back
    assert found["came"]["sales"] == pytest.approx(float(sold - back)) != 0
    assert found["error"] == pytest.approx(300 - float(sold - back))
    assert (found["total_inside"], row.looked_back_on, later.looked_back) == (True, AS_OF, None)


def test_what_is_delivered_late_is_looked_at_again_until_it_stands(model: MLModel):
    row = ask()
    assert predictions.look_back(Later(7)) == 1
    assert predictions.look_back(Later(7)) == 0
    assert predictions.look_back(Later(14, times=2)) == 1
    row.refresh_from_db()
    before = row.looked_back
    assert predictions.look_back(Later(50)) == 0
    row.refresh_from_db()
    assert (row.looked_back, row.looked_back_on) == (before, AS_OF + timedelta(days=14))


def test_an_id_that_the_shop_no_longer_has_says_so(model: MLModel):
    row = ask(level="category", id="Shoes")
    Prediction.objects.filter(pk=row.pk).update(parameters=row.parameters | {"id": "Hats"})
    predictions.look_back(Later(7))
    row.refresh_from_db()
    assert row.looked_back["reason"]["code"] == "prediction.gone"


def test_the_same_numbers_again_from_the_version_even_when_another_one_serves(model: MLModel):
    row = ask(level="category", id="Shoes", coverage=0.8)
    MLModel.objects.filter(pk=model.pk).update(is_active=False)
    row.refresh_from_db()
    found = predictions.reproduce(row)
    assert (found["identical"], found["largest_difference"], found["changed_since"]) == (True, 0.0, [])
    row.result["predictions"][0]["predicted_sales"] += 1
    changed = predictions.reproduce(row)
    assert (changed["identical"], changed["largest_difference"]) == (False, pytest.approx(1.0))


def test_the_reason_why_not(model: MLModel):
    row = ask()
    row.model = None
    with pytest.raises(predictions.VersionGone, match=f"prediction {row.pk}"):
        predictions.reproduce(row)
    row.model = MLModel(pk=1, artifact="sales_forecast/gone", artifact_sha256="", service="sales_forecast")
    with pytest.raises(artifacts.ArtifactRefused):
        predictions.reproduce(row)


def test_the_same_shop_four_weeks_on_has_not_drifted_and_a_dear_one_has(model: MLModel):
    found = drift.watch(Later(28))
    assert found is not None
    assert {one["of"] for one in found["inputs"]} == {"order_value", "unit_price", "category", "weekday"}
    assert (found["drifted"], found["warnings"]) == (False, [])
    found = drift.watch(Later(28, times=3))
    assert found is not None
    assert {warning["code"] for warning in found["warnings"]} == {"drift.order_value", "drift.unit_price"}
    model.refresh_from_db()
    assert model.drift == found


def test_too_few_days_since_the_training_say_nothing(model: MLModel):
    found = drift.watch(Later(6))
    assert found is not None
    assert (found["inputs"], found["live_days"]["drifted"]) == ([], None)


def test_drift_trains_again_once_a_day_where_the_owner_wants_it(model: MLModel, settings: Any, monkeypatch: Any):
    from ml_predictions.jobs import nightly

    monkeypatch.setattr(drift, "get_source", lambda: Later(28, times=3))
    assert nightly.watch_drift() == {"drifted": True}
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "RETRAIN_ON_DRIFT": True}
    first = nightly.watch_drift()
    MLTrainingLog.objects.filter(cause="drift").update(status="completed")
    assert nightly.watch_drift() == first
    assert MLTrainingLog.objects.filter(cause="drift", kind="sales_forecast").count() == 1


def test_days_outside_the_band_are_a_warning(model: MLModel):
    from ml_predictions.models_accuracy import PastForecast, PublishedForecast

    published = PublishedForecast.objects.create(
        model=None, version=0, model_type="x", as_of=AS_OF - timedelta(days=40), whole=False
    )
    for back in range(20):
        day = AS_OF - timedelta(days=back)
        PastForecast.objects.create(
            published=published, level="total", horizon="29-56", start=day, end=day, mean=10, lower_80=9, upper_80=11,
            lower_95=8, upper_95=12, actual=20.0 if back < 6 else 10.0,
        )  # fmt: skip
    found = drift.watch()
    assert found is not None
    assert found["live_days"] == {"days": 20, "outside_95": 6, "drifted": True}
    assert found["warnings"][0]["code"] == "drift.error"
