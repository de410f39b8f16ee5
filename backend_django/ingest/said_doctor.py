"""What the doctor says, on the console and on the page, in the reader's language; codes as in `retail_ml.quality`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ingest import said
from orders.models import Order

FINDINGS = {
    "free_lines": _("{count} of {of} lines brought no money: gifts, or prices that are missing."),
    "price_far_off": _(
        "{count} of {of} lines are twenty times as dear or as cheap as their SKU usually is: look for slips of the "
        "decimal point."
    ),
    "giant_quantity": _(
        "{count} of {of} lines are of 100 units or more and fifty times what is usual for them: wholesale or slips; "
        "such a line alone can lead to an order."
    ),
    "entered_twice": _("{count} of {of} lines stand in their order again, wholly alike."),
    "silent_weeks": _(
        "{count} times nothing was sold for two weeks or longer: the shop was closed, or sales are missing."
    ),
    "mostly_guests": _("{count} of {of} orders have no customer: segments and values will be of the others alone."),
    "at_midnight": _("{count} of {of} orders are at 0:00 sharp: the file has days and no times."),
    "at_night": _(
        "{count} of {of} orders with a time of day are between 1 and 6 o'clock: see whether the time zone is right."
    ),
    "future_dates": _("{count} of {of} lines are dated in the future."),
    "gift_cards": _("{count} of {of} lines are gift cards: money for later, and no goods."),
    "test_orders": _("{count} of {of} lines look like a test, by the order's, customer's or product's name."),
    "sku_two_names": _(
        "{count} of {of} lines carry an SKU that mostly belongs to a product of another name: two products would be "
        "forecast as one."
    ),
    "number_reused": _(
        "{count} of {of} order numbers stand for several orders: under two customers, or days apart; each is taken as "
        "one order."
    ),
    "other_currency": _(
        "{count} of {of} lines are in another currency: they come in, and no analysis counts them."
    ),
    "no_cost": _("{count} of {of} SKUs have no known cost: their margin is guessed until it is given."),
}  # fmt: skip
"""What is found, and what follows from it."""
ADVICE = {
    "at_night": _("Choose another time zone when it is wrong."),
    "entered_twice": _("They come in; choose to leave out lines alike in one order when they are a mistake."),
    "number_reused": _("They come in as they are; correct the file when it is a mistake."),
    "sku_two_names": _("They come in as they are; correct the file when it is a mistake."),
    "other_currency": _("They come in as they are."),
}
LEAVABLE = _("They come in unless you leave them out.")
KEPT = _("They come in as they are.")
TERMS = {
    "returned": _("what came back"),
    "shipping": _("shipping"),
    "tax": _("tax on top"),
    "rounding": _("rounding of prices to four decimals"),
    "left_out_of_returns": _("parts of returns that found no sale"),
    "test_orders": _("test orders"),
    "gift_cards": _("gift cards"),
    "giant_quantity": _("giant quantities"),
    "price_far_off": _("prices far off"),
    "future_dates": _("sales dated in the future"),
    "free_lines": _("lines without money"),
    "other_currency": _("sales in another currency"),
}
"""The sums by which totals differ."""


def finding(one: Mapping[str, Any], number: Callable[[Any], str] = str) -> str:
    """What is found, with its figures."""
    return str(FINDINGS[one["code"]]).format(count=said.number(one["count"]), of=said.number(one["of"]))


def action(one: Mapping[str, Any]) -> str:
    """What will be done about it, and what the owner may do."""
    from ingest.rows import LEAVABLE as CODES

    return str(LEAVABLE if one["code"] in CODES else ADVICE.get(one["code"], KEPT))


def term(code: str) -> str:
    """What a sum is called."""
    kind, _colon, name = code.partition(":")
    if kind == "left_out":
        return gettext("left out: {reason}").format(reason=said.reason(name))
    if kind == "status":
        return gettext("orders that are {status}").format(status=Order.Status(name).label.lower())
    return str(TERMS[code])


def console(told: Mapping[str, Any], *, currency: str) -> Iterable[str]:
    """The findings and the explanation as lines of text."""
    from ingest.report import money

    if told["findings"]:
        yield gettext("What the files hold:")
    for one in told["findings"]:
        sums = f" ({money(one['cents'])} {currency})" if one["cents"] else ""
        yield f"  {one['code']}: {finding(one, said.number)}{sums}"
        yield f"{'':6}→ {action(one)}" + (f" --leave-out {one['code']}" if _may_go(one) else "")
        for example in one["examples"]:
            yield f"{'':6}· {said.example(example)}"
    if told["explained"]:
        yield from _explained(told["explained"], currency)


def _may_go(one: Mapping[str, Any]) -> bool:
    from ingest.rows import LEAVABLE as CODES

    return one["code"] in CODES


def _explained(e: Mapping[str, Any], currency: str) -> Iterable[str]:
    from ingest.report import money

    yield ""
    if e["expected"] is not None:
        known, stored, rest = gettext("Total that you know"), gettext("stored of these files"), gettext("not explained")
        yield f"{known:34} {money(e['expected']):>20} {currency}"
        yield f"  {stored:32} {money(e['stored']):>20}"
        for one in e["terms"]:
            yield f"  {'+' if one['cents'] >= 0 else '−'} {term(one['code']):30} {money(abs(one['cents'])):>20}"
        yield f"  {rest:32} {money(e['unexplained']):>20}"
        if e["unexplained"]:
            yield gettext("No sums of the files make up the difference. These are in the files:")
            for one in e["candidates"]:
                yield f"  · {term(one['code']):32} {money(one['cents']):>20}"
    if e["orders_expected"] is not None:
        text = gettext("Orders that you know: {expected}; in these files: {found}; explained: {explained}.")
        yield text.format(
            expected=said.number(e["orders_expected"]),
            found=said.number(e["orders_found"]),
            explained=f"{'+' if e['orders_explained'] >= 0 else ''}{said.number(e['orders_explained'])}",
        )
