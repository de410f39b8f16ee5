"""Units of every product: back-tests of the learner and of simple rates, the choice among them, forecast and widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml import engine
from retail_ml.forecast import bucket_errors, metrics, sample_cost
from retail_ml.forecast.backtest import LONG, Fold, replay
from retail_ml.forecast.bucket_errors import Errors
from retail_ml.forecast.bucket_learners import DEFAULT, LEARNERS
from retail_ml.forecast.bucket_model import LEAST_DAYS, BucketModel, daily
from retail_ml.forecast.bucket_panel import Block, Panel, Table
from retail_ml.forecast.buckets import Array, Extras, Ints
from retail_ml.forecast.history import History
from retail_ml.forecast.levels import AHEAD, Trial
from retail_ml.forecast.models import BASELINE, PANEL
from retail_ml.forecast.models.panel import BaseRate, LastWeek, RateForecaster
from retail_ml.forecast.sample_cost import SampleCost
from retail_ml.forecast.volume_bins import VolumeBins, nested_coverage

SIMPLE: dict[str, type[RateForecaster]] = {LastWeek.name: LastWeek, **PANEL}  # type: ignore[dict-item]
FOLDS = 6
"""Back-tests of the product level: its own 28 days each, where the shop's folds are 28 days apart."""
FEWEST_TO_LEAVE = 4
"""Back-tests below which the default is not left for another model."""
SCORED = np.array([0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975])
LEVEL_DAYS = 140
"""How far back the origins lie whose common error corrects the level of the learner."""
LEVEL_POWER = 0.5
LEVEL_MOST = 0.35


@dataclass(frozen=True)
class ProductsTrained:
    """Units of all products: `mean` (products, AHEAD), widths by `spread` (products,), the evidence by candidate."""

    name: str
    mean: npt.NDArray[np.float32]
    widths: VolumeBins
    spread: Array
    errors: dict[str, dict[str, float | None]]
    coverage: dict[str, float | None]
    folds: int
    replayed: list[Fold] = field(default_factory=list)
    """Back-tests of the model that serves, of the products `sampled`."""
    sampled: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    later: float = 0.5
    """How much wider sums are that do not begin tomorrow: `bucket_errors.later_growth`."""
    cost: SampleCost | None = None
    """What it costs that the learner learned from a sample; None where it learned from all rows, or was not tried."""


@dataclass
class Replay:
    """One candidate at the origins of the plan: `folds`, and the `errors` of these and of origins between them."""

    folds: list[Fold]
    errors: Errors
    level: float = 0.0
    """Log of the factor that corrects the level of the next forecast."""


def train_products(
    history: History, trial: Trial, shop_name: str, shop: Array, *, extras: Extras | None = None,
    asked: str | None = None, seed: int = 0,
) -> ProductsTrained:  # fmt: skip
    """Try the learner and the simple rates on back-tests, choose, fit, calibrate.

    `history`: units per product. `trial`, `shop_name`, `shop`: the whole shop's units, which model serves them and
    its forecast (AHEAD,). `asked`: a learner of `LEARNERS` that somebody asked for; it serves unless it loses to the
    naive baseline. A product sold at nothing lately is still forecast, at next to nothing.
    """
    return Training(history, trial, shop_name, shop, extras=extras, asked=asked, seed=seed).run()


