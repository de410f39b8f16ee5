"""One learner over all weekly or monthly series: what happened to series like this one after states like this one.

A row is a series at an origin and a part of the horizon; the target is the mean per period of that part relative to
the series' level. LightGBM (tweedie, starting from the level) and Ridge regression are averaged.

Gated: with fewer than 12 origins to learn from, or where all series together grew or shrank by more than e^.5 in a
year, what is equal for all series of an origin cannot be told apart from time. Then such features are dropped, targets
are freed of their common ratio, so that only the differences between series are learned, and the answer is averaged
with the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import boosting
from retail_ml.forecast.period_levels import LEVEL, Panel, yearly_shape

Array = npt.NDArray[np.float64]

PARTS = 4
FEWEST_ROWS = 400
FEWEST_ORIGINS = 12
MOST_ORIGINS = 16
MOST_ROWS = 150_000
MOST_GROWTH = 0.5
LARGEST_RATIO = 6.0
COMMON = 4  # the last columns: equal for all series of an origin


@dataclass(frozen=True)
class Learner:
    """Fitted on the origins of one panel; asked at any origin of it."""

    panel: Panel
    edges: tuple[int, ...]
    gated: bool
    boosted: Any
    ridge: Any

    def predict(self, origin: int, horizon: int) -> Array:
        """Mean forecast, (series, horizon); steps beyond the last part have its mean."""
        panel, parts = self.panel, len(self.edges) - 1
        base = base_of(panel, origin)
        X = features(panel, origin, self.edges, gated=self.gated).reshape(len(base) * parts, -1)
        start = np.repeat(base, parts)
        boosted = self.boosted.predict(X, offset=np.log(start))
        ratio = np.clip(self.ridge.predict(X), 0.0, LARGEST_RATIO)
        mean = ((boosted + ratio * start) / 2).reshape(len(base), parts)
        if self.gated:
            mean = (mean + base[:, None]) / 2
        step = np.clip(np.searchsorted(self.edges, np.arange(horizon), side="right") - 1, 0, parts - 1)
        return np.asarray(np.clip(mean, 0.0, LARGEST_RATIO * base[:, None])[:, step])


def fit(panel: Panel, latest: int, horizon: int, *, seed: int = 0) -> Learner | None:
    """Learn from origins up to `latest`, whose `horizon` periods are known; None where there is too little."""
    edges = tuple(sorted({round(horizon * k / PARTS) for k in range(PARTS + 1)}))
    first = max(4, panel.periods // 6)
    step = max(1, (latest - first) // MOST_ORIGINS + 1) if latest > first else 1
    origins = list(range(latest, first - 1, -step))
    rows = sum(int((panel.first < o).sum()) for o in origins) * (len(edges) - 1)
    if rows < FEWEST_ROWS or len(panel.y) < FEWEST_ROWS // 20:
        return None
    gated = len(origins) < FEWEST_ORIGINS or latest < panel.season + 12 or abs(_growth(panel, latest)) > MOST_GROWTH
    X, ratio, base = _rows(panel, origins, edges, gated=gated)
    keep = np.random.default_rng(seed).permutation(len(X))[:MOST_ROWS]
    X, ratio, base = X[np.sort(keep)], ratio[np.sort(keep)], base[np.sort(keep)]
    if not (ratio > 0).any():
        return None
    boosted = boosting.regressor(objective="tweedie", rounds=100, leaves=15, rate=0.06, least_rows=40, seed=seed)
    boosted.fit(X, ratio * base, offset=np.log(base))
    return Learner(panel, edges, gated, boosted, _ridge(X, np.minimum(ratio, LARGEST_RATIO), base))


def base_of(panel: Panel, origin: int) -> Array:
    """The level that ratios are relative to: three smoothed levels averaged, never 0, (series,)."""
    levels = panel.smoothed[:, :, origin]
    return np.asarray(np.maximum(levels[[0, 1, LEVEL, 3]].mean(axis=0), 0.02))


def features(panel: Panel, origin: int, edges: Sequence[int], *, gated: bool) -> Array:
    """(series, parts, columns) at `origin`; without the last COMMON columns when gated."""
    base, parts = base_of(panel, origin), len(edges) - 1
    levels = panel.smoothed[:, :, origin]
    age = panel.age(origin)
    alive = np.minimum(np.arange(1, origin + 1)[::-1], 26)[None, :]
    sold = panel.y[:, :origin] > 0
    since = np.where(sold.any(axis=1), sold[:, ::-1].argmax(axis=1), alive.shape[1])
    own = [
        *np.log((levels + 0.05) / (base + 0.05)),
        *(np.log((panel.rate(origin, k) + 0.05) / (base + 0.05)) for k in (2, 4, 13, 26)),
        np.log(base),
        *(sold[:, -k:].mean(axis=1) for k in (4, 12)),
        np.minimum(since, 26.0),
        np.log1p(np.minimum(age, panel.season + 1)),
        np.sqrt(panel.noise[:, origin]) / (base + 0.1),
    ]
    shape = yearly_shape(panel, origin, edges[-1])
    out = np.zeros((len(base), parts, len(own) + 2 + COMMON))
    out[:, :, : len(own)] = np.stack(own, axis=1)[:, None, :]
    for part in range(parts):
        inside = shape[:, edges[part] : edges[part + 1]].mean(axis=1)
        common = float(np.median(inside))
        angle = 2 * np.pi * (origin + (edges[part] + edges[part + 1]) / 2) / panel.season
        out[:, part, len(own) :] = np.column_stack(
            [np.log(inside / common), np.full(len(base), part)]
            + [np.full(len(base), v) for v in (np.log(common), np.sin(angle), np.cos(angle), _growth(panel, origin))]
        )
    return out[:, :, : out.shape[2] - COMMON] if gated else out


def _rows(panel: Panel, origins: Sequence[int], edges: Sequence[int], *, gated: bool) -> tuple[Array, Array, Array]:
    """Features, target / level and level of every row; origins in the order given."""
    X, ratio, base = [], [], []
    for origin in origins:
        alive = panel.first < origin
        level = base_of(panel, origin)[alive]
        X.append(features(panel, origin, edges, gated=gated)[alive])
        ahead = [panel.y[alive, origin + a : origin + b].mean(axis=1) for a, b in pairwise(edges)]
        target = np.stack(ahead, axis=1)
        if gated:
            target /= np.maximum(target.sum(axis=0) / level.sum(), 1e-3)
        ratio.append(target / level[:, None])
        base.append(np.repeat(level[:, None], target.shape[1], axis=1))
    joined = np.concatenate(X)
    flat = joined.reshape(-1, joined.shape[2])
    return flat, np.concatenate(ratio).ravel(), np.concatenate(base).ravel()


def _growth(panel: Panel, origin: int) -> float:
    """Log growth of all series together in a year; in a shorter history, from its first third to its last."""
    span = min(panel.season, max(1, 2 * origin // 3))
    part = max(1, min(panel.season // 4, origin // 3))
    now, before = (panel.y[:, max(at - part, 0) : at].sum() for at in (origin, max(origin - span, 1)))
    return float(np.log(now / before) * panel.season / span) if now > 0 and before > 0 else 0.0


def _ridge(X: Array, ratio: Array, base: Array) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), Ridge(alpha=10.0))
    return model.fit(X, ratio, ridge__sample_weight=np.sqrt(np.minimum(base, 50.0)))
