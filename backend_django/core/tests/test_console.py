"""The administrator's password, and trainings shown on the console."""

from __future__ import annotations

import io
import stat

import pytest
from rich.console import Console

from authentication.models import User
from core import console
from core.console import ADMIN_EMAIL, ensure_admin, train_with_progress
from ml_predictions import jobs
from ml_predictions.messages import message
from ml_predictions.models import MLTrainingLog

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def password_file(tmp_path, monkeypatch):
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    monkeypatch.setattr(console, "PASSWORD_FILE", tmp_path / "var" / "admin_password")
    return tmp_path / "var" / "admin_password"


def test_a_generated_password_is_kept_in_a_private_file_and_works(password_file):
    password, remark = ensure_admin()
    user = User.objects.get(email=ADMIN_EMAIL)
    assert user.check_password(password)
    assert user.is_superuser
    assert user.role == "admin"
    assert password_file.read_text().strip() == password
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert len(password) >= 16
    assert remark == ""


def test_starting_again_changes_nothing_and_a_reset_makes_another():
    first, _ = ensure_admin()
    assert ensure_admin() == (None, "")
    second, _ = ensure_admin(reset=True)
    assert second not in (None, first)
    assert User.objects.get().check_password(second)


def test_ones_own_password_is_taken_and_not_written_down(monkeypatch, password_file):
    ensure_admin()
    monkeypatch.setenv("ADMIN_PASSWORD", "correct horse battery")
    assert ensure_admin() == ("correct horse battery", "")
    assert not password_file.exists()
    assert ensure_admin() == (None, "")


def test_a_weak_password_of_ones_own_is_remarked(monkeypatch):
    monkeypatch.setenv("ADMIN_PASSWORD", "12345678")
    password, remark = ensure_admin()
    assert password == "12345678"
    assert "ADMIN_PASSWORD is weak" in remark


def finished(kind, status, **values):
    return MLTrainingLog.objects.create(kind=kind, status=status, **values)


def test_a_failed_training_is_shown_with_its_reason(monkeypatch):
    error = {"code": "unheard of", "text": "the shop has 3 sales, 10 are needed"}
    monkeypatch.setattr(jobs, "run_here", lambda kind, **_: finished(kind, "failed", error=error))
    out = io.StringIO()
    ended = train_with_progress(
        ["sales_forecast"], console=Console(file=out, width=200, force_terminal=True), requested_by="test"
    )
    assert ended["sales_forecast"].status == "failed"
    assert "3 sales, 10 are needed" in out.getvalue()


def test_a_training_under_way_is_waited_for(monkeypatch):
    under_way = finished("sales_forecast", "running")

    def refuse(kind, **_):
        raise jobs.AlreadyRunning(kind, under_way.pk)

    def wait(row, seconds):
        MLTrainingLog.objects.update(status="cancelled", error=message("training_cancelled", who="ben"))
        row.refresh_from_db()
        return row

    monkeypatch.setattr(jobs, "run_here", refuse)
    monkeypatch.setattr(jobs.rows, "wait", wait)
    ended = train_with_progress(["sales_forecast"], console=Console(file=io.StringIO()), requested_by="test")
    assert ended["sales_forecast"].pk == under_way.pk
    assert ended["sales_forecast"].status == "cancelled"
