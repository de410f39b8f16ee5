"""Publishing a version: all of it or nothing, one in service, old ones forgotten, any one can be put back."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from django.utils import timezone

from ml_predictions import conf
from ml_predictions.artifacts import Content
from ml_predictions.errors import NotTrained
from ml_predictions.models import MLModel, MLTrainingLog, SalesForecast
from ml_predictions.services import promotion, retention
from ml_predictions.services.base import Service, Version

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
BOUNDS = {
    f"{what}_{side}_{level}": 1.0 for what in ("sales", "quantity") for side in ("lower", "upper") for level in (80, 95)
}


class Plain(Service):
    """A service whose one stored row is its one number."""

    name = "sales_forecast"
    rows = SalesForecast

    def train(self, run, **parameters):
        raise NotImplementedError

    def write_rows(self, model, content):
        value = float(content.arrays["value"][0])
        SalesForecast.objects.create(
            model=model, level="total", start=date(2026, 7, 1), sales=value, quantity=value, **BOUNDS
        )


def version(value, **extra):
    return Version(
        **{
            "model_type": f"m{value}",
            "content": Content(arrays={"value": np.array([value])}),
            "metrics": {"wape": 0.2},
            "receipt": {},
            "as_of": date(2026, 6, 30),
            **extra,
        }
    )


def files():
    return sorted(p.name for p in Path(conf.get("ARTIFACT_ROOT")).glob("*/*"))


def test_nothing_trained_says_what_to_call():
    with pytest.raises(NotTrained, match="POST /api/ml/train-sales-forecast/"):
        Plain().active()


def test_a_promoted_version_serves_and_its_rows_replace_the_old_ones(run):
    service = Plain()
    first = service.publish(run, [version(1)])
    second = service.publish(run, [version(2)])
    assert (first.version, second.version, service.active().pk) == (1, 2, second.pk)
    assert list(SalesForecast.objects.values_list("model_id", "sales")) == [(second.pk, 2.0)]
    assert run.result["promoted"]
    assert run.result["served"]["model_id"] == second.pk


def test_a_version_that_is_not_promoted_is_kept_beside_the_one_in_service(run):
    service = Plain()
    first = service.publish(run, [version(1)])
    second = service.publish(run, [version(2, promote=False)])
    assert service.active().pk == first.pk
    assert MLModel.objects.filter(pk=second.pk, is_active=False).exists()
    assert run.result["served"] | {"why": None} == {"model_id": first.pk, "model_type": "m1", "why": None}
    assert SalesForecast.objects.get().sales == 1.0


def test_the_one_asked_for_and_the_one_that_serves_can_be_two(run):
    asked = Plain().publish(run, [version(1, promote=False), version(2)])
    assert asked.model_type == "m1"
    assert Plain().active().model_type == "m2"


def test_an_older_version_is_put_back_with_its_rows_from_its_file(run):
    service = Plain()
    first = service.publish(run, [version(1)])
    service.publish(run, [version(2)])
    service.put_in_service(first, service.content(first))
    assert service.active().pk == first.pk
    assert SalesForecast.objects.get().sales == 1.0


def test_a_fault_while_publishing_leaves_the_old_version_and_no_file(run, monkeypatch):
    service = Plain()
    first = service.publish(run, [version(1)])
    before = files()

    def lost(result):
        raise RuntimeError("another worker has it")

    monkeypatch.setattr(run, "published", lost)
    with pytest.raises(RuntimeError, match="another worker"):
        service.publish(run, [version(2)])
    assert service.active().pk == first.pk
    assert SalesForecast.objects.get().sales == 1.0
    assert files() == before


def folds(*wapes):
    """A receipt with one origin a week, each of the same weight."""
    days = [f"2026-05-{day:02}" for day in (4, 11, 18, 25)]
    return {
        "folds": [
            {"cutoff": day, "horizon_days": 28, "wape": wape, "actual": 100.0}
            for day, wape in zip(days, wapes, strict=False)
            if wape is not None
        ]
    }


def test_a_version_that_is_worse_on_the_same_days_is_kept_and_does_not_serve(run):
    service = Plain()
    first = service.publish(run, [version(1, receipt=folds(0.20, 0.30))])
    assert first.comparison is None
    worse = service.publish(run, [version(2, receipt=folds(0.21, 0.32, 0.01))])  # the third is its own: 0.265 ≥ 0.2625
    assert (worse.is_active, service.active().pk) == (False, first.pk)
    assert run.result["promoted"] is False
    assert run.result["served"]["why"]["code"] == "promotion.worse"
    assert (worse.comparison["tests"], worse.comparison["error"], worse.comparison["error_in_service"]) == (
        2, 0.265, 0.25,
    )  # fmt: skip
    within = service.publish(run, [version(3, receipt=folds(0.21, 0.315))])
    assert (within.is_active, within.comparison["sentence"]["code"]) == (True, "promotion.not_worse")


def test_the_tolerance_is_a_setting_and_a_stale_version_holds_nobody_back(run, settings):
    service = Plain()
    service.publish(run, [version(1, receipt=folds(0.20))])
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "PROMOTION_TOLERANCE": 0.5}
    assert service.publish(run, [version(2, receipt=folds(0.29))]).is_active
    later = service.publish(run, [version(3, receipt=folds(0.9), as_of=date(2026, 7, 29))])
    assert (later.is_active, later.comparison["sentence"]["code"]) == (True, "promotion.stale")


def test_without_a_test_in_common_it_says_so_and_the_newer_serves(run):
    service = Plain()
    service.publish(run, [version(1, receipt=folds(0.2))])
    newer = service.publish(run, [version(2, receipt=folds(None, 0.9))])
    assert newer.is_active
    assert newer.comparison["comparable"] is False
    assert newer.comparison["sentence"]["code"] == "promotion.no_common_test"


def test_where_the_file_in_service_is_damaged_any_new_version_serves(run):
    service = Plain()
    first = service.publish(run, [version(1, receipt=folds(0.2))])
    (Path(conf.get("ARTIFACT_ROOT")) / first.artifact / "value.npy").write_bytes(b"")
    assert service.publish(run, [version(2, receipt=folds(0.9))]).is_active


def test_each_list_and_each_replay_is_compared_with_its_own_kind():
    rows = [{"surface": "page", "from": "a", "to": "b", "ndcg_10": 0.6, "cases": 50, "window": "test", "serves": True}]
    lists = SimpleNamespace(receipt={"table": [*rows, rows[0] | {"serves": False}, rows[0] | {"window": "validation"}]})
    assert promotion.of_recommendations(lists) == {"page a…b": (pytest.approx(0.4), 50)}
    stock = {"as_of": date(2026, 6, 30), "parameters": {"rate": 0.25}}
    one = SimpleNamespace(metrics={"replay": {"total_cost": 90.0, "weeks": 8}}, **stock)
    other = SimpleNamespace(metrics={"replay": {"total_cost": 99.0, "weeks": 8}}, **stock)
    assert promotion.of_inventory(one).keys() == promotion.of_inventory(other).keys()
    other.parameters = {"rate": 0.1}
    assert not promotion.of_inventory(one).keys() & promotion.of_inventory(other).keys()
    assert promotion.of_inventory(SimpleNamespace(metrics={"replay": None}, **stock)) == {}


def test_a_version_that_served_lately_is_kept_and_one_that_left_long_ago_is_not(run, settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "KEEP_VERSIONS": 1}
    service = Plain()
    for value in (1, 2, 3):
        service.publish(run, [version(value)])
    assert set(MLModel.objects.values_list("version", flat=True)) == {1, 2, 3}
    MLModel.objects.filter(version=1).update(retired_at=timezone.now() - timedelta(days=8))
    MLModel.objects.filter(version=2).update(retired_at=timezone.now() - timedelta(days=6))
    assert retention.prune("sales_forecast") == [1]
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "KEEP_SERVED_DAYS": 0}
    MLModel.objects.filter(version=2).update(retired_at=timezone.now() - timedelta(minutes=50))
    assert retention.prune("sales_forecast") == []  # a request may still be reading it
    assert len(files()) == 2


def test_old_versions_and_their_files_are_forgotten_but_never_the_one_in_service(run, settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "KEEP_VERSIONS": 2}
    service = Plain()
    serving = service.publish(run, [version(1)])
    for value in (2, 3, 4):
        service.publish(run, [version(value, promote=False)])
    assert set(MLModel.objects.values_list("version", flat=True)) == {1, 4}
    assert service.active().pk == serving.pk
    assert len(files()) == 2


def test_what_a_killed_training_left_behind_is_removed_by_the_next_one(run):
    service = Plain()
    service.publish(run, [version(1)])
    (serving,) = files()
    folder = Path(conf.get("ARTIFACT_ROOT")) / "sales_forecast"
    for name, seconds_ago in (("dead.part", 60), ("saved but never stored", 60), ("another one's.part", -60)):
        (folder / name).mkdir()
        (folder / name / "meta.json").write_text("{}")
        at = time.time() - seconds_ago
        os.utime(folder / name, (at, at))
    MLTrainingLog.objects.filter(pk=run.log_id).update(started_at=timezone.now())
    service.publish(run, [version(2)])
    left = files()
    assert len(left) == 3
    assert {serving, "another one's.part"} < set(left)
