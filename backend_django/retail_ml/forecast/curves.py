"""Curves of option values (sizes, colours) pooled over styles, and how far a style is shrunk to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import gammaln

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

VALUE_WEIGHT = 10.0
"""Purchases by which a value's weight in a category is shrunk to the shop's, and the shop's to an equal share."""
STYLE_CAP = 10.0
"""A style of n purchases counts n·(1 + c)/(n + c) in the curve: a best-seller is one style too."""
PRIORS = np.geomspace(0.1, 5_000.0, 32)
"""Prior weights that are compared."""
STRIDE = 4
"""Of the prior weights one in so many is tried at first: their likelihood has one summit."""
USUAL_PRIOR = (np.log(10.0), 1.5)
"""Mean and sd of the log prior weight before any style has been seen."""
ROUNDS = 30
GONE = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Odds of having left the range that are compared, and the gain in log likelihood that another than 0 must bring."""
GAIN = 2.0


def within(weight: Floats, style: Ints, styles: int) -> Floats:
    """Weights as shares of their style; equal shares where a style has no weight.

    >>> within(np.array([1.0, 3.0, 0.0]), np.array([0, 0, 1]), 2).tolist()
    [0.25, 0.75, 1.0]
    """
    total = np.bincount(style, weights=weight, minlength=styles)[style]
    count = np.bincount(style, minlength=styles)[style]
    return np.divide(weight, total, out=1.0 / count, where=total > 0)


def curve(values: Ints, category: Ints, own: Floats, reach: Floats, *, style: Ints) -> Floats:
    """Share of each variant in its style by the weights of its option values in the category, (variants,).

    `values` (variants, parts) numbers of option values, −1 none; `own` purchases; `reach` purchases of the style on
    days on which the variant was there. Weights are fitted to the shop first, then to each category from there.

    >>> values, style = np.array([[0], [1], [0], [1]]), np.array([0, 0, 1, 1])
    >>> own, reach = np.array([600.0, 200.0, 0.0, 0.0]), np.array([800.0, 800.0, 0.0, 0.0])
    >>> curve(values, np.zeros(4, int), own, reach, style=style).round(2).tolist()
    [0.64, 0.36, 0.64, 0.36]
    """
    styles = int(style.max(initial=-1)) + 1
    total = np.bincount(style, weights=own, minlength=styles)
    credited = own * ((1 + STYLE_CAP) / (total + STYLE_CAP))[style]
    count = int(values.max(initial=-1)) + 1
    shop = scale(values, np.ones(count), credited, reach, style=style)
    key = np.where(values >= 0, category[:, None] * count + values, -1)
    used, code = np.unique(key, return_inverse=True)
    code = code.reshape(key.shape) - int(len(used) > 0 and used[0] == -1)
    start = shop[used[used >= 0] % max(count, 1)]
    return within(_product(code, scale(code, start, credited, reach, style=style)), style, styles)


def scale(code: Ints, start: Floats, own: Floats, reach: Floats, *, style: Ints) -> Floats:
    """Weights of option values under which every value sells what it sold, shrunk to `start`; (values,).

    Generalised iterative scaling (Darroch & Ratcliff 1972), all styles and parts at once:
    weight ×= ((sold + κ)/(expected + κ·weight/start))^(1/parts), κ = 10 purchases.
    """
    weight = start.copy()
    styles = int(style.max(initial=-1)) + 1
    there = code >= 0
    flat, parts = code[there], max(code.shape[1], 1)
    sold = np.bincount(flat, weights=np.broadcast_to(own[:, None], code.shape)[there], minlength=len(start))
    total = np.bincount(style, weights=own, minlength=styles)[style]
    for _ in range(ROUNDS):
        expected = total * within(_product(code, weight) * reach, style, styles)
        found = np.bincount(flat, weights=np.broadcast_to(expected[:, None], code.shape)[there], minlength=len(start))
        weight = weight * ((sold + VALUE_WEIGHT) / (found + VALUE_WEIGHT * weight / start)) ** (1 / parts)
    return weight


def _product(code: Ints, weight: Floats) -> Floats:
    return np.where(code >= 0, np.append(weight, 1.0)[code], 1.0).prod(axis=1)


# --- own units and the curve ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Parts:
    """A style's sizes, its colours, …: `cell` (variants, parts) numbers the values of each style and part, −1 none.

    By cell: `group` its style and part, `kind` the kind of option. `crossed` (variants,): in a style with more
    variants than values of any part.
    """

    cell: Ints
    group: Ints
    kind: Ints
    crossed: Bools


def parts(values: Ints, style: Ints) -> Parts:
    """Number the values of each style; values that occur side by side in a style are of one kind (sizes, colours).

    >>> found = parts(np.array([[0, 2], [1, 2], [0, 3]]), np.array([0, 0, 0]))
    >>> found.cell.tolist(), found.kind.tolist(), bool(found.crossed[0])
    ([[0, 2], [1, 2], [0, 3]], [0, 0, 1, 1], True)
    """
    width, count = values.shape[1], int(values.max(initial=-1)) + 1
    key = np.where(values >= 0, (style[:, None] * width + np.arange(width)) * max(count, 1) + values, -1)
    used, cell = np.unique(key, return_inverse=True)
    cell = cell.reshape(key.shape) - int(len(used) > 0 and used[0] == -1)
    group, value = np.divmod(used[used >= 0], max(count, 1))
    side = group[1:] == group[:-1]
    pairs = coo_array((np.ones(int(side.sum())), (value[:-1][side], value[1:][side])), shape=(count, count))
    kind = connected_components(pairs, directed=False)[1][value] if count else value
    group = np.unique(group, return_inverse=True)[1]
    size = np.append(np.bincount(group)[group] if len(group) else group, 1)  # values of the same style and part
    crossed = np.bincount(style)[style] > size[cell].max(axis=1, initial=1) if len(style) else np.zeros(0, bool)
    return Parts(cell, group, np.unique(kind, return_inverse=True)[1], crossed)


def posterior(own: Floats, reach: Floats, usual: Floats, *, parts: Parts, style: Ints) -> tuple[Floats, Floats]:
    """Shares in each style and the prior weights: one per kind of option, then the variants' against their options.

    `usual` (variants,): the curve's shares. Each value of a style: (own + A·usual)/(reach + A); a variant: the same
    against the product of its values. In a style with one variant per value the values say it all.
    """
    there = parts.cell >= 0
    cell, cells, styles = parts.cell[there], len(parts.group), int(style.max(initial=-1)) + 1

    def summed(x: Floats) -> Floats:
        values = np.broadcast_to(x[:, None], there.shape)[there]
        return np.asarray(np.bincount(cell, weights=values, minlength=cells), dtype=float)

    sold, curve_ = summed(own), summed(usual)
    reached = summed(usual * reach) / np.maximum(curve_, 1e-300)
    kinds = int(parts.kind.max(initial=-1)) + 1
    priors = np.empty(kinds + 1)
    for k in range(kinds):  # over kinds of option, two or three of them
        mine = parts.kind == k
        priors[k] = prior_weight(sold[mine], (curve_ * reached)[mine], parts.group[mine])
    weight = priors[parts.kind]
    ratio = (sold + weight * curve_) / np.maximum((reached + weight) * curve_, 1e-300)
    prior = within(usual * _product(parts.cell, ratio), style, styles)
    crossed = parts.crossed
    priors[-1] = prior_weight(own[crossed], (prior * reach)[crossed], style[crossed])
    mixed = (own + priors[-1] * prior) / np.maximum(reach + priors[-1], 1e-300)
    return within(np.where(crossed, mixed, prior), style, styles), priors


def prior_weight(sold: Floats, usual: Floats, group: Ints) -> float:
    """The prior weight A under which `sold` is likeliest: Dirichlet-multinomial with means A·usual/Σusual per group.

    log L(A) = Σ_groups [log Γ(A) − log Γ(n + A)] + Σ [log Γ(n_k + A m_k) − log Γ(A m_k)] (Minka 2000), over `PRIORS`,
    with log A ~ normal(log 10, 1.5) before anything is seen: 10 where no group has two members.

    >>> same = prior_weight(np.array([50.0, 50.0] * 20), np.ones(40), np.repeat(np.arange(20), 2))
    >>> other = prior_weight(np.array([99.0, 1.0, 1.0, 99.0] * 10), np.ones(40), np.repeat(np.arange(20), 2))
    >>> same > 100, other < 1
    (True, True)
    """
    group = np.unique(group, return_inverse=True)[1]
    groups = int(group.max(initial=-1)) + 1
    total = np.bincount(group, weights=sold, minlength=groups)
    mean = within(usual, group, groups)
    counts = (np.bincount(group, minlength=groups) > 1) & (total > 0)
    use = counts[group] & (mean > 0)
    n, m, total = sold[use], mean[use], total[counts]

    def likelihood(a: float) -> float:
        return float((gammaln(n + a * m) - gammaln(a * m)).sum() + (gammaln(a) - gammaln(total + a)).sum())

    return _likeliest(likelihood)[0]


def predictive_weight(
    own: Floats, reach: Floats, usual: Floats, style: Ints, *, came: Floats, reached: Floats
) -> tuple[float, float]:
    """The weight B of `usual` shares under which what `came` next was likeliest from (own + B·usual)/(reach + B).

    Returns B and the log likelihood that it reaches.

    log L(B) = Σ came · log of the share, each style's shares normalised over what was there (`reached`, as `reach` of
    the days of `came`); log B ~ normal(log 10, 1.5) before anything came. Unlike `prior_weight` it needs no law of how
    units scatter, and sees how fast shares move.

    >>> own, reach, style = np.array([9.0, 1.0]), np.array([10.0, 10.0]), np.array([0, 0])
    >>> even = np.array([0.5, 0.5])
    >>> steady = predictive_weight(own, reach, even, style, came=np.array([500.0, 500.0]), reached=reach)
    >>> moved = predictive_weight(own, reach, even, style, came=np.array([90.0, 10.0]), reached=reach)
    >>> steady[0] > 100, moved[0] < 2
    (True, True)
    """

    def likelihood(b: float) -> float:
        return _log_likelihood((own + b * usual) / (reach + b), style, came=came, reached=reached)

    return _likeliest(likelihood)


def alive(silence: Floats, gone: float) -> Floats:
    """Is a variant that should have sold `silence` times since it last did still there? exp(−e)/(exp(−e) + δ).

    >>> alive(np.array([0.0, 5.0]), 0.01).round(2).tolist()
    [0.99, 0.4]
    """
    return 1 / (1 + gone * np.exp(np.minimum(silence, 50.0)))


def _log_likelihood(share: Floats, style: Ints, *, came: Floats, reached: Floats) -> float:
    use = came > 0
    there = within(share * reached, style, int(style.max(initial=-1)) + 1)[use]
    return float((came[use] * np.log(np.maximum(there, 1e-12))).sum())


def _likeliest(likelihood: Callable[[float], float]) -> tuple[float, float]:
    """The best of `PRIORS`, with what it reaches: every fourth is tried, then those beside the best of them."""
    prior = -0.5 * ((np.log(PRIORS) - USUAL_PRIOR[0]) / USUAL_PRIOR[1]) ** 2
    found = np.full(len(PRIORS), -np.inf)

    def tried(some: Iterable[int]) -> int:
        for i in some:
            found[i] = likelihood(float(PRIORS[i])) + prior[i]
        return int(np.argmax(found))

    best = tried(range(0, len(PRIORS), STRIDE))
    best = tried(i for i in range(max(best - STRIDE + 1, 0), min(best + STRIDE, len(PRIORS))) if i % STRIDE)
    return float(PRIORS[best]), float(found[best])
