"""Why a customer is in a segment and what to do next: stored messages, written in columns from a training's figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from ml_predictions.messages import TEXTS
from retail_ml.segment import AXES, BANDS, NAMES, RULES

UNCLEAR = 0.1
"""Confidence below which a customer is told to lie between two segments."""
OVERDUE, QUICK = 1.5, 14
"""From how many usual intervals on the delay is mentioned; not for intervals quicker than so many days."""
GOOD = 0.8
"""Share of the customers that spent less, from which on a lost one is worth a personal word."""
LONG_SILENCE = 365
"""Days without an order after which somebody at risk is probably gone."""
VIP = NAMES.index("vip")
POSSIBLE, LIKELY = BANDS.index("possible"), BANDS.index("likely")


def _message(code: str, **params: pl.Expr) -> pl.Expr:
    """A stored message as JSON text; the parameters are numbers, or texts that need no escape (days)."""
    if code not in TEXTS:
        raise KeyError(f"no text for the message {code!r}")
    parts = [pl.lit(f'{{"code": "{code}", "params": {{')]
    for i, (name, value) in enumerate(params.items()):
        parts += [pl.lit(f'{", " if i else ""}"{name}": '), value]
    return pl.concat_str(*parts, pl.lit("}}"))


def _round(value: pl.Expr) -> pl.Expr:
    """A number to read: whole from 10 on, one decimal below."""
    whole, fine = value.round(0).cast(pl.Int64).cast(pl.String), value.round(1).cast(pl.String)
    return pl.when(value.abs() >= 10).then(whole).otherwise(fine)


def _word(text: str) -> pl.Expr:
    """A text of ours in the quotation marks of JSON."""
    return pl.lit(f'"{text}"')


def _list(messages: Iterable[pl.Expr]) -> pl.Expr:
    """A JSON list of those messages that are there (a null is left out)."""
    return pl.concat_str(pl.lit("["), pl.concat_str(*messages, separator=", ", ignore_nulls=True), pl.lit("]"))


def late() -> pl.Expr:
    """Is the customer behind the own rhythm, by enough to mention it?"""
    return ((pl.col("overdue") >= OVERDUE) & (pl.col("interval_days") >= QUICK)).fill_null(False)


def explanation(currency: str) -> pl.Expr:
    """Why a customer is where it is, in its own figures; over the columns of `RESULT`."""
    return _list([_rhythm(), _money(currency), _why()])


def _rhythm() -> pl.Expr:
    recency, interval = pl.col("recency_days"), pl.col("interval_days")
    days, gap = recency.cast(pl.String), _round(interval)
    return (
        pl.when((pl.col("visits") == 1) & (recency <= 1))
        .then(_message("segment.once_now"))
        .when(pl.col("visits") == 1)
        .then(_message("segment.once", recency=days))
        .when(recency <= 1)
        .then(_message("segment.rhythm_now", interval=gap))
        .when(late())
        .then(_message("segment.rhythm_overdue", interval=gap, recency=days, overdue=_round(pl.col("overdue"))))
        .otherwise(_message("segment.rhythm", interval=gap, recency=days))
    )


def _money(currency: str) -> pl.Expr:
    spent = pl.col("spent")
    told = {"spent": _round(spent), "currency": _word(currency)}
    percent = (pl.col("spent_place") * 100).floor().cast(pl.Int64)
    return (
        pl.when(spent <= 0)
        .then(_message("segment.spent_nothing"))
        .when(percent > 0)
        .then(_message("segment.spent", **told, percent=percent.cast(pl.String)))
        .otherwise(_message("segment.spent_only", **told))
    )


def _why() -> pl.Expr:
    """The rule that named the customer, else what decided against the nearest other segment."""
    rules: Any = pl
    for i, rule in enumerate(RULES):
        if rule:
            rules = rules.when(pl.col("guard") == i).then(_message(f"segment.rule_{rule}"))
    both = {"segment": _text("segment", NAMES), "rival": _text("rival", NAMES)}
    first, second = _text("axis_1", AXES), _text("axis_2", AXES)
    known = pl.col("rival").is_not_null()
    return (
        rules.when(known & (pl.col("held") == 1))
        .then(_message("segment.held", **both))
        .when(known & (pl.col("confidence") < UNCLEAR))
        .then(_message("segment.between", **both))
        .when(known & pl.col("axis_2").is_not_null())
        .then(_message("segment.decided_two", **both, axis_1=first, axis_2=second))
        .when(known & pl.col("axis_1").is_not_null())
        .then(_message("segment.decided_one", **both, axis_1=first))
    )


def _text(column: str, names: Iterable[str]) -> pl.Expr:
    """The name whose index stands in `column`, in the quotation marks of JSON."""
    return pl.col(column).replace_strict(
        {i: f'"{name}"' for i, name in enumerate(names)}, default=None, return_dtype=pl.String
    )


def advice(currency: str) -> pl.Expr:
    """What to do next, by segment and situation, and when; over the columns of `RESULT`."""
    good, once = pl.col("spent_place") >= GOOD, pl.col("visits") == 1
    situations: dict[str, list[tuple[pl.Expr, str]]] = {
        "vip": [(late(), "late")],
        "frequent": [(late(), "late"), (pl.col("rival") == VIP, "rising")],
        "occasional": [(once, "once"), (late(), "late")],
        "at_risk": [(pl.col("recency_days") > LONG_SILENCE, "lost"), (good, "good")],
        "new": [(once, "once")],
        "inactive": [(good, "good")],
    }
    found: Any = pl.when(pl.col("spent") <= 0).then(_message("segment.advise_returned"))
    for i, name in enumerate(NAMES):
        for condition, situation in situations[name]:
            told = _message(f"segment.advise_{name}_{situation}")
            found = found.when((pl.col("segment") == i) & condition).then(told)
        found = found.when(pl.col("segment") == i).then(_message(f"segment.advise_{name}"))
    stake = pl.when(late() & (pl.col("at_stake") >= 1)).then(
        _message("segment.advise_stake", money=_round(pl.col("at_stake")), currency=_word(currency))
    )
    day = pl.concat_str(pl.lit('"'), pl.col("expected_next").dt.to_string("%Y-%m-%d"), pl.lit('"'))
    likely = pl.col("chance_band").fill_null(LIKELY) >= POSSIBLE
    soon = pl.col("expected_next").is_not_null() & likely & ~late()  # who is late is to be written to now
    due = pl.when(soon).then(_message("segment.advise_before", date=day))
    return _list([found, stake, due])
