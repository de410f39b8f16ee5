"""Every other week: what shops whose promotions or paydays come fortnightly sell more in one week than in the next.

The contrast of two neighbouring weeks, by weekday, is smoothed exponentially from pair to pair of weeks. It is believed
as far as it would have foretold the pairs that followed: the slope of a regression through the origin, and not at all
where that would have taken less than a fifth off their squares. Pairs do not overlap, so that noise foretells nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.history import History

Array = npt.NDArray[np.float64]

PAIR = 14
MOST_PAIRS = 13
FEWEST_PAIRS = 5
SMOOTHING = 0.5
GAIN = 0.2
"""Share of the squared contrasts that has to be foretold."""
LARGEST = 1.0  # logarithm: a larger contrast of one weekday counts as this
DENSE = 0.9


def fortnight(history: History, horizon: int) -> Array:
    """Factors of the next `horizon` days, (series, horizon), with mean 1 over two weeks; 1 where nothing is foretold.

    The belief fades from pair to pair ahead as it did in the past.

    >>> from datetime import date
    >>> week = np.arange(140) // 7
    >>> y = np.where(week % 2 == 0, 130.0, 100.0) * np.exp(np.random.default_rng(1).normal(0, 0.05, 140))
    >>> past = History(date(2026, 1, 5), y[None], np.ones(140, dtype=bool))
    >>> fortnight(past, 14)[0, [0, 7]].round(2).tolist()
    [1.1, 0.9]
    """
    out = np.ones((len(history.y), horizon))
    for series, pairs in enumerate(_contrasts(history)):
        effect, slope = _foretold(pairs)
        if slope > 0:
            day = np.arange(horizon)
            sign = np.where(day // 7 % 2 == 0, -1.0, 1.0)  # the week after the last one is like the one before it
            ahead = sign * effect[day % 7] * slope ** (day // PAIR + 1)
            out[series] = np.exp(ahead) / np.cosh(ahead)
    return out


def _contrasts(history: History) -> Array:
    """Half the logarithmic difference of the later and the earlier week of each pair, the latest pair last.

    (series, pairs, weekdays from the day after the end on); NaN where a day of the two says nothing.
    """
    count = min(history.days // PAIR, MOST_PAIRS)
    y = np.where(history.usable & (history.y > 0), history.capped, np.nan)[:, history.days - PAIR * count :]
    logs = np.log(y).reshape(len(y), count, 2, 7)
    found = np.clip((logs[:, :, 1] - logs[:, :, 0]) / 2, -LARGEST, LARGEST)
    opened = max(int(history.usable[-PAIR * count :].sum()), 1) if count else 1
    dense = np.isfinite(y).sum(axis=1) >= DENSE * opened
    return np.asarray(np.where(dense[:, None, None], found, np.nan))


def _foretold(pairs: Array) -> tuple[Array, float]:
    """The smoothed contrast of each weekday (7,), and how far it foretold the next pair: 0 … 1."""
    known = np.isfinite(pairs)
    usable = known.any(axis=1)
    pairs, known = np.where(known, pairs, 0.0)[usable], known[usable]
    if len(pairs) < FEWEST_PAIRS:
        return np.zeros(7), 0.0
    level, weight = np.zeros(7), np.zeros(7)
    before, after = [], []
    for pair, seen in zip(pairs, known, strict=True):
        told = seen & (weight > 0)
        before.append((level / np.where(weight > 0, weight, 1.0))[told])
        after.append(pair[told])
        level = np.where(seen, (1 - SMOOTHING) * level + SMOOTHING * pair, level)
        weight = np.where(seen, (1 - SMOOTHING) * weight + SMOOTHING, weight)
    x, y = np.concatenate(before), np.concatenate(after)
    slope = float(np.clip((x * y).sum() / max(float(np.square(x).sum()), 1e-12), 0.0, 1.0))
    left = float(np.square(y - slope * x).sum()) / max(float(np.square(y).sum()), 1e-12)
    return level / np.where(weight > 0, weight, 1.0), slope if left < 1 - GAIN else 0.0
