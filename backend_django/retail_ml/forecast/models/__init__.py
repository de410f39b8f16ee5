"""Everything that forecasts, by the name that people and files use. Order: from the simplest to the least simple."""

from __future__ import annotations

from retail_ml.forecast.models.base import Forecaster
from retail_ml.forecast.models.ensemble import Ensemble
from retail_ml.forecast.models.gam import Gam
from retail_ml.forecast.models.learned import (
    GradientBoosting,
    LearnedForecaster,
    LightGbm,
    LinearRegression,
    RandomForest,
)
from retail_ml.forecast.models.panel import BaseRate, MovingAverage, ShareOfShop, TeunterSyntetosBabai
from retail_ml.forecast.models.simple import (
    HistoricAverage,
    LastYear,
    SeasonalNaive,
    SeasonalProfile,
    WeekdayMean,
    WindowAverage,
)

SIMPLE: tuple[type[Forecaster], ...] = (SeasonalNaive, WindowAverage, WeekdayMean, HistoricAverage, LastYear)
LEARNED: tuple[type[LearnedForecaster], ...] = (LinearRegression, GradientBoosting, RandomForest, LightGbm)
_DAILY: tuple[type[Forecaster], ...] = (*SIMPLE, SeasonalProfile, Gam, *LEARNED, Ensemble)
DAILY: dict[str, type[Forecaster]] = {m.name: m for m in _DAILY}
PANEL: dict[str, type[Forecaster]] = {m.name: m for m in (MovingAverage, BaseRate, TeunterSyntetosBabai, ShareOfShop)}
BASELINE = SeasonalNaive.name
"""The naive baseline: every model is measured beside it, and none that loses to it is served."""

NAIVE = (BASELINE, WeekdayMean.name, HistoricAverage.name)
"""The forecasts that need no model: without season or trend nothing is better."""

DEFAULT = Ensemble.name
"""What serves unless the shop's own past speaks against it."""

ALIASES = {"linear_regression": LinearRegression.name}

__all__ = [
    "ALIASES", "BASELINE", "DAILY", "DEFAULT", "LEARNED", "NAIVE", "PANEL", "SIMPLE", "BaseRate", "Ensemble",
    "Forecaster", "Gam", "GradientBoosting", "HistoricAverage", "LastYear", "LearnedForecaster", "LightGbm",
    "LinearRegression", "MovingAverage", "RandomForest", "SeasonalNaive", "SeasonalProfile", "ShareOfShop",
    "TeunterSyntetosBabai", "WeekdayMean", "WindowAverage",
]  # fmt: skip
