"""The rules. Each says what it is good for, and its formula; h in share_h and trend(h) is a half-life in days."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retail_ml.recommend.base import Query, Recommender, Scores, scaled

COLD_FLOOR = 0.2
"""Part of the cold score that popularity has without any likeness."""


class Popularity(Recommender):
    """What sells most lately: share_h. The baseline of all others, and the answer when nothing is known."""

    def __init__(self, *, half_life: int = 28) -> None:
        self.half_life = half_life

    def scores(self, query: Query) -> Scores:
        """share_h over the largest share."""
        return scaled(self.tables_.share(self.half_life)) if self.tables_.orders else np.zeros(len(self.tables_.active))


class Trending(Recommender):
    """What sells well and more than usually: share_14 × trend(14)^0.5."""

    def __init__(self, *, power: float = 0.5) -> None:
        self.power = power

    def scores(self, query: Query) -> Scores:
        """share_14 × trend(14)^power, over the largest."""
        if not self.tables_.orders:
            return np.zeros(len(self.tables_.active))
        return scaled(self.tables_.share(14) * np.power(self.tables_.trend(14), self.power))


class SimilarContent(Recommender):
    """Described alike and priced near: TF-IDF cosine × exp(-0.5 |log price ratio|)."""

    def scores(self, query: Query) -> Scores:
        """The similarity itself, 0…1, not scaled: 1 is the same text at the same price."""
        return content_scores(self, query)


class BoughtTogether(Recommender):
    """What goes with one product: c_ij / (n_i + 10) × trend(14)_j^0.25, pairs that are worth saying only.

    Pairs with fewer than three common orders, or fewer than chance would give, are no candidates.
    """

    def __init__(self, *, trend_power: float = 0.25) -> None:
        self.trend_power = trend_power

    def scores(self, query: Query) -> Scores:
        """Scaled by the strongest pair."""
        tables = self.tables_
        row = first_row(self, query)
        if row < 0:
            return np.zeros(len(tables.active))
        ids, pairs = tables.together.ids[row], tables.pairs[row]
        known = ids >= 0
        lift = pairs[known] * float(tables.orders)
        chance = float(tables.orders_with[row]) * tables.orders_with[ids[known]]
        sure = (pairs[known] >= 3) & (lift >= chance)
        score = np.zeros(len(tables.active))
        score[ids[known][sure]] = tables.together.score[row][known][sure]
        return scaled(score * np.power(tables.trend(14), self.trend_power))


class HybridPage(Recommender):
    """For a product page: what was bought with it, and, the less it has sold, what is like it and sells.

    a · together + (1 - a) · cold with a = n_i / (n_i + kappa);
    together = c_ij / (n_i + 10) × trend(14)_j^0.25 + 0.001 share_14(j), cold = share_28(j) × (0.2 + content_ij);
    each over its largest value, so that the score is 0…1.
    """

    def __init__(self, *, kappa: float = 20.0, trend_power: float = 0.25, popularity: float = 0.001) -> None:
        self.kappa = kappa
        self.trend_power = trend_power
        self.popularity = popularity

    def scores(self, query: Query) -> Scores:
        """The mixture; all cold for a product without history."""
        tables = self.tables_
        cold = cold_scores(self, query)
        row = first_row(self, query)
        if row < 0 or not tables.orders_with[row]:
            return cold
        weight = self.warm(int(tables.orders_with[row]))
        together = tables.together.dense(row) * np.power(tables.trend(14), self.trend_power)
        return weight * scaled(together + self.popularity * tables.share(14)) + (1 - weight) * cold

    def warm(self, orders: int) -> float:
        """Weight of the co-purchases for a product with so many orders.

        >>> HybridPage(kappa=20).warm(60)
        0.75
        """
        return orders / (orders + self.kappa)


class PopularContent(Recommender):
    """For a product page of a small shop: what sells, and rather what is like it. share_28 × (0.2 + content)."""

    def scores(self, query: Query) -> Scores:
        """The cold part of `HybridPage` alone."""
        return cold_scores(self, query)


class PersonalBlend(Recommender):
    """For a customer: what goes with what he bought, what he buys again, what is popular.

    cf(i) = Σ_j √D_240(j) cosine_ji / max;  r = D_240 / max;  p = share_14 / max, where D_240(j) is the sum of
    0.5^(age/240) over his orders with j.
    all = cf + 2 r trend(14)^0.25 + 0.3 p;  novel = cf trend(7) + 0.3 p on what he never bought;
    repeat = the score of `all` on what he bought.
    """

    def __init__(self, *, half_life: float = 240.0, repeat: float = 2.0, popularity: float = 0.3) -> None:
        self.half_life = half_life
        self.repeat = repeat
        self.popularity = popularity

    def scores(self, query: Query) -> Scores:
        """Scaled by the strongest candidate; popularity for a customer without history."""
        tables = self.tables_
        popular = scaled(tables.share(14)) if tables.orders else np.zeros(len(tables.active))
        bought = self.decayed_orders(query)
        rows = np.flatnonzero(bought)
        cf = scaled(tables.cosine.weighted_sum(rows, np.sqrt(bought[rows])))
        if query.mode == "novel":
            return scaled(np.where(bought > 0, 0.0, cf * tables.trend(7) + self.popularity * popular))
        again = self.repeat * scaled(bought) * np.power(tables.trend(14), 0.25)
        return scaled(cf + again + self.popularity * popular)

    def decayed_orders(self, query: Query) -> Scores:
        """D_240 of every product for the query's history; all 0 without one."""
        tables = self.tables_
        out = np.zeros(len(tables.active))
        if query.history is None or query.history.is_empty():
            return out
        rows = tables.rows(query.history["product_id"].to_list())
        days = np.datetime64(tables.as_of, "D") - query.history["day"].to_numpy().astype("datetime64[D]")
        age = np.maximum(days.astype(np.float64), 0.0)  # bought since the model was trained: as fresh as can be
        known = rows >= 0
        np.add.at(out, rows[known], np.power(0.5, age[known] / self.half_life))
        return out


