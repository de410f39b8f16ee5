"""Health of a shop's stock, 0…100: availability, cover, movement, return and data quality, per variant and in all.

score = 35·A + 25·C + 20·M + 10·T + 10·Q with each part within 0…1. Healthy from 80, warning from 60, else critical.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.inventory.alerts import DEAD_DAYS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WEIGHTS = {"availability": 35.0, "cover": 25.0, "movement": 20.0, "return": 10.0, "data_quality": 10.0}
UNKNOWN_RETURN = 0.5
"""The most that `return` can be without a cost: it cannot be known."""


@dataclass(frozen=True, eq=False)
class Vitals:
    """What the health of a variant is judged by; one entry per variant, units, days and money (NaN: unknown)."""

    on_hand: Floats
    position: Floats
    daily: Floats
    reorder_point: Floats
    upper: Floats  # the most that is not too much
    tau: Floats
    out_before_receipt: Floats
    idle_days: Floats
    interval: Floats
    young: Bools
    dead: Bools
    cost: Floats
    price: Floats
    sold_365: Floats
    group: Ints
    checks: Floats  # share of data checks passed
    usual_return: Floats | None = None  # median of each one's category (`usual_returns`); None: of these variants


def status(score: float) -> str:
    """The band of a score: healthy, warning or critical.

    >>> status(80), status(60), status(59.9)
    ('healthy', 'warning', 'critical')
    """
    return "healthy" if score >= 80 else "warning" if score >= 60 else "critical"


def components(v: Vitals) -> dict[str, Floats]:
    """The five parts of each variant, within 0…1, by the names of `WEIGHTS`. Never NaN."""
    sells, empty = v.daily > 0, (v.on_hand <= 0) & (v.daily > 0)
    availability = np.minimum(1.0, (1 - v.out_before_receipt) / np.maximum(v.tau, 0.01))
    parts = {
        "availability": np.where(empty, 0.0, np.where(sells, availability, 1.0)),
        "cover": _cover(v, sells, empty),
        "movement": _movement(v),
        "return": _return(v),
        "data_quality": v.checks,
    }
    for name in ("cover", "movement", "return"):  # a dead item's stock earns nothing and covers nothing
        parts[name] = np.where(v.dead, 0.0, parts[name])
    return {name: np.clip(np.nan_to_num(part), 0.0, 1.0) for name, part in parts.items()}


def _cover(v: Vitals, sells: Bools, empty: Bools) -> Floats:
    """1 from the reorder point to the upper bound; below it the share of it; above, less by the days of excess.

    Of an item that is new nobody can say that there is too much.
    """
    daily = np.where(sells, v.daily, 1.0)
    held = np.clip(v.position, 0, v.reorder_point)
    below = np.divide(held, v.reorder_point, out=np.ones_like(daily), where=v.reorder_point > 0)
    excess_days = np.where(v.young, 0.0, np.maximum(v.position - v.upper, 0) / daily)
    cover = np.where(v.position < v.reorder_point, below, np.maximum(0.0, 1 - excess_days / 90))
    return np.where(empty, 0.0, np.where(sells, cover, np.where((v.on_hand > 0) & ~v.young, 0.0, 1.0)))


def _movement(v: Vitals) -> Floats:
    """1 up to 30 days after the last sale, 0 from 180 on; both later for items that sell seldom."""
    scale = np.maximum(1.0, 3 * np.nan_to_num(v.interval) / DEAD_DAYS)
    return np.clip(1 - (v.idle_days - 30 * scale) / (150 * scale), 0, 1)


def yearly_return(on_hand: Floats, cost: Floats, price: Floats, *, sold_365: Floats) -> tuple[Floats, Bools]:
    """Gross margin of a year over stock at cost, and where there is such stock; cost and price NaN: unknown.

    >>> cost, price, sold = np.full(2, 5.0), np.full(2, 8.0), np.full(2, 10.0)
    >>> found, stocked = yearly_return(np.array([2.0, 0.0]), cost, price, sold_365=sold)
    >>> found.tolist(), stocked.tolist()
    ([3.0, inf], [True, False])
    """
    known = np.isfinite(cost) & np.isfinite(price)
    stock = np.where(known, np.maximum(on_hand, 0) * np.nan_to_num(cost), 0.0)
    margin = np.where(known, sold_365 * np.nan_to_num(price - cost), 0.0)
    found = np.divide(margin, stock, out=np.where(margin > 0, np.inf, 0.0), where=stock > 0)
    return found, known & (stock > 0)


def usual_returns(found: tuple[Floats, Bools], group: Ints) -> Floats:
    """The median of `yearly_return` where there is stock, of each one's group 0…; 0 where a group has none.

    >>> usual_returns((np.array([1.0, 3.0, 9.0]), np.array([True, True, False])), np.array([0, 0, 1])).tolist()
    [2.0, 2.0, 0.0]
    """
    return _medians(*found, group)


def _return(v: Vitals) -> Floats:
    """Gross margin of a year over stock at cost, against the median of the category; at most 0.5 without a cost."""
    known = np.isfinite(v.cost) & np.isfinite(v.price)
    found = yearly_return(v.on_hand, v.cost, v.price, sold_365=v.sold_365)
    gmroi, usual = found[0], usual_returns(found, v.group) if v.usual_return is None else v.usual_return
    ratio = np.divide(gmroi, usual, out=(gmroi > 0).astype(float), where=(usual > 0) & np.isfinite(gmroi))
    return np.where(known, np.clip(ratio, 0, 1), UNKNOWN_RETURN * (v.sold_365 > 0))


def _medians(values: Floats, chosen: Bools, group: Ints) -> Floats:
    """The median of the chosen values of each one's group, 0 where there is none."""
    groups = int(group.max(initial=0)) + 1
    order = np.lexsort((values[chosen], group[chosen]))
    sorted_group, sorted_values = group[chosen][order], values[chosen][order]
    count = np.bincount(sorted_group, minlength=groups)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    median = np.zeros(groups)
    has = count > 0
    low, high = first[has] + (count[has] - 1) // 2, first[has] + count[has] // 2
    median[has] = (sorted_values[low] + sorted_values[high]) / 2
    return median[group]


