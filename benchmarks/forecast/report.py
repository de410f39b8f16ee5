"""The tables of the README, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Found = Mapping[str, Mapping[str, Any]]

OURS = "Trastienda"
SIX = ("AutoETS", "AutoARIMA", "AutoCES", "TSB", "LightGBM", "Prophet")
T1 = ("RMSSE", "WAPE", "bias", "R2_all", "R2_open", "R2_week", "CRPS", "cov80", "cov95", "cpu_s", "peak_mb")
T2 = (
    "RMSSE", "WRMSSE", "CRPS", "c7_WAPE", "c28_WAPE", "c7_CRPS", "c28_CRPS", "c28_cov95", "c28_i80", "c28_i95",
    "cpu_s", "peak_mb",
)  # fmt: skip
COLUMNS: Mapping[str, Sequence[str]] = {"t1_28": T1, "t1_90": T1, "t2_600": T2, "t2_200": T2, "t2_all": T2}
TARGETS: Mapping[str, Mapping[str, float]] = {
    "t1_28": {"CRPS": 0.184, "RMSSE": 0.525, "R2_all": 0.70, "R2_week": 0.78, "cov80": 0.80, "cov95": 0.95, "cpu_s": 1},
    "t1_90": {"CRPS": 0.189, "cov80": 0.80, "cov95": 0.95},
    "t2_600": {"c28_CRPS": 0.308, "c7_CRPS": 0.400, "CRPS": 0.670, "WRMSSE": 0.782},
    "t2_all": {
        "c28_CRPS": 0.317, "WRMSSE": 0.740, "c28_WAPE": 0.468, "c28_cov95": 0.95, "c28_i80": 0.80, "c28_i95": 0.95,
    },
}  # fmt: skip
"""Within 2 % of a target counts as met; coverage within 2 points (3 for 90 days)."""


def write(readme: Path, results: Mapping[str, Found]) -> None:
    """Put every table between its markers `<!-- name -->` and `<!-- /name -->`."""
    text = readme.read_text()
    shops = {name: found for name, found in results.items() if name not in COLUMNS}
    tables = {name: table(name, results[name]) for name in COLUMNS if name in results}
    if shops:
        tables["other"] = others(shops)
    for name, lines in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        text = pattern.sub(lambda m, lines=lines: m[1] + "\n".join(lines) + "\n" + m[2], text)  # type: ignore[misc]
    readme.write_text(text)


def table(name: str, found: Found) -> list[str]:
    """One set: methods by CRPS (of 28 days, where there are sums), the target below."""
    columns = COLUMNS[name]
    key = "c28_CRPS" if "c28_CRPS" in columns else "CRPS"
    lines = ["| method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for method in sorted(found, key=lambda m: found[m].get(key) or 9.0):
        shown = f"**{method}**" if method == OURS else method
        lines.append(f"| {shown} | " + " | ".join(number(found[method].get(c), c) for c in columns) + " |")
    if name in TARGETS:
        lines.append("| *target* | " + " | ".join(number(TARGETS[name].get(c), c) for c in columns) + " |")
    return lines


def others(shops: Mapping[str, Found]) -> list[str]:
    """One line per set: our CRPS beside the best of six, and the coverage of our intervals.

    >>> rows = others({"cafe": {"Trastienda": {"CRPS": 0.2, "cov80": 0.8, "cov95": 0.95}, "TSB": {"CRPS": 0.25}}})
    >>> rows[2]
    '| cafe | CRPS | 0.200 | 0.250 (TSB) | −20.0 % | 0.800 | 0.950 |'
    """
    lines = ["| set | score | ours | best of six | difference | 80 % | 95 % |", "|---" * 7 + "|"]
    for name, found in shops.items():
        mine = found.get(OURS, {})
        scores = [k for k in mine if k.endswith("CRPS")]
        for score in scores:
            rivals = {m: found[m][score] for m in SIX if m in found and found[m].get(score) is not None}
            if mine.get(score) is None:
                continue
            best, change = "not measured", ""
            if rivals:
                name_ = min(rivals, key=rivals.__getitem__)
                best = f"{rivals[name_]:.3f} ({name_})"
                change = f"{mine[score] / rivals[name_] - 1:+.1%}".replace("%", " %").replace("-", "−")
            window = score.removesuffix("CRPS")
            covered = [mine.get(f"{window}i{c}") for c in (80, 95)]
            if covered[0] is None:
                covered = [mine.get(f"cov{c}") for c in (80, 95)]
            cells = [f"{mine[score]:.3f}", best, change, *(number(c, "i80") for c in covered)]
            lines.append(f"| {name} | {score} | " + " | ".join(cells) + " |")
    return lines


def number(value: Any, column: str) -> str:
    """As it is read.

    >>> number(0.12345, "CRPS"), number(None, "CRPS"), number(812.3, "peak_mb"), number(1, "cpu_s")
    ('0.123', '', '812', '1.00')
    """
    if value is None:
        return ""
    return f"{value:.0f}" if column == "peak_mb" else f"{value:.2f}" if column == "cpu_s" else f"{value:.3f}"
