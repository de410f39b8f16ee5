"""From files to rows: every row of every part, read, its money known, and either of a kind or left out for a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from django.utils.translation import gettext_noop as _

from ingest import canonical, copies, parse, readers
from ingest.copies import beside
from ingest.errors import BadFile
from ingest.presets.base import REQUIRED, Preset

REASONS = {
    "unreadable": _("a cell cannot be read, or a needed one is empty"),
    "copy": _("the same row stands in another file or sheet, or its whole order further up"),
    "repeat": _("the same row stands in its order again (--repeats drop)"),
    "not_a_sale": _("bookkeeping under an order's number, such as bad debt"),
    "not_a_product": _("an SKU that is no goods (fees, samples, vouchers, tests)"),
    "negative_price": _("a negative price"),
    "write_off": _("negative units outside a cancellation: stock written off"),
    "zero_price": _("price 0: found, damaged or given away"),
    "cancellation_positive": _("positive units in a cancellation"),
    "charge_alone": _("postage given back, or of an order without goods"),
    "return_unmatched": _("came back, and no earlier sale to that customer has units left"),
    "order_incomplete": _("another line of its order cannot be read, so the order is left out whole"),
    "order_test": _("a test order"),
    "order_cancelled": _("a cancelled order"),
    "order_unpaid": _("an order that is not paid: pending, voided, expired or failed"),
    "no_units": _("a line that was taken out of its order: no units"),
    "refund_of_charges": _("money given back for shipping or tax, or beyond the goods"),
    "refund_money": _("a refund without units: taken off its line as a discount"),
    "order_status": _("an order with a status that is not known here"),
    "order_fee": _("a fee of the order, which is no goods"),
    "order_rounding": _("cents between an order's total and its parts"),
    "order_total": _("an order's total is not what its lines, shipping and tax add up to"),
    "test_orders": _("a test order (left out on your word)"),
    "gift_cards": _("a gift card (left out on your word)"),
    "giant_quantity": _("a quantity far beyond what is usual (left out on your word)"),
    "price_far_off": _("a price far from what is usual (left out on your word)"),
    "future_dates": _("dated in the future (left out on your word)"),
    "free_lines": _("it brought no money (left out on your word)"),
}
"""Why a row is left out; the first that holds counts. In English for the console; a page translates them."""

CHARGES = ("shipping", "tax")
"""Kinds of rows that are no line, but money of their order."""
LEAVABLE = ("test_orders", "gift_cards", "giant_quantity", "price_far_off", "future_dates", "free_lines")
"""Findings of the doctor (`ingest.doctor`) whose rows the owner may leave out."""
STATUSES = ("pending", "confirmed", "processing", "shipped", "delivered", "completed", "cancelled", "refunded")
MOST_UNITS, MOST_MONEY = 2_147_483_647, 99_999_999
MOST_CENTS = 99_999_999_999_999
"""Of one line: as many digits as its amount has in the shop."""
LONGEST = {"order_number": 60, "sku": 50, "customer_id": 120, "email": 120}
"""Characters: a return's reference holds both numbers and has room for 120."""
TEXTS = {"product_name": 255, "product_code": 120, "category": 120, "country": 80, "channel": 40}
"""Texts that are cut to as many characters."""


@dataclass(frozen=True)
class Options:
    """How the files are to be read; what a file says itself wins over `currency` and `channel`."""

    time_zone: str
    currency: str
    channel: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """Field → header, over the preset's own."""
    decimal: str = "auto"
    date_order: str = "auto"
    repeats: str = "keep"


@dataclass(frozen=True)
class Rows:
    """All rows read. `frame`: `row, part, line`, the fields, `cents_in` (null: unknown), `cents`, `kind`, `reason`."""

    frame: pl.DataFrame
    parts: list[str]
    repeats: int
    """Rows that stand in their order more than once and were kept as lines."""
    notes: pl.DataFrame | None = None
    """What was taken for granted of whole orders; see `presets.base.Shaped`."""
    added: int = 0
    """Rows that stand for figures of whole orders: shipping, tax, refunds, differences."""


