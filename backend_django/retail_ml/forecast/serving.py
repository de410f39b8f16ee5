"""Answers from a stored forecast: any number of days, any coverage, the total's interval made for the total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.errors import BadParameter, UnknownId
from retail_ml.forecast.intervals import RatioIntervals
from retail_ml.forecast.levels import AHEAD
from retail_ml.forecast.reopening import still_closed
from retail_ml.forecast.sums_ahead import Demand, SumsAhead

Array = npt.NDArray[np.float64]

LEVELS = ("total", "category", "product", "variant")
SINGLE = ("product", "variant")
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
        """Forecast of `sales` and `units` for one total, category, product or variant.

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
        if level in SINGLE:
            return self._single(level, row, days, coverage)
        return {target: self._daily(f"{level}_{target}", row, days, coverage) for target in ("sales", "units")}

    def widths(self, key: str, rows: slice | None = None) -> RatioIntervals:
        """The widths of a daily level, for some of its rows."""
        rows = rows or slice(None)
        noise, level, sums = (self.arrays[f"{key}_{name}"][rows] for name in ("noise", "level", "sums"))
        return RatioIntervals(noise, level, sums, self.meta["freedom"][key])

    def sums(self, level: str) -> SumsAhead:
        """The widths of products or variants."""
        return SumsAhead.read(level, self.meta, self.arrays)

    def demand(
        self, level: str, days: int | npt.NDArray[np.int64], *, probabilities: Sequence[float] = (), skip: int = 0
    ) -> Demand:
        """Each product's or variant's units summed over its number of `days`, from what was calibrated for sums.

        `days`: one for all or one per id of the level. The first `skip` of the days ahead are left out: those that
        have passed since the forecast was made. Raises BadParameter where that reaches beyond 365 days.
        """
        rows = np.arange(len(self.ids(level)))
        each = np.broadcast_to(np.asarray(days, dtype=np.int64), rows.shape)
        for number in {int(each.min(initial=1)), int(each.max(initial=1))}:
            check_days(number)
            check_days(skip + number)
        return self.sums(level).demand(
            lambda some, first, last: self.units(level, some, first, last), each, probabilities=probabilities,
            rows=rows, skip=skip,
        )  # fmt: skip

    def units(self, level: str, rows: npt.NDArray[np.int64], first: int, last: int) -> Array:
        """Forecast of products or variants summed over the days first … last − 1 ahead, (rows,)."""
        return self._units(level, rows, slice(first, last)).sum(axis=1, dtype=float)

    def _units(self, level: str, rows: npt.NDArray[np.int64], days: slice) -> Array:
        daily = self.arrays["product_units_mean"]
        if level == "product":
            return np.asarray(daily[rows, days], dtype=float)
        of = self.arrays["variant_product"][rows]
        share = np.where(of >= 0, self.arrays["variant_share"][rows], 0.0)
        return np.asarray(daily[of, days] * share[:, None], dtype=float)

    def price(self, level: str) -> Array:
        """Revenue per unit: a variant's is that of its product, (ids,)."""
        paid = np.asarray(self.arrays["product_price"])
        return paid if level == "product" else np.append(paid, 0.0)[self.arrays["variant_product"]]

    def newcomer(self, level: str, object_id: str) -> dict[str, Any] | None:
        """If a product (a variant's product) is a newcomer: `age`, `count` of look-alikes, `alike` ids of the nearest,
        `established`: no beginnings were seen, all products stand in."""
        row = self.row(level, object_id)
        row = int(self.arrays["variant_product"][row]) if level == "variant" else row
        at = np.flatnonzero(self.arrays["newcomer_rows"] == row)
        if level not in SINGLE or not len(at):
            return None
        alike = self.arrays["newcomer_alike"][at[0]]
        return {
            "age": int(self.arrays["newcomer_age"][at[0]]),
            "count": int(self.arrays["newcomer_count"][at[0]]),
            "alike": self.arrays["product_ids"][alike[alike >= 0]].tolist(),
            "established": bool(self.meta["newcomers_established"]),
        }

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

    def _single(self, level: str, row: int, days: int, coverage: float) -> dict[str, Ahead]:
        """Of one product or variant."""
        one, widths = np.array([row]), self.sums(level)
        ahead = self._units(level, one, slice(0, days))[0]
        lower, upper = widths.total(ahead, 1, coverage, rows=np.repeat(one, days))
        opened = self.arrays["total_units_mean"][0, :days] > 0  # nothing is sold on a closed day
        floor = self._open_for_sure(days, coverage)
        lower, upper = lower * opened * floor, np.where(opened, upper, 0.0)
        total = float(ahead.sum())
        low, high = widths.total(np.array([total]), days, coverage, rows=one)
        low = low * floor[-1]
        units = Ahead(ahead, lower, upper, total, float(low[0]), float(high[0]))
        price = float(self.price(level)[row])
        bounds = (total * price, units.total_lower * price, units.total_upper * price)
        sales = Ahead(ahead * price, lower * price, upper * price, *bounds)
        return {"sales": sales, "units": units}


def _unknown(level: str, object_id: str, named: list[str]) -> UnknownId:
    """Which ids the level knows instead: 20 categories by name, products and variants counted."""
    said = f"The sales forecast knows no {level} {object_id!r}."
    if level in SINGLE:
        said += f" It knows {len(named)} {level}s, for example {', '.join(named[:3])}. If it is new, train again."
        some, count = named[:20], len(named)
        if level == "product":
            return UnknownId(said, code="forecast.unknown_product", level=level, id=object_id, count=count, known=some)
        return UnknownId(said, code="forecast.unknown_variant", level=level, id=object_id, count=count, known=some)
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
