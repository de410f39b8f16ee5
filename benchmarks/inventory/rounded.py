"""What to round a level of two forecasts to, where demand over the lead time is a unit or two: boutiques, no replay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.inventory import boutique
from benchmarks.inventory.boutique import Boutique, Tables
from benchmarks.inventory.combined import TAUS, own_quantiles
from retail_ml import frames
from retail_ml.forecast import shop
from retail_ml.forecast.serving import Forecasts
from retail_ml.inventory.history import History, history

Floats = npt.NDArray[np.float64]

CUTS = (date(2026, 3, 1), date(2026, 5, 3), date(2026, 7, 5), date(2026, 9, 6), date(2026, 10, 20))
DAYS = (14, 21, 30)
SALE_DAYS, RECENT = 5, 90
WAYS: dict[str, Callable[[Floats], Floats]] = {
    "rounded up": lambda q: np.ceil(q - 1e-9),
    "to the nearest unit: in service": lambda q: np.floor(q + 0.5),
    "rounded down": np.floor,
}


def main() -> dict[str, Any]:
    """Pinball loss over units sold, coverage and units held, of levels in whole units: per way, for each quantile.

    Variants sold on five days, and in the last 90. The forecast is trained on the days before each date alone.
    """
    found: dict[str, list[Floats]] = {}
    sold = 0.0
    for seed in boutique.SEEDS:
        made = Boutique.of(seed)
        for cut in CUTS:
            for name, (each, units) in _one(made, cut).items():
                found.setdefault(name, []).append(each)
                sold += units if name == "own" else 0.0
        print(seed, {name: round(float(np.sum(parts, axis=0)[0].sum() / sold), 4) for name, parts in found.items()})
    told = {}
    for name, parts in found.items():
        loss, covered, held, count = np.sum(parts, axis=0)
        told[name] = {
            "pinball": dict(zip(map(str, TAUS), (loss / sold).round(4).tolist(), strict=True)),
            "sum": round(float(loss.sum() / sold), 4),
            "covered": dict(zip(map(str, TAUS), (covered / count).round(4).tolist(), strict=True)),
            "units": dict(zip(map(str, TAUS), held.tolist(), strict=True)),
        }
    return told


def _one(made: Boutique, cut: date) -> dict[str, tuple[Floats, float]]:
    """Per way: sums of loss, covered, units held and cases, (4, taus), and the units sold."""
    known = made.known(cut)
    variants = known.stock.select("variant_id", category=pl.lit(""), created=pl.lit(None, pl.Date))
    h = history(known.lines, variants, until=cut)
    forecasts = _forecasts(known, cut)
    row = frames.IdMap(forecasts.ids("variant")).internal(pl.Series(h.variant_ids.tolist()))
    use = (np.diff(h.units, axis=1) > 0).sum(axis=1) >= SALE_DAYS
    use &= (row >= 0) & (h.units[:, h.days] > h.units[:, h.days - RECENT])
    found: dict[str, tuple[Floats, float]] = {}
    for days in DAYS:
        y = _asked(made.lines, h, cut, days)[use]
        theirs = forecasts.demand("variant", days, probabilities=TAUS)
        daily = np.full(len(use), np.nan)
        daily[use] = theirs.mean[row[use]] / days
        own, mixed = (own_quantiles(h, days, rate)[use] for rate in (None, daily))
        mean = (mixed + theirs.quantiles[row[use]]) / 2
        levels = {"own": own} | {f"mean of both, {way}": fn(mean) for way, fn in WAYS.items()}
        for name, q in levels.items():
            error, tau = y[:, None] - q, np.array(TAUS)
            loss = np.maximum(tau * error, (tau - 1) * error).sum(axis=0)
            each = np.stack([loss, (error <= 0).sum(axis=0), q.sum(axis=0), np.full(len(tau), len(y))])
            before, units = found.get(name, (np.zeros_like(each), 0.0))
            found[name] = (before + each, units + float(y.sum()))
    return found


def _asked(lines: pl.DataFrame, h: History, cut: date, days: int) -> Floats:
    after = lines.filter(pl.col("day") > cut, pl.col("day") <= cut + timedelta(days=days))
    units = after.group_by("variant_id").agg(pl.col("units").sum())
    ids = pl.DataFrame({"variant_id": h.variant_ids.tolist()})
    return ids.join(units, on="variant_id", how="left", maintain_order="left")["units"].fill_null(0.0).to_numpy()


def _forecasts(known: Tables, cut: date) -> Forecasts:
    sold = known.products.filter(pl.col("product_id").is_in(known.lines["product_id"].unique().implode()))
    stock = known.stock.filter(pl.col("product_id").is_in(sold["product_id"].implode()))
    read = shop.read(known.lines, as_of=cut, country="ES")
    trials = shop.try_total(read, ["linear"], seed=1, step=lambda _: None)
    names = {target: trial.best() for target, trial in trials.items()}
    meta, arrays, _ = shop.stored(shop.assemble(read, trials, names, tables=shop.Tables(sold, stock, None), seed=1))
    return Forecasts(meta, arrays)
