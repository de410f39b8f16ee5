"""The input tables, written once: name, dtype and unit of every column; checks; pure derivations.

Every source passes its tables through `check`. Ids are the shop's own, as text; inside a model they are
row numbers 0…n-1, and only `IdMap` converts. Money is in the shop's one currency, net of discount, tax as
in the shop's prices. Days are business days in the shop's own time zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.errors import BadFrame

Schema = dict[str, pl.DataType | type[pl.DataType]]

ORDER_LINES: Schema = {  # one row per variant sold in an order, and one per return
    "order_id": pl.String,
    "customer_id": pl.String,  # null: a guest
    "product_id": pl.String,
    "variant_id": pl.String,
    "at": pl.Datetime("us", "UTC"),  # sale: when ordered; return: when it came back
    "day": pl.Date,  # the business day of `at`
    "units": pl.Float64,  # negative: a return
    "amount": pl.Float64,  # the whole line, after discount; negative: a return
    "is_return": pl.Boolean,
}
OLDEST_FIRST = ("at", "order_id", "variant_id", "is_return", "units", "amount")
"""The order of ORDER_LINES of a whole shop: the same however they were read."""
PRODUCTS: Schema = {  # one row per product (style)
    "product_id": pl.String,
    "name": pl.String,
    "category": pl.String,  # "" when the shop gives none
    "brand": pl.String,
    "description": pl.String,
    "price": pl.Float64,  # null: unknown
    "active": pl.Boolean,
    "image_url": pl.String,
    "created": pl.Date,  # null: unknown
}
STOCK: Schema = {  # one row per variant (SKU)
    "variant_id": pl.String,
    "product_id": pl.String,
    "sku": pl.String,
    "options": pl.String,  # "S · red"; "" for a product without options
    "active": pl.Boolean,
    "on_hand": pl.Float64,  # units; may be negative where a shop's counts are wrong
    "reserved": pl.Float64,  # units promised to open orders
    "on_order": pl.Float64,  # units in confirmed purchase orders, not yet received
    "drafted": pl.Float64,  # units in purchase-order drafts
    "price": pl.Float64,  # null: unknown
    "cost": pl.Float64,  # null: unknown
    "pack_size": pl.Float64,  # units; at least 1
    "minimum_order": pl.Float64,  # units; at least 1
    "lead_time_days": pl.Float64,  # mean, null: unknown
    "lead_time_sd": pl.Float64,  # days, null: unknown
    "supplier_id": pl.String,  # null: none known
    "supplier": pl.String,
    "season_end": pl.Date,  # last day on which it is to be sold; null: no end
    "minimum_order_value": pl.Float64,  # the supplier's, money of one order; null: no supplier known
}
POSITIONS: Schema = {  # one row per variant: what of `STOCK` tells whether it may have to be ordered
    name: STOCK[name]
    for name in ("variant_id", "active", "on_hand", "reserved", "on_order", "drafted", "supplier_id", "season_end")
}
SHELF: Schema = {  # one row per variant: what of the others says something of one
    "variant_id": pl.String,
    "category": pl.String,  # "": none
    "on_hand": pl.Float64,
    "reserved": pl.Float64,
    "price": pl.Float64,  # null: unknown
    "cost": pl.Float64,  # null: unknown
}
CUSTOMERS: Schema = {  # one row per customer known by name or number
    "customer_id": pl.String,
    "joined": pl.Date,  # null: unknown
}
STOCK_HISTORY: Schema = {  # one row per change of stock
    "variant_id": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "day": pl.Date,
    "units": pl.Float64,  # signed
    "kind": pl.String,
}
PRICE_BREAKS: Schema = {  # one row per variant and quantity from which its own supplier's price changes
    "variant_id": pl.String,
    "minimum_quantity": pl.Float64,  # units; the cost holds for all units of an order of at least so many
    "cost": pl.Float64,  # money of one unit
}
DELIVERIES: Schema = {  # one row per received part of a purchase line
    "variant_id": pl.String,
    "supplier_id": pl.String,
    "ordered": pl.Date,
    "received": pl.Date,  # never before `ordered`
    "units": pl.Float64,
}
OPEN_ORDERS: Schema = {  # one row per purchase line that still misses units
    "variant_id": pl.String,
    "order_id": pl.String,
    "number": pl.String,
    "supplier_id": pl.String,
    "ordered": pl.Date,  # null: not sent yet
    "expected": pl.Date,  # null: unknown
    "units": pl.Float64,  # still missing
    "draft": pl.Boolean,  # not sent to the supplier yet
}

NOT_NULL = {
    "order_id", "product_id", "variant_id", "at", "day", "units", "amount", "is_return", "name", "active",
    "on_hand", "reserved", "on_order", "drafted", "pack_size", "minimum_order", "sku", "kind",
    "minimum_quantity", "number", "received", "draft",
}  # fmt: skip
"""Columns that may not hold a null, in whichever table they stand (`customer_id`: only in CUSTOMERS)."""


def check(frame: pl.DataFrame, schema: Schema, *, name: str) -> pl.DataFrame:
    """Return `frame` with exactly the columns of `schema`, in its order, or raise BadFrame.

    Raises BadFrame when a column is missing, has another dtype, holds a null where none may be, or a
    number that is not finite.

    >>> check(pl.DataFrame({"customer_id": ["7"]}), CUSTOMERS, name="customers")
    Traceback (most recent call last):
    ...
    retail_ml.errors.BadFrame: customers lacks the column(s) joined; it has customer_id
    """
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise BadFrame(
            f"{name} lacks the column(s) {', '.join(missing)}; it has {', '.join(frame.columns)}",
            code="bad_frame.columns",
            table=name,
            missing=missing,
        )
    frame = frame.select(list(schema))
    dtypes = frame.schema
    for column, dtype in schema.items():
        found = dtypes[column]
        if found != dtype:
            raise BadFrame(
                f"{name}.{column} is {found}, {dtype} is needed; give the dtype when the table is read",
                code="bad_frame.type",
                table=name,
                column=column,
                found=str(found),
                needed=str(dtype),
            )
    required = [c for c in schema if c in NOT_NULL]
    if schema is CUSTOMERS:
        required.append("customer_id")
    empty = frame.select(pl.col(required).null_count()).row(0) if required else ()
    for column, nulls in zip(required, empty, strict=True):
        if nulls:
            raise BadFrame(
                f"{name}.{column} is empty in {nulls} row(s)",
                code="bad_frame.empty",
                table=name,
                column=column,
                rows=nulls,
            )
    numbers = [column for column, dtype in schema.items() if dtype == pl.Float64]
    finite = frame.select(pl.col(numbers).is_finite().all()).row(0) if numbers else ()
    for column, fine in zip(numbers, finite, strict=True):
        if not fine:
            raise BadFrame(
                f"{name}.{column} holds a number that is not finite",
                code="bad_frame.not_finite",
                table=name,
                column=column,
            )
    return frame


def empty(schema: Schema) -> pl.DataFrame:
    """A table of this schema without rows.

    >>> empty(CUSTOMERS).shape
    (0, 2)
    """
    return pl.DataFrame(schema=schema)


def as_of_day(data_until: datetime, time_zone: str) -> date:
    """The last day wholly before `data_until`, in the shop's time zone.

    >>> from datetime import UTC
    >>> as_of_day(datetime(2011, 12, 9, 12, 50, tzinfo=UTC), "Europe/London")
    datetime.date(2011, 12, 8)
    """
    return data_until.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=1)


def with_day(frame: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Add `day`, the business day of `at` (UTC) in the shop's time zone.

    >>> from datetime import UTC
    >>> late = pl.DataFrame({"at": [datetime(2026, 6, 30, 22, 30, tzinfo=UTC)]})
    >>> with_day(late, "Europe/Madrid")["day"][0]
    datetime.date(2026, 7, 1)
    """
    return frame.with_columns(day=pl.col("at").dt.convert_time_zone(time_zone).dt.date())


