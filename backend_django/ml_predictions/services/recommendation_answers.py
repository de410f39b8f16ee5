"""From a ranking to an answer: what is on sale and in stock now and the owner lets through, with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ml_predictions.messages import message
from ml_predictions.services.recommendation_rules import Wishes
from ml_predictions.sources.base import Source
from retail_ml.errors import UnknownId
from retail_ml.recommend import reasons
from retail_ml.recommend.base import Query, Recommender
from retail_ml.recommend.evidence import Support
from retail_ml.recommend.reasons import BasketReasons, PersonReasons
from retail_ml.recommend.sets import Pairs, ProductSet, sets
from retail_ml.recommend.steering import REACH, steered
from retail_ml.recommend.tables import Tables

POOL = 150
"""Candidates of a list whose stock is looked up at first."""
SHARED_POOL = 50
"""The same, where many lists are asked for at once."""
SECOND_POOL = 2_000
"""Candidates that are looked up when too few of the first are in stock."""
MOST_RANKED = 5 * POOL + SECOND_POOL
"""Candidates that two looks can reach at the most."""
PINNED_POOL = 20
"""Products of a pinned category that are looked up: its best candidates, then its best sellers."""

Item = dict[str, Any]
Namer = Callable[[str], str | None]
"""The name of a product that was looked at; None for any other."""


@dataclass(frozen=True)
class Why:
    """The reason of one recommendation, the orders behind it, and further figures of the item."""

    reason: dict[str, Any]
    support: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)


Reasons = Callable[[int, Namer], Why]
"""Gets the row of a recommended product, and a way to name the products that the reason speaks of."""


@dataclass(frozen=True)
class Ranked:
    """Candidates before their stock is known, best first, and how to give reasons for them.

    `named`: the products that the reasons of some rows speak of. `fits`: may a pinned product stand in this list at
    all? `blank`: figures of an item of which nothing is known.
    """

    ids: list[str]
    scores: list[float]
    rows: list[int]
    why: Reasons
    named: Callable[[Sequence[int]], Sequence[str]] = lambda rows: ()
    fits: Callable[[str], bool] = lambda product: True
    blank: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Steering:
    """What the stock may change of a list: how strongly, and the pressure (-1…1) of products from their free units."""

    strength: float
    pressure: Callable[[Mapping[str, float]], Mapping[str, float]]

    def steered(self, found: Ranked, units: Mapping[str, float]) -> Ranked:
        """The list in its new order."""
        near = found.ids[:REACH]
        push = self.pressure({product: units.get(product, 0.0) for product in near})
        weight = np.array([push.get(product, 0.0) for product in near])
        order, scores = steered(np.array(found.scores), weight, strength=self.strength)
        ids, rows = ([some[i] for i in order.tolist()] for some in (found.ids, found.rows))
        return replace(found, ids=ids, rows=rows, scores=scores.tolist())


@dataclass(frozen=True)
class Asked:
    """One list that is asked for: its ranking, the products it is beside, the owner's wishes.

    `first`: for each pin the products that may take its place, the best first.
    """

    ranked: Ranked
    subjects: Sequence[str] = ()
    wishes: Wishes = field(default_factory=Wishes)
    first: Sequence[Sequence[str]] = ()
    steer: Steering | None = None


class Shelf:
    """The live range, looked up for the candidates only: two queries a look, and at most two looks a request."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.products: dict[str, dict[str, Any]] = {}
        self.units: dict[str, float] = {}
        self._whole = False

    def look_at_all(self) -> None:
        """Read the whole range with its stock: two queries, and no later look asks again."""
        self.products = {row["product_id"]: row for row in self.source.products().to_dicts()}
        self.units = self.source.available()
        self._whole = True

    def look(self, candidates: Iterable[str], *, also: Iterable[str] = ()) -> None:
        """Read the candidates, with their stock, and the products of `also`, without."""
        if self._whole:
            return
        stocked = [product for product in dict.fromkeys(candidates) if product not in self.units]
        wanted = [product for product in dict.fromkeys([*stocked, *also]) if product not in self.products]
        if wanted:
            self.products |= {row["product_id"]: row for row in self.source.products(ids=wanted).to_dicts()}
        if stocked:
            self.units |= dict.fromkeys(stocked, 0.0) | self.source.available(product_ids=stocked)

    def known(self, product_id: str) -> dict[str, Any]:
        """A product that was looked at; raises UnknownId when the shop has none such."""
        if product_id not in self.products:
            raise UnknownId(
                f"There is no product {product_id!r}; ids are those of the shop's product list",
                code="unknown_product",
                id=product_id,
            )
        return self.products[product_id]

    def sells(self, product_id: str) -> bool:
        """On sale, and at least one variant in stock and not promised."""
        return bool(self.products.get(product_id, {}).get("active")) and self.units.get(product_id, 0.0) > 0

    def name(self, product_id: str) -> str | None:
        """The name of a product that was looked at."""
        found = self.products.get(product_id)
        return found["name"] if found else None


