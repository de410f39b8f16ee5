"""Writing what the shop has: suppliers, products with their variants, stock movements, purchase orders."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import models, transaction

from api_base import prepared
from ingest import bulk, canonical, journal
from ingest.counts import Counts
from products.models import Category, Product, ProductVariant, StockMovement
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Supplier, SupplierItem, SupplierPrice
from retail_ml.errors import BadFrame

BATCH = 2_000

Row = dict[str, Any]


def must_be_distinct(frame: pl.DataFrame, keys: list[str], name: str) -> None:
    """Raise BadFrame, naming three of them, when rows share their key."""
    twice = frame.filter(frame.select(keys).is_duplicated()).select(keys).unique().sort(keys).head(3)
    if twice.height:
        found = "; ".join(", ".join(map(str, row)) for row in twice.iter_rows())
        raise BadFrame(f"{name} holds more than one row for the same {', '.join(keys)}: {found}", table=name)


def sku_ids(skus: Iterable[str], name: str) -> pl.DataFrame:
    """`sku, variant_id` of these SKUs; BadFrame naming three that the shop does not know."""
    wanted = set(skus)
    found = bulk.fetch(ProductVariant, ["sku", "id"], key="sku", values=sorted(wanted))
    if unknown := sorted(wanted - {sku for sku, _ in found}):
        raise BadFrame(
            f"{name}: {len(unknown)} SKU(s) are not in the shop, such as {', '.join(unknown[:3])}; "
            "write the catalogue first",
            table=name,
            skus=unknown[:3],
        )
    return pl.DataFrame(found, schema={"sku": pl.String, "variant_id": pl.Int64}, orient="row")


def _given(row: Row, names: Iterable[str]) -> Row:
    return {name: row[name] for name in names if row[name] is not None}


def _apply(obj: models.Model, values: Row) -> bool:
    """Set `values` on `obj`; whether anything changed."""
    changed = False
    for name, value in values.items():
        if getattr(obj, name) != value:
            setattr(obj, name, value)
            changed = True
    return changed


@transaction.atomic
def suppliers(frame: pl.DataFrame) -> Counts:
    """Write `canonical.SUPPLIERS`; a column that is null leaves the stored value."""
    frame = canonical.check(frame, "suppliers")
    must_be_distinct(frame, ["name"], "suppliers")
    stored = {s.name: s for s in Supplier.objects.all()}
    was = journal.read(Supplier, [stored[name].pk for name in frame["name"] if name in stored])
    new, changed, same = [], [], 0
    for row in frame.iter_rows(named=True):
        values = _given(row, ("email", "lead_time_days", "lead_time_sd", "minimum_order_value"))
        supplier = stored.get(row["name"])
        if supplier is None:
            new.append(Supplier(name=row["name"], **values))
        elif _apply(supplier, values):
            changed.append(supplier)
        else:
            same += 1
    Supplier.objects.bulk_create(new, batch_size=BATCH)
    fields = ["email", "lead_time_days", "lead_time_sd", "minimum_order_value"]
    prepared.update(changed, fields)
    journal.note(Supplier, was, [supplier.pk for supplier in new])
    return Counts(len(new), same, len(changed))


def _named(model: Any, names: Iterable[str | None]) -> dict[str, Any]:
    """The rows of `model` with these names, made when new."""
    wanted = {name for name in names if name}
    stored = {row.name: row for row in model.objects.filter(name__in=wanted)} if wanted else {}
    was = journal.read(model, [row.pk for row in stored.values()])
    fresh = model.objects.bulk_create([model(name=n) for n in sorted(wanted - stored.keys())], batch_size=BATCH)
    journal.note(model, was, [row.pk for row in fresh])
    return stored | {row.name: row for row in fresh}


VARIANT_FIELDS = ("cost", "pack_size", "minimum_order", "lead_time_days", "season_end")
PRODUCT_FIELDS = ("brand", "description", "status", "created_at", "image_url")


@transaction.atomic
def catalogue(frame: pl.DataFrame) -> Counts:
    """Write `canonical.CATALOGUE`: categories, products, variants and their suppliers; counts are of variants.

    A column that is null leaves the stored value. The price is the product's where all its variants share it,
    else the variant's own. Stock is not touched: see `movements`.
    """
    frame = canonical.check(frame, "catalogue")
    must_be_distinct(frame, ["sku"], "catalogue")
    rows = frame.sort("sku").to_dicts()
    stored = {v.sku: v for v in ProductVariant.objects.select_related("product").filter(sku__in=_in(frame["sku"]))}
    for row in rows:
        if row["product_code"] is None:
            known = stored.get(row["sku"])
            row["product_code"] = (known.product.code or f"#{known.product_id}") if known else row["sku"]
    was = journal.read(ProductVariant, [variant.pk for variant in stored.values()])
    products, touched = _products(rows, stored)
    new, changed = [], []
    own_price = _own_prices(rows, products)
    for row in rows:
        values = _given(row, VARIANT_FIELDS)
        if row["options"] is not None:
            values["options"] = json.loads(row["options"])
        if row["price"] is not None:
            values["price"] = own_price[row["sku"]]
        product = products[row["product_code"]]
        variant = stored.get(row["sku"])
        if variant is None:
            created = _given(row, ("created_at",))
            new.append(ProductVariant(product=product, sku=row["sku"], **created, **values))
            continue
        if _apply(variant, {"product_id": product.pk, **values}):
            changed.append(variant)
    ProductVariant.objects.bulk_create(new, batch_size=BATCH)
    fields = [*VARIANT_FIELDS, "options", "price", "product"]
    prepared.update(changed, fields)
    journal.note(ProductVariant, was, [variant.pk for variant in new])
    moved = _supplier_items(rows)
    updated = {v.sku for v in changed} | {sku for sku, v in stored.items() if sku in moved or v.product_id in touched}
    return Counts(len(new), len(stored) - len(updated), len(updated))


def _in(series: pl.Series) -> list[str]:
    return series.unique().sort().to_list()


def _products(rows: list[Row], stored: dict[str, ProductVariant]) -> tuple[dict[str, Product], set[int]]:
    """The products of the rows by code, written; and the ids of those that were stored and have changed."""
    by_code: dict[str, list[Row]] = {}
    for row in rows:
        by_code.setdefault(row["product_code"], []).append(row)
    known = {f"#{v.product_id}": v.product for v in stored.values()}
    known |= {p.code: p for p in Product.objects.filter(code__in=sorted(by_code)) if p.code}
    categories = _named(Category, (row["category"] for row in rows))
    siblings = dict(
        ProductVariant.objects.filter(product__in=[p.pk for c, p in known.items() if c in by_code])
        .values_list("product")
        .annotate(models.Count("pk"))
    )
    skus = _skus_of(stored)
    was = journal.read(Product, [product.pk for code, product in known.items() if code in by_code])
    products, new, changed = {}, [], []
    for code, group in by_code.items():
        values: Row = {}
        for row in reversed(group):  # the first SKU's word counts
            values |= _given(row, PRODUCT_FIELDS)
            if row["product_name"]:
                values["name"] = row["product_name"]
            if row["category"]:
                values["category_id"] = categories[row["category"]].pk
        product = known.get(code)
        prices = {row["price"] for row in group}
        whole = product is None or {row["sku"] for row in group} >= _known_skus(skus, product, siblings)
        if (product is None or (whole and len(prices) == 1)) and group[0]["price"] is not None:
            values["price"] = group[0]["price"]
        if product is None:
            product = Product(code=code, **{"name": code, **values})
            new.append(product)
        elif _apply(product, values):
            changed.append(product)
        products[code] = product
    Product.objects.bulk_create(new, batch_size=BATCH)
    prepared.update(changed, [*PRODUCT_FIELDS, "name", "category", "price"])
    journal.note(Product, was, [product.pk for product in new])
    return products, {p.pk for p in changed}


def _skus_of(stored: dict[str, ProductVariant]) -> dict[int, set[str]]:
    """The stored SKUs of each product."""
    skus: dict[int, set[str]] = {}
    for variant in stored.values():
        skus.setdefault(variant.product_id, set()).add(variant.sku)
    return skus


def _known_skus(skus: dict[int, set[str]], product: Product, siblings: dict[int, int]) -> set[str]:
    """The product's stored SKUs when all are among the rows; else a set that no group can hold."""
    mine = skus.get(product.pk, set())
    return mine if len(mine) == siblings.get(product.pk, 0) else {*mine, ""}


