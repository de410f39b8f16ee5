"""From rows to canonical tables, and from those into the shop: what `import_sales` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl
from django.db import transaction

from authentication.models import User
from ingest import bulk, canonical, journal, load, names, newer, shelf_history, stored
from ingest.assume import Assumptions, fill
from ingest.copies import beside
from ingest.counts import Counts
from ingest.matching import PIECES, match_returns
from ingest.presets import Preset
from ingest.rows import CHARGES, Options, Rows
from ingest.whole_orders import WITHDRAWN
from orders.models import OrderReturn
from products.models import Category, Product, ProductVariant


@dataclass(frozen=True)
class Sales:
    """The canonical tables of a sales file, and its rows with what became of each."""

    rows: pl.DataFrame
    catalogue: pl.DataFrame
    customers: pl.DataFrame
    orders: pl.DataFrame
    lines: pl.DataFrame
    returns: pl.DataFrame
    return_units_left: int
    """Units that came back in returns of which only a part was matched."""
    cents_left_of_returns: int
    """Money of that part (negative)."""
    erased_orders: int = 0
    """Orders of persons who were erased: they come in as a guest's."""
    whole: bool = False
    """The files tell all of an order, its returns too: what an older file told otherwise holds no more."""
    levels: pl.DataFrame | None = None
    """`shelf_history.LEVELS`, where the files say what was on the shelf when something was sold."""
    withdrawn: pl.DataFrame | None = None
    """`order_number, status` of orders that were left out and have this status now, if the shop has them."""


@dataclass(frozen=True)
class Result:
    """What was written, and the money that the database holds of it, in cents."""

    counts: dict[str, Counts] = field(default_factory=dict)
    line_cents: int = 0
    charge_cents: int = 0
    return_cents: int = 0


def build(rows: Rows, preset: Preset, options: Options, *, source: str) -> Sales:
    """The canonical tables: orders from the sale rows, returns matched to their sales."""
    frame = names.resolved(rows.frame) if preset.sku_from_name else rows.frame
    sales = frame.filter(pl.col("kind") == "sale").drop("part", "line", "cents_in", "reason", "detail", "kind")
    sales = sales.drop("entry", "of_row", strict=False)
    sales = sales.with_columns(_line_of(sales))
    pieces, frame = _matched(frame, sales, source=source)
    orders = _orders(frame, sales, preset, options)
    partly = frame.filter(pl.col("kind") == "return").join(
        pieces.group_by(row="return_row").agg(matched=pl.col("units").sum(), given=pl.col("share").sum()), on="row"
    )
    partly = partly.filter(-pl.col("units") > pl.col("matched"))
    customers = _customers(sales)
    erased = list(load.erased_customers(customers, source))
    nobody = pl.when(~pl.col("customer_id").is_in(erased)).then(pl.col("customer_id"))
    return Sales(
        rows=frame.with_columns(customer_id=nobody),
        catalogue=_catalogue(sales),
        customers=customers.filter(~pl.col("external_id").is_in(erased)),
        orders=orders.with_columns(customer_id=nobody),
        erased_orders=orders.filter(pl.col("customer_id").is_in(erased)).height,
        lines=sales.select(list(canonical.LINES)),
        returns=_returns(pieces),
        return_units_left=int((-partly["units"] - partly["matched"]).sum()),
        cents_left_of_returns=int((partly["cents"] + partly["given"]).sum()),
        levels=_levels(sales, preset),
        whole=preset.shape is not None,
        withdrawn=_withdrawn(frame, orders) if preset.shape else None,
    )


def _levels(sales: pl.DataFrame, preset: Preset) -> pl.DataFrame | None:
    """What was on the shelf before each sale; a level that is cut off at what was sold says no more than that."""
    if "in_stock" not in sales.columns or not sales["in_stock"].count():
        return None
    level = pl.col("in_stock").cast(pl.Float64).floor().cast(pl.Int64)
    exact = level if not preset.levels_cut_off else pl.when(level != pl.col("units")).then(level)
    table = sales.select("sku", "units", "order_number", at="placed_at", level=exact)
    return table.select(list(shelf_history.LEVELS))


