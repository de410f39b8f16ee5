"""The benchmark of lifetime values and segments; prints Markdown.

PYTHONPATH=backend_django python -m benchmarks.segmentation.run --cdnow $WHEEL/lifetimes/datasets --retail $DATA
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.segmentation import clv, cost, data
from retail_ml.segment.past import Past


def clv_1(folders: argparse.Namespace) -> None:
    """Published parameters."""
    clv.parameters(*data.cdnow_sample(folders.cdnow))


def clv_2(_: argparse.Namespace) -> None:
    """Recovery of known parameters."""
    clv.recovery()


def clv_3(folders: argparse.Namespace) -> None:
    """CLV-3 and CLV-4: CDNOW, hold-outs and chances."""
    clv.cdnow(Past(data.cdnow(folders.cdnow)))


def clv_5(folders: argparse.Namespace) -> None:
    """Online Retail II, hold-outs and chances."""
    clv.online_retail(Past(data.online_retail(folders.retail)))


def clv_6(_: argparse.Namespace) -> None:
    """Cost."""
    cost.main()


PARTS: dict[str, tuple[tuple[str, ...], Callable[[argparse.Namespace], None]]] = {
    "clv-1": (("cdnow",), clv_1),
    "clv-2": ((), clv_2),
    "clv-3": (("cdnow",), clv_3),
    "clv-5": (("retail",), clv_5),
    "clv-6": ((), clv_6),
}
"""Name → the folders that it needs, and what runs it."""


def main() -> None:
    """Run the parts asked for, in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--cdnow", type=Path, help="folder lifetimes/datasets of the unpacked wheel")
    parser.add_argument("--retail", type=Path, help="folder with the Parquet files of Online Retail II")
    given = parser.parse_args()
    for part in given.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part}; there are {', '.join(PARTS)}")
        for folder in PARTS[part][0]:
            if getattr(given, folder) is None:
                parser.error(f"{part} needs --{folder}, the folder of its data")
    for part in given.parts:
        PARTS[part][1](given)


if __name__ == "__main__":
    main()
