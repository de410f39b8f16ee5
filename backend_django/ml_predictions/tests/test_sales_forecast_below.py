"""Below the categories, through the service and its database: variants, newcomers, days without stock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from django.db.models import Sum

from ml_predictions.messages import render
from ml_predictions.models import MLModel, MLTrainingLog, SalesForecast
from ml_predictions.services.sales_forecast import SalesForecastService
from orders.models import OrderItem
from products.models import Category, Product, ProductVariant, StockMovement
from retail_ml.errors import BadParameter, UnknownId

END = datetime(2026, 6, 30, 18, tzinfo=UTC)


def trained(run: Any) -> MLModel:
    return SalesForecastService().train(run, model_type="window_average")


def best_seller() -> Product:
    sold = OrderItem.objects.values("variant__product").annotate(n=Sum("units")).order_by("-n")
    return Product.objects.get(pk=sold[0]["variant__product"])


def predicted(level: str, object_id: Any, **more: Any) -> dict[str, Any]:
    return SalesForecastService().predict(days_ahead=28, level=level, object_id=str(object_id), **more)


@pytest.fixture(scope="class")
def once(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[tuple[Path, int]]:
    """The small shop, trained once for a class whose every test begins with it."""
    from conftest import RecordingRun, fill_shop, undone_at_the_end

    folder: Path = tmp_path_factory.mktemp("models")
    with undone_at_the_end(django_db_blocker, folder):
        fill_shop()
        log = MLTrainingLog.objects.create(kind="test", status="running")
        yield folder, trained(RecordingRun(log.pk)).pk


class TestVariants:
    @pytest.fixture
    def model(self, once: tuple[Path, int], db: None, settings: Any) -> MLModel:
        settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": once[0]}
        return MLModel.objects.get(pk=once[1])

    def test_the_variants_of_a_product_add_up_to_it(self, model: MLModel) -> None:
        product = best_seller()
        whole = predicted("product", product.pk)
        parts = [predicted("variant", variant.pk) for variant in product.variants.all()]
        for key in ("total_predicted_quantity", "total_predicted_sales"):
            assert sum(p["summary"][key] for p in parts) == pytest.approx(whole["summary"][key], abs=0.05)
        for part in parts:
            summary = part["summary"]
            assert summary["quantity_total_lower"] <= summary["total_predicted_quantity"]
            assert summary["total_predicted_quantity"] < summary["quantity_total_upper"]
            assert part["receipt"]["level"] == "variant"
            assert part["explanation"] is None

    def test_receipt_of_the_level(self, model: MLModel) -> None:
        receipt = predicted("variant", ProductVariant.objects.first().pk)["receipt"]  # type: ignore[union-attr]
        assert receipt["method"] == "style_share"
        assert receipt["baseline"] == "seasonal_naive"
        assert receipt["wape_28"] < receipt["baseline_wape_28"]
        assert 0.5 < receipt["coverage"]["coverage_80_28"] <= 1
        assert receipt["variants"] == 48
        assert "candidates" not in receipt
        assert {c["name"] for c in model.receipt["variant"]["candidates"]} == {
            "style_share", "seasonal_naive", "base_rate",
        }  # fmt: skip

    def test_rows_are_weeks_of_what_is_forecast(self, model: MLModel) -> None:
        rows = SalesForecast.objects.filter(model=model, level="variant")
        demand = SalesForecastService().variant_demand(days=7)
        assert demand is not None
        sells = demand.filter(pl.col("mean_units") > 0)
        assert rows.count() == 13 * len(sells)
        first = {r.object_id: r for r in rows.filter(start=model.as_of + timedelta(days=1))}
        for variant, mean, _ in sells.iter_rows():
            assert first[variant].days == 7
            assert first[variant].quantity == pytest.approx(mean)
            assert first[variant].quantity_lower_95 <= mean <= first[variant].quantity_upper_80

    def test_demand_over_the_lead_time_of_each(self, model: MLModel) -> None:
        service = SalesForecastService()
        one, other = (str(v.pk) for v in ProductVariant.objects.order_by("pk")[:2])
        found = service.variant_demand(days={one: 7, other: 35, "gone": 5}, probabilities=(0.1, 0.5, 0.95))
        assert found is not None
        assert found.columns == ["variant_id", "mean_units", "sd_units", "q0.1", "q0.5", "q0.95"]
        assert set(found["variant_id"]) == {one, other}
        week, five = (service.variant_demand(days=n, probabilities=(0.95,)) for n in (7, 35))
        assert week is not None
        assert five is not None
        for variant, table in ((one, week), (other, five)):
            mine, same = (t.filter(pl.col("variant_id") == variant) for t in (found, table))
            assert mine["mean_units"].item() == pytest.approx(same["mean_units"].item())
            assert mine["q0.95"].item() == pytest.approx(same["q0.95"].item())
        top = found.filter(pl.col("variant_id") == one)
        assert top["q0.1"].item() < top["q0.5"].item() < top["q0.95"].item()
        assert five["q0.95"].sum() < 0.95 * 5 * week["q0.95"].sum()  # a sum is not five bad weeks
        later = service.variant_demand(days=7, after=model.as_of + timedelta(days=14))
        assert later is not None
        assert (later["sd_units"] >= week["sd_units"] * 0.5).all()

    def test_out_of_range(self, model: MLModel) -> None:
        service = SalesForecastService()
        for bad in ({"days": 0}, {"days": 366}, {"days": 7, "probabilities": (0.9999,)}):
            with pytest.raises(BadParameter):
                service.variant_demand(**bad)  # type: ignore[arg-type]
        assert service.variant_demand(days=7, after=date(2026, 8, 15)) is None
        with pytest.raises(UnknownId, match="train again"):
            predicted("variant", "nobody")


class TestNewcomers:
    def test_a_new_product_is_forecast_from_its_look_alikes(self, shop: None, run: Any) -> None:
        category = Category.objects.get(name="Dresses")
        new = Product.objects.create(code="N1", name="Linen dress 99", category=category, price=30)
        variants = [ProductVariant.objects.create(product=new, sku=f"N1-{s}", options={"size": s}) for s in "SM"]
        hidden = Product.objects.create(code="N2", name="Linen dress 98", category=category, price=30, status="draft")
        Product.objects.filter(pk__in=[new.pk, hidden.pk]).update(created_at=END - timedelta(days=2))
        model = trained(run)
        answer = predicted("product", new.pk)
        assert answer["summary"]["total_predicted_quantity"] > 0
        summary = answer["summary"]
        assert summary["quantity_total_upper"] > 2 * summary["total_predicted_quantity"]
        assert answer["receipt"]["method"] == "look_alikes"
        assert answer["receipt"]["low_confidence"]
        note = answer["receipt"]["notes"][0]
        assert note["code"].startswith("forecast.newcomer_")
        assert note["code"].endswith("_unsold")
        assert "New, not sold yet" in render(note)
        parts = [predicted("variant", v.pk) for v in variants]
        assert all(p["receipt"]["notes"][0] == note for p in parts)
        assert sum(p["summary"]["total_predicted_quantity"] for p in parts) == pytest.approx(
            summary["total_predicted_quantity"], abs=0.05
        )
        assert predicted("product", hidden.pk)["summary"]["total_predicted_quantity"] == 0
        assert model.receipt["newcomer"]["newcomers"] >= 1
        later = Product.objects.create(code="N3", name="Linen dress 97", category=category, price=30)
        with pytest.raises(UnknownId, match="new, train again"):
            predicted("product", later.pk)


def kept_stock(product: Product, *, since: datetime) -> None:
    """Every variant's movements told in full; `product` sold out at `since` and was never restocked."""
    lost = OrderItem.objects.filter(variant__product=product, order__placed_at__gt=since)
    lost.filter(returns=None).delete()
    StockMovement.objects.all().delete()
    sold = list(OrderItem.objects.select_related("order").order_by("order__placed_at"))
    total: dict[int, int] = {}
    for item in sold:
        total[item.variant_id] = total.get(item.variant_id, 0) + item.units
    variants = list(ProductVariant.objects.all())
    moves = []
    for variant in variants:
        variant.stock = 0 if variant.product_id == product.pk else 50
        units = total.get(variant.pk, 0) + variant.stock
        moves.append(StockMovement(variant=variant, kind="opening", units=units, at=END - timedelta(days=500)))
    moves += [StockMovement(variant_id=i.variant_id, kind="sale", units=-i.units, at=i.order.placed_at) for i in sold]
    StockMovement.objects.bulk_create(moves)
    ProductVariant.objects.bulk_update(variants, ["stock"])


