"""A person is erased from every table and file, and nothing that the shop sold changes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from authentication.models import ErasedPerson, Role, User
from core.personal_data import PLACES
from core.tests import erased_person as traces
from ml_predictions import artifacts, jobs
from ml_predictions.jobs import rows
from ml_predictions.models import SERVICES, CustomerSegment, MLModel, MLTrainingLog
from ml_predictions.models_erasure import PersonalDataErasure
from ml_predictions.services import customer_rows
from ml_predictions.services.erasure import steps
from orders.models import Order
from retail_ml.segment import RESULT

SOURCE = {
    "authentication.User": "deleted by the source",
    "token_blacklist.OutstandingToken": "deleted by the source",
    "authentication.ErasedPerson": "keyed hashes, which keep an import from bringing the person back",
    "ml_predictions.PersonalDataErasure": "emptied by the erasure itself; `requested_by` is who of the staff asked",
}
"""Tables that are seen to elsewhere than on the list of places, and how."""
NOBODY = {
    "products.Category": {"name"},
    "products.Product": {"brand", "code", "description", "image", "image_url", "name"},
    "products.ProductVariant": {"options", "sku"},
    "purchasing.Supplier": {"email", "name"},  # who sells to the shop
    "purchasing.SupplierItem": {"supplier_sku"},
    "purchasing.PurchaseOrder": {"number"},
    "orders.Order": {"channel", "currency", "order_number"},
    "orders.OrderReturn": {"reference"},
    "ml_predictions.PublishedForecast": {"model_type", "promised"},
    "ml_predictions.PastForecast": {"object_id"},
    "ml_predictions.MLTrainingLog": {"kind", "owner"},
    "ml_predictions.MLModel": {"artifact", "artifact_sha256", "libraries", "model_type"},
    "ml_predictions.SalesForecast": {"object_id"},
    "ml_predictions.ProductRecommendation": {"product_id", "reason", "recommended_id"},
    "ml_predictions.InventoryAlert": {
        "also",
        "category",
        "code",
        "decided_type",
        "product_id",
        "product_name",
        "sku",
        "variant_id",
    },
    "ml_predictions.InventoryClaim": {
        "abc",
        "code",
        "done",
        "kind",
        "product_id",
        "sku",
        "unknown",
        "variant_id",
    },
    "ml_predictions.InventoryHealthDay": {"components"},
    "ml_predictions.OwnerSettings": {"currency"},
    "ml_predictions.OwnerMail": {"known"},  # numbers of alerts
    "ml_predictions.MLWorker": {"host", "name"},
    "ingest.ImportRun": {"counts", "options", "preset", "sha256", "totals"},
    "ml_predictions.CalendarEvent": {"name", "object_id"},  # names of days; who asked for them stands in the note
    "ml_predictions.RecommendationRule": {"object_id", "source_product_id"},
    "ml_predictions.SegmentSnapshot": {"segments"},  # counts and sums
    "authentication.ServiceKey": {"digest", "name", "prefix"},  # names what the key is for
    "auth.Permission": {"codename", "name"},
    "auth.Group": {"name"},
    "contenttypes.ContentType": {"app_label", "model"},
    "axes.AccessAttempt": {"ip_address"},  # the rows go as a whole
    "axes.AccessFailureLog": {"ip_address"},
    "axes.AccessLog": {"ip_address", "session_hash"},
}
"""Columns of text in which no person is named: of goods, suppliers, numbers, and names that the program gives."""


def test_every_column_of_text_is_looked_through_or_known_to_name_nobody():
    covered: dict[str, set[str]] = {}
    for place in PLACES:
        for model, fields in place.covers.items():
            covered.setdefault(model, set()).update(fields)
    left = {
        model: sorted(columns - covered.get(model, set()) - NOBODY.get(model, set()))
        for model, columns in traces.every_text_column().items()
        if model not in SOURCE
    }
    assert not {model: columns for model, columns in left.items() if columns}, (
        "A column that may name a person must be on the list of core/personal_data.py, or here among those that do not."
    )


# --- the whole of it ------------------------------------------------------------------------------


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """A data folder of its own, the model files in it."""
    settings.DATA_FOLDER = tmp_path / "var"
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": tmp_path / "var" / "models"}
    settings.DATA_FOLDER.mkdir()
    return settings.DATA_FOLDER


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a run does it: the worker of this test."""

    def wait(log: MLTrainingLog, seconds: float) -> MLTrainingLog:
        if seconds:
            work(log)
        return log

    monkeypatch.setattr(jobs, "wait", wait)


