"""Which way out of the database is cheapest: order lines and orders, read as the shop's source reads them.

    python benchmarks/scale/extraction.py            # over the shop of DATABASE_URL and TRASTIENDA_DATA

Each way in a process of its own, the same two statements: CPU seconds beyond those of a process that has only loaded
Django and Polars, wall, peak memory, and sums that must be the same. The peers are not part of the project:
`pip install connectorx adbc-driver-sqlite adbc-driver-postgresql pyarrow` beside it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import polars as pl

BACKEND = Path(__file__).resolve().parents[2] / "backend_django"
sys.path.insert(0, str(BACKEND))
LINES: dict[str, Any] = {"order_id": pl.Int64, "variant_id": pl.Int64, "units": pl.Float64, "amount": pl.Float64}
ORDERS: dict[str, Any] = {"order_id": pl.Int64, "customer_id": pl.Int64, "seconds": pl.Int64}
Frames = tuple[pl.DataFrame, pl.DataFrame]


def nothing() -> Frames:
    """What a process costs that reads nothing."""
    return pl.DataFrame(schema=LINES), pl.DataFrame(schema=ORDERS)


def scans() -> Frames:
    """Ours: Django's cursor, its rows in chunks to Polars (`ml_predictions/sources/scans.py`)."""
    from django.db.models import F

    from ml_predictions.sources import scans
    from orders.models import Order, OrderItem

    lines = scans.read(
        OrderItem.objects.all(),
        {"order_id": F("order_id"), "variant_id": F("variant_id"), "units": F("units"),
         "amount": scans.number("amount")},
        LINES,
    )  # fmt: skip
    columns = {"order_id": F("id"), "customer_id": F("customer_id"), "seconds": scans.Epoch("placed_at")}
    return lines, scans.read(Order.objects.all(), columns, ORDERS)


def objects() -> Frames:
    """As a tutorial does it: a model object per row."""
    from orders.models import Order, OrderItem

    lines = [(o.order_id, o.variant_id, float(o.units), float(o.amount)) for o in OrderItem.objects.iterator()]
    orders = [(o.id, o.customer_id, round(o.placed_at.timestamp())) for o in Order.objects.iterator()]
    return pl.DataFrame(lines, schema=LINES, orient="row"), pl.DataFrame(orders, schema=ORDERS, orient="row")


def connectorx() -> Frames:
    """connectorx, by Polars."""
    return _by_address("connectorx")


def adbc() -> Frames:
    """ADBC, by Polars."""
    return _by_address("adbc")


def _by_address(engine: Literal["adbc", "connectorx"]) -> Frames:
    """The same two statements by another driver."""
    from django.db import connection
    from django.db.models import F

    from ml_predictions.sources.scans import Epoch, number
    from orders.models import Order, OrderItem

    lines = OrderItem.objects.annotate(money=number("amount")).values_list("order_id", "variant_id", "units", "money")
    orders = Order.objects.annotate(seconds=Epoch("placed_at"), order_id=F("id"))
    address = os.environ.get("DATABASE_URL", "")
    if connection.vendor == "sqlite":
        slashes = "///" if engine == "adbc" else "//"
        address = f"sqlite:{slashes}{connection.settings_dict['NAME']}"

    def read(query: Any, schema: dict[str, Any]) -> pl.DataFrame:
        frame = pl.read_database_uri(str(query.order_by().query), address, engine=engine)
        return frame.rename(dict(zip(frame.columns, schema, strict=True))).cast(pl.Schema(schema))

    return read(lines, LINES), read(orders.values_list("order_id", "customer_id", "seconds"), ORDERS)


WAYS: dict[str, Callable[[], Frames]] = {
    "nothing": nothing, "our scans": scans, "model objects": objects, "connectorx": connectorx, "adbc": adbc,
}  # fmt: skip


def here(way: str) -> None:
    """Read in this process, and print what it cost."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    import django

    django.setup()
    began = time.monotonic()
    lines, orders = WAYS[way]()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "cpu": used.ru_utime + used.ru_stime, "wall": time.monotonic() - began, "mb": used.ru_maxrss / 1024,
        "sums": [lines.height, round(lines["amount"].sum(), 2), orders.height, orders["seconds"].sum()],
    }))  # fmt: skip


def main() -> None:
    """Every way in turn, three times; the least of each."""
    sums: list[float] | None = None
    idle = 0.0
    print("| way | CPU s | wall s | peak MB |\n|---|--:|--:|--:|")
    for way in WAYS:
        try:
            tries = [_measured(way) for _ in range(3)]
        except subprocess.CalledProcessError as error:
            print(f"| {way} | – | – | – |  ({error.stderr.strip().splitlines()[-1][:150]})", flush=True)
            continue
        if way == "nothing":
            idle = min(one["cpu"] for one in tries)
            continue
        sums = sums or tries[0]["sums"]
        if tries[0]["sums"] != sums:
            raise SystemExit(f"{way} reads something else: {tries[0]['sums']} instead of {sums}")
        cpu, wall, mb = (min(one[key] for one in tries) for key in ("cpu", "wall", "mb"))
        print(f"| {way} | {cpu - idle:.2f} | {wall:.2f} | {mb:.0f} |", flush=True)
    print(f"\nThe same in each: {sums}")


def _measured(way: str) -> dict[str, Any]:
    """One try in a process of its own."""
    done = subprocess.run([sys.executable, __file__, way], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    here(sys.argv[1]) if sys.argv[1:] else main()
