"""How long suppliers really take: mean and spread per supplier and variant, from what was received and what is late.

Exponentially weighted moments (the newest delivery counts most), of a variant's own deliveries where there are five,
else of its supplier's, else what was declared. One that has been open for longer than usual is no delivery yet, but
it says "at least so long": it counts as one of the length that such orders then have, E[T | T > waited].
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from retail_ml.inventory import policy
from retail_ml.inventory.policy import Rules

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALPHA = 0.2
"""Weight of the newest delivery; the one before it has 0.8 of that, and so on."""
FEWEST = 5
"""Deliveries from which a variant, else a supplier, is believed."""
LONGEST = 365.0
SOURCES = ("default", "declared", "supplier", "variant")
LEARNED = 2
"""The first of `SOURCES` that rests on deliveries."""


@dataclass(frozen=True, eq=False)
class LeadTimes:
    """Days from order to receipt, per row of the stock table; `seen` is how many deliveries they rest on."""

    days: Floats
    sd: Floats
    source: Ints
    """Where they come from: index of `SOURCES`."""
    seen: Ints


def stated(stock: pl.DataFrame, rules: Rules) -> LeadTimes:
    """What the shop's records say, without a look at deliveries; the default where they say nothing."""
    days, sd = _floats(stock, "lead_time_days"), _floats(stock, "lead_time_sd")
    known = np.isfinite(days) & (days >= 0)
    return LeadTimes(*policy.lead_times(days, sd, rules), known.astype(np.int64), np.zeros(len(stock), np.int64))


def learn(
    stock: pl.DataFrame, deliveries: pl.DataFrame, open_orders: pl.DataFrame, *, as_of: date, rules: Rules
) -> LeadTimes:
    """Lead times of the rows of `stock` (`frames.STOCK`, DELIVERIES, OPEN_ORDERS), from what was known on `as_of`.

    Only deliveries of the supplier that a variant is bought from today count. Lines of one order received on one day
    are one delivery of their supplier. A spread is never below half a day.

    >>> from retail_ml import frames
    >>> shelf = pl.DataFrame({"variant_id": ["v"], "supplier_id": ["1"], "lead_time_days": [5.0],
    ...                       "lead_time_sd": [None]}, schema_overrides={"lead_time_sd": pl.Float64})
    >>> sent = [date(2026, m, 1) for m in range(1, 7)]
    >>> came = pl.DataFrame({"variant_id": ["v"] * 6, "supplier_id": ["1"] * 6, "ordered": sent,
    ...                      "received": [date(2026, m, 11) for m in range(1, 7)], "units": [1.0] * 6})
    >>> found = learn(shelf, came, frames.empty(frames.OPEN_ORDERS), as_of=date(2026, 6, 30), rules=Rules())
    >>> found.days.tolist(), found.sd.tolist(), SOURCES[found.source[0]]
    ([10.0], [0.5], 'variant')
    """
    came = (
        deliveries.filter(pl.col("received") <= as_of)
        .select("variant_id", "supplier_id", "ordered", at="received")
        .with_columns(days=(pl.col("at") - pl.col("ordered")).dt.total_days().cast(pl.Float64), open=pl.lit(False))
    )
    waiting = (
        open_orders.filter(~pl.col("draft") & (pl.col("ordered") <= as_of))
        .select("variant_id", "supplier_id", "ordered", at=pl.lit(as_of))
        .with_columns(days=(pl.col("at") - pl.col("ordered")).dt.total_days().cast(pl.Float64), open=pl.lit(True))
    )
    seen = pl.concat([came, waiting]).filter(pl.col("supplier_id").is_not_null(), pl.col("days") >= 0)
    ours = stock.select("variant_id", "supplier_id")
    own = ours.join(_moments(seen, ["supplier_id", "variant_id"]), on=["supplier_id", "variant_id"], how="left",
                    maintain_order="left")  # fmt: skip
    theirs = ours.join(_moments(seen, ["supplier_id"]), on="supplier_id", how="left", maintain_order="left")
    told = stated(stock, rules)
    days, sd, source, count = told.days, told.sd, told.source, told.seen
    for number, table in ((2, theirs), (3, own)):
        n = table["n"].fill_null(0).to_numpy().astype(np.int64)
        enough = n >= FEWEST
        days = np.where(enough, np.minimum(_floats(table, "mean"), LONGEST), days)
        sd = np.where(enough, np.maximum(_floats(table, "sd"), 0.5), sd)
        source, count = np.where(enough, number, source), np.where(enough, n, count)
    return LeadTimes(days, sd, source, count)


def _moments(seen: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """n, mean and sd per group; open orders first judge themselves by what was received, then join it when late."""
    once = seen.unique([*by, "ordered", "at", "open"])
    received = _weighted(once.filter(~pl.col("open")), by)
    late = once.filter(pl.col("open")).join(received.filter(pl.col("n") >= FEWEST), on=by)
    late = late.filter(pl.col("days") > pl.col("mean"))
    if len(late):
        longer = late["days"].to_numpy() + residual(*(late[c].to_numpy() for c in ("days", "mean", "sd")))
        late = late.with_columns(days=pl.Series(longer)).select(once.columns)
        received = _weighted(pl.concat([once.filter(~pl.col("open")), late]), by)
    return received


def _weighted(seen: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Exponentially weighted mean and unbiased sd of `days` per group, the newest weighing most."""
    age = pl.col("at").rank("ordinal", descending=True).over(by) - 1
    ordered = seen.sort([*by, "at", "ordered", "days"]).with_columns(w=pl.lit(1 - ALPHA).pow(age.cast(pl.Float64)))
    mean = (pl.col("w") * pl.col("days")).sum() / pl.col("w").sum()
    square = (pl.col("w") * pl.col("days") ** 2).sum() / pl.col("w").sum()
    share = (pl.col("w") / pl.col("w").sum()).pow(2).sum()  # 1 - share: what weighing takes off the variance
    spread = (square - mean**2).clip(lower_bound=0) / (1 - share).clip(lower_bound=1e-9)
    return ordered.group_by(by).agg(n=pl.len(), mean=mean, sd=spread.sqrt())


def residual(waited: Floats, mean: Floats, sd: Floats) -> Floats:
    """Days that an order is still expected to take after it was `waited` for: E[T | T > t] - t, gamma lead times.

    With T ~ gamma(k, θ): E[T | T > t] = kθ·P(T' > t)/P(T > t), T' ~ gamma(k + 1, θ). Without a spread, or far out in
    the tail where nothing was ever seen, what is left falls to the mean of the tail, θ days; never below half a day.

    >>> residual(np.array([0.0, 10.0, 20.0]), np.full(3, 10.0), np.full(3, 10.0)).round(6).tolist()
    [10.0, 10.0, 10.0]
    """
    from scipy.special import gammaincc

    sd_ = np.maximum(sd, 0.5)
    mean_ = np.maximum(mean, 0.5)
    shape, scale = (mean_ / sd_) ** 2, sd_**2 / mean_
    t = np.maximum(waited, 0.0)
    beyond = gammaincc(shape, t / scale)
    left = np.divide(mean_ * gammaincc(shape + 1, t / scale), beyond, out=t + scale, where=beyond > 1e-12) - t
    return np.maximum(left, 0.5)


def _floats(table: pl.DataFrame, name: str) -> Floats:
    return table[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(float)
