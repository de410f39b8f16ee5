"""Stated chances that goods lie still, held against what came: dead, slow and too much stock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.inventory import boutique, combined
from benchmarks.inventory.boutique import Boutique, Tables
from retail_ml import frames
from retail_ml.inventory import claims, live, plan, recalibration
from retail_ml.inventory.policy import Rules

CUTS = tuple(boutique.END - timedelta(days=135 + 35 * k) for k in range(9))
RETAIL_CUTS = (date(2011, 6, 6), date(2011, 7, 11), date(2011, 8, 8), date(2011, 8, 22))
RETAIL_UNTIL = date(2011, 12, 8)
CODES = ("DEAD_STOCK", "OVERSTOCK", "SLOW_MOVING", "SEASON_END_RISK")
COVER_DAYS, SALE_DAYS, LEAD = (10, 800), 10, (14.0, 3.5)
RULES = Rules()


def main(folder: Path) -> dict[str, Any]:
    """Per shop and code: claims, the mean chance stated and the share that came true, Brier scores; before and now.

    "before": without what the shop's own past teaches (`recalibration`). Every claim is made with the tables of its
    day, and scored with those of the days after it.
    """
    found = {"boutiques": _scored(_boutiques()), "Online Retail II": _scored(_retail(folder))}
    return {shop: {code: _told(rows, code) for code in CODES} for shop, rows in found.items()}


def _told(rows: pl.DataFrame, code: str) -> dict[str, Any]:
    mine = rows.filter(pl.col("code") == code, pl.col("came_true").is_not_null())
    if not len(mine):
        return {"claims": 0}
    came = mine["came_true"].cast(pl.Float64)

    def brier(column: str) -> float:
        return round(float(((mine[column] - came) ** 2).to_numpy().mean()), 4)

    means = {name: round(float(mine[name].to_numpy().mean()), 4) for name in ("before", "probability")}
    scores = {"brier_before": brier("before"), "brier": brier("probability")}
    return {"claims": len(mine), "came": round(float(came.to_numpy().mean()), 4), **means, **scores}


Case = tuple[Tables, pl.DataFrame, tuple[pl.DataFrame, pl.DataFrame | None], date, date]
"""What was known, the stock with all ends of seasons, lines and moves up to the day of scoring, the days of claims and
of scoring."""


def _boutiques() -> Iterator[Case]:
    for seed in boutique.SEEDS:
        shop = Boutique.of(seed)
        later = shop.known(boutique.END)
        for cut in CUTS:
            known = shop.known(cut)
            own = known.stock["variant_id"].implode()
            lines, moves = (table.filter(pl.col("variant_id").is_in(own)) for table in (later.lines, later.moves))
            yield known, shop.known(cut, ends=True).stock, (lines, moves), cut, boutique.END


def _retail(folder: Path) -> Iterator[Case]:
    """Every SKU sold on ten days before, with a shelf drawn by chance: this shop's own stock is not known."""
    lines = combined.lines(folder)
    for cut in RETAIL_CUTS:
        known = _with_shelves(lines.filter(pl.col("day") <= cut), cut)
        own = known.stock["variant_id"].implode()
        yield known, known.stock, (lines.filter(pl.col("variant_id").is_in(own)), None), cut, RETAIL_UNTIL


def _with_shelves(past: pl.DataFrame, cut: date) -> Tables:
    year = pl.col("units").filter(pl.col("day") > cut - timedelta(days=365)).sum()
    price = pl.col("amount").sum() / pl.col("units").sum()
    about = past.group_by("variant_id").agg(days=pl.col("day").n_unique(), price=price, year=year)
    about = about.filter(pl.col("days") >= SALE_DAYS).sort("variant_id")
    cover = np.exp(np.random.default_rng(0).uniform(np.log(COVER_DAYS[0]), np.log(COVER_DAYS[1]), len(about)))
    shelf = np.maximum(np.ceil(about["year"].to_numpy() / 365 * cover), 2.0)
    values: dict[str, Any] = {
        "on_hand": pl.Series(shelf), "price": about["price"], "cost": about["price"] / 2, "pack_size": 1.0,
        "minimum_order": 1.0, "lead_time_days": LEAD[0], "lead_time_sd": LEAD[1],
        "season_end": None, "minimum_order_value": None, "created": None,
    }  # fmt: skip
    ids = about["variant_id"]
    usual: dict[Any, Any] = {pl.String: "", pl.Float64: 0.0, pl.Boolean: True, pl.Date: None}

    def table(schema: frames.Schema) -> pl.DataFrame:
        given = dict.fromkeys(("variant_id", "product_id", "sku", "name"), ids) | values
        filled = {c: given.get(c, usual[t]) for c, t in schema.items()}
        columns = {c: v if isinstance(v, pl.Series) else [v] * len(ids) for c, v in filled.items()}
        return pl.DataFrame(columns, schema=schema)

    stock = frames.check(table(frames.STOCK), frames.STOCK, name="stock")
    products = frames.check(table(frames.PRODUCTS), frames.PRODUCTS, name="products")
    lines = past.filter(pl.col("variant_id").is_in(ids.implode()))
    return Tables(lines, stock, products, frames.empty(frames.STOCK_HISTORY), frames.empty(frames.OPEN_ORDERS))


def _scored(cases: Iterator[Case]) -> pl.DataFrame:
    return pl.concat([_one(*case) for case in cases])


def _one(
    known: Tables, stock: pl.DataFrame, after: tuple[pl.DataFrame, pl.DataFrame | None], cut: date, until: date
) -> pl.DataFrame:
    lines, moves = after
    records = plan.Records(stock_history=known.moves)
    arrays = plan.make(known.lines, stock, known.products, as_of=cut, rules=RULES, records=records).arrays
    plain = _claims(arrays | {"recalibration": recalibration.AS_STATED}, known, cut)
    made = _claims(arrays, known, cut).with_columns(before=plain["probability"])
    made = made.filter(pl.col("code").is_in(CODES), pl.col("due_on") <= until)
    abc = known.stock.select("variant_id", abc=pl.lit("A"))  # for base rates, which are not asked for here
    came = claims.outcomes(made, lines, known.stock, moves, abc=abc, as_of=until)
    return pl.concat([made, came], how="horizontal").select("code", "probability", "before", "came_true")


def _claims(arrays: plan.Arrays, known: Tables, cut: date) -> pl.DataFrame:
    found = live.assess(
        arrays, known.stock, known.products, known.open_orders, days=(cut, cut + timedelta(days=1)), rules=RULES
    )
    made = claims.make(found.frame, review_days=RULES.review_days)
    return made.with_columns(made_on=pl.lit(cut), due_on=pl.lit(cut) + pl.duration(days="days"))
