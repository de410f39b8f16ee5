"""Rows taken back: removed where an import made them, put back as they were, and what stands in the way of either."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl
from django.db import connection, models

from api_base import prepared
from authentication.models import User
from ingest import bulk, canonical, prints
from ingest.models import ImportEntry
from ingest.prints import LINE_SCHEMA, MODELS, Kind, Values
from orders.models import Order, OrderItem, OrderReturn
from products.models import ProductVariant, StockMovement

Gone = dict[type[models.Model], set[int]]
"""In a dry run: the rows that would be gone by now. Nothing leans on anything for them."""


def leaned_on(model: type[models.Model], ids: Iterable[int], gone: Gone) -> set[int]:
    """Those of `ids` that a row of another table, or of this one, points to."""
    wanted, found = list(ids), set[int]()
    fields: Any = model._meta.get_fields(include_hidden=True)
    for relation in fields:
        if not (relation.auto_created and not relation.concrete and (relation.one_to_many or relation.one_to_one)):
            continue
        child, field = relation.related_model, relation.field
        if model is Order and child is OrderItem:
            continue
        columns = [field.column, child._meta.pk.column, *(["order_id"] if child is OrderItem else [])]
        for target, pk, *order in _distinct(child, columns, wanted, gone):
            if pk not in gone.get(child, ()) and not (order and order[0] in gone.get(Order, ())):
                found.add(target)
    return found | (_with_returns(wanted, gone) if model is Order else set())


def _distinct(child: Any, columns: list[str], ids: list[int], gone: Gone) -> list[tuple[Any, ...]]:
    """The child rows of these ids; outside a dry run one of each is enough."""
    if gone:
        return bulk.fetch(child, columns, key=columns[0], values=ids)
    return [(row[0], None) for row in bulk.fetch(child, [f"DISTINCT {columns[0]}"], key=columns[0], values=ids)]


def _with_returns(orders: list[int], gone: Gone) -> set[int]:
    return {row[0] for row in returned(orders, gone).iter_rows()}


def returned(orders: Iterable[int], gone: Gone) -> pl.DataFrame:
    """`order_id, item_id, back`: units that came back of each line of these orders."""
    among, given = bulk.among(orders)
    query = f"""
        SELECT i.order_id, i.id, r.id, r.units FROM {bulk.table(OrderReturn)} r
          JOIN {bulk.table(OrderItem)} i ON i.id = r.item_id WHERE i.order_id {among}
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [given])
        rows = cursor.fetchall()
    schema = dict.fromkeys(("order_id", "item_id", "return_id", "back"), pl.Int64)
    table = pl.DataFrame(rows, schema=schema, orient="row")
    table = table.filter(~pl.col("return_id").is_in(list(gone.get(OrderReturn, ()))))
    return table.group_by("order_id", "item_id").agg(pl.col("back").sum()).sort("item_id")


