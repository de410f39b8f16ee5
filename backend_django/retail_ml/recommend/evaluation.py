"""How good a rule is on baskets it has not seen, and how good plain popularity is on the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from retail_ml.recommend.base import Batch, Mode, Recommender
from retail_ml.recommend.data import GUEST, Sales
from retail_ml.recommend.histories import Histories
from retail_ml.recommend.tables import Tables

TOP = 10
WINDOW_DAYS = 28
AT_ONCE = 1_000_000
"""Scores that are in memory at a time."""
RESAMPLES = 500
REPEATED = 5
"""Questions that one basket may answer, where there are few."""
MANY_PRODUCTS = 20_000

Floats = npt.NDArray[np.float64]
Window = tuple[float, float]
"""First moment and end (not included), in days as `Sales.time`."""


@dataclass(frozen=True)
class Questions:
    """Questions about a window, in the rows of tables that were learned before it, and what was really bought.

    `truth`: csr, questions × products, 1 where bought. `bought`: number of products bought, those included that the
    tables could not know: they cannot be hit and count as missed.
    """

    batch: Batch
    truth: sparse.csr_matrix
    bought: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bought)


@dataclass(frozen=True)
class Measure:
    """Means over cases. Coverage: share of the products that could be shown that were shown at least once."""

    cases: int
    hit_rate_10: float
    ndcg_10: float
    recall_10: float
    coverage: float
    each: Floats = field(compare=False, repr=False, default_factory=lambda: np.empty(0))
    """NDCG of every case: what a bootstrap draws from."""

    def beats(self, other: Measure, *, by_order: bool = False) -> bool:
        """More hits, with as many hits the better order; `by_order`: the better order, with equal order more hits."""
        mine, theirs = (self.hit_rate_10, self.ndcg_10), (other.hit_rate_10, other.ndcg_10)
        return mine[::-1] > theirs[::-1] if by_order else mine > theirs

    def with_(self, other: Measure) -> Measure:
        """Both windows' questions as one; coverage is the larger of the two."""
        cases = self.cases + other.cases
        hit, gain, recall = (
            (self.cases * mine + other.cases * theirs) / cases
            for mine, theirs in (
                (self.hit_rate_10, other.hit_rate_10), (self.ndcg_10, other.ndcg_10), (self.recall_10, other.recall_10),
            )
        )  # fmt: skip
        each = np.concatenate([self.each, other.each])
        return Measure(cases, hit, gain, recall, max(self.coverage, other.coverage), each)

    def rounded(self) -> dict[str, float | int]:
        """For a receipt."""
        return {
            "hit_rate_10": round(self.hit_rate_10, 4),
            "ndcg_10": round(self.ndcg_10, 4),
            "ndcg_error": round(bootstrap_error(self.each), 4),
            "recall_10": round(self.recall_10, 4),
            "coverage": round(self.coverage, 4),
            "cases": self.cases,
        }


def bootstrap_error(values: Floats, *, seed: int = 0) -> float:
    """Standard error of the mean of `values`, by drawing them again 500 times (Efron 1979).

    >>> abs(bootstrap_error(np.arange(100.0)) - 28.87 / 10) < 0.3  # standard deviation / √100
    True
    """
    if len(values) < 2:
        return 0.0
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    return float(np.std(means))


def better(one: Measure, other: Measure, *, errors: float = 1.0) -> bool:
    """Is the NDCG of `one` above that of `other`, on the same cases, by more than `errors` bootstrap errors?"""
    gap = one.each - other.each
    return bool(len(gap) > 1 and gap.mean() > errors * bootstrap_error(gap))