def scores(parts: dict[str, Floats]) -> Floats:
    """The score of each variant, 0…100: the weighted sum of its parts.

    >>> scores({name: np.ones(1) for name in WEIGHTS}).tolist()
    [100.0]
    """
    return np.sum([weight * parts[name] for name, weight in WEIGHTS.items()], axis=0)


def shop_weights(cost_of_sales: Floats, stock_value: Floats) -> Floats:
    """Weight of each variant in the shop's score: the larger of its shares of yearly cost of sales and of stock value.

    All the same where there is neither. Adding a variant that scores 100 never lowers the shop's score.

    >>> shop_weights(np.array([3.0, 1.0]), np.array([1.0, 1.0])).tolist()
    [0.75, 0.5]
    """
    sales, stock = np.maximum(cost_of_sales, 0), np.maximum(stock_value, 0)
    share = np.maximum(
        sales / sales.sum() if sales.sum() > 0 else np.zeros_like(sales),
        stock / stock.sum() if stock.sum() > 0 else np.zeros_like(stock),
    )
    return share if share.sum() > 0 else np.ones_like(share)


def shop(parts: dict[str, Floats], weights: Floats) -> tuple[float, dict[str, float]]:
    """The shop's score and its five parts (0…1): weighted means; 0 without any variant."""
    if not len(weights):
        return 0.0, dict.fromkeys(WEIGHTS, 0.0)
    total = weights.sum()
    means = {name: float((weights * parts[name]).sum() / total) for name in WEIGHTS}
    return sum(weight * means[name] for name, weight in WEIGHTS.items()), means
