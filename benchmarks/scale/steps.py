"""One step of the scale benchmark, in a process of its own whose CPU time and memory `run.py` reads afterwards.

    python benchmarks/scale/steps.py STEP       # over the shop of DATABASE_URL and TRASTIENDA_DATA

A step may print one line of JSON: figures that are kept beside its cost.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

BACKEND = Path(__file__).resolve().parents[2] / "backend_django"
SERVICES = ("sales_forecast", "product_recommendation", "customer_segmentation", "inventory_optimization")
REPEATS = 5
DAYS = 8


def start() -> dict[str, Any]:
    """Nothing: what a process costs that has loaded everything."""
    import lightgbm
    import polars
    import scipy.special
    import sklearn.ensemble

    return {"loaded": [module.__name__ for module in (lightgbm, polars, scipy.special, sklearn.ensemble)]}


def light() -> dict[str, Any]:
    """Nothing: what a process costs that has loaded the shop's models and Polars."""
    import polars

    import ingest.load

    return {"loaded": [module.__name__ for module in (polars, ingest.load)]}


def branch() -> dict[str, Any]:
    """Branches beside the shop, as many in all as the variable BRANCHES says."""
    from benchmarks.scale import branches

    return branches.branch(int(os.environ["BRANCHES"]))


def extract() -> dict[str, Any]:
    """Every read that a training makes."""
    from ml_predictions.sources import get_source

    source = get_source()
    found = {
        "lines": len(source.order_lines()), "products": len(source.products()), "variants": len(source.stock()),
        "customers": len(source.customers()),
    }  # fmt: skip
    history = source.stock_history()
    return {**found, "movements": 0 if history is None else len(history)}


def train(service: str) -> dict[str, Any]:
    """One training, from the database to the version in service."""
    _run(service)
    return {}


def train_all() -> dict[str, Any]:
    """The four trainings as one run; every one of them must have been done."""
    failed = _run("all").get("errors")
    if failed:
        raise RuntimeError(f"all four: {failed}")
    return {}


def more_days() -> dict[str, Any]:
    """The last day's orders once more on each of the days after it: forecasts and alerts are due to be scored then."""
    from django.db.models import Max

    from orders.models import Order, OrderItem

    last = Order.objects.aggregate(last=Max("placed_at"))["last"]
    keys = list(Order.objects.filter(placed_at__gt=last - timedelta(days=1)).values_list("pk", flat=True))
    lines = 0
    for day in range(1, DAYS + 1):
        orders, items = list(Order.objects.filter(pk__in=keys)), list(OrderItem.objects.filter(order__in=keys))
        again: dict[int, Order] = {}
        for order in orders:
            again[order.pk] = order
            order.pk, order.order_number = None, f"{order.order_number}-{day}"
            order.placed_at += timedelta(days=day)
        Order.objects.bulk_create(orders, batch_size=500)
        for item in items:
            item.pk, item.order = None, again[item.order_id]
        OrderItem.objects.bulk_create(items, batch_size=500)
        lines += len(items)
    return {"lines": lines}


def refresh() -> dict[str, Any]:
    """The nightly refresh."""
    return dict(_run("refresh")["steps"])


def calls() -> dict[str, Any]:
    """Milliseconds of CPU of the services' main answers, the mean of five after the first."""
    from ml_predictions.services import get_service
    from ml_predictions.sources import get_source

    sales: Any = get_service("sales_forecast")
    offers: Any = get_service("product_recommendation")
    people: Any = get_service("customer_segmentation")
    stock: Any = get_service("inventory_optimization")
    product = offers.trending(top_n=1)["recommendations"][0]["product_id"]
    customer = (
        people.rows.objects.filter(model=people.active()).order_by("-total_spent").values_list("customer_id").first()
    )
    variant = str(get_source().stock(product_ids=[product])["variant_id"][0])
    asked: dict[str, Callable[[], object]] = {
        "predict 30 days": lambda: sales.predict(days_ahead=30),
        "predict a product": lambda: sales.predict(level="product", object_id=product),
        "for a product": lambda: offers.for_product(product),
        "for a customer": lambda: offers.for_customer(customer[0]),
        "segment of a customer": lambda: people.segment(customer[0]),
        "explain a variant": lambda: stock.explain(variant),
        "what to reorder": stock.reorder,
    }
    return {name: _milliseconds(call) for name, call in asked.items()}


def _milliseconds(call: Callable[[], object]) -> float:
    call()
    before = time.process_time()
    for _ in range(REPEATS):
        call()
    return round(1000 * (time.process_time() - before) / REPEATS, 1)


def _run(kind: str) -> dict[str, Any]:
    """Ask for a run and do it here, as the worker's child does; what a night has asked for beside it is not done."""
    from ml_predictions.jobs import claim, execute, submit
    from ml_predictions.models import MLTrainingLog

    MLTrainingLog.objects.filter(status=MLTrainingLog.Status.QUEUED).delete()
    submit(kind, {})
    log = claim("benchmark")
    if log is None or log.kind != kind:
        raise RuntimeError(f"{kind} was asked for and cannot be taken")
    status = execute(log.pk, log.owner)
    row = MLTrainingLog.objects.get(pk=log.pk)
    if status != "completed":
        raise RuntimeError(f"{kind}: {status}: {row.error}")
    return dict(row.result or {})


STEPS: dict[str, Callable[[], dict[str, Any]]] = {
    "start": start, "light": light, "branch": branch, "extract": extract, "all": train_all, "more days": more_days,
    "refresh": refresh, "calls": calls,
}  # fmt: skip


def main() -> None:
    """Do the step that the command line names."""
    sys.path[:0] = [str(BACKEND), str(BACKEND.parent)]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    import django

    django.setup()
    name = sys.argv[1]
    print(json.dumps(train(name) if name in SERVICES else STEPS[name](), default=str))


if __name__ == "__main__":
    main()
