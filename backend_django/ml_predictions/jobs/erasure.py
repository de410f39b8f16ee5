"""The kind `erase`: the steps of an erasure in their order, as a run of the worker."""

from __future__ import annotations

import time

from django.db.models import QuerySet

from ml_predictions.jobs import rows
from ml_predictions.messages import message
from ml_predictions.models import SERVICES, Kind, MLTrainingLog
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.services.base import TrainingRun
from ml_predictions.services.erasure.steps import Erasure

KIND = "erase"


class ErasureUnderWay(Exception):
    """One person after the other: another one is being erased."""

    code = "erasure_under_way"

    def __init__(self, training_log_id: int) -> None:
        self.details = {"training_log_id": training_log_id}
        super().__init__(
            f"Another person is being erased (training log {training_log_id}). Ask again when that is over."
        )


def start(row: PersonalDataErasure, *, requested_by: str) -> MLTrainingLog:
    """Queue the run of an erasure, or find the one that is under way. Raises ErasureUnderWay; nothing is kept then."""
    parameters = {"erasure": row.pk}
    try:
        return rows.submit(KIND, parameters, requested_by=requested_by)
    except rows.AlreadyRunning as running:
        log = MLTrainingLog.objects.get(pk=running.training_log_id)
        if log.parameters == parameters:
            return log
        PersonalDataErasure.objects.filter(pk=row.pk, done={}).delete()
        raise ErasureUnderWay(log.pk) from running


def erase(run: TrainingRun, *, erasure: int) -> None:
    """Erase the person of the row `erasure`. Killed at any moment, it is begun again and goes on where it was."""
    job = Erasure(run, erasure)
    if not job.only_to_close:
        job.forget()
        wait_for_trainings(run, job.row)
        job.clean_versions()
        job.clean_places()
        job.draw_up()
    job.close()


def wait_for_trainings(run: TrainingRun, row: PersonalDataErasure) -> None:
    """Let the trainings end that read the shop while the person was in it: what they publish is cleaned afterwards."""
    reaper = rows.Reaper()
    while (log := before(row).first()) is not None:
        run.progress(15, message("erasure.step_waiting", training_log_id=log.pk))
        reaper.reap()  # one whose worker is gone begins anew, without the person
        time.sleep(rows.POLL)


def before(row: PersonalDataErasure) -> QuerySet[MLTrainingLog]:
    """Trainings under way that began before the account was gone."""
    running = MLTrainingLog.objects.filter(status=MLTrainingLog.Status.RUNNING, kind__in=[*SERVICES, Kind.ALL])
    return running.filter(started_at__lt=row.forgotten_at).order_by("id")