def _own_prices(rows: list[Row], products: dict[str, Product]) -> dict[str, Decimal | None]:
    """The variant's own price: None where it is the product's."""
    return {row["sku"]: None if row["price"] == products[row["product_code"]].price else row["price"] for row in rows}


def _supplier_items(rows: list[Row]) -> set[str]:
    """Write which supplier each variant comes from; the SKUs for which that is new."""
    named = {row["sku"]: row["supplier"] for row in rows if row["supplier"]}
    if not named:
        return set()
    by_name = _named(Supplier, named.values())
    ids = dict(ProductVariant.objects.filter(sku__in=sorted(named)).values_list("sku", "pk"))
    stored = {item.variant_id: item for item in SupplierItem.objects.filter(variant__in=ids.values())}
    was = journal.read(SupplierItem, [item.pk for item in stored.values()])
    new, changed = [], []
    for sku, name in named.items():
        supplier, item = by_name[name], stored.get(ids[sku])
        if item is None:
            new.append(SupplierItem(variant_id=ids[sku], supplier=supplier))
        elif item.supplier_id != supplier.pk:
            item.supplier = supplier
            changed.append(item)
    SupplierItem.objects.bulk_create(new, batch_size=BATCH)
    prepared.update(changed, ["supplier"])
    journal.note(SupplierItem, was, [item.pk for item in new])
    skus = {pk: sku for sku, pk in ids.items()}
    return {skus[item.variant_id] for item in [*new, *changed]}


