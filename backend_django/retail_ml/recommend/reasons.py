"""Why a product is recommended: a code and its figures, no sentences; exact for the linear scores.

Codes: `again` and `again_once` (bought before: orders, last day), `because_bought`, `because_basket` (the product that
speaks most for it: the j with the largest profile_j · W_ji, its part of the pull, and the orders that hold both;
`…_alone` without these),
`together` and `together_few` (the counts of the pair), `similar` (likeness of name and price), `rising` and `popular`
(sales of late), `rest` (orders so far), `unsold` and `unsold_since` (with the day since which it is in the range).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.recommend.data import day_of
from retail_ml.recommend.evidence import Support
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.tables import Tables

ALIKE = 0.25
"""Content similarity from which a reason speaks of it."""
ALONE = {"because_bought": "because_bought_alone", "because_basket": "because_basket_alone"}
"""Codes where the pair is too weak to be kept, so that the orders with both are not known."""
RISING = 1.1
"""Trend from which a reason speaks of it."""


@dataclass(frozen=True)
class Reason:
    """A code, the rows of the products its sentence names, the orders behind it, and the figures of the sentence."""

    code: str
    product: int | None = None
    support: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cause:
    """For every product the source that speaks most for it (-1: none), and its part of all that speaks for it."""

    source: npt.NDArray[np.int64]
    part: npt.NDArray[np.float64]


def causes(table: sparse.csr_matrix, rows: npt.NDArray[np.integer], weight: npt.NDArray[np.float64]) -> Cause:
    """For every product i the one of `rows` with the largest weight_j · table_ji above 0; ties to the lower row.

    >>> W = sparse.csr_matrix([[0.0, 0, 0.5], [0, 0, 0.4], [0, 0, 0]])
    >>> found = causes(W, np.array([0, 1]), np.array([1.0, 2.0]))  # 0.5 and 0.8 of 1.3
    >>> found.source.tolist(), found.part.round(3).tolist()
    ([-1, -1, 1], [0.0, 0.0, 0.615])
    """
    some = table[rows].tocoo()
    pull = some.data.astype(np.float64) * np.asarray(weight)[some.row]
    kept = pull > 0
    pull, target, source = pull[kept], some.col[kept], np.asarray(rows, np.int64)[some.row[kept]]
    order = np.lexsort((-source, pull))  # the last one written is the strongest, of equals the lowest row
    out, most = np.full(table.shape[1], -1, np.int64), np.zeros(table.shape[1])
    out[target[order]] = source[order]
    most[target[order]] = pull[order]
    whole = np.bincount(target, weights=pull, minlength=table.shape[1])
    return Cause(out, np.divide(most, whole, out=np.zeros_like(most), where=whole > 0))


class PersonReasons:
    """Reasons of a list for one customer (`history` holds him alone)."""

    def __init__(self, tables: Tables, history: Histories, *, repeats: bool = True) -> None:
        self.tables, self.repeats = tables, repeats
        self.orders, self.last = history.pattern, history.last
        profile = history.decayed(tables.weights.profile_half_life)
        self.cause = causes(tables.person, profile.indices, np.sqrt(profile.data))

    def named(self, rows: Sequence[int]) -> list[int]:
        """Rows of the products whose names the sentences of these products need."""
        again = np.zeros(len(self.tables), bool)
        if self.repeats:  # what was bought before speaks of nothing else
            again[self.orders.indices] = True
        some = np.asarray(rows, np.int64)
        source = self.cause.source[some[~again[some]]]
        return np.unique(source[source >= 0]).tolist()

    def of(self, row: int) -> Reason:
        """The reason of one recommendation."""
        orders = int(self.orders[0, row])
        if orders and self.repeats:
            day = day_of(self.tables.now - float(self.last[0, row]))
            figures = {"orders": orders, "day": day.isoformat()}
            return Reason("again" if orders > 1 else "again_once", support=orders, figures=figures)
        return by_cause(self.tables, self.cause, row, code="because_bought")


class BasketReasons:
    """Reasons of what goes with the products `rows` of a basket."""

    def __init__(self, tables: Tables, rows: npt.NDArray[np.integer]) -> None:
        self.tables = tables
        self.cause = causes(tables.basket, rows, np.ones(len(rows)))

    def of(self, row: int) -> Reason:
        """The reason of one recommendation."""
        return by_cause(self.tables, self.cause, row, code="because_basket")


def by_cause(tables: Tables, cause: Cause, row: int, *, code: str) -> Reason:
    """The product that speaks most for `row`, or what sells."""
    source = int(cause.source[row])
    if source < 0:
        return of_sales(tables, row)
    part, both = {"part": round(100 * float(cause.part[row]))}, tables.pairs_of(source, row)
    if both is None:
        return Reason(ALONE[code], product=source, figures=part)
    return Reason(code, product=source, support=both, figures={**part, "together": both})


def of_pair(tables: Tables, support: Support | None, row: int, likeness: float) -> Reason:
    """The strongest thing that can be said for showing `row` beside another product."""
    if support is not None and support.shown:
        return of_support(support)
    if likeness >= ALIKE:
        return Reason("similar", figures={"similarity": round(100 * likeness)})
    if tables.best_sellers[row]:
        return of_sales(tables, row)
    if support is not None and support.together > 0:
        figures = {"together": support.together, "orders": support.source}
        return Reason("together_few", support=support.together, figures=figures)
    return of_sales(tables, row)


def of_support(support: Support) -> Reason:
    """The counts of a pair: share of orders with its lower bound, and lift."""
    figures = {
        "together": support.together,
        "orders": support.source,
        "share": round(100 * support.share, 1),
        "share_lower": round(100 * support.share_lower, 1),
        "lift": round(support.lift, 1),
    }
    return Reason("together", support=support.together, figures=figures)


def of_sales(tables: Tables, row: int) -> Reason:
    """One of the best sellers, and which; else how often it was sold at all, or since when it is there unsold."""
    orders = int(tables.orders_with[row])
    if tables.best_sellers[row]:
        return Reason("popular", support=orders, figures={"place": int(tables.places[row]), "orders": orders})
    if orders:
        return Reason("rest", support=orders, figures={"orders": orders})
    since = float(tables.created[row])
    if np.isnan(since):
        return Reason("unsold", support=0)
    return Reason("unsold_since", support=0, figures={"day": day_of(since).isoformat()})


def of_trend(tables: Tables, row: int) -> Reason:
    """On the rise, by how much; else as `of_sales`."""
    rising = float(tables.trend(14)[row])
    if rising < RISING:
        return of_sales(tables, row)
    return Reason("rising", support=int(tables.orders_with[row]), figures={"times": round(rising, 1)})
