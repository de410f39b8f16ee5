"""An import undone: what it made and nobody changed since goes, what it changed is put back, the rest is kept and said.

In batches, each one transaction with its entries: whatever was undone has no entry any more, so that an undo that was
killed and begun again goes on where it stood. Returns go before the orders they belong to, orders before goods and
customers. What a later import holds too stays, and that import takes the earlier one's place.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from django.db import connection, transaction
from django.db.models import F, Q

from ingest import bulk, prints, undo_rows
from ingest.models import ImportEntry, ImportRun
from ingest.prints import MODELS, Kind
from ingest.report import EXAMPLES
from orders.models import Order, OrderItem, OrderReturn
from products.models import StockMovement
from retail_ml.errors import RetailMLError

BATCH = 2_000
LABELS = {
    Kind.RETURN: "reference", Kind.ORDER: "order_number", Kind.MOVEMENT: "reference", Kind.SUPPLIER_ITEM: "id",
    Kind.VARIANT: "sku", Kind.PRODUCT: "name", Kind.SUPPLIER: "name", Kind.CATEGORY: "name",
    Kind.CUSTOMER: "external_id",
}  # fmt: skip
"""What a row of each table is known by."""
STEPS: tuple[tuple[Kind, bool], ...] = (
    (Kind.RETURN, False), (Kind.ORDER, False), (Kind.RETURN, True),
    *((kind, False) for kind in Kind if kind > Kind.ORDER),
)  # fmt: skip
"""In this order; True: rows that the import deleted. A return is put back once its line is there again."""
Progress = Callable[[int, int], None]


class CannotUndo(RetailMLError):
    """The import is not there to be undone."""

    code = "import.cannot_undo"


@dataclass
class Account:
    """What was undone and what was not, by table (its number as text, for JSON); money in cents."""

    removed: Counter[str] = field(default_factory=Counter)
    put_back: Counter[str] = field(default_factory=Counter)
    kept: dict[str, Counter[str]] = field(default_factory=dict)
    """Reason → table → rows."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    undone_cents: int = 0
    kept_cents: int = 0

    @classmethod
    def of(cls, stored: dict[str, Any] | None) -> Account:
        """As it stands in the row of an undo that was begun."""
        known = stored or {}
        return cls(
            Counter(known.get("removed", {})),
            Counter(known.get("put_back", {})),
            {reason: Counter(tables) for reason, tables in known.get("kept", {}).items()},
            {reason: list(some) for reason, some in known.get("examples", {}).items()},
            known.get("undone_cents", 0),
            known.get("kept_cents", 0),
        )

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "removed": dict(self.removed),
            "put_back": dict(self.put_back),
            "kept": {reason: dict(tables) for reason, tables in self.kept.items()},
            "examples": self.examples,
            "undone_cents": self.undone_cents,
            "kept_cents": self.kept_cents,
        }

    def keep(self, entry: ImportEntry, reason: str) -> None:
        """The row stays."""
        self.kept.setdefault(reason, Counter())[str(entry.kind)] += 1
        self.kept_cents += entry.cents


def totals() -> dict[str, int]:
    """Orders of the whole shop, their money with shipping and tax, and what was given back; in cents."""
    parts = {
        "orders": (Order, "COUNT(*)"),
        "lines": (OrderItem, f"COALESCE(SUM({bulk.scaled('amount', 100)}), 0)"),
        "charges": (Order, f"COALESCE(SUM({bulk.scaled('shipping', 100)} + {bulk.scaled('tax', 100)}), 0)"),
        "returned": (OrderReturn, f"COALESCE(SUM({bulk.scaled('amount', 100)}), 0)"),
    }
    found = {}
    with connection.cursor() as cursor:
        for name, (model, sum_of) in parts.items():
            cursor.execute(f"SELECT {sum_of} FROM {bulk.table(model)}")
            found[name] = int(cursor.fetchone()[0])
    return {
        "orders": found["orders"], "cents": found["lines"] + found["charges"], "returned": found["returned"],
    }  # fmt: skip


def refuse(run: ImportRun) -> None:
    """Raise CannotUndo when the import cannot be undone, saying why."""
    if run.state == ImportRun.State.UNDONE:
        raise CannotUndo(f"Import {run.pk} ({run.file_name}) is undone already.", reason="undone")
    if run.state not in (*ImportRun.UNDOABLE, *ImportRun.IN_UNDO):
        raise CannotUndo(f"Import {run.pk} ({run.file_name}) is {run.state}; only an import is undone.", reason="state")
    if not run.entries.exists() and not (run.undo or {}).get("begun"):
        raise CannotUndo(
            f"Nothing is noted of import {run.pk} ({run.file_name}): it wrote nothing, or it is too old.", reason="old"
        )


