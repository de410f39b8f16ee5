"""What to order now, from whom and for how much; and the purchase-order drafts that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import polars as pl

from ml_predictions.messages import message
from ml_predictions.services.inventory_answers import Analysis, finite, short
from ml_predictions.sources.base import Source, read_optional
from retail_ml.errors import UnknownId
from retail_ml.inventory import filling, funding, ordering
from retail_ml.inventory.funding import WHOLE
from retail_ml.inventory.ordering import UNITS

LEFT_NOTHING: dict[str, Any] = {
    "count": 0, "expected_margin_lost": 0.0, "estimated_cost": 0.0, "in_drafts": 0.0, "unspent": None, "lines": [],
}  # fmt: skip
"""What a budget leaves out where there is none."""
WEEKS_TO_FILL, FEWEST_TO_FILL = 4, 20
"""Above so many usual weeks' lines, and so many lines, it is said that shelves are being filled for the first time."""
MOST_LEFT_OUT = 20
"""Lines that a limited budget leaves out, named in the answer: those with the most money at stake."""
NOTED = (
    UNITS, "filled_units", "asked_units", "drafted", "pack_size", "minimum_order", "supplier", "break_taken",
    "unit_cost", "next_break_units", "next_break_cost",
)  # fmt: skip
"""What `notes` speaks of."""


