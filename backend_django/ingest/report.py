"""The reconciliation: every row read is stored or left out for a reason, and so is every cent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import polars as pl
from django.utils.translation import gettext

from ingest import said
from ingest.rows import CHARGES, REASONS, Rows
from ingest.sales import Result, Sales
from ingest.whole_orders import NOTES

EXAMPLES = 3


@dataclass(frozen=True)
class LeftOut:
    """The rows left out for one reason."""

    reason: str
    rows: int
    cents: int
    examples: list[str]


@dataclass(frozen=True)
class Reconciliation:
    """Rows and money of an import; money in cents."""

    rows_read: int
    sale_rows: int
    shipping_rows: int
    return_rows: int
    left_out: list[LeftOut]
    orders: int
    customers: int
    guests: int
    erased: int
    products: int
    return_pieces: int
    return_units_left: int
    repeats: int
    cents_in: int
    line_cents: int
    charge_cents: int
    return_cents: int
    left_out_of_returns: int
    rounding: int
    unknown_money_rows: int
    added: int
    """Rows that stand for figures of whole orders; they are among `rows_read`."""
    notes: list[LeftOut]
    """What was taken for granted of whole orders: `rows` are orders here, and nothing is left out."""

    @property
    def stored(self) -> int:
        """Money that the shop's tables hold of these files: lines and charges less what was given back."""
        return self.line_cents + self.charge_cents - self.return_cents

    @property
    def left(self) -> int:
        """Money left out, of whole rows and of the unmatched parts of returns."""
        return sum(x.cents for x in self.left_out) + self.left_out_of_returns

    @property
    def difference(self) -> int:
        """Money in less stored, left out and rounding: nothing, or something is wrong."""
        return self.cents_in - self.stored - self.left - self.rounding

    @property
    def balanced(self) -> bool:
        """Whether every row and every cent is accounted for."""
        rows = self.sale_rows + self.shipping_rows + self.return_rows + sum(x.rows for x in self.left_out)
        return self.difference == 0 and rows == self.rows_read


def reconcile(rows: Rows, sales: Sales, result: Result | None) -> Reconciliation:
    """Account for every row and cent. With `result` None (a dry run) for what would be stored."""
    frame = sales.rows
    kinds = dict(frame.group_by("kind").len().iter_rows())
    stays = frame.filter(pl.col("kind").is_not_null())
    # Shipping and tax columns are money of the order, not of a row: they come in as the order has them.
    of_rows = int(stays.filter(pl.col("kind").is_in(CHARGES))["cents"].sum())
    charges = int((sales.orders.select(pl.col("shipping") + pl.col("tax")).to_series().sum() or 0) * 100)
    return Reconciliation(
        rows_read=frame.height,
        sale_rows=kinds.get("sale", 0),
        shipping_rows=sum(kinds.get(kind, 0) for kind in CHARGES),
        return_rows=kinds.get("return", 0),
        left_out=_left_out(frame, rows.parts),
        orders=sales.orders.height,
        customers=sales.customers.height,
        guests=sales.orders["customer_id"].null_count(),
        erased=sales.erased_orders,
        products=sales.catalogue.height,
        return_pieces=sales.returns.height,
        return_units_left=sales.return_units_left,
        repeats=rows.repeats,
        cents_in=int(frame["cents_in"].sum()) + charges - of_rows,
        line_cents=result.line_cents if result else _cents_of_lines(sales.lines),
        charge_cents=result.charge_cents if result else charges,
        return_cents=result.return_cents if result else int((sales.returns["amount"].sum() or 0) * 100),
        left_out_of_returns=sales.cents_left_of_returns,
        rounding=int((stays["cents_in"] - stays["cents"]).sum()),
        unknown_money_rows=frame["cents_in"].null_count(),
        added=rows.added,
        notes=_notes(rows),
    )


def _notes(rows: Rows) -> list[LeftOut]:
    if rows.notes is None:
        return []
    found = []
    for code in NOTES:
        group = rows.notes.filter(pl.col("code") == code)
        some = group.sort("part", "line").head(EXAMPLES).select("part", "line", "order_number")
        examples = [f"{rows.parts[part]}, line {line}: {number}" for part, line, number in some.iter_rows()]
        if examples:
            found.append(LeftOut(code, group.height, int(group["cents"].sum()), examples))
    return found


def _cents_of_lines(lines: pl.DataFrame) -> int:
    amount = (pl.col("units") * pl.col("unit_price") - pl.col("discount")).round(2, "half_to_even")
    return int(lines.select((amount * 100).cast(pl.Int64).sum()).item())


def _left_out(frame: pl.DataFrame, parts: list[str]) -> list[LeftOut]:
    found = []
    gone = frame.filter(pl.col("reason").is_not_null())
    for reason in REASONS:
        group = gone.filter(pl.col("reason") == reason)
        if group.is_empty():
            continue
        some = group.sort("row").head(EXAMPLES).iter_rows(named=True)
        found.append(LeftOut(reason, group.height, int(group["cents_in"].sum()), [row_example(r, parts) for r in some]))
    return found


