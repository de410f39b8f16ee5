"""The chance of an order within 90 days: MBG/NBD, moved by the season where two years can be compared.

P = P(alive) (1 - ((alpha+T)/(alpha+T+90))^(r+x)), its log odds shifted by
½ · (shift that the last 90 days needed) + ½ · (change of that shift at the same time of the year before). The change
needs 15 months of history and more; with less the last window alone would do harm whenever the season turns, so bands
are given instead of digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata

from retail_ml.segment.features import days_before
from retail_ml.segment.past import Past
from retail_ml.segment.space import Array
from retail_ml.segment.value import Shop

DAYS = 90
WINDOWS_A_YEAR = 4
WARM_UP = 30
"""Days of history that an origin needs behind it."""
CUSTOMERS = 30
BANDS = ("unlikely", "possible", "likely")
BAND_EDGES = (0.2, 0.5)
FAINTEST = 1e-3
"""Chances are kept away from 0 and 1 by this much."""


@dataclass(frozen=True)
class Chance:
    """How to tell a chance (`shift` of the log odds; None: bands only), its receipt, or why there is none."""

    given: bool = False
    shift: float | None = None
    receipt: dict[str, Any] = field(default_factory=dict)
    reason: dict[str, Any] | None = None

    def of(self, shop: Shop) -> Array | None:
        """The chance of each customer, in digits; None where digits are not given."""
        return moved(chances(shop), self.shift) if self.given and self.shift is not None else None

    def band(self, shop: Shop) -> NDArray[np.int64] | None:
        """Index into `BANDS` of each customer: under 20 %, under 50 %, more; None where nothing is given."""
        return bands(moved(chances(shop), self.shift or 0.0)) if self.given else None


def chances(shop: Shop) -> Array:
    """The model's chance of a visit within 90 days, unshifted; shape (n,)."""
    return np.clip(shop.buying.buys_within(shop.history, DAYS), FAINTEST, 1 - FAINTEST)


def moved(chance: Array, shift: float) -> Array:
    """The chances with their log odds shifted.

    >>> moved(np.array([0.5]), np.log(3)).round(2).tolist()
    [0.75]
    """
    return np.asarray(expit(logit(chance) + shift))


def bands(chance: Array) -> NDArray[np.int64]:
    """Index into `BANDS`.

    >>> bands(np.array([0.1, 0.2, 0.49, 0.5])).tolist()
    [0, 1, 1, 2]
    """
    return np.searchsorted(BAND_EDGES, chance, side="right").astype(np.int64)


def needed_shift(chance: Array, share: float) -> float:
    """The shift of the log odds with which the mean chance is `share` (kept within ±5).

    >>> round(needed_shift(np.array([0.2, 0.2]), 0.5), 3) == round(float(np.log(4)), 3)
    True
    """
    gap = [float(moved(chance, bound).mean()) - share for bound in (-5.0, 5.0)]
    if gap[0] >= 0 or gap[1] <= 0:
        return -5.0 if gap[0] >= 0 else 5.0
    return float(brentq(lambda shift: float(moved(chance, shift).mean()) - share, -5, 5, xtol=1e-9))


def auc(score: Array, hit: Array) -> float | None:
    """Chance that a hit has the higher score (ties count half); null when all or none are hits.

    >>> auc(np.array([0.1, 0.4, 0.4]), np.array([0.0, 1.0, 0.0]))
    0.75
    """
    hits = hit.sum()
    misses = len(hit) - hits
    if hits == 0 or misses == 0:
        return None
    return float((rankdata(score)[hit > 0].sum() - hits * (hits + 1) / 2) / (hits * misses))


def calibration_error(chance: Array, hit: Array) -> float:
    """Expected calibration error over tenths of the customers by chance: mean |chance - share that came|.

    >>> round(calibration_error(np.array([0.2, 0.8]), np.array([0.0, 1.0])), 9)
    0.2
    """
    gap = (chance - hit)[np.argsort(chance, kind="stable")]
    return float(sum(abs(tenth.sum()) for tenth in np.array_split(gap, 10)) / len(gap))


def usable(past: Past, day: date) -> bool:
    """Has a day 30 days of history and 30 customers behind it?"""
    return past.history(day) >= WARM_UP and len(past.at(day).known) >= CUSTOMERS


def shift_needed_after(past: Past, day: date) -> float:
    """The shift that the 90 days after `day` turned out to need."""
    return needed_shift(chances(past.at(day)), float((past.came(day, DAYS).orders > 0).mean()))


def season(past: Past, as_of: date) -> float | None:
    """The shift for the 90 days after `as_of`, from what was over by then; None without a year to compare.

    ½ · shift of the last window + ½ · (shift of the window a year ago - shift of the one before that).
    """
    recent, year_ago, before = (days_before(as_of, DAYS * j) for j in (1, WINDOWS_A_YEAR, WINDOWS_A_YEAR + 1))
    if not usable(past, before):
        return None
    change = shift_needed_after(past, year_ago) - shift_needed_after(past, before)
    return 0.5 * shift_needed_after(past, recent) + 0.5 * change


def learn(past: Past, as_of: date) -> Chance:
    """The chances as of a day, tested on the last 90 days with what was known before them.

    Not given (with the reason) where the day 90 days ago and the one before it are not `usable`, or where they foretell
    the last 90 days no better (Brier score) than the share of customers that came in the 90 days before those.
    """
    origin, earlier = days_before(as_of, DAYS), days_before(as_of, 2 * DAYS)
    if not usable(past, earlier):
        return Chance(reason={"code": "segment.no_probability_history", "params": {"needed": 2 * DAYS + WARM_UP}})
    shop, hit = past.at(origin), (past.came(origin, DAYS).orders > 0).astype(np.float64)
    base = float((past.came(earlier, DAYS).orders > 0).mean())
    shift = season(past, origin)
    told = moved(chances(shop), shift or 0.0)
    receipt = _receipt(shop, told, hit, base)
    receipt |= {"seasonal": shift is not None, "sampled": past.sampled}
    if receipt["brier"] >= receipt["baseline"]["brier"]:
        return Chance(receipt=receipt, reason={"code": "segment.probability_not_better", "params": {}})
    now = season(past, as_of)
    reason = None if now is not None else _bands_only(past, as_of)
    return Chance(True, now, receipt | {"digits": now is not None}, reason)


def _bands_only(past: Past, as_of: date) -> dict[str, Any]:
    needed = DAYS * (WINDOWS_A_YEAR + 1) + WARM_UP
    return {"code": "segment.probability_bands", "params": {"needed": needed, "found": past.history(as_of)}}


def _receipt(shop: Shop, told: Array, hit: Array, base: float) -> dict[str, Any]:
    """Figures of the test, beside the base rate and pure recency, and what came of each band."""
    area, recency = auc(told, hit), auc(-shop.known["recency_days"].to_numpy().astype(np.float64), hit)
    band = bands(told)
    return {
        "days": DAYS,
        "customers": len(hit),
        "auc": None if area is None else round(area, 4),
        "brier": round(float(((told - hit) ** 2).mean()), 4),
        "calibration_error": round(calibration_error(told, hit), 4),
        "baseline": {
            "name": "base_rate",
            "brier": round(float(((base - hit) ** 2).mean()), 4),
            "auc": 0.5,
            "auc_recency": None if recency is None else round(recency, 4),
        },
        "share_expected": round(float(told.mean()), 4),
        "share_came": round(float(hit.mean()), 4),
        "bands": {
            name: {"customers": int((band == i).sum()), "came": round(float(hit[band == i].mean()), 4)}
            for i, name in enumerate(BANDS)
            if (band == i).any()
        },
    }
