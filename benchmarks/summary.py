"""The table "ours beside the best peer" of README and guides, from what the benchmarks have kept.

    python -m benchmarks.summary        # write it, in English and Spanish, wherever `<!-- peers -->` stands

A test compares the pages with this one's output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OURS = "Trastienda"
TIE = 0.02
PAGES = {
    "README.md": "en",
    "README.es.md": "es",
    "docs/en/ML_IMPLEMENTATION_SUMMARY.md": "en",
    "docs/es/ML_IMPLEMENTATION_SUMMARY.md": "es",
}
HEADS = {
    "en": "| | measure | ours | best peer | naive |",
    "es": "| | medida | Trastienda | mejor rival | método ingenuo |",
}
NAMES = {
    "es": {
        "Prophet with our calendar": "Prophet con nuestro calendario",
        "seasonal window average": "media estacional móvil",
        "seasonal naive": "ingenuo estacional",
        "error variance, recent mean, normal + EOQ": "varianza del error, media reciente, normal + lote económico",
        "rule of thumb: up to k days": "regla: hasta k días",
        "popularity": "lo más vendido",
        "own last window": "su última ventana",
    }
}


class Row(NamedTuple):
    """One line: what, how it is measured (English, Spanish), ours, the peers', the naive one's."""

    what: tuple[str, str]
    measure: tuple[str, str]
    ours: float
    peers: Mapping[str, float]
    naive: tuple[str, float] | None
    highest: bool = False

    @property
    def best(self) -> tuple[str, float]:
        """The peer that did best."""
        return (max if self.highest else min)(self.peers.items(), key=lambda item: item[1])


def rows() -> list[Row]:
    """Every line, from the `results.json` of the benchmarks (of customers: from its page)."""
    return [*_forecast(), *_recommendation(), _customers(), _inventory()]


def _kept(benchmark: str) -> dict[str, dict[str, dict[str, float | None]]]:
    found: dict[str, dict[str, dict[str, float | None]]] = json.loads(
        (ROOT / "benchmarks" / benchmark / "results.json").read_text()
    )
    return found


def _row(
    what: tuple[str, str],
    measure: tuple[str, str],
    methods: Mapping[str, Mapping[str, float | None]],
    *,
    column: str,
    naive: tuple[str, str],
    highest: bool = False,
) -> Row:
    """A line from methods with columns; `naive` is the key of the naive method and the name it is shown by."""
    known = {name: value for name, cells in methods.items() if (value := cells.get(column)) is not None}
    ours, plain = known.pop(OURS), known.pop(naive[0])
    return Row(what, measure, ours, known, (naive[1], plain), highest)


def _forecast() -> list[Row]:
    kept, naive = _kept("forecast"), ("seasonal naive", "seasonal naive")
    month = ("daily revenue, 28 days ahead", "ventas diarias, a 28 días")
    quarter = ("daily revenue, 90 days ahead", "ventas diarias, a 90 días")
    units = ("units of 600 products over 28 days", "unidades de 600 productos en 28 días")
    crps = ("CRPS, lower is better", "CRPS, menos es mejor")
    return [
        _row(month, crps, kept["t1_28"], column="CRPS", naive=naive),
        _row(quarter, crps, kept["t1_90"], column="CRPS", naive=naive),
        _row(units, crps, kept["t2_600"], column="c28_CRPS", naive=naive),
    ]


def _recommendation() -> list[Row]:
    kept, naive = _kept("recommendation")["2011-11-11"], ("Pop", "popularity")
    ndcg, hit = (
        ("NDCG@10, higher is better", "NDCG@10, más es mejor"),
        ("hit@10, higher is better", "hit@10, más es mejor"),
    )
    lists = (
        (("what a customer buys next", "lo que comprará un cliente"), ndcg, "R1 all NDCG"),
        (("… of what is new to them", "… entre lo que nunca compró"), ndcg, "R1 novel NDCG"),
        (("what completes a basket", "lo que completa una cesta"), hit, "R3 hit@10"),
    )
    return [
        _row(what, measure, kept, column=column, naive=naive, highest=True) for what, measure, column in lists
    ]  # fmt: skip


def _customers() -> Row:
    page = (ROOT / "benchmarks" / "segmentation" / "README.md").read_text()
    found = re.search(r"not worse than lifetimes \| tx MAE, capture \| (\.\d+) to (\.\d+);", page)
    if found is None:
        raise ValueError("benchmarks/segmentation/README.md has no line `… not worse than lifetimes` any more")
    what = ("orders of a customer in 39 weeks (CDNOW)", "pedidos de un cliente en 39 semanas (CDNOW)")
    measure = ("MAE, lower is better", "MAE, menos es mejor")
    return Row(what, measure, float(found[1]), {"lifetimes": float(found[2])}, None)


def _inventory() -> Row:
    kept = json.loads((ROOT / "benchmarks" / "inventory" / "results.json").read_text())
    policies = kept["replay"]["scenarios"]["cost 50 %, pack 1"]["policies"]
    rule, ours = "rule of thumb: up to k days", ("ours", "ours, default settings", "… with our pooled variance")
    costs = {
        name: row["at"]["cost@95%"] / 1000
        for name, row in policies.items()
        if row.get("at", {}).get("cost@95%") is not None and name not in ours[1:]
    }
    what = ("half a year of 700 SKUs at a fill rate of 95 %", "medio año de 700 SKU sirviendo el 95 %")
    measure = ("cost in thousands, lower is better", "coste en miles, menos es mejor")
    mine, thumb = costs.pop(ours[0]), costs.pop(rule)
    return Row(what, measure, mine, costs, (rule, thumb))


def number(value: float, language: str) -> str:
    """As it is read: three digits.

    >>> number(0.18012, "en"), number(64.9953, "es")
    ('0.180', '65,0')
    """
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return text.replace(".", ",") if language == "es" else text


def table(language: str) -> list[str]:
    """The Markdown lines of the table in `en` or `es`; bold is what is best, and both where they are within 2 %."""
    names, at = NAMES.get(language, {}), ("en", "es").index(language)
    lines = [HEADS[language], "|---|---|--:|--:|--:|"]
    for row in rows():
        name, value = row.best
        mine, theirs = number(row.ours, language), number(value, language)
        tie = abs(row.ours - value) <= TIE * value
        if tie or (row.ours > value) == row.highest:
            mine = f"**{mine}**"
        if tie or (row.ours > value) != row.highest:
            theirs = f"**{theirs}**"
        plain = f"{number(row.naive[1], language)} ({names.get(row.naive[0], row.naive[0])})" if row.naive else "–"
        lines.append(f"| {row.what[at]} | {row.measure[at]} | {mine} | {theirs} ({names.get(name, name)}) | {plain} |")
    return lines


def put(text: str, language: str) -> str:
    """A page's text with its table as it should be; a page without the marks stays as it is."""
    wanted = "<!-- peers -->\n" + "\n".join(table(language)) + "\n<!-- /peers -->"
    return re.sub(r"<!-- peers -->\n.*?<!-- /peers -->", lambda _: wanted, text, flags=re.DOTALL)


def main() -> None:
    """Write the table into every page that has its marks."""
    for name, language in PAGES.items():
        page = ROOT / name
        if page.exists():
            page.write_text(put(page.read_text(), language))
            print(name)


if __name__ == "__main__":
    main()