def work(log: MLTrainingLog) -> None:
    """Run a waiting row here."""
    assert rows.take(log, "worker")
    jobs.execute(log.pk, log.owner)
    log.refresh_from_db()


def train(service: str) -> MLModel:
    """One more version."""
    parameters = {"sales_forecast": {"model_type": "weekday_mean"}}.get(service, {})
    log = rows.submit(service, parameters)
    work(log)
    assert log.status == "completed", log.error
    return MLModel.objects.filter(service=service).latest("version")


def with_habits(model: MLModel) -> None:
    """Give a version the habits of single customers, as it has them from 300 customers on."""
    old = artifacts.load(model.artifact, model.artifact_sha256)
    habits = {
        "crowd_data": np.ones(5, np.float32), "crowd_indices": np.zeros(5, np.int32),
        "crowd_indptr": np.arange(6, dtype=np.int32),
    }  # fmt: skip
    meta = {**old.meta, "second": {}, "crowd_half_life": 120.0}
    saved = artifacts.save(model.service, artifacts.Content(meta, {**old.arrays, **habits}))
    MLModel.objects.filter(pk=model.pk).update(artifact=saved.name, artifact_sha256=saved.sha256)
    artifacts.delete(model.artifact)


def signed_in(user: User) -> APIClient:
    client = APIClient()
    answer = client.post("/api/auth/login/", {"email": user.email, "password": "pass-word-1"})
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    return client


@pytest.fixture
def person(transactional_db: None, folder: Path, make_shop: Any) -> User:
    """The person with all their traces, in a shop whose four services are trained."""
    make_shop(orders=150, products=12, customers=30, days=200)
    admin = User.objects.create_superuser("ada@shop.test", "pass-word-1")
    user = traces.leave_traces(admin, folder)
    for service in SERVICES:
        train(service)
    for service in ("customer_segmentation", "product_recommendation"):
        train(service)
    for model in MLModel.objects.filter(service="product_recommendation"):
        with_habits(model)
    return user


def of_customer(model: MLModel, customer_id: int) -> bool:
    """Does a version of the segmentation hold this customer?"""
    model.refresh_from_db()
    content = artifacts.load(model.artifact, model.artifact_sha256)
    return str(customer_id) in np.asarray(content.arrays["customer_id"]).tobytes().decode().split("\0")


@pytest.mark.postgres
def test_a_person_is_erased_everywhere_and_stays_away(person: User, folder: Path, working: None):
    admin, pk = User.objects.get(email="ada@shop.test"), person.pk
    api = signed_in(admin)
    segmentations = list(MLModel.objects.filter(service="customer_segmentation").order_by("version"))
    habits = list(MLModel.objects.filter(service="product_recommendation").order_by("version"))
    assert all(of_customer(model, pk) for model in segmentations)
    assert CustomerSegment.objects.filter(customer_id=pk).exists()
    before, lines = traces.totals(), traces.source_lines()
    assert len(traces.named_in_files(folder)) >= 10
    assert len(traces.named_in_database()) >= 15

    answer = api.delete(f"/api/ml/customers/{pk}/personal-data/")

    assert answer.status_code == 200, answer.content
    assert traces.named_in_database() == []
    assert traces.named_in_files(folder) == []
    assert traces.totals() == before
    assert traces.source_lines().equals(lines)
    assert (folder / "imports" / "orders.csv").read_text().count("\n") == 1 + len(traces.OTHERS)
    assert (folder / "untouched.csv").read_bytes() == b"nobody\n"
    assert (folder / "errors" / "left.csv").read_bytes() == b"line;email;name;phone\n7;other@x.test;Eva;\n"
    assert (folder / "web.log").read_bytes() == b"started\nended\n"
    # Model files: both segmentations, whole, without the row, the habits gone, what serves trained again.
    assert not any(of_customer(model, pk) for model in segmentations)
    for model in segmentations:
        held = artifacts.load(model.artifact, model.artifact_sha256).arrays
        assert set(held) == set(RESULT) | customer_rows.OF_ALL
        assert {len(array) for name, array in held.items() if name not in {"customer_id", *customer_rows.OF_ALL}} == {
            CustomerSegment.objects.count()
        }
    assert not CustomerSegment.objects.filter(customer_id=pk).exists()
    assert not MLModel.objects.filter(pk__in=[m.pk for m in habits]).exists()
    served = MLModel.objects.get(service="product_recommendation", is_active=True)
    assert {p.name for p in (folder / "models" / "product_recommendation").iterdir()} == {
        served.artifact.rpartition("/")[2]
    }
    for model in segmentations:  # any version can still be put into service
        assert api.post(f"/api/ml/models/{model.pk}/activate/", {"accept_worse": True}).status_code == 200
    assert_certificate(api, answer.json()["erasure"], admin, served)
    assert api.delete(f"/api/ml/customers/{pk}/personal-data/").status_code == 404
    comes_back_as_a_guest(folder)
    assert traces.totals()["orders"] == before["orders"]


