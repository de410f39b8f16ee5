"""What the judgement of a few variants takes from all others: usual cost share, stock's value, usual return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import alerts, health
from retail_ml.inventory.plan import Arrays, assume_costs, positive, usual_cost_share

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Read = Callable[[Sequence[str] | None], pl.DataFrame]
"""Gives `frames.SHELF` of the variants of some categories; None: of all."""


class Beside:
    """The figures of the whole shop that `live.assess` needs of a part of it, read only where they matter."""

    def __init__(self, arrays: Arrays, read: Read) -> None:
        self.arrays, self.read = arrays, read

    @cached_property
    def _all(self) -> tuple[float, float]:
        """Usual cost share, and stock at cost."""
        shelf = self.read(None)
        cost, price = positive(shelf["cost"]), positive(shelf["price"])
        share = usual_cost_share(cost, price)
        return share, alerts.stock_value(_free(shelf), np.nan_to_num(assume_costs(cost, price, share)))

    def cost_share(self, cost: Floats, price: Floats) -> float:
        """The usual share of the cost in the price; where none of these costs is missing, 0."""
        return self._all[0] if (np.isfinite(price) & ~np.isfinite(cost)).any() else 0.0

    def stock_value(self, excess: Floats) -> float:
        """The shop's stock at cost; where none of `excess` (money) could be a large part of it, 0."""
        return self._all[1] if (excess > 0).any() else 0.0

    def usual_return(self, categories: pl.Series) -> Floats:
        """The median yearly return on stock of each one's category."""
        names = categories.fill_null("").unique().sort()
        shelf = self.read(names.to_list())
        sold = np.zeros(len(shelf))
        if "sold_365" in self.arrays:
            rows = rows_of(self.arrays, shelf["variant_id"])
            sold = np.where(rows >= 0, self.arrays["sold_365"][rows], 0.0) if len(self.arrays["sold_365"]) else sold
        cost, price = positive(shelf["cost"]), positive(shelf["price"])
        found = health.yearly_return(_free(shelf), cost, price, sold_365=sold)
        group = names.search_sorted(shelf["category"]).to_numpy().astype(np.int64)
        asked = names.search_sorted(categories.fill_null("")).to_numpy().astype(np.int64)
        usual = np.zeros(len(names))
        usual[group] = health.usual_returns(found, group)
        return np.asarray(usual[asked], dtype=float)


def rows_of(arrays: Arrays, variant_ids: pl.Series) -> Ints:
    """The row of each variant in the arrays of a plan; -1: the plan has not seen it.

    >>> rows_of({"variant_id": np.array(["a", "c"])}, pl.Series(["c", "b"])).tolist()
    [1, -1]
    """
    known = np.asarray(arrays["variant_id"]).astype(str, copy=False)
    wanted = np.array(variant_ids.to_list(), dtype=str)
    if not len(known) or not len(wanted):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = None if (known[1:] >= known[:-1]).all() else np.argsort(known, kind="stable")  # a plan is sorted
    row = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    row = row if order is None else order[row]
    return np.where(known[row] == wanted, row, -1).astype(np.int64)


def free_units(on_hand: Floats, reserved: Floats) -> Floats:
    """Units on the shelf that nobody has been promised; none where the count is below zero.

    >>> free_units(np.array([5.0, -1.0]), np.array([2.0, 0.0])).tolist()
    [3.0, 0.0]
    """
    return np.maximum(np.maximum(on_hand, 0) - reserved, 0)


def _free(shelf: pl.DataFrame) -> Floats:
    return free_units(*(shelf[c].fill_null(0.0).to_numpy().astype(float) for c in ("on_hand", "reserved")))
