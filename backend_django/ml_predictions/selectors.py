"""What the API, the admin and the console read of stored results. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from ml_predictions import conf, selectors_sums
from ml_predictions.messages import message
from ml_predictions.models import (
    SERVICES,
    CustomerSegment,
    Kind,
    MLModel,
    MLTrainingLog,
    MLWorker,
    Prediction,
    SalesForecast,
)
from ml_predictions.models_inventory import InventoryAlert
from retail_ml.errors import FEWEST_SALES

CRITICAL_URGENCY = 5
"""An alert of this urgency is critical: it wants a decision today."""
HEALTH_WEIGHTS = {"sales": 30, "inventory": 30, "customers": 20, "data_and_models": 20}
"""Parts of the business health, in per cent. A part that is unknown is left out, the others weigh more."""
MOST_READS = 3
"""Times the dashboard is read when trainings publish while it is being read."""
TREND_MARGIN = 0.03
"""A change smaller than this share counts as stable."""


def trainings() -> QuerySet[MLTrainingLog]:
    """Trainings of the services, newest first; other kinds of run are left out."""
    return MLTrainingLog.objects.filter(kind__in=Kind.values).order_by("-id")


def active_models() -> dict[str, MLModel]:
    """The version in service of each service that has one."""
    return {model.service: model for model in MLModel.objects.filter(is_active=True)}


def worker_alive() -> bool:
    """Has any worker given a sign of life within a lease?"""
    return MLWorker.objects.alive()


def queue_positions() -> dict[int, int]:
    """Run → its place among those that wait, 1 for the next: one query."""
    waiting = MLTrainingLog.objects.filter(status=MLTrainingLog.Status.QUEUED).order_by("id")
    return {log: place for place, log in enumerate(waiting.values_list("pk", flat=True), start=1)}


def under_way() -> list[MLTrainingLog]:
    """What runs or waits, the running ones first: a handful."""
    status = MLTrainingLog.Status
    rows = MLTrainingLog.objects.filter(status__in=[status.RUNNING, status.QUEUED]).order_by("-status", "id")
    return list(rows[:5])


def alert_summary() -> dict[str, Any]:
    """Active alerts that are not snoozed, counted by type and urgency, and the money at stake."""
    today = conf.shop_today()
    active = InventoryAlert.objects.awake(today)
    rows = list(
        active.order_by()
        .values("alert_type", "urgency_level")
        .annotate(n=Count("id"), money=_money(), seen=Count("acknowledged_at"))
    )
    by_type = dict.fromkeys(InventoryAlert.Type.values, 0)
    by_urgency = {str(level): 0 for level in range(1, 6)}
    for row in rows:
        by_type[row["alert_type"]] += row["n"]
        by_urgency[str(row["urgency_level"])] += row["n"]
    return {
        "total_active": sum(by_type.values()),
        "critical": sum(row["n"] for row in rows if row["urgency_level"] >= CRITICAL_URGENCY),
        "by_type": by_type,
        "by_urgency": by_urgency,
        "money_at_stake": round(sum(row["money"] for row in rows), 2),
        "acknowledged": sum(row["seen"] for row in rows),
        "snoozed": InventoryAlert.objects.active().filter(snoozed_until__gt=today).count(),
    }


def _money() -> Coalesce:
    return Coalesce(Sum("money_at_stake"), 0.0)


def product_names(ids: Sequence[str]) -> dict[str, str]:
    """Id → name of those products that the shop knows: one read."""
    if not ids:
        return {}
    from ml_predictions.sources import get_source

    table = get_source().products(ids=ids)
    return dict(table.select("product_id", "name").iter_rows())


def guessed_place() -> dict[str, str]:
    """`country` and `region` as the forecast in service has guessed them from the days on which the shop was closed."""
    serving = MLModel.objects.filter(service="sales_forecast", is_active=True)
    calendar = serving.values_list("receipt__calendar", flat=True).first() or {}
    return {name: calendar[name] for name in ("country", "region") if calendar.get(f"{name}_source") == "guessed"}


def name_of_customer(customer_id: str) -> str | None:
    """What to call a customer who can be erased, on the page that asks; None for anybody else."""
    from ml_predictions.sources import get_source
    from ml_predictions.sources.base import Erasing

    source = get_source()
    person = source.person(customer_id) if isinstance(source, Erasing) else None
    if person is None or not person.erasable:
        return None
    return ", ".join([*person.names[:1], *person.emails, *person.numbers]) or customer_id


def variant_names(ids: Sequence[str]) -> dict[str, str]:
    """Id → product's name and options (the SKU where there are none) of those variants that the shop knows."""
    if not ids:
        return {}
    from ml_predictions.sources import get_source

    table = get_source().stock(variant_ids=ids)
    names = product_names(table["product_id"].unique().to_list())
    rows = table.select("variant_id", "product_id", "options", "sku").iter_rows()
    return {one: f"{names.get(product, product)}, {options or sku}" for one, product, options, sku in rows}


