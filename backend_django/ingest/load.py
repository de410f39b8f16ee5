"""Writing canonical tables into the shop's own: set-based, in batches, each in one transaction.

Writing the same table again changes nothing: suppliers are known by name, variants by SKU, customers by source
and external id, orders by number, returns by reference, stock movements by kind and reference, purchase orders by
number. Past orders and returns move no stock; only `movements` does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl
from django.db import transaction

from api_base import prepared
from authentication import suppression
from authentication.models import Role, User, unusable_password
from ingest import bulk, canonical, journal
from ingest.counts import Counts
from ingest.load_catalogue import (
    catalogue,
    movements,
    must_be_distinct,
    prices,
    purchases,
    sku_ids,
    suppliers,
)
from orders.models import Order, OrderItem, OrderReturn
from retail_ml.errors import BadFrame

__all__ = [
    "Counts", "Written", "catalogue", "customers", "movements", "orders", "prices", "purchases", "returns", "suppliers",
]  # fmt: skip

BATCH_LINES = 20_000
"""Order lines of one transaction: each writes about every page of the indexes anew, and locks out other writers."""
BATCH_CUSTOMERS = 10_000
Progress = Callable[[int], None]
"""Called with the number of rows (orders, returns) that were just written."""


class Written(NamedTuple):
    """What writing orders did."""

    orders: Counts
    lines: Counts
    cents: int
    """Money of the lines written, as it was read back from the database, in cents."""


@transaction.atomic
def customers(frame: pl.DataFrame, *, source: str) -> Counts:
    """Write `canonical.CUSTOMERS` as users with the role customer, known by `source` and external id.

    An e-mail that another user has already is left out (kept counts those customers). Persons who were erased are left
    out; the number under which an erased e-mail turns up is put on the list as well.
    """
    frame = canonical.check(frame, "customers")
    must_be_distinct(frame, ["external_id"], "customers")
    erased = erased_customers(frame, source)
    suppression.remember(source=source, numbers=erased)
    frame = frame.filter(~pl.col("external_id").is_in(list(erased)))
    frame, kept = _with_free_emails(frame.sort("external_id"), source)
    done = Counts(kept=kept)
    for part in frame.iter_slices(BATCH_CUSTOMERS):
        known = part.filter(pl.col("id").is_not_null()).select("id", *CUSTOMER)
        was = journal.read(User, known["id"])
        changed = _change_customers(known)
        new = part.filter(pl.col("id").is_null()).select(*CUSTOMER, "external_id")
        _insert_customers(new, source)
        journal.note(User, was, _users(new["external_id"], source)["id"] if journal.active() else ())
        done += Counts(new.height, known.height - changed, changed)
    return done


CUSTOMER = ["first_name", "last_name", "country", "email", "date_joined"]


def _users(external_ids: pl.Series, source: str) -> pl.DataFrame:
    """`external_id, id` of those whom the shop knows by these numbers of the source."""
    found = bulk.fetch(User, ["external_id", "id", "source"], key="external_id", values=external_ids)
    schema = {"external_id": pl.String, "id": pl.Int64, "source": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row").filter(pl.col("source") == source).drop("source")


def _with_free_emails(frame: pl.DataFrame, source: str) -> tuple[pl.DataFrame, int]:
    """The customers with `id` where they are stored, without e-mails that are another's; and how many those were."""
    email = pl.col("email").str.strip_chars().str.to_lowercase()
    frame = frame.rename({"joined": "date_joined"}).with_columns(email=pl.when(email != "").then(email))
    frame = frame.join(_users(frame["external_id"], source), on="external_id", how="left", maintain_order="left")
    found = bulk.fetch(User, ["email", "id"], key="email", values=frame["email"].drop_nulls().unique())
    owners = pl.DataFrame(found, schema={"email": pl.String, "owner": pl.Int64}, orient="row")
    frame = frame.join(owners, on="email", how="left", maintain_order="left")
    theirs = pl.col("owner").is_not_null() & pl.col("owner").ne_missing(pl.col("id"))
    # Of several who share an e-mail, the one who has it, else the first.
    again = pl.col("owner").is_null() & (pl.int_range(pl.len()).over("email") > 0)
    taken = pl.col("email").is_not_null() & (theirs | again)
    kept = frame.select(taken.sum()).item()
    return frame.with_columns(email=pl.when(~taken).then(pl.col("email"))).drop("owner"), kept


