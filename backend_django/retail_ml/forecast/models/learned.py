"""Models that learn from rows of the past: linear regression, gradient boosting, random forest, LightGBM.

All of them learn the ratio of a day to the level before its origin (`features`), directly for each horizon:
no forecast is ever fed back as if it were known. What they learn is trusted to day `fade_from`; up to day `reach` it
gives way to level × weekday × last year's shape, which alone speaks beyond.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from retail_ml.forecast import boosting
from retail_ml.forecast.features import NAMES, FeatureBuilder, Rows
from retail_ml.forecast.history import History
from retail_ml.forecast.metrics import r2
from retail_ml.forecast.models.base import Array, Forecaster
from retail_ml.forecast.models.simple import SeasonalProfile

RATIO_CAP = 8.0
LEAST_RATIO = 0.05  # of a ratio whose logarithm is learned


class LearnedForecaster(Forecaster):
    """A regression on the rows of `features`."""

    least_days: ClassVar[int] = 56
    reach: ClassVar[int] = 90
    fade_from: ClassVar[int] = 60

    def __init__(self, seed: int = 0, max_rows: int = 5_000) -> None:
        self.seed = seed
        self.max_rows = max_rows

    def _fit(self, history: History) -> None:
        self.builder_ = FeatureBuilder(history)
        rows = self.builder_.past(horizon=self.reach, max_rows=self.max_rows)
        self.long_run_ = SeasonalProfile(days=91).fit(history)
        self.training_samples_ = len(rows.ratio)
        self._learn(rows.X, np.minimum(rows.ratio, RATIO_CAP))

    @cached_property
    def train_r2_(self) -> float | None:
        """R² on the rows that were learned from: said of the model that serves alone, so found when it is asked for."""
        rows = self.builder_.past(horizon=self.reach, max_rows=self.max_rows)
        return r2(rows.ratio * rows.level, self.ratios(rows) * rows.level)

    def _forecast(self, horizon: int) -> Array:
        near = min(horizon, self.reach)
        forecast = self.long_run_.predict(horizon)
        weight = fading(near, self.fade_from, self.reach)
        forecast[:, :near] = weight * self.near(near) + (1 - weight) * forecast[:, :near]
        return forecast

    def near(self, horizon: int, *, later: History | None = None) -> Array:
        """What is learned for the next `horizon` days, at most `reach`, (series, horizon); closed days hold anything.

        `later`: for the days after another history of the same series, from which nothing is learned.
        """
        rows = FeatureBuilder(later).ahead(horizon) if later else self.ahead(horizon)
        return np.asarray(self.ratios(rows) * rows.level).reshape(len(self.history_.y), horizon)

    def ahead(self, horizon: int) -> Rows:
        """The rows of the days ahead."""
        return self.builder_.ahead(horizon)

    def design_ahead(self, horizon: int) -> Array:
        """The matrix of the days ahead as the regression takes it: with it a stored estimator answers again."""
        return self._design(self.ahead(horizon).X)

    @abstractmethod
    def _design(self, X: Array) -> Array:
        """The columns of `features` as this regression takes them."""

    def ratios(self, rows: Rows) -> Array:
        """The learned ratio to the level of each row, within [0, RATIO_CAP]."""
        return np.clip(self._ratios(rows.X), 0.0, RATIO_CAP)

    @property
    def importances_(self) -> dict[str, float]:
        """Share of each feature in what was learned; the shares add up to 1."""
        raw = self._importances()
        total = float(raw.sum())
        return {name: float(value) / total if total > 0 else 0.0 for name, value in zip(NAMES, raw, strict=True)}

    @abstractmethod
    def _learn(self, X: Array, ratio: Array) -> None:
        """Fit the regression."""

    @abstractmethod
    def _ratios(self, X: Array) -> Array:
        """Evaluate the regression."""

    @abstractmethod
    def _importances(self) -> Array:
        """Non-negative weights of the features."""


def fading(horizon: int, first: int, last: int) -> Array:
    """Weights of the days ahead: 1 to day `first`, then down to 0 at day `last`, (horizon,).

    >>> fading(5, 2, 4).tolist()
    [1.0, 1.0, 1.0, 0.5, 0.0]
    """
    return np.clip((last - np.arange(horizon)) / (last - first), 0.0, 1.0)


class LinearRegression(LearnedForecaster):
    """Ridge regression of log(ratio) on the standardised features, with dummies for the weekdays.

    The sum of exp(fit) is brought to the sum of the ratios (the smearing estimate of Duan 1983, on sums), so that
    the forecast is a mean and not a median.
    """

    name: ClassVar[str] = "linear"

    def __init__(self, seed: int = 0, max_rows: int = 5_000, penalty: float = 30.0) -> None:
        super().__init__(seed, max_rows)
        self.penalty = penalty

    def _learn(self, X: Array, ratio: Array) -> None:
        design = self._design(X)
        self.mean_, sd = design.mean(axis=0), design.std(axis=0)
        self.sd_ = np.where(sd > 1e-9, sd, 1.0)
        Z = np.where(sd > 1e-9, (design - self.mean_) / self.sd_, 0.0)
        target = np.log(np.maximum(ratio, LEAST_RATIO))
        self.intercept_ = float(target.mean())
        gram = Z.T @ Z + self.penalty * np.eye(Z.shape[1])
        self.coefficients_ = np.linalg.solve(gram, Z.T @ (target - self.intercept_))
        self.smearing_ = 1.0
        fitted = self._ratios(X)
        self.smearing_ = float(ratio.sum() / max(fitted.sum(), 1e-9))

    def _ratios(self, X: Array) -> Array:
        Z = (self._design(X) - self.mean_) / self.sd_
        return self.smearing_ * np.exp(np.clip(self.intercept_ + Z @ self.coefficients_, -6.0, 3.0))

    def _importances(self) -> Array:
        weight = np.abs(self.coefficients_)
        weight[1] += weight[len(NAMES) :].sum()
        return weight[: len(NAMES)]

    def _design(self, X: Array) -> Array:
        """Unknown values at 0 (the log of an unchanged level), weekdays as dummies."""
        day = X[:, [1]] == np.arange(7)
        filled = np.where(np.isfinite(X), X, 0.0)
        filled[:, 1] = 0.0
        return np.hstack([filled, day])


class TreeForecaster(LearnedForecaster):
    """A scikit-learn ensemble on one thread; it is stored with the model (`estimator_`)."""

    estimator_: Any

    def _learn(self, X: Array, ratio: Array) -> None:
        self.estimator_ = self._estimator()
        self.unknown_ = ~np.isfinite(X).any(axis=0)
        with threadpool_limits(1):  # more threads than cores make boosting tens of times slower
            self.estimator_.fit(self._design(X), ratio)
        self.X_, self.y_ = X, ratio

    def _ratios(self, X: Array) -> Array:
        with threadpool_limits(1):
            found: Array = self.estimator_.predict(self._design(X))
        return found

    def _design(self, X: Array) -> Array:
        """A column that was never known in training says nothing: 0 throughout. Other gaps stay NaN."""
        return np.where(self.unknown_, 0.0, X)

    @abstractmethod
    def _estimator(self) -> Any:
        """A new estimator."""


class RandomForest(TreeForecaster):
    """scikit-learn's RandomForestRegressor."""

    name: ClassVar[str] = "random_forest"

    def __init__(self, seed: int = 0, max_rows: int = 5_000, trees: int = 60) -> None:
        super().__init__(seed, max_rows)
        self.trees = trees

    def _estimator(self) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(
            n_estimators=self.trees, min_samples_leaf=5, max_features=0.4, random_state=self.seed, n_jobs=1
        )

    def _importances(self) -> Array:
        weights: Array = self.estimator_.feature_importances_
        return weights


