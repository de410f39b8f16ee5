"""Gradient boosting by LightGBM; by scikit-learn where LightGBM cannot be loaded. Here alone that is decided.

LightGBM needs the system library libgomp, which a small server may lack. The same pipeline then runs on
HistGradientBoostingRegressor: a little slower, with a Poisson loss in the place of the tweedie loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.floating[Any]]
Objective = Literal["mean", "median", "tweedie"]

TWEEDIE_POWER = 1.3
_LIGHTGBM = {"mean": "regression", "median": "regression_l1", "tweedie": "tweedie"}
_SKLEARN = {"mean": "squared_error", "median": "absolute_error", "tweedie": "poisson"}


@cache
def available() -> bool:
    """Can LightGBM be loaded here?"""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):  # OSError: the package is there, the system library libgomp is not
        return False
    return True


def regressor(
    *, objective: Objective = "mean", rounds: int = 100, leaves: int = 15, rate: float = 0.08, least_rows: int = 20,
    l2: float = 0.0, seed: int = 0,
) -> Boosted:  # fmt: skip
    """A new regressor on whichever library there is.

    `objective`: `mean` (squared error), `median` (absolute error), `tweedie` (variance ∝ mean^1.3, log link: for
    targets ≥ 0 with many zeros; at least one must be positive).

    >>> X = np.arange(100.0)[:, None]
    >>> model = regressor(rounds=30).fit(X, (X[:, 0] > 50) * 8.0)
    >>> model.predict(np.array([[10.0], [90.0]])).round().tolist()
    [0.0, 8.0]
    """
    kind = _LightGBM if available() else _Sklearn
    return kind(objective, rounds, leaves, rate, least_rows, l2, seed)


@dataclass
class Boosted:
    """`fit` and `predict` on one thread; the same rows in the same order give the same numbers.

    `offset` (rows,) is what each row starts from, on the scale of the link: log(rate) under `tweedie`, a value to add
    otherwise. NaN in `X` (rows, columns), of 32 or 64 bits, means unknown. One of `text_` (LightGBM's own format) and
    `estimator_` (scikit-learn) is what a file keeps.
    """

    objective: Objective
    rounds: int
    leaves: int
    rate: float
    least_rows: int
    l2: float
    seed: int

    estimator_: Any = None

    @property
    def text_(self) -> str:
        """LightGBM's own text of the model, written when it is asked for; "" of the other library's."""
        return ""

    def fit(self, X: Rows, y: Rows, *, weight: Rows | None = None, offset: Rows | None = None) -> Self:
        """Learn y (rows,) from X (rows, columns)."""
        raise NotImplementedError

    def predict(self, X: Rows, *, offset: Rows | None = None) -> Array:
        """The expected target of each row, (rows,)."""
        raise NotImplementedError

    @property
    def importances_(self) -> Array:
        """Non-negative weight of each column, (columns,)."""
        raise NotImplementedError


class _LightGBM(Boosted):
    """LightGBM's own training call: it needs nothing but NumPy."""

    def fit(self, X: Rows, y: Rows, *, weight: Rows | None = None, offset: Rows | None = None) -> Self:
        import lightgbm

        settings: dict[str, Any] = {
            "objective": _LIGHTGBM[self.objective], "num_leaves": self.leaves, "learning_rate": self.rate,
            "min_data_in_leaf": self.least_rows, "lambda_l2": self.l2, "seed": self.seed, "num_threads": 1,
            "deterministic": True, "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip
        if self.objective == "tweedie":
            settings["tweedie_variance_power"] = TWEEDIE_POWER
        data = lightgbm.Dataset(X, label=y, weight=weight, init_score=offset)
        # Kept as it was trained: else LightGBM writes every model as text and reads it back, for the same trees.
        self.booster_ = lightgbm.train(settings, data, num_boost_round=self.rounds, keep_training_booster=True)
        return self

    @property
    def text_(self) -> str:
        return str(self.booster_.model_to_string())

    def predict(self, X: Rows, *, offset: Rows | None = None) -> Array:
        found: Array = np.asarray(self.booster_.predict(X, num_threads=1), dtype=float)
        if offset is None:
            return found
        return found * np.exp(offset) if self.objective == "tweedie" else found + offset

    @property
    def importances_(self) -> Array:
        """Fall of the loss at the splits on each column."""
        return np.asarray(self.booster_.feature_importance("gain"), dtype=float)


class _Sklearn(Boosted):
    """HistGradientBoostingRegressor. An offset becomes a divided (or lessened) target, which is the same thing:
    under the log link weight × exp(offset)^(2 − p) on y / exp(offset) has the same gradients (p = 1 for Poisson)."""

    def fit(self, X: Rows, y: Rows, *, weight: Rows | None = None, offset: Rows | None = None) -> Self:
        from sklearn.ensemble import HistGradientBoostingRegressor

        if offset is not None and self.objective == "tweedie":
            start = np.exp(offset)
            y, weight = y / start, start if weight is None else weight * start
        elif offset is not None:
            y = y - offset
        self.unknown_ = ~np.isfinite(X).any(axis=0)
        self.estimator_ = HistGradientBoostingRegressor(
            loss=_SKLEARN[self.objective], max_iter=self.rounds, learning_rate=self.rate, max_leaf_nodes=self.leaves,
            min_samples_leaf=self.least_rows, l2_regularization=self.l2, early_stopping=False, random_state=self.seed,
        )  # fmt: skip
        with threadpool_limits(1):  # more threads than cores make boosting tens of times slower
            self.estimator_.fit(self._design(X), y, sample_weight=weight)
        pick = np.random.default_rng(self.seed).permutation(len(X))[:1_000]
        self.sample_ = X[pick], y[pick]
        return self

    def predict(self, X: Rows, *, offset: Rows | None = None) -> Array:
        with threadpool_limits(1):
            found: Array = self.estimator_.predict(self._design(X))
        if offset is None:
            return found
        return found * np.exp(offset) if self.objective == "tweedie" else found + offset

    @property
    def importances_(self) -> Array:
        """Rise of the squared error when one column is shuffled among training rows (never below 0)."""
        X, y = self.sample_
        rng = np.random.default_rng(self.seed)
        base = np.square(y - self.predict(X)).mean()
        rises = []
        for column in range(X.shape[1]):
            shuffled = X.copy()
            shuffled[:, column] = rng.permutation(shuffled[:, column])
            rises.append(np.square(y - self.predict(shuffled)).mean() - base)
        return np.maximum(np.array(rises), 0.0)

    def _design(self, X: Rows) -> Rows:
        """A column that was never known in training says nothing: 0 throughout. Other gaps stay NaN."""
        return np.where(self.unknown_, 0.0, X)
