"""Data: files brought in (upload, columns, dry run, import, reports), what services need, faults in the shop's data."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard.views.base import Page, Step
from dashboard.views.import_form import headers_of, reading, sentence, store, told
from ingest import said, said_undo, turns, uploads
from ingest.errors import BadFile
from ingest.hints import beside_the_demo
from ingest.models import ImportRun
from ml_predictions import conf, jobs, selectors, selectors_quality, selectors_sales
from ml_predictions.messages import render
from ml_predictions.models import MLTrainingLog

KIND = "import"
LAST = 15
State = ImportRun.State
NOW_OR_NEVER = (State.WRITING, *ImportRun.IN_UNDO)
"""Not to be cancelled."""


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
            "warning": beside_the_demo(),
            "pull": ImportRun.failed_pull(),
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

        what, files = request.POST.get("what", ""), request.FILES.getlist("file")
        if what not in ImportRun.What.values:
            raise Http404(what)
        if len(files) > 1 and what != ImportRun.What.SALES:
            raise forms.ValidationError(gettext("Of products and counts, upload one file at a time."))
        if not files:
            if int(request.headers.get("Content-Length") or 0) > settings.IMPORT_MAX_MB * 1_000_000:
                most = gettext("The file is larger than {most} MB (IMPORT_MAX_MB). Import it on the console.")
                raise forms.ValidationError(most.format(most=settings.IMPORT_MAX_MB))
            raise forms.ValidationError(gettext("Choose a file first."))
        uploads.drop_old()
        run = uploads.keep(files, what=what, requested_by=str(request.user))
        try:
            headers = headers_of(run)
            run.preset, run.columns = sample.guess(what, headers)
        except BadFile as error:
            uploads.drop(run)
            run.delete()
            raise forms.ValidationError(sentence(error)) from error
        run.options = imports.defaults(run.preset, currency=conf.get("CURRENCY"))
        run.save()
        self.run = run
        here = gettext("The file is here. See whether its columns are right, then make a dry run.")
        if not (other := sample.other_kind(what, headers)):
            return here
        labels = dict(ImportRun.What.choices)
        wrong = gettext("It looks like “{other}” and not like “{what}”: if so, upload it again as that.")
        return f"{here} {wrong.format(other=labels[other], what=labels[what])}"

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
        paths = [] if run.under_way else uploads.paths_of(run)
        log, currency = job_of(run), selectors_sales.currency()
        return {
            "title": run.file_name,
            "run": run,
            "why": why(run),
            "job": log,
            "before": uploads.imported_before(run),
            "reading": reading(run, paths) if paths and run.state != State.IMPORTED else None,
            "told": told(run),
            "undo": undo_told(run),
            "shop_currency": currency,
            "currency": currency,
        }

    def do(self, request: HttpRequest, **kwargs: Any) -> str:
        """By the button: `show`, `check`, `import`, `weigh`, `undo` or `cancel`."""
        run = settled(found(kwargs["import_id"]))
        what = request.POST.get("do")
        if what in ("weigh", "undo"):
            return take_back(run, write=what == "undo", who=str(request.user))
        if what == "cancel" and run.under_way and run.state not in NOW_OR_NEVER and (job := job_of(run)):
            jobs.cancel(job, requested_by=str(request.user))
            return gettext("It is asked to stop.")
        if run.under_way or run.state == State.IMPORTED or not uploads.paths_of(run):
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
    if log is None:  # a command is at it, or was
        turns.settle()
        run.refresh_from_db()
        return run
    run.state = _ended(run, log)
    run.error, run.finished_at = log.error, log.finished_at
    run.save(update_fields=["state", "error", "finished_at"])
    return run


def _ended(run: ImportRun, log: MLTrainingLog) -> str:
    """The state after a worker's run that did not live to write it."""
    if run.state in ImportRun.IN_UNDO:
        return run.before_undo
    return State.CANCELLED if log.status == MLTrainingLog.Status.CANCELLED else State.FAILED


def why(run: ImportRun) -> str:
    """Why it failed or was cancelled, in the reader's language."""
    if run.error and (refused := said_undo.refused(run.error)):
        return refused
    return (
        (said.error(run.error) or render(run.error))
        if run.error or run.state in (State.FAILED, State.CANCELLED)
        else ""
    )


def take_back(run: ImportRun, *, write: bool, who: str) -> str:
    """Queue the look at what an undo would do, or the undo. Raises ValidationError when it cannot be undone."""
    from ingest import undo

    try:
        undo.refuse(run)
    except undo.CannotUndo as error:
        raise forms.ValidationError(said_undo.refused(error.stored())) from error
    if run.under_way:
        raise forms.ValidationError(gettext("It is under way already."))
    if write and "weighed" not in (run.undo or {}):
        raise forms.ValidationError(gettext("See first what undoing it would do."))
    start(run, write=write, who=who, back=True)
    return gettext("The undo is queued. This page shows how far it is.") if write else gettext(
        "It is looked into what undoing the import would do."
    )  # fmt: skip


def undo_told(run: ImportRun) -> dict[str, Any]:
    """May it be undone, and what the undo would do or did."""
    weighed = (run.undo or {}).get("weighed") if run.state != State.UNDONE else run.undo
    account = weighed if weighed and "removed" in weighed else None
    return {
        "possible": run.state in ImportRun.UNDOABLE and run.entries.exists(),
        "weighed": account is not None and run.state != State.UNDONE,
        "tables": said_undo.tables(account) if account else [],
        "reasons": said_undo.reasons(account) if account else [],
        "money": (account or {}).get("money"),
    }


def start(run: ImportRun, *, write: bool, who: str, back: bool = False) -> None:
    """Queue the dry run or the import (with `back`: of its undo), in one transaction with the run's state."""
    with transaction.atomic():
        try:
            log = jobs.submit(KIND, {"import_run": run.pk, "write": write, "undo": back}, requested_by=who)
        except jobs.AlreadyRunning as other:
            busy = gettext("Another file is being checked or imported; wait until that is over.")
            raise forms.ValidationError(busy) from other
        states = ImportRun.IN_UNDO if back else (State.CHECKING, State.IMPORTING)
        if back:
            run.undo = {**(run.undo or {}), "was": run.state}
        run.state = states[write]
        run.run_id, run.progress, run.error = log.pk, 0, None
        run.save(update_fields=["state", "run_id", "progress", "error", "undo"])
