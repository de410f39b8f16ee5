"""The service: what is published and why, what is answered, what is stored, and nothing from after the cutoff."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ml_predictions import artifacts, selectors
from ml_predictions.errors import NotTrained
from ml_predictions.messages import render
from ml_predictions.models import MLModel, MLTrainingLog, SalesForecast
from ml_predictions.services import sales_forecast_receipt as receipts
from ml_predictions.services.sales_forecast import SalesForecastService
from ml_predictions.sources.base import DataUntil, LeftOut
from ml_predictions.sources.django_shop import DjangoShop
from retail_ml import frames
from retail_ml.errors import BadParameter, NotEnoughHistory, UnknownId
from retail_ml.forecast import shop as forecast_shop
from retail_ml.forecast.models import BASELINE, GradientBoosting, RandomForest
from retail_ml.tests.forecast import shops

API_METRICS = (
    "test_r2", "test_rmse", "test_mae", "wape", "mase", "bias", "coverage_80", "coverage_95", "baseline", "folds",
    "training_samples", "test_samples", "feature_importances", "train_r2",
)  # fmt: skip


class FakeShop:
    """A source without a database: the lines it is given, up to its last day."""

    def __init__(self, lines: Any, days: int) -> None:
        self.lines = lines
        self.days = days

    def data_until(self) -> DataUntil:
        end = shops.START + timedelta(days=self.days)
        return DataUntil(datetime.combine(end, datetime.min.time(), UTC), live=False, time_zone="UTC")

    def order_lines(self, **_: Any) -> Any:
        return self.lines

    def products(self, **_: Any) -> Any:
        return shops.products(sorted(set(self.lines["product_id"].to_list())), category="toys")

    def stock(self, **_: Any) -> Any:
        return frames.empty(frames.STOCK)

    def stock_history(self) -> None:
        return None

    def left_out(self) -> LeftOut:
        return LeftOut()

    def fingerprint(self) -> dict[str, Any]:
        return {"lines": len(self.lines)}


def daily_shop(y: np.ndarray) -> FakeShop:
    """One order a day with this revenue."""
    rows = [(f"o{i}", f"p{i % 2}", i, 1, round(float(v), 2)) for i, v in enumerate(y) if v > 0]
    return FakeShop(shops.lines(rows), len(y))


def random_walk() -> FakeShop:
    """A shop of which the last days tell all there is to know."""
    return daily_shop(1_000 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.12, 420))))


def products_of(model: MLModel) -> list[str]:
    """The products that a version has stored rows of."""
    rows = SalesForecast.objects.filter(model=model, level="product").order_by("-quantity", "id")
    return list(rows.values_list("object_id", flat=True))


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@pytest.fixture
def trained(shop: None, run: Any) -> MLModel:
    return SalesForecastService().train(run, model_type="linear")


@pytest.fixture(scope="class")
def once(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[tuple[Path, int]]:
    """The small shop, trained once for a class whose every test begins with it."""
    from conftest import RecordingRun, fill_shop, undone_at_the_end

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        fill_shop()
        run = RecordingRun(MLTrainingLog.objects.create(kind="test", status="running").pk)
        yield folder, SalesForecastService().train(run, model_type="linear").pk


@pytest.fixture
def in_service(once: tuple[Path, int], db: None, settings: Any) -> MLModel:
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": once[0]}
    return MLModel.objects.get(pk=once[1])


class TestTraining:
    def test_metrics_receipt_and_progress(self, trained: MLModel, run: Any) -> None:
        assert trained.is_active
        assert set(API_METRICS) <= set(trained.metrics)
        assert trained.metrics["baseline"]["name"] == BASELINE
        assert trained.metrics["folds"] >= 4
        for name in API_METRICS:
            assert trained.metrics[name] is not None or name in trained.metrics["reasons"], name
        for reason in trained.metrics["reasons"].values():
            assert "{" not in render(reason)
        receipt = trained.receipt
        assert {c["name"] for c in receipt["candidates"]} >= {BASELINE, "linear", "weekday_mean"}
        assert len(receipt["folds"]) == trained.metrics["folds"]
        assert receipt["period"]["to"] == trained.as_of.isoformat() == "2026-06-29"
        json.dumps([trained.metrics, receipt, run.result], allow_nan=False)
        assert [p for p, _ in run.steps] == sorted(p for p, _ in run.steps)
        assert all(render(step) for _, step in run.steps)
        assert "linear" in render(run.result["served"]["why"])

    def test_every_error_stands_beside_the_baselines(self, trained: MLModel) -> None:
        names = ("test_r2", "test_r2_week", "test_rmse", "test_mae", "wape", "mase", "bias")
        baseline = trained.metrics["baseline"]
        naive = next(c for c in trained.receipt["candidates"] if c["name"] == BASELINE)
        assert trained.metrics["measured"] == "model"  # it was asked for, not chosen
        assert [baseline[n] for n in names] == [naive[n.removeprefix("test_")] for n in names]
        product = SalesForecastService().predict(level="product", object_id=products_of(trained)[0])["receipt"]
        assert product["of"] == "units"
        assert product["wape_28"] < product["baseline_wape_28"]

    def test_january_is_compared_with_january(self, run: Any) -> None:
        """A shop whose last month was its Christmas: less than that lies ahead, but as much as a year ago."""
        y = np.full(760, 100.0)
        y[-364 - 30 : -364] = y[-30:] = 900.0
        source = daily_shop(y)
        assert SalesForecastService(source).train(run, model_type="last_year").is_active  # type: ignore[arg-type]
        metrics = SalesForecastService(source).active().metrics  # type: ignore[arg-type]
        assert (metrics["sales_last_30_days"], metrics["sales_next_30_days_last_year"]) == (27_000, 3_000)
        board = selectors.dashboard()
        assert board["sales_forecast"]["trend"] == "down"
        assert board["sales_forecast"]["change"] == pytest.approx(-8 / 9, abs=0.01)
        assert board["sales_forecast"]["change_on_year"] == pytest.approx(0, abs=0.01)
        assert board["business_health"]["components"]["sales"] > 99

    def test_a_chosen_model_shows_the_error_of_choosing(self, shop: None) -> None:
        source = DjangoShop()
        until = source.data_until()
        assert until is not None
        data = forecast_shop.read(source.order_lines(), as_of=until.as_of)
        trials = forecast_shop.try_total(data, ["linear", "seasonal_profile"], seed=0, step=lambda done: None)
        best = {target: trial.best() for target, trial in trials.items()}
        forecast = forecast_shop.assemble(data, trials, best, tables=forecast_shop.Tables(source.products()), seed=0)
        metrics, receipt = receipts.metrics(forecast), receipts.receipt(forecast)
        procedure = trials["sales"].procedure()
        assert procedure is not None
        assert metrics["measured"] == receipt["measured"] == "choice"
        assert metrics["wape"] == receipt["wape"] == pytest.approx(procedure.score.wape, abs=1e-4)
        assert metrics["baseline"]["wape"] == pytest.approx(procedure.baseline.wape, abs=1e-4)
        assert metrics["folds"] == len(receipt["folds"]) == receipt["origins"] == len(procedure.folds)
        assert [f["model"] for f in receipt["folds"]] == procedure.names
        own = trials["sales"].scores[best["sales"]]
        assert receipt["selection"]["wape"] == pytest.approx(own.wape, abs=1e-4)
        assert receipt["candidate_origins"] == receipt["selection"]["origins"] == len(own.fold_errors)

    def test_linear_regression_is_linear(self, trained: MLModel) -> None:
        assert trained.model_type == "linear"
        assert trained.beats_baseline
        assert trained.metrics["wape"] < trained.metrics["baseline"]["wape"]
        assert sum(trained.metrics["feature_importances"].values()) == pytest.approx(1, abs=0.01)

    @pytest.mark.parametrize("name", ["prophet", "", "AUTO"])
    def test_unknown_model_type(self, shop: None, run: Any, name: str) -> None:
        with pytest.raises(BadParameter, match="random_forest, .*linear_regression"):
            SalesForecastService().train(run, model_type=name)

    def test_unknown_parameter(self, shop: None, run: Any) -> None:
        with pytest.raises(BadParameter, match="depth"):
            SalesForecastService().train(run, depth=3)

    def test_one_that_loses_is_kept_and_the_better_one_serves(self, run: Any) -> None:
        service = SalesForecastService(random_walk())  # type: ignore[arg-type]
        asked = service.train(run, model_type="linear_regression")
        assert asked.model_type == "linear"
        assert not asked.is_active
        assert asked.beats_baseline is False
        serving = service.active()
        assert serving.model_type == BASELINE
        assert run.result["promoted"] is False
        assert run.result["served"]["model_type"] == BASELINE
        assert "not below" in render(run.result["served"]["why"])
        again = service.train(run, model_type="linear")
        assert not again.is_active
        assert service.active() == serving
        assert MLModel.objects.count() == 3
        rows = SalesForecast.objects.filter(model=asked)
        assert not rows.exists()

    def test_too_few_sales(self, make_shop: Any, run: Any) -> None:
        with pytest.raises(NotEnoughHistory):
            SalesForecastService().train(run)
        make_shop(orders=9, days=30)
        with pytest.raises(NotEnoughHistory, match="9"):
            SalesForecastService().train(run)
        assert not MLModel.objects.exists()

    @pytest.mark.parametrize(("orders", "days"), [(10, 400), (10, 1), (10, 3), (30, 60)])
    def test_little_data_gets_a_wide_answer_that_says_so(
        self, make_shop: Any, run: Any, orders: int, days: int
    ) -> None:
        make_shop(orders=orders, days=days)
        service = SalesForecastService()
        model = service.train(run, model_type="random_forest")
        assert model.is_active
        assert model.metrics["low_confidence"]
        answer = service.predict(days_ahead=28)
        assert answer["receipt"]["notes"][0]["code"] == "forecast.little"
        summary = answer["summary"]
        assert summary["total_predicted_sales"] > 0
        assert summary["total_upper"] > 1.3 * summary["total_predicted_sales"]
        answer.pop("model")
        assert finite(answer)
        assert finite(model.metrics)


@pytest.mark.parametrize("learner", [RandomForest, GradientBoosting])
def test_estimators_survive_the_file(learner: Any, db: None) -> None:
    history = shops.history(shops.days(200, np.random.default_rng(1)))
    model = learner(max_rows=500).fit(history)
    saved = artifacts.save("sales_forecast", artifacts.Content(estimators={"total_sales": model.estimator_}))
    X = model.design_ahead(60)
    loaded = artifacts.load(saved.name, saved.sha256).estimators["total_sales"]
    np.testing.assert_array_equal(loaded.predict(X), model.estimator_.predict(X))
    open_days = history.open_ahead(28)
    again = (np.clip(loaded.predict(X[:28]), 0, 8) * model.ahead(28).level) * open_days
    np.testing.assert_allclose(again, model.predict(28)[0])


def test_a_forest_is_stored_with_its_version(run: Any) -> None:
    rng = np.random.default_rng(2)
    service = SalesForecastService(daily_shop(shops.days(130, rng)))  # type: ignore[arg-type]
    model = service.train(run, model_type="random_forest")
    content = service.content(model)
    assert "total_sales" in content.estimators
    level = content.arrays["total_sales_mean"][0, :28].sum()
    ratios = content.estimators["total_sales"].predict(content.arrays["total_sales_features"][:28])
    assert 0.5 < ratios.mean() < 1.5
    assert level > 0


class TestAnswers:
    def test_shape_of_the_answer(self, in_service: MLModel) -> None:
        answer = SalesForecastService().predict()
        assert answer["model"] == in_service
        assert len(answer["predictions"]) == 30
        first = answer["predictions"][0]
        assert first["date"] == "2026-06-30"
        assert set(first) == {
            "date", "predicted_sales", "predicted_quantity", "confidence_lower", "confidence_upper",
            "quantity_lower", "quantity_upper",
        }  # fmt: skip
        summary = answer["summary"]
        assert summary["total_predicted_sales"] == pytest.approx(
            sum(p["predicted_sales"] for p in answer["predictions"]), abs=0.2
        )
        assert summary["total_lower"] < summary["total_predicted_sales"] < summary["total_upper"]
        added = sum(p["confidence_upper"] - p["confidence_lower"] for p in answer["predictions"])
        assert summary["total_upper"] - summary["total_lower"] < 0.9 * added
        receipt = answer["receipt"]
        assert receipt["wape"] == in_service.metrics["wape"]
        assert receipt["baseline_wape"] == in_service.metrics["baseline"]["wape"]
        answer.pop("model")
        json.dumps(answer, allow_nan=False)

    def test_wider_with_more_coverage(self, in_service: MLModel) -> None:
        service = SalesForecastService()
        spans = []
        for coverage in (0.5, 0.8, 0.99):
            summary = service.predict(days_ahead=7, coverage=coverage)["summary"]
            spans.append(summary["total_upper"] - summary["total_lower"])
        assert spans == sorted(spans)

    def test_levels(self, in_service: MLModel) -> None:
        service = SalesForecastService()
        total = service.predict(days_ahead=7)["summary"]["total_predicted_sales"]
        parts = [
            service.predict(days_ahead=7, level="category", object_id=name)["summary"]["total_predicted_sales"]
            for name in ("Bags", "Dresses", "Shirts", "Shoes")
        ]
        assert sum(parts) == pytest.approx(total, rel=0.5)  # levels are forecast apart
        demand = service.product_demand(days=7)
        assert demand is not None
        product = demand.sort("mean_units")["product_id"][-1]
        answer = service.predict(days_ahead=7, level="product", object_id=product)
        assert answer["summary"]["total_predicted_quantity"] == pytest.approx(demand["mean_units"].max(), abs=0.05)
        assert answer["receipt"]["method"] == in_service.receipt["product"]["method"]
        with pytest.raises(UnknownId, match="Bags, Dresses, Shirts, Shoes"):
            service.predict(level="category", object_id="Hats")
        with pytest.raises(UnknownId):
            service.predict(level="product", object_id="no such")

    @pytest.mark.parametrize(
        "bad", [{"days_ahead": 0}, {"days_ahead": 366}, {"coverage": 0.3}, {"coverage": 1.0}, {"level": "shelf"}]
    )
    def test_out_of_range(self, in_service: MLModel, bad: dict[str, Any]) -> None:
        with pytest.raises(BadParameter):
            SalesForecastService().predict(**bad)

    def test_demand_for_the_inventory(self, in_service: MLModel) -> None:
        service = SalesForecastService()
        week, month = (service.product_demand(days=n) for n in (7, 30))
        assert week is not None
        assert month is not None
        assert [str(t) for t in week.dtypes] == ["String", "Float64", "Float64"]
        assert len(week) == 24
        assert (month["mean_units"] > week["mean_units"]).all()
        assert in_service.as_of == date(2026, 6, 29)
        later = service.product_demand(days=7, after=date(2026, 7, 6))  # a week on: the second week of the forecast
        fortnight = service.product_demand(days=14)
        assert later is not None
        assert fortnight is not None
        np.testing.assert_allclose(later["mean_units"] + week["mean_units"], fortnight["mean_units"])
        assert service.product_demand(days=7, after=date(2026, 8, 1)) is None  # too old to tell
        for frame in (week, month):
            assert frame["sd_units"].is_finite().all()
            assert (frame["sd_units"] > 0).all()


class TestWithoutTheSmallShop:
    def test_not_trained(self, shop: None) -> None:
        with pytest.raises(NotTrained):
            SalesForecastService().predict()
        assert SalesForecastService().product_demand(days=7) is None

    def test_an_old_import_forecasts_the_days_after_it(self, run: Any) -> None:
        service = SalesForecastService(daily_shop(shops.days(100, np.random.default_rng(0))))  # type: ignore[arg-type]
        service.train(run, model_type="window_average")
        first = date.fromisoformat(service.predict(days_ahead=1)["predictions"][0]["date"])
        assert first == shops.START + timedelta(days=100)


class TestRows:
    def test_stored_rows_are_the_forecast(self, in_service: MLModel) -> None:
        rows = SalesForecast.objects.filter(model=in_service)
        assert rows.filter(level="total").count() == 365
        assert rows.filter(level="category").count() == 4 * 365
        assert rows.filter(level="product").count() == 24 * 13
        answer = SalesForecastService().predict(days_ahead=365, coverage=0.8)["predictions"]
        for row, day in zip(rows.filter(level="total").order_by("start"), answer, strict=True):
            assert row.start.isoformat() == day["date"]
            assert row.sales == pytest.approx(day["predicted_sales"], abs=0.01)
            assert row.sales_lower_80 == pytest.approx(day["confidence_lower"], abs=0.01)
            assert row.quantity_upper_80 == pytest.approx(day["quantity_upper"], abs=0.01)
            assert row.sales_lower_95 <= row.sales_lower_80 <= row.sales <= row.sales_upper_80
            assert row.sales_upper_80 <= row.sales_upper_95
        week = rows.filter(level="product").order_by("start", "object_id")[0]
        assert (week.days, week.start) == (7, date(2026, 6, 30))
        assert week.quantity_lower_95 <= week.quantity <= week.quantity_upper_80 <= week.quantity_upper_95

    def test_writing_takes_a_few_statements_and_follows_from_the_file_alone(self, in_service: MLModel) -> None:
        service = SalesForecastService()
        columns = [f.attname for f in SalesForecast._meta.fields if f.attname != "id"]
        before = list(SalesForecast.objects.order_by("level", "object_id", "start").values_list(*columns))
        SalesForecast.objects.all().delete()
        content = service.content(in_service)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            service.write_rows(in_service, content)
        assert len(queries) <= 3
        assert list(SalesForecast.objects.order_by("level", "object_id", "start").values_list(*columns)) == before
