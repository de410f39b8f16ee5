"""How an uploaded file is read, what the owner says of it, and what its report says: the form of the page Import."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ingest import said, said_doctor, uploads
from ingest.errors import BadFile
from ingest.models import ImportRun
from ml_predictions import conf

State = ImportRun.State
CHOICES: dict[str, dict[str, Any]] = {
    "decimal": {"auto": _("as the file shows"), "comma": _("comma"), "point": _("point")},
    "date_order": {"auto": _("as the file shows"), "dmy": _("day first"), "mdy": _("month first")},
    "repeats": {"keep": _("keep them"), "drop": _("leave them out")},
}
"""How a file is read: option → value → label."""


def headers_of(run: ImportRun) -> list[str]:
    """The headers of the files of a run. Raises BadFile when one cannot be read."""
    from ingest import sample

    return list(dict.fromkeys(header for path in uploads.paths_of(run) for header in sample.take(path).headers))


def sentence(error: BadFile) -> str:
    """What is wrong with a file."""
    return said.error(error.stored()) or error.message


def store(run: ImportRun, request: HttpRequest) -> None:
    """Take over how the file is to be read; another layout begins with its own columns. An earlier report goes.

    Raises ValidationError when something of the form is wrong or missing; the rest is taken over.
    """
    from ingest import imports, sample
    from ingest.presets import PRESETS

    headers = headers_of(run)
    given, wrong = request.POST, list[str]()
    wanted, required = sample.WANTED[run.what]
    preset = given.get("preset", run.preset)
    if preset != run.preset and preset in PRESETS:
        run.preset, run.columns = preset, PRESETS[preset].find(headers)
        run.options = imports.defaults(preset, currency=conf.get("CURRENCY"))
    else:
        columns = {name: given.get(f"field-{name}", "") for name in wanted}
        run.columns = {name: header for name, header in columns.items() if header in headers}
        run.columns |= sample.of_layout(run, headers)
        run.options, wrong = options_of(run, given)
    run.state, run.report, run.error = State.UPLOADED, None, None
    run.save()
    if wrong:
        raise forms.ValidationError(wrong)
    if missing := [said.field(name) for name in required if name not in run.columns]:
        lacks = gettext("Choose which column is: {fields}.")
        raise forms.ValidationError(lacks.format(fields=", ".join(missing)))


def options_of(run: ImportRun, given: Any) -> tuple[dict[str, Any], list[str]]:
    """The options of the form, and what is wrong with it; what is wrong stays as it was."""
    taken, wrong = dict(run.options), []
    for name, values in CHOICES.items():
        if given.get(name) in values:
            taken[name] = given[name]
    zone, currency = given.get("time_zone", "").strip(), given.get("currency", "").strip().upper()
    if zone:
        try:
            taken["time_zone"] = ZoneInfo(zone).key
        except (KeyError, ValueError, OSError):
            unknown = gettext("{zone} is no time zone; give one such as Europe/Madrid.")
            wrong.append(unknown.format(zone=zone))
    if len(currency) == 3 and currency.isalpha():
        taken["currency"] = currency
    elif currency:
        no_code = gettext("{currency} is no currency; give three letters such as EUR.")
        wrong.append(no_code.format(currency=currency))
    if run.what == ImportRun.What.SALES:
        word, refused = owners_word(given)
        taken, wrong = taken | word, wrong + refused
    return taken, wrong


def owners_word(given: Any) -> tuple[dict[str, Any], list[str]]:
    """What the owner says of a file of sales (known totals, findings to leave out, what to assume), what is wrong."""
    from ingest.rows import LEAVABLE

    form = OwnersWord(given)
    wrong = [f"{form.fields[name].label}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()]
    told = {name: "" if value is None else str(value) for name, value in form.cleaned_data.items()}
    return told | {"leave_out": [code for code in LEAVABLE if code in given.getlist("leave_out")]}, wrong


def initial(options: dict[str, Any]) -> dict[str, Any]:
    """What was said already; numbers as numbers, so that they are shown as the reader writes them."""
    numbers = {name: isinstance(field, forms.IntegerField) for name, field in OwnersWord.base_fields.items()}
    return {
        name: Decimal(options[name]) if number else options[name]
        for name, number in numbers.items()
        if options.get(name)
    }


class OwnersWord(forms.Form):
    """What the form takes beside the columns; empty: nothing is said."""

    expect_total = forms.DecimalField(
        label=_("Total that you know"), required=False, decimal_places=2, max_digits=14, localize=True
    )
    expect_orders = forms.IntegerField(label=_("Orders that you know"), required=False, min_value=0)
    cost_share = forms.DecimalField(
        label=_("Cost as a share of the price"), required=False, min_value=Decimal("0.01"), max_value=1, localize=True
    )
    opening_stock_days = forms.IntegerField(
        label=_("Opening stock, days of sales"), required=False, min_value=0, max_value=365
    )
    supplier = forms.CharField(label=_("Supplier of what has none"), required=False, max_length=160)
    lead_time_days = forms.DecimalField(
        label=_("Its lead time, days"), required=False, min_value=0, max_value=365, localize=True
    )
    lead_time_sd = forms.DecimalField(
        label=_("Spread of the lead time, days"), required=False, min_value=0, max_value=365, localize=True
    )
    category = forms.ChoiceField(
        label=_("Category of what has none"), required=False,
        choices=[("", _("stays empty")), ("common-word", _("the word that most names share"))],
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from ingest.assume import Assumptions

        super().__init__(*args, **kwargs)
        for name in ("lead_time_days", "lead_time_sd"):
            self.fields[name].widget.attrs["placeholder"] = number_format(getattr(Assumptions, name), decimal_pos=0)

    def clean(self) -> dict[str, Any]:
        """A lead time is somebody's."""
        told = super().clean() or self.cleaned_data
        for name in ("lead_time_days", "lead_time_sd"):
            if told.get(name) is not None and not told.get("supplier"):
                self.add_error(name, gettext("Name the supplier too."))
        return told