class Training:
    """One training of the product level; see `train_products`."""

    def __init__(
        self, history: History, trial: Trial, shop_name: str, shop: Array, *, extras: Extras | None = None,
        asked: str | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        self.panel = Panel(history, extras, seed=seed)
        self.shop, self.seed = np.asarray(shop, dtype=float), seed
        self.shop_folds = {fold.cutoff: fold.forecast[0] for fold in trial.folds.get(shop_name, [])}
        self.plan = replace(trial.plan, cutoffs=tuple(sorted(self.shop_folds))[-FOLDS:])
        self.default = asked if asked in LEARNERS else DEFAULT
        if history.days < LEAST_DAYS:
            self.default = BaseRate.name
        self.asked = self.default if asked in LEARNERS else None
        self.fitted: dict[int, BucketModel] = {}
        """The learner of each back-test by its origin."""

    def run(self) -> ProductsTrained:
        """Everything."""
        names = [*SIMPLE, self.default] if self.plan.cutoffs and len(self.panel) else [self.default]
        self.table = self.panel.table() if self.default in LEARNERS else None
        found = {name: self.replay(name) for name in dict.fromkeys(names)} if self.plan.cutoffs else {}
        windows = sorted({7, self.plan.horizon})
        scores = {name: _crps(one, self.panel.history, self.plan.horizon) for name, one in found.items()}
        name = choose_beyond_error(scores, self.default, BASELINE, free=self.asked is None)
        chosen = found.get(name, Replay([], Errors.none()))
        crps = f"crps_{self.plan.horizon}"
        sums = {key: _sums([self.seen(fold) for fold in one.folds], windows) for key, one in found.items()}
        errors = {key: one | {crps: _mean(scores[key])} for key, one in sums.items()}
        history = self.panel.history
        widths = VolumeBins.calibrate(chosen.errors, history)
        coverage = nested_coverage(chosen.errors, history, origins=[f.cutoff for f in chosen.folds], windows=windows)
        mean, columns = self.forecast(name, chosen.level)
        spread = widths.spread(columns, mean[:, :28].sum(axis=1, dtype=float))
        return ProductsTrained(
            name, mean, widths, spread, errors, coverage, len(chosen.folds), chosen.folds, self.panel.sample[0],
            bucket_errors.later_growth(chosen.errors), self.cost(),
        )  # fmt: skip

    def cost(self) -> SampleCost | None:
        """What it costs that the learner learned from a sample of the rows."""
        if self.table is None:
            return None
        return sample_cost.measured(self.panel, self.table, self.fitted, seed=self.seed)

    def replay(self, name: str) -> Replay:
        """A candidate at every origin of the plan."""
        if name in LEARNERS:
            return self._learned(name)
        numbers = self.panel.sample[0]
        history, whole = self.panel.history, len(numbers) == len(self.panel)
        some = history if whole else replace(history, y=history.y[numbers])
        part = {c: 1.0 if whole else self._part(c) for c in self.plan.cutoffs}
        folds = replay(some, self.plan, lambda past: SIMPLE[name](shop=self.shop_folds[past.days] * part[past.days]))
        errors = [self.errors(fold) for fold in folds]
        return Replay(folds, Errors.joined(errors) if errors else Errors.none())

    def shelf(self, fold: Fold) -> npt.NDArray[np.float32] | None:
        """How much of each day of a fold the sampled products were on the shelf; None: always."""
        there = self.panel.extras.available
        days = slice(fold.cutoff, fold.cutoff + fold.forecast.shape[1])
        return None if there is None else np.asarray(there[self.panel.sample[0], days], dtype=np.float32)

    def seen(self, fold: Fold) -> Fold:
        """What a fold forecasts for as much of each day as its products were on the shelf: sales can be no more."""
        shelf = self.shelf(fold)
        return fold if shelf is None else replace(fold, forecast=fold.forecast * shelf)

    def errors(self, fold: Fold) -> Errors:
        """What the sampled products were forecast to sell, and what they sold."""
        columns = bucket_errors.columns(self.panel.sample[1], fold.cutoff)
        return bucket_errors.seen(fold, columns, shelf=self.shelf(fold))

    def _part(self, cutoff: int) -> float:
        """Share of the sampled products in the base rates of all."""
        chunk = self.panel.sample[1]
        everything = sum(float(c.base(cutoff).sum()) for _, c in self.panel.chunks())
        return float(chunk.base(cutoff).sum()) / everything if everything > 0 else 1.0

    def _learned(self, name: str) -> Replay:
        """At every origin a model that ended there; it also forecasts from the weeks up to the next origin.

        Its level is corrected by half of the common error that was known at that origin.
        """
        raw: list[Errors] = []
        adjusted: list[Errors] = []
        folds: list[Fold] = []
        for cutoff in self.plan.cutoffs:
            model = self.fitted[cutoff] = BucketModel(name, self.seed).fit(self.panel, self.table_, cutoff)
            factor = np.exp(_level(raw, cutoff))
            for origin in range(cutoff, min(cutoff + self.plan.step, self.panel.history.days - 6), 7):
                fold = self._fold(model, cutoff, origin)
                if fold is None:
                    continue
                errors = self.errors(fold)
                raw.append(errors)
                adjusted.append(errors.times(factor))
                if origin == cutoff:
                    folds.append(replace(fold, forecast=fold.forecast * np.float32(factor)))
        errors = Errors.joined(adjusted) if adjusted else Errors.none()
        return Replay(folds, errors, _level(raw, self.panel.history.days))

    def _fold(self, model: BucketModel, cutoff: int, origin: int) -> Fold | None:
        """What `model`, which ended at `cutoff`, forecasts from `origin`; None inside a long closure."""
        history, shop = self.panel.history, self.shop_folds[cutoff][origin - cutoff :][:LONG]
        seen = min(len(shop), history.days - origin)
        counted = ~history.closed_long[origin : origin + seen]
        if seen < 7 or counted[: self.plan.horizon].sum() < min(self.plan.horizon, seen) // 3:
            return None
        numbers, chunk = self.panel.sample
        forecast: Any = daily(model, self.panel, chunk, numbers, origin=origin, shop=shop[:seen])
        actual = history.y[numbers, origin : origin + seen]
        day = self.panel.grid.known_at(origin).origin
        return Fold(origin, day, forecast, actual, counted)

    @property
    def table_(self) -> Table:
        """The rows that are learned from."""
        if self.table is None:
            self.table = self.panel.table()
        return self.table

    def forecast(self, name: str, level: float) -> tuple[npt.NDArray[np.float32], Array]:
        """The mean of all products (products, AHEAD), and their columns for the spread."""
        history, days = self.panel.history, self.panel.history.days
        mean = np.zeros((len(self.panel), AHEAD), dtype=np.float32)
        columns = np.zeros((len(self.panel), len(bucket_errors.COLUMNS)))
        learner = BucketModel(name, self.seed).fit(self.panel, self.table_, days) if name in LEARNERS else None
        simple = None if learner else SIMPLE[name](shop=self.shop).fit(history)
        where = engine.blocks(len(self.panel), most=self.panel.chunk)
        parts = ((self.panel.block(rows), None if simple is None else simple.part(rows)) for rows in where)
        work = partial(_block_ahead, self.panel.without_series(), learner, self.shop[:AHEAD], np.float32(np.exp(level)))
        for number, found in engine.each(work, parts, rows=[rows.stop - rows.start for rows in where]):
            mean[where[number]], columns[where[number]] = found
        return mean, columns


def _block_ahead(
    panel: Panel, learner: BucketModel | None, shop: Array, factor: np.float32,
    part: tuple[Block, RateForecaster | None],
) -> tuple[npt.NDArray[np.float32], Array]:  # fmt: skip
    """`Training.forecast` of one block: by `learner`, or by the simple model that the block comes with."""
    (block, simple), days = part, panel.history.days
    chunk = block.chunk(panel.grid)
    if simple is not None:
        mean = simple.predict(AHEAD).astype(np.float32)
    else:
        model = learner or BucketModel()
        mean = daily(model, panel, chunk, block.numbers, origin=days, shop=shop) * factor
    return mean, bucket_errors.columns(chunk, days)


def choose_beyond_error(
    scores: Mapping[str, Sequence[float]], default: str, baseline: str, *, free: bool = True
) -> str:
    """The name that serves: the default, unless another is better by more than one standard error.

    `scores`: the error of each candidate on each back-test, the same ones. With `free` False the default was asked
    for. None that loses to the baseline serves; without back-tests the default does.

    >>> choose_beyond_error({"naive": [5, 6, 5, 6], "a": [4, 4, 4, 4], "b": [3.9, 4, 4.2, 3.9]}, "a", "naive")
    'a'
    >>> choose_beyond_error({"naive": [5, 6, 5, 6], "a": [4, 4, 4, 4], "b": [3, 3.2, 3, 3.1]}, "a", "naive")
    'b'
    >>> choose_beyond_error({"naive": [3, 3, 3, 3], "a": [4, 4, 4, 4]}, "a", "naive")
    'naive'
    """
    if default not in scores or not len(scores[default]):
        return default
    mean = {name: float(np.mean(found)) for name, found in scores.items()}
    best = default
    if free and len(scores[default]) >= FEWEST_TO_LEAVE:
        for name in sorted(scores, key=mean.__getitem__):
            gain = np.subtract(scores[default], scores[name])
            if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
                best = name
                break
    return best if baseline not in mean or mean[best] < mean[baseline] else baseline


def _level(parts: Sequence[Errors], known: int) -> float:
    """Log of the factor that corrects the level: half of the common error of the origins lately known."""
    recent = [e.known_at(known) for e in parts if len(e) and known - LEVEL_DAYS <= e.origin[0] < known]
    ratios = []
    for errors in recent:
        forecast, actual, _ = errors.of_days(28)
        if len(forecast) and forecast.sum() > 0 and actual.sum() > 0:
            ratios.append(np.log(actual.sum() / forecast.sum()))
    if len(ratios) < FEWEST_TO_LEAVE:
        return 0.0
    return float(np.clip(LEVEL_POWER * np.mean(ratios), -LEVEL_MOST, LEVEL_MOST))


def _crps(one: Replay, history: History, horizon: int) -> list[float]:
    """CRPS of the sum over the horizon ÷ mean sum, of each fold; every candidate with widths of its own errors."""
    widths, out = VolumeBins.calibrate(one.errors, history), []
    for fold in one.folds:
        own = one.errors.at(fold.cutoff)
        mean, actual, row = own.of_days(horizon)
        if not len(mean):
            continue
        found = widths.quantiles(mean, horizon, SCORED, spread=widths.spread(own.columns[row], own.rate[row]))
        miss = actual[:, None] - found
        loss = 2 * np.maximum(SCORED * miss, (SCORED - 1) * miss).mean()
        out.append(float(loss / max(actual.mean(), 1e-9)))
    return out


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _sums(folds: Sequence[Fold], windows: Sequence[int]) -> dict[str, float | None]:
    """Errors of the sums over each window, all products and folds pooled."""
    out: dict[str, float | None] = {}
    for days in windows if folds else ():
        actual = np.concatenate([f.actual[:, :days].sum(axis=1) for f in folds])
        forecast = np.concatenate([f.forecast[:, :days].sum(axis=1, dtype=float) for f in folds])
        out[f"wape_{days}"] = metrics.wape(actual, forecast)
        out[f"bias_{days}"] = metrics.bias(actual, forecast)
        out[f"rmse_{days}"] = metrics.rmse(actual, forecast)
    return out