@dataclass(frozen=True)
class Chosen:
    """The products of a list in the order of their ranks; the first `pinned` of them by the owner's rules.

    `ranked`: the candidates as the stock of now orders them.
    """

    products: Sequence[str]
    pinned: int
    ranked: Ranked


def serve(asked: Asked, shelf: Shelf, *, top_n: int, again: bool = True) -> list[Item]:
    """The best `top_n` candidates that are on sale, in stock and not excluded, as items; pinned ones first.

    What may not be shown is left out before anything gets a rank. With `again` a second, larger pool is looked up when
    the first holds too few. Raises UnknownId for a product of the question that the shop does not know.
    """
    first = POOL if again else max(POOL, 5 * top_n)
    (chosen,) = choose([asked], shelf, top_n=top_n, first=first, again=again)
    for subject in asked.subjects:
        shelf.known(subject)
    return items(chosen, shelf)


def choose(
    lists: Sequence[Asked], shelf: Shelf, *, top_n: int, first: int = SHARED_POOL, again: bool = True
) -> list[Chosen]:
    """What each list shows: four queries at the most, however many lists."""
    first = max(first, 3 * top_n)
    pinned = [product for asked in lists for row in asked.first for product in row]
    also = [product for asked in lists for product in (*asked.subjects, *_spoken_of(asked, first))]
    shelf.look([*pinned, *(product for asked in lists for product in asked.ranked.ids[:first])], also=also)
    found = [_chosen(asked, shelf, top_n=top_n) for asked in lists]
    short = [i for i, some in enumerate(found) if len(some.products) < top_n and len(lists[i].ranked.ids) > first]
    if again and short:
        reach = max(SECOND_POOL // len(short), top_n)
        part = slice(first, first + reach)
        more = [product for i in short for product in lists[i].ranked.named(lists[i].ranked.rows[part])]
        shelf.look((product for i in short for product in lists[i].ranked.ids[part]), also=more)
        for i in short:
            found[i] = _chosen(lists[i], shelf, top_n=top_n)
    return found


def _spoken_of(asked: Asked, first: int) -> Sequence[str]:
    """Products that the reasons of the first candidates, and of pinned ones, speak of."""
    ranked, pinned = asked.ranked, {product for row in asked.first for product in row}
    pins = [row for product, row in zip(ranked.ids[first:], ranked.rows[first:], strict=True) if product in pinned]
    return ranked.named([*ranked.rows[:first], *(pins if pinned else ())])


def _chosen(asked: Asked, shelf: Shelf, *, top_n: int) -> Chosen:
    """Pins in their order, then the ranking; only what sells, is not excluded and is not what the list is beside."""

    def shown(product: str) -> bool:
        return shelf.sells(product) and not asked.wishes.forbids(shelf.products[product])

    out: dict[str, None] = {}
    found = asked.ranked if asked.steer is None else asked.steer.steered(asked.ranked, shelf.units)
    for (level, name), candidates in zip(asked.wishes.pins, asked.first, strict=True):
        fitting = (
            product
            for product in candidates
            if shown(product) and product not in out and product not in asked.subjects and asked.ranked.fits(product)
            if level == "product" or shelf.products[product]["category"] == name
        )
        out |= dict.fromkeys([best for best in [next(fitting, None)] if best is not None])
    pinned = min(len(out), top_n)
    for product in found.ids:
        if len(out) >= top_n:
            break
        if shown(product):
            out.setdefault(product)
    return Chosen(list(out)[:top_n], pinned, found)


def items(chosen: Chosen, shelf: Shelf) -> list[Item]:
    """The chosen products as items of an answer."""
    ranked = chosen.ranked
    place = {product: i for i, product in enumerate(ranked.ids)}
    out = []
    for rank_, product in enumerate(chosen.products, start=1):
        i, pinned = place.get(product), rank_ <= chosen.pinned
        why = Why({}, figures=dict(ranked.blank)) if i is None else ranked.why(ranked.rows[i], shelf.name)
        score = 1.0 if pinned or i is None else ranked.scores[i]
        out.append(_item(shelf.products[product], score, rank_, why, pinned=pinned))
    return out


def _item(product: dict[str, Any], score: float, rank: int, why: Why, *, pinned: bool) -> Item:
    return {
        "product_id": product["product_id"],
        "product_name": product["name"],
        "similarity_score": round(score, 4),
        "price": product["price"],
        "image_url": product["image_url"] or None,
        "rank": rank,
        "reason": message("recommend.pinned") if pinned else why.reason,
        "support": why.support,
        "pinned": pinned,
        **why.figures,
    }


def rank(
    model: Recommender,
    query: Query,
    why: Reasons,
    *,
    mask: np.ndarray,
    named: Callable[[Sequence[int]], Iterable[int]] = lambda rows: (),
    fits: Callable[[str], bool] = lambda product: True,
    blank: Mapping[str, Any] | None = None,
) -> Ranked:
    """The candidates of a model among the products of `mask`, as many as two looks can reach."""
    external = model.tables_.products.external
    found = model.top(query, k=MOST_RANKED, mask=mask)

    def names(rows: Sequence[int]) -> list[str]:
        return [str(external[i]) for i in named(rows)]

    return ranked(found, external, why, named=names, fits=fits, blank=blank or {})


def ranked(found: tuple[np.ndarray, np.ndarray], external: np.ndarray, why: Reasons, **more: Any) -> Ranked:
    """Rows and scores as candidates; `external` holds the products' ids by row."""
    rows, scores = found
    return Ranked(external[rows].tolist(), scores.tolist(), rows.tolist(), why, **more)


# --- reasons: from codes and figures to sentences ---------------------------------------------------


def told(reason: reasons.Reason, **names: str) -> Why:
    """The sentence of a reason; `names` holds those of the products it speaks of."""
    figures = {name: value for name, value in reason.figures.items() if name != "part"}
    return Why(message(f"recommend.{reason.code}", **figures, **names), reason.support)


def page_reasons(tables: Tables, row: int, likeness: Callable[[], np.ndarray]) -> Reasons:
    """Reasons beside one product: bought together, alike, a best seller. `likeness` is asked once, when needed."""
    held: list[tuple[dict[int, Support], np.ndarray]] = []

    def why(other: int, _name: Namer) -> Why:
        if not held:
            held.append((tables.supports(row) if row >= 0 else {}, likeness()))
        supports, alike = held[0]
        return told(reasons.of_pair(tables, supports.get(other), other, float(alike[other])))

    return why


def content_reasons(likeness: Callable[[], np.ndarray]) -> Reasons:
    """Reasons of what is alike: how much."""
    held: list[np.ndarray] = []

    def why(other: int, _name: Namer) -> Why:
        if not held:
            held.append(likeness())
        return Why(message("recommend.similar", similarity=round(100 * float(held[0][other]))))

    return why


FIGURES_TOGETHER = ("lift", "share_of_baskets", "share_lower", "baskets")
"""What an item of bought-together has beside the others."""


def together_reasons(tables: Tables, row: int) -> Reasons:
    """Reasons and figures of `bought_together`: lift, share of baskets, its lower bound, number of baskets."""
    supports = tables.supports(row) if row >= 0 else {}

    def why(other: int, _name: Namer) -> Why:
        support = supports[other]
        values = (round(support.lift, 3), round(support.share, 4), round(support.share_lower, 4), support.together)
        return replace(told(reasons.of_support(support)), figures=dict(zip(FIGURES_TOGETHER, values, strict=True)))

    return why


def sets_of(tables: Tables, wishes: Wishes, shelf: Shelf, *, most: int) -> list[dict[str, Any]]:
    """Sets as dicts: `products` (`product_id, product_name, price`), `price` of all, `baskets` and `lift`."""
    pairs = Pairs.of(tables.together, tables.orders_with, tables.orders)
    ids = {row: str(tables.products.external[row]) for row in np.unique(pairs.rows).tolist()}
    shelf.look(ids.values())
    sold = {row for row, one in ids.items() if shelf.sells(one) and not wishes.forbids(shelf.products[one])}
    found = sets(pairs, fits=sold.__contains__, most=most)
    return [_set([shelf.products[ids[row]] for row in one.rows], one) for one in found]


def _set(products: Sequence[Mapping[str, Any]], found: ProductSet) -> dict[str, Any]:
    prices = [product["price"] for product in products]
    return {
        "products": [
            {"product_id": product["product_id"], "product_name": product["name"], "price": price}
            for product, price in zip(products, prices, strict=True)
        ],
        "price": None if None in prices else sum(prices), "baskets": found.together, "lift": round(found.lift, 2),
    }  # fmt: skip


def trending_reasons(tables: Tables) -> Reasons:
    """Reasons of what is on the rise."""

    def why(other: int, _name: Namer) -> Why:
        return told(reasons.of_trend(tables, other))

    return why


def cause_reasons(tables: Tables, found: PersonReasons | BasketReasons) -> Reasons:
    """Reasons that name the product of the basket or history that speaks most for a recommendation."""

    def why(other: int, name: Namer) -> Why:
        reason = found.of(other)
        if reason.product is None:
            return told(reason)
        product = name(str(tables.products.external[reason.product]))
        if not product:
            return told(reasons.of_sales(tables, other))
        return told(reason, product=product)

    return why
