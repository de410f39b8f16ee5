"""`/health/live/` and `/health/ready/`: for whoever watches over the server. They say nothing of the shop."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = logging.getLogger("core.health")


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """The database answers and has every migration: 200, else 503. The worker is told, and stops nothing."""
    checks: dict[str, Any] = {"database": database()}
    if checks["database"] == "ok":
        checks["migrations"] = migrations()
        # Without a worker the server still answers from what is stored; trainings wait.
        checks["worker"] = worker() if checks["migrations"] == "ok" else "unknown"
    fine = all(checks.get(name) == "ok" for name in ("database", "migrations"))
    return JsonResponse({"status": "ready" if fine else "not ready", "checks": checks}, status=200 if fine else 503)


def database() -> str:
    """`ok`, or `failed` with the reason in the log."""
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        log.exception("The database does not answer")
        return "failed"
    return "ok"


def migrations() -> str:
    """`ok`, or how many migrations have not been applied."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} not applied: run migrate" if missing else "ok"


def worker() -> str:
    """`ok` when a worker has given a sign of life within a lease, else `none`."""
    from ml_predictions.selectors import worker_alive

    return "ok" if worker_alive() else "none"
