"""The faults in the shop's own data, live, with counts and examples, per service."""

from __future__ import annotations

from typing import Any

from ml_predictions import conf
from ml_predictions.messages import message
from ml_predictions.models import SERVICES

OF_ALL = "left_out_"
"""Codes of what the source leaves out begin with it: it touches every service."""


def data_quality() -> dict[str, Any]:
    """`findings`, the most frequent first, and per service how many of them touch it."""
    from ml_predictions.sources import get_source
    from retail_ml import quality

    source = get_source()
    tables = quality.Tables(
        source.order_lines(), source.products(), source.stock(), source.counts_stock(), conf.get("TIME_ZONE")
    )
    findings = [
        _told(one.code, list(one.services), one.count, of=one.of, examples=one.examples) for one in quality.look(tables)
    ]
    findings += [
        _told(OF_ALL + reason, list(SERVICES), count) for reason, count in sorted(source.left_out().counts.items())
    ]
    findings.sort(key=lambda one: (-(one["share"] or 0), one["code"]))
    until = source.data_until()
    return {
        "as_of": until.as_of if until else None,
        "looked_at": {
            "lines": tables.lines.height,
            "products": tables.products.height,
            "variants": tables.stock.height,
        },
        "findings": findings,
        "services": {name: sum(name in one["services"] for one in findings) for name in SERVICES},
        "note": message("quality.note") if findings else message("quality.clean"),
    }


def _told(code: str, services: list[str], count: int, *, of: int | None = None, examples: Any = ()) -> dict[str, Any]:
    share = round(count / of, 4) if of else None
    figures = {"count": count, "of": of, "percent": None if share is None else round(100 * share, 1)}
    return {
        "code": code,
        "services": services,
        "count": count,
        "of": of,
        "share": share,
        "message": message(f"quality.{code}", **figures),
        "examples": list(examples),
    }