def _withdrawn(frame: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    gone = frame.filter(pl.col("reason").is_in(list(WITHDRAWN))).unique("order_number", maintain_order=True)
    gone = gone.join(orders, on="order_number", how="anti")
    return gone.select("order_number", status=pl.col("reason").replace_strict(WITHDRAWN, return_dtype=pl.String))


def _line_of(sales: pl.DataFrame) -> pl.Series:
    """Which of its order's lines of this SKU a row is: 0, 1, …; most are the only one."""
    alike = sales.select("row", "order_number", "sku")
    alike = alike.filter(alike.select("order_number", "sku").is_duplicated())
    nth = alike.select("row", line_of=pl.int_range(pl.len(), dtype=pl.Int64).over("order_number", "sku"))
    return beside(sales, nth, "line_of").fill_null(0)


def _matched(frame: pl.DataFrame, sales: pl.DataFrame, *, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pieces of the returns with the sale each goes to, and the rows with the unmatched ones left out."""
    returned = frame.filter(pl.col("kind") == "return")
    told, back = _told(returned, sales)
    back, candidates = _candidates(back, sales, source=source)
    pieces = match_returns(
        candidates.filter(pl.col("units") > 0).select("row", "buyer", "sku", "at", "units"),
        back.select("row", "buyer", "sku", at="placed_at", units=-pl.col("units"), cents=-pl.col("cents")),
    )
    named = sales.join(told, left_on="row", right_on="sale_row", how="semi")
    whole = [table.select("order_number", "line_of", sale_row="row") for table in (candidates, named)]
    number = pl.coalesce("return_number", "order_number") if "return_number" in returned.columns else "order_number"
    pieces = pl.concat([pieces, told]).join(
        pl.concat(whole).unique("sale_row"), on="sale_row", how="left", maintain_order="left"
    )
    of_return = returned.select("sku", "placed_at", return_row="row", return_number=number)
    pieces = pieces.join(of_return, on="return_row", how="left")
    lost = returned.join(pieces, left_on="row", right_on="return_row", how="anti")["row"]
    is_lost = pl.col("row").is_in(lost.implode())
    marked = frame.with_columns(
        reason=pl.when(is_lost).then(pl.lit("return_unmatched")).otherwise(pl.col("reason")),
        kind=pl.when(~is_lost).then(pl.col("kind")),
    )
    return pieces.rename({"cents": "share"}), marked


def _candidates(back: pl.DataFrame, sales: pl.DataFrame, *, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The returns with their `buyer`, and what these bought of these SKUs: in the files, and before."""
    before, taken = stored.sales_that_may_come_back(back, source=source, in_file=_orders_of(sales)["order_number"])
    # The customer may stand on the first row of an order only, and not on its return at all.
    buyers = pl.concat([_orders_of(sales), before.select("order_number", "customer_id")])
    buyers = buyers.drop_nulls().unique("order_number", keep="first", maintain_order=True)
    buyers = buyers.rename({"customer_id": "known"})
    columns = ["row", "buyer", "sku", "order_number", "line_of", "units", "at"]
    back = _with_buyer(back, buyers)
    # Only what its buyer sent back an SKU of is looked at.
    who = back.select(known=pl.coalesce("customer_id", "known")).drop_nulls().unique()
    of_interest = pl.concat(
        [buyers.join(who, on="known", how="semi").select("order_number"), back.select("order_number")]
    ).unique()
    own = sales.select("row", "customer_id", "sku", "order_number", "line_of", "units", at="placed_at")
    own = own.join(back.select("sku").unique(), on="sku", how="semi", maintain_order="left")
    own = own.join(of_interest, on="order_number", how="semi", maintain_order="left")
    candidates = pl.concat([_with_buyer(table, buyers).select(columns) for table in (own, before)])
    candidates = candidates.join(back.select("buyer", "sku").unique(), on=["buyer", "sku"], how="semi")
    candidates = candidates.join(taken, on=["order_number", "sku", "line_of"], how="left", maintain_order="left")
    return back, candidates.with_columns(units=pl.col("units") - pl.col("taken").fill_null(0))


def _told(back: pl.DataFrame, sales: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pieces of returns whose line the file names (`of_row`), up to the units it sold; and the other returns."""
    if "of_row" not in back.columns:
        return pl.DataFrame(schema=PIECES), back
    sold = sales.select(of_row="row", sold="units")
    named = back.filter(pl.col("of_row").is_not_null()).join(sold, on="of_row", how="inner").sort("row")
    upto = (-pl.col("units")).cum_sum().over("of_row")
    pieces = named.filter(upto <= pl.col("sold")).select(
        return_row="row", sale_row="of_row", piece=pl.lit(0, pl.Int64), units=-pl.col("units"), cents=-pl.col("cents")
    )
    return pieces, back.filter(pl.col("of_row").is_null())


def _orders_of(sales: pl.DataFrame) -> pl.DataFrame:
    """The distinct `order_number, customer_id`; rows of one order mostly follow each other, which saves most work."""
    pair = sales.select("order_number", "customer_id")
    fresh = pl.any_horizontal(pl.all().ne_missing(pl.all().shift())) | (pl.int_range(pl.len()) == 0)
    return pair.filter(fresh).unique(maintain_order=True)


def _with_buyer(table: pl.DataFrame, buyers: pl.DataFrame) -> pl.DataFrame:
    """Add `buyer`: the customer; a guest is nobody but the one who placed this order."""
    joined = table.join(buyers, on="order_number", how="left", maintain_order="left")
    customer = pl.concat_str(pl.lit("c "), pl.coalesce("customer_id", "known"))
    return joined.with_columns(buyer=pl.coalesce(customer, pl.concat_str(pl.lit("o "), "order_number")))


def _returns(pieces: pl.DataFrame) -> pl.DataFrame:
    nth = pl.int_range(pl.len()).over("return_number", "sku")
    return pieces.sort("return_row", "piece").select(
        reference=pl.concat_str(pl.col("return_number"), pl.col("sku"), nth, separator="/"),
        order_number="order_number",
        sku="sku",
        line="line_of",
        units="units",
        amount=(pl.col("share").cast(pl.Decimal(38, 2)) / 100).cast(canonical.MONEY),
        returned_at=pl.col("placed_at"),
    )


def _given_first(*names: str) -> list[pl.Expr]:
    return [pl.col(name).drop_nulls().first() for name in names]


def _orders(frame: pl.DataFrame, sales: pl.DataFrame, preset: Preset, options: Options) -> pl.DataFrame:
    heads = sales.group_by("order_number", maintain_order=True).agg(
        *_given_first("customer_id", "status", "channel", "currency", "shipping", "tax"),
        placed_at=pl.col("placed_at").min(),
    )
    charges = (
        frame.filter(pl.col("kind").is_in(CHARGES))
        .group_by("order_number")
        .agg(pl.col("cents").filter(pl.col("kind") == kind).sum().alias(f"{kind}_rows") for kind in CHARGES)
    )
    heads = heads.join(charges, on="order_number", how="left", maintain_order="left")

    def charge(kind: str) -> pl.Expr:
        of_rows = (pl.col(f"{kind}_rows").fill_null(0).cast(pl.Decimal(38, 2)) / 100).cast(canonical.MONEY)
        return (pl.col(kind).fill_null(0) + of_rows).cast(canonical.MONEY)

    return heads.with_columns(
        shipping=charge("shipping"),
        tax=charge("tax"),
        status=pl.col("status").fill_null("completed"),
        channel=pl.col("channel").fill_null(options.channel),
        currency=pl.col("currency").fill_null(options.currency),
        is_test=pl.lit(value=False),
    ).select(list(canonical.ORDERS))


def _most_frequent(sales: pl.DataFrame, name: str) -> pl.DataFrame:
    """`sku` and the value of `name` that most of its rows have; ties go to the greater value."""
    counted = sales.filter(pl.col(name).is_not_null()).group_by("sku", name).len()
    return counted.sort("len", name).group_by("sku", maintain_order=True).agg(pl.col(name).last())


def _catalogue(sales: pl.DataFrame) -> pl.DataFrame:
    """One row per SKU sold: its most frequent name, and the most frequent price of its last 90 days on sale."""
    last = sales.group_by("sku").agg(last=pl.col("placed_at").max())
    recent = sales.select("sku", "placed_at", "unit_price").join(last, on="sku")
    recent = recent.filter(pl.col("placed_at") > pl.col("last") - pl.duration(days=90))
    table = sales.group_by("sku").agg(*_given_first("product_code", "category"), created_at=pl.col("placed_at").min())
    table = table.join(_most_frequent(sales, "product_name"), on="sku", how="left")
    table = table.join(_most_frequent(recent, "unit_price"), on="sku", how="left").sort("sku")
    return table.with_columns(
        product_code=pl.coalesce("product_code", "sku"),
        product_name=pl.coalesce("product_name", "sku").str.slice(0, 255),
        price=pl.col("unit_price").round(2, "half_to_even").cast(canonical.MONEY),
    ).drop("unit_price")


def _customers(sales: pl.DataFrame) -> pl.DataFrame:
    known = sales.select("customer_id", "country", "email", "placed_at", "order_number", "row")
    known = known.filter(pl.col("customer_id").is_not_null()).sort("placed_at", "order_number", "row")
    return (
        known.group_by("customer_id")
        .agg(
            pl.col("country").drop_nulls().last(),
            pl.col("email").drop_nulls().last(),
            joined=pl.col("placed_at").min(),
        )
        .rename({"customer_id": "external_id"})
        .sort("external_id")
    )


def write(sales: Sales, *, source: str, progress: Callable[[str, int], None]) -> Result:
    """Write the tables; `progress` is told what and how many. Products that the shop has are left as they are."""
    counts: dict[str, Counts] = {}
    counts["products"] = load.catalogue(_only_new(sales.catalogue))
    _hold(sales.catalogue["sku"])
    progress("products", sales.catalogue.height)
    counts["customers"] = load.customers(_joined_earlier(sales.customers, source), source=source)
    progress("customers", sales.customers.height)
    written = load.orders(sales.orders, sales.lines, source=source, progress=lambda rows: progress("orders", rows))
    counts["orders"], counts["lines"] = written.orders, written.lines
    gone = 0
    if sales.whole:
        gone = newer.forget_returns(sales.orders["order_number"], sales.returns["reference"])
    counts["returns"] = load.returns(sales.returns, progress=lambda rows: progress("returns", rows))
    counts["returns"] += Counts(updated=gone)
    if sales.withdrawn is not None and (withdrawn := newer.withdraw(sales.withdrawn)) != Counts():
        counts["withdrawn"] = withdrawn
    charges = sales.orders.select(pl.col("shipping") + pl.col("tax")).to_series().sum() or 0
    if sales.levels is not None:
        counts["stock_history"] = shelf_history.write(sales.levels)
    return Result(counts, written.cents, int(charges * 100), _return_cents(sales.returns["reference"]))


def assume(assumptions: Assumptions, sales: Sales) -> dict[str, Counts]:
    """Fill in what the files do not say, where it is asked for and empty; see `ingest.assume`."""
    at = sales.orders.select("order_number", at="placed_at")
    lines = sales.lines.join(at, on="order_number").select("sku", "units", "unit_price", "at")
    return fill(assumptions, sales.catalogue, lines)


def _return_cents(references: pl.Series) -> int:
    found = bulk.fetch(
        OrderReturn, [f"COALESCE(SUM({bulk.scaled('amount', 100)}), 0)"], key="reference", values=references
    )
    return int(found[0][0]) if found else 0


def _only_new(catalogue: pl.DataFrame) -> pl.DataFrame:
    """SKUs that the shop has keep what its owner set; only a first sale before the stored one is taken over."""
    found = bulk.fetch(ProductVariant, ["sku"], key="sku", values=catalogue["sku"])
    known = pl.DataFrame(found, schema={"sku": pl.String}, orient="row")
    new = catalogue.join(known, on="sku", how="anti", maintain_order="left")
    dates = ProductVariant.objects.filter(product__isnull=False).values_list("sku", "product__created_at")
    since = pl.DataFrame(list(dates.iterator()), schema={"sku": pl.String, "since": canonical.AT}, orient="row")
    earlier = catalogue.select("sku", "created_at").join(since, on="sku").filter(pl.col("created_at") < pl.col("since"))
    return pl.concat([new, earlier.drop("since")], how="diagonal")


@transaction.atomic
def _hold(skus: pl.Series) -> None:
    """Note that this import sells these goods too, though it leaves them as they are."""
    if not journal.active():
        return
    variants = dict(bulk.fetch(ProductVariant, ["id", "product_id"], key="sku", values=skus))
    categories = bulk.fetch(Product, ["DISTINCT category_id"], key="id", values=set(variants.values()))
    journal.hold(ProductVariant, variants)
    journal.hold(Product, set(variants.values()))
    journal.hold(Category, [pk for (pk,) in categories if pk is not None])


def _joined_earlier(customers: pl.DataFrame, source: str) -> pl.DataFrame:
    """A later file does not make a customer younger."""
    dates = User.objects.filter(source=source, external_id__isnull=False).values_list("external_id", "date_joined")
    since = pl.DataFrame(list(dates.iterator()), schema={"external_id": pl.String, "since": canonical.AT}, orient="row")
    joined = customers.join(since, on="external_id", how="left", maintain_order="left")
    return joined.with_columns(joined=pl.min_horizontal("joined", "since")).drop("since")