class GradientBoosting(TreeForecaster):
    """scikit-learn's HistGradientBoostingRegressor."""

    name: ClassVar[str] = "gradient_boosting"

    def __init__(self, seed: int = 0, max_rows: int = 5_000, rounds: int = 80) -> None:
        super().__init__(seed, max_rows)
        self.rounds = rounds

    def _estimator(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(
            max_iter=self.rounds, learning_rate=0.07, max_leaf_nodes=12, min_samples_leaf=20, l2_regularization=5.0,
            early_stopping=False, random_state=self.seed,
        )  # fmt: skip

    def _importances(self) -> Array:
        """Rise of the squared error when one column is shuffled among the training rows (never below 0)."""
        rng = np.random.default_rng(self.seed)
        pick = rng.permutation(len(self.X_))[:1_000]
        X, y = self.X_[pick], self.y_[pick]
        base = np.square(y - self._ratios(X)).mean()
        rises = []
        for column in range(X.shape[1]):
            shuffled = X.copy()
            shuffled[:, column] = rng.permutation(shuffled[:, column])
            rises.append(np.square(y - self._ratios(shuffled)).mean() - base)
        return np.maximum(np.array(rises), 0.0)


class LightGbm(LearnedForecaster):
    """Gradient boosting of log(ratio) by LightGBM, or scikit-learn (see `boosting`); smeared as the linear one is."""

    name: ClassVar[str] = "lightgbm"
    reach: ClassVar[int] = 56
    fade_from: ClassVar[int] = 28

    def __init__(self, seed: int = 0, max_rows: int = 3_000, rounds: int = 60) -> None:
        super().__init__(seed, max_rows)
        self.rounds = rounds

    def _learn(self, X: Array, ratio: Array) -> None:
        self.boosted_ = boosting.regressor(rounds=self.rounds, leaves=12, least_rows=40, seed=self.seed)
        self.boosted_.fit(X, np.log(np.maximum(ratio, LEAST_RATIO)))
        self.smearing_ = 1.0
        self.smearing_ = float(ratio.sum() / max(self._ratios(X).sum(), 1e-9))

    def _ratios(self, X: Array) -> Array:
        return self.smearing_ * np.exp(np.clip(self.boosted_.predict(X), -6.0, 3.0))

    def _importances(self) -> Array:
        return self.boosted_.importances_

    def _design(self, X: Array) -> Array:
        return X