def counted_since(ids: Iterable[int], gone: Gone) -> set[int]:
    """Movements of variants that were counted after them: the count stands on the stock that they made."""
    moves, (among, given) = bulk.table(StockMovement), bulk.among(ids)
    query = f"""
        SELECT m.id, c.id FROM {moves} m JOIN {moves} c ON c.variant_id = m.variant_id AND c.id > m.id AND c.at >= m.at
         WHERE c.kind = %s AND m.id {among}
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [StockMovement.Kind.ADJUSTMENT.value, given])
        found = cursor.fetchall()
    return {move for move, count in found if count not in gone.get(StockMovement, ())}


# --- removing -------------------------------------------------------------------------------------


def remove(kind: Kind, ids: list[int]) -> None:
    """Delete the rows; an order with its lines, a movement with what it did to the stock."""
    if kind == Kind.ORDER:
        bulk.delete(OrderItem, ids, key="order_id")
    elif kind == Kind.MOVEMENT:
        moves = bulk.fetch(StockMovement, ["variant_id", "units"], key="id", values=ids)
        sums = pl.DataFrame(moves, schema={"id": pl.Int64, "units": pl.Int64}, orient="row").group_by("id").agg(
            stock=-pl.col("units").sum()
        )  # fmt: skip
        bulk.update(ProductVariant, sums.sort("id"), add=True)
    bulk.delete(MODELS[kind], ids)


# --- putting back ---------------------------------------------------------------------------------


class Orders:
    """Orders as they were, from their entries; `lines` as LINE_SCHEMA."""

    def __init__(self, entries: Iterable[ImportEntry]) -> None:
        self.heads = {entry.object_id: json.loads(entry.before or "{}") for entry in entries}
        rows = [
            [line[0], order, *line[1:]] for order, head in self.heads.items() for line in head.pop("lines")
        ]  # fmt: skip
        self.lines = pl.DataFrame(rows, schema=LINE_SCHEMA, orient="row")
        for head in self.heads.values():
            head["placed_at"] = datetime.fromisoformat(head["placed_at"])

    def obstacles(self, gone: Gone) -> dict[int, str]:
        """Order → why it cannot be put back: more came back than it would have sold, or its goods are no more."""
        back = returned(self.heads, gone).join(self.lines, left_on="item_id", right_on="id", how="left")
        over = back.filter(pl.col("back") > pl.col("units").fill_null(0))["order_id"]
        variants = self.lines["variant_id"].unique()
        known = {pk for (pk,) in bulk.fetch(ProductVariant, ["id"], key="id", values=variants)}
        lost = self.lines.filter(~pl.col("variant_id").is_in(list(known)))["order_id"]
        return dict.fromkeys(lost, "gone") | dict.fromkeys(over, "returns")

    def added(self, orders: Iterable[int]) -> pl.Series:
        """The lines that these orders have now and had not."""
        now = prints.read_orders(orders).lines
        return now.join(self.lines, on="id", how="anti")["id"]

    def put_back(self, orders: list[int]) -> None:
        """Write heads and lines as they were."""
        lines = self.lines.filter(pl.col("order_id").is_in(orders))
        bulk.delete(OrderItem, self.added(orders))
        values = lines.select(
            "id", "order_id", "variant_id", "units",
            unit_price=(pl.col("price").cast(pl.Decimal(38, 4)) / 10_000).cast(canonical.UNIT_PRICE),
            discount=(pl.col("discount").cast(pl.Decimal(38, 2)) / 100).cast(canonical.MONEY),
            amount=(pl.col("cents").cast(pl.Decimal(38, 2)) / 100).cast(canonical.MONEY),
        )  # fmt: skip
        there = [pk for (pk,) in bulk.fetch(OrderItem, ["id"], key="id", values=values["id"])]
        bulk.update(OrderItem, values.filter(pl.col("id").is_in(there)))
        bulk.insert(OrderItem, values.filter(~pl.col("id").is_in(there)))
        bulk.update(Order, self._heads(orders, values))

    def _heads(self, orders: list[int], lines: pl.DataFrame) -> pl.DataFrame:
        people = {head["customer_id"] for pk, head in self.heads.items() if pk in set(orders)} - {None}
        known = {pk for (pk,) in bulk.fetch(User, ["id"], key="id", values=people)}
        rows = [self.heads[pk] for pk in orders]
        table = pl.DataFrame(rows, schema_overrides={"customer_id": pl.Int64, "placed_at": canonical.AT})
        sums = lines.group_by("order_id").agg(subtotal=pl.col("amount").sum())
        table = table.join(sums, left_on="id", right_on="order_id", how="left", maintain_order="left").with_columns(
            pl.col("shipping", "tax").str.to_decimal(scale=2).cast(canonical.MONEY),
            pl.col("subtotal").fill_null(0).cast(canonical.MONEY),
            customer_id=pl.when(pl.col("customer_id").is_in(list(known))).then(pl.col("customer_id")),
            updated_at=pl.lit(datetime.now(UTC), dtype=canonical.AT),
        )
        total = (pl.col("subtotal") + pl.col("shipping") + pl.col("tax")).cast(canonical.MONEY)
        return table.with_columns(total=total)


def obstacles(kind: Kind, before: Mapping[int, Values]) -> dict[int, str]:
    """Row → why it cannot be put back: what it pointed to is no more, or its e-mail or reference is another's now."""
    model, found = MODELS[kind], dict[int, str]()
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey):
            wanted = {values[field.attname] for values in before.values()} - {None}
            known = {pk for (pk,) in bulk.fetch(field.related_model, ["id"], key="id", values=wanted)}
            lost = [pk for pk, values in before.items() if values[field.attname] not in {None, *known}]
            if field.null:
                for pk in lost:
                    before[pk][field.attname] = None
            else:
                found |= dict.fromkeys(lost, "gone")
    unique = {Kind.CUSTOMER: "email", Kind.RETURN: "reference"}.get(kind)
    if unique:
        theirs = {values[unique]: pk for pk, values in before.items() if values[unique]}
        others = bulk.fetch(model, [unique, "id"], key=unique, values=list(theirs))
        found |= {theirs[text]: "taken" for text, pk in others if theirs[text] != pk}
    return found


def put_back(kind: Kind, before: Mapping[int, Values], *, deleted: bool) -> None:
    """Write the rows' values as they were; `deleted`: under the numbers that they had."""
    model = MODELS[kind]
    rows = [model(pk=pk, **_typed(model, values)) for pk, values in before.items()]
    if deleted:
        model._base_manager.bulk_create(rows)
    elif rows:
        if kind == Kind.MOVEMENT:
            _move_back(before)
        names = prints.columns_of(model)
        fields = [field.name for field in model._meta.concrete_fields if field.attname in names]
        prepared.update(rows, fields)


def _move_back(before: Mapping[int, Values]) -> None:
    """Give the variants of these movements the stock that they had with them as they were."""
    now = bulk.fetch(StockMovement, ["id", "variant_id", "units"], key="id", values=list(before))
    sums: Counter[int] = Counter()
    for pk, variant, units in now:
        sums[variant] += int(before[pk]["units"]) - units
    table = pl.DataFrame(sorted(sums.items()), schema={"id": pl.Int64, "stock": pl.Int64}, orient="row")
    bulk.update(ProductVariant, table.filter(pl.col("stock") != 0), add=True)


def _typed(model: type[models.Model], values: Values) -> Values:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return {
        name: value if isinstance(fields[name], models.JSONField | models.ForeignKey) else fields[name].to_python(value)
        for name, value in values.items()
    }
