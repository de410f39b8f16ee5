"""Off by default; with the token, figures that a scraper understands."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ml_predictions.models import MLTrainingLog, MLWorker

pytestmark = pytest.mark.django_db
LINE = re.compile(r'[a-z_]+(\{[a-z]+="[a-z_]+"\})? -?\d+')


def test_off_without_a_token() -> None:
    assert Client().get("/metrics/", headers={"Authorization": "Bearer "}).status_code == 404


def test_only_with_the_token(settings: Any) -> None:
    settings.METRICS_TOKEN = "s3cret"
    for given in ("", "Bearer wrong", "s3cret ", "Bearer ñ"):
        assert Client().get("/metrics/", headers={"Authorization": given}).status_code == 401


def test_figures(settings: Any, django_assert_max_num_queries: Any) -> None:
    settings.METRICS_TOKEN = "s3cret"
    MLWorker.objects.create(name="w", host="h", pid=1, seen_at=timezone.now())
    for status in ("queued", "failed", "failed"):
        MLTrainingLog.objects.create(kind="test", status=status)
    with django_assert_max_num_queries(4):
        text = Client().get("/metrics/", headers={"Authorization": "Bearer s3cret"}).content.decode()
    lines = text.splitlines()
    assert "trastienda_worker_up 1" in lines
    assert 'trastienda_training_logs{status="failed"} 2' in lines
    assert 'trastienda_training_logs{status="queued"} 1' in lines
    assert 'trastienda_training_logs{status="running"} 0' in lines
    assert all(LINE.fullmatch(one) for one in lines if not one.startswith("#"))
