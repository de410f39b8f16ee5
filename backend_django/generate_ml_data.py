#!/usr/bin/env python3
"""A believable boutique, written into the shop's tables: two years of orders, customers, stock and suppliers.

    python generate_ml_data.py                          # about 7,500 orders up to yesterday
    python generate_ml_data.py --orders 500 --seed 3    # a small shop, another one
    python generate_ml_data.py --lines 1000000          # a large one
    python generate_ml_data.py --end 2026-06-30         # its last day
    python generate_ml_data.py --append 30              # the next 30 days of the shop that is there
    python generate_ml_data.py --csv orders.csv         # the shop's sales as a file to try an import with

The same options give the same shop. Exit code 0: written; 2: it would not be right to write, the sentence says why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from rich.table import Table

    from retail_ml.synthetic import Shop

HERE = Path(__file__).resolve().parent
SEED = 7
DAYS = 730
SOURCE = "demo"  # ingest.hints looks for it
"""The source under which the demo's customers are known."""
LOOK_BACK = timedelta(days=45)
"""So far before the last written day orders may still change: unpaid ones are cancelled after a month."""
BATCH = 20_000

Progress = Callable[[float, str], None]
"""Called with how far it is (per cent) and what it is doing."""


class Refused(Exception):
    """Writing would not be right; the message says why, and what to do."""


@dataclass(frozen=True)
class Demo:
    """What the demo of a database was made from: enough to make it again, and to go on with it."""

    orders: float | None
    lines: float | None
    seed: int
    days: int
    end: str  # ISO date: the last of the first `days` days
    extra_days: int = 0
    time_zone: str = "Europe/Madrid"
    written_until: str | None = None  # ISO date of the last day that is wholly written

    @property
    def last_day(self) -> date:
        """The last day of the shop."""
        return date.fromisoformat(self.end) + timedelta(days=self.extra_days)

    def same_shop(self, other: Demo) -> bool:
        """Whether both are the same shop, however far it is written."""
        return replace(self, written_until=None) == replace(other, written_until=None)

    def shop(self) -> Shop:
        """Make it."""
        from retail_ml.synthetic import make_shop

        return make_shop(
            orders=self.orders,
            lines=self.lines,
            days=self.days,
            end=date.fromisoformat(self.end),
            seed=self.seed,
            extra_days=self.extra_days,
            time_zone=self.time_zone,
        )


# --- what is remembered ---------------------------------------------------------------------------


def memory_path() -> Path:
    """Where the parameters of the demo are kept, beside the database."""
    from core import environment

    return environment.VAR / "demo_shop.json"


def _database() -> str:
    from django.db import connection

    settings = connection.settings_dict
    return " ".join(str(settings.get(key) or "") for key in ("ENGINE", "HOST", "PORT", "NAME")).strip()


def remembered() -> Demo | None:
    """The demo of this database; None when there is none, or none is known."""
    path = memory_path()
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8")).get(_database())
    return Demo(**found) if found else None


def _remember(demo: Demo) -> None:
    path = memory_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known[_database()] = asdict(demo)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(path)


# --- what may be written --------------------------------------------------------------------------


def plan_new(wanted: Demo, *, force: bool = False) -> Demo:
    """The demo to write into this database; raises Refused where another shop stands there already."""
    from orders.models import Order
    from products.models import Product
    from retail_ml.synthetic import ORDER_PREFIX

    stored = remembered()
    begun = stored is not None and Product.objects.exists()
    if Order.objects.filter(order_number__startswith=ORDER_PREFIX).exists() or begun:
        if stored is not None and stored.same_shop(wanted):
            return stored
        what = f" (seed {stored.seed}, until {stored.last_day})" if stored else ""
        raise Refused(
            f"The database holds a demo shop already{what}. --append N adds its next N days; for another demo "
            "choose another folder with TRASTIENDA_DATA, or another database with DATABASE_URL."
        )
    real = Order.objects.count()
    if (real or Product.objects.exists()) and not force:
        raise Refused(
            f"The database holds a real shop ({real:,} orders, {Product.objects.count():,} products); demo data would "
            "be mixed with it. Choose another folder with TRASTIENDA_DATA, or write into it all the same with --force."
        )
    return wanted


