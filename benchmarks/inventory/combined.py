"""Quantiles of demand over review and lead time: own, the sales forecast's, both averaged; four dates, no replay."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.inventory import data
from retail_ml import frames
from retail_ml.forecast import shop
from retail_ml.forecast.serving import Forecasts
from retail_ml.inventory import demand as dm
from retail_ml.inventory import formulas
from retail_ml.inventory.history import history

CUTS = (date(2011, 3, 7), date(2011, 5, 2), date(2011, 7, 4), date(2011, 9, 5))
DAYS = (14, 21, 37)
TAUS = (0.8, 0.9, 0.95, 0.975, 0.99)


def main(folder: Path) -> dict[str, Any]:
    """Pinball loss over units sold, mean of the dates: per number of days and method, for each quantile and in all.

    The SKUs that were sold on 40 days or more before the date. The forecast is trained on the days before the date
    alone (its daily models: the simple ones and the linear one).
    """
    table = lines(folder)
    found: dict[str, list[np.ndarray]] = {}
    for cut in CUTS:
        for name, each in _one(table, cut).items():
            found.setdefault(name, []).append(each)
        print(cut, {name: round(float(each[-1][0].sum()), 4) for name, each in found.items()}, flush=True)
    told = {}
    for name, dates in found.items():
        loss, covered = np.mean(dates, axis=0)
        told[name] = {
            "pinball": dict(zip(map(str, TAUS), loss.round(4).tolist(), strict=True)),
            "sum": round(float(loss.sum()), 4),
            "covered": dict(zip(map(str, TAUS), covered.round(4).tolist(), strict=True)),
        }
    return told


def lines(folder: Path) -> pl.DataFrame:
    """The sales of Online Retail II as order lines; a line above its SKU's 99.9 % quantile cut to it."""
    sold = data.sales(folder).with_columns(units=pl.min_horizontal("units", "cap").round()).with_row_index("n")
    table = sold.select(
        order_id=pl.col("n").cast(pl.String),
        customer_id="customer_id",
        product_id="variant_id",
        variant_id="variant_id",
        at=pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        day="day",
        units="units",
        amount=pl.col("units") * pl.col("price"),
        is_return=pl.lit(value=False),
    )
    return frames.check(table, frames.ORDER_LINES, name="lines")


def _one(lines: pl.DataFrame, cut: date) -> dict[str, np.ndarray]:
    """Per days and method: pinball loss over units sold, and share covered; (2, taus)."""
    ids = lines["variant_id"].unique().sort()
    forecasts = _forecasts(lines, ids, cut)
    none = pl.Series([None] * len(ids), dtype=pl.Date)
    h = history(lines, pl.DataFrame({"variant_id": ids, "category": [""] * len(ids), "created": none}), until=cut)
    row = frames.IdMap(forecasts.ids("variant")).internal(pl.Series(h.variant_ids.tolist()))
    use = ((np.diff(h.units, axis=1) > 0).sum(axis=1) >= data.SALE_DAYS) & (row >= 0)
    found = {}
    for days in DAYS:
        after = lines.filter(pl.col("day") > cut, pl.col("day") <= cut + timedelta(days=days))
        units = after.group_by("variant_id").agg(pl.col("units").sum())
        asked = pl.DataFrame({"variant_id": ids}).join(units, on="variant_id", how="left", maintain_order="left")
        y = asked["units"].fill_null(0.0).to_numpy()[use]
        theirs = forecasts.demand("variant", days, probabilities=TAUS)
        daily = np.full(len(ids), np.nan)
        daily[use] = theirs.mean[row[use]] / days
        own, mixed = own_quantiles(h, days, None)[use], own_quantiles(h, days, daily)[use]
        other = theirs.quantiles[row[use]]
        for name, q in (
            ("own", own),
            ("forecast", other),
            ("own, mean of both", mixed),
            ("average of the last two: in service", (mixed + other) / 2),
        ):
            error, tau = y[:, None] - q, np.array(TAUS)
            loss = np.maximum(tau * error, (tau - 1) * error).sum(axis=0) / y.sum()
            found[f"{days} days, {name}"] = np.stack([loss, (y[:, None] <= q).mean(axis=0)])
    return found


def own_quantiles(h: Any, days: int, daily: np.ndarray | None) -> np.ndarray:
    """Negative binomial quantiles of the product's estimate at `TAUS`, (N, taus); `daily` of another forecast."""
    n = len(h.start)
    law = dm.estimate(h, protection=np.full(n, days), lead_sd=np.zeros(n), daily=daily)
    mean = np.maximum(law.mean, 1e-6)
    return np.stack(
        [formulas.nb_quantile(tau, *formulas.nb_parameters(mean, law.ratio * mean)) for tau in TAUS], axis=1
    )


def _forecasts(lines: pl.DataFrame, ids: pl.Series, cut: date) -> Forecasts:
    n = len(ids)
    known = {"product_id": ids, "name": ids, "variant_id": ids, "sku": ids}
    texts: dict[Any, Any] = {pl.String: "", pl.Boolean: True, pl.Float64: 1.0, pl.Date: None}

    def table(schema: frames.Schema) -> pl.DataFrame:
        return pl.DataFrame({c: known.get(c, [texts[t]] * n) for c, t in schema.items()}, schema=schema)

    read = shop.read(lines, as_of=cut, country="GB")
    trials = shop.try_total(read, ["linear"], seed=1, step=lambda _: None)
    names = {target: trial.best() for target, trial in trials.items()}
    tables = shop.Tables(table(frames.PRODUCTS), table(frames.STOCK), None)
    meta, arrays, _ = shop.stored(shop.assemble(read, trials, names, tables=tables, seed=1))
    return Forecasts(meta, arrays)