# --- the dashboard's one screen -------------------------------------------------------------------


def dashboard() -> dict[str, Any]:
    """The figures of `dashboard-summary/`. What is not known is null, and `notes` (messages) says why.

    Read again when a version was put into service meanwhile: its predecessor's rows are gone, and figures of two
    versions never stand side by side.
    """
    for _attempt in range(MOST_READS):
        models = active_models()
        found = _dashboard(models)
        now = set(MLModel.objects.filter(is_active=True).values_list("pk", flat=True))
        if now == {model.pk for model in models.values()}:
            break
    return found


def figures(models: dict[str, MLModel]) -> dict[str, Any]:
    """What the versions in service say of the shop: `sales_forecast`, `customers`, `health_score`, `business_health`.

    And `notes` on what is missing. Three queries at most.
    """
    notes: list[dict[str, Any]] = [
        message("edge.part_not_trained", service=service) for service in SERVICES if service not in models
    ]
    forecast = models.get("sales_forecast")
    notes += drift_warnings(forecast)
    sales = _sales(forecast, notes)
    customers = _customers(models.get("customer_segmentation"))
    health = _health_score(models.get("inventory_optimization"))
    parts = {
        "sales": _sales_score(sales),
        "inventory": health,
        "customers": customers.pop("score"),
        "data_and_models": _models_score(models),
    }
    return {
        "sales_forecast": sales,
        "customers": customers,
        "health_score": health,
        "business_health": business_health(parts),
        "notes": notes,
    }


def _dashboard(models: dict[str, MLModel]) -> dict[str, Any]:
    found = figures(models)
    alerts = alert_summary()
    week_ago = timezone.now() - timedelta(days=7)
    predictions = Prediction.objects.aggregate(total=Count("id"), week=Count("id", filter=Q(created_at__gte=week_ago)))
    recommendations = models.get("product_recommendation")
    metrics = recommendations.metrics if recommendations else {}
    return {
        "summary": {
            "total_active_models": len(models),
            "total_predictions": predictions["total"],
            "predictions_last_7days": predictions["week"],
            "active_inventory_alerts": alerts["total_active"],
            "critical_inventory_alerts": alerts["critical"],
        },
        "sales_forecast": found["sales_forecast"],
        "inventory": {
            "total_alerts": alerts["total_active"],
            "critical_alerts": alerts["critical"],
            "health_score": found["health_score"],
        },
        "customers": found["customers"],
        "recommendations": {name: metrics.get(name) for name in ("total_products", "avg_similarity")},
        "business_health": found["business_health"],
        "recent_models": list(MLModel.objects.order_by("-id")[:5]),
        "recent_trainings": list(trainings()[:10]),
        "notes": found["notes"],
    }


def drift_warnings(model: MLModel | None) -> list[dict[str, Any]]:
    """Why the version no longer fits the shop, as messages; none where it does or nobody has looked."""
    found: list[dict[str, Any]] = (model.drift or {}).get("warnings", []) if model else []
    return found


def business_health(parts: dict[str, float | None]) -> dict[str, Any]:
    """The weighted mean (HEALTH_WEIGHTS) of the parts that are known, 0…100; null when none is."""
    known = {name: value for name, value in parts.items() if value is not None}
    weight = sum(HEALTH_WEIGHTS[name] for name in known)
    score = round(sum(HEALTH_WEIGHTS[name] * value for name, value in known.items()) / weight, 1) if weight else None
    return {
        "score": score,
        "components": parts,
        "weights": HEALTH_WEIGHTS,
        "left_out": [name for name in parts if name not in known],
    }