def plan_append(days: int) -> Demo:
    """The demo of this database with `days` more days; raises Refused where there is none to go on with."""
    if days < 1:
        raise Refused(f"--append takes a number of days from 1 on; it was {days}.")
    from orders.models import Order
    from retail_ml.synthetic import ORDER_PREFIX

    stored = remembered()
    if stored is None or not Order.objects.filter(order_number__startswith=ORDER_PREFIX).exists():
        raise Refused(
            f"There is no demo shop to add days to: {memory_path().name} knows none for this database. "
            "Make one first: python generate_ml_data.py"
        )
    return replace(stored, extra_days=stored.extra_days + days)


def _check_same(shop: Shop) -> None:
    """Raise Refused when the orders that are stored are not those of this shop."""
    from orders.models import Order
    from retail_ml.synthetic import ORDER_PREFIX

    stored = Order.objects.filter(order_number__startswith=ORDER_PREFIX).order_by("order_number")
    for order in (stored.first(), stored.last()):
        if order is None:
            return
        found = shop.orders.filter(shop.orders["order_number"] == order.order_number)
        if found.is_empty() or found["placed_at"][0] != order.placed_at:
            raise Refused(
                f"Order {order.order_number} in the database is not the one of this demo shop: it was made with other "
                "options, or by another version. Choose another folder with TRASTIENDA_DATA."
            )


# --- writing --------------------------------------------------------------------------------------


def write(demo: Demo, *, progress: Progress) -> Shop:
    """Make the shop and write what of it is not written yet. Safe to end at any time and to run again."""
    progress(0, "Making the shop")
    shop = demo.shop()
    _check_same(shop)
    tables = shop.tables()
    if demo.written_until is not None:
        tables = _since(tables, demo)
    else:
        _remember(demo)  # before the first row: what was begun is known, and can be finished
    _load(tables, progress)
    _remember(replace(demo, written_until=str(demo.last_day)))
    return shop


def _since(tables: dict[str, Any], demo: Demo) -> dict[str, Any]:
    """Only what has happened, or may have changed, since the last written day."""
    import polars as pl

    zone = ZoneInfo(demo.time_zone)
    until = date.fromisoformat(demo.written_until or demo.end)
    since = datetime.combine(until - LOOK_BACK, time(), zone).astimezone(UTC)
    recent = tables["orders"].filter(pl.col("placed_at") >= since)
    received = pl.col("received_at").is_null() | (pl.col("received_at") >= since)
    return {
        **tables,
        "orders": recent,
        "lines": tables["lines"].join(recent, on="order_number", how="semi"),
        "customers": tables["customers"].filter(
            pl.col("external_id").is_in(recent["customer_id"].drop_nulls().unique().to_list())
        ),
        "returns": tables["returns"].filter(pl.col("returned_at") >= since),
        "movements": tables["movements"].filter(pl.col("at") >= since),
        "purchases": tables["purchases"].filter(received),
    }


def _load(tables: dict[str, Any], progress: Progress) -> None:
    """Write the tables in the order in which they need each other."""
    import polars as pl

    from ingest import load
    from ml_predictions import conf

    rows = {name: max(frame.height, 1) for name, frame in tables.items()}
    total, done = sum(rows.values()) + 1, 0

    def step(name: str, count: int) -> None:
        nonlocal done
        done += count
        progress(100 * min(done / total, 1), name)

    load.suppliers(tables["suppliers"])
    load.catalogue(tables["catalogue"])
    load.prices(tables["prices"])
    step("Products", rows["catalogue"] + rows["suppliers"])
    for part in tables["customers"].iter_slices(BATCH):
        load.customers(part, source=SOURCE)
        step("Customers", part.height)
    orders = tables["orders"].with_columns(currency=pl.lit(str(conf.get("CURRENCY") or "EUR")))
    per_order = 1 + rows["lines"] / rows["orders"]
    load.orders(orders, tables["lines"], source=SOURCE, progress=lambda count: step("Orders", round(count * per_order)))
    load.returns(tables["returns"], progress=lambda count: step("Returns", count))
    for part in tables["movements"].iter_slices(BATCH):
        load.movements(part)
        step("Stock movements", part.height)
    load.purchases(tables["purchases"])
    progress(100, "Purchase orders")


