"""Binary scorers of the second stage: logistic regression and boosted trees, stored as plain arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache, cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Features = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Arrays = dict[str, np.ndarray]

TREES, LEAVES, RATE, LEAST_ROWS = 150, 31, 0.05, 100

MOST_ROWS = 100_000
"""Rows that trees learn from: of more, all that were bought and as many others as fill up, at least as many."""


@cache
def lightgbm_here() -> bool:
    """Can LightGBM be loaded? Its wheel needs the system library libgomp, which a small server may lack."""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


class Scorer(ABC):
    """Says how likely rows of features are bought; learned from rows with the label 0 or 1."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def learn(cls, X: Features, y: npt.NDArray[np.bool_], *, seed: int) -> Self:
        """Learn from rows × columns and a label per row (both labels must occur)."""

    @abstractmethod
    def probability(self, X: Features) -> Floats:
        """Probability of the label 1 of each row."""

    @abstractmethod
    def to_arrays(self) -> Arrays:
        """Arrays that `from_arrays` takes back."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The scorer that `to_arrays` gave; the arrays may be memory-mapped."""


class Logistic(Scorer):
    """Logistic regression on standardised columns, C = 0.1."""

    kind = "logistic"

    def __init__(self, mean: Floats, scale: Floats, weight: Floats) -> None:
        self.mean, self.scale, self.weight = mean, scale, weight

    @classmethod
    def learn(cls, X: Features, y: npt.NDArray[np.bool_], *, seed: int) -> Self:
        """Deterministic: `seed` plays no part."""
        from sklearn.linear_model import LogisticRegression

        mean, scale = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
        scale = np.where(scale > 1e-9, scale, 1.0)
        with threadpool_limits(1):
            model = LogisticRegression(C=0.1, max_iter=300, tol=1e-4)
            model.fit((X - mean) / scale, y)
        return cls(mean, scale, np.concatenate([model.coef_[0], model.intercept_]))

    def probability(self, X: Features) -> Floats:
        """1 / (1 + exp(-z))."""
        z = ((X - self.mean) / self.scale) @ self.weight[:-1] + self.weight[-1]
        return np.asarray(1 / (1 + np.exp(-np.clip(z, -50, 50))))

    def to_arrays(self) -> Arrays:
        """Three arrays of the length of the columns (one more: the intercept)."""
        return {"mean": self.mean, "scale": self.scale, "weight": self.weight}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The same scorer."""
        return cls(*(np.asarray(arrays[name]) for name in ("mean", "scale", "weight")))


class LightTrees(Scorer):
    """LightGBM, binary objective; kept as LightGBM's own text."""

    kind = "lightgbm"

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def learn(cls, X: Features, y: npt.NDArray[np.bool_], *, seed: int) -> Self:
        """One thread, deterministic."""
        import lightgbm

        settings: dict[str, Any] = {
            "objective": "binary", "num_leaves": LEAVES, "learning_rate": RATE, "min_data_in_leaf": LEAST_ROWS,
            "bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.6, "seed": seed, "num_threads": 1,
            "deterministic": True, "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip
        data = lightgbm.Dataset(X, label=y.astype(np.float32), free_raw_data=True)
        return cls(lightgbm.train(settings, data, num_boost_round=TREES).model_to_string())

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    def probability(self, X: Features) -> Floats:
        """The booster's own, on one thread."""
        if not len(X):
            return np.empty(0)
        return np.asarray(self._booster.predict(X, num_threads=1), dtype=np.float64)

    def to_arrays(self) -> Arrays:
        """The text as bytes."""
        return {"text": np.frombuffer(self.text.encode(), np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The same scorer."""
        return cls(np.asarray(arrays["text"]).tobytes().decode())


class PlainTrees(Scorer):
    """scikit-learn's HistGradientBoosting where LightGBM cannot be loaded; kept as its nodes, walked by NumPy."""

    kind = "hist_gradient_boosting"

    def __init__(self, nodes: np.ndarray, start: float) -> None:
        self.nodes, self.start = nodes, start

    @classmethod
    def learn(cls, X: Features, y: npt.NDArray[np.bool_], *, seed: int) -> Self:
        """The same size of trees; without sampling of rows."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=TREES, learning_rate=RATE, max_leaf_nodes=LEAVES, min_samples_leaf=LEAST_ROWS, max_features=0.6,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        with threadpool_limits(1):
            model.fit(X, y)
        parts, offset = [], 0
        for (tree,) in model._predictors:
            found, moved = tree.nodes, np.zeros(len(tree.nodes), NODE)
            leaf = found["is_leaf"].astype(bool)
            moved["column"], moved["below"] = found["feature_idx"], found["num_threshold"]
            moved["left"], moved["right"] = found["left"] + offset, found["right"] + offset
            moved["value"], moved["leaf"] = found["value"], leaf
            moved["root"][0] = True
            parts.append(moved)
            offset += len(found)
        return cls(np.concatenate(parts), float(np.ravel(model._baseline_prediction)[0]))

    def probability(self, X: Features) -> Floats:
        """Sum of the leaves that a row falls into, through the logistic function."""
        z = np.full(len(X), self.start)
        roots = np.flatnonzero(self.nodes["root"])
        at = np.tile(roots, (len(X), 1))
        row = np.broadcast_to(np.arange(len(X))[:, None], at.shape)
        active = ~self.nodes["leaf"][at]
        while active.any():
            node = at[active]
            left = X[row[active], self.nodes["column"][node]] <= self.nodes["below"][node]
            at[active] = np.where(left, self.nodes["left"][node], self.nodes["right"][node])
            active = ~self.nodes["leaf"][at]
        z += self.nodes["value"][at].sum(axis=1)
        return np.asarray(1 / (1 + np.exp(-np.clip(z, -50, 50))))

    def to_arrays(self) -> Arrays:
        """The nodes of all trees one after the other, and what the sum starts from."""
        return {"nodes": self.nodes, "start": np.array([self.start])}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The same scorer."""
        return cls(np.asarray(arrays["nodes"]), float(arrays["start"][0]))


NODE = np.dtype(
    [("column", "i4"), ("below", "f8"), ("left", "i4"), ("right", "i4"), ("value", "f8"), ("leaf", "?"), ("root", "?")]
)
SCORERS: dict[str, type[Scorer]] = {found.kind: found for found in (Logistic, LightTrees, PlainTrees)}


def thinned(X: Features, y: npt.NDArray[np.bool_], *, seed: int) -> tuple[Features, npt.NDArray[np.bool_]]:
    """The rows that trees learn from, see MOST_ROWS. Chances come out too high by one factor of the odds for all rows:
    the order, which is all that is used of them, stays.

    >>> X, y = thinned(np.zeros((300_000, 1), np.float32), np.arange(300_000) < 20_000, seed=0)
    >>> len(X), int(y.sum())
    (100000, 20000)
    """
    bought = int(y.sum())
    left = max(MOST_ROWS - bought, bought)
    if len(y) - bought <= left:
        return X, y
    others = np.random.default_rng(seed).permutation(np.flatnonzero(~y))[:left]
    rows = np.sort(np.concatenate([np.flatnonzero(y), others]))
    return X[rows], y[rows]


def trees() -> type[Scorer]:
    """Boosted trees on whichever library there is."""
    return LightTrees if lightgbm_here() else PlainTrees
