"""What alerts and order suggestions say about the days to come, written so that it can be held against what came.

A claim names an event, the day by which it is decided, its probability and its money. It is made of days after
`made_on` and scored from sales and stock of days after `made_on` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml import frames
from retail_ml.inventory import alerts
from retail_ml.inventory.season import SALVAGE_SHARE
from retail_ml.shelf import StockDays, walk_back

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SUGGESTION, RULE = "REORDER", "BELOW_7_DAYS"
"""Codes of an order suggestion, and of the naive rule beside it: less in stock than 7 days of the 30-day average."""
SOLD_OUT, MISSED, AT_MOST, AT_LEAST = "sold_out", "missed", "at_most", "at_least"
EVENTS: dict[str, str] = {  # code → what must happen within its days for the claim to come true
    "OUT_OF_STOCK": MISSED,  # at least one unit was asked for while nothing was there
    "STOCKOUT_BEFORE_DELIVERY": SOLD_OUT,
    "LATE_PO": SOLD_OUT,
    "REORDER_NOW": SOLD_OUT,
    SUGGESTION: SOLD_OUT,
    RULE: SOLD_OUT,
    "REORDER_SOON": AT_LEAST,  # so many units sold that the reorder point is reached
    "SEASON_END_RISK": AT_MOST,  # no more than nine tenths of stock and orders sold
    "DEAD_STOCK": AT_MOST,  # nothing sold
    "OVERSTOCK": AT_MOST,  # none of the excess sold
    "SLOW_MOVING": AT_MOST,  # no more than half of the stock sold
}
LYING = ("DEAD_STOCK", "OVERSTOCK", "SLOW_MOVING")
"""Codes whose money at stake is all that lies; that of the others is a mean already."""
LONGEST = 180
"""Days ahead beyond which nothing is claimed."""
RULE_DAYS = 7
RATE_DAYS = 84
"""Days before a claim from which, with its own, the rate of a shelf is taken."""
UNKNOWN = ("no_stock_history", "not_trusted", "never_there", "gone")
"""Why a claim cannot be scored: the shop keeps no stock history; this variant's contradicts itself or is missing; it
was on the shelf on no whole day, so that nobody can say what was missed; the variant is no more."""
SCHEMA: frames.Schema = {
    "kind": pl.String, "code": pl.String, "variant_id": pl.String, "product_id": pl.String, "sku": pl.String,
    "abc": pl.String, "days": pl.Int64, "probability": pl.Float64, "money": pl.Float64, "units": pl.Float64,
    "stock": pl.Float64, "bound": pl.Float64, "unit_money": pl.Float64,
}  # fmt: skip


def make(frame: pl.DataFrame, *, review_days: int) -> pl.DataFrame:
    """The claims (`SCHEMA`) of a table of `live.assess`: of each alert that can be scored, suggestion and naive rule.

    `days` until it is decided; `bound` units that an event compares with; `stock` the units it is about; `units` those
    that are said to be missing or to lie; `unit_money` what one of them is worth.
    """
    found = pl.concat(
        [
            _alerts(frame, review_days),
            _sold_out(frame.filter(pl.col("recommended_order_quantity") > 0), SUGGESTION, "suggestion"),
            _sold_out(_below_seven_days(frame), RULE, "rule").with_columns(
                probability=pl.lit(None, pl.Float64), money=pl.lit(None, pl.Float64)
            ),
        ]
    )
    return found.filter(pl.col("days") <= LONGEST).with_columns(pl.col("days").clip(lower_bound=1))


def _below_seven_days(frame: pl.DataFrame) -> pl.DataFrame:
    selling = pl.col("active") & (pl.col("sold_30") > 0) & (pl.col("free_stock") > 0)
    return frame.filter(selling, pl.col("free_stock") < RULE_DAYS * pl.col("sold_30") / 30)


def _sold_out(frame: pl.DataFrame, code: str, kind: str) -> pl.DataFrame:
    """Claims that a shelf is empty before the next delivery, or before an order of today would come."""
    return frame.filter(pl.col("free_stock") > 0).select(
        kind=pl.lit(kind),
        code=pl.lit(code),
        **_about(),
        days=pl.coalesce("next_receipt_days", "lead_days").ceil().cast(pl.Int64),
        probability="gone_before_receipt",
        money=pl.col("short_before") * pl.col("unit_margin").clip(lower_bound=0),
        units="short_before",
        stock="free_stock",
        bound=pl.lit(None, pl.Float64),
        unit_money=pl.col("unit_margin").clip(lower_bound=0),
    )


def _about() -> dict[str, pl.Expr]:
    return {name: pl.col(name) for name in ("variant_id", "product_id", "sku", "abc")}


def _alerts(frame: pl.DataFrame, review_days: int) -> pl.DataFrame:
    coming = pl.col("free_stock") + pl.col("on_order")
    out = [code for code, event in EVENTS.items() if event == SOLD_OUT]
    parts = [_sold_out(frame.filter(pl.col("code") == code), code, "alert") for code in out if code in alerts.CODES]
    still = pl.lit(alerts.STILL_DAYS)
    salvaged = 1 - SALVAGE_SHARE
    cases = {  # days, units, stock, bound, worth of a unit
        "OUT_OF_STOCK": (pl.lit(alerts.RISK_DAYS), pl.col("short_risk"), 0.0, None, "unit_margin"),
        "REORDER_SOON": (pl.lit(review_days), None, "position", pl.col("position") - pl.col("reorder_point"), None),
        "SEASON_END_RISK": ("season_days", "leftover_units", coming, 0.9 * coming, pl.col("effective_cost") * salvaged),
        "DEAD_STOCK": (still, "current_stock", "current_stock", 0.0, "effective_cost"),
        "OVERSTOCK": (
            alerts.OVERSTOCK_DAYS + pl.col("lead_days"), "excess_units", coming, coming - pl.col("excess_units"),
            "effective_cost",
        ),
        "SLOW_MOVING": (
            still, pl.col("current_stock") - alerts.SLOW_DAYS * pl.col("daily_demand"), "current_stock",
            pl.col("current_stock") / 2, "effective_cost",
        ),
    }  # fmt: skip
    over = (pl.col("code") == "SEASON_END_RISK") & (pl.col("season_days") <= 0)  # a fact, and no foretelling
    for code, (days, units, stock, bound, worth) in cases.items():
        parts.append(
            frame.filter(pl.col("code") == code, ~over.fill_null(value=False)).select(
                kind=pl.lit("alert"),
                code=pl.lit(code),
                **_about(),
                days=_number(days).ceil().cast(pl.Int64),
                probability="probability" if code != "REORDER_SOON" else "soon_probability",
                money=_promised(code, worth),
                units=_number(units),
                stock=_number(stock),
                bound=_number(bound),
                unit_money=_number(worth).clip(lower_bound=0),
            )
        )
    return pl.concat(parts)


def _promised(code: str, worth: object) -> pl.Expr:
    """Money that is expected to come: of what lies, the worth of what is expected to lie there still."""
    if worth is None:
        return pl.lit(None, pl.Float64)
    if code in LYING:
        return (pl.col("left_units") * _number(worth)).round(2)
    return pl.col("money_at_stake")


def _number(value: object) -> pl.Expr:
    expression = pl.col(value) if isinstance(value, str) else value if isinstance(value, pl.Expr) else pl.lit(value)
    return expression.cast(pl.Float64)


# --- what came ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Days:
    """Running totals over the days from `first` on, one row per variant: what was sold, and what was on the shelf."""

    first: date
    ids: frames.IdMap
    sold: npt.NDArray[np.float32]
    full_sold: npt.NDArray[np.float32]  # on days that ended with stock
    full: npt.NDArray[np.float32]
    empty: npt.NDArray[np.float32]
    ended_empty: Bools
    trusted: Bools


def outcomes(
    claims: pl.DataFrame,
    lines: pl.DataFrame,
    stock: pl.DataFrame,
    stock_history: pl.DataFrame | None,
    *,
    abc: pl.DataFrame,
    as_of: date,
) -> pl.DataFrame:
    """What came of `claims`: `came_true, units_came, money_came, base_rate, unknown`, a row for each, in their order.

    `claims`: `SCHEMA` with `made_on` and `due_on`, none due after `as_of`. `lines`, `stock` and `stock_history` as in
    `frames`; `abc` the class of every variant (`variant_id, abc`). Units missed on days without stock are estimated by
    the rate of the days that ended with stock, from 84 days before the claim to its end. `base_rate`: the share of all
    variants of the class, with stock when the claim was made, that sold out in the same days. A claim of an empty shelf
    is true as well where as much was sold as lay there, and a delivery came in before it was empty. Null with a reason
    in `unknown` where it cannot be known.
    """
    days = _days(claims, lines, stock, stock_history, as_of=as_of)
    row = days.ids.internal(claims["variant_id"])
    begin, end = (
        (claims[name] - days.first).dt.total_days().to_numpy().astype(np.int64) + 1 for name in ("made_on", "due_on")
    )
    at = np.maximum(row, 0)
    sold = _between(days.sold, at, begin, end)
    event = claims["code"].replace_strict(EVENTS, return_dtype=pl.String).to_numpy()
    bound, said = _floats(claims["bound"]), _floats(claims["units"])
    by_shelf = np.isin(event, [SOLD_OUT, MISSED])
    happened = np.where(event == AT_LEAST, sold >= bound, sold <= bound)
    out, missed, never = _on_the_shelf(days, at, begin, end)
    # a delivery that came early, or was hurried because of the alert, does not make the alert wrong
    out |= sold >= np.maximum(_floats(claims["stock"]), 1.0)
    happened = np.where(event == SOLD_OUT, out, np.where(event == MISSED, missed >= 1, happened))
    left = np.maximum(_floats(claims["stock"]) - sold, 0.0)
    left = np.where(claims["code"].to_numpy() == "SEASON_END_RISK", left, np.minimum(left, said))
    units = np.where(by_shelf, missed, np.where(event == AT_MOST, left, np.nan))
    reason = np.full(len(row), "", dtype=object)
    reason[by_shelf & never] = "never_there"
    reason[by_shelf & ~days.trusted[at]] = "not_trusted" if stock_history is not None else "no_stock_history"
    reason[row < 0] = "gone"
    known = reason == ""
    rate = _base_rates(days, abc, claims["abc"].to_numpy(), (begin, end), wanted=known & (event == SOLD_OUT))

    def column(values: Floats) -> pl.Series:
        return pl.Series(np.where(known, values, np.nan), dtype=pl.Float64).fill_nan(None)

    return pl.DataFrame(
        {
            "came_true": pl.Series(happened, dtype=pl.Boolean),
            "units_came": column(units),
            "money_came": column(units * _floats(claims["unit_money"])),
            "base_rate": column(rate),
            "unknown": pl.Series(reason.tolist(), dtype=pl.String),
        }
    ).with_columns(came_true=pl.when(pl.col("unknown") == "").then("came_true"))


def _days(
    claims: pl.DataFrame, lines: pl.DataFrame, stock: pl.DataFrame, stock_history: pl.DataFrame | None, *, as_of: date
) -> _Days:
    earliest = claims["made_on"].min()
    assert isinstance(earliest, date)
    first = date.fromordinal(earliest.toordinal() - RATE_DAYS)
    ids, n_days = frames.IdMap.of(stock["variant_id"]), (as_of - first).days + 1
    shape = (len(ids), n_days)
    net = frames.net_same_day(lines.filter(pl.col("day").is_between(first, as_of)))
    net = net.filter((pl.col("units") > 0) & ~pl.col("is_return"))
    rows = ids.internal(net["variant_id"])
    t = (net["day"] - first).dt.total_days().to_numpy().astype(np.int64)
    daily = np.zeros(shape, dtype=np.float32)
    np.add.at(daily, (rows[rows >= 0], t[rows >= 0]), net["units"].to_numpy()[rows >= 0])
    nothing = np.zeros(shape, dtype=bool)
    known = StockDays(ids.external, first, nothing, nothing, np.zeros(len(ids), bool), {}, False)
    if stock_history is not None and len(stock_history):
        known = walk_back(stock_history, stock, lines, ids=ids.external, start=first, days=n_days)
    empty = np.where(known.out, 1.0, 0.5 * known.ran_out).astype(np.float32)
    ended = known.out | known.ran_out
    full = (~ended).astype(np.float32)
    sold, full_sold = _running(daily), _running(daily * full)
    return _Days(first, ids, sold, full_sold, _running(full), _running(empty), ended, known.trusted)


def _running(daily: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.concatenate([np.zeros((len(daily), 1), np.float32), np.cumsum(daily, axis=1)], axis=1)


def _between(totals: npt.NDArray[np.float32], row: Ints, begin: Ints, end: Ints) -> Floats:
    if not len(totals):
        return np.zeros(len(row))
    return (totals[row, end] - totals[row, begin]).astype(float)


def _on_the_shelf(days: _Days, row: Ints, begin: Ints, end: Ints) -> tuple[Bools, Floats, Bools]:
    """Did it sell out in those days, the units missed meanwhile, and was it there on no day that could tell a rate.

    The rate is that of the days that ended with stock: a shelf is seen to run empty on the day of a sale, and with that
    day in it every rate of an empty shelf would be too high.
    """
    before = np.maximum(begin - RATE_DAYS, 0)
    full = _between(days.full, row, before, end)
    rate = np.divide(_between(days.full_sold, row, before, end), full, out=np.zeros(len(row)), where=full > 0)
    empty = _between(days.empty, row, begin, end)
    return empty > 0, rate * empty, full <= 0


def _base_rates(
    days: _Days,
    abc: pl.DataFrame,
    of: npt.NDArray[np.object_],
    window: tuple[Ints, Ints],
    *,
    wanted: npt.NDArray[np.bool_],
) -> Floats:
    """The share of the variants of a class with stock at the beginning that sold out, for each window and class."""
    rate = np.full(len(of), np.nan)
    klass = np.full(len(days.ids), "", dtype=object)
    row = days.ids.internal(abc["variant_id"])
    klass[row[row >= 0]] = abc["abc"].to_numpy()[row >= 0]
    begin, end = window
    for a, b in np.unique(np.stack([begin[wanted], end[wanted]], axis=1), axis=0).tolist():  # days × lead times
        stocked = days.trusted & ~days.ended_empty[:, a - 1]
        out = days.empty[:, b] - days.empty[:, a] > 0
        here = wanted & (begin == a) & (end == b)
        for name in np.unique(of[here].astype(str)).tolist():
            mine = stocked & (klass == name)
            if mine.any():
                rate[here & (of == name)] = out[mine].mean()
    return rate


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(float)
