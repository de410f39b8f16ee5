"""The peers, each with its usual settings: a long table of pandas in, means and quantiles out.

`run(name, train, horizon, …)` gives an `Answer`: `mean` (series, ahead), `quantiles` (series, ahead, 14) and the
quantiles of sums by window. The peers say nothing of sums: they get the textbook's normal distribution with independent
periods. Those without any interval get the spread of the last half year around their forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from benchmarks.forecast.scoring import QUANTILES

Array = npt.NDArray[np.float64]

YEARLY = 300  # days from which Prophet with our calendar is given a yearly season
LEVELS = (20, 40, 60, 80, 90, 95, 98)
Z80 = 1.2816
STATISTICAL = (
    "AutoETS", "AutoARIMA", "AutoTheta", "AutoCES", "MSTL", "TSB", "CrostonSBA", "ADIDA", "IMAPA",
    "seasonal window average", "seasonal naive",
)  # fmt: skip
SPREAD_ONLY = {"TSB", "CrostonSBA", "ADIDA", "IMAPA", "seasonal window average"}
"""Methods that give a mean alone."""
NAMES = (*STATISTICAL, "LightGBM", "Prophet", "Prophet with our calendar", "tutorial random forest")


@dataclass(frozen=True)
class Task:
    """What every method gets: `train` (unique_id, ds, y, …) sorted, `horizon` periods ahead, `freq` D, W or M."""

    train: pd.DataFrame
    horizon: int
    windows: Sequence[int]
    freq: str = "D"
    country: str | None = None

    @property
    def season(self) -> int:
        """Periods after which things come back; 1 where the history is too short to see it."""
        season = {"D": 7, "W": 52, "M": 12}[self.freq]
        return season if self.longest >= 2 * season else 1

    @property
    def longest(self) -> int:
        """Periods of the longest series."""
        return int(self.train.groupby("unique_id", observed=True).size().max())

    @property
    def step(self) -> str:
        """As pandas writes it: the weeks of the table keep their weekday, its months their first day."""
        day = str(self.train["ds"].max().day_name())[:3].upper()
        return {"D": "D", "W": f"W-{day}", "M": "MS"}[self.freq]


@dataclass(frozen=True)
class Answer:
    """`mean` (series, ahead), `quantiles` (series, ahead, 14), `cumulative` by window (series, 14)."""

    mean: Array
    quantiles: Array
    cumulative: dict[int, Array]


def run(name: str, task: Task, *, seed: int = 0) -> Answer:
    """The forecast of one peer. Raises KeyError for a name that is not in `NAMES`."""
    if name in STATISTICAL:
        return _statistical(name, task)
    makers: dict[str, Callable[[Task, int], Answer]] = {
        "LightGBM": _lightgbm,
        "Prophet": lambda t, s: _prophet(t, s, ours=False),
        "Prophet with our calendar": lambda t, s: _prophet(t, s, ours=True),
        "tutorial random forest": _tutorial,
    }
    return makers[name](task, seed)


def _statistical(name: str, task: Task) -> Answer:
    from statsforecast import StatsForecast

    native = name not in SPREAD_ONLY
    sf = StatsForecast([_model(name, task)], freq=task.step, fallback_model=_fallback())
    columns = task.train[["unique_id", "ds", "y"]]
    out = sf.forecast(df=columns, h=task.horizon, level=list(LEVELS) if native else None)
    n = out["unique_id"].nunique()
    mean = out["peer"].to_numpy().reshape(n, task.horizon)
    if not native:
        return _normal(mean, _spread(task, mean)[:, None], task)
    return _with_sides(out, mean, task)


def _with_sides(out: pd.DataFrame, mean: Array, task: Task) -> Answer:
    """The method's own quantiles of single periods; sums from the spread that its 80 % interval shows."""
    sides = {0.5: out["peer"].to_numpy()}
    for level in LEVELS:
        sides[round(0.5 - level / 200, 3)] = out[f"peer-lo-{level}"].to_numpy()
        sides[round(0.5 + level / 200, 3)] = out[f"peer-hi-{level}"].to_numpy()
    quantiles = np.stack([sides[p] for p in QUANTILES], axis=1).reshape(*mean.shape, -1)
    sd = (quantiles[:, :, QUANTILES.index(0.9)] - quantiles[:, :, QUANTILES.index(0.1)]) / (2 * Z80)
    return replace(_normal(mean, sd, task), quantiles=quantiles)


