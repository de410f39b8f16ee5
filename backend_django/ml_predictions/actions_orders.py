"""Purchase-order drafts from what the inventory recommends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from django.db import transaction

from ml_predictions.actions import NotSupportedBySource, audit
from ml_predictions.messages import message, render
from ml_predictions.services import get_service, inventory_orders
from ml_predictions.services.inventory_orders import OrderPlan
from ml_predictions.sources.base import Drafting, DraftLine, OrderDraft, PlacedDraft
from retail_ml.inventory.ordering import UNITS

MOST_ROWS = 200
"""Lines in the answer of a shop that keeps no purchase orders; the file has them all."""


def draft_orders(
    *,
    user: Any,
    lines: Mapping[str, float] | None = None,
    budget: float | None = None,
    supplier: str | None = None,
    fill_minimum: bool = False,
) -> dict[str, Any]:
    """One draft per supplier of what the levels want, or of the chosen `lines`; all or none.

    `lines`: the units of each variant that are to stand in drafts afterwards; those that do already are taken off.

    Drafts count as ordered: asked again, nothing is added. With `fill_minimum` an order below the least that its
    supplier takes is filled up to it. Raises NotTrained, UnknownId, and NotSupportedBySource, with the lines, for a
    shop without purchase orders.
    """
    service: Any = get_service("inventory_optimization")
    limits = {"budget": budget, "supplier": supplier, "fill_minimum": fill_minimum}
    source = service.source
    before = _open(source)
    plan = _plan(service, lines, **limits)
    if not isinstance(source, Drafting):
        raise NotSupportedBySource("place_drafts", **_instead(plan))
    groups = _groups(plan)
    with transaction.atomic():
        source.hold_drafting()
        now = _open(source)
        if now is None or before is None or not now.equals(before):  # somebody else has ordered since we looked
            plan = _plan(service, lines, **limits)
            groups = _groups(plan)
        placed = source.place_drafts([draft for _, draft in groups], user=user) if groups else []
    if placed:
        audit.info("%s: purchase orders drafted: %s", user, ", ".join(draft.number for draft in placed))
    return _answer(plan, [group for group, _ in groups], placed)


def _open(source: Any) -> pl.DataFrame | None:
    """What is on order and in drafts; None for a shop that cannot tell."""
    return source.open_orders() if hasattr(source, "open_orders") else None


def _plan(service: Any, lines: Mapping[str, float] | None, **limits: Any) -> OrderPlan:
    if lines is None:
        return inventory_orders.reorder(service.orderable(), service.source, **limits)
    return inventory_orders.chosen(service.orderable(list(lines)), service.source, lines, **limits)


def _groups(plan: OrderPlan) -> list[tuple[dict[str, Any], OrderDraft]]:
    """Per supplier, the dearest first: the summary with its lines, and the draft that comes of it."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in plan.rows(plan.with_supplier):
        rows.setdefault(row["supplier_id"], []).append(row)
    found = []
    for group in plan.suppliers(plan.with_supplier):
        mine = rows[group["supplier_id"]]
        draft = OrderDraft(group["supplier_id"], tuple(_line(row) for row in mine), render(group["note"]))
        found.append(({**group, "lines": mine}, draft))
    return found


def _line(row: Mapping[str, Any]) -> DraftLine:
    """A line to store; its note is the reason and the remarks, in the language of who asks."""
    told = " ".join(render(text) for text in (row["reason"], *row["notes"]))
    return DraftLine(row["variant_id"], round(row[UNITS]), row["unit_cost"], told)


def _answer(plan: OrderPlan, groups: Sequence[Mapping[str, Any]], placed: Sequence[PlacedDraft]) -> dict[str, Any]:
    drafts = [
        {"purchase_order_id": order.order_id, "number": order.number, **group}
        for group, order in zip(groups, placed, strict=True)
    ]
    drafted = plan.with_supplier
    found = {
        "drafts": drafts,
        "totals": {
            "drafts": len(drafts),
            "lines": len(drafted),
            "units": float(drafted[UNITS].sum()),
            "estimated_cost": round(float(drafted["estimated_cost"].sum()), 2),
            "without_cost": int(drafted["estimated_cost"].null_count()),
        },
        "without_supplier": plan.rows(plan.without_supplier),
        "skipped": plan.skipped,
        "left_out": plan.left_out,
        "currency": plan.analysis.currency,
        **plan.analysis.note,
    }
    return found if drafts else {**found, "message": message("inventory.nothing_to_draft")}


def _instead(plan: OrderPlan) -> dict[str, Any]:
    """The lines for a shop that keeps no purchase orders, as the file has them."""
    header, rows = inventory_orders.table(plan)
    return {
        "rows": [dict(zip(header, row, strict=True)) for row in rows[:MOST_ROWS]],
        "total_rows": len(rows),
        "csv": "/api/ml/reorder-recommendations/export/",
    }
