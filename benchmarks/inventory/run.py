"""The benchmark of the inventory service; writes results.json and the tables of README.md.

PYTHONPATH=backend_django python -m benchmarks.inventory.run --retail $DATA
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.inventory import (
    beginnings,
    calibration,
    censored,
    combined,
    cost,
    data,
    dates,
    report,
    rounded,
    stated,
    trade_off,
)

HERE = Path(__file__).parent


def replay(given: argparse.Namespace) -> dict[str, Any]:
    """INV-2: trade-off curves of all policies."""
    return trade_off.main(data.shop(given.retail))


def fill(given: argparse.Namespace) -> dict[str, Any]:
    """INV-3: are promised fill rates kept?"""
    return calibration.main(data.shop(given.retail))


def censoring(_: argparse.Namespace) -> list[dict[str, Any]]:
    """INV-4: demand behind sales of a shop that runs out."""
    return censored.main()


def stockout(given: argparse.Namespace) -> dict[str, Any]:
    """INV-5: days on which shelves are said to run empty."""
    return dates.main(data.shop(given.retail))


def quantiles(given: argparse.Namespace) -> dict[str, Any]:
    """Own quantiles, the sales forecast's, and both."""
    return combined.main(given.retail)


def rounding(_: argparse.Namespace) -> dict[str, Any]:
    """Levels of slow sellers in whole units."""
    return rounded.main()


def lying(given: argparse.Namespace) -> dict[str, Any]:
    """Stated chances of dead, slow and too much stock."""
    return stated.main(given.retail)


def new_and_ending(given: argparse.Namespace) -> dict[str, Any]:
    """INV-6: new goods, and goods whose season ends."""
    return beginnings.main(given.retail)


def cpu(_: argparse.Namespace) -> dict[str, Any]:
    """INV-8: CPU seconds and memory."""
    return cost.main()


PARTS: dict[str, tuple[bool, Callable[[argparse.Namespace], Any]]] = {
    "replay": (True, replay),
    "fill": (True, fill),
    "censoring": (False, censoring),
    "stockout": (True, stockout),
    "quantiles": (True, quantiles),
    "rounding": (False, rounding),
    "lying": (True, lying),
    "new_and_ending": (True, new_and_ending),
    "cost": (False, cpu),
}
"""Name → does it need the data, and what runs it."""


def main() -> None:
    """Run the parts asked for, in order; the figures of the others stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--retail", type=Path, help="folder with the Parquet files of Online Retail II")
    given = parser.parse_args()
    for part in given.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part}; there are {', '.join(PARTS)}")
        if PARTS[part][0] and given.retail is None:
            parser.error(f"{part} needs --retail, the folder of Online Retail II")
    kept = HERE / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for part in given.parts:
        results[part] = PARTS[part][1](given)
        kept.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    report.write(HERE / "README.md", results)


if __name__ == "__main__":
    main()
