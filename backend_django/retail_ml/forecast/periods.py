"""Weekly and monthly series: an entrance of its own, without weekdays and without a calendar of days.

Levels, damped trend and last year's shape of every series (`period_levels`), and a learner over all series together
(`period_learner`), are mixed by their errors over rolling origins of the same table; the errors of the mix give the
widths (`period_widths`), for single periods and, apart, for sums.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import nnls

from retail_ml.errors import BadParameter
from retail_ml.forecast import long_frames, period_learner
from retail_ml.forecast.long_frames import QUANTILES
from retail_ml.forecast.period_levels import LEVEL, Panel, members
from retail_ml.forecast.period_widths import Errors, Widths, spreads

Array = npt.NDArray[np.float64]

WEEKS, MONTHS = 52, 12
MOST_FOLDS = 10
FEWEST_FOLDS = 3
PRIOR = 20.0
"""Weight of equal shares in the mix, in rows of one fold."""
MOST_AHEAD = {WEEKS: 104, MONTHS: 36}
MONDAY = 4  # days from 1970-01-01 to the first Monday
SPARSE = 0.5  # share of periods with a sale below which a series is sparse
ENOUGH = 50  # series of a group that gets shares of its own
CERTAIN = 1e4
NOTHING = 0.1


def forecast_periods(train: Any, horizon: int, freq: str) -> dict[str, Any]:
    """Weekly or monthly totals of one or many series ahead, and quantiles of their sums.

    Parameters
    ----------
    train : polars.DataFrame or pandas.DataFrame
        Columns unique_id, ds (any day of the period), y. Periods left out count as 0; a series begins with its first
        period above 0; all end with the last period of the table.
    horizon : int
        Periods ahead: 1 to 104 weeks or 36 months.
    freq : str
        "W", "W-SUN", "1w", "weekly" … or "M", "MS", "ME", "1mo", "monthly" ….

    Returns
    -------
    dict
        "daily": unique_id, ds, mean, q0.025 … q0.99 per period, `ds` on the same weekday, first or last day of the
        month as in `train`; "cum": unique_id, window, q0.025 … q0.99 of the sum over the first 1, 2, … horizon periods.

    Raises
    ------
    BadFrame
        A column is missing, the table is empty, an id or a day is missing.
    BadParameter
        `horizon` is outside its range, or `freq` is neither weeks nor months.

    Examples
    --------
    >>> months = pl.date_range(date(2024, 1, 1), date(2025, 12, 1), "1mo", eager=True)
    >>> answer = forecast_periods(pl.DataFrame({"unique_id": "a", "ds": months, "y": [20.0] * 24}), 2, "M")
    >>> answer["daily"].select("ds", pl.col("mean").round(3)).rows()
    [(datetime.date(2026, 1, 1), 20.0), (datetime.date(2026, 2, 1), 20.0)]
    """
    season = season_of(freq)
    long_frames.check_horizon(horizon, most=MOST_AHEAD[season])
    horizon = int(horizon)
    table = long_frames.read(train, number=_months if season == MONTHS else _weeks)
    mean, single, sums = forecast(Panel.of(table.y, season=season), horizon)
    days = _ahead(table.last, horizon, season)
    return {"daily": table.answer(days, mean, single), "cum": table.sums(range(1, horizon + 1), sums)}


def season_of(freq: str) -> int:
    """Periods in a year: 52 weeks or 12 months. Raises BadParameter for anything else.

    >>> season_of("W-SUN"), season_of("MS")
    (52, 12)
    """
    name = str(freq).strip().upper().lstrip("1")
    if name[:1] == "W":
        return WEEKS
    if name[:1] == "M" and not name.startswith("MIN"):
        return MONTHS
    raise BadParameter(
        f"freq must name weeks (W) or months (M); received {freq!r}. Daily series go to forecast_total.",
        code="bad_parameter.choice",
        field="freq",
        received=str(freq),
        allowed=["W", "M"],
    )


def forecast(panel: Panel, horizon: int) -> tuple[Array, Array, dict[int, Array]]:
    """Means (series, horizon), their quantiles (series, horizon, 14), and of sums by window 1…horizon (series, 14)."""
    mix = Mix.of(panel, horizon)
    mean = mix.predict(panel.periods, horizon)
    spread = _spread(panel, panel.periods)
    windows = range(1, horizon + 1)
    learn = partial(Widths.calibrate, probabilities=QUANTILES, folds=mix.span / horizon, month=panel.season / 12)
    widths = learn({w: mix.errors(0, w) for w in windows})
    each = learn({h: mix.errors(h - 1, h) for h in windows})
    sums = {w: widths.quantiles(w, w, mean[:, :w].sum(axis=1), spread) for w in windows}
    single = np.stack([each.quantiles(h, 1, mean[:, h - 1], spread) for h in windows], axis=1)
    if (panel.y == np.round(panel.y)).all():  # counts: what is almost nothing is nothing
        single = np.where(single < NOTHING, 0.0, single)
        sums = {w: np.where(q < NOTHING, 0.0, q) for w, q in sums.items()}
    return mean, single, sums


@dataclass
class Mix:
    """Shares of the members, by density of the series, and their back-test: `folds` is (origin, members' forecasts)."""

    panel: Panel
    folds: list[tuple[int, Array]]
    learner: period_learner.Learner | None
    shares: Array
    """(series, members)."""

    @classmethod
    def of(cls, panel: Panel, horizon: int) -> Mix:
        """Replay, learn the shares, and fit the learner once more on everything."""
        starts = origins(panel.periods, horizon)
        folds = [(o, members(panel, o, min(horizon, panel.periods - o))) for o in starts]
        near = min(horizon, panel.periods - starts[-1]) if starts else horizon
        learner = None
        split = len(starts) // 2
        early = period_learner.fit(panel, starts[split] - near, near) if len(starts) >= 2 * FEWEST_FOLDS else None
        if early is not None:
            folds = [(o, np.concatenate([f, early.predict(o, f.shape[2])[None]])) for o, f in folds[split:]]
            learner = period_learner.fit(panel, panel.periods - near, near)
        shares = _shares(panel, folds, near)
        return cls(panel, folds, learner, shares)

    @property
    def span(self) -> int:
        """Periods that the back-test covers."""
        return self.panel.periods - self.folds[0][0] if self.folds else 0

    def predict(self, origin: int, horizon: int) -> Array:
        """Mean forecast of the next `horizon` periods, (series, horizon)."""
        known = members(self.panel, origin, horizon)
        if self.learner is not None:
            known = np.concatenate([known, self.learner.predict(origin, horizon)[None]])
        return self._mixed(known)

    def errors(self, first: int, last: int) -> Errors | None:
        """What the mix forecast and what came over the periods first…last after every origin that knows them."""
        found = []
        for k, (origin, known) in enumerate(self.folds):
            alive = self.panel.first < origin
            if known.shape[2] >= last and alive.any():
                forecast = self._mixed(known)[alive, first:last].sum(axis=1)
                actual = self.panel.y[alive, origin + first : origin + last].sum(axis=1)
                found.append((actual, forecast, _spread(self.panel, origin)[alive], np.full(alive.sum(), k)))
        return Errors(last - first, *(np.concatenate(part) for part in zip(*found, strict=True))) if found else None

    def _mixed(self, known: Array) -> Array:
        return np.einsum("sm,msh->sh", self.shares, known)


def origins(periods: int, horizon: int) -> list[int]:
    """Origins of the replays, ascending: at most MOST_FOLDS, a third of the horizon apart, the last a horizon back.

    >>> origins(80, 8), origins(6, 3), origins(3, 3)
    ([54, 56, 58, 60, 62, 64, 66, 68, 70, 72], [4, 5], [])
    """
    first = max(4, periods // 3)
    near = min(horizon, max(1, (periods - first) // 2))
    step = max(1, near // 3)
    return list(range(periods - near, first - 1, -step))[:MOST_FOLDS][::-1]


def _spread(panel: Panel, origin: int) -> Array:
    return spreads(panel.noise[:, origin], panel.smoothed[LEVEL, :, origin], panel.age(origin))


def _shares(panel: Panel, folds: list[tuple[int, Array]], near: int) -> Array:
    """Shares of the members, (series, members): dense and sparse series apart, where there are enough of both."""
    count = folds[0][1].shape[0] if folds else len(members(panel, panel.periods, 1))
    out = np.full((len(panel.y), count), 1 / count)
    if not folds:
        return out
    alive = np.maximum(panel.age(panel.periods), 1)
    sparse = (panel.y > 0).sum(axis=1) / alive < SPARSE
    groups = [sparse, ~sparse] if min(sparse.sum(), (~sparse).sum()) >= ENOUGH else [np.ones(len(sparse), dtype=bool)]
    for group in groups:
        out[group] = _least_squares(panel, folds, near, group)
    return out


def _least_squares(panel: Panel, folds: list[tuple[int, Array]], near: int, group: npt.NDArray[np.bool_]) -> Array:
    """Shares ≥ 0 with sum 1 of the smallest squared error of sums, each weighed by forecast^-1.5, (members,).

    Pulled to equal shares with the weight of PRIOR series in every fold.
    """
    blocks, targets = [], []
    for origin, known in folds:
        mine = group & (panel.first < origin)
        forecast = known[:, mine, :near].sum(axis=2).T
        weight = (forecast.mean(axis=1) + 1e-3) ** -0.75
        blocks.append(forecast * weight[:, None])
        targets.append(panel.y[mine, origin : origin + near].sum(axis=1) * weight)
    x, y = np.concatenate(blocks), np.concatenate(targets)
    members_ = x.shape[1]
    if not len(y):
        return np.full(members_, 1 / members_)
    scale = float(np.sqrt(np.square(x.mean(axis=1) - y).mean())) or 1.0
    apart = float(np.square(x - x.mean(axis=1, keepdims=True)).mean())
    pull = np.sqrt(PRIOR * len(folds) * apart) / scale
    rows = np.concatenate([x / scale, np.eye(members_) * pull, np.full((1, members_), CERTAIN)])
    found, _ = nnls(rows, np.concatenate([y / scale, np.full(members_, pull / members_), [CERTAIN]]))
    return np.asarray(found / found.sum())


def _months(days: pl.Series) -> pl.Series:
    return days.dt.year().cast(pl.Int64) * 12 + days.dt.month().cast(pl.Int64)


def _weeks(days: pl.Series) -> pl.Series:
    """Number of the week: from the weekday that all days share, else from Monday on."""
    number = days.to_physical().cast(pl.Int64) - MONDAY
    weekday = number % 7
    return (number - int(weekday[0])) // 7 if weekday.n_unique() == 1 else number // 7


def _ahead(last: date, horizon: int, season: int) -> list[date]:
    """Days of the next periods: the same weekday, the same day of the month, or its last day as `last` is.

    >>> _ahead(date(2026, 1, 31), 2, MONTHS), _ahead(date(2026, 1, 4), 1, WEEKS)
    ([datetime.date(2026, 2, 28), datetime.date(2026, 3, 31)], [datetime.date(2026, 1, 11)])
    """
    if season == WEEKS:
        return [last + timedelta(weeks=i + 1) for i in range(horizon)]
    at_end = (last + timedelta(days=1)).day == 1
    out = []
    for i in range(1, horizon + 1):
        year, month = divmod(last.year * 12 + last.month - 1 + i, 12)
        length = monthrange(year, month + 1)[1]
        out.append(date(year, month + 1, length if at_end else min(last.day, length)))
    return out
