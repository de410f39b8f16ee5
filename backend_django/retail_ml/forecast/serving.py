"""Answers from a stored forecast: any number of days, any coverage, the total's interval made for the total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.errors import BadParameter, UnknownId
from retail_ml.forecast.intervals import RatioIntervals
from retail_ml.forecast.levels import AHEAD
from retail_ml.forecast.reopening import still_closed
from retail_ml.forecast.volume_bins import VolumeBins

Array = npt.NDArray[np.float64]

LEVELS = ("total", "category", "product")
LEAST_COVERAGE, MOST_COVERAGE = 0.50, 0.99


@dataclass(frozen=True)
class Ahead:
    """`mean`, `lower`, `upper` (days,) of each day; `total`, `total_lower`, `total_upper` of their sum."""

    mean: Array
    lower: Array
    upper: Array
    total: float
    total_lower: float
    total_upper: float


class Forecasts:
    """Reads what `shop.stored` wrote."""

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.meta = meta
        self.arrays = arrays
        self.as_of = date.fromisoformat(meta["as_of"])

    def dates(self, days: int) -> list[date]:
        """The next `days` days after the last one that was known."""
        return [self.as_of + timedelta(days=i + 1) for i in range(days)]

    def ids(self, level: str) -> npt.NDArray[np.str_]:
        """The ids that a level knows: ascending; the total has one, ""."""
        return np.array([""]) if level == "total" else self.arrays[f"{level}_ids"]

    def row(self, level: str, object_id: str) -> int:
        """Row of an id within its level. Raises BadParameter for another level, UnknownId for another id."""
        if level not in LEVELS:
            raise BadParameter(
                f"level must be one of {', '.join(LEVELS)}; received {level!r}.",
                code="bad_parameter.choice",
                field="level",
                received=level,
                allowed=list(LEVELS),
            )
        if level == "total":
            return 0
        ids = self.ids(level)
        at = int(np.searchsorted(ids, object_id))
        if object_id and at < len(ids) and ids[at] == object_id:
            return at
        raise _unknown(level, object_id, [str(x) for x in ids if x])

    def ahead(self, level: str, object_id: str, *, days: int, coverage: float) -> dict[str, Ahead]:
        """Forecast of `sales` and `units` for one total, category or product.

        Raises BadParameter for `days` outside 1…365 or `coverage` outside 0.5…0.99, and what `row` raises.
        """
        check_days(days)
        if not LEAST_COVERAGE <= coverage <= MOST_COVERAGE:
            raise BadParameter(
                f"coverage must be between {LEAST_COVERAGE} and {MOST_COVERAGE}; received {coverage}.",
                code="bad_parameter.range",
                field="coverage",
                minimum=LEAST_COVERAGE,
                maximum=MOST_COVERAGE,
                received=coverage,
            )
        row = self.row(level, object_id)
        if level == "product":
            return self._product(row, days, coverage)
        return {target: self._daily(f"{level}_{target}", row, days, coverage) for target in ("sales", "units")}

    def widths(self, key: str, rows: slice | None = None) -> RatioIntervals:
        """The widths of a daily level, for some of its rows."""
        rows = rows or slice(None)
        noise, level, sums = (self.arrays[f"{key}_{name}"][rows] for name in ("noise", "level", "sums"))
        return RatioIntervals(noise, level, sums, self.meta["freedom"][key])

    def bins(self) -> VolumeBins:
        """The widths of the products."""
        return VolumeBins(self.arrays["product_edges"], self.arrays["product_z"], self.arrays["product_sd"])

    def product_totals(self, days: int, *, skip: int = 0) -> tuple[Array, Array]:
        """Mean and standard deviation of each product's units summed over `days` days, (products,) each.

        The first `skip` of the days ahead are left out: those that have passed since the forecast was made.
        """
        check_days(skip + days)
        mean = self.arrays["product_units_mean"][:, skip : skip + days].sum(axis=1, dtype=float)
        return mean, self.bins().sd_total(mean, days, spread=self.arrays["product_spread"])

    def _daily(self, key: str, row: int, days: int, coverage: float) -> Ahead:
        mean = np.asarray(self.arrays[f"{key}_mean"][row : row + 1, :days], dtype=float)
        widths = self.widths(key, slice(row, row + 1))
        lower, upper = widths.daily(mean, coverage)
        low, high = widths.total(mean, coverage)
        floor = self._open_for_sure(days, coverage)
        lower, low = np.where(floor, lower, np.minimum(lower, 0.0)), low if floor[-1] else np.minimum(low, 0.0)
        return Ahead(mean[0], lower[0], upper[0], float(mean.sum()), float(low[0]), float(high[0]))

    def _open_for_sure(self, days: int, coverage: float) -> npt.NDArray[np.bool_]:
        """Is a shop that is closed now so likely open again that lower bounds need not be 0? (days,)"""
        return still_closed(int(self.meta.get("silent_days", 0)), days) <= (1 - coverage) / 2

    def _product(self, row: int, days: int, coverage: float) -> dict[str, Ahead]:
        mean = np.asarray(self.arrays["product_units_mean"][row, :AHEAD], dtype=float)
        spread = self.arrays["product_spread"][row : row + 1]
        ahead, bins = mean[:days], self.bins()
        (lower,), (upper,) = bins.total(ahead[None], 1, coverage, spread=spread)
        opened = self.arrays["total_units_mean"][0, :days] > 0  # nothing is sold on a closed day
        floor = self._open_for_sure(days, coverage)
        lower, upper = lower * opened * floor, np.where(opened, upper, 0.0)
        total = float(ahead.sum())
        low, high = bins.total(np.array([total]), days, coverage, spread=spread)
        low = low * floor[-1]
        units = Ahead(ahead, lower, upper, total, float(low[0]), float(high[0]))
        price = float(self.arrays["product_price"][row])
        bounds = (total * price, units.total_lower * price, units.total_upper * price)
        sales = Ahead(ahead * price, lower * price, upper * price, *bounds)
        return {"sales": sales, "units": units}


def _unknown(level: str, object_id: str, named: list[str]) -> UnknownId:
    """Which ids the level knows instead: 20 categories by name, products only counted."""
    said = f"The sales forecast knows no {level} {object_id!r}."
    if level == "product":
        return UnknownId(
            f"{said} It knows {len(named)} products, for example {', '.join(named[:3])}.",
            code="forecast.unknown_product",
            level=level,
            id=object_id,
            count=len(named),
            known=named[:20],
        )
    if not named:
        return UnknownId(
            f"{said} The shop's products have no categories.",
            code="forecast.no_categories",
            level=level,
            id=object_id,
        )
    return UnknownId(
        f"{said} It knows {', '.join(named[:20])}{' …' if len(named) > 20 else ''}.",
        code="forecast.unknown_category",
        level=level,
        id=object_id,
        known=[*named[:20], *["…"][: len(named) > 20]],
    )


def check_days(days: int) -> None:
    """Raises BadParameter for a horizon outside 1…365.

    >>> check_days(366)
    Traceback (most recent call last):
    ...
    retail_ml.errors.BadParameter: days_ahead must be a whole number from 1 to 365; received 366.
    """
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= AHEAD:
        raise BadParameter(
            f"days_ahead must be a whole number from 1 to {AHEAD}; received {days}.",
            code="bad_parameter.whole",
            field="days_ahead",
            minimum=1,
            maximum=AHEAD,
            received=days,
        )
