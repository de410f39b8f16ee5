"""The map that customers are placed on, kept from one training to the next, and when it has to be drawn anew.

Between two reviews neither scale nor centres nor names move: a customer changes segment because of what the customer
did, not because others did. A review comes each quarter, or sooner when the customers have become others (population
stability index of recency, frequency or spend above 0.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retail_ml.segment.space import AXES, WEIGHTS, Array, Space

QUARTER = 91
"""Days after which the map is reviewed whatever happened."""
DRIFT = 0.2
"""Population stability index from which on customers count as others than at the last review."""
PER_BIN, MOST_BINS = 50, 10
JUDGED = AXES[:3]
"""The axes that drift is judged by. Not tenure: everybody grows older by a week in a week, and that is no change."""


@dataclass(frozen=True)
class Frozen:
    """Scale, centres and names as of a review.

    centres: (k, 4) in the coordinates of `space`; names: (k,) indices into `naming.NAMES`; far: (k,) True where a
    cluster fits no name. edges (4, bins - 1) and shares (4, bins): how the customers were distributed, per axis.
    """

    space: Space
    centres: Array
    names: NDArray[np.int8]
    far: NDArray[np.bool_]
    edges: Array
    shares: Array

    def centres_in(self, space: Space) -> Array:
        """The centres in the coordinates of another space; shape (k, 4)."""
        return space.place(self.centres / WEIGHTS * self.space.scale + self.space.mean)


def distribution(raw: Array) -> tuple[Array, Array]:
    """Inner edges (4, bins - 1) and shares (4, bins) of equally filled bins; raw: (n, 4), from `space.logs`.

    Ten bins, fewer under 500 customers: with few in each, chance alone would look like drift.

    >>> edges, shares = distribution(np.repeat(np.arange(100.0)[:, None], 4, axis=1))
    >>> edges[0].tolist(), shares[0].tolist()
    ([49.5], [0.5, 0.5])
    """
    bins = int(np.clip(len(raw) // PER_BIN, 2, MOST_BINS))
    edges = np.quantile(raw, np.arange(1, bins) / bins, axis=0).T
    return edges, shares_in(raw, edges)


def shares_in(raw: Array, edges: Array) -> Array:
    """Share of the customers in each bin; shape (4, bins)."""
    bins = edges.shape[1] + 1
    places = [np.searchsorted(edges[j], raw[:, j], side="left") for j in range(len(edges))]
    return np.stack([np.bincount(place, minlength=bins) / len(raw) for place in places])


def stability_index(before: Array, now: Array) -> Array:
    """Population stability index per axis: the sum of (q - p) ln(q / p) over the bins.

    before, now: shares (axes, bins). A bin that is empty counts as one in ten thousand. Below 0.1 is called stable,
    above 0.2 (or .25) a shift: Siddiqi 2006, "Credit Risk Scorecards", ch. 9. It is Jeffreys' divergence.

    >>> stability_index(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(4).tolist()
    [0.2747]
    """
    p, q = np.maximum(before, 1e-4), np.maximum(now, 1e-4)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=1))


@dataclass(frozen=True)
class Verdict:
    """Is the map drawn anew? `reason` is a message; `index` the stability index per axis, where it was computed."""

    anew: bool
    warm: bool
    """The new map starts from the old centres, and keeps their names where they fit."""
    reason: dict[str, Any]
    index: dict[str, float]


def judge(frozen: Frozen | None, raw: Array, k: int, *, drawn: date | None, as_of: date) -> Verdict:
    """Whether the map `frozen`, drawn as of the day `drawn`, still serves customers `raw` as of `as_of`."""

    def verdict(code: str, *, anew: bool = True, warm: bool = True, **params: Any) -> Verdict:
        return Verdict(anew, warm, {"code": f"segment.map_{code}", "params": params}, index)

    index: dict[str, float] = {}
    if frozen is None or drawn is None:
        return verdict("first", warm=False)
    if len(frozen.centres) != k:
        return verdict("clusters", warm=False, before=len(frozen.centres), now=k)
    if as_of < drawn:
        return verdict("earlier", warm=False, drawn=drawn.isoformat())
    found = stability_index(frozen.shares, shares_in(raw, frozen.edges)).round(4)
    index = dict(zip(AXES, found.tolist(), strict=True))
    worst = max(JUDGED, key=lambda axis: index[axis])
    if index[worst] > DRIFT:
        return verdict("drift", axis=worst, index=index[worst], limit=DRIFT)
    days = (as_of - drawn).days
    if days >= QUARTER:
        return verdict("quarter", days=days)
    return verdict("kept", anew=False, drawn=drawn.isoformat())