class BasketCompletion(Recommender):
    """How a basket goes on: Σ cosine_ij × trend(14)_j^0.25 over the basket / mean row sum + w · share_14(j).

    For a customer with history a fifth of his own score is added (that weight is a judgement, not measured).
    """

    def __init__(
        self, *, popularity_weight: float = 3.0, trend_power: float = 0.25, customer_weight: float = 0.2
    ) -> None:
        self.popularity_weight = popularity_weight
        self.trend_power = trend_power
        self.customer_weight = customer_weight

    def scores(self, query: Query) -> Scores:
        """Scaled by the strongest candidate; popularity for an empty or unknown basket."""
        tables = self.tables_
        rows = np.unique(self.excluded(query))
        score = self.popularity_weight * tables.share(14) if tables.orders else np.zeros(len(tables.active))
        if len(rows):
            pull = tables.cosine.weighted_sum(rows, np.ones(len(rows))) / tables.row_weight
            score = score + pull * np.power(tables.trend(14), self.trend_power)
        if len(self.bought(query)):
            score = scaled(score) + self.customer_weight * PersonalBlend().attach(tables).scores(query)
        return scaled(score)


def first_row(model: Recommender, query: Query) -> int:
    """Row of the product whose page it is; -1 for none or an unknown one."""
    return int(model.tables_.rows(query.products[:1])[0]) if query.products else -1


def content_scores(model: Recommender, query: Query) -> npt.NDArray[np.float64]:
    """Content similarity to the query's product, or to its text when the product is newer than the tables."""
    row = first_row(model, query)
    if row >= 0:
        return model.tables_.similar.dense(row)
    if query.text.strip():
        return model.tables_.text.similar_to(query.text, price=query.price)
    return np.zeros(len(model.tables_.active))


def cold_scores(model: Recommender, query: Query) -> Scores:
    """share_28 × (0.2 + content), over the largest: for products whose co-purchases say little.

    The share has a floor of 0.05 / products, so that a product never sold can be shown on the page of its like.
    """
    share = model.tables_.share(28) + 0.05 / max(len(model.tables_.active), 1)
    return scaled(share * (COLD_FLOOR + content_scores(model, query)))