class TestStock:
    def test_a_product_that_sold_out_is_forecast_at_what_would_be_asked_for(self, make_shop: Any, run: Any) -> None:
        make_shop(orders=600)
        product = best_seller()
        kept_stock(product, since=END - timedelta(days=45))
        model = trained(run)
        stock = model.receipt["product"]["stock"]
        assert stock["used"]
        assert stock["trusted"] == stock["variants"] == 48
        assert stock["days_out"] >= 60
        corrected = predicted("product", product.pk)["summary"]["total_predicted_quantity"]
        StockMovement.objects.all().delete()
        assert trained(run).receipt["product"]["stock"] == {"used": False, "refused": False}
        raw = predicted("product", product.pk)["summary"]["total_predicted_quantity"]
        assert raw < 0.6 * corrected
        sold = OrderItem.objects.filter(variant__product=product).aggregate(n=Sum("units"))["n"]
        assert corrected == pytest.approx(sold / (400 - 45) * 28, rel=0.5)

    def test_a_history_that_contradicts_the_sales_is_refused_and_said(self, shop: None, run: Any) -> None:
        product = best_seller()
        kept_stock(product, since=END - timedelta(days=45))
        StockMovement.objects.filter(kind="sale").update(at=END - timedelta(days=499))
        ProductVariant.objects.update(stock=0)  # all gone at once, and yet sold for a year
        stock = trained(run).receipt["product"]["stock"]
        assert (stock["used"], stock["refused"]) == (False, True)
        assert stock["sold_without_stock"] + stock["below_zero"] > 0
        assert np.isfinite(predicted("product", product.pk)["summary"]["total_upper"])
