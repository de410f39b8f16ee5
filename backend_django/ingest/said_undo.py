"""What undoing an import did or would do, on the console and on the page, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ingest import said
from ingest.models import ImportEntry

Kind = ImportEntry.Kind
TABLES = {
    Kind.RETURN: _("Returns"), Kind.ORDER: _("Orders"), Kind.MOVEMENT: _("Stock movements"),
    Kind.SUPPLIER_ITEM: _("Suppliers of variants"), Kind.VARIANT: _("Variants"), Kind.PRODUCT: _("Products"),
    Kind.SUPPLIER: _("Suppliers"), Kind.CATEGORY: _("Categories"), Kind.CUSTOMER: _("Customers"),
}  # fmt: skip
REASONS = {
    "later": _("a later import holds it too"),
    "changed": _("it was changed since"),
    "returns": _("something came back of it since"),
    "used": _("something else in the shop leans on it"),
    "counted": _("the stock was counted since"),
    "gone": _("it is no longer there"),
    "taken": _("its e-mail or number is another's now"),
}
"""Why a row stays as it is."""
REFUSED = {
    "undone": _("It is undone already."),
    "state": _("Only an import can be undone."),
    "old": _("Nothing is noted of this import that could be undone: it wrote nothing, or it is too old."),
}


def refused(stored: Mapping[str, Any]) -> str:
    """Why an import cannot be undone; empty: this is another error."""
    return str(REFUSED[stored["params"]["reason"]]) if stored.get("code") == "import.cannot_undo" else ""


def tables(account: Mapping[str, Any]) -> list[tuple[str, int, int, int]]:
    """Table, rows removed, put back, and kept."""
    kept = account["kept"].values()
    found = []
    for kind, label in TABLES.items():
        name = str(int(kind))
        row = (account["removed"].get(name, 0), account["put_back"].get(name, 0), sum(t.get(name, 0) for t in kept))
        if any(row):
            found.append((str(label), *row))
    return found


def reasons(account: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, int]], list[str]]]:
    """Why rows are kept: the reason, how many of which table, and the first of them."""
    return [
        (str(REASONS[reason]), [(str(TABLES[Kind(int(name))]), count) for name, count in counts.items()],
         account["examples"].get(reason, []))
        for reason, counts in account["kept"].items()
    ]  # fmt: skip


def console(account: Mapping[str, Any], *, done: bool) -> Iterable[str]:
    """The account as lines of text, with the money when it is done."""
    removed, put_back = (gettext("removed"), gettext("put back")) if done else (
        gettext("to be removed"), gettext("to be put back"))  # fmt: skip
    kept_too = gettext("kept")
    yield f"{'':24} {removed:>14} {put_back:>18} {kept_too:>10}"
    for label, gone, back, kept in tables(account):
        yield f"{label:24} {said.number(gone):>14} {said.number(back):>18} {said.number(kept):>10}"
    for reason, counts, examples in reasons(account):
        yield gettext("Kept, because {reason}: {what}").format(
            reason=reason, what=", ".join(f"{label} {said.number(count)}" for label, count in counts)
        )
        for example in examples:
            yield f"      · {example}"
    if "money" in account:
        from ingest.report import money

        m = account["money"]
        named = {
            "before": gettext("Money before the import"),
            "since": gettext("what came in or went since"),
            "kept": gettext("what was kept of the import"),
            "now": gettext("money now"),
        }
        for (name, label), sign in zip(named.items(), " ++=", strict=True):
            yield f"{sign} {label:42} {money(m[name]):>18}"
        if m["difference"]:
            yield gettext("While it was undone, {money} more came in or went.").format(money=money(-m["difference"]))
