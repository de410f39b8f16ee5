"""What learns from the table of buckets: the rate of a week ahead, as a multiple of the product's base rate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from retail_ml import engine
from retail_ml.forecast import boosting
from retail_ml.forecast.bucket_features import SMALL
from retail_ml.forecast.buckets import Array, Small

MOST = 6.0  # times the base rate: more is noise
LEAST = 0.02


class BucketLearner(ABC):
    """`fit` and `predict` of units per open day; the same rows give the same numbers."""

    name: ClassVar[str]

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @abstractmethod
    def fit(self, X: Small, y: Array, *, base: Array, weight: Array) -> Self:
        """Learn y (rows,) from X (rows, columns) and the base rate (rows,); `weight` is the open days."""

    @abstractmethod
    def predict(self, X: Small, *, base: Array) -> Array:
        """Units per open day, at most MOST times the base rate, (rows,)."""


class Tweedie(BucketLearner):
    """Gradient boosting with tweedie loss, started from the base rate."""

    name = "gradient_boosting"

    def fit(self, X: Small, y: Array, *, base: Array, weight: Array) -> Self:
        """See the base class."""
        settings: dict[str, Any] = {"rounds": 100, "leaves": 15, "rate": 0.08, "least_rows": 50}
        self.model_ = boosting.regressor(objective="tweedie", seed=self.seed, **settings)
        self.model_.fit(X, y, weight=weight, offset=np.log(base + SMALL))
        return self

    def predict(self, X: Small, *, base: Array) -> Array:
        """See the base class."""
        start = base + SMALL
        return np.clip(self.model_.predict(X, offset=np.log(start)), LEAST * start, MOST * start)


class RidgeRatio(BucketLearner):
    """Ridge regression of the ratio to the base rate; rows weigh open days × √base."""

    name = "linear"
    alpha: ClassVar[float] = 50.0

    def fit(self, X: Small, y: Array, *, base: Array, weight: Array) -> Self:
        """See the base class."""
        start = base + SMALL
        w = weight * np.sqrt(start)
        w = w / w.mean()
        Z = X.astype(float)
        self.centre_ = np.average(Z, axis=0, weights=w)
        self.scale_ = np.sqrt(np.average(np.square(Z - self.centre_), axis=0, weights=w))
        self.scale_[self.scale_ < 1e-9] = 1.0
        Z = (Z - self.centre_) / self.scale_
        ratio = np.clip(y / start, 0.0, MOST)
        self.level_ = float(np.average(ratio, weights=w))
        gram = (Z * w[:, None]).T @ Z + self.alpha * np.eye(Z.shape[1])
        self.coefficients_ = np.linalg.solve(gram, (Z * w[:, None]).T @ (ratio - self.level_))
        return self

    def predict(self, X: Small, *, base: Array) -> Array:
        """See the base class."""
        Z = (X.astype(float) - self.centre_) / self.scale_
        ratio = self.level_ + engine.by_row(Z, self.coefficients_)
        return np.asarray((base + SMALL) * np.clip(ratio, LEAST, MOST))


class TweedieRidge(BucketLearner):
    """The default: geometric mean of `Tweedie` and `RidgeRatio`."""

    name = "tweedie_ridge"

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.parts = (Tweedie(seed), RidgeRatio(seed))

    def fit(self, X: Small, y: Array, *, base: Array, weight: Array) -> Self:
        """See the base class."""
        for part in self.parts:
            part.fit(X, y, base=base, weight=weight)
        return self

    def predict(self, X: Small, *, base: Array) -> Array:
        """See the base class."""
        first, second = (part.predict(X, base=base) for part in self.parts)
        return np.sqrt(first * second)


class Forest(BucketLearner):
    """Random forest of the ratio to the base rate; rows weigh as in `RidgeRatio`. At most MOST_ROWS rows."""

    name = "random_forest"
    most_rows: ClassVar[int] = 30_000

    def fit(self, X: Small, y: Array, *, base: Array, weight: Array) -> Self:
        """See the base class."""
        from sklearn.ensemble import RandomForestRegressor

        if len(X) > self.most_rows:
            some = np.random.default_rng(self.seed).permutation(len(X))[: self.most_rows]
            X, y, base, weight = X[some], y[some], base[some], weight[some]
        start = base + SMALL
        self.model_: Any = RandomForestRegressor(
            n_estimators=60, min_samples_leaf=15, max_features=0.33, n_jobs=1, random_state=self.seed
        )
        self.model_.fit(X, np.clip(y / start, 0.0, MOST), sample_weight=weight * np.sqrt(start))
        return self

    def predict(self, X: Small, *, base: Array) -> Array:
        """See the base class."""
        return np.asarray((base + SMALL) * np.clip(self.model_.predict(X), LEAST, MOST))


LEARNERS: dict[str, type[BucketLearner]] = {m.name: m for m in (TweedieRidge, RidgeRatio, Tweedie, Forest)}
DEFAULT = TweedieRidge.name