def read_rows(paths: Iterable[Path], preset: Preset, options: Options) -> Rows:
    """Read every file wholly before anything is written; raises BadFile when one cannot be."""
    frames: list[pl.DataFrame] = []
    labels: list[str] = []
    for part in _parts(paths, preset, options):
        frames.append(parsed(part, preset, options).with_columns(part=pl.lit(len(labels), pl.Int16)))
        labels.append(part.label)
        del part  # the cells as text are large, and the next file comes before the name is taken again
    frame = pl.concat(frames, how="vertical_relaxed").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    frames.clear()
    if frame.is_empty():
        raise BadFile("file.no_rows", path=", ".join(labels))
    if preset.shape:
        frame = copies.older(frame)
    frame = copies.mark(frame)
    repeated = (pl.col("nth") > 0) & pl.col("reason").is_null()
    repeats = int(frame.select(repeated.sum()).item())
    if options.repeats == "drop":
        frame = frame.with_columns(reason=pl.when(repeated).then(pl.lit("repeat")).otherwise(pl.col("reason")))
        repeats = 0
    frame = frame.drop("nth")
    if preset.shape is None:
        return Rows(_classified(frame, preset), labels, repeats)
    shaped = preset.shape(frame)
    return Rows(_classified(shaped.frame, preset), labels, repeats, shaped.notes, shaped.added)


def _parts(paths: Iterable[Path], preset: Preset, options: Options) -> Iterator[readers.Part]:
    if preset.read:
        yield from preset.read(paths)
        return
    for path in paths:
        yield from readers.read(path, lambda headers, label: preset.pick(headers, label, given=options.columns))


def parsed(part: readers.Part, preset: Preset, options: Options) -> pl.DataFrame:
    """The part's rows with typed fields; `reason` and `detail` where a cell cannot be read."""
    raw = part.frame
    # Excel and Parquet mark empty rows at the end as rows of nulls; they are none.
    cells = [c for c in raw.columns if c != "line"]
    raw = raw.filter(~pl.all_horizontal(pl.col(c).is_null() | (pl.col(c).cast(pl.String) == "") for c in cells))
    raw = _spread(raw, preset)
    constants = {name: value for name, value in preset.constants.items() if name not in cells}
    raw = raw.with_columns(pl.lit(value).alias(name) for name, value in constants.items())
    given = {name: raw[name] for name in (*cells, *constants)}

    def number(name: str) -> pl.Series:
        exact = parse.numbers(
            given[name], decimal=options.decimal, comma_hint=part.decimal_comma, name=f"{part.label}: {name}"
        )
        return exact.set((exact.abs() > MOST_MONEY).fill_null(value=False), None)

    out: dict[str, pl.Series] = {"line": raw["line"]}
    for name in ("order_number", "sku", "customer_id"):
        if name in given:
            out[name] = parse.key(given[name]) if name != "sku" else parse.text(given[name])
    if preset.upper_case_sku:
        out["sku"] = out["sku"].str.to_uppercase()
    units = parse.whole(
        given["units"], decimal=options.decimal, comma_hint=part.decimal_comma, name=f"{part.label}: units"
    )
    out["units"] = units.set((units.abs() > MOST_UNITS).fill_null(value=False), None)
    out["placed_at"] = parse.times(
        given["placed_at"], zone=options.time_zone, date_order=options.date_order, name=f"{part.label}: placed_at"
    )
    out["exact_price"] = number("unit_price")
    for name in ("discount", "shipping", "tax", *(name for name, kind in preset.extra.items() if kind == "money")):
        if name in given:
            out[name] = number(name)
    for name in (*TEXTS, *(name for name, kind in preset.extra.items() if kind == "text")):
        if name in given:
            out[name] = parse.text(given[name]).str.slice(0, TEXTS.get(name))
    if preset.sku_from_name and "product_name" in out:
        out["sku"] = out["sku"].zip_with(out["sku"].is_not_null(), name_sku(out["product_name"]))
    for name, change in (("email", "lower"), ("status", "lower"), ("currency", "upper")):
        if name in given:
            clean = parse.text(given[name])
            out[name] = clean.str.to_lowercase() if change == "lower" else clean.str.to_uppercase()
            if name == "status" and preset.statuses:
                out[name] = out[name].replace(dict(preset.statuses))
    typed = pl.DataFrame({name: series.alias(name) for name, series in out.items()})
    return _complete(_with_faults(typed, given, preset), part, preset)