def weigh(run: ImportRun, progress: Progress) -> Account:
    """What undoing would do; writes nothing."""
    refuse(run)
    account, gone = Account.of(run.undo if (run.undo or {}).get("begun") else None), undo_rows.Gone()
    for kind, batch in _batches(run, progress, again=False):
        _Batch(kind, batch, account, gone).decide()
    return account


def undo(run: ImportRun, progress: Progress) -> Account:
    """Undo the import, from where an earlier attempt stopped; sets and saves `undo` and `totals` of the run."""
    refuse(run)
    account = Account.of(run.undo if (run.undo or {}).get("begun") else None)
    if not (run.undo or {}).get("begun"):
        run.totals["start"], run.undo = totals(), {**(run.undo or {}), "begun": True, **account.told()}
        run.totals.setdefault("after", run.totals["start"])  # killed, it did not live to write it
        run.save(update_fields=["totals", "undo"])
    with transaction.atomic():
        _same(run).delete()
    for kind, batch in _batches(run, progress, again=True):
        with transaction.atomic():
            done = _Batch(kind, batch, account, {})
            done.decide()
            done.apply()
            ImportEntry.objects.filter(pk__in=[entry.pk for entry in batch]).delete()
            run.undo = {**(run.undo or {}), **account.told()}
            run.save(update_fields=["undo"])
    run.totals["end"] = totals()
    run.undo = {**(run.undo or {}), "money": reconciled(run.totals, account)}
    run.save(update_fields=["totals", "undo"])
    return account


def reconciled(known: dict[str, Any], account: Account) -> dict[str, int]:
    """The shop's money (sales less what was given back) before the import and now, and what lies between; in cents.

    now = before + what others did since the import + what was kept of it; `before` is without what earlier imports had
    brought that were undone since. `difference` is what the undo took out of the shop less what its entries say:
    nothing, unless something was sold meanwhile.
    """
    net = {name: sums["cents"] - sums["returned"] for name, sums in known.items() if name != "inherited"}
    start, end, after = net["start"], net["end"], net["after"]
    before = net["before"] - int(known.get("inherited", 0))
    return {
        "before": before,
        "since": start - after,
        "kept": account.kept_cents,
        "now": end,
        "orders_before": known["before"]["orders"],
        "orders_now": known["end"]["orders"],
        "difference": (start - end) - account.undone_cents,
    }


def _same(run: ImportRun) -> Any:
    """Entries of rows that the import found as it would have written them."""
    return run.entries.filter(found=F("after"), before=None)


def _batches(run: ImportRun, progress: Progress, *, again: bool) -> Iterator[tuple[Kind, list[ImportEntry]]]:
    """The entries that changed something, a batch at a time; `again`: those that are given are gone the next time.

    The last first: an import's later count of a variant stands on its earlier one.
    """
    entries = run.entries.filter(~Q(found=F("after")) | Q(found=None) | Q(after=None) | ~Q(before=None))
    whole, done = entries.count(), 0
    for kind, deleted in STEPS:
        rest = entries.filter(kind=kind, after__isnull=deleted)
        left = rest
        while batch := list(left.order_by("-pk")[:BATCH]):
            yield kind, batch
            left = rest if again else rest.filter(pk__lt=batch[-1].pk)
            done += len(batch)
            progress(done, whole)


