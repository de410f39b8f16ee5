"""Sales forecast: train (choose by rolling origins, calibrate, publish), predict, and demand for the inventory."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ClassVar

import numpy as np
import polars as pl
from django.db import connection

from ml_predictions import artifacts, conf
from ml_predictions.messages import message
from ml_predictions.models import MLModel, SalesForecast
from ml_predictions.services import backtests, calendar_events, forecast_accuracy
from ml_predictions.services import sales_forecast_explained as explained
from ml_predictions.services import sales_forecast_receipt as receipts
from ml_predictions.services.base import Service, TrainingRun, Version
from ml_predictions.sources import currency_of
from ml_predictions.sources.base import daily_lines
from retail_ml.errors import FEWEST_SALES, BadParameter, NotEnoughHistory
from retail_ml.forecast import shop
from retail_ml.forecast.levels import AHEAD, Trial
from retail_ml.forecast.models import ALIASES, BASELINE, DAILY
from retail_ml.forecast.public_holidays import country_code, region_code
from retail_ml.forecast.serving import SINGLE, Ahead, Forecasts

log = logging.getLogger(__name__)

AUTO = "auto"
WEEKS = 13
BATCH = 5_000
OF_PARTS = ("folds", "candidates", "given_up", "category", "product", "variant", "newcomer", "quantity")
"""What of a receipt is not said of the whole shop."""
STALE_DAYS = 28
"""Age in days up to which a forecast still says what will be asked for: as far ahead as forecasts are tested."""
COLUMNS = (
    "model_id", "level", "object_id", "start", "days",
    "sales", "sales_lower_80", "sales_upper_80", "sales_lower_95", "sales_upper_95",
    "quantity", "quantity_lower_80", "quantity_upper_80", "quantity_lower_95", "quantity_upper_95",
)  # fmt: skip


class SalesForecastService(Service):
    """What will sell: total, categories, products, variants; revenue and units; 1 to 365 days ahead."""

    name: ClassVar[str] = "sales_forecast"
    rows = SalesForecast

    def train(self, run: TrainingRun, *, model_type: str = AUTO, **parameters: Any) -> MLModel:
        """Replay the past with the candidates, fit, calibrate, publish; returns the version asked for.

        `model_type`: `auto` (the smallest error over the rolling origins) or the name of a model. One that does
        not beat the naive baseline is kept but not served; when nothing is in service yet, the best one is
        published beside it. Raises BadParameter for another name, NotEnoughHistory below 10 sales.
        """
        asked = _model_type(model_type, parameters)
        run.progress(2, message("forecast.reading"))
        until = self.reads.data_until()
        if until is None:
            raise NotEnoughHistory(
                f"A sales forecast needs at least {FEWEST_SALES} sales; this shop has none. Import past orders.",
                code="forecast.not_enough_sales",
                found=0,
                needed=FEWEST_SALES,
            )
        calendar = calendar_events.digest()  # before the events are read: a change in between counts as one
        lines = daily_lines(self.reads)
        data = shop.read(lines, as_of=until.as_of, **_place(lines, until.as_of))
        del lines
        tables = shop.Tables(self.reads.products(), self.reads.stock(), self.reads.stock_history())
        forecast_accuracy.score(data.lines, tables.products, data.total["sales"])
        learned = shop.learned_names() if asked == AUTO else [asked]
        replaying = message("forecast.replaying")
        seed = conf.get("SEED")
        trials = shop.try_total(data, learned, seed=seed, step=lambda done: run.progress(5 + 65 * done, replaying))
        run.progress(70, message("forecast.fitting"))
        versions = [
            self._version(
                shop.assemble(data, trials, names, tables=tables, seed=seed),
                promote=promote,
                why=why,
                calendar=calendar,
            )
            for names, promote, why in self._choices(asked, data, trials)
        ]
        run.progress(90, message("forecast.storing"))
        return self.publish(run, versions)

    def put_in_service(self, model: MLModel, content: artifacts.Content) -> None:
        """Make it the version in service, and write down what it forecasts to be scored when the days are over."""
        super().put_in_service(model, content)
        until = self.source.data_until()
        forecast_accuracy.seal(model, content.arrays, known=max(model.as_of, until.as_of) if until else model.as_of)

    def write_rows(self, model: MLModel, content: artifacts.Content) -> None:
        """365 days of the total and of each category, 13 weeks of each product and variant that is forecast at all."""
        forecasts = Forecasts(content.meta, content.arrays)
        quote = connection.ops.quote_name
        table, columns = quote(SalesForecast._meta.db_table), ", ".join(quote(c) for c in COLUMNS)
        sql = f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
        rows = itertools.chain(
            _daily_rows(model.pk, forecasts), *(_weekly_rows(model.pk, forecasts, level) for level in SINGLE)
        )
        with connection.cursor() as cursor:
            while chunk := list(itertools.islice(rows, 5_000)):
                cursor.executemany(sql, chunk)

    def predict(
        self,
        *,
        days_ahead: int = 30,
        level: str = "total",
        object_id: str = "",
        coverage: float = 0.95,
        model: MLModel | None = None,
    ) -> dict[str, Any]:
        """The `days_ahead` days after the last that a version has seen: `predictions`, `summary`, `receipt`, `model`.

        `model`: the version, by default the one in service. Raises NotTrained, BadParameter, UnknownId.
        """
        model = model or self.active()
        content = self.content(model)
        forecasts = Forecasts(content.meta, content.arrays)
        ahead = forecasts.ahead(level, object_id, days=days_ahead, coverage=coverage)
        sales, units = ahead["sales"], ahead["units"]
        part = level in ("total", "category")
        months = explained.months(forecasts, level, object_id, days=days_ahead, coverage=coverage) if part else []
        receipt = _receipt_of(model, level, days_ahead, coverage, *self._newcomer(forecasts, level, object_id))
        receipt["notes"] += self._withdrawn(forecasts, level, object_id)
        explanation = None
        if level == "total":
            calendar = model.receipt.get("calendar", {})
            told = {"days": days_ahead, "calendar": calendar, "currency": currency_of(self.source)}
            explanation = explained.explanation(forecasts, **told)
        return {
            "predictions": _days(forecasts.dates(days_ahead), sales, units),
            "summary": explained.summary(sales, units, days=days_ahead),
            "months": months,
            "explanation": explanation,
            "receipt": receipt,
            "model": model,
        }

    def product_demand(
        self, *, days: int | Mapping[str, int], after: date | None = None, probabilities: Sequence[float] = ()
    ) -> pl.DataFrame | None:
        """As `variant_demand`, of every product: `product_id, mean_units, sd_units, q0.5 …`."""
        return self._demand("product", days, after, probabilities)

    def variant_demand(
        self, *, days: int | Mapping[str, int], after: date | None = None, probabilities: Sequence[float] = ()
    ) -> pl.DataFrame | None:
        """What will be asked of every known variant in all over the `days` days after `after`, as a distribution.

        `days`: one number, or one for each id (lead times differ; ids that the forecast does not know are left out).
        `after`: the day up to which sales are known; default: the forecast's own. Columns `variant_id, mean_units,
        sd_units`, and a quantile per entry of `probabilities` (.005….995), named q0.5, q0.9, …: of the sum, as sums
        were calibrated. None while no forecast is in service, where its file is refused, and where it is more than
        STALE_DAYS older than `after`. Raises BadParameter for days beyond 365 ahead and other probabilities.
        """
        return self._demand("variant", days, after, probabilities)

    def _demand(
        self, level: str, days: int | Mapping[str, int], after: date | None, probabilities: Sequence[float]
    ) -> pl.DataFrame | None:
        model = MLModel.objects.filter(service=self.name, is_active=True).first()
        if model is None:
            return None
        try:
            content = self.content(model)
        except artifacts.ArtifactRefused as error:
            log.warning("Demand is told without the sales forecast: %s", error)
            return None
        forecasts = Forecasts(content.meta, content.arrays)
        skip = max((after - forecasts.as_of).days, 0) if after else 0
        if skip > STALE_DAYS:
            return None
        ids = forecasts.ids(level).tolist()
        each = days if isinstance(days, int) else np.array([days.get(one, 1) for one in ids], dtype=np.int64)
        found = forecasts.demand(level, each, probabilities=probabilities, skip=skip)
        columns = {"mean_units": found.mean, "sd_units": found.sd}
        columns |= {f"q{p:g}": found.quantiles[:, i] for i, p in enumerate(probabilities)}
        schema = {f"{level}_id": pl.String, **dict.fromkeys(columns, pl.Float64)}
        table = pl.DataFrame({f"{level}_id": ids, **columns}, schema=schema)
        return table if isinstance(days, int) else table.filter(pl.col(f"{level}_id").is_in(list(days)))

    def _newcomer(self, forecasts: Forecasts, level: str, object_id: str) -> list[dict[str, Any]]:
        """For a product (or the product of a variant) that is new: the message that says so."""
        found = forecasts.newcomer(level, object_id)
        if found is None:
            return []
        known = self.source.products(ids=found["alike"])
        names = dict(known.select("product_id", "name").iter_rows())
        alike = ", ".join(names.get(one, one) for one in found["alike"])
        sold = "sold" if found["age"] else "unsold"
        code = f"forecast.newcomer_{'anyone' if found['established'] or not alike else 'alike'}_{sold}"
        return [message(code, days=found["age"], count=found["count"], names=alike)]

    @staticmethod
    def _withdrawn(forecasts: Forecasts, level: str, object_id: str) -> list[dict[str, Any]]:
        """For a variant that has no share of its product: the message that says so."""
        if level != "variant" or forecasts.arrays["variant_share"][forecasts.row(level, object_id)] > 0:
            return []
        return [message("forecast.not_for_sale")]

    def _choices(
        self, asked: str, data: shop.ShopData, trials: dict[str, Trial]
    ) -> list[tuple[dict[str, str], bool, dict[str, Any]]]:
        """What to publish: (model per target, into service?, why). The first is the one that was asked for."""
        best = {target: trial.best() for target, trial in trials.items()}
        sales = trials["sales"]
        if asked == AUTO or asked not in sales.scores:
            why = _why_best(best["sales"], data, sales)
            if asked not in (AUTO, best["sales"]):
                figures = {"days": data.total["sales"].days, "orders": data.orders}
                why = message("forecast.asked_needs", model=asked, better=best["sales"], **figures)
            return [(best, True, why)]
        figures = _figures(asked, sales)
        if asked == BASELINE:
            return [(dict.fromkeys(best, asked), True, message("forecast.asked_baseline", **figures))]
        if sales.beats_baseline(asked):
            units = asked if trials["units"].beats_baseline(asked) else best["units"]
            return [({"sales": asked, "units": units}, True, message("forecast.asked_serves", **figures))]
        active = MLModel.objects.filter(service=self.name, is_active=True).first()
        better = active.model_type if active else best["sales"]
        lost = message("forecast.asked_loses", **figures, better=better)
        choices = [(dict.fromkeys(best, asked), False, lost)]
        if active is None:
            choices.append((best, True, _why_best(best["sales"], data, sales)))
        return choices

    @staticmethod
    def _version(forecast: shop.ShopForecast, *, promote: bool, why: dict[str, Any], calendar: str) -> Version:
        one = forecast.total["sales"]
        meta, arrays, estimators = shop.stored(forecast)
        arrays |= forecast_accuracy.to_score(forecast) | backtests.to_keep(one)
        return Version(
            model_type=one.name,
            content=artifacts.Content(meta, arrays, estimators),
            metrics=receipts.metrics(forecast),
            receipt=receipts.receipt(forecast),
            as_of=forecast.data.as_of,
            parameters={
                "models": {target: trained.name for target, trained in forecast.total.items()},
                "calendar": calendar,
            },
            beats_baseline=one.trial.beats_baseline(one.name),
            promote=promote,
            why=why,
        )


def _place(lines: pl.DataFrame, as_of: date) -> dict[str, Any]:
    """Country, region and calendar of the shop, as the owner states them."""
    country = country_code(conf.get("COUNTRY"))
    region = region_code(country, conf.get("REGION")) if country else ""
    first = lines["day"].min()
    planned = calendar_events.for_forecast(
        first=first if isinstance(first, date) else as_of, last=as_of + timedelta(days=AHEAD)
    )
    return {"country": country, "region": region, "planned": planned}


def _model_type(model_type: str, unknown: dict[str, Any]) -> str:
    """The model's own name for what was asked. Raises BadParameter."""
    if unknown:
        raise BadParameter(
            f"train-sales-forecast knows no parameter {', '.join(sorted(unknown))}; it knows model_type.",
            code="bad_parameter.not_known",
            field=min(unknown),
            service="sales_forecast",
            allowed=["model_type"],
        )
    names = [AUTO, *DAILY, *ALIASES]
    if model_type not in names:
        raise BadParameter(
            f"model_type must be one of {', '.join(names)}; received {model_type!r}.",
            code="bad_parameter.choice",
            field="model_type",
            received=model_type,
            allowed=names,
        )
    return ALIASES.get(model_type, model_type)


def _figures(name: str, trial: Trial) -> dict[str, Any]:
    return {
        "model": name,
        "wape": receipts.percent(trial.scores[name].wape),
        "baseline": receipts.percent(trial.scores[BASELINE].wape),
        "folds": len(trial.folds[name]),
    }


def _why_best(name: str, data: shop.ShopData, trial: Trial) -> dict[str, Any]:
    if name not in trial.scores:
        return message("forecast.untested", days=data.total["sales"].days, model=name)
    figures, choice = _figures(name, trial), trial.procedure()
    replayed = (
        {"choice": receipts.percent(choice.score.wape), "choice_baseline": receipts.percent(choice.baseline.wape)}
        if choice
        else {}
    )
    if name == BASELINE and choice and not choice.pays:
        return message("forecast.choice_loses", folds=len(choice.folds), **replayed)
    if name == BASELINE:
        return message("forecast.none_beats", wape=figures["wape"], folds=figures["folds"])
    code = "forecast.best_replayed" if choice else "forecast.best"
    return message(code, **figures, candidates=len(trial.scores), **replayed)


def _days(days: list[date], sales: Ahead, units: Ahead) -> list[dict[str, Any]]:
    """One entry per day of an answer."""
    columns = {
        "predicted_sales": sales.mean, "predicted_quantity": units.mean, "confidence_lower": sales.lower,
        "confidence_upper": sales.upper, "quantity_lower": units.lower, "quantity_upper": units.upper,
    }  # fmt: skip
    return [
        {"date": day.isoformat(), **{key: round(float(column[i]), 2) for key, column in columns.items()}}
        for i, day in enumerate(days)
    ]


def _receipt_of(model: MLModel, level: str, days_ahead: int, coverage: float, *new: dict[str, Any]) -> dict[str, Any]:
    """The part of the version's receipt that stands behind this answer; `new`: what is said of a newcomer."""
    kept = model.receipt
    if level == "total":
        part = {k: v for k, v in kept.items() if k not in OF_PARTS}
        part["quantity"] = {k: v for k, v in kept["quantity"].items() if k != "candidates"}
    elif level == "category":
        part = {k: v for k, v in kept["category"]["sales"].items() if k != "candidates"}
    else:
        name = "newcomer" if new else level
        part = {k: v for k, v in kept[name].items() if k != "candidates"}
        part["horizon_days"] = kept["horizon_days"]
    tested = part.get("horizon_days")
    changed = calendar_events.changed_since(model)
    return {
        **part,
        "level": level,
        "days_ahead": days_ahead,
        "coverage_asked": coverage,
        "beyond_tested": tested is None or days_ahead > tested,
        "low_confidence": kept["low_confidence"] or bool(new),
        "notes": [*new, *kept["notes"], *([changed] if changed else [])],
    }


def _daily_rows(model_id: int, forecasts: Forecasts) -> Iterator[tuple[Any, ...]]:
    """Rows of total and categories, one per day."""
    for level in ("total", "category"):
        ids = forecasts.ids(level)
        if not len(ids):
            continue
        columns: list[np.ndarray] = []
        for target in ("sales", "units"):
            mean = np.asarray(forecasts.arrays[f"{level}_{target}_mean"])
            widths = forecasts.widths(f"{level}_{target}")
            columns += [mean, *widths.daily(mean, 0.80), *widths.daily(mean, 0.95)]
        values = np.stack(columns, axis=-1)
        days = forecasts.dates(values.shape[1])
        for i, object_id in enumerate(ids.tolist()):
            if level == "category" and not object_id:
                continue  # products without a category: part of the shares, not a category of its own
            for day, figures in zip(days, values[i].tolist(), strict=True):
                yield (model_id, level, object_id, day, 1, *figures)


def _weekly_rows(model_id: int, forecasts: Forecasts, level: str) -> Iterator[tuple[Any, ...]]:
    """Rows of products or variants, one per week; the bounds are those of the week's sum."""
    ids, price, widths = forecasts.ids(level), forecasts.price(level), forecasts.sums(level)
    starts = [forecasts.as_of + timedelta(days=7 * week + 1) for week in range(WEEKS)]
    sells = np.flatnonzero(widths.rate > 0)
    for begin in range(0, len(sells), BATCH):
        rows = sells[begin : begin + BATCH]
        weeks = []
        for week in range(WEEKS):
            mean = forecasts.units(level, rows, 7 * week, 7 * week + 7)
            bounds = [b for c in (0.80, 0.95) for b in widths.total(mean, 7, c, rows=rows)]
            units = np.stack([mean, *bounds], axis=-1)
            weeks.append(np.concatenate([units * price[rows, None], units], axis=-1))
        for one, values in zip(ids[rows].tolist(), np.stack(weeks, axis=1).tolist(), strict=True):
            for start, figures in zip(starts, values, strict=True):
                yield (model_id, level, one, start, 7, *figures)
