"""The rules. Each says what it is good for, and its formula; h in share_h and trend(h) is a half-life in days."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from retail_ml.recommend.base import Batch, Recommender, Rows, Scores, dense, scaled
from retail_ml.recommend.diversity import POOL, diversified
from retail_ml.recommend.tables import Tables
from retail_ml.recommend.weights import Weights

COLD_FLOOR = 0.2
"""Part of the cold score that popularity has without any likeness."""
FRESH = 60.0
"""Days in which a product's newness fades."""
TOGETHER_POPULARITY = 0.001
"""Weight of share_14 beside the co-purchases of one product: it orders what was never bought with it."""
TOGETHER_TREND = 0.25
UNSOLD = 1e-6
"""Share of the newest product that was never sold: behind all that sells."""
POPULAR = 14
"""Half-life (days) of the popularity inside the scores."""


class Popularity(Recommender):
    """What sells most lately: share_h, then what is new. The baseline of all others, and the answer without sales."""

    def __init__(self, *, half_life: int = 28) -> None:
        self.half_life = half_life

    def scores(self, batch: Batch) -> Scores:
        """share_h over the largest share."""
        return np.tile(popular(self.tables_, self.half_life), (len(batch), 1))


class Trending(Recommender):
    """What sells well and more than usually: share_14 × trend(14)^0.5."""

    def __init__(self, *, power: float = 0.5) -> None:
        self.power = power

    def scores(self, batch: Batch) -> Scores:
        """share_14 × trend(14)^power, over the largest."""
        score = scaled(popular(self.tables_, 14) * np.power(self.tables_.trend(14), self.power))
        return np.tile(score, (len(batch), 1))


class SimilarContent(Recommender):
    """Described alike and priced near: TF-IDF cosine × exp(-0.5 |log price ratio|)."""

    def scores(self, batch: Batch) -> Scores:
        """The similarity itself, 0…1, not scaled: 1 is the same text at the same price."""
        return content_scores(self.tables_, batch)


class BoughtTogether(Recommender):
    """What goes with one product: c_ij / (n_i + 10) × trend(14)_j^0.25.

    `shown_only` (what a shopper sees): pairs that are patterns, see `evidence.shown_pairs`. Otherwise every pair, and
    0.001 share_14(j) orders the rest: the ranking that is measured.
    """

    def __init__(self, *, shown_only: bool = True) -> None:
        self.shown_only = shown_only

    def scores(self, batch: Batch) -> Scores:
        """Scaled by the strongest pair."""
        return scaled(together_scores(self.tables_, batch, shown_only=self.shown_only))


class HybridPage(Recommender):
    """For a product page: what was bought with it, and, the less it has sold, what is like it and sells.

    a · together + (1 - a) · cold with a = n_i / (n_i + kappa);
    together = c_ij / (n_i + 10) × trend(14)_j^0.25 + 0.001 share_14(j); cold: see `cold_scores`;
    each over its largest value, so that the score is 0…1.
    """

    def scores(self, batch: Batch) -> Scores:
        """The mixture; all cold for a product without history."""
        tables, pages = self.tables_, batch.pages
        cold = cold_scores(tables, batch)
        orders = np.where(pages >= 0, tables.orders_with[pages] if len(tables) else 0, 0)
        warm = self.warm(orders.astype(float))[:, None]
        together = scaled(together_scores(tables, batch, shown_only=False))
        return np.asarray(warm * together + (1 - warm) * cold)

    def warm(self, orders: Scores) -> Scores:
        """Weight of the co-purchases for products with so many orders: n / (n + kappa)."""
        return np.asarray(orders / (orders + self.tables_.weights.kappa))


class PopularContent(Recommender):
    """For a product page of a small shop: what sells, rather what is like it. share_28 × (0.2 + content) × fresh."""

    def scores(self, batch: Batch) -> Scores:
        """The cold part of `HybridPage` alone."""
        return cold_scores(self.tables_, batch)


class PersonalFrequency(Recommender):
    """For a customer: what he bought most often, then what sells most. A baseline that is hard to beat."""

    def scores(self, batch: Batch) -> Scores:
        """Number of his orders with the product + share_28 over the largest, over the sum of both maxima."""
        counts = dense(batch.histories.pattern)
        return scaled(counts + 0.5 * popular(self.tables_, 28))


class PersonalBlend(Recommender):
    """For a customer: what goes with what he bought, what he buys again, what is popular.

    cf(i) = max(0, Σ_j √D(j) W_ji) / max;  r = D / max;  p = share_14 / max, where D(j) is the sum of 0.5^(age/h) over
    his orders with j and W the local ridge of the persons.
    all = cf + repeat · r · trend(14)^0.25 + popular · p;  novel = cf · trend(7) + novel_popular · p on what he never
    bought, diversified; repeat = the score of `all` on what he bought. The factors: `weights.Weights`.
    """

    def scores(self, batch: Batch) -> Scores:
        """Scaled by the strongest candidate; popularity for a customer without history."""
        tables, w = self.tables_, self.tables_.weights
        sells = popular(tables, POPULAR)
        if batch.mode == "novel":
            return scaled(novel_score(w, scaled(pull(tables, batch, w.novel_half_life)), tables.trend(7), sells))
        cf = scaled(pull(tables, batch, w.profile_half_life))
        again = scaled(dense(batch.histories.decayed(w.repeat_half_life)))
        return scaled(all_score(w, cf, again, tables.trend(14), sells))

    def ordered(self, score: Scores, *, k: int, batch: Batch) -> list[tuple[Rows, Scores]]:
        """The best `k` of each row; a list of new products is not to say the same thing ten times."""
        likeness = self.tables_.weights.likeness
        if batch.mode != "novel" or likeness <= 0:
            return super().ordered(score, k=k, batch=batch)
        lists = super().ordered(score, k=max(k, POOL), batch=batch)
        return diversified(lists, self.tables_.text.vectors, weight=likeness, most=k)