def fill_demo(
    *,
    orders: int | None = None,
    seed: int = SEED,
    end: date | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
) -> Shop:
    """Write the demo boutique into an empty database, and print what was written (unless `quiet`).

    `end` is its last day, yesterday unless given. Raises Refused where a shop stands in the database already.
    """
    from django.conf import settings

    wanted = Demo(
        orders=orders, lines=None, seed=seed, days=DAYS, end=str(end or yesterday()), time_zone=settings.TIME_ZONE
    )
    return _show(plan_new(wanted), progress=progress, quiet=quiet)


def finish_demo(*, progress: Progress | None = None, quiet: bool = False) -> bool:
    """Finish the demo boutique whose writing was cut short; False when there is none."""
    from products.models import Product

    begun = remembered()
    if begun is None or begun.written_until is not None or not Product.objects.exists():
        return False
    _show(begun, progress=progress, quiet=quiet)
    return True


def _show(demo: Demo, *, progress: Progress | None, quiet: bool = False) -> Shop:
    """Write with a progress bar where the caller shows none, then the summary."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(quiet=quiet)
    if progress is not None:
        shop = write(demo, progress=progress)
    else:
        columns = (bars.TextColumn("{task.description:<18}"), bars.BarColumn(24), bars.TaskProgressColumn())
        with bars.Progress(*columns, bars.TimeElapsedColumn(), console=console) as shown:
            task = shown.add_task("Boutique", total=100)
            shop = write(demo, progress=lambda done, step: shown.update(task, completed=done, description=step))
    console.print(summary(shop, demo))
    if shop.end > yesterday():
        console.print(
            f"The shop goes on until {shop.end}, and today is {yesterday() + timedelta(days=1)}: what lies in the "
            "future is left out of the trainings until its day has come. To watch the models learn, begin with a "
            "shop that ends earlier (--end) and append to it.",
            style="yellow",
        )
    return shop


def write_csv(demo: Demo, path: Path) -> int:
    """The demo's sales as a file like a shop's export, one row per order line; the number of rows.

    Columns: Order, Date (shop time), sku, product_name, category, units, unit_price, discount, customer_id, status.
    Touches no table. Raises OSError where the file cannot be written.
    """
    import polars as pl

    shop = demo.shop()
    products = shop.catalogue.select("sku", "product_name", "category")
    rows = (
        shop.lines.join(shop.orders, on="order_number", how="left", maintain_order="left")
        .join(products, on="sku", how="left", maintain_order="left")
        .with_columns(pl.col("placed_at").dt.convert_time_zone(demo.time_zone).dt.strftime("%Y-%m-%d %H:%M"))
    )
    names = ["sku", "product_name", "category", "units", "unit_price", "discount", "customer_id", "status"]
    rows.select(pl.col("order_number").alias("Order"), pl.col("placed_at").alias("Date"), *names).write_csv(path)
    return rows.height


def yesterday() -> date:
    """The last whole day, in the shop's time zone."""
    from django.utils import timezone

    return timezone.localdate() - timedelta(days=1)