def _spread(raw: pl.DataFrame, preset: Preset) -> pl.DataFrame:
    """Give every row of an order what may stand on one of them only."""
    if not (names := [name for name in preset.of_order if name in raw.columns]):
        return raw
    filled = (pl.col(name).filter(pl.col(name).cast(pl.String).str.strip_chars() != "").first() for name in names)
    return raw.with_columns(value.over("order_number") for value in filled)


def name_sku(names: pl.Series) -> pl.Series:
    """The SKU of what has none: its name; a long one is cut, and a digest of the whole makes it its own.

    >>> name_sku(pl.Series(["Camiseta - Roja / M", "x" * 60, None])).to_list()
    ['Camiseta - Roja / M', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~42f2d973', None]
    """
    most = LONGEST["sku"]
    long = names.filter(names.str.len_chars() > most).unique().to_list()
    cut = {name: f"{name[: most - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}" for name in long}
    return names.replace(cut)


def _with_faults(typed: pl.DataFrame, given: Mapping[str, pl.Series], preset: Preset) -> pl.DataFrame:
    """Add `detail`: which cell of the row is empty or cannot be read, and what stands in it."""
    raw = pl.DataFrame({f"raw_{name}": series for name, series in given.items()})
    both = pl.concat([typed, raw], how="horizontal").with_row_index("row")
    held = {"unit_price": "exact_price"}
    bad: dict[str, pl.Expr] = {}
    for name in given:
        column = pl.col(held.get(name, name))
        bad[name] = column.is_null() & (pl.lit(name in REQUIRED) | pl.col(f"raw_{name}").is_not_null())
        if name in ("discount", "shipping", "tax"):
            bad[name] |= column < 0
        elif name == "status":
            bad[name] |= ~column.is_in(STATUSES)
        elif name == "currency":
            bad[name] |= ~column.str.contains(r"^[A-Z]{3}$")
        elif name in LONGEST:
            bad[name] |= column.str.len_chars() > LONGEST[name]
        elif name == "units" and preset.shape is None:
            bad[name] |= column == 0
    # Few rows are suspect; only theirs are turned into text.
    suspect = both.filter(pl.any_horizontal(bad.values()))
    cells = suspect.with_columns(parse.text(suspect[f"raw_{name}"]).alias(f"raw_{name}") for name in given)
    faults = []
    for name, test in bad.items():
        cell = pl.col(f"raw_{name}")
        if name in REQUIRED:
            faults.append(pl.when(test & cell.is_null()).then(pl.lit(f"{name} is empty")))
        faults.append(pl.when(test & cell.is_not_null()).then(pl.format('{} is "{}"', pl.lit(name), cell)))
    found = cells.select("row", detail=pl.coalesce(faults))
    return typed.with_columns(beside(both, found, "detail"))


