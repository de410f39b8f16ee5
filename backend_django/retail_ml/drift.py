"""Has the shop changed since a model learned from it? Distributions of what was sold, then and now."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

SHIFTED = 0.25
"""Stability index from which a distribution counts as another one (Siddiqi, Credit Risk Scorecards, 2006, p. 137)."""
CHANCE = 0.001
"""An index that chance alone reaches more often than this says nothing, however large: few orders scatter widely."""
BINS = 10


def stability_index(reference: npt.NDArray[np.float64], recent: npt.NDArray[np.float64]) -> float:
    """Population stability index Σ (q − p) ln(q / p) of two vectors of counts by bin, each with half a case added.

    `reference`, `recent`: counts (bins,). 0: the same shares. The half case keeps an empty bin from being infinite.

    >>> round(stability_index(np.array([50.0, 50.0]), np.array([50.0, 50.0])), 6)
    0.0
    >>> round(stability_index(np.array([500.0, 500.0]), np.array([900.0, 100.0])), 2)
    0.88
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (np.asarray(reference), np.asarray(recent)))
    return float(((q - p) * np.log(q / p)).sum())


def chance_of(index: float, reference: npt.NDArray[np.float64], recent: npt.NDArray[np.float64]) -> float:
    """How often an index so large comes of chance alone: it is near (1/n + 1/m) χ² with bins − 1 degrees of freedom.

    B. Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model
    Validation 14(4), 2020.
    """
    n, m = float(np.sum(reference)), float(np.sum(recent))
    if n <= 0 or m <= 0:
        return 1.0
    return float(stats.chi2.sf(index / (1 / n + 1 / m), df=len(np.asarray(reference)) - 1))


def shifted(index: float, chance: float) -> bool:
    """Is it both large and no chance?"""
    return index > SHIFTED and chance < CHANCE


def binned(
    reference: npt.NDArray[np.float64], recent: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Counts of two samples by the tenths of the first; equal values share a bin.

    >>> then, now = binned(np.arange(100.0), np.arange(50.0))
    >>> then.tolist()[:2], now.tolist()
    ([10.0, 10.0], [10.0, 10.0, 10.0, 10.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    return tuple(  # type: ignore[return-value]
        np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1).astype(float)
        for sample in (reference, recent)
    )


def outside_too_often(outside: int, of: int, coverage: float, *, chance: float = 0.01) -> bool:
    """Did so many of `of` periods fall outside an interval of `coverage` that chance alone seldom does it?

    The binomial tail; `chance` is how seldom.

    >>> outside_too_often(3, 28, 0.95), outside_too_often(8, 28, 0.95)
    (False, True)
    """
    return bool(stats.binom.sf(outside - 1, of, 1 - coverage) < chance) if of else False
