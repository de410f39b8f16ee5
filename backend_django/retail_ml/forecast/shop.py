"""The whole shop: total, categories and products, revenue and units, from its order lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames, shelf
from retail_ml.errors import FEWEST_SALES, NotEnoughHistory
from retail_ml.forecast import (
    backtest,
    events,
    explain,
    history,
    levels,
    newcomer_level,
    reopening,
    stockouts,
    variant_level,
    variant_sales,
)
from retail_ml.forecast import products as products_level
from retail_ml.forecast.buckets import Extras
from retail_ml.forecast.events import Event
from retail_ml.forecast.levels import Trained, Trial
from retail_ml.forecast.models import BASELINE, DAILY, DEFAULT, LEARNED, SIMPLE, LightGbm
from retail_ml.forecast.newcomer_level import NewcomersTrained
from retail_ml.forecast.variant_level import VariantsTrained

Array = npt.NDArray[np.float64]

ENOUGH_ORDERS = 60
ENOUGH_DAYS = 28
QUIET_DAYS = 28
TARGETS = ("sales", "units")
DEAR = ("gradient_boosting", "random_forest")
"""Candidates that cost more than all others together."""


@dataclass(frozen=True)
class Tables:
    """What is known of the range: `frames.PRODUCTS`, `STOCK` (of today) and `STOCK_HISTORY`, None without one."""

    products: pl.DataFrame
    stock: pl.DataFrame = field(default_factory=lambda: frames.empty(frames.STOCK))
    stock_history: pl.DataFrame | None = None


@dataclass
class ShopData:
    """What is forecast from: histories of the whole shop by target, and the facts that decide how much to believe."""

    lines: pl.DataFrame
    as_of: date
    total: dict[str, history.History]
    orders: int
    place: dict[str, Any] = field(default_factory=dict)
    """`country`, `region`, `events` as the owner states them: keywords of every history of this shop."""
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def tiny(self) -> bool:
        """Too little for anything but a mean per weekday?"""
        return any(code == "little" for code, _ in self.notes)


@dataclass(frozen=True)
class ShopForecast:
    """Everything that is stored of one version. Category and product rows are in the order of their ids."""

    data: ShopData
    total: dict[str, Trained]
    category: dict[str, Trained]
    category_ids: npt.NDArray[np.str_]
    product: products_level.ProductsTrained
    product_ids: npt.NDArray[np.str_]
    product_price: Array
    newcomer: NewcomersTrained
    variant: VariantsTrained
    stock: dict[str, Any]
    """What is known of the days without stock: `used`, `refused`, and the counts of `shelf.StockDays`."""


def read(
    lines: pl.DataFrame, *, as_of: date, country: str = "", region: str = "", planned: tuple[Event, ...] = ()
) -> ShopData:
    """Histories of the whole shop up to `as_of` from `frames.ORDER_LINES` or `daily.DAILY`; same-day reversals netted.

    `country` and `region` as `public_holidays.country_code` gives them ("": guessed); `planned`: the owner's calendar.
    Lines after `as_of` (of the day that is not over) are left out of everything; only whether there are FEWEST_SALES
    orders with a sale looks at them, else NotEnoughHistory is raised. A shop whose first sale is later than `as_of`
    (it opened today) is read as if it had sold on `as_of`.
    """
    lines = frames.net_same_day(lines)
    sales = lines.filter(~pl.col("is_return"))
    orders = frames.orders_in(sales)
    if orders < FEWEST_SALES:
        raise NotEnoughHistory(
            f"A sales forecast needs at least {FEWEST_SALES} sales; this shop has {orders}. "
            "Import past orders, or come back when more has been sold.",
            code="forecast.not_enough_sales",
            found=orders,
            needed=FEWEST_SALES,
        )
    over = sales.filter(pl.col("day") <= as_of)
    if over.is_empty():
        lines = lines.with_columns(day=pl.lit(as_of, dtype=pl.Date))
    else:
        lines, orders = lines.filter(pl.col("day") <= as_of), frames.orders_in(over)
    place: dict[str, Any] = {"country": country, "region": region, "events": planned}
    total = dict(zip(TARGETS, history.from_lines(lines, until=as_of, **place), strict=True))
    data = ShopData(lines, as_of, total, orders, place)
    data.notes += _notes(total["sales"], orders)
    return data


def try_total(data: ShopData, asked: Sequence[str], *, seed: int, step: Callable[[float], None]) -> dict[str, Trial]:
    """Replay the candidates for the whole shop. `asked`: learned models to try beside the simple ones.

    Units are tried with the simple ones, with those that need seconds only, and with what serves revenue. The dear
    ones race the default (`levels.try_daily`). `step` is told the share that is done, 0…1.
    """
    simple = [m.name for m in SIMPLE]
    names = [BASELINE, levels.FALLBACK] if data.tiny else [n for n in DAILY if n in (*simple, *asked, DEFAULT)]
    plan = backtest.plan(data.total["sales"].days)
    names = levels.candidates(data.total["sales"], plan, names)
    one = asked[0] if len(asked) == 1 else None
    trials = {target: Trial(data.total[target], plan, asked=one, tiny=data.tiny) for target in TARGETS}
    for done, name in enumerate(sorted(names, key=lambda name: name != DEFAULT)):
        racing = DEFAULT if name in DEAR and name != one else None
        levels.try_daily(trials["sales"], [name], seed=seed, racing=racing)
        step((done + 1) / (len(names) + 1))
    trials["sales"].in_order(names)
    light = [n for n in names if n in simple or n in ("linear", DEFAULT)]
    also = {trials["sales"].best(), *(asked if len(asked) == 1 else ())} & set(names)
    levels.try_daily(trials["units"], [n for n in names if n in light or n in also], seed=seed)
    step(1.0)
    return trials


def assemble(
    data: ShopData, trials: dict[str, Trial], names: dict[str, str], *, tables: Tables, seed: int
) -> ShopForecast:
    """Fit the named models for the whole shop, and categories, products and variants below them.

    A product that is not for sale and never sold is forecast at 0, one that is not in the table has no category.
    """
    products = tables.products
    total = {t: levels.finish(trials[t], names[t], seed=seed) for t in TARGETS}
    category_ids, category = _categories(data, products, total, seed=seed)
    ids = frames.IdMap.of(pl.concat([data.lines["product_id"], products["product_id"]])).external
    _, units = history.panel(data.lines, "product_id", ids, until=data.as_of, **data.place)
    known = variant_sales.sales(
        data.lines, tables.stock, products, product_ids=ids, start=units.start, until=data.as_of
    )
    shelves, facts = _shelves(tables, data.lines, known, start=units.start)
    extras = None if shelves is None else Extras(available=stockouts.exposure(shelves, known))
    shop = np.asarray(total["units"].mean[0], dtype=float)
    product = products_level.train_products(units, trials["units"], names["units"], shop, extras=extras, seed=seed)
    newcomer = newcomer_level.train(units, products, ids)
    product.mean[newcomer.rows] = newcomer.ahead(shop)
    product = replace(product, mean=_promoted(data, "product", ids, product.mean))
    if shelves is not None:
        shelves = replace(shelves, out=shelf.not_long_gone(shelves.out))
    horizon = trials["units"].plan.horizon
    variant = variant_level.train(known, product, units, horizon=horizon, stock=shelves)
    price = _prices(data, products, ids)
    return ShopForecast(data, total, category, category_ids, product, ids, price, newcomer, variant, facts)


def _shelves(
    tables: Tables, lines: pl.DataFrame, known: variant_sales.VariantSales, *, start: date
) -> tuple[shelf.StockDays | None, dict[str, Any]]:
    """The days without stock of the variants, None where none can be told; and what is known of them."""
    if tables.stock_history is None or tables.stock_history.is_empty() or not len(known.ids):
        return None, {"used": False, "refused": False}
    found = shelf.walk_back(tables.stock_history, tables.stock, lines, ids=known.ids, start=start, days=known.days)
    counts = {**found.counts, "refused": found.refused, "used": not found.refused}
    days = {"days_out": int(found.out.sum()), "days_ran_out": int(found.ran_out.sum())}
    empty = found.refused or not (found.out.any() or found.ran_out.any())
    return None if empty else found, counts | days


def stored(forecast: ShopForecast) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """What a file keeps: JSON values, arrays, scikit-learn estimators. `serving.Forecasts` reads it back."""
    data = forecast.data
    meta: dict[str, Any] = {
        "as_of": data.as_of.isoformat(),
        "models": {t: forecast.total[t].name for t in TARGETS},
        "freedom": {},
        "silent_days": reopening.silent_days(data.total["sales"]),
        "later": {"product": forecast.product.later, "variant": forecast.variant.later},
        "newcomers_established": forecast.newcomer.established,
    }
    why_meta, why_arrays = explain.kept(forecast.total["sales"].model, forecast.total["sales"].mean)
    meta |= why_meta
    arrays: dict[str, npt.NDArray[Any]] = {
        "category_ids": forecast.category_ids,
        "product_ids": forecast.product_ids,
        "product_units_mean": forecast.product.mean,
        "product_price": forecast.product_price,
        "product_edges": forecast.product.widths.edges,
        "product_z": forecast.product.widths.z,
        "product_sd": forecast.product.widths.sd,
        "product_spread": forecast.product.spread,
        **why_arrays,
        **_below(forecast),
    }
    estimators: dict[str, Any] = {}
    for level, trained in (("total", forecast.total), ("category", forecast.category)):
        for target, one in trained.items():
            key = f"{level}_{target}"
            arrays |= {f"{key}_mean": one.mean, f"{key}_noise": one.widths.noise}
            arrays |= {f"{key}_level": one.widths.level, f"{key}_sums": one.widths.sums}
            meta["freedom"][key] = one.widths.freedom
            if hasattr(one.model, "estimator_"):
                estimators[key] = one.model.estimator_
                arrays[f"{key}_features"] = one.model.design_ahead(90)  # type: ignore[attr-defined]
            elif hasattr(one.model, "coefficients_"):
                arrays[f"{key}_coefficients"] = one.model.coefficients_
                arrays[f"{key}_features"] = one.model.design_ahead(90)  # type: ignore[attr-defined]
    return meta, arrays, estimators


def _below(forecast: ShopForecast) -> dict[str, npt.NDArray[Any]]:
    """Arrays of the variants and of the newcomers."""
    new, variant = forecast.newcomer, forecast.variant
    return {
        "variant_ids": variant.ids,
        "variant_product": variant.product.astype(np.int32),
        "variant_share": variant.share,
        "variant_edges": variant.widths.edges,
        "variant_z": variant.widths.z,
        "variant_sd": variant.widths.sd,
        "variant_spread": variant.spread,
        "newcomer_rows": new.rows,
        "newcomer_age": new.age,
        "newcomer_stage": new.stage,
        "newcomer_alike": new.alike,
        "newcomer_count": new.count,
        "newcomer_edges": new.edges,
        "newcomer_spread": new.spread,
    }


def _notes(total: history.History, orders: int) -> list[tuple[str, dict[str, Any]]]:
    """Why the forecast deserves little confidence: codes and figures."""
    notes: list[tuple[str, dict[str, Any]]] = []
    sold = int(total.sold.sum())
    if sold < ENOUGH_DAYS or orders < ENOUGH_ORDERS:
        notes.append(("little", {"days": sold, "orders": orders}))
    quiet = total.days - 1 - int(np.flatnonzero(total.sold)[-1])
    if quiet >= QUIET_DAYS and total.closed_long[-1]:
        last = total.origin - timedelta(days=quiet)
        notes.append(("quiet", {"days": quiet, "since": last.isoformat()}))
    return notes


def _categories(
    data: ShopData, products: pl.DataFrame, total: dict[str, Trained], *, seed: int
) -> tuple[npt.NDArray[np.str_], dict[str, Trained]]:
    """Categories by name. Products without one take part in the shares under "", which is not served."""
    named = data.lines.join(products.select("product_id", "category"), on="product_id", how="left")
    named = named.with_columns(pl.col("category").fill_null(""))
    ids = frames.IdMap.of(named["category"]).external
    if not any(ids):
        return np.empty(0, dtype="<U1"), {}
    out = {}
    panels = dict(zip(TARGETS, history.panel(named, "category", ids, until=data.as_of, **data.place), strict=True))
    for target, shop in total.items():
        by_cutoff = {fold.cutoff: fold.forecast[0] for fold in shop.trial.folds.get(shop.name, [])}
        trial = Trial(panels[target], shop.trial.plan, tiny=data.tiny)
        names = [BASELINE, levels.FALLBACK] if data.tiny else levels.category_candidates(panels[target])
        levels.try_daily(trial, names, seed=seed, shop=by_cutoff)
        done = levels.finish(trial, trial.best(), seed=seed, shop=shop.mean[0])
        out[target] = replace(done, mean=_promoted(data, "category", ids, done.mean))
    return ids, out


def _promoted(data: ShopData, level: str, ids: npt.NDArray[np.str_], mean: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`mean` (ids, days ahead) times the uplifts that the owner states for single categories or products."""
    planned: tuple[Event, ...] = data.place.get("events", ())
    if not any(event.level == level and event.uplift and event.last > data.as_of for event in planned):
        return mean
    factors = events.stated(planned, level, ids, start=data.as_of + timedelta(days=1), days=mean.shape[1])
    return (mean * factors).astype(mean.dtype)


