"""What can be said about a pair: how often, how sure, and whether it is more than chance among so many pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import gammaln

FEWEST_TOGETHER = 3
"""Orders that must hold both before a pair is shown as a pattern."""
FALSE_DISCOVERIES = 0.05
"""Share of the shown pairs that may be chance, on average."""
MOST_TERMS = 100_000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def wilson_lower(hits: int, trials: int, z: float = 1.959964) -> float:
    """Lower bound of the Wilson score interval of a share, 95 % two-sided (Wilson 1927; Newcombe 1998, method 3).

    >>> round(wilson_lower(81, 263), 4)  # Newcombe 1998, table I
    0.2553
    >>> wilson_lower(0, 0)
    0.0
    """
    if trials <= 0:
        return 0.0
    share = hits / trials
    centre = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(float((centre - spread) / (1 + z * z / trials)), 0.0)


@dataclass(frozen=True)
class Support:
    """The plain counts behind "bought together": orders with both, with each, and all.

    `shown`: three orders or more, lift of at least 1, and significant among all pairs of the shop (false discoveries
    controlled); only then may it be called a pattern.
    """

    together: int
    source: int
    other: int
    orders: int
    shown: bool = False

    @property
    def share(self) -> float:
        """Share of the source product's orders that hold the other one too (confidence)."""
        return self.together / self.source if self.source else 0.0

    @property
    def share_lower(self) -> float:
        """Lower 95 % bound of `share`."""
        return wilson_lower(self.together, self.source)

    @property
    def lift(self) -> float:
        """How many times more often than by chance: k·N / (n_i·n_j).

        >>> Support(together=6, source=20, other=30, orders=1_000).lift
        10.0
        """
        expected = self.source * self.other
        return self.together * self.orders / expected if expected else 0.0


def upper_tail(drawn: Ints, *, marked: Ints, draws: Ints, total: Ints) -> Floats:
    """P(K ≥ drawn) when `draws` of `total` lines are drawn without return and `marked` of them count: Fisher's test.

    One-sided and exact (hypergeometric). Where `drawn` is not above its expectation 1 is returned (the truth lies
    between 0.3 and 1: nothing that any test would call significant). Shapes: equal or broadcastable; float64.

    >>> upper_tail(np.array([3]), marked=np.array([4]), draws=np.array([4]), total=np.array([8])).round(4).tolist()
    [0.2429]
    """
    arrays: list[Floats] = [
        a.astype(np.float64) for a in np.broadcast_arrays(drawn, marked, draws, np.maximum(total, 1))
    ]
    out = np.ones(arrays[0].shape)
    most = np.minimum(arrays[1], arrays[2])
    out[arrays[0] > most] = 0.0
    above = arrays[0] * arrays[3] > arrays[1] * arrays[2]
    todo = np.flatnonzero(above & (arrays[0] <= most))
    k, marked_, draws_, total_ = (a[todo] for a in arrays)
    term = np.exp(
        _log_choose(marked_, k) + _log_choose(total_ - marked_, draws_ - k) - _log_choose(total_, draws_)
    )  # P(K = k); the next terms follow by their ratio, which falls
    tail, active = term.copy(), np.arange(len(todo))
    for _ in range(MOST_TERMS):
        if not len(active):
            break
        a, here = active, k[active]
        rest = total_[a] - marked_[a] - draws_[a] + here + 1
        term[a] *= (marked_[a] - here) * (draws_[a] - here) / ((here + 1) * rest)
        tail[a] += term[a]
        k[a] += 1
        active = a[term[a] > 1e-12 * tail[a]]
    out[todo] = np.minimum(tail, 1.0)
    return out


def _log_choose(n: Floats, k: Floats) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def chance(matrix: sparse.csr_matrix, first: Ints, second: Ints, together: Ints) -> Floats:
    """How likely so many common orders are when goods are dealt to the orders at random, order sizes as they are.

    The orders with product i hold S_i other lines, of L - n_i lines that are not i. If the n_j lines of j lay
    anywhere among those, the number in orders with i would be hypergeometric: large orders (which hold everything)
    count for what they are. The larger value of both directions is returned, one per pair.
    """
    bought = np.bincount(matrix.indices, minlength=matrix.shape[1])
    size = np.diff(matrix.indptr)
    beside = np.bincount(matrix.indices, weights=np.repeat(size - 1, size), minlength=matrix.shape[1]).astype(np.int64)
    lines = int(matrix.nnz)
    one, other = (
        upper_tail(together, marked=beside[i], draws=bought[j], total=lines - bought[i])
        for i, j in ((first, second), (second, first))
    )
    return np.maximum(one, other)


def discoveries(p: Floats, *, tests: int, rate: float = FALSE_DISCOVERIES) -> npt.NDArray[np.bool_]:
    """Which of the tests with the values `p` are discoveries among `tests` in all (the others count as p = 1).

    Benjamini and Hochberg 1995: the largest r with p_(r) ≤ r · rate / tests; of those discoveries at most `rate` are
    false on average.

    >>> discoveries(np.array([0.001, 0.02, 0.9]), tests=4).tolist()  # 0.05 / 4, 2 · 0.05 / 4
    [True, True, False]
    """
    if not len(p):
        return np.zeros(0, bool)
    ranked = np.sort(p)
    passed = np.flatnonzero(ranked <= np.arange(1, len(p) + 1) * rate / max(tests, len(p)))
    return np.asarray(p <= ranked[passed[-1]]) if len(passed) else np.zeros(len(p), bool)


def shown_pairs(
    matrix: sparse.csr_matrix, ids: npt.NDArray[np.int32], pairs: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Which entries of a table of pairs (products × K: the other product, common orders) are patterns.

    Three common orders, lift of at least 1, and a discovery among all pairs of products that three orders or more
    hold (a filter that does not look at pairs, so the rate stays valid). Shape of `ids`.
    """
    bought = np.bincount(matrix.indices, minlength=matrix.shape[1])
    entry = np.flatnonzero((ids.ravel() >= 0) & (pairs.ravel() >= FEWEST_TOGETHER))
    row, other, together = entry // ids.shape[1], ids.ravel()[entry], pairs.ravel()[entry]
    key = np.minimum(row, other) * matrix.shape[1] + np.maximum(row, other)
    key, first, back = np.unique(key, return_index=True, return_inverse=True)
    p = chance(matrix, key // matrix.shape[1], key % matrix.shape[1], together[first].astype(np.int64))
    candidates = int((bought >= FEWEST_TOGETHER).sum())
    found = discoveries(p, tests=candidates * (candidates - 1) // 2)
    usual = together * float(matrix.shape[0]) >= bought[row].astype(float) * bought[other]
    out = np.zeros(ids.size, bool)
    out[entry] = found[back] & usual
    return out.reshape(ids.shape)
