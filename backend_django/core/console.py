"""What commands and scripts print while they work: trainings with progress, and who may sign in."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import translation
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from authentication.models import User
from core.environment import VAR
from ml_predictions import jobs
from ml_predictions.messages import render
from ml_predictions.models import Kind, MLTrainingLog

ADMIN_EMAIL = "admin@boutique.com"
PASSWORD_FILE = VAR / "admin_password"


@translation.override("en")  # as the rest of what commands print
def train_with_progress(kinds: Iterable[str], *, console: Console, requested_by: str) -> dict[str, MLTrainingLog]:
    """Train each service at once, showing how far it is; one that is under way already is waited for."""
    ended: dict[str, MLTrainingLog] = {}
    columns = (TextColumn("{task.description:<26}"), BarColumn(24), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[step]}"), console=console) as bars:
        for kind in kinds:
            bar = bars.add_task(str(Kind(kind).label), total=100, step="")

            def show(row: MLTrainingLog, bar: int = bar) -> None:
                bars.update(bar, completed=row.progress, step=render(row.step))  # type: ignore[arg-type]

            ended[kind] = _train_or_wait(kind, requested_by, show)
            show(ended[kind])
            bars.update(bar, step=_outcome(ended[kind]))
    return ended


def _train_or_wait(kind: str, requested_by: str, show: jobs.OnProgress) -> MLTrainingLog:
    try:
        return jobs.run_here(kind, requested_by=requested_by, on_progress=show)
    except jobs.AlreadyRunning as running:
        return jobs.follow(MLTrainingLog.objects.get(pk=running.training_log_id), on_progress=show)


def _outcome(row: MLTrainingLog) -> str:
    if row.status == MLTrainingLog.Status.COMPLETED:
        return "✓"
    return f"{row.get_status_display()}: {render(row.error)}"


@translation.override("en")
def ensure_admin(*, reset: bool = False) -> tuple[str | None, str]:
    """Make the administrator when there is none; returns the new password (None: unchanged) and a remark.

    The password is generated and kept in an ignored file of mode 0600, unless ADMIN_PASSWORD gives one.
    """
    own = os.environ.get("ADMIN_PASSWORD", "")
    user = User.objects.filter(email=ADMIN_EMAIL).first()
    if user is not None and not reset and (not own or user.check_password(own)):
        return None, ""
    password, remark = own or secrets.token_urlsafe(12), ""
    if own:
        try:
            validate_password(own, user)
        except ValidationError as weak:
            remark = "ADMIN_PASSWORD is weak: " + " ".join(weak.messages)
        PASSWORD_FILE.unlink(missing_ok=True)
    else:
        _keep(password)
    if user is None:
        User.objects.create_superuser(ADMIN_EMAIL, password, first_name="Admin")
    else:
        user.set_password(password)
        user.is_active = user.is_superuser = True
        user.save()
    return password, remark


def _keep(password: str) -> None:
    """Write the password file; it is new or replaced, and nobody else may read it at any moment."""
    PASSWORD_FILE.parent.mkdir(parents=True, exist_ok=True)
    part = PASSWORD_FILE.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
    part.replace(PASSWORD_FILE)
