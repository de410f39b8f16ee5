"""Metrics and receipt of a sales forecast: the back-test in numbers that JSON can hold."""

from __future__ import annotations

import math
from typing import Any

from ml_predictions.messages import message
from retail_ml.forecast import newcomer_level
from retail_ml.forecast.backtest import Fold
from retail_ml.forecast.features import YEAR
from retail_ml.forecast.intervals import FEWEST_TO_MEASURE
from retail_ml.forecast.levels import Trained
from retail_ml.forecast.models import BASELINE, DAILY, SIMPLE, LearnedForecaster
from retail_ml.forecast.newcomer_level import NewcomersTrained
from retail_ml.forecast.products import SIMPLE as SIMPLE_BELOW
from retail_ml.forecast.products import ProductsTrained
from retail_ml.forecast.sample_cost import SampleCost
from retail_ml.forecast.selection import Score
from retail_ml.forecast.shop import ENOUGH_DAYS, ENOUGH_ORDERS, ShopData, ShopForecast
from retail_ml.forecast.variant_level import METHOD, VariantsTrained


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A number for JSON; None for an unknown one."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def percent(value: float | None) -> float | None:
    """A share as a per cent figure for a sentence."""
    return None if value is None else round(100 * value, 1)


def metrics(forecast: ShopForecast) -> dict[str, Any]:
    """Out-of-sample figures of the whole shop's revenue, as the API documents them; `reasons` for what is null."""
    one = forecast.total["sales"]
    found = one.measured
    learned = one.model if isinstance(one.model, LearnedForecaster) else None
    out: dict[str, Any] = {
        **_errors(found),
        "coverage_80": rounded(one.coverage.days[0.80]),
        "coverage_95": rounded(one.coverage.days[0.95]),
        "baseline": {"name": BASELINE, **_errors(one.baseline)},
        "measured": _measured(one),
        "folds": len(_measured_folds(one)),
        "horizon_days": one.trial.plan.horizon if found else None,
        "training_samples": learned.training_samples_ if learned else int(one.trial.history.usable.sum()),
        "test_samples": found.days if found else 0,
        "feature_importances": None,
        "train_r2": rounded(learned.train_r2_) if learned else None,
        "quantity": _quantity(forecast.total["units"]),
        "low_confidence": bool(forecast.data.notes),
        "sales_last_30_days": _last_month(forecast),
        "sales_next_30_days_last_year": _same_month_last_year(forecast),
    }
    weights = getattr(one.model, "importances_", None)  # of regressions, and of the ensemble's learned member
    if weights:
        ranked = sorted(weights.items(), key=lambda item: -item[1])
        out["feature_importances"] = {name: round(value, 4) for name, value in ranked}
    out["reasons"] = _reasons(out, forecast.data, one)
    return out


ERRORS = {
    "test_r2": "r2", "test_r2_week": "r2_week", "test_rmse": "rmse", "test_mae": "mae", "wape": "wape", "mase": "mase",
    "bias": "bias",
}  # fmt: skip


def _errors(score: Score | None) -> dict[str, float | None]:
    """The errors that stand side by side for the model and the baseline."""
    return {key: rounded(getattr(score, name)) if score else None for key, name in ERRORS.items()}


def _measured(one: Trained) -> str:
    """Whose errors are given: of the choice among candidates, made anew at each origin, or of the one model."""
    return "choice" if one.procedure else "model"


def _measured_folds(one: Trained) -> list[Fold]:
    return [fold for fold, _ in one.replayed]


def _last_month(forecast: ShopForecast) -> float | None:
    """Revenue of the 30 days up to the version's day; None for a shop younger than that."""
    days = forecast.data.total["sales"].y.sum(axis=0)
    return rounded(days[-30:].sum(), 2) if len(days) >= 30 else None


def _same_month_last_year(forecast: ShopForecast) -> float | None:
    """Revenue of the 30 days that began 52 weeks before the first day ahead; None where they are not all known."""
    days = forecast.data.total["sales"].y.sum(axis=0)
    first = len(days) - YEAR
    return rounded(days[first : first + 30].sum(), 2) if first >= 0 else None