def reading(run: ImportRun, paths: list[Any]) -> dict[str, Any]:
    """How the file is read: fields with the column of each, options, and the first rows, or why they cannot be read."""
    from ingest import imports, sample
    from ingest.presets import PRESETS
    from ingest.rows import LEAVABLE

    problem, shown, headers = "", None, list[str]()
    wanted, required = sample.WANTED[run.what]
    try:
        beginning = sample.take(paths[0])
        headers = headers_of(run)
        if set(required) <= set(run.columns):
            shown = sample.preview(beginning, run, imports.reading(run))
    except BadFile as error:
        problem = sentence(error)
    labels = [said.field(name) for name in shown.fields] if shown else []
    tables = [name for name, one in PRESETS.items() if one.read is None]
    return {
        "headers": headers,
        "fields": [(name, said.field(name), name in required, run.columns.get(name, "")) for name in wanted],
        "presets": tables if run.what == ImportRun.What.SALES else [],
        "choices": [(name, run.options.get(name), CHOICES[name]) for name in ("decimal", "date_order", "repeats")],
        "labels": labels,
        "rows": [
            (row["line"], [row[name] for name in shown.fields], said.detail(row["detail"])) for row in shown.rows
        ] if shown else [],
        "undecided": shown is not None and shown.undecided,
        "problem": problem,
        "word": OwnersWord(initial=initial(run.options)) if run.what == ImportRun.What.SALES else None,
        "leavable": [(code, said_doctor.TERMS[code], code in run.options.get("leave_out", ())) for code in LEAVABLE],
    }  # fmt: skip


def explained(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """The owner's total with what it differs by, the sums named."""
    if stored is None:
        return None
    named = {name: [(said_doctor.term(one["code"]), one["cents"]) for one in stored[name]]
             for name in ("terms", "candidates")}  # fmt: skip
    return stored | named


def told(run: ImportRun) -> dict[str, Any]:
    """What of the report is put into the reader's language: what is left out and why, and what was written."""
    report = run.report or {}
    left = [
        (said.reason(one["reason"]), one["rows"], one["cents"], [said.example(text) for text in one["examples"]])
        for one in report.get("left_out", [])
    ]
    counts = run.counts if run.counts is not None else report.get("counts") or {}
    return {
        "left_out": left,
        "notes": [
            (said.note(one["reason"]), one["rows"], one["cents"], one["examples"]) for one in report.get("notes", [])
        ],
        "findings": [
            (
                one,
                said_doctor.finding(one, lambda figure: number_format(figure, force_grouping=True)),
                said_doctor.action(one),
                [said.example(text) for text in one["examples"]],
            )
            for one in report.get("findings", [])
        ],
        "explained": explained(report.get("explained")),
        "faults": [(one["line"], said.detail(one["reason"])) for one in report.get("faults", [])],
        "counts": [(said.TABLES.get(name, name), one) for name, one in counts.items()],
    }
