"""Why the days ahead are what they are: factors whose product is the forecast, to the last bit of each day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.forecast.fortnight import fortnight
from retail_ml.forecast.history import History
from retail_ml.forecast.models.base import Forecaster, ahead_weekdays
from retail_ml.forecast.models.ensemble import Ensemble
from retail_ml.forecast.models.gam import SPECIAL, Gam

Array = npt.NDArray[np.float64]

PARTS = ("level", "trend", "season", "weekday", "holiday", "closure", "promotion", "other")
NOW = 28  # days before the origin that trend and season are told against; days ahead whose mean is the level


@dataclass(frozen=True)
class Explanation:
    """`parts`: one array (series, days) for each of PARTS; `level` in the data's unit, the others are factors.

    `level` is what an open day brings now; `trend` and `season` change it against the last 28 days; `weekday` (of
    every other week, where weeks alternate) is against the mean open weekday; `holiday`, `promotion` and days beside a
    closure against an ordinary day; `closure` is 0 on closed days; `other` is what the regression does not explain:
    the share of the other members.
    """

    parts: Mapping[str, Array]

    def mean(self, part: str, *, series: int = 0, days: int = NOW) -> float:
        """Geometric mean of one part over the open ones among the first `days` days; 1 (level: 0) if none is open."""
        opened = self.parts["closure"][series, :days] > 0
        if not opened.any():
            return 0.0 if part == "level" else 1.0
        return float(np.exp(np.log(np.maximum(self.parts[part][series, :days][opened], 1e-12)).mean()))


def explain(history: History, forecast: Array, model: Forecaster) -> Explanation:
    """Split `forecast` (series, days ahead from day 1 on) of a fitted `model` into factors.

    Trend and season are known for the ensemble and its regression; for other models they are part of `other`.

    >>> from datetime import date
    >>> from retail_ml.forecast.models import WeekdayMean
    >>> y = np.tile([8.0, 8.0, 8.0, 8.0, 8.0, 20.0, 10.0], 12)[None]
    >>> past = History(date(2026, 1, 5), y, np.ones(84, dtype=bool))
    >>> model = WeekdayMean().fit(past)
    >>> found = explain(past, model.predict(7), model)
    >>> round(found.mean("level")), found.parts["weekday"][0].round(1).tolist()
    (10, [0.9, 0.9, 0.9, 0.9, 0.9, 1.9, 1.0])
    """
    days = forecast.shape[1]
    opened = np.broadcast_to(history.open_ahead(days), forecast.shape)
    gam = _regression(model)
    logs = _weekday_only(history, forecast, opened) if gam is None else _terms(gam, days)
    if gam is not None and isinstance(model, Ensemble):
        logs["weekday"] = logs["weekday"] + np.log(fortnight(history, days))
    parts = {name: np.exp(logs.get(name, np.zeros(forecast.shape))) for name in PARTS}
    parts["level"] = np.ones(forecast.shape)
    parts["closure"] = np.where(opened & (forecast > 0), parts["closure"], 0.0)
    product = np.prod([parts[name] for name in PARTS], axis=0)
    rest = np.where(product > 0, forecast / np.where(product > 0, product, 1.0), 1.0)
    level = np.array([[_level(row, kept)] for row, kept in zip(rest[:, :NOW], product[:, :NOW] > 0, strict=True)])
    parts["level"] = np.repeat(level, days, axis=1)
    parts["other"] = np.where(product > 0, rest / level, 1.0)
    return Explanation(parts)


def kept(model: Forecaster, forecast: Array) -> tuple[dict[str, Any], dict[str, Array]]:
    """What a file keeps to explain `forecast` (1, days): JSON values and arrays.

    `explain`: (parts, days), in the order of PARTS. `named_days`: the days ahead that have a name, in their order:
    `date`, `kind` (holiday, closure, promotion or opening), `name`, `open`. `closed`: dates on which the shop is
    closed beside its weekly closing days.
    """
    history = model.history_
    found = explain(history, forecast, model)
    first = history.origin + timedelta(days=1)
    days, calendar = forecast.shape[1], history.calendar
    marks = calendar.marks(first, days)
    named = [
        {"date": (first + timedelta(days=i)).isoformat(), "kind": "holiday", "name": marks.names[k], "open": bool(o)}
        for i, (k, o) in enumerate(zip(marks.holiday.tolist(), marks.open.tolist(), strict=True))
        if k >= 0
    ]
    for event in history.events:
        inside = event.level == "total" and event.kind != "holiday"
        for i in range(max((event.first - first).days, 0), min((event.last - first).days + 1, days) if inside else 0):
            day = first + timedelta(days=i)
            one = {"date": day.isoformat(), "kind": event.kind, "name": event.name, "open": bool(marks.open[i])}
            named.append(one)
    unusual = calendar.regular(first, days) & ~marks.open
    closed = [(first + timedelta(days=int(i))).isoformat() for i in np.flatnonzero(unusual)]
    meta = {"named_days": sorted(named, key=lambda one: (one["date"], one["kind"], one["name"])), "closed": closed}
    return meta, {"explain": np.array([found.parts[name][0] for name in PARTS])}


def _level(rest: Array, known: npt.NDArray[np.bool_]) -> float:
    """Geometric mean of the known days; 1 where there is none."""
    return float(np.exp(np.log(rest[known]).mean())) if known.any() else 1.0


def _regression(model: Forecaster) -> Gam | None:
    """The regression inside a model; none where the window average serves in the ensemble's place."""
    if isinstance(model, Ensemble):
        return None if model.plain_.any() else model.members_.gam
    return model if isinstance(model, Gam) else None


