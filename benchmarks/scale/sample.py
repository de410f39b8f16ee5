"""What it costs in accuracy that the product forecast learns from a sample where a shop has more rows than it takes.

    python benchmarks/scale/sample.py --write-readme      # over the shop of DATABASE_URL and TRASTIENDA_DATA

The learner of the product level is fitted to samples of different sizes, drawn as a training draws them (equally at
every origin, seeded), and forecasts the four weeks after each of the last origins, which it has not seen.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "backend_django"), str(HERE.parents[1])]

from retail_ml import frames
from retail_ml.forecast import bucket_panel, history, sample_cost, shop
from retail_ml.forecast.bucket_model import BucketModel
from retail_ml.forecast.bucket_panel import Panel
from retail_ml.forecast.buckets import NEAR

SIZES = (7_500, 15_000, 30_000, 60_000, 120_000, 10**9)
ORIGINS = 6
SEEDS = (1, 2, 3)


def panel_of(seed: int) -> Panel:
    """The product panel of the shop, as a training makes it."""
    from ml_predictions.sources import get_source

    source = get_source()
    until = source.data_until()
    if until is None:
        raise SystemExit("This shop has never sold anything.")
    data = shop.read(source.order_lines(), as_of=until.as_of)
    ids = frames.IdMap.of(source.products()["product_id"]).external
    _, units = history.panel(data.lines, "product_id", ids, until=data.as_of)
    return Panel(units, seed=seed)


def errors(size: int, seed: int, panel: Panel) -> tuple[int, float, float, float]:
    """Rows learned from, CPU seconds of a fit, WAPE of the weeks ahead, and that of the base rate."""
    bucket_panel.MOST_ROWS, panel.seed = size, seed
    table = panel.table()
    found, cpu = np.zeros(3), 0.0
    last = panel.history.days - NEAR
    for origin in range(last, last - ORIGINS * NEAR, -NEAR):
        began = time.process_time()
        model = BucketModel(seed=seed).fit(panel, table, origin)
        cpu += time.process_time() - began
        found += sample_cost.missed(model, panel, origin)
    missed, simple, sold = found.tolist()
    return len(table), cpu / ORIGINS, missed / sold, simple / sold


def main() -> None:
    """Every size with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-readme", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    import django

    django.setup()
    panel = panel_of(SEEDS[0])
    rows = [
        "| rows learned from | WAPE of a week, four weeks ahead | spread over draws | CPU s of a fit |",
        "|--:|--:|--:|--:|",
    ]
    for size in SIZES:
        found = [errors(size, seed, panel) for seed in SEEDS]
        count, wapes = found[0][0], [one[2] for one in found]
        cpu = np.mean([one[1] for one in found])
        rows.append(f"| {count:,} | {np.mean(wapes):.2%} | {np.ptp(wapes):.2%} | {cpu:.1f} |")
        print(rows[-1], flush=True)
        if max(wapes) == min(wapes):
            break  # nothing was drawn: these are all
    rows.append(f"| none: the base rate | {found[0][3]:.2%} | | |")
    text = f"{len(panel):,} products, {panel.history.days} days; {time.strftime('%Y-%m-%d')}.\n\n" + "\n".join(rows)
    print(text)
    if options.write_readme:
        readme = HERE / "README.md"
        readme.write_text(
            re.sub(
                r"(<!-- sample -->\n).*?(<!-- /sample -->)",
                lambda m: f"{m[1]}{text}\n{m[2]}",
                readme.read_text(),
                flags=re.DOTALL,
            )
        )


if __name__ == "__main__":
    main()
