"""The canonical tables: what every importer makes and `ingest.load` writes. Name, dtype and unit, written once.

Money is `pl.Decimal`, exact: two decimals, four for a price or cost of one unit. Times are UTC. Null means
"not given": on a new row the shop's default holds, on a stored row the stored value stays.
"""

from __future__ import annotations

import polars as pl

from retail_ml.errors import BadFrame
from retail_ml.frames import Schema

MONEY = pl.Decimal(14, 2)
UNIT_PRICE = pl.Decimal(12, 4)
AT = pl.Datetime("us", "UTC")

SUPPLIERS: Schema = {  # one row per supplier; key: name
    "name": pl.String,
    "email": pl.String,
    "lead_time_days": pl.Float64,  # mean, from order to shelf
    "lead_time_sd": pl.Float64,  # days, standard deviation
    "minimum_order_value": MONEY,
}
CATALOGUE: Schema = {  # one row per variant; key: sku
    "sku": pl.String,
    "product_code": pl.String,  # the style's number; null: the variant's own product, or a new one named by the sku
    "product_name": pl.String,
    "category": pl.String,  # made when new
    "brand": pl.String,
    "description": pl.String,
    "price": MONEY,  # of this variant
    "cost": UNIT_PRICE,  # of one unit
    "options": pl.String,  # JSON object, such as {"size": "M", "color": "red"}
    "pack_size": pl.Int64,  # units, at least 1
    "minimum_order": pl.Int64,  # units, at least 1
    "lead_time_days": pl.Int64,  # overrides the supplier's
    "supplier": pl.String,  # by name, made when new
    "status": pl.String,  # active, inactive, discontinued
    "created_at": AT,  # in the range since
    "image_url": pl.String,
    "season_end": pl.Date,  # the last day on which it is to be sold
}
PRICES: Schema = {  # one row per price of a supplier; key: sku, supplier and minimum_quantity
    "sku": pl.String,
    "supplier": pl.String,  # by name, made when new
    "minimum_quantity": pl.Int64,  # units from which the cost holds, for all of them; at least 1
    "unit_cost": UNIT_PRICE,
}
CUSTOMERS: Schema = {  # one row per customer; key: external_id within a source
    "external_id": pl.String,
    "email": pl.String,
    "first_name": pl.String,
    "last_name": pl.String,
    "country": pl.String,
    "joined": AT,
}
ORDERS: Schema = {  # one row per order; key: order_number
    "order_number": pl.String,
    "customer_id": pl.String,  # the customer's external_id; null: a guest
    "placed_at": AT,
    "status": pl.String,  # a status of orders.Order
    "channel": pl.String,
    "currency": pl.String,  # three letters
    "shipping": MONEY,
    "tax": MONEY,
    "is_test": pl.Boolean,
}
LINES: Schema = {  # one row per order line; an order may hold the same sku on several lines
    "order_number": pl.String,
    "sku": pl.String,
    "units": pl.Int64,  # at least 1
    "unit_price": UNIT_PRICE,
    "discount": MONEY,  # on the whole line
}
RETURNS: Schema = {  # one row per return of one order line; key: reference
    "reference": pl.String,
    "order_number": pl.String,
    "sku": pl.String,
    "line": pl.Int64,  # which of the order's lines of this sku: 0, 1, …; null: the first
    "units": pl.Int64,  # at least 1
    "amount": MONEY,  # money given back: a positive number
    "returned_at": AT,
}
MOVEMENTS: Schema = {  # one row per change of stock; key: kind and reference
    "sku": pl.String,
    "kind": pl.String,  # a kind of products.StockMovement
    "units": pl.Int64,  # signed: in positive, out negative
    "at": AT,
    "reference": pl.String,
}
PURCHASES: Schema = {  # one row per line of a purchase order; key: number, and sku within it
    "number": pl.String,
    "supplier": pl.String,
    "status": pl.String,  # a status of purchasing.PurchaseOrder
    "ordered_at": AT,
    "expected_on": pl.Date,
    "received_at": AT,
    "sku": pl.String,
    "units": pl.Int64,  # at least 1
    "received_units": pl.Int64,
    "unit_cost": UNIT_PRICE,
}

TABLES: dict[str, tuple[Schema, tuple[str, ...]]] = {
    "suppliers": (SUPPLIERS, ("name",)),
    "catalogue": (CATALOGUE, ("sku",)),
    "prices": (PRICES, ("sku", "supplier", "minimum_quantity", "unit_cost")),
    "customers": (CUSTOMERS, ("external_id",)),
    "orders": (ORDERS, ("order_number", "placed_at", "status")),
    "lines": (LINES, ("order_number", "sku", "units", "unit_price")),
    "returns": (RETURNS, ("reference", "order_number", "sku", "units", "amount", "returned_at")),
    "movements": (MOVEMENTS, ("sku", "kind", "units", "at", "reference")),
    "purchases": (PURCHASES, ("number", "supplier", "status", "sku", "units", "unit_cost")),
}
"""Every table by name: its columns, and those that may not be empty."""


def check(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return `frame` with the columns of table `name`, in order; columns that may be empty are added when missing.

    Raises BadFrame when a needed column is missing or holds a null, or a column has another dtype (a Decimal of
    another scale is converted when nothing is lost).

    >>> check(pl.DataFrame({"name": ["Norte"]}), "suppliers").row(0)
    ('Norte', None, None, None, None)
    """
    schema, required = TABLES[name]
    if missing := [column for column in required if column not in frame.columns]:
        raise BadFrame(
            f"{name} lacks the column(s) {', '.join(missing)}; it has {', '.join(frame.columns)}",
            table=name,
            missing=missing,
        )
    columns: list[pl.Series] = []
    for column, dtype in schema.items():
        if column not in frame.columns:
            columns.append(pl.Series(column, [None] * frame.height, dtype=dtype))
            continue
        columns.append(_as(frame[column], dtype, f"{name}.{column}"))
    whole = pl.DataFrame(columns)
    for column in required:
        if nulls := whole[column].null_count():
            raise BadFrame(f"{name}.{column} is empty in {nulls} row(s)", table=name, column=column)
    return whole


def _as(series: pl.Series, dtype: pl.DataType | type[pl.DataType], where: str) -> pl.Series:
    """`series` with this dtype; decimals and whole numbers may change width, nothing else converts silently."""
    if series.dtype in (dtype, pl.Null):
        return series.cast(dtype)
    exact = series.dtype.is_integer() or series.dtype.is_decimal()
    if exact and (dtype == pl.Int64 or isinstance(dtype, pl.Decimal)):
        try:
            cast = series.cast(dtype)
        except pl.exceptions.InvalidOperationError as error:
            raise BadFrame(f"{where} does not fit {dtype}: {error}", column=where) from error
        if (cast == series).all():
            return cast
    raise BadFrame(f"{where} is {series.dtype}, {dtype} is needed; give the dtype when the table is made", column=where)


def empty(name: str) -> pl.DataFrame:
    """Table `name` without rows.

    >>> empty("suppliers").height
    0
    """
    return pl.DataFrame(schema=TABLES[name][0])
