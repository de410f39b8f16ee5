"""What stands beside a forecast: the owner's calendar in it, why it is what it is, and its months."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.utils import translation

from ml_predictions.messages import render
from ml_predictions.models import MLModel
from ml_predictions.models_calendar import CalendarEvent
from ml_predictions.services import sales_forecast_explained as explained
from ml_predictions.services.sales_forecast import SalesForecastService
from ml_predictions.tests.test_sales_forecast import daily_shop
from retail_ml.forecast.explain import PARTS
from retail_ml.tests.forecast import shops

DAYS = 420
AS_OF = shops.START + timedelta(days=DAYS - 1)
SALE, MOVE = AS_OF + timedelta(days=10), AS_OF + timedelta(days=15)


def event(kind: str, first: date, last: date, **values: Any) -> CalendarEvent:
    return CalendarEvent.objects.create(
        kind=kind, name=values.pop("name", kind), first_day=first, last_day=last, **values
    )


@pytest.fixture
def service(db: None, run: Any) -> SalesForecastService:
    """A forecast of a shop that is always open, with a promotion and a closure ahead."""
    event("promotion", SALE, SALE + timedelta(days=1), name="Big sale", uplift=2.0)
    event("closure", MOVE, MOVE, name="Moving")
    y = np.random.default_rng(3).normal(1_000, 60, DAYS) * np.tile([1, 1, 1, 1, 1, 1.6, 1.2], DAYS)[:DAYS]
    made = SalesForecastService(source=daily_shop(y))  # type: ignore[arg-type]
    made.train(run, model_type="linear")
    return made


def test_the_calendar_explanation_and_months_of_one_version(service: SalesForecastService) -> None:
    answer = service.predict(days_ahead=200, coverage=0.8)
    day = {one["date"]: one["predicted_sales"] for one in answer["predictions"]}
    assert day[MOVE.isoformat()] == 0 < day[(MOVE + timedelta(days=1)).isoformat()]

    why = answer["explanation"]
    assert MOVE.isoformat() in why["closed_days"]
    assert {"Big sale", "Moving"} <= {one["name"] for one in why["named_days"]}
    said = [render(sentence) for sentence in why["sentences"]]
    assert any("strongest" in sentence for sentence in said)
    assert all(sentence and "{" not in sentence for sentence in said)
    with translation.override("es"):
        assert [render(sentence) for sentence in why["sentences"]] != said

    months = answer["months"]
    assert sum(month["days"] for month in months) == 200
    whole = sum(month["predicted_sales"] for month in months)
    assert whole == pytest.approx(answer["summary"]["total_predicted_sales"], abs=0.1)
    width = [(m["sales_upper"] - m["sales_lower"]) / m["predicted_sales"] for m in months if m["days"] >= 28]
    assert width[0] < width[-1], "later months are less certain"
    assert all(m["sales_lower"] < m["predicted_sales"] < m["sales_upper"] for m in months)


def test_a_calendar_changed_after_the_training_is_said(service: SalesForecastService) -> None:
    def codes() -> list[str]:
        return [note["code"] for note in service.predict(days_ahead=7)["receipt"]["notes"]]

    model = MLModel.objects.get(is_active=True)
    assert model.receipt["calendar"]["events"] == 2
    assert "calendar.changed" not in codes()
    CalendarEvent.objects.get(name="Moving").delete()
    assert "calendar.changed" in codes()


def test_categories_have_months_and_products_have_none(service: SalesForecastService) -> None:
    category = service.predict(days_ahead=60, level="category", object_id="toys")
    assert category["months"]
    assert category["explanation"] is None
    assert service.predict(days_ahead=60, level="product", object_id="p1")["months"] == []


@pytest.mark.parametrize(
    ("language", "country", "english", "name"),
    [
        ("es", "ES", "Good Friday", "Viernes Santo"),
        ("en", "ES", "Good Friday", "Good Friday"),
        ("es", "", "Good Friday", "Good Friday"),
        ("es", "ES", "Easter Sunday", "Domingo de Resurrección"),  # no holiday of the country's
        ("es", "", "Christmas Day", "Navidad"),
        ("es", "ES", "Christmas Day", "Natividad del Señor"),
    ],
)
def test_public_holidays_are_named_in_the_language_of_the_answer(
    language: str, country: str, english: str, name: str
) -> None:
    holiday = {"date": "2026-04-03", "kind": "holiday", "name": english, "open": True}
    mine = {"date": "2026-04-04", "kind": "promotion", "name": "Good Friday", "open": True}  # the owner's own words
    stored = SimpleNamespace(
        arrays={"explain": np.full((len(PARTS), 7), 2.0)},
        meta={"named_days": [holiday, mine], "closed": []},
        as_of=date(2026, 3, 31),
    )
    with translation.override(language):
        told = {"days": 7, "calendar": {"country": country}, "currency": "EUR"}
        why = explained.explanation(stored, **told)  # type: ignore[arg-type]
    assert why is not None
    assert [one["name"] for one in why["named_days"]] == [name, "Good Friday"]
    assert any(sentence["params"].get("name_id") == name for sentence in why["sentences"])
