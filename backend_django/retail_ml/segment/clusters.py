"""K-Means over the customers' space, started from the archetypes: no luck involved."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from retail_ml.segment.naming import starting_points
from retail_ml.segment.space import Array

CHUNK = 200_000


def fit_centres(points: Array, k: int) -> Array:
    """Centres of `k` clusters by Lloyd's algorithm; shape (k, 4).

    points: (n, 4) coordinates, n distinct ones at least k. The start is the archetypes' standing pushed through the
    quantile functions of the points (Lloyd 1982, IEEE Trans. Inf. Theory 28; scikit-learn's implementation). One
    thread, and the result rounded to 9 digits, so that it is the same on every run.

    >>> fit_centres(np.repeat([[0.0] * 4, [1.0] * 4], 3, axis=0), 2).tolist()
    [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

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
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        for j, centre in enumerate(centres):
            out[start : start + CHUNK, j] = np.sqrt(((part - centre) ** 2).sum(axis=1))
    return out


def margins(gap: Array, group: NDArray[np.int8]) -> Array:
    """How clearly each customer belongs where it is, 0…1: 1 - nearest / nearest of another group; shape (n,).

    gap: (n, k) distances to centres; group: (k,) the name of each centre. 0: between two; 1: on its centre. With a
    single group there is nothing to be told apart from: 0.

    >>> margins(np.array([[1.0, 4.0, 2.0]]), np.array([0, 1, 0], dtype=np.int8)).tolist()
    [0.75]
    """
    if len(np.unique(group)) < 2:
        return np.zeros(len(gap))
    own = group[gap.argmin(axis=1)]
    other = np.where(own[:, None] == group[None, :], np.inf, gap).min(axis=1)
    nearest = gap.min(axis=1)
    return np.asarray(1 - nearest / np.where(other > 0, other, 1.0)) * (other > 0)


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