def _complete(frame: pl.DataFrame, part: readers.Part, preset: Preset) -> pl.DataFrame:
    """The same columns for every part, with the money of each row as the file has it and as it will be stored."""
    optional = (*TEXTS, "customer_id", "email", "status", "currency", "discount", "shipping", "tax", *preset.extra)
    # A field without a column is all null, of the dtype that takes no room.
    frame = frame.with_columns(pl.lit(None).alias(c) for c in optional if c not in frame.columns)
    if part.ragged:
        lost = pl.DataFrame(
            [(number, text) for number, text in part.ragged],
            schema={"line": pl.Int64, "detail": pl.String},
            orient="row",
        )
        frame = pl.concat([frame, lost], how="diagonal").sort("line")
    discount = pl.col("discount").cast(parse.EXACT).fill_null(0).round(2, "half_to_even") * pl.col("units").sign()
    frame = frame.with_columns(
        unit_price=pl.col("exact_price").round(4, "half_to_even").cast(canonical.UNIT_PRICE, strict=False),
        customer_id=pl.coalesce("customer_id", "email").cast(pl.String),
        **{
            c: pl.col(c).round(2, "half_to_even").cast(canonical.MONEY)
            for c in ("shipping", "tax")
            if frame.schema[c] != pl.Null
        },
    )

    def cents(price: str) -> pl.Expr:
        exact = (pl.col("units") * pl.col(price).cast(parse.EXACT) - discount).round(2, "half_to_even")
        return (exact * 100).cast(pl.Int64, strict=False)  # what no integer holds is refused below

    frame = frame.with_columns(cents_in=cents("exact_price"), cents=cents("unit_price"))
    frame = frame.with_columns(
        discount=pl.col("discount").cast(parse.EXACT).fill_null(0).round(2, "half_to_even").cast(canonical.MONEY)
    )
    above = (pl.col("units") * pl.col("cents") < 0) & (pl.col("unit_price") >= 0)
    large = (pl.col("cents").is_null() & pl.col("unit_price").is_not_null()) | (pl.col("cents").abs() > MOST_CENTS)
    problems = {"discount is more than the line": above, "units × unit_price is more than a line can hold": large}
    frame = frame.with_columns(
        detail=pl.coalesce("detail", *(pl.when(test).then(pl.lit(told)) for told, test in problems.items())),
    )
    reason = pl.when(pl.col("detail").is_not_null()).then(pl.lit("unreadable"))
    columns = ["line", *REQUIRED, *optional, "cents_in", "cents", "detail"]
    return frame.select(columns).with_columns(reason=reason)


def _classified(frame: pl.DataFrame, preset: Preset) -> pl.DataFrame:
    """Give every readable row a kind (sale, return, shipping) or the first reason that holds."""

    def among(column: str, pattern: str | None) -> pl.Expr:
        return pl.col(column).str.contains(f"^(?:{pattern})$") if pattern else pl.lit(value=False)

    back, sku = among("order_number", preset.cancellation), "sku"
    charge = among(sku, preset.shipping_sku)
    tests = {
        "not_a_sale": among("order_number", preset.not_a_sale),
        "not_a_product": among(sku, preset.not_a_product),
        "negative_price": pl.col("unit_price") < 0,
        "charge_alone": charge & (back | (pl.col("units") < 0)),
        "write_off": (pl.col("units") < 0) & ~back & pl.lit(preset.cancellation is not None),
        "zero_price": (pl.col("unit_price") == 0) & pl.lit(not preset.zero_price_is_sale),
        "cancellation_positive": back & (pl.col("units") > 0),
    }
    first = pl.coalesce("reason", *(pl.when(test).then(pl.lit(name)) for name, test in tests.items()))
    frame = frame.with_columns(reason=first)
    returned = pl.when(pl.col("units") < 0).then(pl.lit("return")).otherwise(pl.lit("sale"))
    kind = pl.when(charge).then(pl.lit("shipping")).otherwise(returned)
    if "entry" in frame.columns:
        kind = pl.when(pl.col("entry") != "sale").then(pl.col("entry")).otherwise(kind)
    frame = frame.with_columns(kind=pl.when(pl.col("reason").is_null()).then(kind))
    with_goods = frame.filter(pl.col("kind") == "sale").select("order_number").unique()
    alone = frame.filter(pl.col("kind").is_in(CHARGES)).join(with_goods, on="order_number", how="anti")
    lost = pl.col("row").is_in(alone["row"].implode())
    return frame.with_columns(
        reason=pl.when(lost).then(pl.lit("charge_alone")).otherwise(pl.col("reason")),
        kind=pl.when(~lost).then(pl.col("kind")),
    )