def _prices(data: ShopData, products: pl.DataFrame, ids: npt.NDArray[np.str_]) -> Array:
    """Revenue per unit sold in the last 182 days, else ever, else the list price, else 0: (products,)."""
    recent = pl.col("day") > data.as_of - timedelta(days=182)
    sold = data.lines.filter(~pl.col("is_return") & (pl.col("units") > 0) & (pl.col("day") <= data.as_of))
    paid = sold.group_by("product_id").agg(
        ever=pl.col("amount").sum() / pl.col("units").sum(),
        lately=pl.col("amount").filter(recent).sum() / pl.col("units").filter(recent).sum(),
    )
    table = pl.DataFrame({"product_id": pl.Series(ids.tolist(), dtype=pl.String)})
    table = table.join(paid, on="product_id", how="left", maintain_order="left")
    listed = products.select("product_id", "price").unique("product_id", maintain_order=True)
    table = table.join(listed, on="product_id", how="left", maintain_order="left")
    price = pl.coalesce(pl.col("lately").fill_nan(None), pl.col("ever").fill_nan(None), pl.col("price"), pl.lit(0.0))
    found: Array = table.select(price.cast(pl.Float64).round(frames.DECIMALS))["lately"].to_numpy()
    return np.maximum(np.where(np.isfinite(found), found, 0.0), 0.0)


def learned_names() -> list[str]:
    """Names of the models that may be tried beside the simple ones; members of the ensemble are not tried alone."""
    return [*(m.name for m in LEARNED if m is not LightGbm), DEFAULT]
