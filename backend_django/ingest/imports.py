"""What is done with an uploaded file: a dry run, or the import, with a report as JSON.

The report of sales is the reconciliation (money in cents) with `known`, the orders that the shop has already, and
`time_zone` and `currency`. That of products and counts is `rows`, `counts` and what is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ingest import bulk, checkup, report, rows, runs, sales, tables
from ingest.assume import Assumptions
from ingest.counts import Counts
from ingest.models import ImportRun
from ingest.sample import WANTED, preset_for
from orders.models import Order

Tell = Callable[[float, str], None]
"""Told how many per cent are done, and what comes now: a code of the messages `import.*`."""
BEGINS = 50
"""Per cent that are done when the writing begins."""
HOW = ("time_zone", "currency", "decimal", "date_order", "repeats")
"""The options by which a file is read."""
FAULTS = 200
"""Rows left out that a report of products or counts keeps."""


class DoesNotBalance(Exception):
    """The reconciliation has a difference: a fault of this program."""


def defaults(preset: str, *, currency: str) -> dict[str, str]:
    """The options of a new upload: the preset's time zone and currency, else the shop's."""
    from ingest.presets import PRESETS

    known = PRESETS.get(preset)
    return {
        "time_zone": (known and known.time_zone) or settings.TIME_ZONE,
        "currency": (known and known.currency) or currency or "EUR",
        "decimal": "auto",
        "date_order": "auto",
        "repeats": "keep",
    }


def reading(run: ImportRun) -> rows.Options:
    """The options of a run as `ingest.rows` takes them."""
    from ingest.presets import PRESETS

    channel = PRESETS[run.preset].channel if run.preset else "store"
    return rows.Options(channel=channel, **{name: run.options[name] for name in HOW if name in run.options})


def asked(run: ImportRun) -> checkup.Asked:
    """What the owner said of the file."""
    total, orders = run.options.get("expect_total"), run.options.get("expect_orders")
    return checkup.Asked(
        leave_out=tuple(run.options.get("leave_out", ())),
        total=Decimal(total) if total else None,
        orders=int(orders) if orders else None,
    )


ASSUMED: dict[str, Callable[[str], Any]] = {
    "cost_share": Decimal, "supplier": str, "lead_time_days": float, "lead_time_sd": float, "category": str,
    "opening_stock_days": int,
}  # fmt: skip
"""Fields of `Assumptions` among the options of a run, and what their text becomes."""


def assumed(run: ImportRun) -> Assumptions:
    """What is to be assumed where the file says nothing."""
    said = {name: run.options[name] for name in ASSUMED if run.options.get(name)}
    return Assumptions(**{name: ASSUMED[name](value) for name, value in said.items()})


def process(run: ImportRun, paths: list[Path], *, write: bool, tell: Tell, begin: Callable[[], None]) -> None:
    """Read the files (of sales: several) and report; with `write` bring it in.

    Sets `report` and `counts`, saves nothing of the run.

    `begin` is called when everything is read and the writing begins. Raises BadFile and other RetailMLError.
    """
    if run.what == ImportRun.What.SALES:
        _sales(run, paths, write=write, tell=tell, begin=begin)
    else:
        _table(run, paths[0], write=write, tell=tell, begin=begin)


def _sales(run: ImportRun, paths: list[Path], *, write: bool, tell: Tell, begin: Callable[[], None]) -> None:
    options, preset = reading(run), preset_for(run.preset, run.columns)
    tell(5, "import.reading")
    step = partial(tell, 30, "import.matching")
    found = checkup.examine(paths, preset, options, source=run.preset, asked=asked(run), step=step)
    built = found.sales
    if not found.account.balanced:
        raise DoesNotBalance(f"import {run.pk}: {found.account}")
    known = bulk.fetch(Order, ["COUNT(*)"], key="order_number", values=built.orders["order_number"])
    more = {"known": known[0][0] if known else 0, "time_zone": options.time_zone, "currency": options.currency}
    more |= found.told()
    run.report = told(found.account) | more
    if not write:
        return
    tell(BEGINS, "import.writing")
    begin()
    total, done = max(1, built.orders.height + built.returns.height), 0

    def progress(name: str, count: int) -> None:
        nonlocal done
        if name in ("orders", "returns"):
            done += count
            tell(BEGINS + (99 - BEGINS) * done / total, "import.writing")

    with runs.noted(run):
        result = sales.write(built, source=run.preset, progress=progress)
        filled = sales.assume(assumed(run), built)
    account = report.reconcile(found.rows, built, result)
    run.report = told(account) | more
    run.counts = {name: asdict(counts) for name, counts in (result.counts | filled).items()}
    if not account.balanced:
        raise DoesNotBalance(f"import {run.pk}: {account}")


def told(account: report.Reconciliation) -> dict[str, Any]:
    """The reconciliation as JSON."""
    sums = {name: getattr(account, name) for name in ("stored", "left", "difference", "balanced")}
    return asdict(account) | sums


def _table(run: ImportRun, path: Path, *, write: bool, tell: Tell, begin: Callable[[], None]) -> None:
    tell(5, "import.reading")
    fields, required = WANTED[run.what]
    taken = {name: name for name in fields if name in run.columns}
    table = tables.read(path, taken, required, columns=run.columns, zone=reading(run).time_zone)
    if write:
        tell(BEGINS, "import.writing")
        begin()
    counts: dict[str, Counts]
    with runs.noted(run) if write else nullcontext(), transaction.atomic():
        if run.what == ImportRun.What.PRODUCTS:
            counts, table = tables.write_products(table)
        else:
            adjusted, table = tables.write_counts(table, now=timezone.now())
            counts = {"counts": adjusted}
        transaction.set_rollback(not write)
    told = {name: asdict(one) for name, one in counts.items()}
    faults = table.faults.head(FAULTS).select("line", "reason").to_dicts()
    run.report = {
        "rows_read": table.rows.height + table.faults.height,
        "rows_good": table.rows.height,
        "rows_left_out": table.faults.height,
        "faults": faults,
        "counts": told,
        "places": table.places,
    }
    if write:
        run.counts = told
