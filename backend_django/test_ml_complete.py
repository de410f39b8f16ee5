#!/usr/bin/env python3
"""The whole road once: train the four services on whatever is in the database, predict with each, print tables.

    python test_ml_complete.py            # the shop that is in the database
    python test_ml_complete.py --demo     # an empty database is filled with the demo boutique first

Needs no token and no server. Exit code 0: everything trained and answered; 1: something failed; 2: no data.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent

if TYPE_CHECKING:
    from rich.console import Console

    from ml_predictions.models import MLModel, MLTrainingLog


def use_the_projects_python() -> None:
    """Run again with the project's own Python when this one lacks the libraries, or say what to do."""
    own = HERE.parent / ".venv" / "bin" / "python"
    if own.exists() and Path(sys.prefix).resolve() != own.parent.parent.resolve():
        os.execv(own, [str(own), str(HERE / Path(__file__).name), *sys.argv[1:]])
    sys.exit("The libraries are not installed. Run once, beside the README: make setup")


def start_django() -> None:
    """Make Django ready; the database is brought up to date."""
    try:
        import django
        import rich  # noqa: F401  the tables below
    except ImportError:
        use_the_projects_python()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    sys.path.insert(0, str(HERE))
    django.setup()
    from django.utils import translation

    translation.activate("en")  # the tables are in English, so are the sentences in them
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def have_data(console: Console, *, demo: bool) -> bool:
    """Is there a shop? An empty database is filled with the demo when asked for, or allowed, on a terminal."""
    from generate_ml_data import fill_demo, finish_demo
    from orders.models import Order

    if finish_demo() or Order.objects.exists():
        return True
    if not demo:
        if not sys.stdin.isatty():
            console.print("The database has no orders. Import a shop's, or run this with --demo.")
            return False
        if (
            not console.input("The database has no orders. Write the demo boutique into it? \\[y/N] ")
            .lower()
            .startswith("y")
        ):
            return False
    fill_demo()
    return True


def show_data(console: Console) -> None:
    """What the database holds and what of it counts."""
    from ml_predictions.sources import get_source

    source = get_source()
    until, facts, left_out = source.data_until(), source.fingerprint(), source.left_out().counts
    as_of = f"{until.as_of} ({'live shop' if until.live else 'data ends'})" if until else "no sales yet"
    console.print(
        f"[bold]Data[/] as of {as_of}: {facts['orders']:,} sales orders, {facts['lines']:,} lines, "
        f"{facts['returns']:,} returns, {facts['products']:,} products, {facts['variants']:,} variants, "
        f"currency {facts['currency']}"
    )
    if left_out:
        console.print("Left out: " + ", ".join(f"{n:,} lines ({reason})" for reason, n in left_out.items()))


def figure(value: Any) -> str:
    """A number as people read it: two decimals, none from 1,000 on."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1_000 else f"{value:,.2f}"


def percent(value: float | None) -> str:
    """A share as per cent."""
    return "–" if value is None else f"{100 * value:.1f} %"


def table(console: Console, title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print one table; numbers to the right."""
    from rich.table import Table

    out = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        numbers = any(isinstance(row[i], int | float) or str(row[i]).endswith(" %") for row in rows)
        out.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        out.add_row(*(figure(cell) for cell in row))
    console.print(out)


def show_training(console: Console, ended: dict[str, MLTrainingLog]) -> None:
    """Per service: what was trained, what serves and why, and the test on days it had not seen."""
    from ml_predictions.messages import render
    from ml_predictions.models import MLModel

    tests = {
        "sales_forecast": show_forecast_test,
        "product_recommendation": show_recommendation_test,
        "customer_segmentation": show_segmentation_test,
        "inventory_optimization": show_inventory_test,
    }
    for service, log in ended.items():
        if log.result is None:
            console.print(f"[red]{service} ({log.get_status_display()}): {render(log.error)}[/]")
            continue
        served = log.result["served"]
        console.rule(
            f"[bold]{service}[/]: {log.result['model_type']} trained, {served['model_type']} serves", align="left"
        )
        tests[service](console, MLModel.objects.get(pk=log.result["model_id"]))
        console.print(render(served["why"]) + "\n")