def windows(sales: Sales, *, most: int = 3) -> list[Window]:
    """The last windows of a shop's data, up to three, the earliest first: 28 days each, or a quarter of its history.

    What lies before the first window is at least as long as a window. None in fewer than four days of sales.

    >>> from datetime import date
    >>> from retail_ml.tests.recommend.small import catalogue, order_lines
    >>> half = order_lines({"1": "ab", "2": "a"}, days={"1": date(2026, 1, 1), "2": date(2026, 6, 30)})
    >>> found = windows(Sales.of(half, catalogue("ab"), as_of=date(2026, 6, 30)))
    >>> [(end - start) for start, end in found], found[-1][1] - found[0][0]
    ([28.0, 28.0, 28.0], 84.0)
    """
    if sales.first is None or (whole := sales.now - np.floor(sales.first)) < 4:
        return []
    days = min(float(WINDOW_DAYS), float(whole // 4))
    found = [(sales.now - (i + 1) * days, sales.now - i * days) for i in range(most)]
    return [window for window in reversed(found) if window[0] - sales.first >= days]


def page_questions(sales: Sales, tables: Tables, window: Window, *, limit: int = 1_200, seed: int = 0) -> Questions:
    """One product of a later basket (two or more) is shown; was another of the basket among the answers?

    One product per basket drawn at random; up to five where there are fewer than 300 baskets, so that a small
    shop's figure rests on more than a handful of questions.
    """
    rng = np.random.default_rng(seed)
    orders = _orders(sales, window, smallest=2)
    each = 1 if len(orders) >= 300 else 5
    shown, order = [], []
    for at in orders.tolist():
        basket = sales.matrix.indices[sales.matrix.indptr[at] : sales.matrix.indptr[at + 1]]
        some = rng.permutation(basket)[:each]
        shown.append(some)
        order += [at] * len(some)
    subjects, kept = np.concatenate(shown) if shown else np.empty(0, np.int64), np.array(order, np.int64)
    chosen = _some(len(kept), at_most(limit, len(tables)), rng)
    return _asked(sales, tables, kept[chosen], _ones(subjects[chosen], sales.matrix.shape[1]))


def basket_questions(
    sales: Sales, tables: Tables, window: Window, *, limit: int = 1_200, smallest: int = 3, seed: int = 0
) -> Questions:
    """One product of a later basket, drawn at random, is hidden; is it among the answers for the rest?

    Where there are fewer baskets than questions that may be asked, each is asked up to five times.
    """
    rng = np.random.default_rng(seed)
    orders, most = _orders(sales, window, smallest=smallest), at_most(limit, len(tables))
    again = min(REPEATED, most // max(len(orders), 1))
    orders = np.repeat(orders, again) if again > 1 else orders[_some(len(orders), most, rng)]
    whole = sales.matrix[orders]
    size = np.diff(whole.indptr)
    hidden = whole.indices[whole.indptr[:-1] + (rng.random(len(orders)) * size).astype(np.int64)]
    rest = whole.astype(np.int8) - _ones(hidden, whole.shape[1])
    rest.eliminate_zeros()
    return _asked(sales, tables, orders, rest.tocsr())


def customer_questions(
    sales: Sales, tables: Tables, window: Window, *, mode: Mode = "all", limit: int = 800, seed: int = 0
) -> Questions:
    """What customers known before the window bought in it: all, what they never had bought, or what they had."""
    rng = np.random.default_rng(seed)
    before, later = sales.time < window[0], _within(sales, window)
    known = np.unique(sales.customer[before & (sales.customer != GUEST)])
    both = np.intersect1d(known, sales.customer[later])
    chosen = both[_some(len(both), at_most(limit, len(tables)), rng)]
    place = np.full(sales.customers + 1, -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    orders = np.flatnonzero(later & (sales.customer != GUEST) & (place[sales.customer] >= 0))
    gather = _ones_at(place[sales.customer[orders]], np.arange(len(orders)), (len(chosen), len(orders)))
    bought = (gather @ sales.matrix[orders]).tocsr()
    histories = _known_at(sales, window[0], chosen, tables)
    columns = tables_rows(sales, tables)
    truth = bought[:, columns]
    truth.data[:] = 1
    total = np.diff(bought.indptr)
    had = histories.pattern.astype(bool)
    if mode == "novel":
        total = total - np.diff(truth.multiply(had).tocsr().indptr)
        truth = (truth - truth.multiply(had)).tocsr()
    elif mode == "repeat":
        truth = truth.multiply(had).tocsr()
        total = np.diff(truth.indptr)
    truth.eliminate_zeros()
    asked = np.flatnonzero(total > 0)
    batch = Batch.of_customers(_only(histories, asked), mask=np.ones(len(tables), bool), mode=mode)
    return Questions(batch, truth[asked], total[asked].astype(np.int64))


def measure(model: Recommender, questions: Questions) -> Measure | None:
    """Hit rate, NDCG, recall and coverage at 10 of a fitted model; None without a question.

    Every product of the model is a candidate: what was in stock on the day is not known. NDCG: binary gains, ideal
    order of min(10, bought).

    >>> ndcg(np.array([[0.0, 1.0]]), np.array([1])).round(4).tolist()
    [0.6309]
    """
    if not len(questions):
        return None
    hits = np.zeros((len(questions), TOP))
    shown = np.zeros(len(model.tables_), bool)
    size = step(len(model.tables_))
    for first in range(0, len(questions), size):
        last = min(first + size, len(questions))
        true = questions.truth[first:last].toarray() > 0
        for at, (rows, _) in enumerate(model.top_many(questions.batch.part(first, last), k=TOP)):
            hits[first + at, : len(rows)] = true[at, rows]
            shown[rows] = True
    gains = ndcg(hits, questions.bought)
    recall = hits.sum(axis=1) / questions.bought
    return Measure(
        len(questions), float(hits.any(axis=1).mean()), float(gains.mean()), float(recall.mean()), float(shown.mean()),
        gains,
    )  # fmt: skip


def at_most(limit: int, products: int) -> int:
    """Questions that are asked: fewer in a catalogue of more than 20,000 products, but a quarter at least.

    >>> at_most(800, 5_000), at_most(800, 40_000), at_most(800, 100_000)
    (800, 400, 200)
    """
    return max(limit * MANY_PRODUCTS // max(products, MANY_PRODUCTS), limit // 4)


def step(products: int) -> int:
    """Questions that are answered at a time."""
    return max(AT_ONCE // max(products, 1), 1)


def ndcg(hits: Floats, bought: npt.NDArray[np.int64]) -> Floats:
    """Discounted gain of lists of hits (1) and misses (0), over that of the best possible lists of ten.

    Järvelin and Kekäläinen 2002, with log2(rank + 1). Shapes: questions × 10, and questions.

    >>> ndcg(np.array([[1.0, 1.0]]), np.array([2])).tolist()
    [1.0]
    """
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    ideal = np.cumsum(discount)[np.clip(bought, 1, TOP) - 1]
    return np.asarray((hits * discount[: hits.shape[1]]).sum(axis=1) / ideal)


def tables_rows(sales: Sales, tables: Tables) -> npt.NDArray[np.int64]:
    """For each product of the tables its column in `sales` (which hold more: products sold later)."""
    return np.searchsorted(sales.products.external, tables.products.external)


def _within(sales: Sales, window: Window) -> npt.NDArray[np.bool_]:
    return np.asarray((sales.time >= window[0]) & (sales.time < window[1]))


def _orders(sales: Sales, window: Window, *, smallest: int) -> npt.NDArray[np.int64]:
    return np.flatnonzero(_within(sales, window) & (np.diff(sales.matrix.indptr) >= smallest))


def _asked(sales: Sales, tables: Tables, orders: npt.NDArray[np.int64], subjects: sparse.csr_matrix) -> Questions:
    """Questions about orders: their subjects are shown, the rest of each is the truth."""
    rest = sales.matrix[orders] - subjects
    rest.eliminate_zeros()
    bought = np.diff(rest.tocsr().indptr).astype(np.int64)
    columns = tables_rows(sales, tables)
    batch = Batch.of_subjects(subjects[:, columns].tocsr(), mask=np.ones(len(tables), bool))
    return Questions(batch, rest.tocsr()[:, columns], bought)


def _known_at(sales: Sales, moment: float, customers: npt.NDArray[np.integer], tables: Tables) -> Histories:
    """The customers' purchases before a moment, in the rows of the tables."""
    whole = Histories.of(sales, customers)
    row = np.full(sales.matrix.shape[1], -1, np.int64)
    row[tables_rows(sales, tables)] = np.arange(len(tables))
    age = whole.age - (sales.now - moment)
    kept = (age > 0) & (row[whole.product] >= 0)
    return Histories(
        whole.customer[kept], row[whole.product[kept]], whole.order[kept], age[kept], whole.count, len(tables)
    )


def _only(histories: Histories, customers: npt.NDArray[np.int64]) -> Histories:
    place = np.full(histories.count, -1, np.int64)
    place[customers] = np.arange(len(customers))
    kept = place[histories.customer] >= 0
    return Histories(
        place[histories.customer[kept]], histories.product[kept], histories.order[kept], histories.age[kept],
        len(customers), histories.products,
    )  # fmt: skip


def _some(count: int, limit: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.arange(count) if count <= limit else np.sort(rng.choice(count, limit, replace=False))


def _ones(columns: npt.NDArray[np.integer], width: int) -> sparse.csr_matrix:
    return _ones_at(np.arange(len(columns)), columns, (len(columns), width))


def _ones_at(
    rows: Sequence[int] | npt.NDArray[np.integer], columns: npt.NDArray[np.integer], shape: tuple[int, int]
) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(columns), np.float32), (rows, columns)), shape=shape)