def receipt(forecast: ShopForecast) -> dict[str, Any]:
    """Everything that stands behind the numbers: origins, candidates, baseline, coverage, for every level."""
    data, one = forecast.data, forecast.total["sales"]
    return {
        **level_receipt(one),
        "given_up": [{"name": name, "origins": origins} for name, origins in one.trial.given_up.items()],
        "days_of_history": one.trial.history.days,
        "orders": data.orders,
        "first_day": one.trial.history.start.isoformat(),
        "as_of": data.as_of.isoformat(),
        "calendar": one.trial.history.calendar.facts(),
        "folds": _folds(one),
        "selection": _selection(one),
        "quantity": level_receipt(forecast.total["units"]),
        "category": {target: level_receipt(trained) for target, trained in forecast.category.items()},
        "product": _below(
            forecast.product.name,
            forecast.product,
            {
                "products": len(forecast.product_ids),
                "stock": forecast.stock,
                "sample": _sample(forecast.product.cost),
            },
        ),
        "variant": _below(METHOD, forecast.variant, {"variants": len(forecast.variant.ids)}),
        "newcomer": _newcomer(forecast.newcomer),
        "low_confidence": bool(data.notes),
        "notes": notes(data),
    }


def level_receipt(one: Trained) -> dict[str, Any]:
    """Method, baseline, error and coverage of one target of one level."""
    trial = one.trial
    folds = _measured_folds(one)
    found, naive = one.measured, one.baseline
    simple = [trial.scores[m.name] for m in SIMPLE if m.name in trial.scores]
    best = min(simple, key=lambda s: s.error) if simple else None
    period = None
    if folds:
        last = folds[-1].origin.toordinal() + trial.plan.horizon
        period = {"from": _day(folds[0].origin.toordinal() + 1), "to": _day(last)}
    return {
        "method": one.name,
        "baseline": BASELINE,
        "measured": _measured(one),
        "wape": rounded(found.wape) if found else None,
        "baseline_wape": rounded(naive.wape) if naive else None,
        "best_simple": {"name": best.name, "wape": rounded(best.wape)} if best else None,
        "coverage_80": rounded(one.coverage.days[0.80]),
        "coverage_95": rounded(one.coverage.days[0.95]),
        "total_coverage_80": rounded(one.coverage.sums[0.80]),
        "total_coverage_95": rounded(one.coverage.sums[0.95]),
        "compared_by": "crps",
        "coverage_days": one.coverage.counted,
        "origins": len(folds),
        "candidate_origins": len(trial.folds.get(one.name, [])),
        "horizon_days": trial.plan.horizon if folds else None,
        "step_days": trial.plan.step if folds else None,
        "period": period,
        "days": found.days if found else 0,
        "candidates": [_candidate(score) for score in trial.scores.values()],
    }


def notes(data: ShopData) -> list[dict[str, Any]]:
    """Why confidence is low, as messages."""
    enough = {"enough_orders": ENOUGH_ORDERS, "enough_days": ENOUGH_DAYS}
    return [
        message(f"forecast.{code}", **params, **(enough if code == "little" else {})) for code, params in data.notes
    ]


def _quantity(one: Trained) -> dict[str, Any]:
    found, naive = one.measured, one.baseline
    return {
        "model_type": one.name,
        "measured": _measured(one),
        "wape": rounded(found.wape) if found else None,
        "test_r2": rounded(found.r2) if found else None,
        "coverage_80": rounded(one.coverage.days[0.80]),
        "coverage_95": rounded(one.coverage.days[0.95]),
        "baseline_wape": rounded(naive.wape) if naive else None,
        "baseline_test_r2": rounded(naive.r2) if naive else None,
    }


def _reasons(out: dict[str, Any], data: ShopData, one: Trained) -> dict[str, Any]:
    """Why a metric is null: a message per name."""
    reasons: dict[str, Any] = {}
    short = message("forecast.no_backtest", days=one.trial.history.days)
    for name in ("test_r2", "test_r2_week", "test_rmse", "test_mae", "wape", "mase", "bias"):
        if out[name] is None:
            constant = name in ("test_r2", "test_r2_week", "mase")
            reasons[name] = message("forecast.constant" if constant else "forecast.no_sales") if out["folds"] else short
    for name in ("coverage_80", "coverage_95"):
        if out[name] is None:
            reasons[name] = message("forecast.no_coverage", folds=out["folds"], needed=FEWEST_TO_MEASURE)
    if out["train_r2"] is None:
        reasons["train_r2"] = message("forecast.no_training_fit", model=one.name)
    if out["feature_importances"] is None:
        reasons["feature_importances"] = message("forecast.no_importances", model=one.name)
    return reasons


