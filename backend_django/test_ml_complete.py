#!/usr/bin/env python3
"""The whole road once: train the four services on whatever is in the database, predict with each, print tables.

    python test_ml_complete.py            # the shop that is in the database
    python test_ml_complete.py --demo     # an empty database is filled with the demo boutique first

Needs no token and no server. Exit code 0: everything trained and answered; 1: something failed; 2: no data.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent

if TYPE_CHECKING:
    from rich.console import Console

    from ml_predictions.models import MLTrainingLog


def use_the_projects_python() -> None:
    """Run again with the project's own Python when this one lacks the libraries, or say what to do."""
    own = HERE.parent / ".venv" / "bin" / "python"
    if own.exists() and Path(sys.prefix).resolve() != own.parent.parent.resolve():
        os.execv(own, [str(own), str(HERE / Path(__file__).name), *sys.argv[1:]])  # noqa: S606  our own interpreter
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
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def have_data(console: Console) -> bool:
    """Is there a shop? An empty database is filled with the demo when asked for, or allowed, on a terminal."""
    from orders.models import Order

    if Order.objects.exists():
        return True
    if "--demo" not in sys.argv:
        if not sys.stdin.isatty():
            console.print("The database has no orders. Import a shop's, or run this with --demo.")
            return False
        if (
            not console.input("The database has no orders. Write the demo boutique into it? \\[y/N] ")
            .lower()
            .startswith("y")
        ):
            return False
    from generate_ml_data import fill_demo

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
    """A number as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"


def table(console: Console, title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print one table; numbers to the right."""
    from rich.table import Table

    out = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        numbers = any(isinstance(row[i], int | float) for row in rows)
        out.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        out.add_row(*(figure(cell) for cell in row))
    console.print(out)


def show_training(console: Console, ended: dict[str, MLTrainingLog]) -> None:
    """Per service: what was trained, what serves, and its out-of-sample figures beside the baseline's."""
    from ml_predictions.messages import render

    for service, log in ended.items():
        if log.result is None:
            console.print(f"[red]{service} ({log.get_status_display()}): {render(log.error)}[/]")
            continue
        result = log.result
        metrics = result["metrics"]
        base = metrics.get("baseline") or metrics.get("clv", {}).get("holdout", {}).get("baseline") or {}
        base = base or metrics.get("replay", {}).get("baseline") or {}
        flat = {**metrics, **(metrics.get("clv", {}).get("holdout") or {}), **(metrics.get("replay") or {})}
        rows = [
            [name, value, base.get(name)]
            for name, value in flat.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        title = f"{service}: {result['model_type']} trained, {result['served']['model_type']} serves"
        table(console, title, ["out of sample", "model", f"baseline {base.get('name', '')}"], rows)
        console.print(render(result["served"]["why"]) + "\n")


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
        [[str(named[g["segment"]]), g["n"], g["spent"], round(g["days"], 1), g["value"]] for g in groups],
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
    rows = [
        [r["sku"], r["product_name"], r["current_stock"], r["reorder_point"], r["recommended_order_quantity"],
         r["estimated_cost"], str(r["stockout_date_without_order"] or "–"), render(r["reason"])]
        for r in answer["recommendations"][:10]
    ]  # fmt: skip
    columns = ["SKU", "product", "stock", "reorder at", "order", "cost", "sold out on", "why"]
    table(console, f"To reorder: {answer['total_recommendations']:,} in all", columns, rows)
    health = service.health()
    parts = ", ".join(f"{name} {figure(value)}" for name, value in health["components"].items())
    console.print(f"Inventory health {figure(health['health_score'])} of 100 ({health['status']}): {parts}\n")


def main() -> int:
    """Run the road; returns the exit code."""
    start_django()
    from rich.console import Console

    from core.console import train_with_progress
    from ml_predictions.models import SERVICES, MLTrainingLog

    console = Console()
    if not have_data(console):
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
            console.print_exception() if "--trace" in sys.argv else None
            console.print(f"[red]{service}: {type(error).__name__}: {error}[/]")
            failed.append(service)
    verdict = (
        f"[red]Failed: {', '.join(dict.fromkeys(failed))}[/]" if failed else "[green]All four trained and answered.[/]"
    )
    console.print(verdict)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
