"""Units of every product: choose among the rates for all products at once, fit, calibrate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from retail_ml.forecast import metrics
from retail_ml.forecast.backtest import Fold, Plan, replay
from retail_ml.forecast.history import History
from retail_ml.forecast.levels import AHEAD, Trial
from retail_ml.forecast.models import BASELINE, PANEL, Forecaster, SeasonalNaive
from retail_ml.forecast.selection import choose
from retail_ml.forecast.volume_bins import VolumeBins
from retail_ml.forecast.volume_bins import nested_coverage as product_coverage

Array = npt.NDArray[np.float64]

PRODUCT = (SeasonalNaive.name, *PANEL)
PRODUCT_FOLDS = 8


@dataclass(frozen=True)
class ProductsTrained:
    """Units of all products: `mean` (products, AHEAD), widths by volume, pooled errors of every candidate."""

    name: str
    mean: Array
    widths: VolumeBins
    errors: dict[str, dict[str, float | None]]
    coverage: dict[str, float | None]
    folds: int


def train_products(history: History, trial: Trial, shop_name: str, shop: Array) -> ProductsTrained:
    """Choose among the rates for all products at once by pooled errors of sums, fit, calibrate.

    `history`: units per product. `trial`, `shop_name`, `shop`: the whole shop's units, which model serves them and
    its forecast (AHEAD,). A product sold at nothing lately is still forecast, at next to nothing.
    """
    shop_folds = {fold.cutoff: fold.forecast[0] for fold in trial.folds.get(shop_name, [])}
    plan = replace(trial.plan, cutoffs=tuple(sorted(shop_folds))[-PRODUCT_FOLDS:])
    windows = sorted({7, plan.horizon})
    errors: dict[str, dict[str, float | None]] = {}
    for name in PRODUCT if plan.cutoffs else ():
        errors[name] = _product_errors(_replay_panel(history, plan, name, shop_folds), windows)
    compared = {name: float(np.mean([e[f"wape_{w}"] or 0.0 for w in windows])) for name, e in errors.items()}
    name = choose(compared, PRODUCT, BASELINE) if compared else "base_rate"
    folds = _replay_panel(history, plan, name, shop_folds) if plan.cutoffs else []
    mean = _panel_model(name, shop).fit(history).predict(AHEAD)
    coverage = product_coverage(folds, history, windows=windows)
    return ProductsTrained(name, mean, VolumeBins.calibrate(folds, history), errors, coverage, len(folds))


def _panel_model(name: str, shop: Array) -> Forecaster:
    return SeasonalNaive() if name == SeasonalNaive.name else PANEL[name](shop=shop)  # type: ignore[call-arg]


def _replay_panel(history: History, plan: Plan, name: str, shop: Mapping[int, Array]) -> list[Fold]:
    return replay(history, plan, lambda past: _panel_model(name, shop[past.days]))


def _product_errors(folds: Sequence[Fold], windows: Sequence[int]) -> dict[str, float | None]:
    """Errors of the sums over each window, all products and folds pooled."""
    out: dict[str, float | None] = {}
    for days in windows:
        actual = np.concatenate([f.actual[:, :days].sum(axis=1) for f in folds])
        forecast = np.concatenate([f.forecast[:, :days].sum(axis=1) for f in folds])
        out[f"wape_{days}"] = metrics.wape(actual, forecast)
        out[f"bias_{days}"] = metrics.bias(actual, forecast)
        out[f"rmse_{days}"] = metrics.rmse(actual, forecast)
    return out