def _candidate(score: Score) -> dict[str, Any]:
    return {
        "name": score.name,
        "learned": issubclass(DAILY[score.name], LearnedForecaster) if score.name in DAILY else False,
        **{key: rounded(getattr(score, key)) for key in ("wape", "mase", "rmse", "mae", "bias", "r2", "r2_week")},
    }


def _selection(one: Trained) -> dict[str, Any]:
    """What the model was chosen by: its errors over all origins, which flatter the best of several."""
    own, naive = one.trial.scores.get(one.name), one.trial.scores.get(BASELINE)
    return {
        "candidates": len(one.trial.scores),
        "origins": len(one.trial.folds.get(one.name, [])),
        "wape": rounded(own.wape) if own else None,
        "baseline_wape": rounded(naive.wape) if naive else None,
    }


def _below(name: str, one: ProductsTrained | VariantsTrained, more: dict[str, Any]) -> dict[str, Any]:
    """Method, baseline, best simple method, errors of the sums and coverage of products or variants."""
    own, naive = one.errors.get(name, {}), one.errors.get(BASELINE, {})
    longest = max((key for key in own if key.startswith("wape_")), key=lambda key: int(key[5:]), default=None)
    simple = (
        [(found[longest], other) for other, found in one.errors.items() if other in SIMPLE_BELOW and other != name]
        if longest
        else []
    )
    best = min(((error, other) for error, other in simple if error is not None), default=None)
    return {
        "method": name,
        "baseline": BASELINE,
        "of": "units",
        **{key: rounded(value) for key, value in own.items()},
        **{f"baseline_{key}": rounded(value) for key, value in naive.items()},
        "best_simple": {"name": best[1], str(longest): rounded(best[0])} if best else None,
        "folds": one.folds,
        "candidates": [
            {"name": other, **{key: rounded(value) for key, value in found.items()}}
            for other, found in one.errors.items()
        ],
        "coverage": {key: rounded(value) for key, value in one.coverage.items()},
        **more,
    }


def _sample(cost: SampleCost | None) -> dict[str, Any] | None:
    """Rows that the learner of the products learned from, of how many, and what that costs; None: from all of them."""
    if cost is None:
        return None
    return {
        "rows": cost.rows,
        "of": cost.drawn_from,
        "origins": cost.origins,
        "wape_week": rounded(cost.whole),
        "wape_week_half": rounded(cost.half),
        "baseline_wape_week": rounded(cost.baseline),
    }


def _newcomer(one: NewcomersTrained) -> dict[str, Any]:
    """What stands behind products without a history; nulls where too few were ever new."""
    found = one.tested or {}
    return {
        "method": newcomer_level.METHOD,
        "baseline": BASELINE,
        "of": "units",
        "wape_28": rounded(found.get(newcomer_level.METHOD)),
        "baseline_wape_28": rounded(found.get(BASELINE)),
        "bias_28": rounded(found.get("bias")),
        "best_simple": {"name": newcomer_level.SIMPLE, "wape_28": rounded(found.get(newcomer_level.SIMPLE))},
        "coverage": {f"coverage_{c}_28": rounded(found.get(f"coverage_{c}")) for c in (80, 95)},
        "forecasts": int(found.get("forecasts") or 0),
        "newcomers": len(one.rows),
        "established": one.established,
    }


def _folds(one: Trained) -> list[dict[str, Any]]:
    """One line per origin: what was promised there, by which model, and what came."""
    found, naive = one.measured, one.baseline
    if found is None or naive is None:
        return []
    folds, horizon = _measured_folds(one), one.trial.plan.horizon
    names = one.procedure.names if one.procedure else [one.name] * len(folds)
    out = []
    for name, fold, error, base in zip(names, folds, found.fold_wapes, naive.fold_wapes, strict=True):
        coverage = one.coverage.by_fold.get(fold.cutoff, {})
        out.append(
            {
                "cutoff": fold.origin.isoformat(),
                "model": name,
                "horizon_days": horizon,
                "wape": rounded(error),
                "baseline_wape": rounded(base),
                "coverage_80": rounded(coverage.get(0.80)),
                "coverage_95": rounded(coverage.get(0.95)),
                "forecast": rounded(float(fold.forecast[:, :horizon].sum()), 2),
                "actual": rounded(float(fold.actual[:, :horizon].sum()), 2),
            }
        )
    return out


def _day(ordinal: int) -> str:
    from datetime import date

    return date.fromordinal(ordinal).isoformat()