def _terms(gam: Gam, days: int) -> dict[str, Array]:
    """Logarithms of the regression's own parts on the days ahead."""
    known = gam.history_.days
    now = gam.parts(max(0, known - NOW), min(NOW, known))
    ahead = gam.parts(known, days)
    usable = gam.history_.usable[-NOW:]
    usable = usable if usable.any() else np.ones(len(usable), dtype=bool)
    out: dict[str, Array] = {name: ahead[name] for name in SPECIAL if name in ahead}
    for name, groups in (("trend", ("trend", "change")), ("season", ("season",))):
        found = [ahead[g] - now[g][:, usable].mean(axis=1, keepdims=True) for g in groups if g in ahead]
        out[name] = np.asarray(sum(found, np.zeros_like(ahead["level"])))
    out["weekday"] = ahead["weekday"] - _open_week(gam)[:, None]
    return out


def _open_week(gam: Gam) -> Array:
    """Mean weekday effect over the weekdays on which the shop opens, (series,)."""
    history = gam.history_
    effects = gam.parts(history.days, 7)["weekday"]
    opened = ~np.isin(ahead_weekdays(history, 7), sorted(history.calendar.closed_weekdays))
    return np.asarray(effects[:, opened].mean(axis=1))


def _weekday_only(history: History, forecast: Array, opened: npt.NDArray[np.bool_]) -> dict[str, Array]:
    """The weekday's part of a forecast without parts: its mean over four weeks against that of all open days."""
    near = forecast[:, :NOW]
    kept = opened[:, :NOW] & (near > 0)
    weekday = ahead_weekdays(history, forecast.shape[1])
    logs = np.where(kept, np.log(np.where(kept, near, 1.0)), 0.0)
    middle = logs.sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
    effect = np.zeros((len(forecast), 7))
    for day in range(7):
        own = kept & (weekday[:NOW] == day)[: near.shape[1]]
        mean = (logs * own).sum(axis=1) / np.maximum(own.sum(axis=1), 1)
        effect[:, day] = np.where(own.any(axis=1), mean - middle, 0.0)
    return {"weekday": effect[:, weekday]}