def test_a_version_of_another_day_loses_the_row_in_columns_that_are_gone_since():
    ids = np.frombuffer(b"7\x0012\x009", dtype=np.uint8)
    arrays = {
        "customer_id": ids,
        "spent": np.array([1.0, 2, 3]),
        "gone_since": np.array([4, 5, 6]),
        "centres": np.eye(3),
    }
    content = artifacts.Content({"rows": 3}, arrays)
    left = customer_rows.without(content, "12")
    assert left is not None
    assert left.arrays["customer_id"].tobytes() == b"7\x009"
    assert left.arrays["gone_since"].tolist() == [4, 6]
    assert (left.arrays["spent"].tolist(), left.arrays["centres"].shape, left.meta["rows"]) == ([1, 3], (3, 3), 2)
    assert customer_rows.without(content, "2") is content
    assert customer_rows.without(artifacts.Content({}, {"customer_id": np.frombuffer(b"7", np.uint8)}), "7") is None


def assert_certificate(api: APIClient, told: dict[str, Any], admin: User, served: MLModel) -> None:
    assert told["requested_by"] == admin.email
    assert (told["done"], told["genuine"]) == (True, True)
    certificate = told["certificate"]
    counts = {entry["place"]: entry["count"] for entry in certificate["removed"]}
    assert counts["account"] == 1
    assert counts["orders"] == 8
    assert counts["tokens"] == 2
    assert counts["results"] == 1
    assert counts["failed_sign_ins"] >= 1
    assert counts["sessions"] == 2
    assert counts["admin_log"] >= 2
    assert counts["files"] == 10
    for name in ("trainings", "predictions", "alerts", "calendar", "stock_notes"):
        assert counts[name] == 1, name
    versions = [(v["service"], v["version"], v["what"], v["new_version"]) for v in certificate["versions"]]
    assert versions == [
        ("product_recommendation", 1, "deleted", None),
        ("product_recommendation", 2, "retrained", served.version),
        ("customer_segmentation", 1, "rewritten", None),
        ("customer_segmentation", 2, "rewritten", None),
    ]
    assert "address or customer: 8." in certificate["stays"][0]
    assert certificate["backups"]["retention_days"] is None
    row = PersonalDataErasure.objects.get()
    assert (row.customer_id, row.person) == ("", {})
    again = api.get(f"/api/ml/personal-data-erasures/{row.pk}/", HTTP_ACCEPT_LANGUAGE="es").json()
    assert "cliente: 8." in again["certificate"]["stays"][0]
    row.certificate["requested_by"] = "somebody else"
    row.save()
    assert api.get(f"/api/ml/personal-data-erasures/{row.pk}/").json()["genuine"] is False
    assert api.get("/api/ml/personal-data-erasures/").json()["count"] == 1


def comes_back_as_a_guest(folder: Path) -> None:
    """The same file again, and a later one with the person's e-mail under another number."""
    before, others = Order.objects.count(), User.objects.count()
    path = traces.import_file(folder / "again")
    out = io.StringIO()
    call_command("import_sales", str(path), preset="generic", stdout=out)
    assert "8 of these guests' orders are of persons who were erased" in out.getvalue()
    assert "Difference" in out.getvalue()
    path.write_text(
        "order_number,placed_at,sku,units,unit_price,customer_id,email\n"
        f"Z1,2026-06-01T12:00:00+00:00,P000-S,1,25.00,NEW-1,{traces.EMAIL}\n"
    )
    call_command("import_sales", str(path), preset="generic", stdout=out, errors=folder / "again" / "left.csv")
    path.unlink()
    assert Order.objects.count() == before + 1
    assert User.objects.count() == others
    assert not Order.objects.filter(order_number__in=[line[0] for line in [*traces.LINES, ["Z1"]]]).exclude(
        customer=None
    )
    Order.objects.filter(order_number="Z1").delete()
    assert traces.named_in_database() == []
    assert traces.named_in_files(folder) == []


