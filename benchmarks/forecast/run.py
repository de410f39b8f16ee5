"""The benchmark of the sales forecast: every method on every set, each in a process of its own.

    python benchmarks/forecast/run.py --data <folder of Online Retail II> [--only t1|t2|…] [--methods …] [--other]
                                      [--write-readme]

Results are kept in results.json beside this file, so that a part can be measured again; `--write-readme` writes the
tables of everything that is known into README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from benchmarks.forecast import data, other, report
from benchmarks.forecast.sets import Benchmark
from benchmarks.forecast.worker import OURS

STATISTICAL = ("AutoETS", "AutoARIMA", "AutoTheta", "AutoCES", "MSTL")
SIMPLE = ("TSB", "CrostonSBA", "ADIDA", "IMAPA", "seasonal window average", "seasonal naive")
LEARNED = ("LightGBM", "Prophet", "Prophet with our calendar", "tutorial random forest")
TOTAL = (OURS, *STATISTICAL, *SIMPLE, *LEARNED)
MANY = (OURS, *SIMPLE, "LightGBM")
SMALL = 50
"""Series up to which a set is small enough for every method."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
Results = dict[str, dict[str, dict[str, Any]]]


def methods(benchmark: Benchmark) -> tuple[str, ...]:
    """What is measured on a set: slow methods only where there are few series."""
    if benchmark.kind == "total":
        return TOTAL
    few = benchmark.frame["unique_id"].n_unique() <= SMALL
    if benchmark.name == "t2_200":
        return (OURS, *STATISTICAL)
    if benchmark.kind == "periods":
        return (*MANY, *(STATISTICAL if few else ("AutoETS",) if benchmark.freq == "M" else ()))
    return (*MANY, *(STATISTICAL if few else ()))


def measured(benchmark: Benchmark, names: tuple[str, ...], results: Results) -> Iterator[str]:
    """Measure `names` on a set, one process each; yield a line on each."""
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "set.pickle"
        stored.write_bytes(pickle.dumps(benchmark))
        for name in names:
            process = subprocess.run(
                [sys.executable, str(HERE / "worker.py"), str(stored), name],
                capture_output=True, text=True, check=False, env=os.environ | ONE_THREAD,
            )  # fmt: skip
            if process.returncode:
                yield f"{benchmark.name}: {name} failed: {process.stderr.strip().splitlines()[-1][:200]}"
                continue
            found = json.loads(process.stdout.strip().splitlines()[-1])
            results.setdefault(benchmark.name, {})[name] = found
            yield f"{benchmark.name}: {name} CRPS {found['CRPS']:.3f}, {found['cpu_s']:.2f} CPU s per cutoff"


def main() -> None:
    """Read the command line, measure, keep, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the two sheets as parquet")
    parser.add_argument("--only", nargs="*", help="sets, by name or the beginning of it: t1 t2_600 …")
    parser.add_argument("--methods", nargs="*", help="methods by name (default: all that a set has)")
    parser.add_argument("--other", action="store_true", help="the other shops too")
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--write-readme", action="store_true", help="write the tables into README.md")
    options = parser.parse_args()
    results: Results = json.loads(options.results.read_text()) if options.results.exists() else {}
    if options.data:
        sold = data.lines(options.data)
        sets = [*data.protocol(sold), *(other.shops(sold) if options.other else [])]
        for benchmark in sets:
            if options.only and not any(benchmark.name.startswith(start) for start in options.only):
                continue
            names = tuple(n for n in methods(benchmark) if not options.methods or n in options.methods)
            for line in measured(benchmark, names, results):
                print(line, flush=True)
                options.results.write_text(json.dumps(results, indent=1, sort_keys=True))
    if options.write_readme:
        report.write(HERE / "README.md", results)


if __name__ == "__main__":
    main()
