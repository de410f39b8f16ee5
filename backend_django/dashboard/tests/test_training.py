"""Trainings from the page: queued, cancelled, tried again; versions put into service and deleted; the schedule."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import numpy as np
import pytest
from django.test import Client

from ml_predictions import artifacts
from ml_predictions.models import MLModel, MLTrainingLog
from ml_predictions.models_schedule import Schedule

pytestmark = pytest.mark.django_db


def version(number: int, **values: Any) -> MLModel:
    """A version of the forecast with a file."""
    saved = artifacts.save("inventory_optimization", artifacts.Content(arrays={"a": np.arange(number)}))
    return MLModel.objects.create(
        service="inventory_optimization", version=number, model_type="reorder_point", as_of=date(2026, 6, 29),
        artifact=saved.name, artifact_sha256=saved.sha256, **values,
    )  # fmt: skip


def test_a_training_is_queued_shown_cancelled_and_tried_again(ben: Client) -> None:
    page = ben.post("/training/start/", {"kind": "sales_forecast"}, follow=True).content.decode()
    assert "Queued. This page shows how far it is." in page
    log = MLTrainingLog.objects.get()
    assert (log.kind, log.status, log.requested_by) == ("sales_forecast", "queued", "ben@shop.test")
    part = ben.get("/training/progress/").content.decode()
    assert 'hx-trigger="every 2s"' in part
    assert "Sales forecast" in part
    again = ben.post("/training/start/", {"kind": "all"}, follow=True).content.decode()
    assert MLTrainingLog.objects.count() == 1
    assert 'class="notice error"' in again
    ben.post(f"/training/logs/{log.pk}/cancel/")
    log.refresh_from_db()
    assert log.status == "cancelled"
    assert 'hx-trigger="none"' in ben.get("/training/progress/").content.decode()
    ben.post(f"/training/logs/{log.pk}/retry/")
    assert MLTrainingLog.objects.filter(retry_of=log, status="queued").exists()


def test_nothing_is_done_by_looking(ben: Client) -> None:
    assert ben.get("/training/start/").status_code == 405
    assert ben.post("/training/start/", {"kind": "moon"}).status_code == 404
    assert ben.post("/training/logs/99/retry/").status_code == 404
    assert not MLTrainingLog.objects.exists()


def test_a_failure_says_why(ben: Client) -> None:
    error = {"code": "forecast.not_enough_sales", "params": {"needed": 10, "found": 3}}
    MLTrainingLog.objects.create(kind="sales_forecast", status="failed", error=error)
    page = ben.get("/training/").content.decode()
    assert "10" in page
    assert "Try again" in page


def test_back_to_an_older_version_and_away_with_one(ben: Client) -> None:
    old, new = version(1), version(2, is_active=True)
    assert "The receipt" in ben.get(f"/training/versions/{old.pk}/").content.decode()
    ben.post(f"/training/versions/{old.pk}/", {"what": "activate"})
    assert MLModel.objects.get(is_active=True) == old
    refused = ben.post(f"/training/versions/{old.pk}/", {"what": "delete"}, follow=True).content.decode()
    assert 'class="notice error"' in refused
    ben.post(f"/training/versions/{new.pk}/", {"what": "delete"})
    assert list(MLModel.objects.all()) == [old]
    assert ben.get("/training/versions/999/").status_code == 404


def test_one_that_loses_to_the_baseline_needs_a_word(ben: Client) -> None:
    version(1, is_active=True)
    worse = version(2, beats_baseline=False)
    ben.post(f"/training/versions/{worse.pk}/", {"what": "activate"})
    assert not MLModel.objects.get(pk=worse.pk).is_active
    ben.post(f"/training/versions/{worse.pk}/", {"what": "activate", "accept_worse": "1"})
    assert MLModel.objects.get(pk=worse.pk).is_active


def test_the_schedule_is_stored_or_what_is_wrong_is_said(ben: Client) -> None:
    good = {"nightly_on": "on", "nightly_hour": "3", "weekly_day": "2", "weekly_hour": "6"}
    ben.post("/training/schedule/", good)
    row = Schedule.objects.get()
    assert (row.nightly_on, row.nightly_hour, row.weekly_on, row.weekly_day) == (True, 3, False, 2)
    page = ben.post("/training/schedule/", {**good, "nightly_hour": "25"}, follow=True).content.decode()
    assert 'class="notice error"' in page
    assert Schedule.objects.get().nightly_hour == 3


def test_versions_stand_beside_the_naive_way_over_time(ben: Client) -> None:
    for number, (value, naive) in enumerate([(0.5, 0.6), (0.25, 0.5)], start=1):
        metrics = {"replay": {"total_cost": 1000 * value, "baseline": {"total_cost": 1000 * naive}}}
        version(number, metrics=metrics, is_active=number == 2)
    version(3, metrics={"replay": None})  # nothing was replayed: it has no place in the row
    page = ben.get("/training/").content.decode()
    data = re.search(r'id="over-inventory_optimization-data">(.*?)</script>', page, re.DOTALL)
    assert data
    drawn = {one["role"]: (one["x"], one["y"]) for one in json.loads(data[1])["series"]}
    assert drawn == {"forecast": (["v1", "v2"], [500, 250]), "before": (["v1", "v2"], [600, 500])}
    assert 'id="over-sales_forecast"' not in page
    rows = page.split('id="over-inventory_optimization-data"')[1].split("</table>")[0]
    assert re.findall(r"/training/versions/\d+/\">(\d)<", rows) == ["1", "2"]


def test_a_share_is_drawn_as_per_cent(ben: Client) -> None:
    made = version(1, metrics={"wape": 0.345, "baseline": {"wape": 0.5}})
    MLModel.objects.filter(pk=made.pk).update(service="sales_forecast")
    page = ben.get("/training/").content.decode()
    data = re.search(r'id="over-sales_forecast-data">(.*?)</script>', page, re.DOTALL)
    assert data
    spec = json.loads(data[1])
    assert ([one["y"] for one in spec["series"]], spec["unit"]) == ([[34.5], [50.0]], "%")
