"""What is measured on what: train and test of every cutoff, as the methods and the scores take them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.forecast.scoring import Fold, scale_of

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """One cutoff of one set: `train` in polars, sorted; what came after, (series, ahead); `scale`, `weight`."""

    train: pl.DataFrame
    actual: Array
    scale: Array
    weight: Array | None

    def fold(self, mean: Array, quantiles: Array, cumulative: dict[int, Array]) -> Fold:
        """The forecast beside what came; a forecast below 0 counts as 0."""
        return Fold(
            self.actual,
            np.maximum(np.nan_to_num(mean), 0.0),
            np.nan_to_num(quantiles),
            self.scale,
            cumulative,
            self.weight,
        )


@dataclass(frozen=True)
class Benchmark:
    """`frame` cut at each of `cutoffs` (the last day of training), `horizon` periods ahead. `kind`: total, products,
    periods. `least`, `sample`: of each cutoff the products with so many selling days, and so many of them drawn."""

    name: str
    kind: str
    frame: pl.DataFrame
    cutoffs: tuple[date, ...]
    horizon: int
    windows: tuple[int, ...]
    country: str | None = None
    freq: str = "D"
    least: int = 0
    sample: int = 0

    def cuts(self) -> Iterator[Cut]:
        """Every cutoff, in the order given; series that begin later than it are left out."""
        for cutoff in self.cutoffs:
            past = self.frame.filter(pl.col("ds") <= cutoff)
            ids = self._chosen(past)
            train = past.filter(pl.col("unique_id").is_in(ids.implode())).sort("unique_id", "ds")
            after = self.frame.filter((pl.col("ds") > cutoff) & pl.col("unique_id").is_in(ids.implode()))
            days = after["ds"].unique().sort()[: self.horizon]
            after = after.filter(pl.col("ds").is_in(days.implode())).sort("unique_id", "ds")
            actual = after["y"].to_numpy().reshape(len(ids), self.horizon)
            grouped = train.group_by("unique_id", maintain_order=True)
            scale = np.array([scale_of(np.array(y)) for y in grouped.agg("y")["y"]])
            yield Cut(train, actual, scale, self._weight(train, cutoff))

    def _chosen(self, past: pl.DataFrame) -> pl.Series:
        selling = past.filter(pl.col("y") > 0).group_by("unique_id").len()
        ids = selling.filter(pl.col("len") >= max(self.least, 1))["unique_id"].sort()
        if self.sample:
            ids = ids.gather(np.random.default_rng(0).permutation(len(ids))[: self.sample]).sort()
        return ids

    def _weight(self, train: pl.DataFrame, cutoff: date) -> Array | None:
        if "price" not in train.columns:
            return None
        last = pl.col("ds") > cutoff - timedelta(days=28)
        revenue = (pl.col("y") * pl.col("price")).filter(last).sum()
        weight: Array = train.group_by("unique_id", maintain_order=True).agg(w=revenue)["w"].to_numpy()
        return weight


def stored(folder: Path, names: list[str] | None = None) -> list[Benchmark]:
    """Sets from a folder of frames described by its sets.json (see `other`)."""
    described: dict[str, Any] = json.loads((folder / "sets.json").read_text())
    out = []
    for name, d in described.items():
        if names and name not in names:
            continue
        horizon, cutoffs = d["horizon"], tuple(date.fromisoformat(c) for c in d["cutoffs"])
        windows = tuple(w for w in sorted({7, 28, horizon} if d["freq"] == "D" else {2, horizon}) if w <= horizon)
        frame = pl.read_parquet(folder / f"{name}.parquet")
        out.append(Benchmark(name, d["kind"], frame, cutoffs, horizon, windows, d["country"], d["freq"]))
    return out
