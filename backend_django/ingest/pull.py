"""The kind `pull` of the worker: what is new in a WooCommerce shop, fetched whole, then brought in like files.

Each pull is an import of its own, listed with its report. The next one asks for what was modified since the last that
was brought in; one that fails on the way writes nothing, moves no mark and is listed with its reason.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from ingest import imports, tasks, turns, uploads
from ingest.models import ImportRun
from ingest.woocommerce_api import PER_PAGE, Shop
from retail_ml.errors import RetailMLError

PRESET = "woocommerce"
What, State = ImportRun.What, ImportRun.State
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
Records = list[dict[str, Any]]


def shop() -> Shop:
    """The shop of the settings `WOOCOMMERCE_URL`, `_KEY` and `_SECRET`. Raises BadFile when they are not set."""
    return Shop(settings.WOOCOMMERCE_URL, settings.WOOCOMMERCE_KEY, settings.WOOCOMMERCE_SECRET)


class Here:
    """A run without a worker's row: nobody cancels it."""

    log_id = None

    def progress(self, percent: float, step: dict[str, Any]) -> None:
        """Nothing to tell."""


def nightly() -> dict[str, Any]:
    """A step of the nightly refresh: what is new, where a shop is set; how many rows of each kind came in."""
    if not settings.WOOCOMMERCE_URL:
        return {}
    return {row.what: (row.report or {}).get("rows_read", 0) for row in bring_in(Here())}


def pull(run: tasks.Watched) -> None:
    """The kind `pull` of the worker."""
    bring_in(run)


def bring_in(run: tasks.Watched, *, wait: float = turns.PATIENCE) -> list[ImportRun]:
    """Fetch products, stock and orders that were modified since the last pull, and bring them in: the imports made.

    Waits `wait` seconds for an import or an undo that is being written, then raises Busy.
    """
    woo = shop()
    with tasks.my_turn(run, wait=wait):
        # What a pull that was killed had fetched is not whole; none is alive, for this is our turn.
        for row in ImportRun.objects.filter(requested_by=ImportRun.PULL, state=State.UPLOADED):
            uploads.drop(row)
            row.delete()
        try:
            rows = _fetched(woo, run)
        except RetailMLError as error:
            _failed(woo, error)
            raise
        _failures(woo).delete()
        for row in rows:
            tasks.bring_in(run, row, write=True)
    return rows


def _failed(woo: Shop, error: RetailMLError) -> None:
    """List a pull of which nothing came in, with its reason; another one like it takes its place."""
    _failures(woo).delete()
    ImportRun.objects.create(
        what=What.SALES, preset=PRESET, file_name=_name(woo), requested_by=ImportRun.PULL, size=0, state=State.FAILED,
        error=error.stored(), finished_at=timezone.now(),
    )  # fmt: skip


def _failures(woo: Shop) -> QuerySet[ImportRun]:
    """Pulls of this shop that failed before anything was there to bring in."""
    return ImportRun.objects.filter(requested_by=ImportRun.PULL, state=State.FAILED, sha256="", file_name=_name(woo))


def _fetched(woo: Shop, run: tasks.Watched) -> list[ImportRun]:
    """What is new, as imports with their files."""
    products, counts, orders = (Folder(woo, what, run) for what in (What.PRODUCTS, What.STOCK, What.SALES))
    try:
        _products(woo, products, counts)
        _orders(woo, orders)
    except BaseException:  # also when it is cancelled: nothing of what was fetched stays
        for folder in (products, counts, orders):
            folder.dropped()
        raise
    return [row for row in [folder.closed() for folder in (products, counts, orders)] if row is not None]


def since(woo: Shop, what: str) -> dict[str, str]:
    """The query for what was modified since the last pull that was brought in; nothing when there was none.

    A second earlier, for the shop answers with what came after a second, not in it.
    """
    done = ImportRun.objects.filter(file_name=_name(woo), what=what, preset=PRESET, state=ImportRun.State.IMPORTED)
    until = next((run.options["until"] for run in done.order_by("-pk") if run.options.get("until")), None)
    if until is None:
        return {}
    before = datetime.fromisoformat(until) - timedelta(seconds=1)
    return {"modified_after": before.isoformat(), "dates_are_gmt": "true"}


def _name(woo: Shop) -> str:
    return f"WooCommerce {urlsplit(woo.url).hostname}"[:200]


class Folder:
    """The files of an import that is being fetched."""

    def __init__(self, woo: Shop, what: str, run: tasks.Watched) -> None:
        options = imports.defaults(PRESET, currency=import_string(settings.IMPORT_CURRENCY)())
        self.row = ImportRun(what=what, preset=PRESET, options=options, file_name=_name(woo), size=0)
        self.row.requested_by = ImportRun.PULL
        self.run, self.count, self.digest, self.until = run, 0, hashlib.sha256(), ""
        self.path = uploads.root() / str(self.row.folder)
        self.row.save()  # a folder without a row is taken for one that was left behind
        self.path.mkdir(parents=True, mode=0o700)

    def add(self, kind: str, records: Records) -> None:
        """One more file; tells how many records there are, and is stopped here when somebody cancelled."""
        text = json.dumps(records).encode()
        self.digest.update(text)
        self.row.size += len(text)
        self.count += len(records)
        path = self.path / f"{kind}-{len(list(self.path.iterdir())) + 1:05}.json"
        path.touch(mode=0o600)
        path.write_bytes(text)
        times = (record.get("date_modified_gmt") for record in records if kind in ("orders", "products"))
        self.until = max([self.until, *(str(at) for at in times if re.fullmatch(TIME, str(at)))])
        self.run.progress(2, {"code": "import.fetching", "params": {"n": self.count}})

    def closed(self) -> ImportRun | None:
        """The row with what was fetched; None, and no row, when it is nothing."""
        if not self.count:
            self.dropped()
            return None
        self.row.sha256 = self.digest.hexdigest()
        self.row.options |= {"until": self.until} if self.until else {}
        self.row.save()
        return self.row

    def dropped(self) -> None:
        """Forget it: nothing was fetched, or not all."""
        uploads.drop(self.row)
        self.row.delete()


def _orders(woo: Shop, folder: Folder) -> None:
    """Orders with their refunds, and the accounts that placed them."""
    accounts: set[str] = set()
    for page in woo.records("orders", status="any", orderby="id", order="asc", **since(woo, What.SALES)):
        folder.add("orders", page)
        accounts |= {str(order["customer_id"]) for order in page if order.get("customer_id")}
        refunded = [order["id"] for order in page if order.get("refunds")]
        refunds = [
            refund | {"parent_id": order}
            for order in refunded
            for part in woo.records(f"orders/{order}/refunds")
            for refund in part
        ]
        if refunds:
            folder.add("refunds", refunds)
    wanted = sorted(accounts)
    for start in range(0, len(wanted), PER_PAGE):
        ids = ",".join(wanted[start : start + PER_PAGE])
        for page in woo.records("customers", include=ids, role="all"):
            folder.add("customers", page)


def _products(woo: Shop, products: Folder, counts: Folder) -> None:
    """Products with all their variations, and the same once more for their stock."""
    found: Records = []
    for page in woo.records("products", status="any", orderby="id", order="asc", **since(woo, What.PRODUCTS)):
        found += page
        for parent in page:
            if parent.get("type") == "variable":
                for variations in woo.records(f"products/{parent['id']}/variations"):
                    found += [{"parent_id": parent["id"], "type": "variation"} | one for one in variations]
    if found:
        products.add("products", found)
        counts.add("products", found)