def _sales(model: MLModel | None, notes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the next 7 and 30 days after the model's day will bring, beside the last 30 days that were."""
    found: dict[str, Any] = {
        "next_7_days": None,
        "next_30_days": None,
        "trend": None,
        "change": None,
        "change_on_year": None,
    }
    if model is None:
        return found
    week, month = (model.as_of + timedelta(days=days) for days in (7, 30))
    total = SalesForecast.objects.filter(model=model, level="total", start__gt=model.as_of, start__lte=month)
    sums = total.aggregate(week=Sum("sales", filter=Q(start__lte=week)), month=Sum("sales"))
    found["next_7_days"] = _rounded(sums["week"])
    found["next_30_days"] = _rounded(sums["month"])
    found["as_of"] = model.as_of
    year_ago = model.metrics.get("sales_next_30_days_last_year")
    if year_ago and year_ago > 0 and sums["month"] is not None:
        found["change_on_year"] = round(sums["month"] / year_ago - 1, 4)
    past = model.metrics.get("sales_last_30_days")
    if past is None or sums["month"] is None or past <= 0:
        notes.append(message("edge.no_trend"))
        return found
    change = sums["month"] / past - 1
    found["change"] = round(change, 4)
    found["trend"] = "stable" if abs(change) < TREND_MARGIN else "up" if change > 0 else "down"
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _sales_score(sales: dict[str, Any]) -> float | None:
    """100 when the next 30 days are expected to hold or beat the same days a year ago, in proportion below.

    Against the last 30 days only where a year ago is not known: a quiet January is no illness.
    """
    change = sales["change_on_year"] if sales["change_on_year"] is not None else sales["change"]
    return None if change is None else round(100 * min(1.0, max(0.0, 1 + change)), 1)


def _customers(model: MLModel | None) -> dict[str, Any]:
    """Segments counted; `score`: the share of past spending by customers who are neither at risk nor gone."""
    if model is None:
        return dict.fromkeys(("total_segments", "vip_customers", "at_risk_customers", "score"))
    found = selectors_sums.of_segments(model)
    segment, nobody = CustomerSegment.Segment, {"customers": 0, "earned": 0.0}
    vip, at_risk, gone = (found.get(name, nobody) for name in (segment.VIP, segment.AT_RISK, segment.INACTIVE))
    spent = sum(row["earned"] for row in found.values())
    return {
        "total_segments": len(found),
        "vip_customers": vip["customers"],
        "at_risk_customers": at_risk["customers"],
        "score": round(100 * (1 - (at_risk["earned"] + gone["earned"]) / spent), 1) if spent else None,
    }


def _health_score(model: MLModel | None) -> float | None:
    """The inventory's health as of its last training or refresh."""
    score = model.metrics.get("health_score") if model else None
    return None if score is None else round(float(score), 1)


def _models_score(models: dict[str, MLModel]) -> float:
    """25 for each service with a version that holds its baseline, half of it for one that loses to it."""
    return sum(12.5 if model.beats_baseline is False else 25.0 for model in models.values())


# --- what the services need -----------------------------------------------------------------------


@dataclass(frozen=True)
class Requirement:
    """How much of `measure` a service needs, and what there is."""

    service: str
    measure: str
    minimum: int
    recommended: int
    have: int
    orders: int
    fewest_orders: int
    """Orders below which it does not train at all."""
    reliable: int
    """Orders below which it is not to be relied on, however much of `measure` there is."""

    @property
    def verdict(self) -> str:
        """`recommended`, `sufficient`, `low_confidence` (it trains, and says so) or `insufficient`."""
        if self.orders < self.fewest_orders or self.have <= 0:
            return "insufficient"
        if self.orders < self.reliable or self.have < self.minimum:
            return "low_confidence"
        return "recommended" if self.have >= self.recommended else "sufficient"

    @property
    def met(self) -> bool:
        """Is the minimum reached?"""
        return self.verdict in ("recommended", "sufficient")

    def as_dict(self) -> dict[str, Any]:
        """The requirement with its verdict and a message."""
        figures = {"have": self.have, "minimum": self.minimum, "recommended": self.recommended}
        orders = {"orders": self.orders, "fewest": self.fewest_orders, "reliable": self.reliable}
        return {
            "service": self.service,
            "measure": self.measure,
            **figures,
            "verdict": self.verdict,
            "can_train": self.verdict != "insufficient",
            "message": message(self._code, **orders, **figures),
        }

    @property
    def _code(self) -> str:
        if self.verdict == "low_confidence" and self.orders < self.reliable:
            return "edge.data_few_orders"
        if self.verdict == "insufficient" and not self.fewest_orders:
            return "edge.nothing_there"
        return f"edge.data_{self.verdict}"


def requirements() -> list[Requirement]:
    """Minimum, recommended and found, per service, from the shop's own data."""
    from ml_predictions.sources import get_source

    found = get_source().fingerprint()
    orders = int(found.get("orders") or 0)
    wanted: Iterable[tuple[str, str, int, int, int, int]] = (
        ("sales_forecast", "orders", 30, 200, FEWEST_SALES, FEWEST_SALES),
        ("product_recommendation", "products", 20, 50, 0, FEWEST_SALES),
        ("customer_segmentation", "customers", 10, 50, FEWEST_SALES, FEWEST_SALES),
        ("inventory_optimization", "variants", 1, 1, 0, 0),
    )
    return [
        Requirement(service, measure, minimum, recommended, int(found.get(measure) or 0), orders, fewest, reliable)
        for service, measure, minimum, recommended, fewest, reliable in wanted
    ]


def data_until() -> date | None:
    """The last whole business day of the shop's data; None for a shop that never sold anything."""
    from ml_predictions.sources import get_source

    until = get_source().data_until()
    return until.as_of if until else None