# --- killed in the middle -------------------------------------------------------------------------

STEPS = ("forget", "clean_versions", "clean_places", "draw_up", "close")


class Killed(BaseException):
    """As SIGKILL: nothing below catches it."""


def dies_in(step: str, *, after: bool) -> Any:
    """Let the process die before or after a step; returns what mends it."""
    whole = getattr(steps.Erasure, step)

    def dies(self: steps.Erasure) -> None:
        if after:
            whole(self)
        raise Killed

    setattr(steps.Erasure, step, dies)
    return lambda: setattr(steps.Erasure, step, whole)


@pytest.mark.postgres
def test_killed_before_and_after_each_step_it_goes_on_and_says_nothing_before(person: User, folder: Path):
    from ml_predictions import actions
    from ml_predictions.jobs import erasure

    before = traces.totals()
    row = actions.request_erasure(str(person.pk), user="ada")
    log = erasure.start(row, requested_by="ada")
    for step, after in [(step, after) for step in STEPS for after in (False, True)][:-1]:
        mend = dies_in(step, after=after)
        assert rows.take(log, f"{step}-{after}")
        with pytest.raises(Killed):
            jobs.execute(log.pk, log.owner)
        mend()
        row.refresh_from_db()
        assert (row.finished_at, row.signature) == (None, "")
        assert rows.release(log)  # as a worker that is stopped; a killed one's run is queued again after its lease
        log.refresh_from_db()
    work(log)
    assert log.status == "completed", log.error
    row.refresh_from_db()
    assert row.finished_at is not None
    counts = {entry["place"]: entry["count"] for entry in row.certificate["removed"]}
    assert (counts["account"], counts["orders"], counts["results"], counts["files"]) == (1, 8, 1, 10)
    assert [v["what"] for v in row.certificate["versions"]] == ["deleted", "retrained", "rewritten", "rewritten"]
    assert traces.named_in_database() == []
    assert traces.named_in_files(folder) == []
    assert traces.totals() == before


# --- whom it refuses ------------------------------------------------------------------------------


def erasing(api: APIClient, customer_id: object, **headers: str) -> Any:
    return api.delete(f"/api/ml/customers/{customer_id}/personal-data/", **headers)


@pytest.mark.django_db
def test_staff_and_strangers_are_refused(cast: dict[str, Any]):
    api = signed_in(cast["ben"])
    for name in ("ada", "ben", "eve", "max"):
        answer = erasing(api, cast[name].pk)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_a_customer")
    assert User.objects.count() == 5
    for unknown in ("999999", "abc", "1" * 30):
        assert erasing(api, unknown).json()["error"]["code"] == "unknown_customer"
        assert erasing(api, unknown).status_code == 404
    assert not PersonalDataErasure.objects.exists()


@pytest.mark.django_db
def test_a_superuser_with_the_role_of_a_customer_is_refused(cast: dict[str, Any]):
    cast["cleo"].is_superuser = True
    cast["cleo"].save()
    assert erasing(signed_in(cast["ben"]), cast["cleo"].pk).status_code == 409


@pytest.mark.django_db
def test_a_shop_that_cannot_erase_says_so(cast: dict[str, Any], settings: Any):
    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "SOURCE": "core.tests.test_personal_data.ReadOnlyShop"}
    answer = erasing(signed_in(cast["ben"]), cast["cleo"].pk)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_supported_by_source")
    assert User.objects.filter(pk=cast["cleo"].pk).exists()


class ReadOnlyShop:
    """A source without the optional writes."""


@pytest.mark.django_db(transaction=True)
def test_what_failed_at_last_is_asked_for_again(
    cast: dict[str, Any], folder: Path, working: None, monkeypatch: pytest.MonkeyPatch
):
    from ml_predictions.services.erasure import space

    def full() -> None:
        raise OSError("the disk is full")

    api, pk = signed_in(cast["ben"]), cast["cleo"].pk
    monkeypatch.setattr(space, "compact", full)
    failed = erasing(api, pk)
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "training_error")
    assert not User.objects.filter(pk=pk).exists()
    row = PersonalDataErasure.objects.get()
    assert (row.finished_at, row.signature, row.person) == (None, "", {})
    assert api.get(f"/api/ml/personal-data-erasures/{row.pk}/").json()["certificate"] is None
    monkeypatch.undo()
    monkeypatch.setattr(jobs, "wait", lambda log, seconds: work(log) or log)
    assert erasing(api, pk).json()["erasure"]["done"] is True
    assert erasing(api, pk).status_code == 404


