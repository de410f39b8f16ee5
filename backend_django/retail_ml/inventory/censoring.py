"""Demand behind sales where the shelf ran empty: days without stock are missing, days that ran out a lower bound.

On a day that ran out after x units, demand was at least x: with negative binomial demand it is expected to have been
E[D | D ≥ x]. Rates, spread and these expectations are found together by expectation and maximisation (Dempster, Laird
& Rubin 1977), the spread by moments. Days that were sold out from the morning on say nothing, and are left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retail_ml.inventory import formulas

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BLOCK_DAYS = 91
"""Days over which a rate is taken to be one; each block leans with 14 days on the whole."""
LEAN_DAYS = 14.0
SHAPE = (0.05, 50.0)
"""Bounds of the negative binomial's r of a day's demand."""
ROUNDS, CLOSE = 40, 1e-4


def expected_beyond(sold: Floats, r: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """E[D | D ≥ x] and E[D² | D ≥ x] for negative binomial D with `mean` and shape `r`, x whole units.

    With p = r/(r + μ): E[D; D ≥ x] = x·P(D ≥ x) + n(x), n the loss function; E[D(D - 1); D ≥ x] =
    r(r + 1)((1 - p)/p)²·P(D'' ≥ x - 2), D'' ~ NB(r + 2, p). Far in the tail, where P(D ≥ x) vanishes: x itself.

    >>> [round(float(v), 4) for v in expected_beyond(np.array(0.0), np.array(2.0), np.array(2.0))]
    [2.0, 8.0]
    >>> round(float(expected_beyond(np.array(3.0), np.array(2.0), np.array(2.0))[0]), 4)
    4.4
    """
    x, mu = np.maximum(np.floor(sold), 0.0), np.maximum(mean, 1e-9)
    p = r / (r + mu)
    at_least = formulas.nb_above(x - 1, r, p)
    solid = at_least > 1e-9
    share = np.where(solid, at_least, 1.0)
    first = x + np.where(solid, formulas.nb_loss(x, r, p) / share, 0.0)
    pairs = r * (r + 1) * (mu / r) ** 2 * formulas.nb_above(x - 3, r + 2, p)
    second = np.where(solid, pairs / share, x * (x - 1)) + first
    return first, np.maximum(second, first**2)


def demand_behind(daily: Floats, counted: Bools, ran_out: Bools) -> Floats:
    """Daily units (N, T) with the days that ran out raised to what was expected to be asked for.

    `counted`: open days on which there was stock; `ran_out`: those of them on which it went to the last unit. All other
    days keep their sales. A variant's day is negative binomial with the rate of its block of 91 days and one shape.

    >>> sold = np.array([[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]])
    >>> there, out = sold >= 0, np.array([[False, True, False, False, False, False]])
    >>> found = demand_behind(sold, there, out)
    >>> found[0, [0, 2, 3]].tolist(), bool(1.0 < found[0, 1] < 2.5)
    ([1.0, 0.0, 1.0], True)
    """
    row, t = np.nonzero(ran_out & counted)
    if not len(row):
        return daily
    block = np.arange(daily.shape[1]) // BLOCK_DAYS
    starts = np.arange(0, daily.shape[1], BLOCK_DAYS)
    in_block = np.add.reduceat(counted, starts, axis=1, dtype=float)
    days = np.maximum(in_block.sum(axis=1), 1.0)
    first, square = np.where(counted, daily, 0.0), np.where(counted, daily, 0.0) ** 2
    sold, before = daily[row, t], np.zeros((len(daily), len(starts)))
    for _ in range(ROUNDS):
        whole = first.sum(axis=1) / days
        rate = (np.add.reduceat(first, starts, axis=1) + LEAN_DAYS * whole[:, None]) / (in_block + LEAN_DAYS)
        # within the blocks: what rates differ by from quarter to quarter is no spread of a day
        within = (square.sum(axis=1) - (in_block * rate**2).sum(axis=1)) / days
        mean = (in_block * rate).sum(axis=1) / days
        r = np.clip(np.divide(mean**2, within - mean, out=np.full_like(mean, SHAPE[1]), where=within > mean), *SHAPE)
        first[row, t], square[row, t] = expected_beyond(sold, r[row], rate[row, block[t]])
        if np.abs(rate - before).max() <= CLOSE * max(float(rate.max()), 1e-9):
            break
        before = rate
    return np.where(ran_out & counted, first, daily)