@dataclass(frozen=True, eq=False)
class OrderPlan:
    """Lines that could be ordered today: `frame` in the order of their urgency, one row per variant."""

    analysis: Analysis
    frame: pl.DataFrame
    left_out: dict[str, Any]
    skipped: list[dict[str, Any]] = field(default_factory=list)
    """Lines that were asked for and are not ordered, each with its reason."""
    fill: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=filling.ADDED))
    """What fills orders up to the least that a supplier takes: part of `frame` where that was asked for."""

    @property
    def with_supplier(self) -> pl.DataFrame:
        """The lines that can be drafted."""
        return self.frame.filter(pl.col("supplier_id").is_not_null())

    @property
    def without_supplier(self) -> pl.DataFrame:
        """The lines of which nobody knows whom to buy them from."""
        return self.frame.filter(pl.col("supplier_id").is_null())

    def rows(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        """Lines as they are answered; `reason` is a message, `notes` are messages."""
        facts = frame.select(NOTED).to_dicts()
        rows = self.analysis.reorder_rows(frame)
        return [row | {"notes": notes(full, self.analysis.currency)} for row, full in zip(rows, facts, strict=True)]

    def suppliers(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        """What each supplier would get, with `note` where its smallest order is not reached."""
        table = ordering.by_supplier(frame)
        latest = frame.group_by("supplier_id").agg(expected_on=pl.col("expected_on").max())
        table = table.join(latest, on="supplier_id", how="left", nulls_equal=True, maintain_order="left")
        return [finite(row) | {"note": self._minimum(row)} | self._fill(row["supplier_id"]) for row in table.to_dicts()]

    def _fill(self, supplier_id: str | None) -> dict[str, Any]:
        mine = self.fill.filter(pl.col("supplier_id") == pl.lit(supplier_id, pl.String))
        lines = mine.drop("supplier_id").with_columns(pl.col("estimated_cost").round(2))
        return {"fill_cost": round(float(mine["estimated_cost"].sum()), 2), "fill_lines": lines.to_dicts()}

    def _minimum(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        if not row["missing_to_minimum"]:
            return None
        return message(
            "inventory.below_minimum_order",
            supplier=row["supplier"],
            missing_cost=round(row["missing_to_minimum"], 2),
            minimum_cost=round(row["minimum_order_value"], 2),
            currency=self.analysis.currency,
        )


def reorder(
    analysis: Analysis,
    source: Source,
    *,
    budget: float | None = None,
    supplier: str | None = None,
    fill_minimum: bool = False,
) -> OrderPlan:
    """What the levels want to be ordered now, within `budget` and from `supplier` (id or name) when given.

    With `fill_minimum` orders below the least that their supplier takes are filled up to it (`filling`). Raises
    UnknownId for a supplier that no variant is bought from.
    """
    frame = analysis.goods
    if supplier is not None:
        check_supplier(frame, source, supplier)
        frame = frame.filter(of_supplier(supplier))
    if budget is None:
        frame = frame.filter(pl.col(UNITS) > 0)
    else:  # what stands in drafts is part of what the budget pays for
        frame = frame.with_columns(pl.Series(WHOLE, ordering.without_drafts(frame), dtype=pl.Float64))
        frame = frame.filter(pl.max_horizontal(WHOLE, "drafted") > 0)
    return _finished(analysis, source, frame, budget=budget, raise_to_breaks=budget is None, fill_minimum=fill_minimum)


def chosen(
    analysis: Analysis,
    source: Source,
    lines: Mapping[str, float],
    *,
    budget: float | None = None,
    supplier: str | None = None,
    fill_minimum: bool = False,
) -> OrderPlan:
    """Lines that somebody has chosen: units by variant that are to stand in drafts; those that do are taken off.

    Rounded up to packs and the smallest order; not ordered is what is not on offer, whose season ends before it would
    come, or that another supplier brings. Raises UnknownId for variants and suppliers that the shop does not have.
    """
    if supplier is not None:
        check_supplier(analysis.goods, source, supplier)
    wanted = pl.DataFrame(
        {"variant_id": list(lines), "asked_units": [float(units) for units in lines.values()]},
        schema={"variant_id": pl.String, "asked_units": pl.Float64},
    )
    frame = wanted.join(analysis.goods, on="variant_id", how="left", maintain_order="left")
    if unknown := frame.filter(pl.col("sku").is_null())["variant_id"].to_list():
        raise UnknownId(
            f"The shop has no variant with the id {unknown[0]}.",
            code="inventory.unknown_variant",
            variant_id=unknown[0],
        )
    skipped = []
    reasons = [_why_not(row, supplier) for row in frame.to_dicts()]
    for row, reason in zip(frame.to_dicts(), reasons, strict=True):
        if reason:
            skipped.append({name: row[name] for name in ("variant_id", "sku", "asked_units")} | {"reason": reason})
    frame = frame.filter(pl.Series([reason is None for reason in reasons], dtype=pl.Boolean))
    frame = frame.with_columns(
        pl.Series(UNITS, ordering.packed(frame, frame["asked_units"] - frame["drafted"]), dtype=pl.Float64),
        pl.Series(WHOLE, ordering.packed(frame, frame["asked_units"]), dtype=pl.Float64),
    )
    plan = _finished(analysis, source, frame, budget=budget, raise_to_breaks=False, fill_minimum=fill_minimum)
    return replace(plan, skipped=skipped)


def _why_not(row: Mapping[str, Any], supplier: str | None) -> dict[str, Any] | None:
    """Why this line is not ordered: a message, or None."""
    if not row["active"]:
        return message("inventory.not_active")
    if row["season_over"]:
        return message("inventory.season_over", season_end=row["season_end"].isoformat())
    if supplier is not None and not _is(supplier, row):
        return message("inventory.other_supplier", supplier=row["supplier"] or "–")
    if row["drafted"] >= row["asked_units"]:
        return message("inventory.drafted_already", units=short(row["drafted"]))
    return None


def _is(supplier: str, row: Mapping[str, Any]) -> bool:
    return supplier.strip() == row["supplier_id"] or supplier.strip().lower() == (row["supplier"] or "").lower()


def _finished(
    analysis: Analysis,
    source: Source,
    frame: pl.DataFrame,
    *,
    budget: float | None,
    raise_to_breaks: bool,
    fill_minimum: bool,
) -> OrderPlan:
    """Quantities within the budget or at the best price break, with what they cost and when they come."""
    breaks = read_optional(source, "price_breaks")
    today = analysis.as_of + timedelta(days=1)
    if "asked_units" not in frame.columns:
        frame = frame.with_columns(asked_units=pl.lit(None, dtype=pl.Float64))
    frame = frame.with_columns(break_taken=pl.lit(value=False))
    left = LEFT_NOTHING
    if budget is not None:
        found = funding.within(frame, budget, breaks, analysis.rules)
        frame, left = found.bought, _left_out(found)
    elif raise_to_breaks:
        frame = ordering.best_breaks(frame.drop("break_taken"), breaks, today=today, rules=analysis.rules)
    spare = None if budget is None else _unspent(budget, left, ordering.priced(frame, breaks))
    brought = analysis.brought_by(filling.short_of_minimum(frame, breaks))
    fill = filling.additions(frame, brought, breaks, today=today, rules=analysis.rules, budget=spare)
    frame = filling.with_additions(frame, brought, fill if fill_minimum else fill.clear())
    frame = ordering.next_breaks(ordering.priced(frame, breaks), breaks)
    if budget is not None:
        left = {**left, "unspent": _unspent(budget, left, frame)}
    order = ["urgency_level", "money_at_stake", "sku"]
    frame = ordering.scheduled(frame, today=today).sort(order, descending=[True, True, False])
    return OrderPlan(analysis, frame, left, fill=fill)


def _unspent(budget: float, left: Mapping[str, Any], priced: pl.DataFrame) -> float:
    return round(max(budget - left["in_drafts"] - float(priced["estimated_cost"].sum()), 0.0), 2)


def _left_out(found: funding.Funded) -> dict[str, Any]:
    """What the budget does not pay for, as it is answered."""
    out = found.left_out
    first = out.sort("money_at_stake", "sku", descending=[True, False]).head(MOST_LEFT_OUT)
    lines = first.select("variant_id", "sku", "product_name", "units", pl.col("estimated_cost").round(2))
    return {
        "count": len(out),
        "expected_margin_lost": round(found.margin_lost, 2),
        "estimated_cost": round(float(out["estimated_cost"].sum()), 2),
        "in_drafts": round(found.in_drafts, 2),
        "lines": lines.to_dicts(),
    }


# --- words ----------------------------------------------------------------------------------------


def notes(row: Mapping[str, Any], currency: str) -> list[dict[str, Any]]:
    """What to know of a line beside its reason: messages."""
    found, units = [], row[UNITS]
    own = units - row["filled_units"]
    asked = None if row["asked_units"] is None else row["asked_units"] - row["drafted"]
    if asked is not None and row["drafted"] > 0:
        found.append(message("inventory.draft_counted", drafted=short(row["drafted"]), asked=short(row["asked_units"])))
    if asked is not None and own > asked:
        packs = {"pack": short(row["pack_size"]), "minimum": short(row["minimum_order"])}
        found.append(message("inventory.rounded_up", asked=short(asked), units=short(own), **packs))
    if row["filled_units"] > 0:
        found.append(message("inventory.filled_up", units=short(row["filled_units"]), supplier=row["supplier"]))
    if row["break_taken"]:
        found.append(
            message(
                "inventory.break_taken", units=short(units), unit_cost=round(row["unit_cost"], 4), currency=currency
            )
        )
    if row["next_break_units"] is not None:
        found.append(
            message(
                "inventory.break_above",
                more=short(row["next_break_units"] - units),
                next_unit_cost=round(row["next_break_cost"], 4),
                unit_cost=round(row["unit_cost"], 4),
                currency=currency,
            )
        )
    if row["unit_cost"] is None:
        found.append(message("inventory.cost_unknown"))
    return found


# --- suppliers ------------------------------------------------------------------------------------


def of_supplier(supplier: str) -> pl.Expr:
    """The rows of a supplier, by id or name."""
    wanted = supplier.strip()
    return (pl.col("supplier_id") == wanted) | (pl.col("supplier").str.to_lowercase() == wanted.lower())


def check_supplier(goods: pl.DataFrame, source: Source, supplier: str) -> None:
    """Raise UnknownId when no variant is bought from this supplier; the shop is asked where `goods` has none."""
    if len(goods.filter(of_supplier(supplier))):
        return
    frame = source.stock().select("supplier_id", "supplier")
    if not len(frame.filter(of_supplier(supplier))):
        known = ", ".join(frame["supplier"].drop_nulls().unique().sort().head(5).to_list()) or "–"
        raise UnknownId(
            f"No variant is bought from the supplier {supplier}. Known: {known}.",
            code="inventory.unknown_supplier",
            supplier=supplier,
            known=known,
        )


def reorder_answer(plan: OrderPlan, *, most: int | None = None) -> dict[str, Any]:
    """The answer of `reorder-recommendations/`; with `most` only so many lines, the most urgent. Sums are over all."""
    frame = plan.frame
    return {
        "recommendations": plan.rows(frame if most is None else frame.head(most)),
        "total_recommendations": len(frame),
        "estimated_total_cost": round(float(frame["estimated_cost"].sum()), 2),
        "without_cost": int(frame["estimated_cost"].null_count()),
        "by_supplier": plan.suppliers(frame),
        "left_out": plan.left_out,
        "currency": plan.analysis.currency,
        **(plan.analysis.note or _first_fill(plan)),
    }


def _first_fill(plan: OrderPlan) -> dict[str, Any]:
    """`note` where far more is to be ordered than in a usual week of the replay; nothing where there was none."""
    replay = plan.analysis.model.metrics.get("replay")
    lines = int((plan.analysis.goods["recommended_order_quantity"] > 0).sum())  # of no budget and all suppliers
    if not replay or lines < FEWEST_TO_FILL:
        return {}
    usual = replay["order_lines"] / replay["weeks"]
    if lines <= WEEKS_TO_FILL * usual:
        return {}
    return {"note": message("inventory.first_fill", lines=lines, usual=max(round(usual), 1))}


CSV_COLUMNS = (
    "supplier", "sku", "product_name", "options", "recommended_order_quantity", "unit_cost", "estimated_cost",
    "expected_on", "current_stock", "on_order", "drafted", "daily_demand", "stockout_date_without_order",
    "stockout_date_with_order", "cover_days", "variant_id", "supplier_id",
)  # fmt: skip


def table(plan: OrderPlan) -> tuple[Sequence[str], list[list[Any]]]:
    """Header and cells of the plan as a file, supplier by supplier."""
    rows = sorted(plan.rows(plan.frame), key=lambda row: (row["supplier"] is None, row["supplier"] or ""))
    return CSV_COLUMNS, [[row[name] for name in CSV_COLUMNS] for row in rows]