def all_score(w: Weights, cf: Scores, again: Scores, rising: Scores, sells: Scores) -> Scores:
    """cf + repeat · r · trend(14)^trend + popular · p, for arrays that fit together."""
    return np.asarray(cf + w.repeat * again * np.power(rising, w.trend) + w.popular * sells)


def novel_score(w: Weights, cf: Scores, rising: Scores, sells: Scores) -> Scores:
    """cf · trend(7)^novel_trend + novel_popular · p, for arrays that fit together."""
    return np.asarray(cf * np.power(rising, w.novel_trend) + w.novel_popular * sells)


class BasketCompletion(Recommender):
    """How a basket goes on: Σ A_ij over the basket / mean row sum × trend(14)_j^t + w · share_14(j).

    A is the local ridge of the baskets without negatives. For a customer with history his own score is added.
    """

    def scores(self, batch: Batch) -> Scores:
        """Scaled by the strongest candidate; popularity for an empty or unknown basket."""
        tables, w = self.tables_, self.tables_.weights
        follows = dense(batch.subjects @ tables.basket) / tables.row_weight
        if w.basket_trend:
            follows *= np.power(tables.trend(14), w.basket_trend)
        score = scaled(follows + w.basket_popular * selling(tables, POPULAR))
        if len(batch.histories.product):
            known = batch.histories.orders[:, None] > 0
            score = scaled(score + w.basket_customer * known * PersonalBlend().attach(tables).scores(batch))
        return score


def popular(tables: Tables, half_life: int) -> Scores:
    """`selling` over the largest."""
    return scaled(selling(tables, half_life))


def selling(tables: Tables, half_life: int) -> Scores:
    """share_h, and behind all that sells what was never sold, the newest first: the list of a shop without sales."""
    share = tables.share(half_life) if tables.orders else np.zeros(len(tables))
    return np.asarray(share + UNSOLD * tables.newness)


def pull(tables: Tables, batch: Batch, half_life: float) -> Scores:
    """Σ_j √D_h(j) W_ji of every customer and product, negatives cut: questions × products."""
    profile = batch.histories.decayed(half_life).sqrt().astype(np.float32)
    return np.maximum(dense(profile @ tables.person), 0.0)


def together_scores(tables: Tables, batch: Batch, *, shown_only: bool) -> Scores:
    """c_ij / (n_i + 10) × trend(14)_j^0.25 of each question's product i; all 0 without one."""
    out = np.zeros((len(batch), len(tables)))
    rising = np.power(tables.trend(14), TOGETHER_TREND)
    table, rest = tables.together, TOGETHER_POPULARITY * tables.share(14)
    for at in np.flatnonzero(batch.pages >= 0):
        row = batch.pages[at]
        kept = (table.table.ids[row] >= 0) & (table.shown[row] if shown_only else True)
        ids = table.table.ids[row][kept]
        if not shown_only:
            out[at] = rest
        out[at, ids] += table.table.score[row][kept] * rising[ids]
    return out


def content_scores(tables: Tables, batch: Batch) -> Scores:
    """Content similarity to each question's product, or to the words of one that is newer than the tables."""
    out = np.zeros((len(batch), len(tables)))
    known = np.flatnonzero(batch.pages >= 0)
    if len(known):
        out[known] = tables.likenesses(batch.pages[known])
    for at in np.flatnonzero(batch.pages < 0).tolist():
        if batch.new is not None and batch.new[at][0].strip():
            out[at] = tables.text.similar_to(batch.new[at][0], price=batch.new[at][1])
    return out


def cold_scores(tables: Tables, batch: Batch) -> Scores:
    """share_28 × (0.2 + content) × (1 + exp(-age / 60 days)), over the largest: where co-purchases say little.

    What came into the range lately goes with what is new. The share has a floor of 0.05 / products, so that a product
    never sold (it has no age: factor 1) can be shown on the page of its like.
    """
    share = tables.share(28) + 0.05 / max(len(tables), 1)
    age = np.nan_to_num(np.maximum(tables.now - tables.first_sold, 0.0), nan=np.inf)
    return scaled(share * (1 + np.exp(-age / FRESH)) * (COLD_FLOOR + content_scores(tables, batch)))


def subjects_of(rows: list[Rows], products: int) -> sparse.csr_matrix:
    """Questions × products from the products of each question."""
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int32)
    indices = np.concatenate(rows).astype(np.int32) if rows else np.empty(0, np.int32)
    return sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(rows), products))