def summary(shop: Shop, demo: Demo) -> Table:
    """What the shop is, as a table to read."""
    import polars as pl
    from rich.table import Table

    sales = shop.orders.filter(pl.col("status").is_in(["completed", "delivered"]))
    lines = shop.lines.join(sales, on="order_number")
    amount = float((lines["units"] * lines["unit_price"]).sum()) - float(lines["discount"].sum())
    back = float(shop.returns["amount"].sum())
    per_customer = shop.orders["customer_id"].drop_nulls().value_counts()
    returning = per_customer.filter(pl.col("count") > 1).height / max(per_customer.height, 1)
    guests = shop.orders["customer_id"].null_count() / max(shop.orders.height, 1)
    styles = shop.catalogue.unique("product_code", keep="first")
    active = styles.filter(pl.col("status") == "active").height
    on_order = shop.purchases.filter(pl.col("status") == "confirmed")["number"].n_unique()
    currency = shop.orders["currency"][0] if shop.orders.height else ""
    table = Table(title=f"Demo boutique (seed {demo.seed})", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for name, value in (
        ("Period", f"{shop.start} to {shop.end} ({(shop.end - shop.start).days + 1:,} days)"),
        ("Orders", f"{shop.orders.height:,}, {sales.height:,} of them sales"),
        ("Order lines", f"{shop.lines.height:,}"),
        ("Customers", f"{shop.customers.height:,}, {returning:.0%} came back"),
        ("Guest orders", f"{guests:.0%}"),
        ("Styles", f"{styles.height:,} in {styles['category'].n_unique()} categories, {active:,} active"),
        ("Variants", f"{shop.catalogue.height:,}"),
        ("Revenue", f"{amount - back:,.2f} {currency} after {back:,.2f} of returns"),
        ("Returns", f"{shop.returns.height:,} ({shop.returns.height / max(shop.lines.height, 1):.1%} of the lines)"),
        ("Stock-outs", f"{shop.truth.stock_out_share:.1%} of variant-days, {shop.truth.lost_units:,} units not sold"),
        ("On order", f"{on_order:,} purchase orders"),
    ):
        table.add_row(name, value)
    return table


# --- the command line -----------------------------------------------------------------------------


def start_django() -> None:
    """Make Django ready; the database is brought up to date."""
    try:
        import django
        import rich  # noqa: F401  the tables
    except ImportError:
        own = HERE.parent / ".venv" / "bin" / "python"
        if own.exists() and Path(sys.prefix).resolve() != own.parent.parent.resolve():
            os.execv(own, [str(own), str(HERE / Path(__file__).name), *sys.argv[1:]])
        sys.exit("The libraries are not installed. Run once, beside the README: make setup")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    sys.path.insert(0, str(HERE))
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description="Write a believable, seeded boutique into the shop's tables.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--orders", type=int, help="about so many orders, from 10 on (7,500)")
    size.add_argument("--lines", type=int, help="about so many order lines, up to 10,000,000 and more")
    parser.add_argument("--days", type=int, help=f"days from the first to the last ({DAYS})")
    parser.add_argument("--end", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the last day (yesterday)")
    parser.add_argument("--seed", type=int, help=f"another seed, another shop ({SEED})")
    parser.add_argument("--append", type=int, metavar="N", help="add the next N days to the demo shop that is there")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the sales to this file, and no table")
    parser.add_argument("--force", action="store_true", help="write beside a real shop's orders all the same")
    found = parser.parse_args(arguments)
    fixed = [name for name in ("orders", "lines", "days", "end", "seed") if getattr(found, name) is not None]
    if found.append is not None and found.csv is not None:
        parser.error("--csv writes a file of its own; leave out --append")
    if found.append is not None and fixed:
        parser.error(f"--append goes on with the shop that is there; leave out --{', --'.join(fixed)}")
    return found


def run(found: argparse.Namespace) -> int:
    """Write what the options ask for; the exit code."""
    from django.conf import settings

    from retail_ml.errors import RetailMLError

    try:
        if found.append is not None:
            demo = plan_append(found.append)
        else:
            demo = Demo(
                orders=found.orders,
                lines=found.lines,
                seed=SEED if found.seed is None else found.seed,
                days=DAYS if found.days is None else found.days,
                end=str(found.end or yesterday()),
                time_zone=settings.TIME_ZONE,
            )
            if found.csv is not None:
                print(f"{found.csv}: {write_csv(demo, found.csv):,} order lines")
                return 0
            demo = plan_new(demo, force=found.force)
        _show(demo, progress=None)
    except (Refused, RetailMLError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def main() -> int:
    """Read the command line, then write."""
    found = options()
    start_django()
    return run(found)


if __name__ == "__main__":
    sys.exit(main())