@transaction.atomic
def prices(frame: pl.DataFrame) -> Counts:
    """Write `canonical.PRICES`: what suppliers ask from which quantity on."""
    frame = canonical.check(frame, "prices")
    must_be_distinct(frame, ["sku", "supplier", "minimum_quantity"], "prices")
    variants = dict(sku_ids(frame["sku"], "prices").iter_rows())
    by_name = _named(Supplier, frame["supplier"].unique())
    supplier_ids = [supplier.pk for supplier in by_name.values()]
    stored = {
        (price.variant_id, price.supplier_id, price.minimum_quantity): price
        for price in SupplierPrice.objects.filter(supplier__in=supplier_ids)
    }
    new, changed, same = [], [], 0
    for row in frame.sort("sku", "supplier", "minimum_quantity").iter_rows(named=True):
        key = (variants[row["sku"]], by_name[row["supplier"]].pk, row["minimum_quantity"])
        price = stored.get(key)
        if price is None:
            ids = {"variant_id": key[0], "supplier_id": key[1]}
            new.append(SupplierPrice(**ids, minimum_quantity=key[2], unit_cost=row["unit_cost"]))
        elif _apply(price, {"unit_cost": row["unit_cost"]}):
            changed.append(price)
        else:
            same += 1
    SupplierPrice.objects.bulk_create(new, batch_size=BATCH)
    prepared.update(changed, ["unit_cost"])
    return Counts(len(new), same, len(changed))


def movements(frame: pl.DataFrame, *, batch: int = 50_000) -> Counts:
    """Write `canonical.MOVEMENTS` and add each to its variant's stock; one transaction per batch.

    A kind and reference that is stored never moves stock again: it counts as unchanged, or as kept when the
    units differ (a movement is history and is not rewritten).
    """
    frame = canonical.check(frame, "movements")
    must_be_distinct(frame, ["kind", "reference"], "movements")
    wrong = set(frame["kind"].unique()) - set(StockMovement.Kind.values)
    if wrong:
        raise BadFrame(f"movements.kind is {', '.join(sorted(wrong))}; known: {', '.join(StockMovement.Kind.values)}")
    frame = frame.join(sku_ids(frame["sku"], "movements"), on="sku", how="left", maintain_order="left")
    done = Counts()
    for part in frame.sort("at", "kind", "reference").iter_slices(batch):
        with transaction.atomic():
            done += _move(part)
    return done


def _move(part: pl.DataFrame) -> Counts:
    columns = {"kind": pl.String, "reference": pl.String, "stored": pl.Int64}
    found = bulk.fetch(StockMovement, ["kind", "reference", "units"], key="reference", values=part["reference"])
    stored = pl.DataFrame(found, schema=columns, orient="row")
    joined = part.join(stored, on=["kind", "reference"], how="left", maintain_order="left")
    new = joined.filter(pl.col("stored").is_null())
    bulk.insert(StockMovement, new.select("variant_id", "kind", "units", "at", "reference", note=pl.lit("")))
    delta = new.group_by("variant_id").agg(stock=pl.col("units").sum()).rename({"variant_id": "id"}).sort("id")
    bulk.update(ProductVariant, delta.filter(pl.col("stock") != 0), add=True)
    _note_movements(joined)
    kept = joined.filter(pl.col("stored") != pl.col("units")).height
    return Counts(new.height, joined.height - new.height - kept, 0, kept)