class _Batch:
    """Some entries of one table: what becomes of each is decided, then done."""

    def __init__(self, kind: Kind, entries: list[ImportEntry], account: Account, gone: undo_rows.Gone) -> None:
        self.kind, self.account, self.gone = kind, account, gone
        self.open = {entry.object_id: entry for entry in entries}
        self.handed: list[ImportEntry] = []
        self.was: Any = None

    def decide(self) -> None:
        """Keep what must be kept; what is left `open` is removed or put back."""
        self._hand_over()
        self._keep_changed()
        self._keep_leaned_on()
        self._keep_what_cannot_be()
        for entry in self.open.values():
            counts = self.account.removed if entry.found is None else self.account.put_back
            counts[str(int(self.kind))] += 1
            self.account.undone_cents += entry.cents
        self.gone.setdefault(MODELS[self.kind], set()).update(self._made)
        if self.kind == Kind.ORDER and self.was is not None:
            self.gone.setdefault(OrderItem, set()).update(self.was.added(self._changed))

    def apply(self) -> None:
        """Write it."""
        self._take_over()
        if self._made:
            undo_rows.remove(self.kind, self._made)
        if self._changed and self.kind == Kind.ORDER:
            self.was.put_back(self._changed)
        elif self._changed:
            deleted = any(self.open[pk].after is None for pk in self._changed)  # all of a batch, or none
            undo_rows.put_back(self.kind, {pk: self.was[pk] for pk in self._changed}, deleted=deleted)

    @property
    def _made(self) -> list[int]:
        return [pk for pk, entry in self.open.items() if entry.found is None]

    @property
    def _changed(self) -> list[int]:
        return [pk for pk, entry in self.open.items() if entry.found is not None]

    def _keep(self, reasons: dict[int, str]) -> None:
        for pk, reason in reasons.items():
            self.account.keep(self.open.pop(pk), reason)
        for reason in set(reasons.values()):
            shown = self.account.examples.setdefault(reason, [])
            some = [pk for pk in reasons if reasons[pk] == reason][: EXAMPLES - len(shown)]
            found = bulk.fetch(MODELS[self.kind], [LABELS[self.kind]], key="id", values=some)
            shown += [str(label) for (label,) in found]

    def _hand_over(self) -> None:
        """What a later import holds too stays; from now on it is that import which made or changed it."""
        mine = self.open
        later: dict[int, ImportEntry] = {}
        others = ImportEntry.objects.filter(kind=self.kind, object_id__in=list(mine)).exclude(
            run_id=next(iter(mine.values())).run_id
        )
        for other in others.order_by("pk"):
            if other.pk > mine[other.object_id].pk:
                later.setdefault(other.object_id, other)
        for pk, other in later.items():
            entry = mine[pk]
            if other.found == entry.after:  # else somebody changed it in between, and it is the shop's own
                other.found, other.before, other.cents = entry.found, entry.before, other.cents + entry.cents
                other.inherited = entry.cents
                self.handed.append(other)
        self._keep(dict.fromkeys(later, "later"))

    def _take_over(self) -> None:
        """Write what later imports took over, and how much money that is of each."""
        rows = [(e.pk, e.found, e.before, e.cents) for e in self.handed]
        schema = {"id": pl.Int64, "found": pl.Int64, "before": pl.String, "cents": pl.Int64}
        bulk.update(ImportEntry, pl.DataFrame(rows, schema=schema, orient="row"))
        sums = Counter[int]()
        for entry in self.handed:
            sums[entry.run_id] += entry.inherited
        for other in ImportRun.objects.select_for_update().filter(pk__in=sums):
            other.totals["inherited"] = other.totals.get("inherited", 0) + sums[other.pk]
            other.save(update_fields=["totals"])

    def _keep_changed(self) -> None:
        now, owners = dict[int, int](), dict[int, int | None]()
        if self.kind == Kind.ORDER:
            stored = prints.read_orders(self.open, lock=connection.in_atomic_block)
            for pk, mark, customer, _cents in prints.of_orders(stored).iter_rows():
                now[pk], owners[pk] = mark, customer
        else:
            found = prints.read(MODELS[self.kind], self.open)
            now = {pk: prints.of_row(values) for pk, values in found.items()}
        reasons = {}
        for pk, entry in self.open.items():
            if pk not in now and entry.after is not None:
                reasons[pk] = "gone"
            elif now.get(pk) != entry.after or owners.get(pk) not in (None, entry.customer):
                reasons[pk] = "changed"
        self._keep(reasons)

    def _keep_leaned_on(self) -> None:
        if not self._made:
            return
        if self.kind == Kind.MOVEMENT:
            # A count of this batch goes too, unless one after it stays, which keeps what is before both.
            gone: undo_rows.Gone = {StockMovement: self.gone.get(StockMovement, set()) | set(self._made)}
            self._keep(dict.fromkeys(undo_rows.counted_since(self._made, gone), "counted"))
            return
        used = undo_rows.leaned_on(MODELS[self.kind], self._made, self.gone)
        self._keep(dict.fromkeys(used, "returns" if self.kind == Kind.ORDER else "used"))

    def _keep_what_cannot_be(self) -> None:
        changed = [self.open[pk] for pk in self._changed]
        if not changed:
            return
        if self.kind == Kind.ORDER:
            self.was = undo_rows.Orders(changed)
            self._keep(self.was.obstacles(self.gone))
        else:
            self.was = {entry.object_id: json.loads(entry.before or "{}") for entry in changed}
            self._keep(undo_rows.obstacles(self.kind, self.was))
