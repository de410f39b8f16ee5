"""The shop as tables: the columns of the canonical tables that the importers make and the loader writes."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.frames import Schema
from retail_ml.synthetic import words
from retail_ml.synthetic.calendar import Calendar
from retail_ml.synthetic.catalogue import NEVER, Range, plain, sku
from retail_ml.synthetic.people import People
from retail_ml.synthetic.plan import Plan
from retail_ml.synthetic.supply import Supply, minimum_order
from retail_ml.synthetic.trade import Books

Ints = npt.NDArray[np.int64]

ORDER_PREFIX = "DEMO-"
"""Every order number of a synthetic shop begins with this."""
CURRENCY = "EUR"
MONEY = pl.Decimal(14, 2)
UNIT_PRICE = pl.Decimal(12, 4)
AT = pl.Datetime("us", "UTC")
UNPAID_DAYS = 30
"""An order that is not paid is pending for so many days, then cancelled."""

SCHEMAS: dict[str, Schema] = {
    "suppliers": {
        "name": pl.String, "email": pl.String, "lead_time_days": pl.Float64, "lead_time_sd": pl.Float64,
        "minimum_order_value": MONEY,
    },
    "catalogue": {
        "sku": pl.String, "product_code": pl.String, "product_name": pl.String, "category": pl.String,
        "brand": pl.String, "description": pl.String, "price": MONEY, "cost": UNIT_PRICE, "options": pl.String,
        "pack_size": pl.Int64, "minimum_order": pl.Int64, "lead_time_days": pl.Int64, "supplier": pl.String,
        "status": pl.String, "created_at": AT, "image_url": pl.String,
        "season_end": pl.Date,
    },
    "prices": {
        "sku": pl.String, "supplier": pl.String, "minimum_quantity": pl.Int64, "unit_cost": UNIT_PRICE,
    },
    "customers": {
        "external_id": pl.String, "email": pl.String, "first_name": pl.String, "last_name": pl.String,
        "country": pl.String, "joined": AT,
    },
    "orders": {
        "order_number": pl.String, "customer_id": pl.String, "placed_at": AT, "status": pl.String,
        "channel": pl.String, "currency": pl.String, "shipping": MONEY, "tax": MONEY, "is_test": pl.Boolean,
    },
    "lines": {
        "order_number": pl.String, "sku": pl.String, "units": pl.Int64, "unit_price": UNIT_PRICE, "discount": MONEY,
    },
    "returns": {
        "reference": pl.String, "order_number": pl.String, "sku": pl.String, "line": pl.Int64, "units": pl.Int64,
        "amount": MONEY, "returned_at": AT,
    },
    "movements": {
        "sku": pl.String, "kind": pl.String, "units": pl.Int64, "at": AT, "reference": pl.String,
    },
    "purchases": {
        "number": pl.String, "supplier": pl.String, "status": pl.String, "ordered_at": AT, "expected_on": pl.Date,
        "received_at": AT, "sku": pl.String, "units": pl.Int64, "received_units": pl.Int64, "unit_cost": UNIT_PRICE,
    },
}  # fmt: skip
"""Columns and dtypes of each table, as the loader wants them."""

GRANTING = (0, 3)
"""Rows of the suppliers who grant price breaks."""
BREAKS = ((6, 4), (18, 9))
"""Packs (of two units at least) from which so many per cent are taken off the cost."""

STATES = ("completed", "delivered", "cancelled", "cancelled", "pending")


class Writer:
    """Turns the books into tables. Positions of days are those of the calendar."""

    def __init__(self, plan: Plan, calendar: Calendar, people: People, range_: Range) -> None:
        self.plan, self.calendar, self.people, self.range = plan, calendar, people, range_
        self.last = calendar.first + calendar.n - 1
        self.skus = pl.Series(
            "sku",
            [
                sku(range_.styles[s], z, c)
                for s, z, c in zip(range_.style_of, range_.size_of, range_.colour_of, strict=True)
            ],
            dtype=pl.String,
        )

    def at(self, day: Ints, second: Ints | int) -> pl.Series:
        """UTC times of local seconds of days."""
        local = self.calendar.dates[day].astype("datetime64[us]") + (np.zeros_like(day) + second).astype(
            "timedelta64[s]"
        )
        return pl.Series("at", local).dt.replace_time_zone(self.plan.time_zone).dt.convert_time_zone("UTC")

    def tables(self, books: Books, supply: Supply) -> dict[str, pl.DataFrame]:
        """All tables, each with its schema, in the order in which things happened."""
        orders = books.orders.columns("customer", "day", "second", "online", "state", "shipping")
        lines = books.lines.columns("order", "variant", "units", "price", "discount")
        purchases = self._purchases(supply)
        tables = {
            "suppliers": self._suppliers(),
            "catalogue": self._catalogue(),
            "prices": self._prices(),
            "customers": self._customers(orders["customer"]),
            "orders": self._orders(orders),
            "lines": self._lines(lines),
            "returns": self._returns(books, lines),
            "purchases": purchases,
        }
        tables["movements"] = self._movements(books, orders, lines, tables)
        return {name: tables[name].select(list(schema)) for name, schema in SCHEMAS.items()}

    def _suppliers(self) -> pl.DataFrame:
        rows = [
            (s.name, s.email, float(s.lead_mean), float(s.lead_sd), minimum_order(self.plan, s))
            for s in words.SUPPLIERS
        ]
        return pl.DataFrame(rows, schema=SCHEMAS["suppliers"], orient="row")

    def _catalogue(self) -> pl.DataFrame:
        r = self.range
        options = [
            json.dumps(
                ({} if r.n_sizes[s] == 1 else {"size": words.SIZES[r.styles[s].sizes][z]})
                | {"color": r.styles[s].colours[c]},
                ensure_ascii=False,
            )
            for s, z, c in zip(r.style_of, r.size_of, r.colour_of, strict=True)
        ]
        text = {
            "product_code": [s.code for s in r.styles],
            "product_name": [s.name for s in r.styles],
            "category": [words.CATEGORIES[s.category].name for s in r.styles],
            "brand": [s.brand for s in r.styles],
            "description": [s.description for s in r.styles],
            "supplier": [words.SUPPLIERS[s.supplier].name for s in r.styles],
            "status": ["discontinued" if s.end <= self.last else "active" for s in r.styles],
        }
        columns: dict[str, pl.Series] = {
            name: pl.Series(values, dtype=pl.String).gather(r.style_of) for name, values in text.items()
        }
        created = np.array([s.created for s in r.styles], dtype="datetime64[us]") + np.timedelta64(8, "h")
        zone = self.plan.time_zone
        return pl.DataFrame({
            "sku": self.skus,
            **columns,
            "price": money(r.price[r.style_of]),
            "cost": unit_price(r.cost[r.style_of]),
            "options": pl.Series(options, dtype=pl.String),
            "pack_size": r.pack,
            "minimum_order": r.pack,
            "lead_time_days": pl.repeat(None, len(options), dtype=pl.Int64, eager=True),
            "created_at": pl.Series(created[r.style_of]).dt.replace_time_zone(zone).dt.convert_time_zone("UTC"),
            "image_url": pl.repeat(None, len(options), dtype=pl.String, eager=True),
            "season_end": pl.Series(self._season_ends(), dtype=pl.Date).gather(r.style_of),
        })  # fmt: skip

    def _season_ends(self) -> list[date | None]:
        """The last day of each style that is sold off at the end of its season; of the others the owner plans none."""
        return [
            self.calendar.at(s.launch) + timedelta(days=s.end - s.launch - 1) if s.in_sales and s.end < NEVER else None
            for s in self.range.styles
        ]

    def _prices(self) -> pl.DataFrame:
        """Price breaks of the suppliers who grant them, variant by variant."""
        r = self.range
        rows = [(row, s, number) for row, s in enumerate(r.style_of) for number in range(len(BREAKS))]
        row, style, number = (np.array(column) for column in zip(*rows, strict=True))
        packs, off = (np.array(column)[number] for column in zip(*BREAKS, strict=True))
        grants = np.isin(r.supplier[style], GRANTING)
        return pl.DataFrame({
            "sku": self.skus.gather(row),
            "supplier": pl.Series([s.name for s in words.SUPPLIERS], dtype=pl.String).gather(r.supplier[style]),
            "minimum_quantity": packs * np.maximum(r.pack[row], 2),
            "unit_cost": unit_price(np.round(r.cost[style] * (100 - off) / 100).astype(np.int64)),
        }).filter(pl.Series(grants))  # fmt: skip

    def _customers(self, customer: Ints) -> pl.DataFrame:
        """Customers with an order, in the order of their first one."""
        known = customer[customer >= 0]
        rows, where = np.unique(known, return_index=True)
        rows = rows[np.argsort(where)]
        generator = self.plan.stream("names")
        n = len(self.people.rate)
        first = generator.integers(len(words.FIRST_NAMES), size=n)[rows]
        last = self.plan.stream("names", 1).integers(len(words.LAST_NAMES), size=(n, 2))[rows]
        names = [plain(name).lower() for name in words.FIRST_NAMES]
        surnames = [plain(name).lower() for name in words.LAST_NAMES]
        emails = [f"{names[f]}.{surnames[s]}.{k}@example.com" for f, s, k in zip(first, last[:, 0], rows, strict=True)]
        family = pl.Series(words.LAST_NAMES, dtype=pl.String)
        return pl.DataFrame({
            "external_id": customer_id(rows),
            "email": pl.Series(emails, dtype=pl.String),
            "first_name": pl.Series(words.FIRST_NAMES, dtype=pl.String).gather(first),
            "last_name": family.gather(last[:, 0]) + " " + family.gather(last[:, 1]),
            "country": pl.repeat("ES", len(rows), dtype=pl.String, eager=True),
            "joined": self.at(self.people.born_day[rows], 43_200),
        })  # fmt: skip

    def _orders(self, orders: dict[str, Ints]) -> pl.DataFrame:
        state, day = orders["state"], orders["day"]
        pending = (state == 3) & (day > self.last - UNPAID_DAYS)
        channel = pl.Series(["store", "online"], dtype=pl.String)
        customer = orders["customer"]
        return pl.DataFrame({
            "order_number": order_number(np.arange(len(day))),
            "customer_id": customer_id(customer).zip_with(
                pl.Series(customer >= 0), pl.repeat(None, len(day), dtype=pl.String, eager=True)
            ),
            "placed_at": self.at(day, orders["second"]),
            "status": pl.Series(STATES, dtype=pl.String).gather(np.where(pending, 4, state)),
            "channel": channel.gather(orders["online"]),
            "currency": pl.repeat(CURRENCY, len(day), dtype=pl.String, eager=True),
            "shipping": money(orders["shipping"]),
            "tax": money(np.zeros(len(day), dtype=np.int64)),
            "is_test": pl.repeat(False, len(day), dtype=pl.Boolean, eager=True),
        })  # fmt: skip

    def _lines(self, lines: dict[str, Ints]) -> pl.DataFrame:
        return pl.DataFrame({
            "order_number": order_number(lines["order"]),
            "sku": self.skus.gather(lines["variant"]),
            "units": lines["units"],
            "unit_price": unit_price(lines["price"]),
            "discount": money(lines["discount"]),
        })  # fmt: skip

    def _returns(self, books: Books, lines: dict[str, Ints]) -> pl.DataFrame:
        found = books.returns.columns("line", "units", "amount", "day", "second")
        number = order_number(lines["order"][found["line"]])
        skus = self.skus.gather(lines["variant"][found["line"]])
        return pl.DataFrame({
            "reference": "R-" + number + "-" + skus,
            "order_number": number,
            "sku": skus,
            "line": np.zeros(len(number), dtype=np.int64),
            "units": found["units"],
            "amount": money(found["amount"]),
            "returned_at": self.at(found["day"], found["second"]),
        }).sort("returned_at", maintain_order=True)  # fmt: skip

    def _purchases(self, supply: Supply) -> pl.DataFrame:
        if not supply.lines:
            return pl.DataFrame(schema=SCHEMAS["purchases"])
        order = np.concatenate([np.full(len(v), row) for row, v, _ in supply.lines])
        variant = np.concatenate([v for _, v, _ in supply.lines])
        units = np.concatenate([u for _, _, u in supply.lines])
        supplier, ordered, expected, received = (np.array(c)[order] for c in zip(*supply.orders, strict=True))
        there = pl.Series(received <= self.last)
        status = pl.Series(["confirmed", "received"], dtype=pl.String).gather((received <= self.last).astype(np.int64))
        arrived = self.at(received, 28_800)
        return pl.DataFrame({
            "number": pl.Series("number", order + 1).cast(pl.String).str.zfill(5).str.replace("^", "DEMO-PO-"),
            "supplier": pl.Series([s.name for s in words.SUPPLIERS], dtype=pl.String).gather(supplier),
            "status": status,
            "ordered_at": self.at(ordered, 64_800),
            "expected_on": pl.Series(self.calendar.dates[expected]).cast(pl.Date),
            "received_at": arrived.zip_with(there, pl.repeat(None, len(order), dtype=AT, eager=True)),
            "sku": self.skus.gather(variant),
            "units": units,
            "received_units": np.where(received <= self.last, units, 0),
            "unit_cost": unit_price(self.range.cost[self.range.style_of[variant]]),
        })  # fmt: skip

    def _movements(
        self, books: Books, orders: dict[str, Ints], lines: dict[str, Ints], tables: dict[str, pl.DataFrame]
    ) -> pl.DataFrame:
        """Every change of stock, in the order of time."""
        shelf = books.shelf.columns("variant", "units", "day")
        opening = shelf["units"] > 0
        skus = self.skus.gather(shelf["variant"])
        change = pl.DataFrame({
            "sku": skus,
            "kind": pl.Series(["write_off", "opening"], dtype=pl.String).gather(opening.astype(np.int64)),
            "units": shelf["units"],
            "at": self.at(shelf["day"], np.where(opening, 27_000, 25_200)),
            "reference": pl.Series(["outlet:", "opening:"], dtype=pl.String).gather(opening.astype(np.int64)) + skus,
        })  # fmt: skip
        received = tables["purchases"].filter(pl.col("received_at").is_not_null())
        receipts = received.select(
            "sku",
            kind=pl.lit("receipt"),
            units="received_units",
            at="received_at",
            reference=pl.col("number") + ":" + pl.col("sku"),
        )
        returns = tables["returns"].select(
            "sku", kind=pl.lit("return"), units="units", at="returned_at", reference="reference"
        )
        state = orders["state"][lines["order"]]
        day, second = orders["day"][lines["order"]], orders["second"][lines["order"]]
        sold = tables["lines"].select(
            "sku",
            kind=pl.lit("sale"),
            units=-pl.col("units"),
            at=pl.lit(self.at(day, second)),
            reference=pl.col("order_number") + ":" + pl.col("sku"),
        )
        cancelled = sold.with_columns(
            kind=pl.lit("cancellation"), units=-pl.col("units"), at=pl.lit(self.at(day, 85_500))
        ).filter(pl.Series(state == 2))
        parts = [change, receipts, returns, sold.filter(pl.Series(state != 3)), cancelled]
        return pl.concat([part.select(list(SCHEMAS["movements"])) for part in parts]).sort("at", maintain_order=True)


def order_number(row: Ints) -> pl.Series:
    """Numbers of the orders in these rows.

    >>> order_number(np.array([0, 41])).to_list()
    ['DEMO-0000001', 'DEMO-0000042']
    """
    return ORDER_PREFIX + pl.Series("order_number", row + 1, dtype=pl.Int64).cast(pl.String).str.zfill(7)


def customer_id(row: Ints) -> pl.Series:
    """Numbers of the customers in these rows of `People`."""
    return "C" + pl.Series("customer_id", row + 1, dtype=pl.Int64).cast(pl.String).str.zfill(6)


def money(cents: Ints) -> pl.Series:
    """Whole cents as exact decimals.

    >>> money(np.array([1995])).to_list()
    [Decimal('19.95')]
    """
    return (pl.Series(cents, dtype=pl.Int64) / 100).cast(MONEY)


def unit_price(cents: Ints) -> pl.Series:
    """Whole cents as exact decimals with four places."""
    return (pl.Series(cents, dtype=pl.Int64) / 100).cast(UNIT_PRICE)


def day_table(calendar: Calendar) -> pl.DataFrame:
    """The true factors of each day of the shop, and the operational clock at its end."""
    inside = slice(calendar.first, calendar.first + calendar.n)
    return pl.DataFrame({
        "day": pl.Series(calendar.dates[inside]).cast(pl.Date),
        "open": calendar.open[inside],
        "expected": calendar.expected[inside],
        "factor": calendar.factor[inside],
        "clock": np.cumsum(calendar.factor)[inside],
    })  # fmt: skip


def truth_of_customers(people: People, calendar: Calendar) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every customer ever won with the true rate and dropout, and every purchase with its operational time."""
    customers = pl.DataFrame({
        "customer": np.arange(len(people.rate)),
        "external_id": customer_id(np.arange(len(people.rate))),
        "rate": people.rate,
        "dropout": people.dropout,
        "born": people.born,
        "born_day": pl.Series(calendar.dates[people.born_day]).cast(pl.Date),
    })  # fmt: skip
    purchases = pl.DataFrame({
        "customer": people.customer,
        "day": pl.Series(calendar.dates[people.day]).cast(pl.Date),
        "at": people.at,
    })  # fmt: skip
    return customers, purchases


def truth_of_styles(range_: Range, calendar: Calendar) -> pl.DataFrame:
    """Look, taste, popularity and life of each style."""
    return pl.DataFrame(
        [
            (
                s.code, s.look, words.TASTES[s.taste].name, s.popularity, calendar.at(s.launch),
                calendar.at(s.launch) + timedelta(days=s.end - s.launch) if s.end < NEVER else None,
            )
            for s in range_.styles
        ],
        schema={
            "product_code": pl.String, "look": pl.Int64, "taste": pl.String, "popularity": pl.Float64,
            "launch": pl.Date, "end": pl.Date,
        },
        orient="row",
    )  # fmt: skip
