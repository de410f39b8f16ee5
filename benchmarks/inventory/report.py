"""The tables of the README, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Found = Mapping[str, Any]
BASE = "cost 50 %, pack 1"
RATIOS = ("cost@95%", "cost@98%", "stock@95%", "best cost")


def write(readme: Path, results: Found) -> None:
    """Put every table between its markers `<!-- name -->` and `<!-- /name -->`."""
    text = readme.read_text(encoding="utf-8")
    for name, lines in tables(results).items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        text = pattern.sub(lambda m, lines=lines: m[1] + "\n".join(lines) + "\n" + m[2], text)  # type: ignore[misc]
    readme.write_text(text, encoding="utf-8")


def tables(results: Found) -> dict[str, list[str]]:
    """Every table that there are figures for."""
    found: dict[str, list[str]] = {}
    if "replay" in results:
        scenarios = results["replay"]["scenarios"]
        found["curves"] = curves(scenarios[BASE]["policies"])
        found["ratios"] = ratios(scenarios[BASE]["policies"])
        found["scenarios"] = others(scenarios)
        found["points"] = points(scenarios[BASE]["policies"]["ours"])
    makers: dict[str, Any] = {
        "fill": fill, "censoring": censoring, "quantiles": quantiles, "rounding": rounding, "lying": lying,
        "cost": cost,
    }  # fmt: skip
    return found | {name: make(results[name]) for name, make in makers.items() if name in results}


def fill(rows: Found) -> list[str]:
    """What was reached of what was promised, and of the default settings."""
    lines = ["| promised, aimed at | all | A | B | C | stock | cost |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, row in rows.items():
        reached = " | ".join(f"{100 * row[k]:.1f} %" for k in ("all", "A", "B", "C"))
        lines.append(f"| {name} | {reached} | {_k(row['stock'])} | {_k(row['cost'])} |")
    return lines


def censoring(rows: list[dict[str, Any]]) -> list[str]:
    """Bias of the mean, and MAPE per SKU."""
    names = ("sales", "days that did not run out", "ours")
    lines = ["| fill rate | days sold out | " + " | ".join(f"{n}: bias / MAPE" for n in names) + " |", "|--:" * 5 + "|"]
    for row in rows:
        cells = [f"{100 * row[n]['bias']:+.1f} / {100 * row[n]['mape']:.1f} %".replace("-", "−") for n in names]
        lines.append(f"| {100 * row['fill']:.1f} % | {100 * row['days_out']:.1f} % | {' | '.join(cells)} |")
    return lines


def quantiles(rows: Found) -> list[str]:
    """Pinball loss over units sold, and coverage."""
    taus = list(next(iter(rows.values()))["pinball"])
    lines = ["| | " + " | ".join(taus) + " | sum | covered at .95 |", "|---" * (len(taus) + 3) + "|"]
    for name, row in rows.items():
        cells = [f"{row['pinball'][tau]:.4f}" for tau in taus]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['sum']:.4f} | {row['covered']['0.95']:.3f} |")
    return lines


def rounding(rows: Found) -> list[str]:
    """Pinball loss over units sold, coverage, and the units held at one quantile."""
    taus = list(next(iter(rows.values()))["pinball"])
    lines = [
        f"| level | {' | '.join(taus)} | sum | covered at .8 / .9 / .95 | units at .95 |",
        "|---" * (len(taus) + 4) + "|",
    ]
    for name, row in rows.items():
        losses = " | ".join(f"{row['pinball'][tau]:.4f}" for tau in taus)
        covered = " / ".join(f"{row['covered'][tau]:.3f}" for tau in ("0.8", "0.9", "0.95"))
        lines.append(f"| {name} | {losses} | {row['sum']:.4f} | {covered} | {row['units']['0.95']:,.0f} |")
    return lines


def lying(shops: Found) -> list[str]:
    """What was said and what came, without and with what the shop's own past teaches."""
    lines = [
        "| shop | alert | claims | said before → now | came | Brier before → now |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for shop, codes in shops.items():
        for code, row in codes.items():
            if row["claims"]:
                said = f"{row['before']:.2f} → {row['probability']:.2f} | {row['came']:.2f}"
                score = f"{row['brier_before']:.3f} → {row['brier']:.3f}"
                lines.append(f"| {shop} | `{code}` | {row['claims']:,} | {said} | {score} |")
    return lines


def cost(rows: Found) -> list[str]:
    """CPU seconds and memory by size."""
    lines = ["| | lines | levels | alerts | draft | CPU s in all | peak MB |", "|---" * 7 + "|"]
    for name, row in rows.items():
        parts = " | ".join(f"{row[k]:.2f}" for k in ("levels", "alerts", "draft", "cpu_seconds"))
        lines.append(f"| {name} | {row['lines']:,} | {parts} | {row['peak_mb']:,} |")
    return lines


def curves(policies: Found) -> list[str]:
    """Stock and cost of every policy at three fill rates, at its best and at its default; thousands of money."""
    lines = ["| policy | 90 % | 95 % | 98 % | best cost | default: fill / cost / stock |", "|---|--:|--:|--:|--:|--:|"]
    for name, row in policies.items():
        if "at" not in row:
            lines.append(f"| {name} | | | 100 %: {_k(row['stock'])} / {_k(row['cost'])} | {_k(row['cost'])} | |")
            continue
        at, default = row["at"], row.get("default")
        cells = [_pair(at[f"stock@{f}"], at[f"cost@{f}"]) for f in ("90%", "95%", "98%")]
        told = f"{default['fill']:.3f} / {_k(default['cost'])} / {_k(default['stock'])}" if default else "–"
        if len(row["points"]) == 1:  # one setting is no curve
            cells = ["", "", ""]
        lines.append(f"| {name} | {' | '.join(cells)} | {_k(at['best cost'])} | {told} |")
    return lines


def ratios(policies: Found) -> list[str]:
    """Ours over each other policy's, mean of the seeds with the 90 % interval over SKUs, and each seed's cost."""
    head = " | ".join(f"{r.replace('@', ' at ')}" for r in RATIOS)
    lines = [f"| ours ÷ | {head} | cost at 95%, by seed |", "|---" * (len(RATIOS) + 2) + "|"]
    for name, row in policies.items():
        found = row.get("ours against it")
        if found is None or len(row["points"]) == 1:
            continue
        cells = [_ratio(found[r]) for r in RATIOS]
        seeds = " ".join("–" if x is None else f"{x:.3f}" for x in found["cost@95%"]["seeds"])
        lines.append(f"| {name} | {' | '.join(cells)} | {seeds} |")
    return lines


def others(scenarios: Found) -> list[str]:
    """Cost of ours against some others where costs, packs or what is seen differ."""
    lines = [
        "| | ours ÷ | " + " | ".join(r.replace("@", " at ") for r in RATIOS) + " |",
        "|---" * (len(RATIOS) + 2) + "|",
    ]
    for scenario, found in scenarios.items():
        for name, row in found["policies"].items():
            against = row.get("ours against it")
            if scenario != BASE and against is not None and len(row["points"]) > 1:
                lines.append(f"| {scenario} | {name} | " + " | ".join(_ratio(against[r]) for r in RATIOS) + " |")
    return lines


def points(row: Found) -> list[str]:
    """The curve of ours, point by point."""
    lines = [
        "| λ | fill by value | by units | weeks without a miss | stock | turns | cost | order lines a year |",
        "|--:" * 8 + "|",
    ]
    for p in row["points"]:
        lines.append(
            f"| {p['target']:g} | {p['fill']:.3f} | {p['unit_fill']:.3f} | {p['cycle_service']:.3f} | {_k(p['stock'])} "
            f"| {p['turns']:.1f} | {_k(p['cost'])} | {p['order_lines_a_year']:,.0f} |"
        )
    return lines


def _k(value: float | None) -> str:
    """Thousands.

    >>> _k(61_540.0), _k(None)
    ('61.5', '–')
    """
    return "–" if value is None else f"{value / 1_000:,.1f}"


def _pair(stock: float | None, cost: float | None) -> str:
    return "not reached" if stock is None else f"{_k(stock)} / {_k(cost)}"


def _ratio(found: Found) -> str:
    """A ratio and its interval.

    >>> _ratio({"ratio": 0.981, "low": 0.95, "high": 1.01}), _ratio({"ratio": None, "low": None, "high": None})
    ('.981 (.95–1.01)', '–')
    """
    if found["ratio"] is None:
        return "–"
    text = f"{found['ratio']:.3f}"
    if found["low"] is not None:
        text += f" ({found['low']:.2f}–{found['high']:.2f})"
    return re.sub(r"\b0\.", ".", text)
