"""Demand for single products and variants over any days ahead: the distribution of the sum, never a sum of days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from retail_ml.errors import BadParameter
from retail_ml.forecast.newcomers import PROBABILITIES as NEW_PROBABILITIES
from retail_ml.forecast.newcomers import WINDOWS as NEW_WINDOWS
from retail_ml.forecast.volume_bins import PROBABILITIES, VolumeBins

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FINE = (np.arange(200) + 0.5) / 200
"""Probabilities between which the spread of newcomers is integrated."""


@dataclass(frozen=True)
class Demand:
    """Of sums of units, one row per series: `mean`, `sd` (rows,), `quantiles` (rows, probabilities)."""

    mean: Array
    sd: Array
    quantiles: Array


@dataclass(frozen=True)
class SumsAhead:
    """The widths of one level, product or variant, of a stored forecast.

    `spread` (series,): how hard each is to forecast; `later`: `bucket_errors.later_growth`; `stage` (series,): which
    of the newcomers' ages a series is at, −1 where it is no newcomer, with their table (`edges`, `table` of ages ×
    windows × bins × probabilities); `rate` (series,): the forecast of 28 days. `shared`: the series are parts of what
    the newcomers' table was made for, and never narrower than others of their kind.
    """

    bins: VolumeBins
    spread: Array
    later: float
    stage: Ints
    edges: Array
    table: Array
    rate: Array
    shared: bool

    @classmethod
    def read(cls, level: str, meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> SumsAhead:
        """From what `shop.stored` wrote."""
        stage = np.full(len(arrays["product_ids"]), -1)
        stage[arrays["newcomer_rows"]] = arrays["newcomer_stage"]
        rate = np.asarray(arrays["product_units_mean"][:, :28].sum(axis=1, dtype=float))
        if level == "variant":
            of = arrays["variant_product"]
            stage = np.where(of >= 0, np.append(stage, -1)[of], -1)
            rate = np.append(rate, 0.0)[of] * arrays["variant_share"]
        bins = VolumeBins(arrays[f"{level}_edges"], arrays[f"{level}_z"], arrays[f"{level}_sd"])
        new = (arrays["newcomer_edges"], arrays["newcomer_spread"])
        later = float(meta["later"][level])
        return cls(bins, arrays[f"{level}_spread"], later, stage, *new, rate, level == "variant")

    def quantiles(
        self, mean: Array, days: int, probabilities: Sequence[float] | Array, *, rows: Ints | None = None, skip: int = 0
    ) -> Array:
        """Quantiles of the sum over `days` days that begin after `skip` others, (rows, probabilities).

        `mean` (rows,): the forecast of that sum; `rows`: which series, default all. Raises BadParameter for a
        probability that was not calibrated.
        """
        rows = np.arange(len(self.spread)) if rows is None else rows
        wanted = check_probabilities(probabilities)
        found = self.bins.quantiles(mean, days, wanted, spread=self.spread[rows])
        new = np.flatnonzero(self.stage[rows] >= 0)
        if len(new):
            own = self._new(rows[new], days, wanted) * mean[new, None]
            if self.shared or days < min(NEW_WINDOWS):  # of less than was tested: the wider of both
                low, high = np.minimum(own, found[new]), np.maximum(own, found[new])
                own = np.where(wanted < 0.5, low, np.where(wanted > 0.5, high, own))
            found[new] = own
        growth = (1 + skip / days) ** self.later
        return np.maximum(mean[:, None] + (found - mean[:, None]) * growth, 0.0)

    def total(self, mean: Array, days: int, coverage: float, *, rows: Ints | None = None) -> tuple[Array, Array]:
        """Bounds of the sum over the next `days` days, (rows,) each; the forecast itself lies between them."""
        found = self.quantiles(mean, days, ((1 - coverage) / 2, (1 + coverage) / 2), rows=rows)
        return np.minimum(found[:, 0], mean), np.maximum(found[:, 1], mean)

    def sd(self, mean: Array, days: int, *, rows: Ints | None = None, skip: int = 0) -> Array:
        """Standard deviation of the sum around its forecast `mean`, (rows,)."""
        rows = np.arange(len(self.spread)) if rows is None else rows
        found = self.bins.sd_total(mean, days, spread=self.spread[rows])
        new = np.flatnonzero(self.stage[rows] >= 0)
        if len(new):
            fine = np.clip(FINE, NEW_PROBABILITIES[0], NEW_PROBABILITIES[-1])
            own = np.sqrt(np.square(self._new(rows[new], days, fine) - 1).mean(axis=1)) * mean[new]
            found[new] = np.maximum(own, found[new]) if self.shared or days < min(NEW_WINDOWS) else own
        return np.asarray(found * (1 + skip / days) ** self.later)

    def demand(
        self, daily: Callable[[Ints, int, int], Array], days: Ints, *, probabilities: Sequence[float], rows: Ints,
        skip: int = 0,
    ) -> Demand:  # fmt: skip
        """The distribution of each series' own number of `days` (rows,), beginning after `skip` days.

        `daily(rows, first, last)`: the forecast of those days, (rows,). One pass per different number of days.
        """
        mean, sd = np.zeros(len(rows)), np.zeros(len(rows))
        quantiles = np.zeros((len(rows), len(probabilities)))
        for number in np.unique(days).tolist():
            at = np.flatnonzero(days == number)
            mean[at] = daily(rows[at], skip, skip + number)
            sd[at] = self.sd(mean[at], number, rows=rows[at], skip=skip)
            if len(probabilities):
                quantiles[at] = self.quantiles(mean[at], number, probabilities, rows=rows[at], skip=skip)
        return Demand(mean, sd, quantiles)

    def _new(self, rows: Ints, days: int, probabilities: Array) -> Array:
        """Quantiles of actual ÷ forecast of newcomers, of the calibrated window next to `days`, (rows, probs)."""
        window = int(np.argmin(np.abs(np.log(np.array(NEW_WINDOWS)) - np.log(days))))
        bins = np.searchsorted(self.edges, self.rate[rows], side="right")
        table = self.table[self.stage[rows], window, bins]
        kinds, at = np.unique(table, axis=0, return_inverse=True)
        found = np.array([np.interp(probabilities, NEW_PROBABILITIES, kind) for kind in kinds])
        return found[at.ravel()]


def check_probabilities(probabilities: Sequence[float] | Array) -> Array:
    """As an array. Raises BadParameter outside .005….995.

    >>> check_probabilities([0.999])
    Traceback (most recent call last):
    ...
    retail_ml.errors.BadParameter: probabilities must lie between 0.005 and 0.995; received 0.999.
    """
    wanted = np.asarray(probabilities, dtype=float)
    least, most = float(PROBABILITIES[0]), float(PROBABILITIES[-1])
    wrong = wanted[~((wanted >= least) & (wanted <= most))]
    if len(wrong):
        raise BadParameter(
            f"probabilities must lie between {least} and {most}; received {wrong[0]}.",
            code="bad_parameter.range",
            field="probabilities",
            minimum=least,
            maximum=most,
            received=float(wrong[0]),
        )
    return wanted
