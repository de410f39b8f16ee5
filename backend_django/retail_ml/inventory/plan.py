"""From a shop's tables to the levels of every variant: the arrays that a trained version consists of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames
from retail_ml.inventory import alerts, lead_times, likely, policy, recalibration, unusual
from retail_ml.inventory import demand as dm
from retail_ml.inventory import history as hs
from retail_ml.inventory.lead_times import LeadTimes
from retail_ml.inventory.policy import Rules, Terms
from retail_ml.inventory.replay import OwnShelf, replay
from retail_ml.inventory.world import window
from retail_ml.shelf import at_night, not_long_gone, walk_back

Floats = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]

USUAL_COST_SHARE = 0.5
"""Cost as a share of the price, assumed (and said) where the shop knows no cost at all."""
KNOWN = ("idle_days", "interval", "sold_365", "sold_30", "sold_7", "range_days", "kind")
"""Facts of each variant's past that the levels are shown with."""
PROBABILITIES = (0.8, 0.9, 0.95, 0.975, 0.99, 0.995)
"""Of the quantiles that a forecast gives: the bounds of the target, and some between."""
VARIANT_DEMAND: dict[str, pl.DataType | type[pl.DataType]] = {
    "variant_id": pl.String,
    "units_7": pl.Float64,
    "units_30": pl.Float64,
    "daily": pl.Float64,
    **{f"q{p:g}": pl.Float64 for p in PROBABILITIES},
}
"""Demand per variant from a forecast: units over the next 7 and 30 days, per day over its protection period, and
quantiles of the units over that period."""


@dataclass(frozen=True, eq=False)
class Records:
    """What a shop may know beside its sales and its stock of today; each part may be missing."""

    variant_demand: pl.DataFrame | None = None
    """`VARIANT_DEMAND`: half of an active variant's mean, and of its quantiles, is this forecast."""
    lead: LeadTimes | None = None
    """Lead times of the rows of the stock table (`lead_times.learn`); None: as stated there."""
    stock_history: pl.DataFrame = field(default_factory=lambda: frames.empty(frames.STOCK_HISTORY))
    """Days without stock are found by it, and then missing from demand, not zero."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Levels and what is behind them: `arrays` with one entry per variant, sorted by `variant_id`."""

    arrays: Arrays
    history: hs.History
    """What was sold."""
    behind: hs.History
    """What was asked for, as far as the stock history tells; else the same."""
    demand: dm.Demand
    own: OwnShelf | None
    """What was on the shelf in the weeks of the replay; None where no stock history tells."""
    terms: Terms
    pack: Floats
    minimum: Floats
    facts: dict[str, Any]


def make(
    lines: pl.DataFrame,
    stock: pl.DataFrame,
    products: pl.DataFrame,
    *,
    as_of: date,
    rules: Rules,
    records: Records | None = None,
) -> Plan:
    """Levels of every variant in `stock` from the sales in `lines` up to `as_of` (tables of `retail_ml.frames`).

    `lines` may be `daily.DAILY`.
    Any number of sales will do, none included: a shop that never sold anything has zero levels, a new item its
    category's.
    """
    records = records or Records()
    about = products.select("product_id", "category", "created")
    told = records.lead or lead_times.stated(stock, rules)
    variants = stock.with_columns(**{name: pl.Series(values) for name, values in vars(told).items()})
    variants = variants.unique("variant_id").join(about, on="product_id", how="left").sort("variant_id")
    h = hs.history(lines, variants.select("variant_id", "category", "created"), until=as_of)
    behind, own, shelf = _behind(h, records.stock_history, variants, lines)
    known = hs.facts(h)
    lines = lines.filter(pl.col("day") <= as_of)
    terms = _terms(lines, variants, known)
    protection = policy.protection_days(terms.lead_days, rules)
    shared = _forecast(variants, records.variant_demand)
    quantiles = None
    if records.variant_demand is not None:
        units = np.stack([shared[f"q{p:g}"] for p in PROBABILITIES], axis=1)
        quantiles = dm.Quantiles(np.array(PROBABILITIES), units, shared["daily"] * protection)
    expected = dm.estimate(
        behind, protection=protection, lead_sd=terms.lead_sd, daily=shared["daily"], quantiles=quantiles
    )
    arrays: Arrays = {
        "variant_id": h.variant_ids,
        "product_id": np.array(variants["product_id"].to_list(), dtype=str),
        "daily": expected.daily,
        "ratio": expected.ratio,
        "likely": likely.daily(behind, protection=protection, forecast=shared["daily"]),
        "mean_protection": expected.mean,
        "units_7": np.where(np.isfinite(shared["units_7"]), shared["units_7"], 7 * expected.daily),
        "units_30": np.where(np.isfinite(shared["units_30"]), shared["units_30"], 30 * expected.daily),
        "from_forecast": np.isfinite(shared["daily"]),
        **vars(policy.levels_by_block(expected, terms, rules)),
        "lead_days": terms.lead_days,
        "lead_sd": terms.lead_sd,
        "lead_source": variants["source"].to_numpy(),
        "lead_seen": variants["seen"].to_numpy(),
        "protection": protection,
        "abc": terms.abc,
        "excess_bound": policy.demand_quantile(
            alerts.EXCESS_QUANTILE, expected.daily, expected.ratio, days=alerts.OVERSTOCK_DAYS + terms.lead_days
        ),
        "confidence": _confidence(known, expected.origins),
        "recalibration": _recalibrated(
            h,
            behind,
            (known, expected, terms),
            variants=variants,
            moves=records.stock_history,
            seen=shelf["shelf_used"],
        ),
        **unusual.weeks(behind, expected, sold=known["sold_7"]),
        **{name: known[name] for name in KNOWN},
    }
    return Plan(arrays, h, behind, expected, own, terms, *_goods(variants), {"history_days": h.days, **shelf})