def _model(name: str, task: Task) -> Any:
    from statsforecast import models

    season = task.season
    makers: dict[str, Callable[[], Any]] = {
        "AutoETS": lambda: models.AutoETS(season_length=min(season, 24), alias="peer"),
        "AutoARIMA": lambda: models.AutoARIMA(season_length=season, approximation=True, alias="peer"),
        "AutoTheta": lambda: models.AutoTheta(season_length=season, alias="peer"),
        "AutoCES": lambda: models.AutoCES(season_length=season, alias="peer"),
        "MSTL": lambda: models.MSTL(season_length=[season] if season > 1 else [2], alias="peer"),
        "TSB": lambda: models.TSB(alpha_d=0.1, alpha_p=0.1, alias="peer"),
        "CrostonSBA": lambda: models.CrostonSBA(alias="peer"),
        "ADIDA": lambda: models.ADIDA(alias="peer"),
        "IMAPA": lambda: models.IMAPA(alias="peer"),
        "seasonal window average": lambda: (
            models.SeasonalWindowAverage(season_length=season, window_size=4 if task.freq == "D" else 1, alias="peer")
            if season > 1
            else models.WindowAverage(window_size=4, alias="peer")
        ),
        "seasonal naive": lambda: (
            models.SeasonalNaive(season_length=season, alias="peer") if season > 1 else models.Naive(alias="peer")
        ),
    }
    return makers[name]()


def _fallback() -> Any:
    """What stands in where a series is too short for a model."""
    from statsforecast.models import Naive

    return Naive(alias="peer")


def _spread(task: Task, mean: Array) -> Array:
    """Root mean squared distance of the last half year from the mean forecast, (series,)."""
    last = {"D": 182, "W": 26, "M": 6}[task.freq]
    found = []
    for level, (_, y) in zip(mean.mean(axis=1), task.train.groupby("unique_id", observed=True)["y"], strict=True):
        found.append(np.sqrt(np.square(y.to_numpy()[-last:] - level).mean()))
    return np.array(found)


def _normal(mean: Array, sd: Array, task: Task) -> Answer:
    """Normal quantiles of single periods, and of sums of independent ones."""
    z = ndtri(np.array(QUANTILES))
    sd = np.broadcast_to(np.nan_to_num(sd), mean.shape)
    return Answer(
        mean,
        mean[..., None] + sd[..., None] * z,
        {
            w: mean[:, :w].sum(axis=1)[:, None] + np.sqrt(np.square(sd[:, :w]).sum(axis=1))[:, None] * z
            for w in task.windows
        },
    )