def show_forecast_test(console: Console, model: MLModel) -> None:
    """Every candidate over the rolling origins, the naive baseline among them."""
    receipt = model.receipt
    rows = [
        [c["name"], percent(c["wape"]), c["mase"], c["rmse"], percent(c["bias"]), c["r2"], c["r2_week"]]
        for c in sorted(receipt.get("candidates", []), key=lambda c: c["wape"])
    ]
    origins = receipt.get("candidate_origins", receipt["origins"])
    tested = f"{origins} origins, {receipt['horizon_days']} days ahead"
    title = f"Out of sample: {tested}; the baseline is {receipt['baseline']}"
    table(console, title, ["candidate", "WAPE", "MASE", "RMSE", "bias", "R² days", "R² weeks"], rows)
    console.print(
        f"Intervals: the 80 % one held {percent(receipt['coverage_80'])} of {receipt['coverage_days']} later days, "
        f"the 95 % one {percent(receipt['coverage_95'])}."
    )


def show_recommendation_test(console: Console, model: MLModel) -> None:
    """Hits among ten on later baskets, beside popularity, for each place where products are offered."""
    rows = []
    for place, surface in model.receipt.get("surfaces", {}).items():
        if ours := surface.get("measured"):
            base = surface["baseline"]
            hits = [percent(ours["hit_rate_10"]), percent(base["hit_rate_10"])]
            rows.append([place, surface["method"], *hits, ours["ndcg_10"], base["ndcg_10"], ours["cases"]])
    columns = ["place", "serves", "hit rate @10", "popularity", "NDCG @10", "popularity", "cases"]
    table(console, "Out of sample: later baskets", columns, rows)


def show_segmentation_test(console: Console, model: MLModel) -> None:
    """The lifetime value's hold-out beside the naive predictions, and how separate the groups are."""
    metrics, holdout = model.metrics, model.metrics["clv"].get("holdout") or {}
    rows = [
        [name, m["revenue"]["mae"], m["revenue"]["rmse"], percent(m["revenue"]["bias"]), percent(m["top_decile_share"])]
        for name, m in holdout.get("methods", {}).items()
    ]
    if rows:
        title = f"Out of sample: revenue per customer in {holdout['days']} held-out days"
        table(console, title, ["method", "MAE", "RMSE", "bias", "revenue of its top 10 %"], rows)
    console.print(
        f"Silhouette {figure(metrics['silhouette_score'])} over {metrics['n_customers']:,} customers; "
        f"orders of guests, counted apart: {metrics['guests']['orders']:,}."
    )


def show_inventory_test(console: Console, model: MLModel) -> None:
    """The policy replayed on the shop's own last weeks, beside the best rule of thumb."""
    replay = model.metrics["replay"]
    if replay is None:  # too short a history; the sentence below says so
        return
    base = replay.get("baseline") or {}
    labels = {
        "fill_rate": "demand served from stock",
        "average_inventory": "average stock at cost",
        "holding_cost": "holding cost",
        "lost_margin": "margin lost",
        "ordering_cost": "ordering cost",
        "total_cost": "total cost",
    }
    rows = [[label, replay.get(key), base.get(key)] for key, label in labels.items()]
    rows[0][1:] = [percent(share) for share in rows[0][1:]]
    title = f"Out of sample: {replay.get('weeks') or 0} weeks replayed, each decision with what was known that day"
    table(
        console, title, ["", "our policy", f"{base.get('name', 'baseline')}, {base.get('cover_days', '–')} days"], rows
    )


def show_forecast(console: Console) -> None:
    """The next two weeks by day, and the next 30 days as a sum with its own interval."""
    from ml_predictions.services.sales_forecast import SalesForecastService

    answer = SalesForecastService().predict(days_ahead=30)
    rows = [
        [p["date"], p["predicted_sales"], p["confidence_lower"], p["confidence_upper"], p["predicted_quantity"]]
        for p in answer["predictions"][:14]
    ]
    table(console, "Sales forecast, 95 % interval", ["day", "sales", "lower", "upper", "units"], rows)
    s = answer["summary"]
    console.print(
        f"Next 30 days: {s['total_predicted_sales']:,.0f} ({s['total_lower']:,.0f} to {s['total_upper']:,.0f}), "
        f"{s['total_predicted_quantity']:,.0f} units\n"
    )


