"""Inside the process of a training: how it ends is written to the row, whatever happens."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from django.db import OperationalError, connection, transaction

from ml_predictions.jobs import Cancelled, LostRun, Run, cancel, claim, execute, memory, statistics, submit
from ml_predictions.messages import message, render
from ml_predictions.models import SERVICES, MLTrainingLog
from products.models import Category
from retail_ml import engine
from retail_ml.errors import NotEnoughHistory

pytestmark = pytest.mark.django_db


def well(run, **parameters):
    run.progress(50, message("served_newest"))
    run.published({"metrics": parameters})


def without_data(run):
    raise NotEnoughHistory("the shop has 3 sales, 10 are needed", found=3, needed=10)


def broken(run):
    raise ZeroDivisionError("division by zero")


def without_database(run):
    raise OperationalError("server closed the connection unexpectedly")


def without_memory(run):
    raise MemoryError


def not_finite(run):
    run.published({"metrics": {"wape": float("nan")}})


def in_parts(run):
    run.published({"at": engine.map(os.readlink, ["/proc/self"] * 3)})


class Elsewhere(engine.InProcess):
    """An engine whose processes have another library."""

    def compute(self, fn, parts):
        for one in super().compute(fn, parts):
            yield replace(one, probe="numpy 1.0")


NAMES = ("in_parts", "well", "without_data", "broken", "not_finite", "without_database", "without_memory")


class Reading:
    """A service that reads the shop and publishes what it read."""

    fault: Exception | None = None

    def __init__(self, *, reads):
        self.reads = reads

    def train(self, run, **parameters):
        lines = self.reads.order_lines()
        if self.fault is not None:
            raise self.fault
        run.published({"lines": id(lines), "parameters": parameters})


class Faulty(Reading):
    fault = ZeroDivisionError("division by zero")


class Starving(Reading):
    fault = NotEnoughHistory("the shop has 3 sales, 10 are needed", found=3, needed=10)


class Disconnected(Reading):
    fault = OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def four(monkeypatch):
    """Stand-ins for the four services, by name."""

    def stand(**others):
        here = "ml_predictions.tests.jobs.test_run."
        named = {service: here + others.get(service, "Reading") for service in SERVICES}
        monkeypatch.setattr("ml_predictions.services.CLASSES", named)

    return stand


@pytest.fixture
def kinds(settings):
    here = "ml_predictions.tests.jobs.test_run"
    settings.ML_PREDICTIONS = {
        **settings.ML_PREDICTIONS,
        "KINDS": {name: f"{here}.{name}" for name in NAMES},
    }


def run_one(kind, parameters=None):
    submit(kind, parameters or {})
    log = claim("w")
    status = execute(log.pk, log.owner)
    log.refresh_from_db()
    assert log.status == status
    return log


def test_a_run_that_ends_well_is_completed_with_its_result(kinds):
    log = run_one("well", {"a": 1})
    assert (log.status, log.result, log.progress, log.owner) == ("completed", {"metrics": {"a": 1}}, 100, "")
    assert log.duration_seconds is not None


def test_an_expected_error_fails_the_run_with_its_own_sentence(kinds):
    log = run_one("without_data")
    assert log.status == "failed"
    assert log.error["code"] == "not_enough_history"
    assert render({"code": "unheard of", "text": log.error["text"]}) == "the shop has 3 sales, 10 are needed"


@pytest.mark.parametrize(("kind", "name"), [("broken", "ZeroDivisionError"), ("not_finite", "ValueError")])
def test_an_unexpected_error_fails_the_run_and_is_logged(kinds, kind, name, caplog):
    log = run_one(kind)
    assert log.status == "failed"
    assert log.error["code"] == "training_error"
    assert name in render(log.error)
    assert "Traceback" in caplog.text


def test_a_lost_database_may_be_back_soon_and_the_run_is_put_back_until_its_last_attempt(kinds, settings):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "MAX_ATTEMPTS": 2}
    submit("without_database", {})
    for attempt, status in ((1, "queued"), (2, "failed")):
        MLTrainingLog.objects.update(not_before=None)  # its time has come
        log = claim("w")
        assert execute(log.pk, log.owner) is None
        log.refresh_from_db()
        assert (log.attempt, log.status) == (attempt, status)
    assert log.error["code"] == "training_database"
    assert "server closed the connection" in render(log.error)


def test_want_of_memory_is_said_and_not_tried_again(kinds):
    log = run_one("without_memory")
    assert (log.status, log.error["code"]) == ("failed", "training_memory")
    assert log.error["params"]["megabytes"] > 0


def test_all_four_are_trained_from_one_read_of_the_shop(four):
    four()
    log = run_one("all", {"customer_segmentation": {"n_clusters": 4}})
    assert (log.status, list(log.result["services"]), log.result["errors"]) == ("completed", SERVICES, {})
    assert len({result["lines"] for result in log.result["services"].values()}) == 1
    assert log.result["services"]["customer_segmentation"]["parameters"] == {"n_clusters": 4}


def test_one_of_the_four_that_has_too_little_data_is_told_and_the_others_are_trained(four):
    four(sales_forecast="Starving")
    log = run_one("all")
    assert (log.status, list(log.result["services"])) == ("completed", SERVICES[1:])
    assert log.result["errors"]["sales_forecast"]["code"] == "not_enough_history"
    four(**dict.fromkeys(SERVICES, "Starving"))
    log = run_one("all")
    assert (log.status, log.error["code"], log.result) == ("failed", "not_enough_history", None)


def test_a_fault_of_ours_in_one_of_the_four_fails_the_run_once_the_others_are_trained(four, caplog):
    four(product_recommendation="Faulty", customer_segmentation="Starving")
    log = run_one("all")
    assert (log.status, log.error["code"]) == ("failed", "training_error")
    assert list(log.result["services"]) == ["sales_forecast", "inventory_optimization"]
    assert "ZeroDivisionError" in render(log.result["errors"]["product_recommendation"])
    assert "product_recommendation failed" in caplog.text


def test_a_database_that_is_lost_in_one_of_the_four_puts_the_run_back(four):
    four(product_recommendation="Disconnected")
    submit("all", {})
    log = claim("w")
    assert execute(log.pk, log.owner) is None
    log.refresh_from_db()
    assert log.status == "queued"


def test_parts_are_computed_by_the_engine_of_the_settings(kinds, settings):
    def at(name, **options):
        settings.ML_PREDICTIONS |= {"ENGINE": name, "ENGINE_OPTIONS": options}
        return run_one("in_parts").result["at"]

    assert at("retail_ml.engine.InProcess") == [str(os.getpid())] * 3
    (process,) = set(at("retail_ml.engine.Processes", processes=1))
    assert process != str(os.getpid())
    assert not multiprocessing.active_children(), "they have ended with the run"


def test_an_engine_that_computes_otherwise_fails_the_run(kinds, settings):
    settings.ML_PREDICTIONS |= {"ENGINE": "ml_predictions.tests.jobs.test_run.Elsewhere"}
    log = run_one("in_parts")
    assert (log.status, log.error["code"]) == ("failed", "engine.fault")
    assert "There: numpy 1.0. Here: python" in render(log.error)


def test_the_memory_of_a_run_is_that_of_its_processes_too():
    code = "import sys; x = b'x' * 2**27; print(len(x), flush=True); sys.stdin.read()"
    before = memory.used(os.getpid())
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert memory.used(os.getpid()) > before + 100


def test_progress_of_a_cancelled_run_stops_it():
    submit("sales_forecast", {})
    log = claim("w")
    run = Run(log.pk, log.owner)
    run.progress(10, message("served_newest"))
    cancel(log, requested_by="ben")
    with pytest.raises(Cancelled, match="ben"):
        run.progress(20, message("served_newest"))


def test_what_a_lost_run_publishes_is_undone():
    submit("sales_forecast", {})
    log = claim("w")
    run = Run(log.pk, "someone else:1")

    @transaction.atomic
    def publish():
        MLTrainingLog.objects.create(kind="left over")
        run.published({})

    with pytest.raises(LostRun):
        publish()
    assert not MLTrainingLog.objects.filter(kind="left over").exists()


# --- statistics -----------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL plans by statistics of its own")
@pytest.mark.django_db(transaction=True)
def test_a_run_begins_with_statistics_of_what_was_imported_just_before(kinds):
    """A million lines that the planner takes for a few were joined one by one, for hours."""
    Category.objects.bulk_create(Category(name=f"{i}") for i in range(1_500))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    assert run_one("well").status == "completed"
    assert Category._meta.db_table not in statistics.bring_up_to_date()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [Category._meta.db_table])
        assert cursor.fetchone()[0] >= 1_500


def test_another_database_is_left_alone(django_assert_num_queries):
    if connection.vendor != "postgresql":
        with django_assert_num_queries(0):
            assert statistics.bring_up_to_date() == []
