"""Peers tuned on the 28 days before T, for each question by itself, and fitted again on all before T."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import polars as pl

from benchmarks.recommendation import protocol
from benchmarks.recommendation.peers.base import Orders, Peer
from benchmarks.recommendation.peers.factors import ALS, BPR, ItemNeighbours
from benchmarks.recommendation.peers.linear import EASE, PureSVD, Tutorial
from benchmarks.recommendation.peers.personal import TIFUKNN, UPCF, PersonalFrequency, Popularity
from benchmarks.recommendation.peers.rules import MEASURES, Rules

MOST_ASKED = 500
Grid = Sequence[Mapping[str, Any]]
Validation = Callable[[pl.DataFrame, float], protocol.Split]


def grid(**options: Sequence[Any]) -> list[dict[str, Any]]:
    """Every combination.

    >>> grid(a=(1, 2), b=(3,))
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    out: list[dict[str, Any]] = [{}]
    for name, values in options.items():
        out = [known | {name: value} for known in out for value in values]
    return out


class Tuned:
    """A kind of peer with its grid; `validation` splits what is known for the choice of each question's parameters."""

    def __init__(self, kind: type[Peer], options: Grid = ({},), *, validation: Validation = protocol.last_days) -> None:
        self.kind, self.options, self.validation = kind, list(options), validation
        self.asked = kind.asked

    def fit(self, lines: pl.DataFrame, products: pl.DataFrame, now: float) -> Self:
        """Choose on the last part of what is known, then learn from all of it."""
        whole = Orders.of(lines, products, now)
        chosen = self._chosen(lines, products, now) if len(self.options) > 1 else {}
        self.chosen = {question: chosen.get(question, 0) for question in self._questions()}
        fitted = {at: self.kind(**self.options[at]).learn_from(whole) for at in set(self.chosen.values())}
        self.models = {question: fitted[at] for question, at in self.chosen.items()}
        return self

    def _questions(self) -> list[str]:
        found = {"customer": list(protocol.MODES), "basket": ["basket", "single"], "new": ["new"]}
        return [question for kind in self.asked for question in found[kind]]

    def _chosen(self, lines: pl.DataFrame, products: pl.DataFrame, now: float) -> dict[str, int]:
        """For each question the best place in `options`; none where the window holds nothing to ask."""
        split = self.validation(lines, now)
        if not len(split.before) or not len(split.window):
            return {}
        earlier = Orders.of(split.before, products, split.now)
        persons = protocol.people(split)
        rng = np.random.default_rng(0)
        if len(persons) > MOST_ASKED:
            persons = [persons[i] for i in rng.choice(len(persons), MOST_ASKED, replace=False)]
        asked, best = protocol.baskets(split, most=MOST_ASKED), dict[str, tuple[float, int]]()
        for at, options in enumerate(self.options):
            model = self.kind(**options).learn_from(earlier)
            for question, value in self._values(model, persons, asked).items():
                if question not in best or value > best[question][0]:
                    best[question] = (value, at)
        return {question: at for question, (_, at) in best.items()}

    def _values(
        self, model: Peer, persons: list[protocol.Person], asked: Sequence[np.ndarray[Any, Any]]
    ) -> dict[str, float]:
        count = len(model.data.products)
        found: dict[str, float] = {}
        if "customer" in self.asked and persons:
            found |= {m: protocol.personal(model, persons, m, products=count).ndcg for m in protocol.MODES}
        if "basket" in self.asked and asked:
            found["basket"] = protocol.completion(model, asked, products=count).hit10
            found["single"] = protocol.single(model, asked, products=count).hit10
            found["new"] = found["single"]  # nothing is known of a new product: as on any page
        return found

    # --- the interface of the benchmark ---

    def recommend_many(self, customers: Sequence[int], k: int, mode: str = "all") -> list[list[int]]:
        """Lists for customers."""
        return self.models[mode].recommend_many(customers, k, mode)

    def complete_many(self, baskets: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """How baskets go on."""
        return self.models["basket"].complete_many(baskets, k)

    def together_many(self, products: Sequence[int], k: int) -> list[list[int]]:
        """What goes with single products."""
        return self.models["single"].complete_many([[p] for p in products], k)

    def beside_new(self, product: int, k: int) -> list[int]:
        """The page of a product never sold."""
        return self.models["new"].beside_new(product, k)  # type: ignore[attr-defined]


POPULARITY = grid(days=(3.0, 7.0, 14.0, 28.0, 90.0, 365.0, 1e9))
RECENCY = grid(days=(7.0, 28.0, 1e9))


def peers(validation: Validation = protocol.last_days) -> dict[str, Callable[[], Tuned]]:
    """Every peer by its name, ready to be fitted."""

    def tuned(kind: type[Peer], options: Grid = ({},)) -> Callable[[], Tuned]:
        return lambda: Tuned(kind, options, validation=validation)

    neighbours = (20, 400)
    return {
        "Pop": tuned(Popularity, POPULARITY),
        "PTopFreq": tuned(PersonalFrequency, RECENCY),
        "TIFU-KNN": tuned(TIFUKNN, grid(k=(100, 300), alpha=(0.2, 0.7), between=(0.6, 0.9))),
        "UP-CF": tuned(UPCF, grid(recent=(5, 25, 10_000), locality=(5.0, 20.0))),
        "Cosine": tuned(ItemNeighbours, grid(kind=("Cosine",), neighbours=neighbours)),
        "TF-IDF": tuned(ItemNeighbours, grid(kind=("TFIDF",), neighbours=neighbours)),
        "BM25": tuned(ItemNeighbours, grid(kind=("BM25",), neighbours=neighbours)),
        "ALS": tuned(ALS, grid(factors=(32, 128), alpha=(1.0, 10.0))),
        "BPR": tuned(BPR, grid(iterations=(100, 300))),
        "PureSVD": tuned(PureSVD, grid(factors=(20, 80, 300))),
        "EASE": tuned(EASE, grid(penalty=(100.0, 500.0), of_orders=(False, True))),
        "Tutorial": tuned(Tutorial),
        **{f"rules, {name}": tuned(Rules, grid(measure=(name,), least=(1, 5))) for name in MEASURES},
    }
