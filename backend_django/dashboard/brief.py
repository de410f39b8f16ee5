"""The weekly brief and the e-mail on critical stock-outs as sentences in the active language: for page and e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.templatetags.dashboard import amount, day, kind, number, signed
from ml_predictions.messages import render
from ml_predictions.models_inventory import InventoryAlert

MOST_NAMED = 20
"""Critical stock-outs that an e-mail names; others are counted."""


@dataclass
class Section:
    """A heading, and lines of a text with perhaps a figure."""

    heading: str
    lines: list[tuple[str, str]] = field(default_factory=list)


def weekly(found: dict[str, Any]) -> list[Section]:
    """What `selectors_brief.brief` has found, in sections."""
    parts = [_week(found), _next(found), *(_job(job, found["currency"]) for job in found["jobs"])]
    return [*parts, _health(found), _models(found)]


def _week(found: dict[str, Any]) -> Section:
    week, money = found["week"], found["currency"]
    if not week:
        return Section(_("Last week"), [(_("Nothing has been sold yet."), "")])
    heading = _("Last week: {first} to {last}").format(first=day(week["first"]), last=day(week["last"]))
    lines = [(_("Sold"), amount(week["sold"], money))]
    others = {
        "forecast": _("Forecast made before"), "naive": _("The naive forecast"),
        "last_year": _("The same week last year"),
    }  # fmt: skip
    for name, label in others.items():
        if week[name] is not None:
            lines.append((label, _against(week["sold"], week[name], money)))
    if week["forecast"] is None:
        lines.append((_("No forecast was made before every day of this week."), ""))
    return Section(heading, lines)


def _against(sold: float, other: float, money: str) -> str:
    """The other figure, and by how much what was sold differs from it."""
    told = amount(other, money)
    return _("{money} (sold: {change})").format(money=told, change=signed(sold / other - 1)) if other > 0 else told


def _next(found: dict[str, Any]) -> Section:
    ahead, money = found["next"], found["currency"]
    if not ahead:
        return Section(_("Next week"), [(_("There is no forecast of it: train the sales forecast."), "")])
    heading = _("Next week: {first} to {last}").format(first=day(ahead["first"]), last=day(ahead["last"]))
    low, high = amount(ahead["low"], money), amount(ahead["high"], money)
    return Section(
        heading,
        [
            (_("Expected"), amount(ahead["sales"], money)),
            (_("4 times out of 5 between"), _("{low} and {high}").format(low=low, high=high)),
        ],
    )


def _job(job: dict[str, Any], money: str) -> Section:
    n, name = job["count"], job["kind"]
    if name == "order":
        heading = ngettext("{n} item to order", "{n} items to order", n)
        total = _("margin at stake")
    elif name == "idle":
        heading = ngettext("{n} item lies too much or too long", "{n} items lie too much or too long", n)
        total = _("of your money lies there")
    else:
        heading = ngettext("{n} customer to win back", "{n} customers to win back", n)
        total = _("a year at risk")
    lines = [(capfirst(total), amount(job["money"], money))]
    for one in job["top"]:
        detail = (
            _("last order {days} days ago").format(days=number(one["detail"])) if name == "win_back" else one["detail"]
        )
        lines.append((f"{one['name']} ({detail})", amount(one["money"], money)))
    return Section(heading.format(n=number(n)), lines)


def _health(found: dict[str, Any]) -> Section:
    health, changed = found["health"], found["changed"]
    lines = []
    if health["business"] is not None:
        lines.append((_("Health of the business"), f"{number(health['business'])} / 100"))
    if health["stock"] is not None:
        before = health["stock_before"]
        text = _("Health of the stock") if before is None else _("Health of the stock (a week before: {n})")
        lines.append((text.format(n=number(before)), f"{number(health['stock'])} / 100"))
    lines += [
        (_("New alerts in seven days"), number(changed["new_alerts"])),
        (_("Alerts that are over"), number(changed["gone_alerts"])),
        (_("Trainings finished"), number(changed["trained"])),
    ]
    if changed["failed"]:
        lines.append((_("Trainings that failed"), number(changed["failed"])))
    return Section(_("How things stand"), lines)


def _models(found: dict[str, Any]) -> Section:
    states = {
        True: _("better than the naive way"), None: _("nothing to compare with"),
        False: _("no better than the naive way"),
    }  # fmt: skip
    lines = []
    for model, warnings in found["models"]:
        as_of = _("as of {day}").format(day=day(model.as_of))
        lines.append((kind(model.service), f"{as_of}, {states[model.beats_baseline]}"))
        lines += [(render(warning), "") for warning in warnings]
    return Section(_("The models"), lines or [(_("None yet."), "")])


def critical(alerts: Sequence[InventoryAlert], money: str) -> list[Section]:
    """Critical stock-outs, the new ones of today and those that are still there."""
    expected = _("{money} expected")
    lines = [
        (
            f"{one.product_name} ({one.sku}): {render(one.reason).rstrip('.')}",
            expected.format(money=amount(one.expected_money, money)),
        )
        for one in alerts[:MOST_NAMED]
    ]
    if rest := len(alerts) - MOST_NAMED if len(alerts) > MOST_NAMED else 0:
        lines.append((ngettext("and {n} more", "and {n} more", rest).format(n=number(rest)), ""))
    n = len(alerts)
    heading = ngettext("{n} critical stock-out", "{n} critical stock-outs", n).format(n=number(n))
    return [Section(heading, lines)]