def _lightgbm(task: Task, seed: int) -> Answer:
    """mlforecast with the features of its tutorial; squared error for dense series, tweedie for sparse ones."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.utils import PredictionIntervals

    train = task.train[["unique_id", "ds", "y"]]
    sparse = float((train["y"] == 0).mean()) > 0.4
    shortest = int(train.groupby("unique_id", observed=True).size().min())
    usual = {"D": (1, 7, 14, 28), "W": (1, 2, 4, 52), "M": (1, 2, 3, 12)}[task.freq]
    lags = [lag for lag in usual if lag * 3 < task.longest] or [1]
    windows = {"D": (7, 28), "W": (4, 13), "M": (3, 6)}[task.freq]
    model = LGBMRegressor(
        n_estimators=200, learning_rate=0.05, num_leaves=31, min_child_samples=10, num_threads=1, verbose=-1,
        random_state=seed, objective="tweedie" if sparse and train["y"].min() >= 0 else "l2",
    )  # fmt: skip
    forecaster = MLForecast(
        models={"peer": model},
        freq=task.step,
        lags=lags,
        lag_transforms={1: [RollingMean(window_size=w, min_samples=1) for w in windows]},
        date_features={"D": ["dayofweek", "day", "month"], "W": ["week"], "M": ["month"]}[task.freq],
    )
    folds = min(4, (shortest - max(lags) - 14) // task.horizon)
    intervals = PredictionIntervals(n_windows=folds, h=task.horizon) if folds >= 2 else None
    forecaster.fit(train, static_features=[], prediction_intervals=intervals)
    out = forecaster.predict(task.horizon, level=list(LEVELS) if intervals else None)
    n = out["unique_id"].nunique()
    mean = out["peer"].to_numpy().reshape(n, task.horizon)
    if intervals is None:
        return _normal(mean, _spread(task, mean)[:, None], task)
    return _with_sides(out, mean, task)


def _prophet(task: Task, seed: int, *, ours: bool) -> Answer:
    """Prophet as it comes, or with the closed days that our calendar learns: taken out of training, forecast as 0."""
    import logging

    from prophet import Prophet

    logging.getLogger("cmdstanpy").disabled = True
    logging.getLogger("prophet").setLevel(logging.ERROR)
    means, samples = [], []
    rng_state = np.random.get_state()
    np.random.seed(seed)
    for _, series in task.train.groupby("unique_id", observed=True):
        opened, ahead = _our_calendar(series, task.horizon) if ours else (None, None)
        known = series[["ds", "y"]] if opened is None else series.loc[opened, ["ds", "y"]]
        year = {"yearly_seasonality": True} if ours and len(series) >= YEARLY else {}  # on its own it wants two years
        model = Prophet(uncertainty_samples=400, **year)
        if ours and task.country:
            model.add_country_holidays(task.country)
        model.fit(known)
        dates = pd.date_range(series["ds"].max(), periods=task.horizon + 1, freq=task.step)[1:]
        drawn = np.maximum(model.predictive_samples(pd.DataFrame({"ds": dates}))["yhat"], 0.0)
        mean = np.maximum(model.predict(pd.DataFrame({"ds": dates}))["yhat"].to_numpy(), 0.0)
        if ahead is not None:
            mean, drawn = mean * ahead, drawn * ahead[:, None]
        means.append(mean)
        samples.append(drawn)
    np.random.set_state(rng_state)
    cumulative = {w: np.stack([np.quantile(s[:w].sum(axis=0), QUANTILES) for s in samples]) for w in task.windows}
    return Answer(np.stack(means), np.stack([np.quantile(s, QUANTILES, axis=1).T for s in samples]), cumulative)


def _our_calendar(series: pd.DataFrame, horizon: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Days of training that count, and open days ahead, as the project's calendar learns them."""
    import benchmarks.forecast.ours  # noqa: F401  (puts the project on the path)
    from retail_ml.forecast.history import History

    y = series["y"].to_numpy(dtype=float)
    history = History(series["ds"].iloc[0].date(), y[None], y > 0)
    return np.asarray(history.usable & history.sold), history.open_ahead(horizon)


def _tutorial(task: Task, seed: int) -> Answer:
    """The random forest of many tutorials: date parts, lags and a rolling mean that stand still in the days ahead."""
    from sklearn.ensemble import RandomForestRegressor

    def parts(ds: pd.Series) -> Array:
        return np.column_stack([ds.dt.dayofweek, ds.dt.day, ds.dt.month]).astype(float)

    means, spreads = [], []
    for _, series in task.train.groupby("unique_id", observed=True):
        y = series["y"].reset_index(drop=True)
        known = np.column_stack([y.shift(1), y.shift(7), y.shift(1).rolling(7).mean()])
        X = np.hstack([parts(series["ds"]), known])[7:]
        model = RandomForestRegressor(n_estimators=100, random_state=seed, n_jobs=1).fit(X, y[7:])
        dates = pd.Series(pd.date_range(series["ds"].max(), periods=task.horizon + 1, freq=task.step)[1:])
        last = np.array([y.iloc[-1], y.iloc[-7], y.iloc[-7:].mean()])
        means.append(model.predict(np.hstack([parts(dates), np.tile(last, (task.horizon, 1))])))
        spreads.append(float(np.std(y[7:] - model.predict(X))))
    return _normal(np.stack(means), np.array(spreads)[:, None], task)
