"""`/metrics/` in the text format of Prometheus: how the machine does, no figures of the shop's trade.

Off until METRICS_TOKEN is set; then whoever sends it as a bearer token may read.
"""

from __future__ import annotations

from collections.abc import Iterator
from hmac import compare_digest

from django.conf import settings
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ml_predictions.models import MLModel, MLTrainingLog
from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.selectors import worker_alive

Labels = dict[str, str]


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures; 404 while it is off, 401 without the token."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        return HttpResponse(
            "The token is missing or wrong.\n", "text/plain", 401, headers={"WWW-Authenticate": "Bearer"}
        )
    lines = [line for family in _families() for line in family]
    return HttpResponse("\n".join(lines) + "\n", "text/plain; version=0.0.4; charset=utf-8")


def _families() -> Iterator[list[str]]:
    """Four queries, whatever the size of the shop."""
    yield _family("worker_up", "1 when a worker has given a sign of life within a lease", [({}, int(worker_alive()))])
    counted = dict(MLTrainingLog.objects.order_by().values_list("status").annotate(n=Count("id")))
    rows = [({"status": str(status)}, counted.get(status, 0)) for status in MLTrainingLog.Status.values]
    yield _family("training_logs", "trainings and other jobs by status", rows)
    now = timezone.now()
    models = MLModel.objects.filter(is_active=True).order_by("service")
    ages = [({"service": m.service}, round((now - m.trained_at).total_seconds())) for m in models]
    yield _family("model_age_seconds", "age of the version in service", ages)
    alerts = InventoryAlert.objects.filter(status=InventoryAlert.Status.ACTIVE).order_by()
    by_type = dict(alerts.values_list("alert_type").annotate(n=Count("id")))
    found = [({"type": str(kind)}, by_type.get(kind, 0)) for kind in InventoryAlert.Type.values]
    yield _family("inventory_alerts", "active alerts by type", found)


def _family(name: str, meaning: str, rows: list[tuple[Labels, int]]) -> list[str]:
    """A gauge: its meaning, its type, and a line for each combination of labels."""
    name = f"trastienda_{name}"
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    for labels, value in rows:
        told = ",".join(f'{key}="{text}"' for key, text in labels.items())
        lines.append(f"{name}{{{told}}} {value}" if told else f"{name} {value}")
    return lines
