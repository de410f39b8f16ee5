"""A plan's levels beside the live stock: what both say of each variant, as arrays over the rows of the stock."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import lead_times, ordering, recalibration, receipts
from retail_ml.inventory.beside import Beside, free_units, rows_of
from retail_ml.inventory.plan import Arrays, assume_costs, positive, usual_cost_share
from retail_ml.inventory.policy import Rules
from retail_ml.inventory.receipts import Receipts

Floats = npt.NDArray[np.float64]

UNITS = ("on_hand", "reserved", "on_order", "drafted", "pack_size", "minimum_order")
UNKNOWN: dict[str, Any] = {  # a variant that the version has not seen
    "daily": 0.0, "likely": 0.0, "ratio": 1.02, "units_7": 0.0, "units_30": 0.0, "from_forecast": False,
    "reorder_point": 0.0, "order_up_to": 0.0, "tau": 0.95, "economic": False, "abc": 2, "excess_bound": np.inf,
    "confidence": 0, "spike": False, "drop": False, "week_expected": 0.0, "idle_days": -1, "interval": np.nan,
    "sold_365": 0.0, "sold_7": 0.0, "sold_30": 0.0, "range_days": 0, "lead_days": 0.0, "lead_sd": 0.0, "lead_source": 0,
}  # fmt: skip


class Standing:
    """Plan and live stock side by side; `beside` says what one takes from all where the stock is but a part."""

    def __init__(
        self,
        arrays: Arrays,
        stock: pl.DataFrame,
        rules: Rules,
        days: tuple[date, date],
        *,
        beside: Beside | None = None,
    ) -> None:
        as_of, today = days
        self.row = rows_of(arrays, stock["variant_id"])
        self.known = self.row >= 0
        self.beside = beside
        self.arrays, self.stock, self.today = arrays, stock, today
        self.days_since = max((today - as_of).days - 1, 0)
        self.cost, self.price = positive(stock["cost"]), positive(stock["price"])
        share = (usual_cost_share if beside is None else beside.cost_share)(self.cost, self.price)
        assumed = assume_costs(self.cost, self.price, share)
        self.value = np.nan_to_num(assumed)  # cost, assumed where unknown, 0 where nothing is known
        self.margin = np.nan_to_num(self.price - assumed)
        for column in stock.select(pl.col(UNITS).fill_null(0.0)):
            setattr(self, column.name, column.to_numpy().astype(float))
        self.active = stock["active"].to_numpy().astype(bool)
        stated = lead_times.stated(stock, rules)
        learned = self["lead_source"] >= lead_times.LEARNED  # else what the shop's records say now
        self.lead_days = np.where(learned, self["lead_days"], stated.days)
        self.lead_sd = np.where(learned, self["lead_sd"], stated.sd)
        self.stated_lead_days = stated.days
        self.season_over = ordering.season_over(stock["season_end"], self.lead_days, today=today)
        longer = self.lead_days - stated.days
        known = stock["lead_time_days"].is_not_null().to_numpy()
        self.drift_days = np.where(learned & known & (longer > 2 * stated.sd), longer, 0.0)
        left = (stock["season_end"] - today).dt.total_days().cast(pl.Float64) + 1  # its last day sells too
        self.season_days = np.maximum(left.fill_null(float("nan")).to_numpy(), 0.0)
        group = stock["category"].fill_null("").rank("dense").cast(pl.Int64).fill_null(1)
        self.group = group.to_numpy() - 1
        self.checks = np.mean(
            [
                np.isfinite(self.price),
                np.isfinite(self.cost),
                stock["lead_time_days"].is_not_null().to_numpy(),
                stock["supplier_id"].is_not_null().to_numpy(),
                self.on_hand >= 0,
            ],
            axis=0,
        )

    on_hand: Floats
    reserved: Floats
    on_order: Floats
    drafted: Floats
    pack_size: Floats
    minimum_order: Floats
    receipts: Receipts

    def expect(self, open_orders: pl.DataFrame) -> None:
        """What is on its way, by its days."""
        self.receipts = receipts.expected(
            open_orders,
            self.stock["variant_id"],
            on_order=self.on_order,
            lead=(self.lead_days, self.lead_sd),
            today=self.today,
        )

    @property
    def next_days(self) -> Floats:
        """Days of demand before the next delivery, or before an order of today comes where nothing is on its way."""
        first = self.receipts.next_days
        return np.maximum(np.where(np.isfinite(first), first, self.lead_days), 1.0)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """An array of the plan at the rows of the live stock; `UNKNOWN` where the plan has not seen a variant.

        So it is of everything that a version of an older release does not hold.
        """
        if name not in self.arrays or not len(self.arrays[name]):
            return np.full(len(self.row), UNKNOWN[name])
        values = self.arrays[name][np.maximum(self.row, 0)]
        return np.where(self.known, values, np.asarray(UNKNOWN[name], dtype=values.dtype))

    @property
    def likely(self) -> Floats:
        """Units a day to state the chances of alerts with (`likely`); that of the levels in an older version."""
        return self["likely" if "likely" in self.arrays else "daily"]

    def believed(self, code: str, chance: Floats) -> Floats:
        """A chance as such chances came true in the shop's past (`recalibration`); as stated in an older version."""
        learnt, row = self.arrays.get("recalibration", recalibration.AS_STATED), recalibration.CODES.index(code)
        return recalibration.believed(chance, (learnt if row < len(learnt) else recalibration.AS_STATED)[row])

    @property
    def free(self) -> Floats:
        """Units on the shelf that nobody has been promised; none where the count is below zero."""
        return free_units(self.on_hand, self.reserved)

    @property
    def position(self) -> Floats:
        """On hand + on order + drafted - reserved."""
        return np.maximum(self.on_hand, 0) + self.on_order + self.drafted - self.reserved
