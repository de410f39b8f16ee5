"""The owner's own tables, one row per SKU: products with costs and suppliers, and counted stock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import polars as pl
from django.db import transaction

from ingest import canonical, layouts, load, parse, readers
from ingest.counts import Counts
from ingest.errors import BadFile
from ingest.presets import platform_tables
from ingest.presets.base import named, plain
from products.models import Product, ProductVariant, StockMovement
from retail_ml.frames import Schema

PRODUCT_FIELDS = {
    "sku": "the variant's number",
    "product_code": "the style's number, when several SKUs are one product",
    "product_name": "the product's name; needed for an SKU that the shop does not have yet",
    "category": "made when new",
    "brand": "",
    "description": "",
    "price": "",
    "cost": "of one unit",
    "size": "an option",
    "color": "an option",
    "pack_size": "units per pack",
    "minimum_order": "fewest units in a purchase",
    "lead_time_days": "of this SKU, over its supplier's",
    "season_end": "the last day on which it is to be sold",
    "supplier": "by name, made when new",
    "supplier_email": "",
    "supplier_lead_time_days": "mean",
    "supplier_lead_time_sd": "standard deviation, days",
    "supplier_minimum_order_value": "",
    "status": "active, inactive or discontinued",
    "image_url": "",
}
"""The columns of `import_products`; all but sku may be missing, and an empty cell leaves what is stored."""
STOCK_FIELDS = {"sku": "the variant's number", "counted": "units on the shelf", "counted_at": "when; missing: now"}
"""The columns of `import_stock`."""
COUNT = "count:"
"""How the reference of an adjustment by a count begins."""

FAULTS = {"file": pl.String, "line": pl.Int64, "reason": pl.String}
TEXTS = (
    "sku", "product_code", "product_name", "category", "brand", "description", "size", "color", "supplier",
    "supplier_email", "status", "image_url",
)  # fmt: skip
MONEY = ("price", "cost", "supplier_lead_time_days", "supplier_lead_time_sd", "supplier_minimum_order_value")
WHOLE = ("pack_size", "minimum_order", "lead_time_days", "counted")
SUPPLIER = {
    "supplier": "name",
    "supplier_email": "email",
    "supplier_lead_time_days": "lead_time_days",
    "supplier_lead_time_sd": "lead_time_sd",
    "supplier_minimum_order_value": "minimum_order_value",
}


@dataclass(frozen=True)
class Table:
    """The good rows of a file, and the others with file, line and reason."""

    rows: pl.DataFrame
    faults: pl.DataFrame
    places: list[str] = field(default_factory=list)
    """The places whose stock was added up, where the file names them."""


def read(
    path: Path, fields: Mapping[str, str], required: tuple[str, ...], *, columns: Mapping[str, str], zone: str
) -> Table:
    """Read one row per SKU (and time of a count); a row with a cell that cannot be read, or met before, is a fault."""
    found_layouts: list[layouts.Layout | None] = []

    def pick(headers: list[str], label: str) -> dict[str, str]:
        known = {plain(h): h for h in reversed(headers)}
        layout = layouts.of(required, headers)
        chosen = {
            name: known[plain(columns.get(name, name))] for name in fields if plain(columns.get(name, name)) in known
        }
        if layout:
            chosen = layout.find(headers) | {name: known[plain(h)] for name, h in columns.items() if plain(h) in known}
        wrong = [f"{name}={header}" for name, header in columns.items() if plain(header) not in known]
        if wrong:
            raise BadFile("file.no_such_column", label=label, wrong=" ".join(wrong), headers=named(headers))
        if missing := [name for name in required if name not in chosen]:
            hints = " ".join(f'--map {name}="…"' for name in missing)
            raise BadFile(
                "file.lacks_fields", label=label, missing=", ".join(missing), headers=named(headers),
                hints=hints, known=", ".join(fields),
            )  # fmt: skip
        found_layouts.append(layout)
        return chosen

    rows, faults, places = [], [pl.DataFrame(schema=FAULTS)], list[str]()
    document = platform_tables.read(path, stock="counted" in required)
    for part in [document] if document else readers.read(path, pick):
        shaped, there = (part, []) if document else layouts.shaped(part, found_layouts[-1])
        places += [place for place in there if place not in places]
        found = typed(shaped, required, zone)
        bad = found.filter(pl.col("reason").is_not_null())
        faults.append(bad.select(file=pl.lit(part.label), line="line", reason="reason"))
        ragged = [(part.label, line, text) for line, text in part.ragged]
        faults.append(pl.DataFrame(ragged, schema=FAULTS, orient="row"))
        rows.append(found.filter(pl.col("reason").is_null()).drop("reason").with_columns(file=pl.lit(part.label)))
    whole = pl.concat(rows, how="diagonal")
    if whole.is_empty() and not sum(f.height for f in faults):
        raise BadFile("file.no_rows", path=str(path))
    first = pl.struct(name for name in ("sku", "counted_at") if name in whole.columns).is_first_distinct()
    again = whole.filter(~first)
    faults.append(again.select("file", "line", reason=pl.format("the SKU {} stands in an earlier row", "sku")))
    return Table(whole.filter(first), pl.concat(faults).sort("file", "line"), places)


def typed(part: readers.Part, required: tuple[str, ...], zone: str) -> pl.DataFrame:
    """The fields with their dtypes; `reason` names the first cell that is empty or cannot be read."""
    names = [c for c in part.frame.columns if c != "line"]
    out, reasons = {"line": part.frame["line"]}, []
    for name in names:
        cells = part.frame[name]
        where = f"{part.label}: {name}"
        if name in WHOLE:
            out[name] = parse.whole(cells, comma_hint=part.decimal_comma, name=where)
        elif name in MONEY:
            out[name] = parse.numbers(cells, comma_hint=part.decimal_comma, name=where)
        elif name == "counted_at":
            out[name] = parse.times(cells, zone=zone, name=where)
        elif name == "season_end":
            out[name] = parse.times(cells, zone=zone, name=where).dt.convert_time_zone(zone).dt.date()
        else:
            out[name] = parse.text(cells)
    frame = pl.DataFrame(
        [series.alias(name) for name, series in out.items()]
        + [parse.text(part.frame[name]).alias(f"raw_{name}") for name in names]
    )
    least = {"pack_size": 1, "minimum_order": 1, "lead_time_days": 0, "counted": -2_147_483_647}
    for name in names:
        column, raw = pl.col(name), pl.col(f"raw_{name}")
        bad = column.is_null() & raw.is_not_null()
        if name in WHOLE:
            bad |= ~column.is_between(least[name], 2_147_483_647)
        elif name in MONEY:
            bad |= ~column.is_between(0, 99_999_999)
        elif name == "status":
            bad |= ~column.is_in(Product.Status.values)
        elif name == "sku":
            bad |= column.str.len_chars() > 50
        if name in required:
            reasons.append(pl.when(raw.is_null()).then(pl.lit(f"{name} is empty")))
        reasons.append(pl.when(bad).then(pl.format('{} is "{}"', pl.lit(name), raw)))
    return frame.with_columns(reason=pl.coalesce(reasons)).select("line", *names, "reason")


def write_products(table: Table) -> tuple[dict[str, Counts], Table]:
    """Write suppliers and products; rows of unknown SKUs without a name become faults instead of nameless products."""
    rows = table.rows
    known = set(ProductVariant.objects.filter(sku__in=rows["sku"].to_list()).values_list("sku", flat=True))
    named = pl.col("product_name").is_not_null() if "product_name" in rows.columns else pl.lit(value=False)
    new = ~pl.col("sku").is_in(list(known)) & ~named
    lost = rows.filter(new).select(
        "file", "line", reason=pl.format("the shop has no SKU {}; give product_name to make it", "sku")
    )
    rows = rows.filter(~new)
    counts: dict[str, Counts] = {}
    with transaction.atomic():
        if "supplier" in rows.columns:
            counts["suppliers"] = load.suppliers(_suppliers(rows))
        counts["products"] = load.catalogue(_catalogue(rows))
    return counts, replace(table, rows=rows, faults=pl.concat([table.faults, lost]).sort("file", "line"))


def _suppliers(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per supplier: the first value that the file gives for each column."""
    given = {old: new for old, new in SUPPLIER.items() if old in rows.columns}
    table = rows.filter(pl.col("supplier").is_not_null()).select(list(given)).rename(given)
    table = table.group_by("name", maintain_order=True).agg(pl.all().drop_nulls().first())
    return _cast(table, canonical.SUPPLIERS)


