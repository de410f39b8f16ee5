"""The only way a variant's stock changes: one movement and the variant's stock, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from products.models import ProductVariant, StockMovement

Kind = StockMovement.Kind
ONLY_IN = frozenset({Kind.CANCELLATION, Kind.RETURN, Kind.RECEIPT})
ONLY_OUT = frozenset({Kind.SALE, Kind.WRITE_OFF})
BATCH = 900  # parameters of one statement: within every database's limit
T = TypeVar("T")


class StockError(ValueError):
    """A movement that cannot be: a sign that its kind does not have, a reference that means something else."""


@dataclass(frozen=True, slots=True)
class Move:
    """One wanted change of stock: `units` come in when positive and go out when negative."""

    variant_id: int
    kind: str
    units: int
    reference: str | None = None
    note: str = ""
    at: datetime | None = None


def move_stock(
    variant: ProductVariant | int,
    kind: str,
    units: int,
    *,
    reference: str | None = None,
    note: str = "",
    at: datetime | None = None,
) -> StockMovement:
    """Change the stock of one variant by `units`; the movement that says so.

    The same kind and reference move stock once: asked again, the stored movement is given back and nothing changes.
    Raises StockError when the sign does not fit the kind, when the reference is taken by another movement, or when
    the variant does not exist.
    """
    variant_id = variant if isinstance(variant, int) else variant.pk
    return move_many([Move(variant_id, kind, units, reference, note, at)])[0]


@transaction.atomic
def count_stock(
    variant: ProductVariant | int, counted: int, *, reference: str | None = None, note: str = ""
) -> StockMovement:
    """Set the stock of one variant to what was counted: the movement that makes up the difference, even if it is 0.

    A count under a stored reference changes nothing: the stored movement is given back. Raises StockError for a
    count below zero or under a reference of another variant, and when the variant does not exist.
    """
    if counted < 0:
        raise StockError(_("A count is not below zero. Received: {units}.").format(units=counted))
    variant_id = variant if isinstance(variant, int) else variant.pk
    _lock({variant_id})
    stored = StockMovement.objects.filter(kind=Kind.ADJUSTMENT, reference=reference).first() if reference else None
    if stored is not None:
        if stored.variant_id != variant_id:
            raise _taken(stored, Move(variant_id, Kind.ADJUSTMENT, counted, reference))
        return stored
    stock = ProductVariant.objects.values_list("stock", flat=True).get(pk=variant_id)
    return move_stock(variant_id, Kind.ADJUSTMENT, counted - stock, reference=reference, note=note)


@transaction.atomic
def move_many(moves: Sequence[Move]) -> list[StockMovement]:
    """Change the stock of many variants at once, or of none: one movement per wanted change, in their order.

    As many queries for a thousand as for one, up to the size of a statement. Raises as `move_stock`.
    """
    moves = [check_move(move) for move in moves]
    _lock({move.variant_id for move in moves})
    known = _stored(moves)
    result: list[StockMovement] = []
    new: list[StockMovement] = []
    for move in moves:
        key = (str(move.kind), move.reference)
        row = known.get(key) if move.reference else None
        if row is None:
            row = known[key] = _row(move)
            new.append(row)
        elif (row.variant_id, row.units) != (move.variant_id, move.units):
            raise _taken(row, move)
        result.append(row)
    StockMovement.objects.bulk_create(new, batch_size=BATCH)
    _add(new)
    return result


def _row(move: Move) -> StockMovement:
    return StockMovement(
        variant_id=move.variant_id,
        kind=move.kind,
        units=move.units,
        reference=move.reference,
        note=move.note,
        at=move.at or timezone.now(),
    )


def _taken(row: StockMovement, move: Move) -> StockError:
    text = _(
        "The movement {kind} {reference} is stored already, as {stored} units of variant {variant}; "
        "it cannot be {units} units of variant {other} as well."
    )
    return StockError(
        text.format(
            kind=row.kind,
            reference=row.reference,
            stored=row.units,
            variant=row.variant_id,
            units=move.units,
            other=move.variant_id,
        )
    )


def check_move(move: Move) -> Move:
    """The move with no empty reference, once its kind and sign are right; else StockError."""
    if move.kind not in Kind.values:
        raise StockError(_("{kind} is no kind of movement.").format(kind=move.kind))
    if (move.kind in ONLY_IN and move.units < 0) or (move.kind in ONLY_OUT and move.units > 0):
        wanted = _("positive: units come in") if move.kind in ONLY_IN else _("negative: units go out")
        raise StockError(
            _("The units of a movement “{kind}” must be {wanted}. Received: {units}.").format(
                kind=Kind(move.kind).label, wanted=wanted, units=move.units
            )
        )
    if move.reference == "":
        return Move(move.variant_id, move.kind, move.units, None, move.note, move.at)
    return move


def _lock(variant_ids: set[int]) -> None:
    """Hold the variants' rows, in one order, so that two writers neither overtake nor block each other."""
    found: set[int] = set()
    for part in in_parts(sorted(variant_ids)):
        rows = ProductVariant.objects.select_for_update().filter(pk__in=part).order_by("pk")
        found.update(rows.values_list("pk", flat=True))
    if missing := variant_ids - found:
        raise StockError(_("There is no variant {ids}.").format(ids=", ".join(map(str, sorted(missing)[:5]))))


def _stored(moves: Iterable[Move]) -> dict[tuple[str, str | None], StockMovement]:
    """The stored movements of these references, by kind and reference."""
    by_kind: dict[str, set[str]] = {}
    for move in moves:
        if move.reference:
            by_kind.setdefault(str(move.kind), set()).add(move.reference)
    return {
        (row.kind, row.reference): row
        for kind, references in by_kind.items()
        for part in in_parts(sorted(references))
        for row in StockMovement.objects.filter(kind=kind, reference__in=part)
    }


def _add(rows: Iterable[StockMovement]) -> None:
    """Add the rows' units to the stock of their variants, in one prepared statement."""
    sums: Counter[int] = Counter()
    for row in rows:
        sums[row.variant_id] += row.units
    changes = [(units, pk) for pk, units in sorted(sums.items()) if units]
    if not changes:
        return
    quote = connection.ops.quote_name
    table, stock, key = (quote(name) for name in (ProductVariant._meta.db_table, "stock", "id"))
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {stock} = {stock} + %s WHERE {key} = %s", changes)


def in_parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in parts that every database takes in one statement."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
