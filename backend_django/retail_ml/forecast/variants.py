"""Which variant of a product will sell: a style's own sizes and colours, shrunk to the curves of its category.

A product's forecast is shared out: variant = product × share. A style's own units say most about its shares, but one
that sold twenty units of five sizes in three colours says little; what it lacks comes from the other styles.

1. A curve: every option value (S, M, red, …) has a weight in its category, shrunk to its weight in the shop, and a
   variant's share of its style is the product of its values' weights, normalised over the style. Fitted to all styles
   at once, whichever values a style has (`curves.scale`).
2. Posterior means (own + A·expected)/(Σ own + A) of a Dirichlet-multinomial (Mosimann 1962): the style's sizes, and
   its colours, against the curve; then each variant against the product of both. The prior weights A, one per kind of
   option, are those of maximum likelihood over all styles (`curves.prior_weight`; Minka 2000).
3. The last 56 days against all of that, with the weight B under which the last 28 days were likeliest when seen from
   the day before them: great where shares are steady, small where variants come and go.

4. Variants that went: after a silence in which it should have sold e times, the long run counts with the chance
   exp(−e)/(exp(−e) + δ) that a variant is still there; the odds δ of having gone are chosen with B, and are 0 where
   that gains nothing.

Units count as purchases of the style's usual size, none as more than three: one order for 200 is not 200 opinions. A
day on which a variant was sold out says nothing of it (Hunter 2004: choices among what is there).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import curves
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.curves import Bools, Floats, Ints, Parts, within
from retail_ml.forecast.variant_sales import VariantSales

Missing = tuple[Ints, Ints]
"""Variant and day of every day without stock, by variant and day."""
HALF_LIFE = 365.0
"""Days after which a sale counts half in the long run."""
RECENT = 56
"""Days that are set against the long run."""
TRIED = 28
"""Last days by which the weight of the long run is found."""
LARGEST = 3.0
"""A purchase counts as so many of the style's usual ones at most."""
SOLD_OUT_ROUNDS = 4
LEAST_SEEN = 0.05
"""Share of a style that must have been there for a day to be scaled up in full."""
MOST_LEARNED = 12_000
MOST_CALIBRATED = 4_000
"""Variants per fold whose shares are learned again, and those that the widths are calibrated on."""


@dataclass(frozen=True, eq=False)
class VariantShares:
    """`share` (variants,) of the product's demand, adding up to one over its variants; 0 for those not sold any more.

    `curve` (variants,): what the category's curves alone say. `evidence` (variants,): own purchases, decayed.
    `priors`: prior weights in purchases, one per kind of option, then of the variants against their options, then of
    the long run against the last 56 days. `gone`: odds that a silent variant has left the range.
    """

    variant_ids: npt.NDArray[np.str_]
    product_row: Ints
    share: Floats
    curve: Floats
    evidence: Floats
    priors: Floats
    gone: float

    def of(self, product: Floats) -> Floats:
        """Figures of products (products,) or (products, days) shared out over the variants; 0 without a product."""
        there = self.product_row >= 0
        if not there.any():
            return np.zeros((len(there), *product.shape[1:]))
        share = np.where(there, self.share, 0.0)
        return product[np.where(there, self.product_row, 0)] * (share[:, None] if product.ndim == 2 else share)


def learn(known: VariantSales, *, out: Bools | None = None) -> VariantShares:
    """Shares of all variants from what is known. Only active variants share, unless a product has none.

    `out` (variants, days): days without stock (`retail_ml.shelf.StockDays.out`); None: always there.

    >>> one = VariantSales(np.array(["a", "b"]), np.array([0, 0]), 1, np.array([0, 0]), np.array([[0], [1]]),
    ...     np.array([True, True]), np.array([0, 1]), np.array([9, 9]), np.array([3.0, 1.0]), np.array([3.0, 1.0]), 10)
    >>> learn(one).share.round(2).tolist()
    [0.65, 0.35]
    """
    there = known.product >= 0
    style = np.where(there, known.product, known.products)  # those without a product: a style that nobody asks for
    parts = curves.parts(known.values, style)
    missing = None if out is None else _missing(known, out)
    bought = _Purchases.of_sales(known, style, out=missing)
    weight, gone = _weights(bought, parts, out=missing)
    steady = _long_run(bought, parts)
    usual = _usual(steady.share, _quiet(bought), style, gone=gone)
    share = _mixed(bought, usual, weight=weight)
    live = known.active | (np.bincount(style, weights=known.active)[style] == 0)
    share = within(np.where(live, share, 0.0), style, known.products + 1)
    return VariantShares(
        known.ids, known.product, share, steady.curve, steady.own, np.append(steady.priors, weight), gone
    )


