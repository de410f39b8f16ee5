"""One method on one set, in a process of its own: scores, CPU seconds per cutoff, peak memory, as one line of JSON.

Called by run.py: `python worker.py <pickled set> <method>`.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.forecast import ours, scoring
from benchmarks.forecast.sets import Benchmark, Cut

Array = npt.NDArray[np.float64]

OURS = "Trastienda"


def measure(benchmark: Benchmark, method: str) -> dict[str, float]:
    """Scores of `method` over all cutoffs, with `cpu_s` per cutoff and `peak_mb`."""
    folds, seconds = [], 0.0
    for cut in benchmark.cuts():
        before = time.process_time()
        answer = _ours(benchmark, cut) if method == OURS else _peer(benchmark, cut, method)
        seconds += time.process_time() - before
        folds.append(cut.fold(*answer))
    found = scoring.dense(folds) if benchmark.kind == "total" else scoring.many(folds, windows=benchmark.windows)
    return found | {"cpu_s": seconds / max(len(folds), 1), "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Peak memory of this process. Linux: of itself alone (`ru_maxrss` may hold that of the process that began it)."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _ours(benchmark: Benchmark, cut: Cut) -> tuple[Array, Array, dict[int, Array]]:
    if benchmark.kind == "periods":
        answer = ours.forecast_periods(cut.train, benchmark.horizon, benchmark.freq)
    else:
        function = ours.forecast_total if benchmark.kind == "total" else ours.forecast_products
        answer = function(cut.train, benchmark.horizon, benchmark.country)
    daily, sums = answer["daily"], answer["cum"]
    shape = (len(cut.actual), benchmark.horizon)
    names = pl.col("^q0.*$")
    cumulative = {w: sums.filter(pl.col("window") == w).select(names).to_numpy() for w in benchmark.windows}
    return daily["mean"].to_numpy().reshape(shape), daily.select(names).to_numpy().reshape(*shape, -1), cumulative


def _peer(benchmark: Benchmark, cut: Cut, method: str) -> tuple[Array, Array, dict[int, Array]]:
    import pandas as pd

    from benchmarks.forecast import peers

    train = pd.DataFrame({name: cut.train[name].to_list() for name in ("unique_id", "ds", "y")})
    train["ds"] = pd.to_datetime(train["ds"])
    task = peers.Task(train, benchmark.horizon, benchmark.windows, benchmark.freq, benchmark.country)
    answer = peers.run(method, task)
    return answer.mean, answer.quantiles, answer.cumulative


def main(arguments: list[str]) -> None:
    """Read the set, measure, print."""
    warnings.simplefilter("ignore")  # the peers warn of settings that are theirs
    benchmark: Any = pickle.loads(Path(arguments[0]).read_bytes())
    found = measure(benchmark, arguments[1])
    print(json.dumps({k: None if np.isnan(v) else round(float(v), 5) for k, v in found.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
