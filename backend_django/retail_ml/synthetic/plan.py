"""What was asked for: size, first day, seed. Everything else follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from retail_ml.errors import BadParameter

LINES_PER_ORDER = 1.95
"""Lines of an order on average, as simulated (lines lost to stock-outs are not counted)."""
SMALLEST, LARGEST = 10, 6_000_000
STREAMS = (
    "weather", "births", "rates", "dropouts", "repeats", "deaths", "guests", "people", "names",
    "range", "launches", "months", "trade",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The parameters of a shop. `days` counts those watched; `base_days` those for which `orders` was asked."""

    orders: float
    start: date
    base_days: int
    days: int
    seed: int
    time_zone: str = "Europe/Madrid"

    @property
    def size(self) -> float:
        """Orders a year, relative to the demo's 3,750."""
        return self.orders / self.base_days * 365 / 3750

    @property
    def end(self) -> date:
        """The last day."""
        return self.start + timedelta(days=self.days - 1)

    def stream(self, name: str, *more: int) -> np.random.Generator:
        """A generator of its own for one matter, so that no draw of one depends on how many another made."""
        return np.random.default_rng([self.seed, STREAMS.index(name), *more])


def make_plan(
    *, orders: float | None, lines: float | None, days: int, end: date, seed: int, extra_days: int, time_zone: str
) -> Plan:
    """Check what was asked for and put it in one place; raises BadParameter."""
    if orders is not None and lines is not None:
        raise BadParameter("give orders or lines, not both: one follows from the other", orders=orders, lines=lines)
    wanted = orders if orders is not None else lines / LINES_PER_ORDER if lines is not None else 7_500
    if not SMALLEST <= wanted <= LARGEST:
        raise BadParameter(
            f"a shop of {wanted:,.0f} orders was asked for; between {SMALLEST} and {LARGEST:,} orders are possible",
            orders=wanted,
        )
    if not 7 <= days <= 5_000 or not 0 <= extra_days <= 5_000:
        raise BadParameter(
            f"{days} days and {extra_days} more were asked for; 7 to 5,000 days and 0 to 5,000 more are possible",
            days=days,
            extra_days=extra_days,
        )
    if seed < 0:
        raise BadParameter(f"the seed is {seed}; a whole number of at least 0 is needed", seed=seed)
    return Plan(
        orders=float(wanted),
        start=end - timedelta(days=days - 1),
        base_days=days,
        days=days + extra_days,
        seed=seed,
        time_zone=time_zone,
    )