def _weights(bought: _Purchases, parts: Parts, *, out: Missing | None) -> tuple[float, float]:
    """The weight of the long run and the odds of having gone: what makes the last 28 days likeliest."""
    style, days = bought.style, max(bought.known.days - TRIED, 0)
    past = _Purchases.of_sales(bought.known.until(days), style, out=out)
    steady, quiet = _long_run(past, parts), _quiet(past)
    came = bought.seen(since=days)
    reached = came.reach(steady.share)
    recent = past.seen(since=days - RECENT)
    reach = recent.reach(steady.share)
    found = [
        curves.predictive_weight(
            recent.own, reach, _usual(steady.share, quiet, style, gone=gone), style, came=came.own, reached=reached
        )
        for gone in curves.GONE
    ]
    best = int(np.argmax([score for _, score in found]))
    best = best if found[best][1] > found[0][1] + curves.GAIN else 0
    return found[best][0], curves.GONE[best]


def _usual(steady: Floats, quiet: Floats, style: Ints, *, gone: float) -> Floats:
    """Long-run shares × the chance that a variant is still there."""
    if gone == 0:
        return steady
    return within(steady * curves.alive(steady * quiet, gone), style, int(style.max(initial=-1)) + 1)


def _mixed(bought: _Purchases, steady: Floats, *, weight: float) -> Floats:
    """Shares of the last 56 days and of the long run, the latter with this weight in purchases."""
    recent, style = bought.seen(since=bought.known.days - RECENT), bought.style
    share = steady
    for _ in range(bought.rounds):
        share = within(
            (recent.own + weight * steady) / (recent.reach(share) + weight), style, bought.known.products + 1
        )
    return share


def _quiet(bought: _Purchases) -> Floats:
    """Purchases of its style since a variant last sold, while it was there, (variants,); 0 if it never sold."""
    seen, known, style = bought.seen(), bought.known, bought.style
    last = np.full(len(style), -1)
    np.maximum.at(last, known.row, known.day)
    key = style[known.row] * known.days + known.day
    order = np.argsort(key, kind="stable")
    running = np.append(0.0, np.cumsum(seen.cells[order]))
    begins = np.searchsorted(key[order], style * known.days + last, side="right")
    ends = np.searchsorted(key[order], (style + 1) * known.days, side="left")
    late = seen.when[seen.gap] > last[seen.variant]
    missed = np.bincount(seen.variant[late], weights=seen.sold[seen.gap[late]], minlength=len(style))
    return np.where(last >= 0, np.maximum(running[ends] - running[begins] - missed, 0.0), 0.0)


@dataclass(frozen=True, eq=False)
class _Steady:
    """Shares of the long run, the curve's, own purchases, prior weights."""

    share: Floats
    curve: Floats
    own: Floats
    priors: Floats


def _long_run(bought: _Purchases, parts: Parts) -> _Steady:
    seen, known, style = bought.seen(half_life=HALF_LIFE), bought.known, bought.style
    reach = seen.reach(None)
    for _ in range(bought.rounds):
        curve = curves.curve(known.values, known.category, seen.own, reach, style=style)
        share, priors = curves.posterior(seen.own, reach, curve, parts=parts, style=style)
        reach = seen.reach(share)
    return _Steady(share, curve, seen.own, priors)


# --- widths --------------------------------------------------------------------------------------


def folds(known: VariantSales, product_folds: Sequence[Fold], *, out: Bools | None = None) -> list[tuple[Ints, Fold]]:
    """Folds of variants from folds of products: at each cutoff the products' forecast × the shares learned by then.

    With each fold the rows of the variants in it: those sold before the cutoff. Of more than 12,000 variants whole
    products are taken evenly, and 4,000 of their variants. Which variants are active is today's knowledge: at a cutoff
    all are. The widths of variants are calibrated on these folds as those of products are on theirs.
    """
    step = -(-len(known.ids) // MOST_LEARNED)
    some = np.flatnonzero((known.product >= 0) & (known.product % max(step, 1) == 0))
    sample = known.of(some)
    sample = replace(sample, active=np.ones_like(sample.active))
    out = None if out is None else out[some]
    made = []
    for fold in product_folds:
        past = sample.until(fold.cutoff)
        shares = learn(past, out=None if out is None else out[:, : fold.cutoff])
        seen = np.flatnonzero(np.bincount(past.row, minlength=len(past.ids)) > 0)
        rows = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), MOST_CALIBRATED)).astype(int))]
        forecast = fold.forecast[past.product[rows]] * shares.share[rows, None]
        actual = sample.panel(rows, first=fold.cutoff, last=fold.cutoff + fold.actual.shape[1])
        made.append((some[rows], replace(fold, forecast=forecast, actual=actual)))
    return made


