"""What the second stage is told of a customer and a candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retail_ml.recommend.base import Batch, Scores, dense, scaled
from retail_ml.recommend.crowd import Crowd
from retail_ml.recommend.models import pull
from retail_ml.recommend.tables import Tables

LONG, SHORT = 480.0, 30.0
"""Half-lives (days) of the two profiles that bring candidates."""
BY_LONG, BY_SHORT, RECENT_SELLERS, STEADY_SELLERS = 80, 120, 60, 40
NAMES = (
    "cf_30", "cf_480", "cf_30_scaled", "cf_480_scaled", "repeat_30", "repeat_120", "repeat_480", "repeat_120_scaled",
    "orders_with", "freshness", "due", "habit", "bought", "share_7", "share_14", "share_28", "share_90", "share_365",
    "trend_7_28", "trend_14_365", "item_age", "crowd", "crowd_scaled",
)  # fmt: skip
"""Columns of the features, in order."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Pairs of a question and a product, sorted by both, with the features of each: float32, pairs × columns."""

    question: Rows
    product: Rows
    features: npt.NDArray[np.float32]


def candidates(tables: Tables, crowd: Crowd, batch: Batch) -> Candidates:
    """The candidates of every question of a batch (some 300 each), of the products of its mask only.

    What the customer bought; the 80 that go best with his long profile; the 120 that go best with his short one, the
    rising first; 60 best sellers of the last weeks and 40 of all time. Mode "novel" leaves out what he bought, mode
    "repeat" everything else.
    """
    rhythm = tables.weights.rhythm
    long, short = (pull(tables, batch, days * rhythm) for days in (LONG, SHORT))
    bought = dense(batch.histories.pattern)
    question, product = np.nonzero(chosen(tables, batch, long=long, short=short))
    columns = _of_customer(tables, batch, bought, (question, product))
    crowd_mean = crowd.mean(batch.histories)
    both = [short, long, scaled(short), scaled(long)]
    near = [crowd_mean, scaled(crowd_mean)]
    evened = [
        *(_evened(score[question, product]) for score in both),
        *(_evened(column) for column in columns),
        *(_evened(column[product]) for column in _of_product(tables)),
        *(_evened(score[question, product]) for score in near),
    ]
    return Candidates(question, product, np.stack(evened, axis=1))


def _evened(column: Scores) -> npt.NDArray[np.float32]:
    """sign(x) · log(1 + 10 |x|): shares and counts on one scale."""
    return np.asarray(np.sign(column) * np.log1p(10 * np.abs(column)), np.float32)


def chosen(tables: Tables, batch: Batch, *, long: Scores, short: Scores) -> npt.NDArray[np.bool_]:
    """True for the candidates, questions × products; `long` and `short`: what the profiles pull."""
    bought = dense(batch.histories.pattern) > 0
    if batch.mode == "repeat":
        return bought & batch.mask
    allowed = np.broadcast_to(batch.mask, bought.shape)
    if batch.mode == "novel":
        allowed = allowed & ~bought
    rising = np.sqrt(tables.trend(7))
    out = bought & allowed
    for score, most in (
        (long * allowed, BY_LONG),
        (short * rising * allowed, BY_SHORT),
        (tables.share(14) * allowed, RECENT_SELLERS),
        (tables.share(365) * allowed, STEADY_SELLERS),
    ):
        out |= _top(score, most)
    return out


def _top(score: Scores, most: int) -> npt.NDArray[np.bool_]:
    """True for the `most` largest of each row, above 0 (with all that equal the last of them)."""
    if score.shape[1] <= most:
        return score > 0
    floor = np.partition(score, -most, axis=1)[:, -most][:, None]
    return np.asarray((score >= floor) & (score > 0))


def _of_customer(tables: Tables, batch: Batch, bought: Scores, at: tuple[Rows, Rows]) -> list[Scores]:
    """Columns that hang on the customer's own orders."""
    rhythm, histories = tables.weights.rhythm, batch.histories
    repeats = [dense(histories.decayed(days * rhythm)) for days in (SHORT, 120.0, LONG)]
    counts = bought[at]
    since = dense(histories.last)[at] / rhythm
    age = histories.first_age[at[0]] / rhythm
    had = counts > 0
    usual = np.maximum(age, 1.0) / np.maximum(counts, 1.0)
    return [
        *(score[at] for score in repeats),
        scaled(repeats[1])[at],
        counts,
        np.where(had, 1 / (1 + since / 10), 0.0),
        np.where(had, np.minimum(since / usual, 5.0), 0.0),
        counts / np.maximum(histories.orders[at[0]], 1.0),
        had.astype(float),
    ]


def _of_product(tables: Tables) -> list[Scores]:
    """Columns that hang on the product alone."""
    floor = 0.05 / max(len(tables), 1)
    shares = {days: tables.share(days) for days in (7, 14, 28, 90, 365)}
    age = np.nan_to_num(np.maximum(tables.now - tables.first_sold, 0.0))
    return [
        *shares.values(),
        np.log((shares[7] + floor) / (shares[28] + floor)),
        np.log((shares[14] + floor) / (shares[365] + floor)),
        np.log1p(age),
    ]