@dataclass(frozen=True)
class IdMap:
    """The shop's ids as text ↔ row numbers 0…n-1, in sorted order: the same for any row order of the data.

    >>> ids = IdMap.of(["b", "a", "b"])
    >>> ids.external.tolist(), ids.internal(["b", "x"]).tolist()
    (['a', 'b'], [1, -1])
    """

    external: npt.NDArray[np.str_]

    @classmethod
    def of(cls, ids: Iterable[str] | pl.Series) -> IdMap:
        """The map over the distinct ids given (nulls are left out)."""
        series = ids if isinstance(ids, pl.Series) else pl.Series(list(ids), dtype=pl.String)
        distinct = series.drop_nulls().unique().sort()
        return cls(distinct.to_numpy().astype(str) if len(distinct) else np.empty(0, dtype="<U1"))

    def __len__(self) -> int:
        return len(self.external)

    def internal(self, ids: Iterable[str] | pl.Series) -> npt.NDArray[np.int64]:
        """Row numbers of `ids`; -1 for an unknown or null one."""
        series = ids if isinstance(ids, pl.Series) else pl.Series(list(ids), dtype=pl.String)
        known = pl.DataFrame({"id": pl.Series(self.external.tolist(), dtype=pl.String), "row": np.arange(len(self))})
        found = pl.DataFrame({"id": series}).join(known, on="id", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy().astype(np.int64)


DECIMALS = 6
"""Sums are rounded to so many decimals: floats added in another order differ in the last bit, and a tree that learns
from them may split elsewhere."""


MONEY = 10_000
"""Parts that one unit of money is counted in where sums must be exact."""


def net_same_day(lines: pl.DataFrame) -> pl.DataFrame:
    """Order lines without those that were wholly reversed on the same day.

    Lines of one customer, variant and day whose units add up to zero are taken out: an order cancelled
    minutes later is not demand. Guests' lines stay. The sums of `retail_ml.daily` say themselves what was reversed.

    >>> day = date(2011, 12, 9)
    >>> lines = pl.DataFrame({"customer_id": ["7", "7", "8"], "variant_id": ["v", "v", "v"],
    ...     "day": [day] * 3, "units": [80_995.0, -80_995.0, 2.0]})
    >>> net_same_day(lines)["units"].to_list()
    [2.0]
    """
    if "reversed" in lines.columns:
        return lines.filter(~pl.col("reversed"))
    known = pl.col("customer_id").is_not_null()
    one = pl.struct("customer_id", "variant_id", "day").hash()
    back = lines.filter(known & (pl.col("units") <= 0)).select(one.alias("one"))["one"].unique()
    # Few lines can be undone: those beside a return. Of them alone the sums are made.
    some = lines.select("customer_id", "variant_id", "day", "units").with_row_index("at")
    some = some.filter(known & one.is_in(back.implode()))
    undone = some.filter(pl.col("units").sum().over("customer_id", "variant_id", "day").round(DECIMALS) == 0)["at"]
    if undone.is_empty():
        return lines
    kept = np.ones(len(lines), dtype=bool)
    kept[undone.to_numpy()] = False
    return lines.filter(pl.Series(kept))


def orders_in(lines: pl.DataFrame) -> int:
    """How many orders have a sale in ORDER_LINES, or in sums of `retail_ml.daily`, that hold nothing but sales.

    >>> orders_in(pl.DataFrame({"order_id": ["1", "1", "2"]})), orders_in(pl.DataFrame({"orders": [2, 0]}))
    (2, 2)
    """
    return int(lines["orders"].sum()) if "orders" in lines.columns else lines["order_id"].n_unique()


def daily_sales(lines: pl.DataFrame, by: list[str], *, until: date) -> pl.DataFrame:
    """Revenue and units per business day and group: columns `by…, day, sales, units`.

    Returns count on the day they came back. Days without a sale are absent; days after `until` are cut. The sums do
    not depend on the order of the rows.

    >>> day = date(2026, 1, 2)
    >>> lines = pl.DataFrame({"product_id": ["a", "a"], "day": [day, day], "amount": [10.0, -2.5],
    ...                       "units": [4.0, -1.0]})
    >>> daily_sales(lines, ["product_id"], until=day).rows()
    [('a', datetime.date(2026, 1, 2), 7.5, 3.0)]
    """
    return (
        lines.filter(pl.col("day") <= until)
        .group_by([*by, "day"])
        .agg(sales=pl.col("amount").sum().round(DECIMALS), units=pl.col("units").sum().round(DECIMALS))
        .sort([*by, "day"])
    )
