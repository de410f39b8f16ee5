"""How much of what an alert of dead, slow or too much stock names is expected to lie there when its days are over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import alerts, policy
from retail_ml.inventory.standing import Standing

Floats = npt.NDArray[np.float64]


def left(t: Standing, shelf: alerts.Shelf, chances: alerts.Chances, found: alerts.Found) -> Floats:
    """Units left of those that the alert of each row names, NaN where it names none that lie.

    Of n of the I units there, with demand D: E[min((I - D)+, n)] = n - E[(D - (I - n))+] + E[(D - I)+]. What sells of
    them is moved as the chance that any does is by the shop's own past (`recalibration`).
    """
    on_hand, horizon = np.maximum(t.on_hand, 0.0), alerts.OVERSTOCK_DAYS + t.lead_days
    still = np.full(len(on_hand), float(alerts.STILL_DAYS))
    slow = np.maximum(on_hand - alerts.SLOW_DAYS * shelf.daily, 0.0)
    over = shelf.incoming - shelf.excess
    cases = {  # units there, units named, most that may sell for the alert to come true, days, chance of that
        "DEAD_STOCK": (on_hand, on_hand, np.zeros(len(on_hand)), still, chances.lies_still),
        "OVERSTOCK": (shelf.incoming, shelf.excess, over, horizon, chances.excess_stays),
        "SLOW_MOVING": (on_hand, slow, np.floor(on_hand / 2), still, chances.moves_slowly),
    }
    out = np.full(len(on_hand), np.nan)
    for code, columns in cases.items():
        rows = np.flatnonzero(found.code == alerts.NAMES.index(code))
        there, named, bound, days, believed = (column[rows] for column in columns)
        law = t.likely[rows], t["ratio"][rows]
        free = there - named  # any number: between two whole ones E[(D - x)+] is a line
        sells = policy.units_short(free, *law, days=days) - policy.units_short(there, *law, days=days)
        sells -= (free - np.floor(free)) * policy.probability_above(free, *law, days=days)
        stated = policy.probability_above(bound, *law, days=days)
        moved = np.divide(1 - believed, stated, out=np.ones(len(rows)), where=stated > 0)
        out[rows] = np.clip(named - sells * moved, 0.0, named)
    return out
