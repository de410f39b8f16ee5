"""Whoever watches over the server asks here."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ml_predictions.models import MLWorker

pytestmark = pytest.mark.django_db


def test_live():
    assert Client().get("/health/live/").json() == {"status": "live"}


def test_ready_with_and_without_a_worker():
    answer = Client().get("/health/ready/")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "worker": "none"},
    }
    MLWorker.objects.create(name="w", host="h", pid=1, seen_at=timezone.now())
    assert Client().get("/health/ready/").json()["checks"]["worker"] == "ok"


def test_not_ready_while_a_migration_is_missing():
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="ml_predictions").order_by("-id").first().delete()
    answer = Client().get("/health/ready/")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"].startswith("1 not applied")


def test_not_ready_without_a_database(monkeypatch: pytest.MonkeyPatch):
    from django.db import OperationalError

    from core import health

    class Broken:
        def cursor(self) -> Any:
            raise OperationalError("gone")

    monkeypatch.setattr(health, "connections", {"default": Broken()})
    answer = Client().get("/health/ready/")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": "failed"})


def test_the_root_is_the_dashboard_which_asks_who_you_are():
    answer = Client().get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=/")


def test_starting_up_brings_no_numerical_library():
    import subprocess

    code = (
        "import django, sys; django.setup(); import core.urls; "
        "print([m for m in ('numpy', 'polars', 'scipy', 'sklearn') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=_folder(), env=_env())
    assert done.stdout.strip() == "[]", done.stderr


def _folder() -> str:
    from django.conf import settings

    return str(settings.BASE_DIR)


def _env() -> dict[str, str]:
    import os

    return {**os.environ, "DJANGO_SETTINGS_MODULE": "core.settings"}