def levelled(plan: Plan, rules: Rules) -> Plan:
    """The plan with the levels of other rules; demand stays as it is."""
    return replace(plan, arrays=plan.arrays | vars(policy.levels_by_block(plan.demand, plan.terms, rules)))


def _behind(
    h: hs.History, stock_history: pl.DataFrame, variants: pl.DataFrame, lines: pl.DataFrame
) -> tuple[hs.History, OwnShelf | None, dict[str, Any]]:
    """The demand behind the sales, the shelf in the weeks of the replay, and what the stock history was good for.

    An empty shelf of what the shop no longer wants to sell is no fault: variants that are not on offer, whose season
    has an end, or that were out for more than a quarter do not count in the shelf of those weeks.
    """
    if stock_history.is_empty() or not len(h.start):
        return h, None, {"shelf_used": False, "shelf_days": 0}
    found = walk_back(stock_history, variants, lines, ids=h.variant_ids, start=h.first_day, days=h.days)
    facts = {"shelf_used": not found.refused, "shelf_days": int(found.out.sum()), "shelf": found.counts}
    days = window(h.days)
    if days is None or found.refused:
        return hs.behind(h, found), None, facts
    first = h.first_day + timedelta(days=days.scored)
    nights = at_night(stock_history, variants, ids=h.variant_ids, start=first, days=days.end - days.scored)
    opened = np.diff(h.shop_open)[days.scored :] > 0
    there = (opened & ~found.out[:, days.scored :]).sum(axis=1) / max(int(opened.sum()), 1)
    leaving = (found.out & ~not_long_gone(found.out))[:, days.scored :].any(axis=1)
    stays = variants["active"].to_numpy() & variants["season_end"].is_null().to_numpy() & ~leaving
    return hs.behind(h, found), OwnShelf(found.trusted & stays, there, nights.mean(axis=1).astype(float)), facts


