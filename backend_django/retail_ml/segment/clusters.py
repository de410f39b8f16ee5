"""K-Means over the customers' space, started from the archetypes: no luck involved."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
from numpy.typing import NDArray

from retail_ml import engine
from retail_ml.segment.naming import starting_points
from retail_ml.segment.space import Array

LEAST, CHUNK = 20_000, 200_000
"""Customers that are one part of the work, at least and at most."""
HYSTERESIS = 0.1
"""How much nearer another centre must be for a customer who did nothing to go over to it."""


def fit_centres(points: Array, k: int, start: Array | None = None) -> Array:
    """Centres of `k` clusters by Lloyd's algorithm; shape (k, 4).

    points: (n, 4) coordinates, n distinct ones at least k. The search begins at the centres `start` (k, 4), else at
    the archetypes' standing pushed through the quantile functions of the points (Lloyd 1982, IEEE Trans. Inf. Theory
    28; scikit-learn's implementation). One thread, and the result rounded to 9 digits: the same on every run.

    >>> fit_centres(np.repeat([[0.0] * 4, [1.0] * 4], 3, axis=0), 2).tolist()
    [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    if start is None:
        score = starting_points(k).copy()
        score[:, 0] = 1 - score[:, 0]
        start = np.stack([np.quantile(points[:, j], score[:, j]) for j in range(points.shape[1])], axis=1)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Fewer clusters than asked for are seen and told by the caller, from the sizes.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(n_clusters=k, init=start, n_init=1, max_iter=300, tol=1e-5).fit(points)
    return np.asarray(model.cluster_centers_.round(9))


def distances(points: Array, centres: Array) -> Array:
    """Euclidean distance of each point (n, d) to each centre (k, d); shape (n, k).

    >>> distances(np.array([[3.0, 4.0]]), np.zeros((1, 2))).tolist()
    [[5.0]]
    """
    out = np.empty((len(points), len(centres)))
    where = engine.blocks(len(points), most=CHUNK, least=LEAST)
    parts = (points[rows] for rows in where)
    for number, found in engine.each(partial(_gaps, centres), parts, rows=[rows.stop - rows.start for rows in where]):
        out[where[number]] = found
    return out


def _gaps(centres: Array, points: Array) -> Array:
    """`distances` of one block."""
    return np.stack([np.sqrt(((points - centre) ** 2).sum(axis=1)) for centre in centres], axis=1)


def margins(gap: Array, group: NDArray[np.int8], cluster: NDArray[np.int8]) -> tuple[Array, NDArray[np.int64]]:
    """How clearly each customer belongs where it is, 0…1, and the nearest centre of another group; shape (n,) each.

    gap: (n, k) distances to centres; group: (k,) the name of each centre; cluster: (n,) where each customer is.
    1 - own distance / distance to the nearest centre of another group, at least 0. 0: between two, or nearer to the
    other; 1: on its centre. With a single group there is nothing to be told apart from: 0, and -1.

    >>> sure, rival = margins(np.array([[1.0, 4.0, 2.0]]), np.array([0, 1, 0], dtype=np.int8), np.array([0], np.int8))
    >>> sure.tolist(), rival.tolist()
    ([0.75], [1])
    """
    if len(np.unique(group)) < 2:
        return np.zeros(len(gap)), np.full(len(gap), -1)
    others = np.where(group[cluster][:, None] == group[None, :], np.inf, gap)
    rival = others.argmin(axis=1)
    other = others[np.arange(len(gap)), rival]
    own = gap[np.arange(len(gap)), cluster]
    return np.clip(1 - own / np.where(other > 0, other, 1.0), 0.0, 1.0) * (other > 0), rival


def hold(
    gap: Array, group: NDArray[np.int8], cluster: NDArray[np.int8], kept: NDArray[np.int8]
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Clusters after hysteresis, and whom it held; shape (n,) each.

    kept: (n,) the group that a customer was in and should not leave lightly; -1: free to move. Such a customer goes
    over to another group only when that is nearer by `HYSTERESIS`, else stays with the nearest centre of its own.

    >>> gap, nearest = np.array([[1.0, 1.05], [1.0, 1.2]]), np.array([0, 0], dtype=np.int8)
    >>> [part.tolist() for part in hold(gap, np.array([0, 1], np.int8), nearest, np.array([1, 1], np.int8))]
    [[1, 0], [True, False]]
    """
    own = np.where(group[None, :] == kept[:, None], gap, np.inf)
    nearest = gap[np.arange(len(gap)), cluster]
    home = own.argmin(axis=1)
    held = (group[cluster] != kept) & (nearest > (1 - HYSTERESIS) * own[np.arange(len(gap)), home])
    return np.where(held, home, cluster).astype(np.int8), held


def deciding(points: Array, centres: Array, cluster: NDArray[np.int8], rival: NDArray[np.int64]) -> NDArray[np.int8]:
    """The two axes that speak most for the own centre and against the rival; shape (n, 2), -1 where none does.

    An axis' say is the squared distance to the rival along it less that to the own centre.

    >>> deciding(np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, 1.0, 1.0], [3.0, 0.0, 1.0]]), np.array([0], np.int8),
    ...          np.array([1])).tolist()
    [[0, 1]]
    """
    out = np.full((len(points), 2), -1, dtype=np.int8)
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        say = (points[part] - centres[rival[part]]) ** 2 - (points[part] - centres[cluster[part]]) ** 2
        best = np.argsort(-say, axis=1, kind="stable")[:, :2]
        out[part] = np.where(np.take_along_axis(say, best, axis=1) > 1e-9, best, -1)
    out[rival < 0] = -1
    return out


def silhouette(
    points: Array, labels: NDArray[np.int8], rng: np.random.Generator, *, samples: int = 5, size: int = 2_000
) -> tuple[float, float] | None:
    """Mean silhouette and its standard deviation over samples; None where fewer than two clusters have members.

    Rousseeuw 1987, J. Comput. Appl. Math. 20, on `samples` random samples of `size` points (all points are n² work);
    with `size` points or fewer it is exact and the deviation 0.

    >>> points = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> mean, sd = silhouette(points, np.array([0, 0, 1, 1], dtype=np.int8), np.random.default_rng(0))
    >>> round(mean, 2), sd
    (0.98, 0.0)
    """
    from sklearn.metrics import silhouette_score

    found = []
    for _ in range(samples if len(points) > size else 1):
        chosen = rng.choice(len(points), size, replace=False) if len(points) > size else np.arange(len(points))
        groups = len(np.unique(labels[chosen]))
        if 2 <= groups < len(chosen):
            found.append(float(silhouette_score(points[chosen], labels[chosen])))
    return (float(np.mean(found)), float(np.std(found))) if found else None