def _change_customers(known: pl.DataFrame) -> int:
    """Give the users with these `id` what the file says of them; how many that changed."""
    stored = User.objects.in_bulk(known["id"].to_list())
    changed = []
    for row in known.iter_rows(named=True):
        user = stored[row.pop("id")]
        values = {name: value for name, value in row.items() if value is not None}
        if any(getattr(user, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(user, name, value)
            changed.append(user)
    prepared.update(changed, CUSTOMER)
    return len(changed)


def _insert_customers(new: pl.DataFrame, source: str) -> None:
    """Insert them all at once, with what else a new customer has."""
    blank = User(role=Role.CUSTOMER, source=source)
    given = {*new.columns, "password"}
    fields = [field for field in User._meta.concrete_fields if not field.primary_key]
    rest = {str(field.column): getattr(blank, field.attname) for field in fields}
    passwords = [unusable_password() for _ in range(new.height)]
    texts = new.with_columns(pl.col("first_name", "last_name", "country").fill_null(""))
    texts = texts.with_columns(pl.col("date_joined").fill_null(blank.date_joined))
    same = [pl.lit(value).alias(name) for name, value in rest.items() if name not in given]
    bulk.insert(User, texts.with_columns(pl.Series("password", passwords, dtype=pl.String), *same))


def erased_customers(frame: pl.DataFrame, source: str) -> set[str]:
    """The external ids of those of `canonical.CUSTOMERS` who were erased, by their number or by their e-mail."""
    emails = frame["email"].drop_nulls().unique()
    found = list(suppression.erased_emails(emails))
    by_email = frame.filter(pl.col("email").is_in(found))["external_id"]
    return suppression.erased_numbers(source, frame["external_id"]) | set(by_email)


def orders(
    heads: pl.DataFrame,
    lines: pl.DataFrame,
    *,
    source: str,
    batch: int = BATCH_LINES,
    progress: Progress | None = None,
) -> Written:
    """Write `canonical.ORDERS` with all their `canonical.LINES`; customers must have been written under `source`.

    Orders of persons who were erased are written as a guest's.
    An order that is stored takes the file's head and lines: lines of one SKU are compared one after the other,
    changed in place, added, or taken away; one that has a return is kept. Each batch reads its money back and
    raises, writing nothing of it, when it is not what the lines say.
    """
    heads, lines = canonical.check(heads, "orders"), canonical.check(lines, "lines")
    _check_orders(heads, lines)
    lines = lines.join(sku_ids(lines["sku"], "lines"), on="sku", how="left", maintain_order="left").drop("sku")
    amount = (pl.col("units") * pl.col("unit_price") - pl.col("discount")).round(2, "half_to_even")
    lines = lines.with_columns(pl.col("discount").fill_null(0)).with_columns(amount=amount.cast(canonical.MONEY))
    if (below := lines.filter(pl.col("amount") < 0)).height:
        raise BadFrame(f"lines: the discount is more than the line in order {below['order_number'][0]}")
    heads = _with_customer(heads, source).join(
        lines.group_by("order_number").agg(pl.len(), subtotal=pl.col("amount").sum()), on="order_number", how="left"
    )
    heads = heads.with_columns(pl.col("shipping", "tax", "subtotal", "len").fill_null(0))
    heads = heads.with_columns(
        pl.col("subtotal").cast(canonical.MONEY),
        total=(pl.col("subtotal") + pl.col("shipping") + pl.col("tax")).cast(canonical.MONEY),
        channel=pl.col("channel").fill_null("store"),
        currency=pl.col("currency").fill_null("EUR"),
        is_test=pl.col("is_test").fill_null(value=False),
    ).sort("placed_at", "order_number")
    rank = heads.select("order_number").with_row_index("at_row")
    lines = lines.join(rank, on="order_number", maintain_order="left").sort("at_row", maintain_order=True)
    lines = lines.drop("at_row")
    done, at = Written(Counts(), Counts(), 0), 0
    for part in heads.with_columns(part=pl.col("len").cum_sum() // batch).partition_by("part", maintain_order=True):
        upto = at + int(part["len"].sum())
        with transaction.atomic():
            did = _write_orders(part, lines[at:upto])
        at = upto
        done = Written(done.orders + did.orders, done.lines + did.lines, done.cents + did.cents)
        if progress:
            progress(part.height)
    return done


def _check_orders(heads: pl.DataFrame, lines: pl.DataFrame) -> None:
    must_be_distinct(heads, ["order_number"], "orders")
    if wrong := set(heads["status"].unique()) - set(Order.Status.values):
        raise BadFrame(f"orders.status is {', '.join(sorted(wrong))}; known: {', '.join(Order.Status.values)}")
    if (lost := lines.join(heads, on="order_number", how="anti")).height:
        raise BadFrame(f"lines: order {lost['order_number'][0]} is not among the orders")
    for column, least in (("units", 1), ("unit_price", 0), ("discount", 0)):
        if (bad := lines.filter(pl.col(column) < least)).height:
            raise BadFrame(
                f"lines.{column} of order {bad['order_number'][0]}, SKU {bad['sku'][0]} is {bad[column][0]}; "
                f"at least {least} is needed. What came back belongs in the returns",
                column=column,
            )


def _with_customer(heads: pl.DataFrame, source: str) -> pl.DataFrame:
    """`heads` with `customer_id` as the user's id."""
    wanted = set(heads["customer_id"].drop_nulls())
    known = User.objects.filter(source=source).values_list("external_id", "pk")
    found = pl.DataFrame(
        [row for row in known.iterator() if row[0] in wanted],
        schema={"customer_id": pl.String, "user": pl.Int64},
        orient="row",
    )
    missing = wanted - set(found["customer_id"])
    if unknown := sorted(missing - suppression.erased_numbers(source, missing)):
        raise BadFrame(
            f"orders: {len(unknown)} customer(s) are not in the shop under source {source}, such as "
            f"{', '.join(unknown[:3])}; write the customers first",
            source=source,
        )
    joined = heads.join(found, on="customer_id", how="left", maintain_order="left")
    return joined.drop("customer_id").rename({"user": "customer_id"})


HEAD = ["customer_id", "placed_at", "status", "channel", "currency", "shipping", "tax", "subtotal", "total", "is_test"]


def _write_orders(heads: pl.DataFrame, lines: pl.DataFrame) -> Written:
    heads = heads.select("order_number", *HEAD)
    numbers = heads["order_number"].to_list()
    stored = _stored_heads(numbers, heads.schema)
    now = pl.lit(datetime.now(UTC), dtype=canonical.AT)
    new = heads.join(stored, on="order_number", how="anti", maintain_order="left")
    bulk.insert(Order, new.with_columns(updated_at=now))
    both = heads.join(stored, on="order_number", how="inner", suffix="_stored", maintain_order="left")
    was = journal.read_orders(both["id"])
    differs = both.filter(pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_stored")) for c in HEAD))
    ids = pl.DataFrame(
        bulk.fetch(Order, ["order_number", "id"], key="order_number", values=numbers),
        schema={"order_number": pl.String, "order_id": pl.Int64},
        orient="row",
    )
    lines = lines.join(ids, on="order_number", how="left", maintain_order="left")
    old_ids = both["id"].to_list()
    did, touched, kept = _write_lines(lines, old_ids)
    changed = both.filter(pl.col("id").is_in([*differs["id"], *touched]))
    bulk.update(Order, changed.select("id", *HEAD).with_columns(updated_at=now))
    cents = _cents(ids["order_id"].to_list())
    expected = int((lines["amount"].sum() or 0) * 100)
    if cents != expected + kept:
        raise BadFrame(
            f"orders {numbers[0]} to {numbers[-1]}: {expected / 100:.2f} was to be stored, {cents / 100:.2f} came "
            "back from the database; nothing of this batch was written"
        )
    journal.note_orders(was, ids["order_id"])
    counts = Counts(new.height, both.height - changed.height, changed.height)
    return Written(counts, did, cents - kept)


def _stored_heads(numbers: list[str], schema: pl.Schema) -> pl.DataFrame:
    rows = Order.objects.filter(order_number__in=numbers).order_by().values_list("order_number", *HEAD, "pk")
    return pl.DataFrame(list(rows), schema={**schema, "id": pl.Int64()}, orient="row")


def _cents(order_ids: list[int]) -> int:
    total = f"COALESCE(SUM({bulk.scaled('amount', 100)}), 0)"
    found = bulk.fetch(OrderItem, [total], key="order_id", values=order_ids)
    return int(found[0][0]) if found else 0


LINE_KEY = ["order_id", "variant_id", "nth"]


def _nth(frame: pl.DataFrame) -> pl.DataFrame:
    """Number the lines of one variant in one order 0, 1, … in their order."""
    nth = pl.int_range(pl.len(), dtype=pl.Int64).over("order_id", "variant_id")
    return frame.with_columns(nth=nth)


def _stored_lines(order_ids: list[int]) -> pl.DataFrame:
    columns = ["id", "order_id", "variant_id", "units", bulk.scaled("unit_price", 10_000), bulk.scaled("discount", 100)]
    names = ("id", "order_id", "variant_id", "units_stored", "price_stored", "discount_stored")
    found = bulk.fetch(OrderItem, columns, key="order_id", values=order_ids)
    return _nth(pl.DataFrame(found, schema={name: pl.Int64() for name in names}, orient="row").sort("id"))


def _write_lines(lines: pl.DataFrame, old_ids: list[int]) -> tuple[Counts, set[int], int]:
    """Write the lines: counts, the stored orders whose lines changed, and the cents in lines kept for their returns."""
    values = ["units", "unit_price", "discount", "amount"]
    if not old_ids:
        bulk.insert(OrderItem, lines.select("order_id", "variant_id", *values))
        return Counts(lines.height), set(), 0
    stored = _stored_lines(old_ids)
    joined = _nth(lines).join(stored, on=LINE_KEY, how="left", maintain_order="left")
    new = joined.filter(pl.col("id").is_null())
    bulk.insert(OrderItem, new.select("order_id", "variant_id", *values))
    differs = joined.filter(
        (pl.col("units") != pl.col("units_stored"))
        | ((pl.col("unit_price") * 10_000).cast(pl.Int64) != pl.col("price_stored"))
        | ((pl.col("discount") * 100).cast(pl.Int64) != pl.col("discount_stored"))
    )
    bulk.update(OrderItem, differs.select("id", *values))
    surplus = stored.join(joined, on=LINE_KEY, how="anti")
    returned = {pk for (pk,) in bulk.fetch(OrderReturn, ["item_id"], key="item_id", values=surplus["id"])}
    gone = surplus.filter(~pl.col("id").is_in(list(returned)))
    OrderItem.objects.filter(pk__in=gone["id"].to_list()).delete()
    kept = bulk.fetch(OrderItem, [bulk.scaled("amount", 100)], key="id", values=sorted(returned))
    touched = {*new["order_id"], *differs["order_id"], *gone["order_id"]} & set(old_ids)
    same = joined.height - new.height - differs.height
    counts = Counts(new.height, same, differs.height + gone.height, len(returned))
    return counts, touched, sum(cents for (cents,) in kept)


def returns(frame: pl.DataFrame, *, batch: int = 20_000, progress: Progress | None = None) -> Counts:
    """Write `canonical.RETURNS` beside the order lines they belong to; a stored reference takes the file's values.

    Raises BadFrame when the line does not exist, or more units would come back than the line sold.
    """
    frame = canonical.check(frame, "returns")
    must_be_distinct(frame, ["reference"], "returns")
    if (bad := frame.filter((pl.col("units") < 1) | (pl.col("amount") < 0))).height:
        raise BadFrame(f"return {bad['reference'][0]}: units must be at least 1 and the amount at least 0")
    frame = frame.join(sku_ids(frame["sku"], "returns"), on="sku", how="left", maintain_order="left")
    frame = frame.with_columns(nth=pl.col("line").fill_null(0)).sort("returned_at", "reference")
    done = Counts()
    for part in frame.iter_slices(batch):
        with transaction.atomic():
            done += _write_returns(part)
        if progress:
            progress(part.height)
    return done


def _write_returns(part: pl.DataFrame) -> Counts:
    found = bulk.fetch(Order, ["order_number", "id"], key="order_number", values=part["order_number"].unique())
    ids = pl.DataFrame(found, schema={"order_number": pl.String, "order_id": pl.Int64}, orient="row")
    items = _stored_lines(ids["order_id"].to_list()).select(*LINE_KEY, "units_stored", item_id="id")
    part = part.join(ids, on="order_number", how="left", maintain_order="left")
    part = part.join(items, on=LINE_KEY, how="left", maintain_order="left")
    if (lost := part.filter(pl.col("item_id").is_null())).height:
        row = lost.row(0, named=True)
        raise BadFrame(
            f"return {row['reference']}: order {row['order_number']} has no line {row['nth'] + 1} of SKU {row['sku']}"
        )
    columns = ["id", "reference", "item_id", "units", bulk.scaled("amount", 100)]
    stored = pl.DataFrame(
        bulk.fetch(OrderReturn, columns, key="reference", values=part["reference"]),
        schema={"id": pl.Int64, "reference": pl.String, "item_was": pl.Int64, "was": pl.Int64, "cents_were": pl.Int64},
        orient="row",
    )
    joined = part.join(stored, on="reference", how="left", maintain_order="left")
    new = joined.filter(pl.col("id").is_null())
    was = journal.read(OrderReturn, stored["id"])
    values = ["item_id", "units", "amount", "returned_at"]
    bulk.insert(OrderReturn, new.select("reference", *values))
    differs = joined.filter(
        (pl.col("item_id") != pl.col("item_was"))
        | (pl.col("units") != pl.col("was"))
        | ((pl.col("amount") * 100).cast(pl.Int64) != pl.col("cents_were"))
    )
    bulk.update(OrderReturn, differs.select("id", *values))
    _check_units(joined)
    if journal.active():
        made = bulk.fetch(OrderReturn, ["id"], key="reference", values=new["reference"])
        journal.note(OrderReturn, was, [pk for (pk,) in made])
    return Counts(new.height, joined.height - new.height - differs.height, differs.height)


def _check_units(joined: pl.DataFrame) -> None:
    sold = joined.select("item_id", "units_stored", "order_number", "sku").unique("item_id")
    found = bulk.fetch(OrderReturn, ["item_id", "units"], key="item_id", values=sold["item_id"])
    back = pl.DataFrame(found, schema={"item_id": pl.Int64, "back": pl.Int64}, orient="row")
    back = back.group_by("item_id").agg(pl.col("back").sum())
    if (over := sold.join(back, on="item_id").filter(pl.col("back") > pl.col("units_stored"))).height:
        row = over.sort("order_number", "sku").row(0, named=True)
        raise BadFrame(
            f"order {row['order_number']}, SKU {row['sku']}: {row['back']} units would have come back of "
            f"{row['units_stored']} sold"
        )
