"""Which products look like which: words of the title, category, brand, price."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LIKENESS = (1.0, 0.25, 0.15)
"""Title, category, brand: at most so much."""
PRICE_BAND = 0.7
"""Difference of log prices at which a look-alike counts exp(-1/2)."""


@dataclass(frozen=True, eq=False)
class Looks:
    """Titles as unit vectors of weighted words (products, words), category and brand numbers (−1 none), log price."""

    words: csr_array
    category: Ints
    brand: Ints
    price: Floats

    def likeness(self, rows: Ints, others: Ints) -> Floats:
        """How much each of `rows` looks like each of `others`, (rows, others), from 0 to 1.4."""
        title = np.asarray((self.words[rows] @ self.words[others].T).todense())
        found = LIKENESS[0] * title
        for weight, label in zip(LIKENESS[1:], (self.category, self.brand), strict=True):
            found += weight * ((label[rows][:, None] == label[others]) & (label[others] >= 0))
        far = np.nan_to_num(self.price[rows][:, None] - self.price[others], nan=PRICE_BAND)
        return np.asarray(found * np.exp(-0.5 * np.square(far / PRICE_BAND)))


def looks(products: pl.DataFrame, known: npt.NDArray[np.bool_] | None = None) -> Looks:
    """From the columns name, category, brand, price of `frames.PRODUCTS`; rows as in the table.

    `known` (products,): those that may be look-alikes; default: all. Words count log(1 + known products/those with
    it) each. Words of no other known title are left out: they tell of nothing that is shared. A title without a word
    left is like nothing. So a product that is not known changes nothing for the others.

    >>> table = pl.DataFrame({"name": ["Red candle", "Blue candle", "Mug"], "category": ["", "", ""],
    ...     "brand": ["", "", ""], "price": [2.0, 2.0, 2.0]})
    >>> looks(table).likeness(np.array([0]), np.array([1, 2])).round(2).tolist()
    [[1.0, 0.0]]
    """
    tokens = [sorted(set(_words(name))) for name in products["name"]]
    flat = [word for title in tokens for word in title]
    vocabulary, column = np.unique(np.array(flat, dtype=str), return_inverse=True)
    row = np.repeat(np.arange(len(tokens)), [len(title) for title in tokens])
    counts = np.ones(len(tokens)) if known is None else known.astype(float)
    among = np.bincount(column, weights=counts[row], minlength=len(vocabulary))[column]
    weight = np.where(among > counts[row], np.log1p(counts.sum() / np.maximum(among, 1)), 0.0)
    norm = np.sqrt(np.bincount(row, weights=weight**2, minlength=len(tokens)))[row]
    words = csr_array(
        (np.divide(weight, norm, out=np.zeros_like(weight), where=norm > 0), (row, column)),
        shape=(len(tokens), max(len(vocabulary), 1)),
    )
    price = products["price"].fill_null(float("nan")).to_numpy().astype(float)
    return Looks(words, _labels(products["category"]), _labels(products["brand"]), _log(price))


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return [word for word in re.findall(r"[a-z0-9]+", plain) if len(word) > 1]


def _labels(column: pl.Series) -> Ints:
    return (column.fill_null("").replace("", None).rank("dense").cast(pl.Int64) - 1).fill_null(-1).to_numpy()


def _log(price: Floats) -> Floats:
    return np.log(price, out=np.full(len(price), np.nan), where=price > 0)