def _recalibrated(
    h: hs.History,
    behind: hs.History,
    found: tuple[dict[str, Any], dm.Demand, Terms],
    *,
    variants: pl.DataFrame,
    moves: pl.DataFrame,
    seen: bool,
) -> Floats:
    """`recalibration.learn` from every so-many-th variant; with past shelves where a stock history can be believed."""
    known, expected, terms = found
    on_hand = np.maximum(variants["on_hand"].to_numpy().astype(float), 0.0)
    over = (variants["season_end"] - h.first_day).dt.total_days().fill_null(-1).to_numpy() + 1
    goods = recalibration.Goods(
        expected.protection, terms.lead_days, expected.ratio, known["interval"], on_hand, np.maximum(over, 0)
    )
    rows = slice(None, None, -(-max(len(on_hand), 1) // recalibration.MOST))
    sold = h.of(rows)
    shelves = recalibration.nights(sold, moves, variants) if seen else None
    return recalibration.learn(behind.of(rows), sold, goods.of(rows), shelves=shelves)


def _goods(variants: pl.DataFrame) -> tuple[Floats, Floats]:
    return (
        np.maximum(variants["pack_size"].to_numpy().astype(float), 1.0),
        np.maximum(variants["minimum_order"].to_numpy().astype(float), 1.0),
    )


def positive(column: pl.Series) -> Floats:
    """A column of money as floats: NaN where it is empty, not finite, zero or negative, that is unknown.

    >>> positive(pl.Series([2.0, 0.0, None, -1.0])).tolist()
    [2.0, nan, nan, nan]
    """
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _terms(lines: pl.DataFrame, variants: pl.DataFrame, known: dict[str, Any]) -> Terms:
    sold = lines.filter((pl.col("units") > 0) & (pl.col("amount") > 0)).group_by("variant_id")
    amount, units = (pl.col(name).sum().round(frames.DECIMALS) for name in ("amount", "units"))
    paid = sold.agg(paid=amount / units)
    paid = variants.select("variant_id").join(paid, on="variant_id", how="left", maintain_order="left")
    price = positive(variants["price"])
    price = np.where(np.isfinite(price), price, positive(paid["paid"]))  # no list price: what was paid on average
    cost = positive(variants["cost"])
    assumed = assume_costs(cost, price, usual_cost_share(cost, price))
    value = known["sold_365"] * np.maximum(np.nan_to_num(price - assumed), 0.0)
    return Terms(cost, price, _floats(variants["days"]), _floats(variants["sd"]), policy.abc_class(value))


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(float)


def usual_cost_share(cost: Floats, price: Floats) -> float:
    """The shop's usual share of the cost in the price: the median where both are known.

    >>> usual_cost_share(np.array([4.0, np.nan]), np.array([10.0, 5.0]))
    0.4
    """
    both = np.isfinite(cost) & np.isfinite(price)
    return float(np.median(cost[both] / price[both])) if both.any() else USUAL_COST_SHARE


def assume_costs(cost: Floats, price: Floats, share: float) -> Floats:
    """Costs without gaps by the usual `share` of the price; NaN where the price is unknown too.

    >>> assume_costs(np.array([4.0, np.nan]), np.array([10.0, 5.0]), 0.4).tolist()
    [4.0, 2.0]
    """
    return np.where(np.isfinite(cost), cost, share * price)


def _forecast(variants: pl.DataFrame, variant_demand: pl.DataFrame | None) -> dict[str, Floats]:
    """A forecast of variants as columns, NaN where there is none: what is no longer offered takes nothing of it."""
    names = [name for name in VARIANT_DEMAND if name != "variant_id"]
    if variant_demand is None:
        return {name: np.full(len(variants), np.nan) for name in names}
    table = variants.select("variant_id", "active").join(
        variant_demand.unique("variant_id"), on="variant_id", how="left", maintain_order="left"
    )
    found = {name: np.maximum(_floats(table[name]), 0.0) for name in names}
    return {name: np.where(table["active"].to_numpy(), values, np.nan) for name, values in found.items()}


def _confidence(known: dict[str, Any], origins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """0 low, 1 medium, 2 high: by days in the range, selling days, and past forecasts to learn errors from."""
    low = (known["days_known"] < 28) | (known["selling_days"] < 4) | (origins < 4)
    high = (known["days_known"] >= 150) & (known["selling_days"] >= 20) & (origins >= 20)
    return np.where(low, 0, np.where(high, 2, 1)).astype(np.int64)


def replayed(plan: Plan, rules: Rules, *, seed: int) -> dict[str, Any] | None:
    """`replay.replay` of this plan's history; None when it is too short."""
    return replay(plan.history, plan.terms, rules, pack=plan.pack, minimum=plan.minimum, seed=seed, own=plan.own)


def aimed(plan: Plan, rules: Rules, *, seed: int) -> tuple[Plan, dict[str, Any] | None]:
    """The plan with levels that reach the promised fill rates (`tuning`), and what it rests on; None: too few weeks."""
    from retail_ml.inventory.tuning import reached

    found = reached(plan.history, plan.terms, rules, goods=(plan.pack, plan.minimum), seed=seed)
    if found is None:
        return plan, None
    floors = found.aims(rules.fill_floors)
    return levelled(plan, replace(rules, fill_floors=floors)), {
        "weeks": found.weeks,
        "classes": dict(zip(("A", "B", "C"), found.told(rules.fill_floors), strict=True)),
    }