# --- purchases, and the days without stock -------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Purchases:
    """What was bought of every variant, and the days on which its style sold while some of its variants were out.

    By cell of `known`: `of` its style, `cells` purchases. `at` (gaps,) style and `when` day of such a day; `variant`
    and `gap` (pairs,): who was out when; `place` (cells,) the gap that a cell lies on, −1 none.
    """

    known: VariantSales
    style: Ints
    of: Ints
    cells: Floats
    at: Ints
    when: Ints
    variant: Ints
    gap: Ints
    place: Ints
    rounds: int
    """How often shares and what was there are found from each other: once where all was there."""

    @classmethod
    def of_sales(cls, known: VariantSales, style: Ints, *, out: Missing | None) -> _Purchases:
        """Purchases: units over the style's mean units per order line (with one usual line)."""
        styles = known.products + 1
        of = style[known.row]
        lot = float(known.units.sum() / known.purchases.sum()) if known.units.size else 1.0
        mean = (np.bincount(of, weights=known.units, minlength=styles) + lot) / (
            np.bincount(of, weights=known.purchases, minlength=styles) + 1
        )
        cells = np.minimum(known.units / mean[of], LARGEST * known.purchases)
        cells = np.where(of < known.products, cells, 0.0)
        gaps = _gaps(known, style, of, cells, out=out)
        return cls(known, style, of, cells, *gaps, rounds=1 if out is None else SOLD_OUT_ROUNDS)

    def seen(self, *, since: int = 0, half_life: float = np.inf) -> _Seen:
        """The purchases from day `since` on, each counting half after `half_life` days."""
        known, styles = self.known, self.known.products + 1
        cells = self.cells if half_life == np.inf else self.cells * 0.5 ** ((known.days - 1 - known.day) / half_life)
        cells = np.where(known.day >= since, cells, 0.0) if since > 0 else cells
        own = np.asarray(np.bincount(known.row, weights=cells, minlength=len(self.style)), dtype=float)
        inside = self.place >= 0
        sold = np.bincount(self.place[inside], weights=cells[inside], minlength=len(self.at)).astype(float)
        rest = np.bincount(self.of, weights=cells, minlength=styles).astype(float)
        rest -= np.bincount(self.at, sold, minlength=styles)
        late = self.when >= since
        pairs = late[self.gap]
        gap = (np.cumsum(late) - 1)[self.gap[pairs]]
        return _Seen(
            own, cells, self.style, self.at[late], self.when[late], sold[late], self.variant[pairs], gap, rest
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Seen:
    """`own` purchases of each variant, `cells` of each cell; of the days with a gap `at`, `when`, `variant`, `gap` as
    above and `sold` purchases; `rest` (styles,): purchases on all other days.
    """

    own: Floats
    cells: Floats
    style: Ints
    at: Ints
    when: Ints
    sold: Floats
    variant: Ints
    gap: Ints
    rest: Floats

    def reach(self, share: Floats | None) -> Floats:
        """Purchases that the style would have had, all in stock, on the days on which a variant was there (variants,).

        On a day with the variants S there a style sells Σ_S share of what it could: own / reach is then the likeliest
        share, whether those who do not find theirs take a sister or go (Hunter 2004). `share` None: all alike.
        """
        styles = len(self.rest)
        if share is None:
            share = within(np.ones(len(self.style)), self.style, styles)
        seen = 1 - np.bincount(self.gap, weights=share[self.variant], minlength=len(self.at))
        full = self.sold / np.maximum(seen, LEAST_SEEN)
        total = self.rest + np.bincount(self.at, weights=full, minlength=styles)
        missed = np.bincount(self.variant, weights=full[self.gap], minlength=len(self.style))
        return np.maximum(total[self.style] - missed, 0.0)


def _gaps(
    known: VariantSales, style: Ints, of: Ints, cells: Floats, *, out: Missing | None
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Style and day of each day with a variant out, the pairs (variant, such a day), and where each cell lies."""
    if out is None or not known.days:
        none = np.empty(0, dtype=np.int64)
        return none, none, none, none, np.full(len(cells), -1)
    place = np.full((known.products + 1, known.days), -1, dtype=np.int32)
    sold = cells > 0
    place[of[sold], known.day[sold]] = 0  # first: did the style sell on that day?
    variant, when = out
    inside = when < known.days
    inside[inside] = place[style[variant[inside]], when[inside]] == 0
    variant, when = variant[inside], when[inside]
    key, gap = np.unique(style[variant] * known.days + when, return_inverse=True)
    at, when = np.divmod(key, known.days)
    place[place == 0] = -1
    place[at, when] = np.arange(len(at))
    return at, when, variant, gap, place[of, known.day].astype(np.int64)


def _missing(known: VariantSales, out: Bools) -> Missing:
    """The days without stock on which nothing was sold: what was sold was there."""
    gone = out[:, : known.days].copy()
    gone[known.row, known.day] = False
    variant, when = np.nonzero(gone)
    return variant, when