def _catalogue(rows: pl.DataFrame) -> pl.DataFrame:
    table = rows.select([c for c in rows.columns if c in canonical.CATALOGUE])
    options = [c for c in ("size", "color") if c in rows.columns and "options" not in rows.columns]
    if options:
        texts = [
            json.dumps(given, ensure_ascii=False) if (given := {k: v for k, v in row.items() if v}) else None
            for row in rows.select(options).iter_rows(named=True)
        ]
        table = table.with_columns(pl.Series("options", texts, dtype=pl.String))
    return _cast(table, canonical.CATALOGUE)


def _cast(table: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    rounded = [
        (pl.col(c).round(dtype.scale, "half_to_even") if isinstance(dtype, pl.Decimal) else pl.col(c)).cast(dtype)
        for c, dtype in schema.items()
        if c in table.columns
    ]
    return table.select(rounded)


def write_counts(table: Table, *, now: datetime) -> tuple[Counts, Table]:
    """Set each SKU's stock to what was counted, by an adjustment of the difference at the moment of the count.

    The difference is taken against the movements up to that moment and the counts before it, so that what was sold
    since stays sold, and an SKU's counts of many days become its past; a second run finds no difference. A count that
    would change the stock before one that is stored already is a fault: that one was taken of the stock as it was
    known. `created` counts adjustments, `unchanged` counts that agreed.
    """
    rows = table.rows
    if "counted_at" not in rows.columns:
        rows = rows.with_columns(counted_at=pl.lit(None, canonical.AT))
    rows = rows.with_columns(pl.col("counted_at").fill_null(pl.lit(now, canonical.AT)))
    with transaction.atomic():
        # Locked, so that no sale comes between reading the stock and correcting it.
        found = ProductVariant.objects.select_for_update().filter(sku__in=rows["sku"].unique().to_list())
        ids = {variant.sku: variant.pk for variant in found.only("sku")}
        unknown = ~pl.col("sku").is_in(list(ids))
        lost = rows.filter(unknown).select("file", "line", reason=pl.format("the shop has no SKU {}", "sku"))
        rows = _compared(rows.filter(~unknown), ids)
        late = (pl.col("counted_at") < pl.col("last_count")) & (pl.col("units") != 0)
        late_skus = rows.filter(late)["sku"].unique()
        reason = pl.format("the SKU {} was counted later already; give all its counts in one file", "sku")
        again = rows.filter(pl.col("sku").is_in(late_skus.implode())).select("file", "line", reason=reason)
        rows = rows.filter(~pl.col("sku").is_in(late_skus.implode()))
        wrong = rows.filter(pl.col("units") != 0)
        number = pl.col("adjustments") + pl.int_range(1, pl.len() + 1).over("sku")
        counts = load.movements(
            wrong.select(
                "sku",
                "units",
                kind=pl.lit(StockMovement.Kind.ADJUSTMENT.value),
                at="counted_at",
                reference=pl.format(COUNT + "{}:{}", "sku", number),
            )
        )
    done = Counts(counts.created, rows.height - wrong.height)
    return done, replace(table, rows=rows, faults=pl.concat([table.faults, lost, again]).sort("file", "line"))


def _compared(rows: pl.DataFrame, ids: dict[str, int]) -> pl.DataFrame:
    """The counts in the order of their times, with what is stored of their SKUs.

    `units`: the adjustment; `last_count`: when it was counted last, as far as a count changed anything; `adjustments`:
    how many there are.
    """
    moves = StockMovement.objects.filter(variant__in=ids.values()).values_list(
        "variant__sku", "units", "at", "kind", "reference"
    )
    schema: Schema = {
        "sku": pl.String, "units": pl.Int64, "at": canonical.AT, "kind": pl.String, "reference": pl.String,
    }  # fmt: skip
    history = pl.DataFrame(list(moves.iterator()), schema=schema, orient="row")
    adjusted = history.filter(pl.col("kind") == StockMovement.Kind.ADJUSTMENT.value)
    known = adjusted.group_by("sku").agg(
        adjustments=pl.len().cast(pl.Int64),
        last_count=pl.col("at").filter(pl.col("reference").str.starts_with(COUNT)).max(),
    )
    levels = history.group_by("sku", "at").agg(pl.col("units").sum()).sort("at")
    levels = levels.select("sku", "at", stock=pl.col("units").cum_sum().over("sku"))
    off = pl.col("counted") - pl.col("stock").fill_null(0)
    return (
        rows.sort("counted_at", maintain_order=True)
        .join_asof(levels, left_on="counted_at", right_on="at", by="sku", check_sortedness=False)
        .with_columns(units=off - off.shift(1).over("sku").fill_null(0))
        .join(known, on="sku", how="left", maintain_order="left")
        .with_columns(pl.col("adjustments").fill_null(0))
    )