def show_recommendations(console: Console) -> None:
    """What to offer with the best-selling product."""
    from django.db.models import Sum

    from ml_predictions.messages import render
    from ml_predictions.services.product_recommendation import ProductRecommendationService
    from orders.models import OrderItem

    best = OrderItem.objects.values("variant__product_id", "variant__product__name").annotate(n=Sum("units"))
    product = best.order_by("-n").first()
    if product is None:
        return
    answer = ProductRecommendationService().for_product(str(product["variant__product_id"]), top_n=8)
    rows = [
        [r["rank"], r["product_name"], r["similarity_score"], r["price"], render(r["reason"])]
        for r in answer["recommendations"]
    ]
    title = f"To offer with “{product['variant__product__name']}”"
    table(console, title, ["", "product", "score", "price", "why"], rows)


def show_segments(console: Console) -> None:
    """The segments, and one customer of the best."""
    from django.db.models import Avg, Count, Sum

    from ml_predictions.messages import render
    from ml_predictions.models import CustomerSegment

    rows = CustomerSegment.objects.filter(model__is_active=True)
    groups = (
        rows.values("segment")
        .annotate(n=Count("id"), spent=Sum("total_spent"), days=Avg("recency_days"), value=Sum("value_12"))
        .order_by("-spent")
    )
    named = dict(CustomerSegment.Segment.choices)
    table(
        console,
        "Customers",
        ["segment", "customers", "spent", "mean days since last order", "expected in 12 months"],
        [[str(named[g["segment"]]), g["n"], g["spent"], round(g["days"]), g["value"]] for g in groups],
    )
    if someone := rows.order_by("-total_spent").first():
        sentences = " ".join(render(m) for m in [*someone.explanation, *someone.advice])
        console.print(f"Customer {someone.customer_id}: {someone.get_segment_display()}. {sentences}\n")


def show_inventory(console: Console) -> None:
    """What to reorder first, and how healthy the stock is."""
    from ml_predictions.messages import render
    from ml_predictions.services.inventory_optimization import InventoryOptimizationService

    service = InventoryOptimizationService()
    answer = service.reorder()
    rows = []
    for r in answer["recommendations"][:10]:
        units = [round(r[k]) for k in ("current_stock", "reorder_point", "recommended_order_quantity")]
        sold_out = str(r["stockout_date_without_order"] or "–")
        rows.append([r["sku"], r["product_name"], *units, r["estimated_cost"], sold_out, render(r["reason"])])
    columns = ["SKU", "product", "stock", "reorder at", "order", "cost", "sold out on", "why"]
    table(console, f"To reorder: {answer['total_recommendations']:,} in all", columns, rows)
    if note := answer.get("note"):
        console.print(render(note))
    health = service.health()
    parts = ", ".join(f"{name} {figure(value)}" for name, value in health["components"].items())
    console.print(f"Inventory health {figure(health['health_score'])} of 100 ({health['status']}): {parts}\n")


def main() -> int:
    """Run the road; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", action="store_true", help="fill an empty database with the demo boutique")
    parser.add_argument("--trace", action="store_true", help="show where an error came from")
    options = parser.parse_args()
    start_django()
    from rich.console import Console

    from core.console import train_with_progress
    from ml_predictions.models import SERVICES, MLTrainingLog

    console = Console(highlight=False)
    if not have_data(console, demo=options.demo):
        return 2
    show_data(console)
    ended = train_with_progress(SERVICES, console=console, requested_by="test_ml_complete.py")
    show_training(console, ended)
    failed = [service for service, log in ended.items() if log.status != MLTrainingLog.Status.COMPLETED]
    shows = dict(zip(SERVICES, (show_forecast, show_recommendations, show_segments, show_inventory), strict=True))
    for service, show in shows.items():
        try:
            show(console)
        except Exception as error:  # noqa: BLE001  every table gets its chance; the exit code tells
            console.print_exception() if options.trace else None
            console.print(f"[red]{service}: {type(error).__name__}: {error}[/]")
            failed.append(service)
    verdict = (
        f"[red]Failed: {', '.join(dict.fromkeys(failed))}[/]" if failed else "[green]All four trained and answered.[/]"
    )
    console.print(verdict)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
