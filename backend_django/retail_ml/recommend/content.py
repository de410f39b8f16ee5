"""Products that are described alike: TF-IDF of words and letter groups, and a price that is near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from retail_ml import engine
from retail_ml.recommend.neighbours import Neighbours, top_of

WORD_BITS, LETTER_BITS = 17, 18
"""Words and letter groups are hashed into 2^17 and 2^18 columns: no vocabulary has to be stored."""
COMMON = 2_000
"""A term that more products than this share says little and costs much: it is left out."""
WORK = 200_000_000
"""Pairs of products with a common term, counted for every term, that may be looked at: in a large catalogue the
commonest terms beyond that are left out, too."""
BLOCK = 500
MOST_AT_ONCE = 10_000
"""Products whose neighbours are one part of the work, at most."""


@dataclass(frozen=True)
class TextIndex:
    """The products' texts as unit vectors, with the weights that a new text needs.

    `vectors`: csr float32, products × terms; `idf`: float32, terms; `price`: float64, products, NaN: unknown.
    """

    vectors: sparse.csr_matrix
    idf: npt.NDArray[np.float32]
    price: npt.NDArray[np.float64]

    @classmethod
    def of(cls, texts: Sequence[str], price: npt.NDArray[np.float64]) -> TextIndex:
        """Index of `texts`: words and pairs of words, letter groups of 3 to 5, (1 + log tf) × idf, length 1.

        idf = log((1 + n) / (1 + df)) + 1 (scikit-learn's smooth form).

        >>> index = TextIndex.of(["red dress", "red dress long", "blue bag"], np.array([20.0, 20.0, 20.0]))
        >>> near = index.similar_to("red dress", price=20.0)
        >>> near.argmax(), bool(near[1] > near[2])
        (np.int64(0), True)
        """
        return cls.counted(count_terms(texts), price)

    @classmethod
    def counted(cls, counts: sparse.csr_matrix, price: npt.NDArray[np.float64]) -> TextIndex:
        """`of` texts whose terms `count_terms` has counted."""
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        idf = np.log((1 + counts.shape[0]) / (1 + frequency)) + 1
        idf[frequency > min(COMMON, _commonest(frequency))] = 0
        idf = idf.astype(np.float32)
        return cls(_weigh(counts, idf), idf, price)

    def similar_to(self, text: str, *, price: float | None) -> npt.NDArray[np.float64]:
        """Similarity 0…1 of every product to a text and a price: cosine × exp(-0.5 |log price ratio|)."""
        vector = _weigh(count_terms([text]), self.idf)
        cosine = np.asarray((self.vectors @ vector.T).todense()).ravel().astype(np.float64)
        own = np.nan if price is None else float(price)
        return np.clip(cosine * price_nearness(own, self.price), 0.0, 1.0)

    def neighbours(self, k: int) -> Neighbours:
        """The `k` most similar products of each, without itself."""
        where = engine.blocks(self.vectors.shape[0], most=MOST_AT_ONCE)
        if not where:
            return Neighbours.none(0, k)
        size = [rows.stop - rows.start for rows in where]
        return Neighbours(*engine.joined(partial(_nearest, self, k), where, rows=size))

    def alike(self, rows: npt.NDArray[np.integer]) -> sparse.csr_matrix:
        """Similarity 0…1 of some products to every product, themselves at 0: csr float32, rows × products."""
        block = (self.vectors[rows] @ self._across).tocsr()
        row = np.repeat(rows, np.diff(block.indptr))
        near = price_nearness(self.price[row], self.price[block.indices])
        block.data = np.clip(block.data * near, 0, 1).astype(np.float32)
        block.data[block.indices == row] = 0
        block.sort_indices()
        return block

    @cached_property
    def _across(self) -> sparse.csr_matrix:
        return self.vectors.T.tocsr()


def _nearest(index: TextIndex, k: int, rows: slice) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """`TextIndex.neighbours` of some products: ids and scores."""
    starts = range(rows.start, rows.stop, BLOCK)
    some = ((first - rows.start, index.alike(np.arange(first, min(first + BLOCK, rows.stop)))) for first in starts)
    found = top_of(some, rows.stop - rows.start, k)
    return found.ids, found.score


def product_texts(catalogue: pl.DataFrame) -> list[str]:
    """Name, brand, category and description of each product as one text; the category also as a word of its own.

    >>> product_texts(pl.DataFrame({"name": ["Linen shirt"], "brand": [""], "category": ["Men / Shirts"],
    ...     "description": ["Light."]}))
    ['Linen shirt   Men / Shirts Light. category_men_shirts']
    """
    word = pl.col("category").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "_")
    own = pl.when(pl.col("category") == "").then(pl.lit("")).otherwise(pl.lit(" category_") + word)
    joined = pl.concat_str([pl.col("name", "brand", "category", "description")], separator=" ")
    return catalogue.select(text=joined + own)["text"].to_list()


def price_nearness(one: float | npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """exp(-0.5 |log(one / other)|): 1 at the same price, 0.71 at twice or half; 1 where a price is unknown or 0.

    >>> price_nearness(10.0, np.array([10.0, 40.0, np.nan])).tolist()
    [1.0, 0.5, 1.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(np.asarray(one, dtype=np.float64) / other)
    return np.where(np.isfinite(ratio), np.exp(-0.5 * np.abs(np.nan_to_num(ratio))), 1.0)


def count_terms(texts: Sequence[str]) -> sparse.csr_matrix:
    """How often each hashed word, pair of words and letter group stands in each text: csr, texts × terms."""
    from sklearn.feature_extraction.text import HashingVectorizer

    if not len(texts):
        return sparse.csr_matrix((0, 2**WORD_BITS + 2**LETTER_BITS), dtype=np.float32)
    common = {"norm": None, "alternate_sign": False, "strip_accents": "unicode", "dtype": np.float32}
    words = HashingVectorizer(
        analyzer="word", token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), n_features=2**WORD_BITS, **common
    )
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=2**LETTER_BITS, **common)
    return sparse.hstack([words.transform(texts), letters.transform(texts)], format="csr")


def _commonest(frequency: npt.NDArray[np.integer]) -> float:
    """The largest number of products a term may stand in so that all pairs of products with a common term fit WORK."""
    ranked = np.sort(frequency[frequency > 0]).astype(np.float64)
    fits = int(np.searchsorted(np.cumsum(np.square(ranked)), WORK, side="right"))
    return float(ranked[fits]) - 1 if fits < len(ranked) else np.inf


def _weigh(counts: sparse.csr_matrix, idf: npt.NDArray[np.float32]) -> sparse.csr_matrix:
    data = (1 + np.log(counts.data)) * idf[counts.indices]
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(row, weights=data * data, minlength=counts.shape[0]))
    data = (data / np.maximum(length, 1e-12)[row]).astype(np.float32)
    return sparse.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)
