"""The totals that the owner knows beside those of the files: what explains the difference, to the cent.

Shops count their sales differently: before or after returns, with or without shipping, tax, gift cards and tests. Each
of these is a sum that the files hold; the fewest of them that make up the difference exactly are its explanation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

import polars as pl

from ingest.doctor import Finding
from ingest.report import Reconciliation
from ingest.rows import LEAVABLE
from ingest.sales import Sales

MOST = 6
"""Sums that an explanation has at most."""
CANDIDATES = 14
"""Sums that are tried, the largest first."""
NEAR = 100
"""One so many-th of the difference may stay unexplained for sums to be its likely explanation."""
DONE = ("completed", "delivered")
"""The statuses of a sale."""


@dataclass(frozen=True)
class Term:
    """A sum that may be in the owner's total and not in what is stored (positive), or the other way round."""

    code: str
    cents: int
    orders: int = 0


@dataclass(frozen=True)
class Explained:
    """The owner's totals, ours, and what lies between them; money in cents, None where no total was given."""

    expected: int | None
    stored: int
    difference: int
    terms: list[Term]
    """They add up to the difference but for `unexplained`."""
    unexplained: int
    orders_expected: int | None
    orders_found: int
    orders_explained: int
    """Orders of the terms: added to those found they should be the expected ones."""
    candidates: list[Term]
    """Every sum that was tried."""


def explain(
    account: Reconciliation, sales: Sales, findings: Iterable[Finding], *, total: Decimal | None, orders: int | None
) -> Explained | None:
    """What lies between the owner's totals and what is stored; None when no total was given."""
    if total is None and orders is None:
        return None
    known = terms(account, sales, findings)
    difference = 0 if total is None else int(total * 100) - account.stored
    wanted = None if orders is None else orders - account.orders
    chosen = _fewest(known, difference, wanted) if total is not None else []
    return Explained(
        expected=None if total is None else int(total * 100),
        stored=account.stored,
        difference=difference,
        terms=chosen,
        unexplained=difference - sum(term.cents for term in chosen),
        orders_expected=orders,
        orders_found=account.orders,
        orders_explained=sum(term.orders for term in chosen),
        candidates=known,
    )


def terms(account: Reconciliation, sales: Sales, findings: Iterable[Finding]) -> list[Term]:
    """The sums of the files by which totals differ, the largest first."""
    found = [Term("returned", account.return_cents)]
    found += [Term(name, -int((sales.orders[name].sum() or 0) * 100)) for name in ("shipping", "tax")]
    goods = sales.orders.select("order_number")
    for group in account.left_out:
        of_it = sales.rows.filter(pl.col("reason") == group.reason).select("order_number").drop_nulls().unique()
        found.append(
            Term(f"left_out:{group.reason}", group.cents, of_it.join(goods, on="order_number", how="anti").height)
        )
    found.append(Term("left_out_of_returns", account.left_out_of_returns))
    found.append(Term("rounding", account.rounding))
    leavable = {*LEAVABLE, "other_currency"}
    found += [Term(one.code, -one.cents, -one.orders) for one in findings if one.code in leavable]
    for status, cents, count in _statuses(sales):
        found.append(Term(f"status:{status}", -cents, -count))
    return sorted((term for term in found if term.cents), key=lambda term: (-abs(term.cents), term.code))


def _statuses(sales: Sales) -> Iterable[tuple[str, int, int]]:
    amount = (pl.col("units") * pl.col("unit_price") - pl.col("discount")).round(2, "half_to_even")
    sums = sales.lines.group_by("order_number").agg(lines=(amount * 100).cast(pl.Int64).sum())
    other = sales.orders.filter(~pl.col("status").is_in(DONE)).join(sums, on="order_number")
    charges = ((pl.col("shipping") + pl.col("tax")) * 100).cast(pl.Int64)
    told = other.group_by("status").agg(cents=(pl.col("lines") + charges).sum(), count=pl.len()).sort("status")
    return told.iter_rows()


def _fewest(known: list[Term], difference: int, orders: int | None) -> list[Term]:
    """The fewest terms that add up to the difference, and if they can to that of the orders; else the nearest.

    Nearest counts when it leaves less than a hundredth of the difference; else nothing is an explanation.
    """
    tried, nearest = known[:CANDIDATES], tuple[Term, ...]()
    exact: tuple[Term, ...] | None = None
    for size in range(min(MOST, len(tried)) + 1):
        for some in combinations(tried, size):
            left = abs(difference - sum(term.cents for term in some))
            if left == 0:
                if orders is None or sum(term.orders for term in some) == orders:
                    return list(some)
                exact = exact or some
            elif left < abs(difference - sum(term.cents for term in nearest)):
                nearest = some
    if exact is not None:
        return list(exact)
    return list(nearest) if abs(difference - sum(term.cents for term in nearest)) * NEAR < abs(difference) else []
