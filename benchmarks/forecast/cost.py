"""What a forecast costs: CPU seconds and peak memory of the shop, of 4,000 and of 100,000 products.

    python benchmarks/forecast/cost.py --data <folder of Online Retail II> [--only shop 4000 100000]

Each in a process of its own. Products are those of the data, drawn with replacement; 4,000 go through
`forecast_products` with all that it answers, 100,000 through the trainer of the service in its chunks (a long table of
70 million rows would cost more than the forecast), quantiles of 7 and 28 days included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.forecast import data, ours
from benchmarks.forecast.run import ONE_THREAD
from benchmarks.forecast.worker import peak_mb

CASES = ("shop", "4000", "100000")
CHUNK = 5_000


def main() -> None:
    """Read the command line; measure each case in a process of its own, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the two sheets as parquet")
    parser.add_argument("--only", nargs="*", default=CASES, choices=CASES)
    parser.add_argument("--here", choices=CASES, help="measure this case in this process")
    options = parser.parse_args()
    if options.here:
        print(measured(options.here, options.data))
        return
    for case in options.only:
        command = [sys.executable, __file__, "--data", str(options.data), "--here", case]
        subprocess.run(command, check=True, env=os.environ | ONE_THREAD)


def measured(case: str, folder: Path) -> str:
    """One line: the case, CPU seconds of the forecast without reading the data, peak memory with it."""
    sold = data.lines(folder)
    work: Callable[[], object]
    if case == "shop":
        work = partial(ours.forecast_total, data.totals(sold), 28, data.COUNTRY)
    elif case == "4000":
        work = partial(ours.forecast_products, _drawn_table(sold, int(case)), 28, data.COUNTRY)
    else:
        work = partial(_in_chunks, _drawn_matrix(sold, int(case)))
    del sold
    before = time.process_time()
    work()
    seconds = time.process_time() - before
    return f"{case}: {seconds:.1f} CPU s, {peak_mb():.0f} MB"


def _drawn_table(sold: pl.DataFrame, count: int) -> pl.DataFrame:
    """Products drawn with replacement, as a long table."""
    items = data.products(sold)
    ids = items["unique_id"].unique().sort()
    drawn = ids.gather(np.random.default_rng(0).integers(0, len(ids), count))
    names = pl.DataFrame({"unique_id": drawn, "name": [f"{i:05d}" for i in range(count)]})
    return names.join(items, on="unique_id").drop("unique_id").rename({"name": "unique_id"})


def _drawn_matrix(sold: pl.DataFrame, count: int) -> npt.NDArray[np.float64]:
    """The same as (products, days) from the first day of the data on."""
    items = data.products(sold)
    row = items["unique_id"].rank("dense").to_numpy().astype(int) - 1
    day = (items["ds"] - data.FIRST).dt.total_days().to_numpy()
    y = np.zeros((row.max() + 1, day.max() + 1))
    y[row, day] = items["y"].to_numpy()
    return y[np.random.default_rng(0).integers(0, len(y), count)]


def _in_chunks(y: npt.NDArray[np.float64]) -> None:
    """What the service does for products: the shop, the learner over all, then quantiles chunk by chunk."""
    from retail_ml.forecast import backtest, levels
    from retail_ml.forecast.history import History
    from retail_ml.forecast.long_frames import QUANTILES
    from retail_ml.forecast.models import Gam
    from retail_ml.forecast.products import train_products

    history = History(data.LAST - timedelta(days=y.shape[1] - 1), y, np.asarray((y > 0).any(axis=0)), data.COUNTRY)
    shop = history.summed()
    trial = levels.Trial(shop, backtest.plan(shop.days), asked=Gam.name)
    levels.try_daily(trial, [Gam.name], seed=0)
    trained = train_products(history, trial, Gam.name, levels.finish(trial, Gam.name, seed=0).mean[0])
    for first in range(0, len(y), CHUNK):
        rows = slice(first, first + CHUNK)
        for days in (7, 28):
            sums = trained.mean[rows, :days].sum(axis=1, dtype=float)
            trained.widths.quantiles(sums, days, QUANTILES, spread=trained.spread[rows])


if __name__ == "__main__":
    main()
