"""Data: files brought in (upload, columns, dry run, import, reports), what services need, faults in the shop's data."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard.views.base import Page, Step
from ingest import said, uploads
from ingest.errors import BadFile
from ingest.models import ImportRun
from ml_predictions import conf, jobs, selectors, selectors_quality
from ml_predictions.messages import render
from ml_predictions.models import MLTrainingLog

KIND = "import"
LAST = 15
CHOICES: dict[str, dict[str, Any]] = {
    "decimal": {"auto": _("as the file shows"), "comma": _("comma"), "point": _("point")},
    "date_order": {"auto": _("as the file shows"), "dmy": _("day first"), "mdy": _("month first")},
    "repeats": {"keep": _("keep them"), "drop": _("leave them out")},
}
"""How a file is read: option → value → label."""
State = ImportRun.State


class Data(Page):
    """Upload, past imports, requirements; the faults of the data come in by themselves."""

    template = "dashboard/data.html"
    title = _("Data")
    entry = "data"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The runs of a page, settled."""
        page = Paginator(ImportRun.objects.all(), LAST).get_page(self.request.GET.get("page"))
        return {
            "runs": [(run, why(run)) for run in map(settled, page)],
            "page": page,
            "kinds": ImportRun.What.choices,
            "most": settings.IMPORT_MAX_MB,
            "requirements": selectors.requirements(),
        }


class Quality(Page):
    """The faults in the shop's own data: a part of the page that is fetched after it, for it reads every sale."""

    template = "dashboard/parts/quality.html"
    title = _("Data")

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """What was found."""
        return {"quality": selectors_quality.data_quality()}


class Upload(Step):
    """Keep a file and guess its columns."""

    back = "dashboard:data"
    run: ImportRun | None = None

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """A file that cannot be read is not kept."""
        from ingest import imports, sample

        what, file = request.POST.get("what", ""), request.FILES.get("file")
        if what not in ImportRun.What.values:
            raise Http404(what)
        if file is None:
            if int(request.headers.get("Content-Length") or 0) > settings.IMPORT_MAX_MB * 1_000_000:
                most = gettext("The file is larger than {most} MB (IMPORT_MAX_MB). Import it on the console.")
                raise forms.ValidationError(most.format(most=settings.IMPORT_MAX_MB))
            raise forms.ValidationError(gettext("Choose a file first."))
        uploads.drop_old()
        run = uploads.keep(file, what=what, requested_by=str(request.user))
        path = uploads.path_of(run)
        try:
            run.preset, run.columns = sample.guess(what, sample.take(path).headers) if path else ("", {})
        except BadFile as error:
            uploads.drop(run)
            run.delete()
            raise forms.ValidationError(sentence(error)) from error
        run.options = imports.defaults(run.preset, currency=conf.get("CURRENCY"))
        run.save()
        self.run = run
        return gettext("The file is here. See whether its columns are right, then make a dry run.")

    def where(self, **kwargs: Any) -> str:
        """To the import, or back."""
        return reverse("dashboard:import", args=[self.run.pk]) if self.run else super().where()


class Import(Step):
    """One import: its columns, the first rows, the dry run's report, the import."""

    http_method_names = ["get", "post", "options"]
    template = "dashboard/import.html"
    title = _("Import")
    entry = "data"

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The run as it stands; while its file is here and nothing is under way, how it is read."""
        run = settled(found(kwargs["import_id"]))
        path = None if run.under_way else uploads.path_of(run)
        log = job_of(run)
        return {
            "title": run.file_name,
            "run": run,
            "why": why(run),
            "job": log,
            "before": uploads.imported_before(run),
            "reading": reading(run, path) if path and run.state != State.IMPORTED else None,
            "told": told(run),
            "shop_currency": conf.get("CURRENCY"),
        }

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """By the button: `show`, `check`, `import` or `cancel`."""
        run = settled(found(kwargs["import_id"]))
        what = request.POST.get("do")
        if what == "cancel" and run.under_way and run.state != State.WRITING and (job := job_of(run)):
            jobs.cancel(job, requested_by=str(request.user))
            return gettext("It is asked to stop.")
        if run.under_way or run.state == State.IMPORTED or not uploads.path_of(run):
            raise forms.ValidationError(gettext("This file can no longer be changed or imported; upload it again."))
        if what == "import":
            if run.state != State.CHECKED:
                raise forms.ValidationError(gettext("Make a dry run first, and read its report."))
            start(run, write=True, who=str(request.user))
            return gettext("The import is queued. This page shows how far it is.")
        store(run, request)
        if what == "check":
            start(run, write=False, who=str(request.user))
            return gettext("The dry run is queued. This page shows how far it is.")
        return gettext("These are the rows as they would be read.")

    def where(self, **kwargs: Any) -> str:
        """The page itself."""
        return reverse("dashboard:import", args=[kwargs["import_id"]])


class ImportProgress(Page):
    """How far an import is: asks again by itself, and shows the whole page anew when it is over."""

    template = "dashboard/parts/import_progress.html"
    title = _("Import")

    def context(self, **kwargs: Any) -> dict[str, Any]:
        """The run and its place in the worker."""
        run = settled(found(kwargs["import_id"]))
        return {"run": run, "job": job_of(run)}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The part, or the wish to load the page again."""
        context = self.context(**kwargs)
        answer = self.page(context)
        if not context["run"].under_way:
            answer["HX-Refresh"] = "true"
        return answer


