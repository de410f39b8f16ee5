"""`test_ml_complete.py`: readable whatever the shop, and honest in its exit code."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from rich.console import Console

import test_ml_complete as script
from ml_predictions.models import SERVICES, MLTrainingLog
from ml_predictions.services import get_service
from retail_ml.errors import RetailMLError


def train(run: Any) -> dict[str, MLTrainingLog]:
    """Train the four here, and give rows as the queue would have left them."""
    ended = {}
    for service in SERVICES:
        log = MLTrainingLog(kind=service, status="completed")
        try:
            get_service(service).train(run)
            log.result = run.result
        except RetailMLError as error:
            log.status, log.error = "failed", error.stored()
        ended[service] = log
    return ended


@pytest.mark.django_db
@pytest.mark.parametrize("orders", [10, 40])
def test_a_small_shop_is_shown_whole(make_shop: Any, run: Any, orders: int):
    make_shop(orders=orders, days=60)
    out = io.StringIO()
    console = Console(file=out, width=160)
    script.show_data(console)
    script.show_training(console, train(run))
    for show in (script.show_forecast, script.show_recommendations, script.show_segments, script.show_inventory):
        show(console)
    for text in ("Data as of 2026-06-2", "Out of sample", "Next 30 days", "Customers", "To reorder"):
        assert text in out.getvalue()


@pytest.mark.django_db
def test_a_service_without_data_says_so(make_shop: Any, run: Any):
    make_shop(orders=3)
    out = io.StringIO()
    script.show_training(Console(file=out, width=200), train(run))
    assert "3" in out.getvalue()
    assert "sales_forecast (Failed)" in out.getvalue()


@pytest.mark.django_db
def test_an_empty_database_without_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    out = io.StringIO()
    assert not script.have_data(Console(file=out), demo=False)
    assert "--demo" in out.getvalue()
