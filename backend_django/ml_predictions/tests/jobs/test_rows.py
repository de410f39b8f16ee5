"""The queue: one open run per service, leases, owners, cancelling."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ml_predictions.jobs import (
    AlreadyRunning,
    NotRetryable,
    NotRunning,
    Reaper,
    cancel,
    claim,
    heartbeat,
    release,
    retry,
    rows,
    submit,
    wait,
)
from ml_predictions.models import MLTrainingLog, MLWorker

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def expire(log):
    MLTrainingLog.objects.filter(pk=log.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


class Watcher:
    """A reaper whose clock stands until it is told."""

    def __init__(self):
        self.seconds = 0.0
        self.reaper = Reaper(clock=lambda: self.seconds)

    def after(self, seconds):
        """How many runs are taken back when it looks now, and again after so many seconds."""
        first = self.reaper.reap()
        self.seconds += seconds
        return first, self.reaper.reap()


def come(log):
    """The time to try again has come."""
    MLTrainingLog.objects.filter(pk=log.pk).update(not_before=timezone.now() - timedelta(seconds=1))


def test_the_oldest_waiting_run_is_taken_first_and_only_once():
    first = submit("sales_forecast", {"model_type": "linear"}, requested_by="ben")
    submit("customer_segmentation", {})
    taken = claim("w")
    assert (taken.pk, taken.status, taken.owner, taken.attempt) == (first.pk, "running", "w:1", 1)
    assert taken.lease_until > timezone.now()
    assert claim("w").kind == "customer_segmentation"
    assert claim("w") is None


def test_a_second_run_of_a_service_is_refused_while_one_is_open():
    first = submit("sales_forecast", {})
    with pytest.raises(AlreadyRunning) as refused:
        submit("sales_forecast", {})
    assert refused.value.details == {"kind": "sales_forecast", "training_log_id": first.pk}
    assert claim("w")
    with pytest.raises(AlreadyRunning):
        submit("sales_forecast", {})
    assert rows.finish(first.pk, "w:1", "completed")
    assert submit("sales_forecast", {}).status == "queued"


@pytest.mark.parametrize(("first", "second"), [("all", "sales_forecast"), ("inventory_optimization", "all")])
def test_all_four_and_one_of_them_exclude_each_other(first, second):
    submit(first, {})
    with pytest.raises(AlreadyRunning):
        submit(second, {})
    assert MLTrainingLog.objects.count() == 1


def test_an_expired_lease_is_queued_again_and_failed_after_the_last_attempt(settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "MAX_ATTEMPTS": 2}
    submit("sales_forecast", {})
    first = claim("a")
    expire(first)
    assert Watcher().after(16) == (0, 1)
    assert claim("b") is None  # not at once
    come(first)
    second = claim("b")
    assert (second.owner, second.attempt) == ("b:2", 2)
    expire(second)
    assert Watcher().after(16) == (0, 1)
    assert claim("c") is None
    second.refresh_from_db()
    assert (second.status, second.error["code"]) == ("failed", "training_lost")
    assert second.finished_at is not None


def test_a_worker_that_lost_its_run_cannot_touch_it_any_more():
    submit("sales_forecast", {})
    lost = claim("a")
    expire(lost)
    assert Watcher().after(16) == (0, 1)
    come(lost)
    assert claim("b").owner == "b:2"
    assert not heartbeat(lost)
    assert not rows.finish(lost.pk, lost.owner, "completed")
    assert not release(lost)
    assert MLTrainingLog.objects.get().status == "running"


def test_a_heartbeat_renews_the_lease():
    submit("sales_forecast", {})
    log = claim("a")
    MLTrainingLog.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
    assert heartbeat(log)
    log.refresh_from_db()
    assert log.lease_until > timezone.now() + timedelta(seconds=30)
    assert Watcher().after(16) == (0, 0)


def test_a_clock_set_forward_takes_no_run_away_from_a_worker_that_lives():
    submit("sales_forecast", {})
    log, watcher = claim("a"), Watcher()
    for _ in range(5):  # every lease is over, by a clock that is an hour ahead; the worker goes on renewing it
        expire(log)
        assert watcher.reaper.reap() == 0
        watcher.seconds += 5
        assert heartbeat(log)
    assert watcher.reaper.reap() == watcher.reaper.suspects == 0  # who works once and ends need not wait for it
    MLTrainingLog.objects.update(lease_until=timezone.now() - timedelta(hours=1))
    assert (watcher.reaper.reap(), watcher.reaper.suspects) == (0, 1)
    assert watcher.after(16) == (0, 1)  # it has stopped


def test_a_clock_set_back_does_not_keep_a_dead_workers_run_for_long():
    submit("sales_forecast", {})
    log, watcher = claim("a"), Watcher()
    MLTrainingLog.objects.update(lease_until=timezone.now() + timedelta(days=365))
    assert watcher.after(59) == (0, 0)
    assert watcher.after(2) == (0, 1)
    MLTrainingLog.objects.update(not_before=timezone.now() + timedelta(days=365))
    assert claim("b").pk == log.pk


def test_it_waits_longer_before_each_further_attempt(settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "MAX_ATTEMPTS": 3}
    submit("sales_forecast", {})
    for seconds in (15, 30):
        log = claim("a")
        assert rows.give_up(log, "training_killed", signal=9, megabytes=1)
        log.refresh_from_db()
        assert seconds - 2 < (log.not_before - timezone.now()).total_seconds() <= seconds
        come(log)
    assert claim("a").not_before is None


def test_a_run_that_waits_for_its_time_does_not_hold_up_the_next():
    submit("sales_forecast", {})
    rows.give_up(claim("a"), "training_killed", signal=9, megabytes=1)
    second = submit("customer_segmentation", {})
    assert claim("a").pk == second.pk
    assert claim("a") is None
    assert rows.some_wait()


def test_what_failed_is_tried_again_as_a_run_of_its_own_and_nothing_else_is():
    first = submit("sales_forecast", {"model_type": "linear"})
    with pytest.raises(NotRetryable):
        retry(first, requested_by="ben")
    claim("w")
    assert rows.finish(first.pk, "w:1", "failed", {"code": "training_error", "params": {"error": "x"}})
    first.refresh_from_db()
    again = retry(first, requested_by="ben")
    assert (again.kind, again.parameters, again.retry_of_id, again.attempt) == (
        "sales_forecast", {"model_type": "linear"}, first.pk, 0,
    )  # fmt: skip
    with pytest.raises(AlreadyRunning):
        retry(first, requested_by="ben")


def test_a_run_put_back_by_a_stopping_worker_has_lost_no_attempt():
    submit("sales_forecast", {})
    release(claim("a"))
    log = MLTrainingLog.objects.get()
    assert (log.status, log.attempt, log.owner) == ("queued", 0, "")


def test_a_waiting_run_is_cancelled_at_once_a_running_one_is_asked_and_a_finished_one_refuses():
    waiting = cancel(submit("sales_forecast", {}), requested_by="ben")
    assert (waiting.status, waiting.error) == ("cancelled", {"code": "training_cancelled", "params": {"who": "ben"}})
    submit("sales_forecast", {})
    running = cancel(claim("a"), requested_by="ben")
    assert (running.status, running.cancel_requested_by) == ("running", "ben")
    with pytest.raises(NotRunning):
        cancel(waiting, requested_by="ben")


def test_a_dead_attempt_of_a_cancelled_run_is_not_tried_again():
    submit("sales_forecast", {})
    log = cancel(claim("a"), requested_by="ben")
    assert rows.give_up(log, "training_killed", signal=9, megabytes=1)
    log.refresh_from_db()
    assert log.status == "cancelled"


def test_what_died_after_it_had_published_is_done_and_not_trained_twice():
    submit("sales_forecast", {})
    log = claim("a")
    MLTrainingLog.objects.filter(pk=log.pk).update(result={"model_id": 1})
    log.refresh_from_db()
    assert rows.give_up(log, "training_killed", signal=9, megabytes=1)
    log.refresh_from_db()
    assert (log.status, log.attempt, log.error) == ("completed", 1, None)


def test_waiting_ends_when_the_time_is_over():
    assert wait(submit("sales_forecast", {}), 0).status == "queued"


def test_workers_report_and_are_forgotten(settings):
    assert not MLWorker.objects.alive()
    rows.report_worker("w", "host", 1)
    assert MLWorker.objects.alive()


def test_a_worker_that_has_ended_is_not_waited_for():
    rows.report_worker("w", "host", 1)
    rows.forget_worker("w")
    assert not MLWorker.objects.alive()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the test database in memory has one connection")
@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_take_each_run_once():
    MLTrainingLog.objects.bulk_create(MLTrainingLog(kind=f"k{number}") for number in range(20))

    def work(name):
        found = []
        while log := claim(name):
            found.append(log.pk)
        connection.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        taken = [log for found in pool.map(work, "abcd") for log in found]
    assert sorted(taken) == sorted(MLTrainingLog.objects.values_list("pk", flat=True))
    assert set(MLTrainingLog.objects.values_list("attempt", flat=True)) == {1}