@pytest.mark.django_db
def test_it_is_queued_followed_and_one_after_the_other(cast: dict[str, Any]):
    api = signed_in(cast["ben"])
    other = User.objects.create_user("other@shop.test", role=Role.CUSTOMER)
    first = erasing(api, cast["cleo"].pk, HTTP_PREFER="wait=0")
    assert (first.status_code, first.headers["Preference-Applied"]) == (202, "wait=0")
    told = first.json()
    assert first.headers["Location"] == told["status_url"]
    assert "no worker is running" in told["message"]
    assert api.get(told["certificate_url"]).json()["certificate"] is None
    assert erasing(api, cast["cleo"].pk, HTTP_PREFER="wait=0").json()["training_log_id"] == told["training_log_id"]
    refused = erasing(api, other.pk, HTTP_PREFER="wait=0")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "erasure_under_way")
    assert PersonalDataErasure.objects.count() == 1
    assert MLTrainingLog.objects.get(kind="erase").parameters == {"erasure": told["erasure_id"]}


@pytest.mark.django_db
def test_a_training_that_began_before_is_waited_for(cast: dict[str, Any], run: Any):
    from django.utils import timezone

    from ml_predictions.jobs import erasure

    row = PersonalDataErasure.objects.create(customer_id=str(cast["cleo"].pk), forgotten_at=timezone.now())
    early, late = timezone.now() - timezone.timedelta(minutes=1), timezone.now() + timezone.timedelta(minutes=1)
    kinds = {"all": early, "sales_forecast": late, "erase": early}
    for kind, at in kinds.items():
        MLTrainingLog.objects.create(kind=kind, status="running", started_at=at, owner="w:1")
    assert [log.kind for log in erasure.before(row)] == ["all"]


@pytest.mark.django_db
def test_the_page_of_a_customer_asks_before_it_erases(cast: dict[str, Any]):
    page = Client()
    page.force_login(cast["ada"])
    change = page.get(f"/admin/authentication/user/{cast['cleo'].pk}/change/").content.decode()
    url = f"/admin/ml_predictions/personaldataerasure/erase/{cast['cleo'].pk}/"
    assert url in change
    assert "erase/" not in page.get(f"/admin/authentication/user/{cast['eve'].pk}/change/").content.decode()
    asked = page.get(url)
    assert asked.status_code == 200
    assert "cleo@shop.test" in asked.content.decode()
    assert not PersonalDataErasure.objects.exists()
    answer = page.post(url)
    log = MLTrainingLog.objects.get()
    assert (log.kind, answer.headers["Location"]) == ("erase", f"/admin/ml_predictions/mltraininglog/{log.pk}/change/")
    assert page.get("/admin/ml_predictions/personaldataerasure/").status_code == 200
    row = PersonalDataErasure.objects.get()
    assert page.get(f"/admin/ml_predictions/personaldataerasure/{row.pk}/change/").status_code == 200
    assert page.get(f"/admin/ml_predictions/personaldataerasure/erase/{cast['ada'].pk}/").status_code == 404
    for name in ("cleo", "eve"):
        other = Client()
        other.force_login(cast[name])
        assert other.post(url).status_code in (302, 403)
    assert MLTrainingLog.objects.count() == 1


@pytest.mark.django_db
def test_the_list_says_nothing_without_its_key(cast: dict[str, Any], settings: Any):
    from authentication import suppression

    suppression.remember(source="shop", numbers=["17"], emails=["Ana@Shop.test"])
    assert suppression.erased_emails(["ana@shop.test ", "b@shop.test"]) == {"ana@shop.test "}
    assert suppression.erased_numbers("shop", ["17", "18"]) == {"17"}
    assert suppression.erased_numbers("other", ["17"]) == set()
    assert suppression.erased_numbers("other", ["ANA@shop.test"]) == {"ANA@shop.test"}
    settings.ERASURE_KEYS = ["new", *settings.ERASURE_KEYS]
    assert suppression.erased_emails(["ana@shop.test"]) == {"ana@shop.test"}
    settings.ERASURE_KEYS = ["new"]
    assert suppression.erased_emails(["ana@shop.test"]) == set()
    assert ErasedPerson.objects.count() == 2