def found(import_id: int) -> ImportRun:
    """The import, or 404."""
    run = ImportRun.objects.filter(pk=import_id).first()
    if run is None:
        raise Http404
    return run


def job_of(run: ImportRun) -> MLTrainingLog | None:
    """The worker's run that checks or imports it."""
    return MLTrainingLog.objects.filter(pk=run.run_id).first() if run.run_id else None


def settled(run: ImportRun) -> ImportRun:
    """The run with the end that its worker's run had, when that did not live to write it."""
    if not run.under_way:
        return run
    log = job_of(run)
    run.refresh_from_db()
    if not run.under_way or (log is not None and log.status in (*MLTrainingLog.OPEN, MLTrainingLog.Status.COMPLETED)):
        return run
    cancelled = log is not None and log.status == MLTrainingLog.Status.CANCELLED
    run.state = State.CANCELLED if cancelled else State.FAILED
    run.error, run.finished_at = (log.error, log.finished_at) if log else (None, None)
    run.save(update_fields=["state", "error", "finished_at"])
    return run


def why(run: ImportRun) -> str:
    """Why it failed or was cancelled, in the reader's language."""
    return (said.error(run.error) or render(run.error)) if run.state in (State.FAILED, State.CANCELLED) else ""


def sentence(error: BadFile) -> str:
    """What is wrong with a file."""
    return said.error({"code": error.code, "params": error.details}) or error.message


def start(run: ImportRun, *, write: bool, who: str) -> None:
    """Queue the dry run or the import, in one transaction with the run's state."""
    with transaction.atomic():
        try:
            log = jobs.submit(KIND, {"import_run": run.pk, "write": write}, requested_by=who)
        except jobs.AlreadyRunning as other:
            busy = gettext("Another file is being checked or imported; wait until that is over.")
            raise forms.ValidationError(busy) from other
        run.state = State.IMPORTING if write else State.CHECKING
        run.run_id, run.progress, run.error = log.pk, 0, None
        run.save(update_fields=["state", "run_id", "progress", "error"])


def store(run: ImportRun, request: HttpRequest) -> None:
    """Take over how the file is to be read; another layout begins with its own columns. An earlier report goes."""
    from ingest import imports, sample
    from ingest.presets import PRESETS

    path = uploads.path_of(run)
    headers = sample.take(path).headers if path else []
    given = request.POST
    wanted, required = sample.WANTED[run.what]
    preset = given.get("preset", run.preset)
    if preset != run.preset and preset in PRESETS:
        run.preset, run.columns = preset, PRESETS[preset].find(headers)
        run.options = imports.defaults(preset, currency=conf.get("CURRENCY"))
    else:
        columns = {name: given.get(f"field-{name}", "") for name in wanted}
        run.columns = {name: header for name, header in columns.items() if header in headers}
        run.columns |= sample.of_layout(run.preset, headers)
        run.options = options_of(run, given)
    run.state, run.report, run.error = State.UPLOADED, None, None
    run.save()
    if missing := [said.field(name) for name in required if name not in run.columns]:
        lacks = gettext("Choose which column is: {fields}.")
        raise forms.ValidationError(lacks.format(fields=", ".join(missing)))


def options_of(run: ImportRun, given: Any) -> dict[str, str]:
    """The options of the form. Raises ValidationError when one is none."""
    taken = dict(run.options)
    for name, values in CHOICES.items():
        if given.get(name) in values:
            taken[name] = given[name]
    zone, currency = given.get("time_zone", "").strip(), given.get("currency", "").strip().upper()
    if zone:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            unknown = gettext("{zone} is no time zone; give one such as Europe/Madrid.")
            raise forms.ValidationError(unknown.format(zone=zone)) from error
        taken["time_zone"] = zone
    if currency:
        if len(currency) != 3 or not currency.isalpha():
            wrong = gettext("{currency} is no currency; give three letters such as EUR.")
            raise forms.ValidationError(wrong.format(currency=currency))
        taken["currency"] = currency
    return taken


def reading(run: ImportRun, path: Any) -> dict[str, Any]:
    """How the file is read: fields with the column of each, options, and the first rows, or why they cannot be read."""
    from ingest import imports, sample
    from ingest.presets import PRESETS

    problem, shown, headers = "", None, list[str]()
    wanted, required = sample.WANTED[run.what]
    try:
        beginning = sample.take(path)
        headers = beginning.headers
        if set(required) <= set(run.columns):
            shown = sample.preview(beginning, run, imports.reading(run))
    except BadFile as error:
        problem = sentence(error)
    labels = [said.field(name) for name in shown.fields] if shown else []
    return {
        "headers": headers,
        "fields": [(name, said.field(name), name in required, run.columns.get(name, "")) for name in wanted],
        "presets": list(PRESETS) if run.what == ImportRun.What.SALES else [],
        "choices": [(name, run.options.get(name), CHOICES[name]) for name in ("decimal", "date_order", "repeats")],
        "labels": labels,
        "rows": [
            (row["line"], [row[name] for name in shown.fields], said.detail(row["detail"])) for row in shown.rows
        ] if shown else [],
        "undecided": shown is not None and shown.undecided,
        "problem": problem,
    }  # fmt: skip


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
        "faults": [(one["line"], said.detail(one["reason"])) for one in report.get("faults", [])],
        "counts": [(said.TABLES.get(name, name), one) for name, one in counts.items()],
    }
