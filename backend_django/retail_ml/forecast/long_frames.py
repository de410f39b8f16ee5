"""Long tables (series, day, amount) of polars or pandas as dense arrays, and answers as tables of the same kind.

pandas is never imported unless its frame was given: it is no dependency of this project.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.errors import BadFrame, BadParameter

Array = npt.NDArray[np.float64]

QUANTILES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)
NAMES = tuple(f"q{p}" for p in QUANTILES)
LARGEST = 1e9
"""Beyond it a table is scaled down while it is worked on, so that squares and sums stay finite."""


@dataclass(frozen=True)
class LongTable:
    """`y` (series, periods): one row per id, ascending; a period without a row is 0, negative amounts stay.

    `start`: number of the first period; `last`: the last day given. `price` (series,): the last one known, NaN where
    none is. `scale`: what `y` was divided by. `pandas`: was the given frame one of pandas? `ds`: how it wrote its days.
    """

    ids: pl.Series
    start: int
    last: date
    y: Array
    price: Array
    titles: list[str]
    scale: float
    pandas: bool
    ds: Any

    @property
    def first(self) -> npt.NDArray[np.int64]:
        """Index of the first period above 0 of each series; the number of periods where there is none, (series,)."""
        above = self.y > 0
        return np.where(above.any(axis=1), above.argmax(axis=1), self.y.shape[1])

    def answer(self, when: Sequence[date], mean: Array, quantiles: Array) -> Any:
        """The `daily` table: unique_id, ds, mean, q0.025 … of `mean` (series, ahead), `quantiles` (…, 14)."""
        ahead = len(when)
        ds = pl.Series("ds", list(when) * len(self.ids), dtype=pl.Date)
        columns = {"unique_id": self._repeated(ahead), "ds": ds, "mean": mean.ravel() * self.scale}
        return self._given(columns | self._named(quantiles.reshape(-1, len(NAMES))))

    def sums(self, windows: Sequence[int], quantiles: Mapping[int, Array]) -> Any:
        """The `cum` table: unique_id, window, q0.025 … of the sums over the first `window` periods, (series, 14)."""
        stacked = np.stack([quantiles[w] for w in windows], axis=1).reshape(-1, len(NAMES))
        window = pl.Series("window", list(windows) * len(self.ids), dtype=pl.Int64)
        return self._given({"unique_id": self._repeated(len(windows)), "window": window} | self._named(stacked))

    def _named(self, quantiles: Array) -> dict[str, Any]:
        rising = np.maximum.accumulate(np.maximum(np.nan_to_num(quantiles), 0.0), axis=1) * self.scale
        return {name: rising[:, i] for i, name in enumerate(NAMES)}

    def _repeated(self, times: int) -> pl.Series:
        return self.ids.gather(np.repeat(np.arange(len(self.ids)), times))

    def _given(self, columns: dict[str, Any]) -> Any:
        """A frame of the kind that was given, its days written as they were given."""
        if not self.pandas:
            frame = pl.DataFrame(columns)
            if "ds" in columns and isinstance(self.ds, pl.Datetime):
                when = pl.col("ds").cast(pl.Datetime(self.ds.time_unit))
                frame = frame.with_columns(when.dt.replace_time_zone(self.ds.time_zone))
            return frame
        import pandas as pd  # there, because the frame that was given is one

        plain = {k: v.to_list() if isinstance(v, pl.Series) else v for k, v in columns.items()}
        if "ds" in plain and self.ds is not None:
            when = pd.to_datetime(pd.Series(plain["ds"]))
            zone = getattr(self.ds, "tz", None)
            plain["ds"] = when.dt.tz_localize(zone) if zone else when.astype(self.ds)
        return pd.DataFrame(plain)


def check_horizon(horizon: int, *, most: int = 365) -> None:
    """Raises BadParameter for a horizon outside 1…`most`."""
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or not 1 <= horizon <= most:
        raise BadParameter(
            f"horizon must be a whole number from 1 to {most}; received {horizon!r}.",
            code="bad_parameter.whole",
            field="horizon",
            minimum=1,
            maximum=most,
            received=horizon,
        )


def read(train: Any, *, number: Callable[[pl.Series], pl.Series] | None = None) -> LongTable:
    """A polars or pandas frame with unique_id, ds, y and, where known, price and text, in any order of rows.

    Several rows of one series and period are added up; missing and non-finite amounts count as 0. All series share
    the periods from the first of any to the last of any. `number`: of the periods in which days lie
    (default: the day itself, counted from 1970 on).

    Raises BadFrame for a missing column, an empty table, or an id or a day that is missing.

    >>> table = read(pl.DataFrame({"unique_id": [7, 7], "ds": [date(2026, 1, 3), date(2026, 1, 1)], "y": [2.0, 1.0]}))
    >>> table.y.tolist(), table.ids.to_list()
    ([[1.0, 0.0, 2.0]], [7])
    """
    frame, pandas, ds = _polars(train)
    for name in ("unique_id", "ds"):
        if frame[name].null_count():
            raise BadFrame(f"train.{name} is missing in {frame[name].null_count()} row(s); every row needs one.")
    at = number(frame["ds"]) if number else frame["ds"].to_physical().cast(pl.Int64)
    y = pl.col("y").cast(pl.Float64)
    frame = frame.with_columns(y=pl.when(y.is_finite()).then(y).otherwise(0.0), at=at)
    ids = frame["unique_id"].unique().sort()
    known = pl.DataFrame({"unique_id": ids, "row": np.arange(len(ids))})
    frame = frame.join(known, on="unique_id", how="left").sort("row", "ds", "y")
    start, end = frame.select(pl.col("at").min(), last=pl.col("at").max()).row(0)
    sums = frame.group_by("row", "at", maintain_order=True).agg(pl.col("y").sum())
    largest = float(sums["y"].abs().max() or 0.0)  # type: ignore[arg-type]
    scale = largest / LARGEST if largest > LARGEST else 1.0
    dense = np.zeros((len(ids), end - start + 1))
    dense[sums["row"].to_numpy(), sums["at"].to_numpy() - start] = sums["y"].to_numpy() / scale
    last: date = frame["ds"].max()  # type: ignore[assignment]
    return LongTable(ids, start, last, dense, *_facts(frame, len(ids)), scale, pandas, ds)


def ahead_days(last: date, horizon: int) -> list[date]:
    """The next `horizon` days after `last`.

    >>> ahead_days(date(2026, 1, 30), 3)[-1]
    datetime.date(2026, 2, 2)
    """
    return [last + timedelta(days=i + 1) for i in range(horizon)]


def _facts(frame: pl.DataFrame, rows: int) -> tuple[Array, list[str]]:
    """Last known price and text of every series; `frame` is sorted by day."""
    price, titles = np.full(rows, np.nan), [""] * rows
    if "price" in frame.columns:
        paid = frame.with_columns(pl.col("price").cast(pl.Float64)).filter(pl.col("price").is_finite())
        last = paid.group_by("row", maintain_order=True).agg(pl.col("price").last())
        price[last["row"].to_numpy()] = last["price"].to_numpy()
    if "text" in frame.columns:
        named = frame.filter(pl.col("text").is_not_null()).group_by("row", maintain_order=True)
        for row, text in named.agg(pl.col("text").last()).select("row", "text").iter_rows():
            titles[row] = str(text)
    return price, titles


def _polars(train: Any) -> tuple[pl.DataFrame, bool, Any]:
    """The table in polars with `ds` as a day; was it pandas; the type that its `ds` had."""
    if isinstance(train, pl.LazyFrame):
        train = train.collect()
    pandas = not isinstance(train, pl.DataFrame)
    if pandas and ("pandas" not in sys.modules or not hasattr(train, "columns")):
        raise BadFrame(f"train must be a frame of polars or pandas; received {type(train).__name__}.")
    missing = [name for name in ("unique_id", "ds", "y") if name not in train.columns]
    if missing:
        raise BadFrame(
            f"train lacks the column(s) {', '.join(missing)}; it has {', '.join(map(str, train.columns))}.",
            code="bad_frame.columns",
            table="train",
            missing=missing,
        )
    if not len(train):
        raise BadFrame("train has no rows; at least one observation is needed.")
    ds = train["ds"].dtype
    kept = [name for name in ("unique_id", "ds", "y", "price", "text") if name in train.columns]
    frame = pl.DataFrame([_column(name, train[name]) for name in kept]) if pandas else train.select(kept)
    if frame["ds"].dtype == pl.String:
        frame = frame.with_columns(pl.col("ds").str.slice(0, 10).str.to_date())
        ds = None
    elif isinstance(frame["ds"].dtype, pl.Datetime):
        frame = frame.with_columns(pl.col("ds").dt.date())
    return frame.with_columns(pl.col("ds").cast(pl.Date)), pandas, ds if getattr(ds, "kind", "M") == "M" else None


def _column(name: str, values: Any) -> pl.Series:
    """One column of pandas, without the library that polars would use for it."""
    if name in ("y", "price"):
        return pl.Series(name, values.to_numpy(dtype=float, na_value=np.nan))
    if getattr(values.dtype, "tz", None):
        values = values.dt.tz_localize(None)
    kind = getattr(values.dtype, "kind", "")
    if kind in "iufM":
        return pl.Series(name, values.to_numpy(dtype="datetime64[us]" if kind == "M" else None))
    plain = [None if gone else v for v, gone in zip(values.tolist(), values.isna().tolist(), strict=True)]
    return pl.Series(name, plain, strict=False)
