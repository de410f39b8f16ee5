"""INV-5: do shelves run empty when they are said to?"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.inventory import data, policies
from retail_ml.inventory import policy, receipts
from retail_ml.inventory.receipts import Receipts

SEEDS = (1, 2, 3)
COVER = (0.2, 2.0)
"""Shelves are drawn between so many times the demand expected over review and lead time."""


def main(found: data.Shop) -> dict[str, Any]:
    """Every week of the scored days, every SKU that is expected to sell, with a shelf drawn at random.

    A date counts where it lies within the data, whatever came of it. `before_50`: share of the shelves that were empty
    by the likely date, `before_10`: by the early one. The Brier score is of the chance to be empty within the lead
    time; its base rate is that of all cases, known afterwards.
    """
    cases = [_cases(found, seed) for seed in SEEDS]
    joined = {name: np.concatenate([one[name] for one in cases]) for name in cases[0]}
    told: dict[str, Any] = {}
    for name in ("50", "10"):
        inside = joined[f"date_{name}"] <= joined["left"]
        empty = joined["empty"][inside] <= joined[f"date_{name}"][inside]
        told[f"before_{name}"] = round(float(empty.mean()), 4)
        told[f"cases_{name}"] = int(inside.sum())
    closed = joined["lead"] <= joined["left"]
    happened = (joined["empty"] <= joined["lead"])[closed].astype(float)
    brier = float(np.mean((joined["chance"][closed] - happened) ** 2))
    base = float(np.mean((happened.mean() - happened) ** 2))
    return told | {
        "brier": round(brier, 4),
        "base_rate": round(float(happened.mean()), 4),
        "brier_base": round(base, 4),
        "skill": round(1 - brier / base, 4),
        "cases": len(happened),
    }


def _cases(found: data.Shop, seed: int) -> dict[str, np.ndarray]:
    world = data.world(found, seed=seed)
    rng = np.random.default_rng(seed)
    days, parts = world.window, []
    for t in range(days.scored, days.end - 7, 7):
        demand = policies.expected(world, world.h.until(t))
        sells = np.flatnonzero(demand.daily > 0)
        daily, ratio, lead = demand.daily[sells], demand.ratio[sells], world.terms.lead_days[sells]
        stock = np.maximum(np.round(rng.uniform(*COVER, len(sells)) * demand.mean[sells]), 1)
        asked = world.h.units[sells, t + 1 : days.end + 1] - world.h.units[sells, t, None]
        reached = asked >= stock[:, None]
        empty = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
        dates = {f"date_{round(100 * p)}": np.nan_to_num(_date(daily, ratio, stock, p), nan=np.inf) for p in (0.5, 0.1)}
        chance = policy.probability_above(stock - 1, daily, ratio, days=lead)
        left = np.full(len(sells), float(days.end - t))
        parts.append({**dates, "chance": chance, "lead": lead, "empty": empty, "left": left})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _date(daily: np.ndarray, ratio: np.ndarray, stock: np.ndarray, probability: float) -> np.ndarray:
    n = len(daily)
    nothing = Receipts(np.empty((n, 0)), np.empty((n, 0)), np.zeros(n), np.zeros(n), np.full(n, "", dtype=object))
    return receipts.days_until_out(daily, ratio, on_hand=stock, receipts=nothing, probability=probability)