def _note_movements(joined: pl.DataFrame) -> None:
    """Note the movements of these kinds and references: those that were stored, and those that are new."""
    if not journal.active():
        return
    found = bulk.fetch(StockMovement, ["id", "kind", "reference"], key="reference", values=joined["reference"])
    table = pl.DataFrame(found, schema={"id": pl.Int64, "kind": pl.String, "reference": pl.String}, orient="row")
    ids = table.join(joined.select("kind", "reference", "stored"), on=["kind", "reference"])
    new = ids.filter(pl.col("stored").is_null())["id"]
    journal.hold(StockMovement, ids.filter(pl.col("stored").is_not_null())["id"])
    journal.note(StockMovement, {}, new)


@transaction.atomic
def purchases(frame: pl.DataFrame) -> Counts:
    """Write `canonical.PURCHASES`: purchase orders with their lines; counts are of orders. Stock is not touched."""
    frame = canonical.check(frame, "purchases")
    must_be_distinct(frame, ["number", "sku"], "purchases")
    variants = dict(sku_ids(frame["sku"], "purchases").iter_rows())
    suppliers_by_name = _named(Supplier, frame["supplier"].unique())
    numbers = _in(frame["number"])
    stored = {p.number: p for p in PurchaseOrder.objects.filter(number__in=numbers)}
    heads, lines = _purchase_rows(frame, suppliers_by_name)
    new, changed = [], set()
    for number, values in heads.items():
        order = stored.get(number)
        if order is None:
            created = values["ordered_at"] or datetime.now(UTC)
            new.append(PurchaseOrder(number=number, created_at=created, **values))
        elif _apply(order, {k: v for k, v in values.items() if v is not None}):
            changed.add(order.pk)
    PurchaseOrder.objects.bulk_create(new, batch_size=BATCH)
    head_fields = ["supplier", "status", "ordered_at", "expected_on", "received_at"]
    prepared.update([p for p in stored.values() if p.pk in changed], head_fields)
    orders = stored | {p.number: p for p in new}
    changed |= _purchase_lines(lines, orders, variants) & {p.pk for p in stored.values()}
    return Counts(len(new), len(stored) - len(changed), len(changed))


def _purchase_rows(frame: pl.DataFrame, by_name: dict[str, Supplier]) -> tuple[dict[str, Row], list[Row]]:
    heads: dict[str, Row] = {}
    lines = []
    for row in frame.sort("number", "sku").iter_rows(named=True):
        head = {k: row[k] for k in ("status", "ordered_at", "expected_on", "received_at")}
        head["supplier_id"] = by_name[row["supplier"]].pk
        if heads.setdefault(row["number"], head) != head:
            raise BadFrame(f"purchases: the lines of {row['number']} differ in supplier, status or dates")
        lines.append(row)
    return heads, lines


def _purchase_lines(lines: list[Row], orders: dict[str, PurchaseOrder], variants: dict[str, int]) -> set[int]:
    """Write the lines; the ids of the orders whose lines are new or changed."""
    ids = [p.pk for p in orders.values()]
    stored = {(x.purchase_order_id, x.variant_id): x for x in PurchaseOrderLine.objects.filter(purchase_order__in=ids)}
    new, changed = [], []
    for row in lines:
        key = (orders[row["number"]].pk, variants[row["sku"]])
        values = {"units": row["units"], "received_units": row["received_units"] or 0, "unit_cost": row["unit_cost"]}
        line = stored.get(key)
        if line is None:
            new.append(PurchaseOrderLine(purchase_order_id=key[0], variant_id=key[1], **values))
        elif _apply(line, values):
            changed.append(line)
    PurchaseOrderLine.objects.bulk_create(new, batch_size=BATCH)
    prepared.update(changed, ["units", "received_units", "unit_cost"])
    return {line.purchase_order_id for line in [*new, *changed]}