def where(row: dict[str, object], parts: list[str]) -> str:
    """File and line of a row."""
    return f"{parts[int(str(row['part']))]}, line {row['line']}"


def row_example(row: dict[str, object], parts: list[str]) -> str:
    """A row for a reader: where it stands, and what is wrong with it or what it holds."""
    if row["detail"]:
        return f"{where(row, parts)}: {row['detail']}"
    whole, _point, decimals = str(row["unit_price"]).partition(".")
    price = f"{whole}.{decimals.rstrip('0'):0<2}"
    return f"{where(row, parts)}: {row['order_number']}, {row['sku']}, {row['units']} × {price}"


def write_errors(path: Path, frame: pl.DataFrame, parts: list[str]) -> int:
    """Every row left out, as CSV at `path`: file, line, reason, what is wrong, and the fields as they were read."""
    gone = frame.filter(pl.col("reason").is_not_null()).sort("row")
    names = pl.DataFrame({"part": range(len(parts)), "file": parts}, schema={"part": pl.Int16, "file": pl.String})
    table = gone.join(names, on="part", how="left", maintain_order="left").select(
        "file", "line", "reason", "detail", "order_number", "placed_at", "sku", "units", "unit_price", "customer_id",
        "product_name",
    )  # fmt: skip
    table.write_csv(path)
    return table.height


def money(cents: int) -> str:
    """Cents with two decimals and thousands parted, as the language writes them.

    >>> money(-1234567)
    '-12,345.67'
    """
    return said.number(Decimal(cents) / 100, 2)


def sentences(r: Reconciliation, *, currency: str, dry_run: bool) -> Iterable[str]:
    """The reconciliation as lines of text, in the language of the console."""
    added = gettext("{n} of them figures of whole orders").format(n=said.number(r.added))
    yield _row(gettext("Rows read"), said.number(r.rows_read), 24) + (f", {added}" if r.added else "")
    orders = gettext("in {orders} orders ({guests} by guests)").format(
        orders=said.number(r.orders), guests=said.number(r.guests)
    )
    yield _count(gettext("sale lines"), r.sale_rows, orders)
    if r.erased:
        erased = gettext("{n} of these guests' orders are of persons who were erased")
        yield f"{'':27} · {erased.format(n=said.number(r.erased))}"
    yield _count(gettext("shipping, tax"), r.shipping_rows, gettext("into their orders"))
    matched = gettext("matched to their sales, as {n} rows").format(n=said.number(r.return_pieces))
    yield _count(gettext("returns"), r.return_rows, matched)
    for group in r.left_out:
        why = f"{group.reason}: {said.reason(group.reason)}"
        yield _count(gettext("left out"), group.rows, f"{why} ({money(group.cents)} {currency})")
        for example in group.examples:
            yield f"{'':27} · {said.example(example)}"
    for group in r.notes:
        yield gettext("Orders {n} ({money}), {code}: {what}").format(
            n=said.number(group.rows),
            money=f"{money(group.cents)} {currency}",
            code=group.reason,
            what=said.note(group.reason),
        )
        for example in group.examples:
            yield f"{'':27} · {said.example(example)}"
    if r.repeats:
        repeats = gettext("Lines that their order holds more than once, wholly alike: {n}; kept (or: --repeats drop)")
        yield repeats.format(n=said.number(r.repeats))
    if r.return_units_left:
        yield gettext("Of these returns {n} units ({money}) found no sale and are left out").format(
            n=said.number(r.return_units_left), money=money(r.left_out_of_returns)
        )
    if r.unknown_money_rows:
        unknown = gettext("Rows whose money cannot be read: {n}; they are in no sum")
        yield unknown.format(n=said.number(r.unknown_money_rows))
    yield ""
    yield from _sums(r, currency=currency, dry_run=dry_run)


def _sums(r: Reconciliation, *, currency: str, dry_run: bool) -> Iterable[str]:
    lines = gettext("lines that would be stored") if dry_run else gettext("lines stored")
    yield _row(gettext("Money in the files"), money(r.cents_in), 43) + f" {currency}"
    yield _row(f"  = {lines}", money(r.line_cents), 43)
    yield _row("  + " + gettext("shipping and tax"), money(r.charge_cents), 43)
    yield _row("  − " + gettext("returned"), money(r.return_cents), 43)
    yield _row("  + " + gettext("left out"), money(r.left), 43)
    if r.rounding:
        yield _row("  + " + gettext("rounding of prices to four decimals"), money(r.rounding), 43)
    wrong = "" if r.balanced else "   ← " + gettext("this must be nothing")
    yield _row(gettext("Difference"), money(r.difference), 43) + wrong


def _count(label: str, rows: int, more: str) -> str:
    return f"{_row(f'  {label}', said.number(rows), 26)}   {more}"


def _row(label: str, figure: str, width: int) -> str:
    """A label and its figure, which ends at the column `width` where there is room."""
    return f"{label} {figure:>{max(1, width - len(label) - 1)}}"
